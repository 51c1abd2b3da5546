"""Gradients of whole trainings: as a heat map of parameters and steps, and on a drawing of the network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotnine as p9

from pycompare.checks import one_of
from pycompare.labels import setting_label
from pycompare.plots.axes import caption, shades, short_labels, whole_breaks, words
from pycompare.plots.layers import GRADIENTS

Layers = Mapping[str, tuple[int, int]]
SHADES = shades(9)[::-1]  # the darker the larger; white, which is 0, goes on where they end
ZERO = "#8a8a8a"  # of a dotted line
_MOST_STEPS, _MOST_UNITS = 200, 9


def plot_gradient_map(data: pd.DataFrame, *, statistic: str = "gradient") -> p9.ggplot:
    """A heat map for each init and optimizer: steps from left to right, parameters from top to bottom; darker is
    larger.

    One logarithmic scale serves all maps. White is 0, black is not finite. More than 200 steps are thinned out.

    Arguments:
        data: columns init, optimizer, seed, step, parameter and `statistic`; of several seeds the median is drawn.
        statistic: "gradient", "value", "update" or "ratio".
    """
    one_of("statistic", statistic, [name for name in GRADIENTS if name != "loss"], "Choose one of them.")
    steps, names = data["step"].unique(), list(data["parameter"].unique())[::-1]
    shown = steps[:: -(-len(steps) // _MOST_STEPS)]
    table = _medians(data[data["step"].isin(shown)], ["init", "optimizer", "step", "parameter"], statistic)
    coloured = has_colour(table["norm"])
    if not coloured.any():
        return words(f"No {GRADIENTS[statistic]} above 0 was recorded.")
    table = table.assign(**{name: _in_order(table[name]) for name in ("init", "optimizer")})
    step = p9.aes("step", "parameter", width=float(np.diff(shown).min()) if len(shown) > 1 else 1.0)
    rows, columns = (table[name].nunique() for name in ("init", "optimizer"))
    return (
        p9.ggplot(table, step)
        + p9.geom_tile(p9.aes(fill="norm"), data=table[coloured])
        + _tiles(table[table["norm"] == 0], "white")
        + _tiles(table[~np.isfinite(table["norm"])], "black")
        + _scale(p9.scale_fill_gradientn, log_limits(table["norm"]), GRADIENTS[statistic])
        + p9.facet_grid(rows="init", cols="optimizer")
        + p9.scale_x_continuous(breaks=whole_breaks, expand=(0, 0))
        + p9.scale_y_discrete(limits=names, expand=(0, 0))
        + p9.theme_bw()
        + p9.theme(figure_size=(2 + max(5, 2.2 * columns), 1.2 + rows * max(1.2, 0.2 * len(names))))
        + p9.theme(panel_grid=p9.element_blank(), plot_caption=p9.element_text(ha="left"))
        + p9.labs(x="Step", y="", caption=caption(_notes(data, table["norm"], "White: 0", "Black: not finite")))
    )


def plot_network(
    data: pd.DataFrame, layers: Layers, *, facet: str, limits: tuple[float, float] | None = None
) -> p9.ggplot:
    """The network, a panel for each value of `facet`: lines in the colour of the 2-norm of their weight's gradient,
    units in that of their bias'; darker is larger.

    All lines of a layer have one colour, on one logarithmic scale. Dotted lines and white units: 0. What is not
    finite is left out. Of a layer with more than 9 units some are drawn, and the number of all stands below.

    Arguments:
        data: columns seed, parameter, gradient and that of `facet`; of several seeds the median is drawn.
        layers: the widths, in and out, of each linear layer, by name, in their order.
        facet: "step" or "config": the column with a panel for each value.
        limits: the ends of the scale; those of what is drawn unless given.
    """
    if not is_chain(layers):
        return words("This network is no chain of linear layers, and cannot be drawn. plot() shows its gradients.")
    table = _medians(data, [facet, "parameter"], "gradient")
    if not has_colour(table["norm"]).any():
        return words(f"No {GRADIENTS['gradient']} above 0 was recorded.")
    labels = [setting_label(facet, value) if facet == "step" else value.replace(", ", "\n") for value in table[facet]]
    table = table.assign(panel=_in_order(pd.Series(labels, index=table.index)))
    lines, units = (part.merge(table, on="parameter") for part in (_lines(layers), _units(layers)))
    coloured, dotted = lines[has_colour(lines["norm"])], lines[lines["norm"] == 0]
    filled, white = units[has_colour(units["norm"])], units[units["norm"] == 0]
    segment, panels = p9.aes(xend="xend", yend="yend"), table["panel"].nunique()
    limits = limits or log_limits(table["norm"])
    columns = min(panels, 4)
    return (
        p9.ggplot(coloured, p9.aes("x", "y"))
        + p9.geom_segment(p9.aes(xend="xend", yend="yend", color="norm"), size=0.6)
        + (p9.geom_segment(segment, data=dotted, color=ZERO, linetype="dotted") if len(dotted) else [])
        + p9.geom_point(p9.aes(fill="norm"), data=filled, size=5, stroke=0.4)
        + (p9.geom_point(data=white, fill="white", size=5, stroke=0.4) if len(white) else [])
        + _still(layers, set(data["parameter"]))
        + _scale(p9.scale_color_gradientn, limits, GRADIENTS["gradient"])
        + _scale(p9.scale_fill_gradientn, limits, GRADIENTS["gradient"], guide=None)
        + p9.facet_wrap("panel", ncol=columns)
        + p9.expand_limits(x=(-0.4, len(layers) + 0.4))
        + p9.theme_void()
        + p9.theme(figure_size=(1.6 + 2.2 * columns, 0.6 + 2.4 * -(-panels // columns)))
        + p9.theme(plot_caption=p9.element_text(ha="left"), plot_margin=0.02, panel_spacing=0.02)
        + network_notes(data, table["norm"])
    )


def network_notes(data: pd.DataFrame, norms: pd.Series[float]) -> Any:
    """What is to be known of a drawing of `norms`."""
    return p9.labs(caption=caption(_notes(data, norms, "Dotted or white: 0", "Left out: not finite")))


def log_limits(norms: pd.Series[float]) -> tuple[float, float]:
    """The ends of the scale for all `norms` that are finite and above 0."""
    known = norms[has_colour(norms)]
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low / 2, high * 2)


def network_marks(layers: Layers) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The lines (parameter, x, y, xend, yend) and units (parameter, x, y) of the network's parameters."""
    return _lines(layers), _units(layers)


