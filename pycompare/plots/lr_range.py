"""The picture of a learning-rate range test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotnine as p9

from pycompare.plots.axes import caption, short_numbers, spans_decades, words

_BAND = (0.1, 0.9)
_STYLES = {"solid": "#d0632c", "dashed": "#31688e", "dotted": "#35b779", "dashdot": "#440154"}


def plot_lr_range(data: pd.DataFrame, *, rules: pd.DataFrame, log: bool = True, held_out: bool = False) -> p9.ggplot:
    """The smoothed loss by learning rate, over the losses themselves, and a line at each rate that a rule suggests.

    Of several seeds the median is drawn, in a band of their middle 80 %, as far as all of them went.

    Arguments:
        data: columns seed, step, lr, loss, smoothed.
        rules: columns rule and lr.
        log: whether the axis of rates is logarithmic.
        held_out: whether the loss is that of the validation set.
    """
    finite = data[np.isfinite(data["loss"]) & np.isfinite(data["smoothed"])]
    if finite.empty:
        return words("No loss is finite.\nTry a smaller start.")
    seeds = data["seed"].nunique()
    by_rate = finite.groupby("lr")["smoothed"]
    frame = pd.DataFrame(
        {"middle": by_rate.median(), "low": by_rate.quantile(_BAND[0]), "high": by_rate.quantile(_BAND[1])}
    )
    frame = frame[by_rate.size() == seeds].reset_index()
    labels = [f"{rule}: {lr}" for rule, lr in zip(rules["rule"], short_numbers(list(rules["lr"])), strict=True)]
    lines = rules.assign(rule=pd.Categorical(labels, categories=labels))
    styles = list(_STYLES)[: len(labels)]
    return (
        p9.ggplot(frame, p9.aes("lr"))
        + (
            p9.geom_ribbon(p9.aes(ymin="low", ymax="high"), alpha=0.25, fill="#6a6a6a")
            if seeds > 1
            else p9.geom_point(p9.aes(y="loss"), data=finite, size=0.8, color="#9a9a9a")
        )
        + p9.geom_line(p9.aes(y="middle"), size=0.9)
        + p9.geom_vline(p9.aes(xintercept="lr", color="rule", linetype="rule"), data=lines, size=0.7)
        + (p9.scale_x_log10() if log else p9.scale_x_continuous())
        + (p9.scale_y_log10() if spans_decades(finite["loss"]) else p9.scale_y_continuous())
        + p9.scale_color_manual(values=[_STYLES[style] for style in styles], limits=labels)
        + p9.scale_linetype_manual(values=styles, limits=labels)
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 5), plot_caption=p9.element_text(ha="left"), legend_key_width=24)
        + p9.labs(x="Learning rate", y=f"{'Validation' if held_out else 'Training'} loss", color="", linetype="")
        + p9.labs(caption=caption([_seeds_note(seeds)]))
    )


def _seeds_note(seeds: int) -> str:
    if seeds == 1:
        return "Points: the loss before each step; line: smoothed."
    return f"Smoothed losses: the median over {seeds} seeds; the band holds the middle 80 % of them."
