"""Candidates of a search, and the path of decisions among them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotnine as p9

from pycompare.plots.axes import caption, short_labels, spans_decades, words, wrapped

_LOSS, _CHOSEN, _OTHERS = "Best validation loss", "#d0632c", "#6a6a6a"
_LETTERS = 40  # of a candidate's name in a line
_MOST = 20  # candidates in a picture
_FAR = 10  # times the best mean: what lies above would press all others together


def plot_group(rows: pd.DataFrame) -> p9.ggplot:
    """The best validation loss of each run of a group, a line a candidate, with means over seeds.

    Of more than 20 candidates the best 20, the best first.

    Arguments:
        rows: columns config, seed, best_valid_loss (NaN where a run has diverged), kept.
    """
    ended = rows.dropna(subset="best_valid_loss")
    if ended.empty:
        return words(f"Every run diverged: {'; '.join(rows['config'].unique())}")
    names, best = _names(rows), _best(rows)
    names = {config: names[config] for config in (best[:_MOST] if len(names) > _MOST else names)}
    ended = ended[ended["config"].isin(names)]
    ended = ended.assign(config=pd.Categorical(ended["config"].map(names), [*names.values()][::-1]))
    means = ended.groupby(["config", "kept"], observed=True)["best_valid_loss"].mean().reset_index()
    hidden = [f"The best {_MOST} of {len(best)} candidates."] * (len(best) > _MOST)
    return (
        p9.ggplot(ended, p9.aes("best_valid_loss", "config"))
        + p9.geom_point(color=_OTHERS, size=1.2)
        + _diamonds(means)
        + (p9.scale_x_log10() if spans_decades(ended["best_valid_loss"]) else [])
        + p9.scale_y_discrete(drop=False)
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 2 + 0.25 * sum(name.count("\n") + 1 for name in names.values())))
        + p9.theme(plot_caption=p9.element_text(ha="left"))
        + p9.theme(axis_text_y=p9.element_text(ha="left", multialignment="left"))
        + p9.labs(x=_LOSS, y="")
        + p9.labs(caption=caption(["Points are seeds, diamonds means; the filled one was chosen.", *hidden]))
    )


def plot_path(data: pd.DataFrame) -> p9.ggplot:
    """The mean best validation loss over seeds of every candidate, group by group, those chosen joined by a line.

    Candidates of which all runs diverged are told in the caption, and those whose mean is ten times the best or more.

    Arguments:
        data: columns group, config, best_valid_loss (NaN where a run has diverged), kept.
    """
    groups = [*data["group"].unique()]
    means = data.groupby(["group", "config", "kept"], sort=False)["best_valid_loss"].mean().reset_index()
    near = means[(means["best_valid_loss"] < _FAR * means["best_valid_loss"].min()) | means["kept"]]
    if near["best_valid_loss"].isna().all():
        return words("Every run diverged.")
    chosen = near[near["kept"]]
    texts = short_labels(chosen["config"].tolist())
    chosen = chosen.assign(text=[wrapped(text, max(20, _LETTERS // len(groups))) for text in texts])
    return (
        p9.ggplot(near, p9.aes("group", "best_valid_loss"))
        + p9.geom_point(color=_OTHERS, size=1.6)
        + (p9.geom_line(p9.aes(group=1), chosen, color=_CHOSEN, size=0.8) if len(chosen) > 1 else [])
        + _diamonds(chosen)
        + p9.geom_text(p9.aes(label="text"), chosen, size=9, ha="left", nudge_x=0.06, va="bottom", lineheight=1.2)
        + p9.scale_x_discrete(limits=groups, labels=[wrapped(group, _LETTERS) for group in groups])
        + p9.expand_limits(x=len(groups) + 0.7)
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 5), plot_caption=p9.element_text(ha="left"))
        + p9.labs(x="", y=f"{_LOSS}, mean over seeds")
        + p9.labs(caption=caption(["Diamonds were chosen, points are other candidates.", *_left_out(means, near)]))
    )


def _left_out(means: pd.DataFrame, near: pd.DataFrame) -> list[str]:
    """What is not drawn."""
    gone = int(means["best_valid_loss"].isna().sum())
    far = len(means) - len(near) - gone
    told = {"whose runs all diverged": gone, f"with {_FAR} times the lowest mean or more": far}
    counts = [f"{count} candidate{'s' * (count > 1)} {why}" for why, count in told.items() if count]
    return [f"Not drawn: {', '.join(counts)}."] if counts else []


def _diamonds(means: pd.DataFrame) -> list[object]:
    """Means, those kept filled."""
    colours = p9.scale_fill_manual(values={True: _CHOSEN, False: "white"}, guide=None)
    return [p9.geom_point(p9.aes(fill="kept"), means, color=_CHOSEN, shape="D", size=3), colours]


def _best(rows: pd.DataFrame) -> Sequence[str]:
    """The candidates, the best first; those that diverged last."""
    runs = rows.groupby("config", sort=False)["best_valid_loss"]
    table = pd.DataFrame({"kept": ~rows.groupby("config", sort=False)["kept"].any(), "failed": runs.apply(_failed)})
    table = table.assign(mean=runs.mean()).sort_values(["kept", "failed", "mean"], kind="stable")
    return [str(config) for config in table.index]


def _failed(losses: pd.Series[float]) -> int:
    return int(losses.isna().sum())


def _names(rows: pd.DataFrame) -> dict[str, str]:
    """What stands beside each candidate's line."""
    runs = rows.groupby("config", sort=False)["best_valid_loss"].apply(_failed)
    short = dict(zip(runs.index, short_labels([str(config) for config in runs.index]), strict=True))
    told = {
        config: f" ({failed} run{'s' * (failed > 1)} diverged)" if failed else "" for config, failed in runs.items()
    }
    return {str(config): wrapped(f"{short[config]}{told[config]}", _LETTERS) for config in runs.index}
