"""The curves of `compare_configs`."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
import pandas as pd
import plotnine as p9
from matplotlib.colors import to_hex

from pycompare.divergence import first_failure, is_finite

_LIMITED_ABOVE = 10.0  # compare_configs of R cuts the axis where a loss exceeds this
_LIMIT_QUANTILE = 0.98


def plot_comparison(data: pd.DataFrame, *, y_label: str = "Validation RMSE") -> p9.ggplot:
    """One line of valid_loss by epoch for each config, in the order in which the configs come in `data`.

    Mirrors the plot of the course's `compare_configs`: its labels, and its axis (see `loss_limits`), outside of which a
    line is interrupted. A run that diverges has the epoch in its label, and its finite part is drawn.

    Arguments:
        data: columns config, epoch, valid_loss; NaN where a run has diverged.
        y_label: the title of the y axis.
    """
    names = legend_labels(data)
    drawn = data[np.isfinite(data["valid_loss"])]
    alone = drawn.groupby("config")["epoch"].transform("size") == 1
    configs = pd.Categorical(drawn["config"].map(names), categories=list(names.values()))
    drawn = drawn.assign(config=configs)
    plot = (
        p9.ggplot(drawn, p9.aes("epoch", "valid_loss", color="config"))
        + p9.geom_line(data=drawn[~alone], size=0.8, na_rm=True)
        + p9.geom_point(data=drawn[alone], na_rm=True, show_legend=False)
        + p9.scale_color_manual(values=_shades(len(names)), limits=list(names.values()))
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 5))
        + p9.labs(x="Epoch", y=y_label, color="Configuration")
    )
    return plot + p9.ylim(*loss_limits(drawn["valid_loss"])) if len(drawn) else plot


def loss_limits(losses: pd.Series[float]) -> tuple[float, float]:
    """The y axis of R's `compare_configs`: smallest to largest loss or, where that exceeds 10, the 98 % quantile.

    Arguments:
        losses: at least one finite number.

    Returns:
        (lower, upper), equal to R's `min` and `max` or `quantile(losses, 0.98)` (type 7) in every bit.
    """
    values = np.sort(losses.to_numpy(np.float64))
    if values[-1] <= _LIMITED_ABOVE:
        return float(values[0]), float(values[-1])
    index = (len(values) - 1) * _LIMIT_QUANTILE
    low, h = math.floor(index), (1 + index) - math.floor(1 + index)
    high = min(low + 1, len(values) - 1)
    upper = values[low] if values[low] == values[high] else (1 - h) * values[low] + h * values[high]
    return float(values[0]), float(upper)


def legend_labels(data: pd.DataFrame) -> dict[str, str]:
    """Each config's text in the legend, in order of appearance: itself and, where a run diverges, the epoch."""
    labels = {}
    for config, run in data.groupby("config", sort=False):
        epoch = first_failure(run["epoch"], is_finite(run[["valid_loss"]]))
        labels[str(config)] = f"{config}" if epoch is pd.NA else f"{config} (diverged at epoch {epoch})"
    return labels


def _shades(n: int) -> list[str]:
    """`n` colours from dark to light, which stay apart in greyscale."""
    return [to_hex(colour) for colour in matplotlib.colormaps["viridis"](np.linspace(0, 0.85, n))]
