"""The pictures of compare_configs."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np
import pandas as pd
import plotnine as p9
import pytest
from matplotlib.text import Text

from pycompare.plots import plot_comparison, plot_final
from pycompare.plots.axes import short_labels, spans_decades, whole_breaks, words


def _runs(losses: dict[float, list[float]], **more: list[float]) -> pd.DataFrame:
    """A frame as `compare_configs` makes it, over lr."""
    frames = [
        pd.DataFrame({"config": f"lr = {lr:.15g}", "lr": lr, "epoch": range(1, len(run) + 1), "valid_loss": run})
        for lr, run in losses.items()
    ]
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(train_loss=2 * frame["valid_loss"], **more)


def _many(n: int) -> pd.DataFrame:
    return _runs({lr: [1.0, 1 / (i + 2)] for i, lr in enumerate(np.logspace(-3, 0, n))})


def _texts(plot: p9.ggplot) -> list[str]:
    return [text.get_text() for text in plot.draw().findobj(Text) if text.get_text()]


FOUR = _runs({1.0: [0.4, 1.3], 0.1: [0.3, 0.3], 0.01: [1.0, 0.4], 0.001: [0.9, 0.6]})
ROOTED = FOUR.assign(valid_rmse=3 * FOUR["valid_loss"])


@pytest.mark.parametrize(
    ("data", "metric", "label"),
    [
        (ROOTED, "valid_loss", "Validation RMSE"),
        (ROOTED, "train_loss", "Training RMSE"),
        (ROOTED, "valid_rmse", "Validation RMSE of the whole set"),
        (FOUR, "valid_loss", "Validation loss"),
        (FOUR, "train_loss", "Training loss"),
    ],
)
def test_a_metric_is_called_what_it_is(data: pd.DataFrame, metric: str, label: str) -> None:
    plot = plot_comparison(data, parameter="lr", metric=metric)
    assert (plot.mapping["y"], plot.labels.y) == (metric, label)
    assert plot.data[metric].tolist() == data[metric].tolist()
    assert label in _texts(plot)
    explained = plot.labels.caption is not None and "mean of the batches' RMSEs" in plot.labels.caption.replace(
        "\n", " "
    )
    assert explained == (data is ROOTED and metric != "valid_rmse")


@pytest.mark.parametrize("draw", [plot_comparison, plot_final])
def test_an_unknown_metric_is_one_error_that_lists_the_columns(draw: Any) -> None:
    with pytest.raises(ValueError, match="`metric` must be one of train_loss, valid_loss; got 'valid_rmse'"):
        draw(FOUR, parameter="lr", metric="valid_rmse")


@pytest.mark.parametrize(
    ("losses", "log", "caption"),
    [
        ([3.0, 2.0], False, None),
        ([50.0, 2.0], False, "The axis ends at the 98 % quantile, as R's does: 1 of 2 points lie above it."),
        ([50.0, 2.0], True, None),
        ([0.0, 2.0], True, "A logarithmic axis has no place for 1 of 2 points: 0 or less."),
    ],
)
def test_the_caption_says_what_the_axis_hides(losses: list[float], log: bool, caption: str | None) -> None:
    plot = plot_comparison(_runs({0.1: losses}), parameter="lr", log=log)
    assert plot.labels.caption == (caption and "\n".join(textwrap.wrap(caption, 64)))
    assert isinstance(plot.scales.get_scales("y"), p9.scale_y_log10) == log
    plot.draw()


@pytest.mark.parametrize(
    ("limits", "breaks"),
    [
        ((1, 1), [1]),
        ((1, 2), [1, 2]),
        ((1, 3), [1, 2, 3]),
        ((1, 12), [3, 6, 9, 12]),
        ((1, 30), [10, 20, 30]),
        ((0, 7), [0, 2, 4, 6]),
    ],
)
def test_epochs_are_whole_numbers(limits: tuple[int, int], breaks: list[float]) -> None:
    assert whole_breaks(limits) == breaks
    plot = plot_comparison(_runs({0.1: [1.0] * limits[1]}), parameter="lr")
    assert not [text for text in _texts(plot) if text.endswith(".5")]


@pytest.mark.parametrize(
    ("labels", "short"),
    [
        (["lr = 0.1", "lr = 1e-04"], ["lr = 0.1", "lr = 1e-04"]),
        (["lr = 0.0316227766016838", "lr = 0.1"], ["lr = 0.0316", "lr = 0.1"]),
        (["lr = 0.12345", "lr = 0.12346"], ["lr = 0.12345", "lr = 0.12346"]),
        (["lr = 0.300000001", "lr = 0.3"], ["lr = 0.300000001", "lr = 0.3"]),
        (["batch_size = 1024", "batch_size = 1025"], ["batch_size = 1024", "batch_size = 1025"]),
        (["lr = 1234.5678", "lr = 2"], ["lr = 1235", "lr = 2"]),
        (["lr = 351119173422.3", "lr = 1e+30", "lr = 81113083"], ["lr = 3.51e+11", "lr = 1e+30", "lr = 81100000"]),
        (["lr = 0.21544346 (67% in plane)"], ["lr = 0.215 (67% in plane)"]),
        (["betas = (0.9, 0.98765)", "optimizer = sgd"], ["betas = (0.9, 0.98765)", "optimizer = sgd"]),
    ],
)
def test_labels_have_the_fewest_digits_that_tell_them_apart(labels: list[str], short: list[str]) -> None:
    assert short_labels(labels) == short


@pytest.mark.parametrize("n", [4, 5, 8])
def test_up_to_eight_runs_have_keys_and_from_five_on_dashes(n: int) -> None:
    plot = plot_comparison(_many(n), parameter="lr")
    dashes = {*plot.scales.get_scales("linetype").palette(n)}
    assert (len(dashes) > 1) == (n > 4)
    assert plot.mapping["color"] == "config"
    assert "Configuration" in _texts(plot)


def test_more_than_eight_runs_have_a_colour_bar() -> None:
    data = _many(20)
    data.loc[data["config"] == "lr = 1", "valid_loss"] = [0.5, math.nan]
    plot = plot_comparison(data, parameter="lr")
    assert plot.mapping["color"] == "rank"
    assert plot.data["rank"].tolist() == [i for i in range(20) for _ in range(2)][:-1]
    assert plot.labels.caption == "Diverged: lr = 1 at epoch 2"
    assert plot.scales.get_scales("color").limits == (0, 19)
    figure = plot.draw()
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert {"lr", "0.001", "1"} <= {*texts}
    assert "Configuration" not in texts
    assert figure.axes[0].get_position().width > 0.6, "the panel is not squeezed"


def test_where_every_run_diverged_the_picture_says_so_and_what_to_do() -> None:
    data = _runs({lr: [math.nan] * 2 for lr in (1.0, 0.1)})
    for plot in (plot_comparison, plot_final):
        told = " ".join(_texts(plot(data, parameter="lr", note="Try a smaller lr."))[0].split())
        assert told == "Every run diverged: lr = 1 at epoch 1; lr = 0.1 at epoch 1 Try a smaller lr."


def test_the_final_picture_has_the_last_and_the_best_value_of_each_run() -> None:
    plot = plot_final(FOUR, parameter="lr")
    drawn = plot.data.sort_values("lr").groupby("which", observed=True)["valid_loss"].apply(list)
    assert drawn.to_dict() == {"last": [0.6, 0.4, 0.3, 1.3], "best": [0.6, 0.4, 0.3, 0.4]}
    assert {"lr", "last", "best", "0.001", "1"} <= {*_texts(plot)}


@pytest.mark.parametrize(
    ("losses", "x_log", "y_log"),
    [
        ({1.0: [0.4], 0.001: [0.3]}, True, False),
        ({1.0: [400.0], 0.001: [0.3]}, True, True),
        ({0.2: [0.4], 0.1: [0.3]}, False, False),
        ({0.0: [0.4], 1.0: [0.3]}, False, False),
        ({0.2: [math.nan], 0.1: [0.3]}, False, False),
    ],
)
def test_axes_are_logarithmic_where_values_span_decades(
    losses: dict[float, list[float]], x_log: bool, y_log: bool
) -> None:
    plot = plot_final(_runs(losses), parameter="lr")
    assert isinstance(plot.scales.get_scales("x"), p9.scale_x_log10) == x_log
    assert isinstance(plot.scales.get_scales("y"), p9.scale_y_log10) == y_log
    plot.draw()


@pytest.mark.parametrize(
    ("values", "spans"), [([1, 99], False), ([1, 100], True), ([0, 100], False), ([-1, -100], False), ([], False)]
)
def test_what_spans_decades(values: list[float], spans: bool) -> None:
    assert spans_decades(pd.Series(values, dtype=float)) == spans


def test_words_are_wrapped() -> None:
    assert max(map(len, _texts(words("word " * 30))[0].splitlines())) <= 50


def test_a_logarithmic_axis_needs_numbers_above_zero() -> None:
    data = _runs({0.1: [-1.0, 0.0]})
    assert "no place for 2 of 2 points" in " ".join(_texts(plot_comparison(data, parameter="lr", log=True))[0].split())
    with pytest.raises(ValueError, match="`log` must be False where valid_loss is 0 or less; got True"):
        plot_final(data, parameter="lr", log=True)


TWO = pd.concat([FOUR.assign(momentum=0.0), FOUR.assign(momentum=0.9, valid_loss=math.nan)], ignore_index=True)


@pytest.mark.parametrize("draw", [plot_comparison, plot_final])
def test_a_second_list_has_a_facet_a_value_and_those_that_diverged_a_line(draw: Any) -> None:
    plot = draw(TWO, parameter="lr", rows="momentum")
    assert {"momentum = 0", "momentum = 0.9"} <= {*_texts(plot)}
    assert "Diverged: lr = 1, momentum = 0.9 at epoch 1" in plot.labels.caption.replace("\n", " ")
    assert plot.data["momentum"].astype(str).unique().tolist() == ["momentum = 0"]


def test_losses_have_an_axis_each_which_is_cut_as_r_s() -> None:
    losses = pd.concat([FOUR.assign(loss="mse"), FOUR.assign(loss="l1", valid_loss=1e3 * FOUR["valid_loss"])])
    plot = plot_comparison(losses, parameter="lr", rows="loss")
    assert plot.facet.free == {"x": False, "y": True}
    assert plot.data.groupby("loss", observed=True)["valid_loss"].max().tolist() == [1.3, 1e3]
    assert "1 of 16 points" in plot.labels.caption
