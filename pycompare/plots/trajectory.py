"""The path of `optimize_rosenbrock`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotnine as p9
from matplotlib.colors import to_rgba_array
from matplotlib.image import AxesImage

from pycompare.divergence import first_failure

_X_RANGE, _Y_RANGE, _GRID = (-2.0, 2.0), (-1.0, 3.0), 400
CONTOUR_BREAKS = np.concatenate(
    [np.arange(0, 20) / 10, np.arange(2, 20), np.arange(20, 200, 10), np.arange(200, 2001, 200)]
)
_TOLD = np.array([0, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 1000])  # heights that the legend may name
_MOST_TOLD = 9
_UNKNOWN = "#888888"


@dataclass(frozen=True, eq=False)
class Bands:
    """The contour bands of a function in the window.

    Attributes:
        band: of each cell the index of its lower break, -1 where the function is not finite; shape (y, x), from below.
        breaks: `CONTOUR_BREAKS`, times a power of ten where the function is too flat or too steep for them.
        base: from which they count: 0, or the lowest value where that is negative.
    """

    band: np.ndarray[Any, np.dtype[np.int64]]
    breaks: np.ndarray[Any, np.dtype[np.float64]]
    base: float

    def shown(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The bands from the lowest to the highest that occur; the first, where none does."""
        known = self.band[self.band >= 0]
        return np.arange(known.min(), known.max() + 1) if known.size else np.array([0])

    def told(self) -> tuple[list[int], list[str]]:
        """Bands for the legend, none too close to another, and the heights at which they begin."""
        bands, least = self.shown(), len(self.shown()) / _MOST_TOLD
        told: list[int] = []
        for band in np.searchsorted(CONTOUR_BREAKS, _TOLD):
            if band in bands and (not told or band - told[-1] >= least):
                told.append(int(band))
        return told, [f"{self.breaks[band]:.3g}" for band in told]


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
    function with values below 0 is drawn by its height above its lowest value in the window; for one that is flatter or
    steeper, the breaks are those times a power of ten.
    """
    bands = contour_bands(function)
    path = data[np.isfinite(data[["x", "y"]]).all(axis=1)]
    ends = pd.concat([path.head(1), path.tail(1)]).assign(end=["start", "end"])
    return (
        p9.ggplot(path if len(path) > 1 else path.head(0), p9.aes("x", "y"))
        + _BandImage(p9.aes(fill="band"), data=pd.DataFrame({"band": bands.shown()}), inherit_aes=False, bands=bands)
        + p9.geom_path(color="white", size=2, alpha=0.7)
        + p9.geom_path(color="red", size=0.8)
        + p9.geom_point(p9.aes(shape="end"), data=ends, color="red", fill="white", size=2.5, stroke=0.8)
        + p9.scale_shape_manual(values={"start": "o", "end": "D"}, limits=["start", "end"])
        + _colours(bands)
        + p9.coord_fixed(xlim=_X_RANGE, ylim=_Y_RANGE, expand=False)
        + p9.theme_minimal()
        + p9.theme(figure_size=(7, 5.5), plot_title=p9.element_text(size=12), plot_caption=p9.element_text(ha="left"))
        + p9.theme(legend_title=p9.element_text(multialignment="left"))
        + p9.theme(axis_text_x=p9.element_text(margin={"t": 6}), axis_text_y=p9.element_text(margin={"r": 6}))
        + p9.labs(title=title, x="X-axis", y="Y-axis", shape="", caption=_notes(data, bands))
    )


def contour_bands(function: Callable[[Any, Any], Any]) -> Bands:
    """The contour band of `function` in each cell of the window."""
    x, y = np.meshgrid(np.linspace(*_X_RANGE, _GRID), np.linspace(*_Y_RANGE, _GRID))
    height = np.asarray(function(x, y), np.float64)
    if height.shape != x.shape:
        raise ValueError(f"`function` must work elementwise; got shape {height.shape} for inputs of shape {x.shape}.")
    finite = np.isfinite(height)
    base = min(0.0, height[finite].min(initial=0.0))
    height = np.where(finite, height, base) - base
    breaks = CONTOUR_BREAKS * _unit(height.max())
    band = np.searchsorted(breaks, height, side="right") - 1
    return Bands(np.where(finite, band, -1), breaks, base)


def _unit(highest: float) -> float:
    """The power of ten by which the breaks are multiplied, so that a function's bands are many: 1 for most."""
    if 2 <= highest < CONTOUR_BREAKS[-1] or highest == 0:
        return 1.0
    return float(10.0 ** max(math.floor(math.log10(highest)) - 1, -300))


class _BandImage(p9.geoms.geom.geom):  # type: ignore[misc] # plotnine is typed in part only
    """The bands as one image: only their colours go through the plot's scales, not 160,000 cells."""

    REQUIRED_AES: frozenset[str] = frozenset({"fill"})
    DEFAULT_PARAMS = {"stat": "identity", "position": "identity", "na_rm": False, "bands": None}  # noqa: RUF012
    draw_legend = staticmethod(p9.geom_raster.draw_legend)

    def draw_panel(self, data: pd.DataFrame, _panel: object, _coord: object, ax: Any) -> None:
        """Look up the colour of every cell."""
        bands: Bands = self.params["bands"]
        colours = np.rint(255 * to_rgba_array([*data["fill"], _UNKNOWN])).astype(np.uint8)  # -1 is the last
        cells = colours[np.where(bands.band < 0, -1, bands.band - bands.shown()[0])]
        (left, right), (low, high) = (_around(span) for span in (_X_RANGE, _Y_RANGE))
        extent, zorder = (left, right, low, high), self.params["zorder"]
        ax.add_image(AxesImage(ax, data=cells, origin="lower", extent=extent, rasterized=True, zorder=zorder))


def _around(span: tuple[float, float]) -> tuple[float, float]:
    """`span`, and half a cell on both sides of it."""
    half = (span[1] - span[0]) / (_GRID - 1) / 2
    return span[0] - half, span[1] + half


def _colours(bands: Bands) -> Any:
    told, labels = bands.told()
    name = "Value" if bands.base == 0 else f"Height above\n{bands.base:.4g}"
    guide = "colorbar" if len(bands.shown()) > 1 else None
    return p9.scale_fill_cmap("viridis", breaks=told, labels=labels, name=name, guide=guide)


def _notes(data: pd.DataFrame, bands: Bands) -> str | None:
    """When a path stops being visible, and what the colours cannot show."""
    inside = data["x"].between(*_X_RANGE) & data["y"].between(*_Y_RANGE)
    step = first_failure(data["step"], inside)
    notes = [] if step is pd.NA else [f"The path leaves the window at step {step}."]
    if np.ptp(bands.band) == 0 and bands.band.flat[0] >= 0:
        notes.append("The function is flat here.")
    if (bands.band < 0).any():
        notes.append("Grey: the function is not finite.")
    return "\n".join(notes) or None
