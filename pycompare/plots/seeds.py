"""Curves and ends of runs that were repeated under several seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotnine as p9

from pycompare.checks import one_of
from pycompare.plots.axes import caption, shades, short_labels, spans_decades, whole_breaks, words
from pycompare.plots.comparison import all_diverged, metric_label, metrics

_BAND = (0.1, 0.9)
_DASHES = ("solid", "dashed", "dashdot", "dotted")


def plot_over_seeds(
    data: pd.DataFrame, *, metric: str = "valid_loss", log: bool | None = None, facet: str | None = None
) -> p9.ggplot:
    """Of each config the mean of a metric over seeds, by epoch or step, in a band of their middle 80 %.

    Runs count while their metric is finite; the caption tells how many ended without.

    Arguments:
        data: columns config, seed, epoch (or step), `metric`; NaN where a run has diverged.
        metric: the column that is drawn.
        log: a logarithmic axis; unless given, where the means span decades.
        facet: a column whose values get a panel each.
    """
    one_of("metric", metric, metrics(data), "Choose a column of `data`.")
    when = "step" if "step" in data else "epoch"
    drawn = data[np.isfinite(data[metric])]
    if drawn.empty:
        return all_diverged(data.rename(columns={when: "epoch"}), "")
    keys = [*([facet] if facet else []), "config", when]
    groups = drawn.groupby(keys, sort=False)[metric]
    frame = pd.DataFrame(
        {"mean": groups.mean(), "low": groups.quantile(_BAND[0]), "high": groups.quantile(_BAND[1])}
    ).reset_index()
    log = spans_decades(frame["mean"]) if log is None else log
    if log and not (frame["low"] > 0).all():
        frame = frame[frame["low"] > 0]
        if frame.empty:
            return words(f"A logarithmic axis has no place for {metric}: it is 0 or less.")
    names = dict(zip(frame["config"].unique(), short_labels(list(frame["config"].unique())), strict=True))
    frame["config"] = pd.Categorical(frame["config"].map(names), categories=list(names.values()))
    return (
        p9.ggplot(frame, p9.aes(when, "mean", color="config", fill="config", linetype="config"))
        + p9.geom_ribbon(p9.aes(ymin="low", ymax="high"), alpha=0.2, color="none")
        + p9.geom_line(size=0.8)
        + p9.scale_x_continuous(breaks=whole_breaks)
        + (p9.scale_y_log10() if log else [])
        + _keys(list(names.values()))
        + ([p9.facet_wrap(facet, labeller="label_both")] if facet else [])
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 5), plot_caption=p9.element_text(ha="left"), legend_key_width=24)
        + p9.labs(x=when.capitalize(), y=metric_label(metric, data), caption=caption(_notes(data, metric)))
    )


def plot_paired(data: pd.DataFrame, *, metric: str = "valid_loss", log: bool | None = None) -> p9.ggplot:
    """The last value of a metric of each run, those of one seed joined by a line, and the mean of each config.

    Arguments as in `plot_over_seeds`.
    """
    one_of("metric", metric, metrics(data), "Choose a column of `data`.")
    last = data.groupby(["config", "seed"], sort=False)[metric].agg(lambda run: run.iloc[-1]).reset_index()
    ended = last[np.isfinite(last[metric])]
    if ended.empty:
        return all_diverged(data.rename(columns={"step": "epoch"}), "")
    log = spans_decades(ended[metric]) if log is None else log
    configs = list(data["config"].unique())
    names = dict(zip(configs, short_labels(configs), strict=True))
    ended = ended.assign(config=pd.Categorical(ended["config"].map(names), categories=list(names.values())))
    means = ended.groupby("config", observed=True)[metric].mean().reset_index()
    return (
        p9.ggplot(ended, p9.aes("config", metric))
        + p9.geom_line(p9.aes(group="seed"), color="#9a9a9a", size=0.4)
        + p9.geom_point(color="#6a6a6a", size=1.2)
        + p9.geom_point(data=means, color="#d0632c", shape="D", size=3)
        + (p9.scale_y_log10() if log else [])
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 5), plot_caption=p9.element_text(ha="left"))
        + p9.theme(axis_text_x=p9.element_text(rotation=20, ha="right"))
        + p9.labs(x="", y=f"{metric_label(metric, data)} at the end")
        + p9.labs(caption=caption(["A line joins the runs of one seed; diamonds are means.", *_failures(last, metric)]))
    )


def _keys(names: list[str]) -> list[object]:
    dashes = [_DASHES[i % len(_DASHES)] if len(names) > 1 else "solid" for i in range(len(names))]
    colours = shades(len(names))
    return [
        p9.scale_color_manual(values=colours, limits=names, name="Configuration"),
        p9.scale_fill_manual(values=colours, limits=names, name="Configuration"),
        p9.scale_linetype_manual(values=dashes, limits=names, name="Configuration"),
    ]


def _notes(data: pd.DataFrame, metric: str) -> list[str]:
    count = data["seed"].nunique()
    last = data.groupby(["config", "seed"], sort=False)[metric].agg(lambda run: run.iloc[-1]).reset_index()
    return [f"Means over {count} seeds; bands hold the middle 80 % of them.", *_failures(last, metric)]


def _failures(last: pd.DataFrame, metric: str) -> list[str]:
    """How many runs end without a finite metric, by config; nothing where none does."""
    failed = last[~np.isfinite(last[metric])].groupby("config", sort=False).size()
    return (
        ["Diverged: " + "; ".join(f"{config}, {count} runs" for config, count in failed.items())] if len(failed) else []
    )
