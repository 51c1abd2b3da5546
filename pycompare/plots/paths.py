"""Paths of optimizers over maps of a loss."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence
from functools import partial
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import plotnine as p9
from contourpy import contour_generator
from matplotlib.colors import to_hex
from mizani.breaks import breaks_extended

from pycompare.checks import one_of
from pycompare.divergence import first_failure, is_finite
from pycompare.labels import setting_label
from pycompare.plots.axes import facet_labels, grid_cells, short_labels

_MAP_COLORS = ("#ffffff", "#e6eef6", "#cfdeeb", "#b8cde0")  # pale, so that paths stand out: lighter is lower
_PATH_SHAPES, _PATH_LINES = ("D", "^", "s", "v", "P", "X", "o"), ("solid", "dashed", "dashdot", "dotted")
_MOST_NOTES, _MOST_KEYS, _CONTOURS = 5, 6, 16


def plot_paths(
    maps: pd.DataFrame,
    paths: pd.DataFrame,
    *,
    x: str,
    y: str,
    columns: str | None = None,
    rows: str | None = None,
    colour: str = "shared",
    note: str = "",
) -> p9.ggplot:
    """Paths over maps of a loss; lighter is lower. A ring is a path's start, its mark the end.

    A path is cut at the edge of its map, and the caption says when it leaves, or diverges. Lines of equal loss are
    drawn at equal steps of the colour scale.

    Arguments:
        maps: columns x, y, loss, and that of `columns`: a grid for each facet.
        paths: columns x, y, epoch, and loss where it is known; config, if several lie on one map; and those of
            `columns` and `rows`.
        x, y: the names of the two coordinates.
        columns: the column with a facet for each value.
        rows: the column of `paths` with a row of facets for each value.
        colour: "shared", one log scale (linear where a loss is negative), or "facet", stretched over each map.
        note: what else the caption is to say.
    """
    one_of("colour", colour, ("shared", "facet"))
    facets = [name for name in (rows, columns) if name]
    if rows:
        maps = maps.merge(pd.DataFrame({rows: paths[rows].unique()}), how="cross")
    level, fill = _loss_scale(maps["loss"], maps.groupby(facets).ngroup() if facets and colour == "facet" else None)
    surface = _labelled(maps.assign(level=level), rows, columns)
    drawn = _labelled(_named(paths)[np.isfinite(paths[x]) & np.isfinite(paths[y])], rows, columns)
    drawn = drawn.assign(**{name: _near(drawn[name], maps[name]) for name in (x, y)})
    plot = (
        p9.ggplot(drawn, p9.aes(x, y, color="config", linetype="config", shape="config", group="config"))
        + _map_layers(surface, _contours(surface, x, y, facets), x, y)
        + _path_layers(drawn, facets, x, y)
        + fill
        + p9.coord_cartesian(xlim=_extent(maps[x]), ylim=_extent(maps[y]), expand=False)
        + p9.scale_x_continuous(breaks=breaks_extended(n=4))
        + _path_scales(list(drawn["config"].cat.categories), shown="config" in paths)
        + p9.theme_bw()
        + p9.theme(figure_size=(6, 4), panel_grid=p9.element_blank(), plot_caption=p9.element_text(ha="left"))
        + p9.theme(panel_spacing=0.03)
        + p9.labs(x=x, y=y, color="", linetype="", shape="", caption=_path_notes(note, paths, maps, x, y, facets))
    )
    return plot + _facets(rows, columns, surface)


def plot_fit(
    points: pd.DataFrame, lines: pd.DataFrame, *, columns: str | None = None, rows: str | None = None
) -> p9.ggplot:
    """Points, and lines through them.

    Arguments:
        points: columns x, y.
        lines: columns weight and bias; config, if several lie in one facet; and those of `columns` and `rows`, as in
            `plot_paths`.
    """
    (left, right), (low, high) = _extent(points["x"]), _extent(points["y"])
    weights, biases = (lines[name].to_numpy(float) for name in ("weight", "bias"))
    ends = np.stack([weights * x + biases for x in (left, right)])
    far = 20 * (high - low)  # steeper lines come from paths that diverge
    seen = (ends.min(axis=0) <= high) & (ends.max(axis=0) >= low) & (np.abs(ends) <= far).all(axis=0)
    margin_x, margin_y = (right - left or 1) / 20, (high - low or 1) / 20
    every, facets = _labelled(_named(lines), rows, columns), [name for name in (rows, columns) if name]
    drawn = every[seen]
    panels = every[facets].drop_duplicates()
    if len(drawn[facets].drop_duplicates()) < len(panels):  # one whose lines are all far has its points, too
        points = points.merge(panels, how="cross")
    line = p9.aes(slope="weight", intercept="bias", color="config", linetype="config")
    plot = (
        p9.ggplot(drawn)
        + p9.geom_point(p9.aes("x", "y"), data=points, fill="none", color="#5b7a99", size=1.8)
        + (p9.geom_abline(line, data=drawn, size=0.9) if len(drawn) else [])
        + p9.coord_cartesian(xlim=(left - margin_x, right + margin_x), ylim=(low - margin_y, high + margin_y))
        + _path_scales(list(every["config"].cat.categories), shown="config" in lines and len(drawn) > 0)[:2]
        + p9.theme_bw()
        + p9.theme(figure_size=(6, 4), panel_grid_minor=p9.element_blank(), plot_caption=p9.element_text(ha="left"))
        + p9.theme(panel_spacing=0.03)
        + p9.scale_x_continuous(breaks=breaks_extended(n=4))
        + p9.labs(x="x", y="y", color="", linetype="")
    )
    if not seen.all():
        plot += p9.labs(caption=f"{(~seen).sum()} of {len(seen)} lines lie far from the points, and are not drawn.")
    return plot + _facets(rows, columns, every)


def still_layers(plot: p9.ggplot) -> set[int]:
    """The zorders of the layers of `plot_paths` that do not move in a film: those that do draw the plot's own frame."""
    return {i for i, layer in enumerate(plot.layers, start=1) if not layer.inherit_aes}


