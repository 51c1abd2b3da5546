"""Schedules of learning rates and the like."""

from __future__ import annotations

import pandas as pd
import plotnine as p9

from pycompare.plots.axes import whole_breaks

_SETTINGS = {"lr": "Learning rate", "momentum": "Momentum (or beta1)", "weight_decay": "Weight decay"}


def plot_schedule(data: pd.DataFrame) -> p9.ggplot:
    """Each setting by step, a panel each, one below the other.

    Arguments:
        data: columns step and any of lr, momentum, weight_decay.
    """
    long = data.melt("step", var_name="setting", value_name="value")
    shown = [name for name in _SETTINGS if name in data]
    panels = pd.Categorical(long["setting"].map(_SETTINGS), categories=[_SETTINGS[name] for name in shown])
    return (
        p9.ggplot(long.assign(setting=panels), p9.aes("step", "value"))
        + (p9.geom_line(size=0.8, color="#31688e") if len(data) > 1 else p9.geom_point(color="#31688e"))
        + p9.facet_wrap("setting", scales="free_y", ncol=1)
        + p9.scale_x_continuous(breaks=whole_breaks)
        + p9.theme_bw()
        + p9.theme(figure_size=(8, 1 + 2 * len(shown)), panel_grid_minor=p9.element_blank())
        + p9.labs(x="Step", y="")
    )
