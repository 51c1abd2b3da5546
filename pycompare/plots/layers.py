"""What goes on within a network: its activations by layer, its gradients by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotnine as p9

from pycompare.checks import one_of
from pycompare.plots.axes import caption, shades, short_labels, whole_breaks, words
from pycompare.plots.paths import path_styles

STATISTICS = {
    "mean": "Mean of |activation|",
    "sd": "Standard deviation of |activation|",
    "zero": "Share of activations that are 0",
}
GRADIENTS = {
    "gradient": "2-norm of the gradient",
    "value": "2-norm of the value",
    "update": "2-norm of the update",
    "ratio": "update / value",
    "loss": "loss",
}
_MOST_KEYS = 8


def plot_activations(data: pd.DataFrame, *, statistic: str = "mean") -> p9.ggplot:
    """One line for each config by layer, in the order in which the configs come in `data`.

    What a logarithmic axis has no place for (0, infinity, NaN) is left out, as the caption then says.

    Arguments:
        data: columns config, layer and `statistic`.
        statistic: "mean" or "sd", on a logarithmic axis, or "zero", whose axis goes from 0 to 1.
    """
    one_of("statistic", statistic, STATISTICS, "Choose one of them.")
    shown = np.isfinite(data[statistic]) & ((data[statistic] > 0) | (statistic == "zero"))
    if not shown.any():
        return words(f"{STATISTICS[statistic]} is 0 or not finite in every layer.\nTry another initialiser.")
    configs = list(data["config"].unique())
    names = dict(zip(configs, short_labels(configs), strict=True))
    data = data.assign(config=pd.Categorical(data["config"].map(names), categories=list(names.values())))
    drawn = data[shown]
    alone = drawn.groupby("config", observed=True)["layer"].transform("size") == 1
    return (
        p9.ggplot(drawn, p9.aes("layer", statistic, color="config", linetype="config", shape="config", group="config"))
        + (p9.geom_line(data=drawn[~alone], size=0.8) if not alone.all() else [])
        + p9.geom_point(size=2)
        + p9.scale_x_continuous(breaks=whole_breaks)
        + (p9.scale_y_continuous(limits=(0, 1)) if statistic == "zero" else p9.scale_y_log10())
        + _styles(list(names.values()))
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 5), plot_caption=p9.element_text(ha="left"), legend_key_width=24)
        + p9.labs(x="Layer", y=STATISTICS[statistic], color="", linetype="", shape="")
        + p9.labs(caption=caption(_left_out(data[~shown])))
    )


def plot_gradients(data: pd.DataFrame, *, statistics: Sequence[str] = ("gradient", "ratio")) -> p9.ggplot:
    """One line for each parameter by step, on logarithmic axes, and a panel for each statistic, one below the other.

    Above 8 parameters, a colour bar from the first to the last takes the legend's place.

    Arguments:
        data: columns step, parameter and `statistics`. What a logarithmic axis has no place for (0, infinity, NaN) is
            left out, as the caption then says.
        statistics: some of "gradient", "value", "update", "ratio", "loss".
    """
    for statistic in statistics:
        one_of("statistics", statistic, GRADIENTS, "Choose of these.")
    long = data.melt(["step", "parameter"], list(statistics), var_name="statistic", value_name="norm")
    shown = np.isfinite(long["norm"]) & (long["norm"] > 0)
    names, panels = list(data["parameter"].unique()), [GRADIENTS[statistic] for statistic in statistics]
    if not shown.any():
        return words(f"No step with a finite {' or '.join(panels)} above 0 was recorded.")
    drawn = long[shown].assign(
        statistic=pd.Categorical(long["statistic"][shown].map(GRADIENTS), categories=panels),
        parameter=pd.Categorical(long["parameter"][shown], categories=names),
        rank=long["parameter"][shown].map({name: i for i, name in enumerate(names)}),
    )
    alone = drawn.groupby(["statistic", "parameter"], observed=True)["step"].transform("size") == 1
    bar = len(names) > _MOST_KEYS
    keys = {"color": "rank"} if bar else {"color": "parameter", "linetype": "parameter"}
    return (
        p9.ggplot(drawn, p9.aes("step", "norm", group="parameter", **keys))
        + (p9.geom_line(data=drawn[~alone], size=0.7) if not alone.all() else [])
        + (p9.geom_point(data=drawn[alone]) if alone.any() else [])
        + p9.facet_wrap("statistic", scales="free_y", ncol=1)
        + p9.scale_x_continuous(breaks=whole_breaks)
        + p9.scale_y_log10()
        + (_bar(names) if bar else _styles(names)[:2])
        + p9.theme_bw()
        + p9.theme(figure_size=(8, 1.5 + 2.5 * len(panels)), plot_caption=p9.element_text(ha="left"))
        + p9.theme(legend_key_width=24, panel_grid_minor=p9.element_blank())
        + p9.labs(x="Step", y="", color="", linetype="")
        + p9.labs(caption=caption(_uncounted(shown)))
    )


def _bar(names: list[str]) -> Any:
    """A colour bar from the first parameter to the last, with some of their names."""
    told = np.unique(np.linspace(0, len(names) - 1, 6).round()).astype(int)
    labels = [names[i] for i in told]
    return p9.scale_color_gradientn(shades(9), breaks=told.tolist(), labels=labels, limits=(0, len(names) - 1))


def _uncounted(shown: pd.Series[bool]) -> list[str]:
    return [] if shown.all() else [f"Not drawn, 0 or not finite: {(~shown).sum()} of {len(shown)} points"]


def _styles(names: list[str]) -> list[Any]:
    colours, lines, marks = zip(*path_styles(len(names)), strict=True)
    return [
        p9.scale_color_manual(values=list(colours), limits=names),
        p9.scale_linetype_manual(values=list(lines), limits=names),
        p9.scale_shape_manual(values=list(marks), limits=names),
    ]


def _left_out(rows: pd.DataFrame) -> list[str]:
    """From which layer on a config is not on the axis."""
    firsts = rows.groupby("config", observed=True)["layer"].min()
    told = "; ".join(f"{config} from layer {layer} on" for config, layer in firsts.items())
    return [f"Not drawn, 0 or not finite: {told}"] if told else []
