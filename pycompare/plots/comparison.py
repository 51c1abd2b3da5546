"""The curves of `compare_configs`."""

from __future__ import annotations

import math
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
import plotnine as p9
from pandas.api.types import is_numeric_dtype

from pycompare.checks import one_of
from pycompare.divergence import first_failure, is_finite
from pycompare.plots.axes import (
    caption,
    facet_labels,
    facets,
    shades,
    short_labels,
    short_numbers,
    spans_decades,
    whole_breaks,
    words,
)

_LIMITED_ABOVE = 10.0  # compare_configs of R cuts the axis where a loss exceeds this
_LIMIT_QUANTILE = 0.98
_MOST_SOLID, _MOST_KEYS, _MOST_TOLD = 4, 8, 5
LEGEND_WIDTH = 30  # of a legend, in letters
_METRICS = {
    "train_loss": "Training loss",
    "valid_loss": "Validation loss",
    "valid_rmse": "Validation RMSE of the whole set",
    "train_accuracy": "Training accuracy",
    "valid_accuracy": "Validation accuracy",
    "train_error": "Training error in percent",
    "valid_error": "Validation error in percent",
}
_DASHES = ("solid", "dashed", "dashdot", "dotted")


def plot_comparison(
    data: pd.DataFrame,
    *,
    parameter: str | None = None,
    rows: str | None = None,
    metric: str = "valid_loss",
    log: bool = False,
    note: str = "",
) -> p9.ggplot:
    """One line of a metric by epoch for each config, in the order in which the configs come in `data`.

    Mirrors the plot of the course's `compare_configs`: its order, and its axis (see `loss_limits`), outside of which a
    line is interrupted, as the caption then says. A run that diverges has the epoch in its label, and its finite part
    is drawn; where all do at once, the picture says that. Above 8 configs, a colour bar takes the legend's place.
    Of several facets the caption has the epochs; those of a column "loss" have an axis each.

    Arguments:
        data: columns config, epoch, valid_loss, `metric`, `parameter`; NaN where a run has diverged.
        parameter: the column of the varied number.
        rows: the column with a facet for each of its values.
        metric: the column that is drawn.
        log: a logarithmic axis, which is not cut.
        note: what to do where every run has diverged.
    """
    one_of("metric", metric, metrics(data), "Choose a column of `data`.")
    data = facet_labels(data, rows)
    drawn = data[np.isfinite(data[metric])]
    if drawn.empty:
        return all_diverged(data, note)
    height, shown, notes = _height(drawn, metric, log=log)
    if not shown.any():
        return words(notes[0])
    drawn = drawn.assign(**{metric: drawn[metric].where(shown)})  # as R does: a line is interrupted there
    names = _short(data) if rows else legend_labels(data)
    points = drawn.groupby(["config", *([rows] if rows else [])])[metric].transform("count")
    bar = parameter is not None and is_numeric_dtype(data[parameter]) and len(names) > _MOST_KEYS
    texts = pd.Categorical(drawn["config"].map(names), categories=list(names.values()))
    drawn = drawn.assign(config=texts, **({"rank": _ranks(data, parameter, drawn)} if bar else {}))
    notes += [*(_divergences(data, rows) if bar or rows else []), *metric_notes(metric, data)]
    return (
        p9.ggplot(drawn, p9.aes("epoch", metric, color="rank" if bar else "config", linetype="config", group="config"))
        + p9.geom_line(data=drawn[points > 1], size=0.8, na_rm=True)
        + p9.geom_point(data=drawn[points == 1], na_rm=True, show_legend=False)
        + p9.scale_x_continuous(breaks=whole_breaks)
        + height
        + (_bar(data, parameter, len(names)) if bar else _legend(list(names.values())))
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 5), plot_caption=p9.element_text(ha="left"), legend_key_width=24)
        + p9.theme(legend_text=p9.element_text(multialignment="left"))
        + facets(drawn, rows)
        + (p9.theme(legend_position="none") if rows == parameter else [])
        + p9.labs(x="Epoch", y=metric_label(metric, data), caption=caption(notes))
    )


