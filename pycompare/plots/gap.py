"""Validation curves, and below them how far they lie above the training curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotnine as p9

from pycompare.plots.axes import caption, whole_breaks
from pycompare.plots.comparison import all_diverged, legend_labels, loss_limits, metric_label
from pycompare.plots.seeds import config_keys

_BAND, _EARLY = (0.1, 0.9), 0.2
_GAP = "Gap: validation - training"


def plot_gap(data: pd.DataFrame, *, when: str = "epoch", note: str = "") -> p9.ggplot:
    """The validation loss of each config, and in a panel below it the gap, each with an axis of its own.

    Of several seeds means are drawn, in bands of their middle 80 %. Losses beyond R's axis interrupt a line, and so
    do early gaps beyond those after the first fifth: the first training losses are those of a network hardly trained.

    Arguments:
        data: columns config, seed where there are several, `when`, valid_loss, gap; NaN where a run has diverged.
        when: the column of epochs or steps.
        note: what to do where every run has diverged.
    """
    if not np.isfinite(data["valid_loss"]).any():
        return all_diverged(data.rename(columns={when: "epoch"}), note)
    names, seeds = legend_labels(data.rename(columns={when: "epoch"})), _count(data)
    frame = _panels(data, when, {"valid_loss": metric_label("valid_loss", data), "gap": _GAP})
    shown = _shown(frame, when)
    cut = int((~shown & frame["mean"].notna()).sum())
    frame.loc[~shown, ["mean", "low", "high"]] = np.nan
    frame["config"] = pd.Categorical(frame["config"].map(names), categories=list(names.values()))
    points = frame.groupby(["config", "panel"], observed=True)["mean"].transform("count")
    notes = [
        *([f"Means over {seeds} seeds; bands hold the middle 80 % of them."] if seeds > 1 else []),
        *([f"{cut} points lie beyond the axes: early gaps, and losses above R's limit."] if cut else []),
    ]
    return (
        p9.ggplot(frame, p9.aes(when, "mean", color="config", linetype="config"))
        + p9.geom_hline(
            p9.aes(yintercept="mean"),
            frame.loc[frame["panel"] == _GAP, ["panel"]].assign(mean=0.0).head(1),
            color="#9a9a9a",
        )
        + (p9.geom_ribbon(p9.aes(ymin="low", ymax="high", fill="config"), alpha=0.2, color="none") if seeds > 1 else [])
        + p9.geom_line(data=frame[points > 1], size=0.8, na_rm=True)
        + p9.geom_point(data=frame[points == 1], na_rm=True, show_legend=False)
        + p9.facet_wrap("panel", ncol=1, scales="free_y")
        + p9.scale_x_continuous(breaks=whole_breaks)
        + config_keys(list(names.values()))
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 7), plot_caption=p9.element_text(ha="left"), legend_key_width=24)
        + p9.theme(legend_text=p9.element_text(multialignment="left"))
        + p9.labs(x=when.capitalize(), y="", caption=caption(notes))
    )


def _count(data: pd.DataFrame) -> int:
    return data["seed"].nunique() if "seed" in data else 1


def _panels(data: pd.DataFrame, when: str, panels: dict[str, str]) -> pd.DataFrame:
    """Means and middle 80 % over seeds of what each panel shows."""
    parts = []
    for column, name in panels.items():
        groups = data.groupby(["config", when], sort=False)[column]
        low, high = (groups.quantile(share) for share in _BAND)
        parts.append(pd.DataFrame({"mean": groups.mean(), "low": low, "high": high}).reset_index().assign(panel=name))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(panel=pd.Categorical(frame["panel"], categories=list(panels.values())))


def _shown(frame: pd.DataFrame, when: str) -> pd.Series[bool]:
    """Which points lie on the axes: R's for losses, and what the gaps take after the first fifth."""
    gap, mean = frame["panel"] == _GAP, frame["mean"]
    later = mean[gap & (frame[when] > _EARLY * frame[when].max())].dropna()
    low, high = (later.min(), later.max()) if len(later) else (-np.inf, np.inf)
    return (mean.le(loss_limits(mean[~gap].dropna())[1]) & ~gap) | (mean.between(low, high) & gap)
