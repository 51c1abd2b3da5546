"""A plot as an image."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TypeVar

import matplotlib
import plotnine as p9

Drawn = TypeVar("Drawn")
_DPI, _SCREEN_DPI = 150, 100  # of files, and at which plotnine shows a plot


def png(plot: p9.ggplot) -> bytes:
    """`plot` as a PNG at 150 dots an inch."""
    return image(plot, "png")


def image(plot: p9.ggplot, kind: str, dpi: int = _DPI) -> bytes:
    """`plot` as a file of this kind: "png", "pdf" or "svg"."""
    buffer = io.BytesIO()
    on_any_backend(lambda: plot.save(buffer, format=kind, dpi=dpi, verbose=False))
    return buffer.getvalue()


def retina(plot: p9.ggplot) -> tuple[bytes, dict[str, int]]:
    """`plot` as a PNG of twice the dots that a notebook shows it with, and the width and height to show."""
    size = dict(zip(("width", "height"), plot.theme.getp("figure_size"), strict=True))
    return image(plot, "png", 2 * _SCREEN_DPI), {name: int(inches * _SCREEN_DPI) for name, inches in size.items()}


def on_any_backend(draw: Callable[[], Drawn]) -> Drawn:
    """`draw()`, on Agg where the backend that MPLBACKEND names cannot be loaded here.

    A shell inside a notebook inherits the notebook's, which this environment may lack.
    """
    try:
        return draw()
    except ImportError:
        matplotlib.use("agg")
        return draw()