def plot_final(
    data: pd.DataFrame,
    *,
    parameter: str,
    rows: str | None = None,
    metric: str = "valid_loss",
    log: bool | None = None,
    note: str = "",
) -> p9.ggplot:
    """The last and the best value of a metric over the varied number, which has a log axis where it spans decades, or
    over names.

    Arguments:
        data, parameter, rows, metric, note: as in `plot_comparison`.
        log: a logarithmic axis for the metric, too; unless given, where it spans decades.
    """
    one_of("metric", metric, metrics(data), "Choose a column of `data`.")
    if not np.isfinite(data[metric]).any():
        return all_diverged(data, note)
    data = facet_labels(data, rows)
    numeric = is_numeric_dtype(data[parameter])
    keys = [parameter, *([rows] if rows else [])]
    runs = data.groupby(keys, sort=numeric, observed=True)[metric]
    ends = pd.DataFrame({"last": runs.apply(lambda run: run.iloc[-1]), "best": runs.min()})
    frame = ends.reset_index().melt(id_vars=keys, var_name="which", value_name=metric).dropna()
    frame["which"] = pd.Categorical(frame["which"], categories=["last", "best"])
    if log is None:
        log = spans_decades(frame[metric])
    if log and not (frame[metric] > 0).all():
        raise ValueError(f"`log` must be False where {metric} is 0 or less; got {log!r}. Leave it out.")
    return (
        p9.ggplot(frame, p9.aes(parameter, metric, color="which", linetype="which", shape="which"))
        + (p9.geom_line(data=frame[_joined(frame, ["which", *keys[1:]])], size=0.8) if numeric else [])
        + p9.geom_point(size=2.5)
        + (p9.scale_y_log10() if log else [])
        + p9.scale_color_manual(values=["#31688e", "#d0632c"])
        + p9.scale_shape_manual(values=["o", "D"])
        + p9.scale_linetype_manual(values=["solid", "dashed"])
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 5), plot_caption=p9.element_text(ha="left"), legend_key_width=24)
        + p9.theme(panel_grid_minor_x=p9.element_blank())
        + (_values_axis(data[parameter]) if numeric else _names_axis(data[parameter]))
        + facets(frame, rows)
        + p9.labs(y=metric_label(metric, data), color="", linetype="", shape="")
        + p9.labs(caption=caption([*_divergences(data, rows), *metric_notes(metric, data)]))
    )


def metrics(data: pd.DataFrame) -> list[str]:
    """The columns of `data` that can be drawn over its epochs."""
    return [name for name in _METRICS if name in data]


def metric_label(metric: str, data: pd.DataFrame) -> str:
    """The name of a metric: R's for what R draws."""
    name = _METRICS[metric]
    return name.replace("loss", "RMSE") if _of_mse(data) else name


def metric_notes(metric: str, data: pd.DataFrame) -> list[str]:
    """What is to be known of a metric: the mean of roots is not the root of the mean."""
    if not metric.endswith("loss") or not _of_mse(data):
        return []
    return ["RMSE: the mean of the batches' RMSEs, as R's; metric='valid_rmse' draws that of the whole set"]


def _of_mse(data: pd.DataFrame) -> bool:
    return "valid_rmse" in data and "loss" not in data


def all_diverged(data: pd.DataFrame, note: str) -> p9.ggplot:
    """A picture that says so, and what to do."""
    return words("\n".join([*_divergences(data, prefix="Every run diverged: "), note]))


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
    at = _epochs_of_divergence(data)
    return {
        config: fill(short, LEGEND_WIDTH) + ("" if at[config] is pd.NA else f"\n(diverged at epoch {at[config]})")
        for config, short in _short(data).items()
    }


def _short(data: pd.DataFrame) -> dict[str, str]:
    configs = data["config"].astype(str).unique().tolist()
    return dict(zip(configs, short_labels(configs), strict=True))


