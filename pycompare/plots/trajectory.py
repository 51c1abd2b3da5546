"""The path of `optimize_rosenbrock`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotnine as p9

from pycompare.divergence import first_failure

_X_RANGE, _Y_RANGE, _GRID = (-2.0, 2.0), (-1.0, 3.0), 400
CONTOUR_BREAKS = np.concatenate(
    [np.arange(0, 20) / 10, np.arange(2, 20), np.arange(20, 200, 10), np.arange(200, 2001, 200)]
)


def plot_trajectory(
    data: pd.DataFrame, function: Callable[[Any, Any], Any], *, title: str = "Optimization Path on Rosenbrock Function"
) -> p9.ggplot:
    """The path of an optimiser in red over the filled contours of `function`; darker is lower.

    The window is x in [-2, 2], y in [-1, 3], 400 x 400 cells; a path that leaves it is cut at its edge, and the caption
    says when.

    Arguments:
        data: columns step, x, y; rows that are not finite are left out.
        function: takes two float64 arrays of equal shape, elementwise.
        title: of the plot.

    Mirrors the exercise's plot: contour breaks 0 to 1.9 by 0.1, 2 to 19 by 1, 20 to 190 by 10, 200 to 2000 by 200. A
    function with values below 0 is drawn by its height above its lowest value in the window.
    """
    surface = contour_bands(function)
    shown = np.unique(np.searchsorted(CONTOUR_BREAKS, [0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 1000]))
    path = data[np.isfinite(data[["x", "y"]]).all(axis=1)]
    ends = pd.concat([path.head(1), path.tail(1)]).assign(end=["start", "end"])
    return (
        p9.ggplot(path if len(path) > 1 else path.head(0), p9.aes("x", "y"))
        + p9.geom_raster(p9.aes(fill="band"), data=surface)
        + p9.geom_path(color="white", size=2, alpha=0.7)
        + p9.geom_path(color="red", size=0.8)
        + p9.geom_point(p9.aes(shape="end"), data=ends, color="red", fill="white", size=2.5, stroke=0.8)
        + p9.scale_shape_manual(values={"start": "o", "end": "D"}, limits=["start", "end"])
        + p9.scale_fill_cmap("viridis", breaks=shown, labels=[f"{CONTOUR_BREAKS[i]:g}" for i in shown])
        + p9.coord_fixed(xlim=_X_RANGE, ylim=_Y_RANGE, expand=False)
        + p9.theme_minimal()
        + p9.theme(figure_size=(7, 5.5))
        + p9.labs(
            title=title,
            x="X-axis",
            y="Y-axis",
            fill="Value",
            shape="",
            caption=_departure(data),
        )
    )


def contour_bands(function: Callable[[Any, Any], Any]) -> pd.DataFrame:
    """The contour band of `function` in each cell of the window: columns x, y, band (the index of its lower break)."""
    x, y = np.meshgrid(np.linspace(*_X_RANGE, _GRID), np.linspace(*_Y_RANGE, _GRID))
    height = np.asarray(function(x, y), np.float64)
    if height.shape != x.shape:
        raise ValueError(f"`function` must work elementwise; got shape {height.shape} for inputs of shape {x.shape}.")
    height = height - min(0.0, np.nanmin(height))
    band = np.searchsorted(CONTOUR_BREAKS, height, side="right") - 1
    return pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "band": band.ravel()})


def _departure(data: pd.DataFrame) -> str | None:
    """When a path stops being visible."""
    inside = data["x"].between(*_X_RANGE) & data["y"].between(*_Y_RANGE)
    step = first_failure(data["step"], inside)
    return None if step is pd.NA else f"The path leaves the window at step {step}."
