"""A plot as an image."""

from __future__ import annotations

import io

import plotnine as p9


def png(plot: p9.ggplot) -> bytes:
    """`plot` as a PNG at 150 dots an inch."""
    buffer = io.BytesIO()
    plot.save(buffer, format="png", dpi=150, verbose=False)
    return buffer.getvalue()