def _epochs_of_divergence(data: pd.DataFrame) -> dict[str, Any]:
    runs = data.groupby("config", sort=False)
    return {str(config): first_failure(run["epoch"], is_finite(run[["valid_loss"]])) for config, run in runs}


def _divergences(data: pd.DataFrame, rows: str | None = None, prefix: str = "Diverged: ") -> list[str]:
    """The runs that did, and when, on a line of their own; none where none did."""
    if rows:
        data = data.assign(config=data["config"] + ", " + data[rows].astype(str))
    epochs, names = _epochs_of_divergence(data), _short(data)
    told = [f"{names[config]} at epoch {epoch}" for config, epoch in epochs.items() if epoch is not pd.NA]
    more = [f"and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
    return [prefix + "; ".join(told[:_MOST_TOLD] + more)] if told else []


def _joined(frame: pd.DataFrame, keys: list[str]) -> pd.Series[bool]:
    """The points that have another beside them."""
    return frame.groupby(keys, observed=True)["which"].transform("size") > 1


def _height(drawn: pd.DataFrame, metric: str, *, log: bool) -> tuple[Any, pd.Series[bool], list[str]]:
    """The y axis, or axes, which values it shows, and what the caption has to say of the others."""
    values = drawn[metric]
    if log:
        scale, shown, why = (
            p9.scale_y_log10(),
            values > 0,
            "A logarithmic axis has no place for {} of {} points: 0 or less.",
        )
    else:
        panels = values.groupby(drawn["loss"].astype(str) if "loss" in drawn else np.zeros(len(drawn)))
        ends = panels.transform(lambda losses: loss_limits(losses)[1])
        scale, shown = [] if "loss" in drawn else p9.ylim(*loss_limits(values)), values <= ends
        why = "The axis ends at the 98 % quantile, as R's does: {} of {} points lie above it."
    return scale, shown, [] if shown.all() else [why.format((~shown).sum(), len(values))]


def _legend(names: list[str]) -> list[Any]:
    """A key for each config; from the fifth on their dashes help where colours are grey."""
    dashes = _DASHES if len(names) > _MOST_SOLID else ("solid",)
    return [
        p9.scale_color_manual(values=shades(len(names)), limits=names, name="Configuration"),
        p9.scale_linetype_manual(values=_cycled(dashes, len(names)), limits=names, name="Configuration"),
    ]


def _bar(data: pd.DataFrame, parameter: str | None, n: int) -> list[Any]:
    """A colour bar on which the values stand at equal steps, and dashes that keep neighbours apart in grey."""
    values = np.sort(data[parameter].unique())
    shown = _evenly(n, _MOST_TOLD + 1)
    labels = short_numbers([float(value) for value in values[shown]])
    return [
        p9.scale_color_gradientn(shades(9), breaks=shown.tolist(), labels=labels, name=parameter, limits=(0, n - 1)),
        p9.scale_linetype_manual(values=_cycled(_DASHES, n), guide=None),
    ]


def _ranks(data: pd.DataFrame, parameter: str | None, drawn: pd.DataFrame) -> np.ndarray[Any, Any]:
    return np.searchsorted(np.sort(data[parameter].unique()), drawn[parameter])


def _cycled(dashes: tuple[str, ...], n: int) -> list[str]:
    return [dashes[i % len(dashes)] for i in range(n)]


def _values_axis(values: pd.Series[float]) -> Any:
    """The axis of the varied number: logarithmic where it spans decades, with all values on it where they are few."""
    known = np.sort(values.unique())
    if not spans_decades(values):
        return p9.scale_x_continuous()
    few = known[_evenly(len(known), _MOST_KEYS)]
    return p9.scale_x_log10(breaks=few.tolist(), labels=short_numbers([float(value) for value in few]))


def _names_axis(names: pd.Series[str]) -> list[Any]:
    return [
        p9.scale_x_discrete(limits=names.unique().tolist()),
        p9.theme(axis_text_x=p9.element_text(rotation=20, ha="right")),
    ]


def _evenly(n: int, most: int) -> np.ndarray[Any, Any]:
    """Indices of at most `most` of `n` values, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round()).astype(int)
