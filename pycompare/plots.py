"""Every plot: a tidy frame in, a ggplot out. No torch, no training."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import plotnine as p9
from matplotlib.colors import to_hex

_LIMITED_ABOVE = 10.0  # compare_configs of R cuts the axis where a loss exceeds this
_LIMIT_QUANTILE = 0.98
_SIDE_COLORS = {"left": "#7fbfd4", "right": "#14375e", "distance": "#b5482f"}
_SIDE_SIZES = {"left": 2.0, "right": 0.6, "distance": 0.6}
_X_RANGE, _Y_RANGE, _GRID = (-2.0, 2.0), (-1.0, 3.0), 400
CONTOUR_BREAKS = np.concatenate(
    [np.arange(0, 20) / 10, np.arange(2, 20), np.arange(20, 200, 10), np.arange(200, 2001, 200)]
)


def plot_comparison(data: pd.DataFrame, *, y_label: str = "Validation RMSE") -> p9.ggplot:
    """One line of valid_loss by epoch for each config, in the order in which the configs come in `data`.

    Mirrors the plot of the course's `compare_configs`: its labels, and its axis (see `loss_limits`), outside of which a
    line is interrupted. A run that diverges has the epoch in its label, and its finite part is drawn.

    Arguments:
        data: columns config, epoch, valid_loss; NaN where a run has diverged.
        y_label: the title of the y axis.
    """
    names = legend_labels(data)
    drawn = data[np.isfinite(data["valid_loss"])]
    alone = drawn.groupby("config")["epoch"].transform("size") == 1
    configs = pd.Categorical(drawn["config"].map(names), categories=list(names.values()))
    drawn = drawn.assign(config=configs)
    plot = (
        p9.ggplot(drawn, p9.aes("epoch", "valid_loss", color="config"))
        + p9.geom_line(data=drawn[~alone], size=0.8, na_rm=True)
        + p9.geom_point(data=drawn[alone], na_rm=True, show_legend=False)
        + p9.scale_color_manual(values=_shades(len(names)), limits=list(names.values()))
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 5))
        + p9.labs(x="Epoch", y=y_label, color="Configuration")
    )
    return plot + p9.ylim(*loss_limits(drawn["valid_loss"])) if len(drawn) else plot


def loss_limits(losses: pd.Series[float]) -> tuple[float, float]:
    """The y axis of R's `compare_configs`: smallest to largest loss or, where that exceeds 10, the 98 % quantile.

    Arguments:
        losses: at least one finite number.

    Returns:
        (lower, upper), equal to R's `min` and `max` or `quantile(losses, 0.98)` (type 7) in every bit.
    """
    values = np.sort(losses.to_numpy(np.float64))
    if values[-1] <= _LIMITED_ABOVE:
        return float(values[0]), float(values[-1])
    index = (len(values) - 1) * _LIMIT_QUANTILE
    low, h = math.floor(index), (1 + index) - math.floor(1 + index)
    high = min(low + 1, len(values) - 1)
    upper = values[low] if values[low] == values[high] else (1 - h) * values[low] + h * values[high]
    return float(values[0]), float(upper)


def legend_labels(data: pd.DataFrame) -> dict[str, str]:
    """Each config's text in the legend, in order of appearance: itself and, where a run diverges, the epoch."""
    diverged = data[~np.isfinite(data["valid_loss"])].groupby("config")["epoch"].min()
    return {
        config: f"{config} (diverged at epoch {diverged[config]})" if config in diverged else config
        for config in data["config"].unique()
    }


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


def plot_parity(data: pd.DataFrame, *, step: str, by: Sequence[str] = ()) -> p9.ggplot:
    """Both sides of every compared column over `step`, and below them their distance in ulps.

    Arguments:
        data: the `data` of a `pycompare.parity.ParityReport`.
        step: the column on the horizontal axis.
        by: columns that tell apart the runs in `data`, each a line of its own.
    """
    curves = data.melt(
        id_vars=[*by, step, "column"], value_vars=["left", "right", "ulps"], var_name="side", value_name="number"
    )
    distance = curves["side"] == "ulps"
    panels = curves["column"].where(~distance, "distance of " + curves["column"] + " in ulps")
    names = data["column"].unique()
    order = [*names, *(f"distance of {name} in ulps" for name in names)]
    curves = curves.assign(
        side=pd.Categorical(curves["side"].where(~distance, "distance"), categories=list(_SIDE_COLORS)),
        panel=pd.Categorical(panels, categories=order),
        line=curves[[*by, "side"]].astype(str).agg(" ".join, axis=1),
    )
    alone = curves.groupby(["panel", "line"], observed=True)[step].transform("size") == 1
    return (
        p9.ggplot(curves, p9.aes(step, "number", color="side", size="side", group="line"))
        + p9.geom_line(data=curves[~alone], na_rm=True)
        + p9.geom_point(data=curves[alone], na_rm=True)
        + p9.facet_wrap("panel", scales="free_y", ncol=len(names))
        + p9.scale_color_manual(values=_SIDE_COLORS)  # the left side shows as a rim of the right one
        + p9.scale_size_manual(values=_SIDE_SIZES)
        + p9.labs(x=step, y="", color="", size="")
        + p9.theme_bw()
        + p9.theme(figure_size=(2 + 2.8 * len(names), 5), panel_grid_minor=p9.element_blank())
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


def png(plot: p9.ggplot) -> bytes:
    """`plot` as a PNG at 150 dots an inch."""
    buffer = io.BytesIO()
    plot.save(buffer, format="png", dpi=150, verbose=False)
    return buffer.getvalue()


def _departure(data: pd.DataFrame) -> str | None:
    """When a path stops being visible."""
    inside = data["x"].between(*_X_RANGE) & data["y"].between(*_Y_RANGE)
    return None if inside.all() else f"The path leaves the window at step {data['step'][~inside].iloc[0]}."


def _shades(n: int) -> list[str]:
    """`n` colours from dark to light, which stay apart in greyscale."""
    return [to_hex(colour) for colour in matplotlib.colormaps["viridis"](np.linspace(0, 0.85, n))]
