"""Curves and ends of runs that were repeated under several seeds."""

from __future__ import annotations

from textwrap import fill

import pandas as pd
import plotnine as p9

from pycompare.checks import one_of
from pycompare.divergence import is_finite
from pycompare.plots.axes import caption, facet_labels, facets, shades, short_labels, spans_decades, whole_breaks, words
from pycompare.plots.comparison import LEGEND_WIDTH, metric_label, metrics

_BAND = (0.1, 0.9)
_DASHES = ("solid", "dashed", "dashdot", "dotted")
_WHEN = {"seconds": "Seconds of training"}
_MOST_BANDS = 4
_MOST_LETTERS = 50  # side by side below an axis of 6 inches
_STEEP = 10
_SLANTED = p9.theme(axis_text_x=p9.element_text(rotation=20, ha="right"))


def plot_over_seeds(
    data: pd.DataFrame,
    *,
    metric: str = "valid_loss",
    log: bool | None = None,
    rows: str | None = None,
    x: str | None = None,
    log_x: bool = False,
) -> p9.ggplot:
    """Of each config the mean of a metric over seeds, by epoch or step, in a band of their middle 80 %.

    Runs count while they have not diverged; the caption tells how many end so. The bands of more than 4 configs, which
    would hide one another, have a panel each. A single seed has no band.

    Arguments:
        data: columns config, seed, epoch (or step), valid_loss, `metric`; NaN where a run has diverged.
        metric: the column that is drawn.
        log: a logarithmic axis; unless given, where the largest mean is ten times the median or more.
        rows: the column with a facet for each of its values; of a column "loss" with an axis each.
        x: the column that takes the place of epoch or step: samples or seconds, the same for all seeds of a config.
        log_x: a logarithmic axis of it, for what is above 0.
    """
    one_of("metric", metric, metrics(data), "Choose a column of `data`.")
    data = facet_labels(data, rows)
    drawn = data[_counts(data, metric)]
    if drawn.empty:
        return _all_diverged(data)
    when, bands = x or ("step" if "step" in data else "epoch"), _count(data["seed"]) > 1
    drawn = drawn[drawn[when] > 0] if log_x else drawn
    keys = ["config", *([rows] if rows else [])]
    frame = _means(drawn, metric, [*keys, when])
    log = _is_steep(frame["mean"]) if log is None else log
    frame = frame[frame["low"] > 0] if log else frame
    if frame.empty:
        return words(f"A logarithmic axis has no place for {metric}: it is 0 or less.")
    names = _names(data)
    frame["config"] = pd.Categorical(frame["config"].map(names), categories=list(names.values()))
    points = frame.groupby(keys, observed=True)["mean"].transform("size")
    bands = bands and (len(names) <= _MOST_BANDS or not rows)
    panels = [p9.facet_wrap("config"), p9.theme(legend_position="none")] if bands and len(names) > _MOST_BANDS else []
    return (
        p9.ggplot(frame, p9.aes(when, "mean", color="config", linetype="config"))
        + (p9.geom_ribbon(p9.aes(ymin="low", ymax="high", fill="config"), alpha=0.2, color="none") if bands else [])
        + p9.geom_line(data=frame[points > 1], size=0.8)
        + ([p9.geom_point(data=frame[points == 1], show_legend=False)] if (points == 1).any() else [])
        + _along(when, log=log_x)
        + (p9.scale_y_log10() if log else [])
        + config_keys(list(names.values()))
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 5), plot_caption=p9.element_text(ha="left"), legend_key_width=24)
        + (panels or facets(frame, rows))
        + p9.labs(x=_WHEN.get(when, when.capitalize()), y=metric_label(metric, data))
        + p9.labs(caption=caption(_notes(data, metric, rows, bands=bands)))
    )


def _along(when: str, *, log: bool) -> p9.scale_x_continuous:
    if log:
        return p9.scale_x_log10()
    return p9.scale_x_continuous(breaks=whole_breaks) if when in ("epoch", "step") else p9.scale_x_continuous()


