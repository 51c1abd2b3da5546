"""Points of a training and a validation set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import plotnine as p9

from pycompare.plots.axes import shades

_MARKS = ("o", "^", "s", "D", "v", "P", "X", "*", "<", ">")  # of classes; more of them get a colour scale
_MANY = 300  # points in a panel, which must be small
_LONGEST = 10.0  # times as wide as high, or as high as wide: beyond, equal axes leave no room to see anything


def plot_points(points: pd.DataFrame) -> p9.ggplot:
    """Points in the plane, a facet for each set, on equal axes where that leaves room.

    Targets that are whole numbers, ten different ones at most, are classes, each with a colour and a mark of its own;
    others are shown by colour alone.

    Arguments:
        points: columns set, x, y and value, the target.
    """
    counts = points["set"].value_counts(sort=False)
    facets = points["set"].map({name: f"{name} (n = {count:,})" for name, count in counts.items()})
    drawn = points.assign(set=pd.Categorical(facets, categories=facets.unique()))
    has_room = _has_room(np.ptp(points["x"]), np.ptp(points["y"]))
    return (
        p9.ggplot(drawn, p9.aes("x", "y"))
        + _marks(points["value"])
        + p9.geom_point(size=1.1 if counts.max() > _MANY else 2.2)
        + p9.facet_wrap("set")
        + (p9.coord_equal() if has_room else [])
        + p9.theme_bw()
        + p9.theme(figure_size=(9, 4.5), panel_grid_minor=p9.element_blank())
        + p9.labs(x="x1", y="x2")
    )


def _marks(values: pd.Series[float]) -> list[Any]:
    """A colour, and a mark, for each class, or colours for numbers."""
    known = np.sort(values.unique())
    if len(known) > len(_MARKS) or (known % 1 != 0).any():
        return [p9.aes(color="value"), p9.scale_color_gradientn(shades(9), name="target", labels=_plain)]
    keys = {"name": "class", "labels": _plain(known)}
    return [
        p9.aes(color="factor(value)", shape="factor(value)"),
        p9.scale_color_manual(shades(len(known)), guide=p9.guide_legend(override_aes={"size": 3}), **keys),
        p9.scale_shape_manual(_MARKS[: len(known)], **keys),
    ]


def _plain(numbers: Iterable[float]) -> list[str]:
    return [f"{one:g}" for one in numbers]


def _has_room(width: float, height: float) -> bool:
    return bool(0 < width <= _LONGEST * height and height <= _LONGEST * width)
