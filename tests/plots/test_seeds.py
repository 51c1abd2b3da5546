"""The pictures of runs that were repeated under several seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotnine as p9
import pytest
from matplotlib.text import Text

from pycompare.plots import plot_over_seeds, plot_paired

SEVERAL = "Means over {} seeds; bands hold the middle 80 % of them."
JOINED = "A line joins the runs of one seed; diamonds are means."


def _runs(losses: dict[str, list[list[float]]], when: str = "step") -> pd.DataFrame:
    """A frame of the losses of each config, a list for each seed."""
    rows = [
        {"config": config, "seed": seed, when: step, "valid_loss": loss, "valid_accuracy": 0.5}
        for config, runs in losses.items()
        for seed, run in enumerate(runs, start=1)
        for step, loss in enumerate(run)
    ]
    return pd.DataFrame(rows)


TWO = _runs({"sigma = 1": [[4, 1], [2, 2], [3, 6]], "sigma = 0.5": [[1, 1], [1, 0.5], [1, math.nan]]})
ALONE = _runs({"sigma = 1": [[4, 1]], "sigma = 0.5": [[3, 2]]}, "epoch")
MANY = _runs({f"init = {letter}": [[1, 2], [3, 4]] for letter in "abcde"})
ONE_LEVEL = _runs({"lr = 1": [[30, 1, 1], [30, 1, 1]]})


def _texts(plot: p9.ggplot) -> list[str]:
    return [text.get_text() for text in plot.draw().findobj(Text) if text.get_text()]


def _said(plot: p9.ggplot) -> str:
    return (plot.labels.caption or "").replace("\n", " ")


def test_means_and_bands_are_those_of_the_runs_that_have_not_diverged() -> None:
    plot = plot_over_seeds(TWO)
    assert plot.data["config"].tolist() == 2 * ["sigma = 1"] + 2 * ["sigma = 0.5"]
    assert plot.data["step"].tolist() == [0, 1, 0, 1]
    assert plot.data["mean"].tolist() == [3, 3, 1, 0.75]
    ends = [np.quantile(values, [0.1, 0.9]) for values in ([4, 2, 3], [1, 2, 6], [1, 1, 1], [1, 0.5])]
    np.testing.assert_allclose(plot.data[["low", "high"]], ends, rtol=1e-15)
    assert _said(plot) == f"{SEVERAL.format(3)} Diverged: sigma = 0.5, 1 run"
    assert {"Step", "Validation loss"} <= {*_texts(plot)}


def test_an_accuracy_of_outputs_that_are_not_finite_does_not_count() -> None:
    plot = plot_over_seeds(TWO.assign(valid_accuracy=TWO["valid_loss"].fillna(9)), metric="valid_accuracy")
    assert plot.data["high"].max() < 9
    assert "sigma = 0.5, 1 run" in _said(plot)
    paired = plot_paired(TWO, metric="valid_accuracy")
    assert len(paired.data) == 5


def test_one_seed_has_neither_band_nor_words_about_several() -> None:
    curves, ends = plot_over_seeds(ALONE), plot_paired(ALONE)
    assert [type(layer.geom).__name__ for layer in curves.layers] == ["geom_line"]
    assert (curves.labels.caption, ends.labels.caption) == (None, None)
    assert "Epoch" in _texts(curves)
    ends.draw()


@pytest.mark.parametrize(("data", "panels"), [(TWO, 0), (MANY, 5), (MANY[MANY["seed"] == 1], 0)])
def test_many_bands_have_a_panel_each(data: pd.DataFrame, panels: int) -> None:
    plot = plot_over_seeds(data)
    assert len(plot.draw().axes) == max(panels, 1)
    assert ("Configuration" in _texts(plot)) == (panels == 0)


@pytest.mark.parametrize(
    ("data", "arguments", "log"),
    [
        (TWO, {}, False),
        (TWO, {"log": True}, True),
        (ONE_LEVEL, {}, True),
        (ONE_LEVEL, {"log": False}, False),
        (ONE_LEVEL.assign(valid_loss=ONE_LEVEL["valid_loss"] - 1), {}, False),
    ],
)
def test_the_axis_of_means(data: pd.DataFrame, arguments: dict[str, Any], log: bool) -> None:
    plot = plot_over_seeds(data, **arguments)
    assert any(isinstance(scale, p9.scale_y_log10) for scale in plot.scales) == log
    plot.draw()


def test_runs_are_paired_by_seed() -> None:
    plot = plot_paired(TWO)
    assert plot.data[["config", "seed", "valid_loss"]].to_numpy().tolist() == [
        ["1", 1, 1.0],
        ["1", 2, 2.0],
        ["1", 3, 6.0],
        ["0.5", 1, 1.0],
        ["0.5", 2, 0.5],
    ]
    assert plot.layers[-1]._data["valid_loss"].tolist() == [3, 0.75]
    assert plot.layers[0].mapping["group"] == "seed"
    plot.draw()
    assert (plot.labels.x, plot.labels.y) == ("sigma", "Validation loss at the end")
    assert _said(plot) == f"{JOINED} Diverged: sigma = 0.5, 1 run"


def test_a_config_whose_runs_have_all_diverged_keeps_its_place() -> None:
    data = _runs({"lr = 1": [[1, math.nan]], "lr = 0.1": [[1, 1]]})
    ticks = plot_paired(data).draw().axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["1", "0.1"]


@pytest.mark.parametrize("plot", [plot_over_seeds, plot_paired])
def test_where_all_have_diverged_the_picture_says_so(plot: Any) -> None:
    nothing = TWO.assign(valid_loss=math.nan)
    assert plot(nothing).data["text"][0].replace("\n", " ") == "Every run diverged: sigma = 1; sigma = 0.5"
    with pytest.raises(ValueError, match="`metric` must be one of valid_loss, valid_accuracy; got 'loss'"):
        plot(TWO, metric="loss")
    with pytest.raises(ValueError, match="`metric` must be one of"):
        plot(TWO, metric="seed")


def test_long_names_are_slanted_below_the_axis() -> None:
    long = _runs({f"init = {letter * 20}": [[1, 2], [3, 4]] for letter in "abc"})
    for data, angle in ((long, 20), (TWO, 0)):
        plot = plot_paired(data)
        (names,) = {text.get_rotation() for text in plot.draw().axes[0].get_xticklabels()}
        assert names == angle


ROWS = pd.concat([MANY.assign(momentum=0.0), MANY.assign(momentum=0.9, valid_loss=math.nan)], ignore_index=True)


@pytest.mark.parametrize("draw", [plot_over_seeds, plot_paired])
def test_a_second_list_has_a_facet_a_value(draw: Any) -> None:
    plot = draw(ROWS, rows="momentum")
    assert {"momentum = 0", "momentum = 0.9"} <= {*_texts(plot)}
    assert "init = a, momentum = 0.9, 2 runs" in _said(plot)
    assert "bands" not in _said(plot)  # of five configs they would hide one another