def plot_paired(
    data: pd.DataFrame, *, metric: str = "valid_loss", log: bool | None = None, rows: str | None = None
) -> p9.ggplot:
    """The last value of a metric of each run, those of one seed joined by a line, and the mean of each config.

    Arguments as in `plot_over_seeds`, but for log, which is chosen where the values span decades.
    """
    one_of("metric", metric, metrics(data), "Choose a column of `data`.")
    data, keys = facet_labels(data, rows), [rows] if rows else []
    last = _last(data, keys)
    ended = last[_counts(last, metric)]
    if ended.empty:
        return _all_diverged(data)
    log = spans_decades(ended[metric]) if log is None else log
    title, names = _split_names(_names(data))
    ended = ended.assign(config=pd.Categorical(ended["config"].map(names), categories=list(names.values())))
    means = ended.groupby(["config", *keys], observed=True)[metric].mean().reset_index()
    pairs = ended[ended.groupby(["seed", *keys], observed=True)["config"].transform("size") > 1]
    joined = (
        ["A line joins the runs of one seed; diamonds are means."] if len(pairs) and _count(data["seed"]) > 1 else []
    )
    return (
        p9.ggplot(ended, p9.aes("config", metric))
        + ([p9.geom_line(p9.aes(group="seed"), pairs, color="#9a9a9a", size=0.4)] if len(pairs) else [])
        + p9.geom_point(color="#6a6a6a", size=1.2)
        + p9.geom_point(data=means, color="#d0632c", shape="D", size=3)
        + (p9.scale_y_log10() if log else [])
        + p9.scale_x_discrete(drop=False)
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 5), plot_caption=p9.element_text(ha="left"))
        + ([_SLANTED] if sum(map(len, names.values())) > _MOST_LETTERS else [])
        + facets(ended, rows)
        + p9.labs(x=title, y=f"{metric_label(metric, data)} at the end")
        + p9.labs(caption=caption([*joined, *_failures(data, metric, rows)]))
    )


def _means(drawn: pd.DataFrame, metric: str, keys: list[str]) -> pd.DataFrame:
    groups = drawn.groupby(keys, sort=False, observed=True)[metric]
    low, high = (groups.quantile(share) for share in _BAND)
    return pd.DataFrame({"mean": groups.mean(), "low": low, "high": high}).reset_index()


def _counts(data: pd.DataFrame, metric: str) -> pd.Series[bool]:
    """The rows whose run has not diverged: its loss tells, as an accuracy is finite even of outputs that are not."""
    return is_finite(data[[metric, "valid_loss"]])


def _is_steep(means: pd.Series[float]) -> bool:
    """Whether half of the means would lie in the lowest tenth of an axis."""
    return bool(means.min() > 0 and means.max() >= _STEEP * means.median())


def _names(data: pd.DataFrame) -> dict[str, str]:
    configs = list(data["config"].unique())
    return {config: fill(short, LEGEND_WIDTH) for config, short in zip(configs, short_labels(configs), strict=True)}


def _split_names(names: dict[str, str]) -> tuple[str, dict[str, str]]:
    """What stands before "=" in all names, as the axis' title, and the rest of each."""
    titles = {name.partition(" = ")[0] for name in names.values() if " = " in name}
    if len(titles) != 1:
        return "", names
    (title,) = titles
    return title, {config: name.removeprefix(f"{title} = ") for config, name in names.items()}


def config_keys(names: list[str]) -> list[object]:
    """Colours, dashes and bands of configurations, in one legend."""
    dashes = [_DASHES[i % len(_DASHES)] if len(names) > 1 else "solid" for i in range(len(names))]
    colours = shades(len(names))
    return [
        p9.scale_color_manual(values=colours, limits=names, name="Configuration"),
        p9.scale_fill_manual(values=colours, limits=names, name="Configuration"),
        p9.scale_linetype_manual(values=dashes, limits=names, name="Configuration"),
    ]


def _notes(data: pd.DataFrame, metric: str, rows: str | None, *, bands: bool) -> list[str]:
    count = _count(data["seed"])
    means = f"Means over {count} seeds" + ("; bands hold the middle 80 % of them." if bands else ".")
    return [*([means] if count > 1 else []), *_failures(data, metric, rows)]


def _count(seeds: pd.Series[int]) -> int:
    return len(seeds.unique())


def _last(data: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return data.groupby(["config", *keys, "seed"], sort=False, observed=True).tail(1)


def _failures(data: pd.DataFrame, metric: str, rows: str | None) -> list[str]:
    """How many runs have diverged at their end, by config; nothing where none has."""
    keys = ["config", *([rows] if rows else [])]
    last, names = _last(data, keys[1:]), _names(data)
    failed = last[~_counts(last, metric)].groupby(keys, sort=False, observed=True)[metric]
    told = [
        f"{', '.join([names[str(config)], *map(str, facet)])}, {len(runs)} run{'s' if len(runs) > 1 else ''}"
        for (config, *facet), runs in failed
    ]
    return ["Diverged: " + "; ".join(told)] if told else []


def _all_diverged(data: pd.DataFrame) -> p9.ggplot:
    return words("Every run diverged: " + "; ".join(_names(data).values()))