def path_styles(n: int) -> list[tuple[str, str, str]]:
    """Colour, line and mark of each of `n` paths: safe for the colour-blind, apart in greyscale, dark on a map."""
    colours = matplotlib.colormaps["inferno"](np.linspace(0, 0.68, n))
    marks, lines = (itertools.cycle(values) for values in (_PATH_SHAPES, _PATH_LINES))
    return [(to_hex(colour), line, mark) for colour, line, mark in zip(colours, lines, marks)]  # noqa: B905


def _named(paths: pd.DataFrame) -> pd.DataFrame:
    """`paths` with an ordered config, a single one where they have none."""
    names = paths["config"] if "config" in paths else pd.Series("path", index=paths.index)
    return paths.assign(config=pd.Categorical(names, categories=names.unique()))


def _labelled(frame: pd.DataFrame, rows: str | None, columns: str | None) -> pd.DataFrame:
    """`frame` with the texts of its facets, in the order of their appearance."""
    if columns:
        texts = frame[columns].astype(str)
        frame = frame.assign(**{columns: pd.Categorical(texts, categories=texts.unique())})
    return facet_labels(frame, rows)


def _as_labels(values: pd.Series[Any]) -> pd.Series[str]:
    """Numbers as settings, texts themselves."""
    return values.map(lambda value: value if isinstance(value, str) else setting_label(str(values.name), value))


def _shortened(labels: pd.Series[str]) -> pd.Series[str]:
    names = list(labels.unique())
    return labels.map(dict(zip(names, short_labels(names), strict=True)))


def _map_layers(surface: pd.DataFrame, contours: pd.DataFrame, x: str, y: str) -> list[Any]:
    return [
        grid_cells(surface[[x, y]])(p9.aes(x, y, fill="level"), data=surface, inherit_aes=False),
        p9.geom_path(p9.aes(x, y, group="line"), data=contours, inherit_aes=False, color="#6f8ba5", size=0.25),
    ]


def _path_layers(drawn: pd.DataFrame, facets: list[str], x: str, y: str) -> list[Any]:
    """Rings at the starts; lines with a halo through more than one point; a dot at each, and a mark at the last."""
    by_path = drawn.groupby([*facets, "config"], observed=True, sort=False)
    lines = drawn[by_path["epoch"].transform("size") > 1]
    starts = drawn[drawn["epoch"] == 0]
    return [
        p9.geom_point(p9.aes(x, y), data=starts, inherit_aes=False, shape="o", size=3, fill="none"),
        p9.geom_path(data=lines, color="white", size=1.6, linetype="solid"),
        p9.geom_path(data=lines, size=0.7),
        p9.geom_point(size=0.7, shape="o", show_legend=False),
        p9.geom_point(data=by_path.tail(1), size=2.6),
    ]


