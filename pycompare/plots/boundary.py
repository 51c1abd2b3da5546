"""What networks say about every point of a plane."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import plotnine as p9
from contourpy import contour_generator
from mizani.breaks import breaks_extended

from pycompare.labels import setting_label
from pycompare.plots.axes import caption, grid_cells, shades, words

# Of Okabe and Ito, told apart by the colour-blind; in greyscale the points' marks and the borders tell classes apart.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
_PALEST, _FULLEST = 0.1, 0.65
_MOST_EPOCHS = 6
_NO_NUMBER = "#888888"


def plot_boundary(boundary: pd.DataFrame, points: pd.DataFrame, *, epoch: int | None = None) -> p9.ggplot:
    """Classes as colours, fuller where they are more probable, with borders between them; or values, lighter is higher.

    The points lie on top. There is a facet for each config and epoch; of many epochs, for some evenly chosen.

    Arguments:
        boundary: a grid of x, y, with class, probability, margin (how far it leads, 0 at borders), or with value; and
            perhaps columns config and epoch, a grid for each.
        points: columns x, y, and class or value.
        epoch: the only one to draw, with the scales of all.
    """
    measure, layers = ("class", _class_layers) if "class" in boundary else ("value", _value_layers)
    shown = _chosen(boundary, epoch)
    if boundary[measure].isna().all():
        return words("There is no finite output to draw.\nThe training has diverged: choose a smaller learning rate.")
    notes = ["Grey: outputs that are not finite."] if shown[measure].isna().any() else []
    if "epoch" in shown and (left_out := boundary["epoch"].nunique() - shown["epoch"].nunique()):
        notes.append(f"{left_out} epochs between these are not shown.")
    shown = _labelled(shown)
    return (
        p9.ggplot(shown.head(1), p9.aes("x", "y"))
        + layers(boundary, shown, points)
        + p9.coord_cartesian(expand=False)
        + p9.scale_x_continuous(breaks=breaks_extended(n=4))
        + p9.theme_bw()
        + p9.theme(figure_size=(6, 4), panel_grid=p9.element_blank(), plot_caption=p9.element_text(ha="left"))
        + p9.theme(panel_spacing=0.03)
        + p9.labs(title=None if epoch is None else setting_label("epoch", epoch), caption=caption(notes))
        + _facets(shown)
    )


def _class_layers(boundary: pd.DataFrame, shown: pd.DataFrame, points: pd.DataFrame) -> list[Any]:
    names = [str(one) for one in sorted({*boundary["class"].dropna(), *points["class"]})]
    colours = _COLOURS[: len(names)] if len(names) <= len(_COLOURS) else shades(len(names))
    marks = list(itertools.islice(itertools.cycle(_MARKS), len(names)))
    least = float(min(boundary["probability"].min(), 1 / len(names)))
    cells, drawn = (
        frame.assign(**{"class": pd.Categorical(frame["class"].astype(str), categories=names)})
        for frame in (shown.fillna({"probability": 1}), points)
    )
    return [
        grid_cells(cells[["x", "y"]])(p9.aes(fill="class", alpha="probability"), cells, show_legend=False),
        # A raster has no key in a legend: this tile of no size has.
        p9.geom_tile(p9.aes(alpha="probability"), cells.head(1), fill="#404040", width=0, height=0),
        p9.geom_path(p9.aes(group="line"), _borders(shown), size=0.6),
        p9.geom_point(p9.aes(fill="class", shape="class"), drawn, color="black", size=_size(shown), stroke=0.3),
        p9.scale_fill_manual(colours, limits=names, na_value=_NO_NUMBER),
        p9.scale_shape_manual(marks, limits=names),
        p9.scale_alpha_continuous(range=(_PALEST, _FULLEST), limits=(least, 1)),
    ]


def _value_layers(boundary: pd.DataFrame, shown: pd.DataFrame, points: pd.DataFrame) -> list[Any]:
    values = pd.concat([boundary["value"], points["value"]])
    limits = float(values.min()), float(values.max())
    return [
        grid_cells(shown[["x", "y"]])(p9.aes(fill="value"), shown),
        p9.geom_point(p9.aes(fill="value"), points, color="white", size=_size(shown), stroke=0.4),
        p9.scale_fill_cmap("viridis", limits=limits, na_value=_NO_NUMBER),
    ]


def _borders(shown: pd.DataFrame) -> pd.DataFrame:
    """The lines at which two classes lead by the same margin, 0, numbered in `line`."""
    facets = _facet_columns(shown)
    pieces = []
    for key, one in shown.groupby(facets, observed=True, sort=False) if facets else [((), shown)]:
        facet: dict[str, Any] = dict(zip(facets, key, strict=True))
        for leader in one["class"].dropna().unique():
            lead = one["margin"].where(one["class"] == leader, -one["margin"])
            grid = one.assign(lead=lead).pivot(index="y", columns="x", values="lead")  # noqa: PD010
            generator = contour_generator(grid.columns, grid.index, np.ma.masked_invalid(grid.to_numpy(float)))
            pieces += [pd.DataFrame(line, columns=["x", "y"]).assign(**facet) for line in generator.lines(0)]
    lines = pd.concat(pieces or [shown.head(0)], keys=range(max(1, len(pieces))), names=["line", None])
    return lines.reset_index("line").astype({name: shown[name].dtype for name in facets})


def _chosen(boundary: pd.DataFrame, epoch: int | None) -> pd.DataFrame:
    """The rows of one epoch, without its column; or those of all epochs, or of some evenly chosen."""
    if "epoch" not in boundary:
        return boundary
    if epoch is not None:
        return boundary[boundary["epoch"] == epoch].drop(columns="epoch")
    every = boundary["epoch"].unique()
    some = np.linspace(0, len(every) - 1, min(len(every), _MOST_EPOCHS)).round().astype(int)
    return boundary[boundary["epoch"].isin(every[some])]


def _size(shown: pd.DataFrame) -> float:
    """Of the points: smaller where there are facets."""
    return 1 if _facet_columns(shown) else 1.8


def _facet_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in ("config", "epoch") if name in frame]


def _labelled(shown: pd.DataFrame) -> pd.DataFrame:
    """`shown` with the texts of its facets, in the order of their appearance."""
    texts = {}
    for name in _facet_columns(shown):
        labels = {value: value if name == "config" else setting_label(name, value) for value in shown[name].unique()}
        texts[name] = pd.Categorical(shown[name].map(labels), list(labels.values()))
    return shown.assign(**texts)


def _facets(shown: pd.DataFrame) -> list[Any]:
    names = _facet_columns(shown)
    counts = [shown[name].nunique() for name in names]
    if len(names) == 2:
        size = (1.5 + 1.8 * counts[1], 1 + 1.8 * counts[0])
        return [p9.facet_grid(rows="config", cols="epoch"), p9.theme(figure_size=size)]
    if names:
        wide = 2 if counts[0] in (2, 4) else 3
        return [p9.facet_wrap(*names, ncol=wide), p9.theme(figure_size=(7.5, 1 + 2.5 * -(-counts[0] // wide)))]
    return []