def _still(layers: Layers, parameters: Collection[str]) -> list[Any]:
    """What has no gradient: the widths, and the units without a bias, such as the inputs."""
    widths = _widths(layers)
    plain = [0, *(i for i, name in enumerate(layers, start=1) if _parameter(name, "bias") not in parameters)]
    inputs = pd.DataFrame([(i, y) for i in plain for y in _heights(widths[i])], columns=["x", "y"])
    below = -max(_MOST_UNITS if width > _MOST_UNITS else width for width in widths) / 2 - 0.4
    texts = [(column, below, str(width)) for column, width in enumerate(widths)]
    texts += [(column, 0.0, "\u22ee") for column, width in enumerate(widths) if width > _MOST_UNITS]
    return [
        p9.geom_point(p9.aes("x", "y"), data=inputs, inherit_aes=False, shape="s", size=2, color="#555555"),
        p9.geom_text(
            p9.aes("x", "y", label="text"),
            data=pd.DataFrame(texts, columns=["x", "y", "text"]),
            inherit_aes=False,
            size=9,
        ),
    ]


def _lines(layers: Layers) -> pd.DataFrame:
    rows = [
        (_parameter(name, "weight"), column, y, column + 1, yend)
        for column, (name, (width_in, width_out)) in enumerate(layers.items())
        for y in _heights(width_in)
        for yend in _heights(width_out)
    ]
    return pd.DataFrame(rows, columns=["parameter", "x", "y", "xend", "yend"])


def _units(layers: Layers) -> pd.DataFrame:
    rows = [
        (_parameter(name, "bias"), column, y)
        for column, (name, (_, width)) in enumerate(layers.items(), start=1)
        for y in _heights(width)
    ]
    return pd.DataFrame(rows, columns=["parameter", "x", "y"])


def _heights(width: int) -> list[float]:
    """Where the units of a layer stand, from the top; of many the middle one is left out."""
    slots = min(width, _MOST_UNITS)
    heights = [(slots - 1) / 2 - i for i in range(slots)]
    return heights if width == slots else [y for y in heights if y]


def _parameter(layer: str, kind: str) -> str:
    return f"{layer}.{kind}" if layer else kind


def _widths(layers: Layers) -> list[int]:
    pairs = list(layers.values())
    return [pairs[0][0], *(width for _, width in pairs)]


def is_chain(layers: Layers) -> bool:
    """Whether each layer takes what the one before it gives."""
    return len(layers) > 0 and all(one[1] == other[0] for one, other in pairwise(layers.values()))


def _medians(data: pd.DataFrame, keys: list[str], statistic: str) -> pd.DataFrame:
    return data.groupby(keys, sort=False)[statistic].median().rename("norm").reset_index()


def has_colour(norms: pd.Series[float]) -> pd.Series[bool]:
    """Which norms are on the scale."""
    return (norms > 0) & np.isfinite(norms)


def _in_order(texts: pd.Series[str]) -> pd.Series[str]:
    """Texts as categories in the order of their appearance, numbers in them shortened."""
    found = list(texts.unique())
    short = short_labels(found)
    return pd.Series(pd.Categorical(texts.map(dict(zip(found, short, strict=True))), categories=short), texts.index)


def _tiles(table: pd.DataFrame, fill: str) -> list[Any]:
    return [p9.geom_tile(data=table, fill=fill)] if len(table) else []


def _scale(scale: Callable[..., Any], limits: tuple[float, float], name: str, **guide: Any) -> Any:
    return scale(SHADES, trans="log10", limits=limits, name=name.replace(" of ", "\nof "), **guide)


def _notes(data: pd.DataFrame, norms: pd.Series[float], zero: str, not_finite: str) -> list[str]:
    seeds = data["seed"].nunique()
    notes = [(seeds > 1, f"Medians over {seeds} seeds"), ((norms == 0).any(), zero)]
    told = [text for holds, text in [*notes, (not np.isfinite(norms).all(), not_finite)] if holds]
    return ["; ".join(told)] if told else []