def _facets(rows: str | None, columns: str | None, frame: pd.DataFrame) -> list[Any]:
    n_rows, n_columns = (len(frame[name].cat.categories) if name else 1 for name in (rows, columns))
    if rows:
        size = (2.2 + 2.4 * n_columns, max(5.5, 1 + 1.5 * n_rows))
        return [p9.facet_grid(rows=rows, cols=columns), p9.theme(figure_size=size, strip_text=p9.element_text(size=7))]
    if columns:
        wide = 2 if n_columns in (2, 4) else 3
        return [p9.facet_wrap(columns, ncol=wide), p9.theme(figure_size=(7.5, 1 + 2.5 * -(-n_columns // wide)))]
    return []


def _legend(n: int) -> Any:
    """A guide whose keys leave the colour bar's title on the page, however many there are."""
    if n <= _MOST_KEYS:
        return p9.guide_legend(theme=p9.theme(legend_key_width=26))
    size = max(3.5, min(8.0, 72 / n))
    tight = {"legend_key_width": 26, "legend_key_height": size, "legend_key_spacing_y": 0}
    return p9.guide_legend(theme=p9.theme(legend_text=p9.element_text(size=size), **tight))


def _path_scales(names: list[str], *, shown: bool) -> list[Any]:
    colours, lines, marks = zip(*path_styles(len(names)), strict=True) if names else ((), (), ())
    keys = {"limits": names, "labels": short_labels(names)}
    scales = (p9.scale_color_manual, colours), (p9.scale_linetype_manual, lines), (p9.scale_shape_manual, marks)
    return [scale(values, **keys, guide=_legend(len(names)) if shown else None) for scale, values in scales]


def _loss_scale(loss: pd.Series[float], facet: pd.Series[int] | None) -> tuple[pd.Series[float], Any]:
    """The number that is coloured for each loss, and its scale; stretched over 0 to 1 within each `facet`, if given."""
    level = loss.where(np.isfinite(loss))
    logarithmic = level.min() >= 0 and level.max() > 0
    if logarithmic:
        level = pd.Series(np.log10(level.clip(lower=level[level > 0].min()).to_numpy()), index=level.index)
    if facet is None:
        breaks = _loss_breaks(*_extent(level), logarithmic=logarithmic)
        scale = {"name": "Loss", "breaks": breaks, "labels": partial(_loss_labels, logarithmic=logarithmic)}
    else:
        low, high = (level.groupby(facet).transform(end) for end in ("min", "max"))
        level = (level - low) / (high - low).replace(0, 1)
        ends = {"breaks": [0.0, 1.0], "labels": lambda shown: ["highest" if level else "lowest" for level in shown]}
        scale = {"name": "Loss,\nscaled within\neach facet"} | ends
    return level, p9.scale_fill_gradientn(list(_MAP_COLORS), na_value="#888888", **scale)


def _loss_breaks(low: float, high: float, *, logarithmic: bool) -> list[float]:
    if not math.isfinite(low):
        return []  # every loss has overflowed
    if not logarithmic:
        return list(np.linspace(low, high, 4))
    steps = (1, 2, 5) if high - low < 3 else (1,)
    decades = range(math.floor(low), math.ceil(high) + 1)
    breaks = [math.log10(step) + decade for decade in decades for step in steps]
    return [b for b in breaks if low <= b <= high] or [low, high]


def _loss_labels(breaks: Sequence[float], *, logarithmic: bool) -> list[str]:
    return [f"{10**b if logarithmic else b:.3g}" for b in breaks]


def _extent(values: pd.Series[float]) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _near(values: pd.Series[float], shown: pd.Series[float]) -> pd.Series[float]:
    """`values` cut where they are far outside of what is shown: drawing programs fail at 1e30."""
    low, high = _extent(shown)
    return values.clip(low - 9 * (high - low), high + 9 * (high - low))


def _contours(surface: pd.DataFrame, x: str, y: str, facets: list[str]) -> pd.DataFrame:
    """Lines of equal level on each map, numbered in `line`."""
    levels = np.linspace(*_extent(surface["level"]), _CONTOURS + 2)[1:-1]
    pieces = []
    for key, one in surface.groupby(facets, observed=True) if facets else [((), surface)]:
        facet: dict[str, Any] = dict(zip(facets, key, strict=True))
        grid = one.pivot(index=y, columns=x, values="level")  # noqa: PD010 (the other one drops what is NaN)
        generator = contour_generator(grid.columns, grid.index, np.ma.masked_invalid(grid.to_numpy()))
        for level in levels:
            pieces += [pd.DataFrame(line, columns=[x, y]).assign(**facet) for line in generator.lines(level)]
    if not pieces:
        return surface.head(0).assign(line=0)
    lines = pd.concat(pieces, keys=range(len(pieces)), names=["line", None]).reset_index("line")
    return lines.assign(**{name: pd.Categorical(lines[name], surface[name].cat.categories) for name in facets})


def _path_notes(note: str, paths: pd.DataFrame, maps: pd.DataFrame, x: str, y: str, facets: list[str]) -> str | None:
    """The note, when each path leaves its map, and when it diverges."""
    known = paths[[name for name in (x, y, "loss") if name in paths]]
    finite = is_finite(known)
    inside = ~finite | (paths[x].between(*_extent(maps[x])) & paths[y].between(*_extent(maps[y])))
    names = [name for name in (*facets, "config") if name in paths]
    notes = [note] if note else []
    paths = paths.assign(**{name: _shortened(_as_labels(paths[name])) for name in names})
    for key, path in paths.groupby(names, sort=False) if names else [((), paths)]:
        who = ", ".join(str(text) for text in key)
        what = [
            f"{happens} at epoch {epoch}"
            for happens, good in (("off the map", inside), ("diverged", finite))
            if (epoch := first_failure(path["epoch"], good[path.index])) is not pd.NA
        ]
        if what:
            notes.append(f"{who}{': ' if who else ''}{', '.join(what)}")
    more = [f"and {len(notes) - _MOST_NOTES} more"] if len(notes) > _MOST_NOTES else []
    return "\n".join(textwrap.wrap("; ".join(notes[:_MOST_NOTES] + more), 60)) or None
