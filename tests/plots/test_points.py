from __future__ import annotations

from typing import Any

import numpy as np
import plotnine as p9
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from torch.utils.data import TensorDataset

from pycompare import Split, classification_data, course_data, spirals_data

X = np.random.default_rng(5).normal(size=(40, 2))
SHAPES = classification_data("shapes", 40, n_valid=20)


def _words(plot: p9.ggplot) -> list[str]:
    return [text.get_text() for text in plot.draw().findobj(Text) if text.get_text()]


def test_both_sets_are_drawn_where_their_inputs_say() -> None:
    parts = {"training (n = 40)": SHAPES.train, "validation (n = 20)": SHAPES.valid}
    plot = SHAPES.plot()
    assert plot.data["set"].cat.categories.tolist() == [*parts]
    for name, part in parts.items():
        rows = plot.data[plot.data["set"] == name]
        assert np.array_equal(rows[["x", "y"]], part.tensors[0])
        assert np.array_equal(rows["value"], part.tensors[1])
    assert {*parts, "class", "0", "1", "2", "3"} <= {*_words(plot)}


def test_classes_have_marks_of_their_own_and_differ_in_grey() -> None:
    color, shape = (SHAPES.plot().scales.get_scales(name) for name in ("color", "shape"))
    shades = [np.dot(to_rgb(one), (0.299, 0.587, 0.114)) for one in color.palette(4)]
    assert min(np.diff(shades)) > 0.1
    assert len({*shape.palette(4)}) == 4


def test_axes_are_equal_where_that_leaves_room() -> None:
    for scale, equal in ((1, True), (100, False)):
        figure = Split.from_arrays(X * [scale, 1], X[:, 0]).plot().draw()
        figure.draw_without_rendering()
        panel = figure.axes[0]
        units = np.ptp(panel.get_ylim()) / np.ptp(panel.get_xlim())
        assert bool(units == pytest.approx(_shape(panel))) is equal


def _shape(axes: Any) -> float:
    """How many times as high as wide the panel is."""
    box = axes.get_window_extent()
    return float(box.height / box.width)


@pytest.mark.parametrize(
    ("targets", "title"),
    [
        (X[:, 0], "target"),
        (np.arange(40) % 10, "class"),
        (np.arange(40) % 11, "target"),
        (X[:, 0] > 0, "class"),
        (np.zeros(40), "class"),
        (np.full(40, 0.5), "target"),
    ],
)
def test_targets_are_classes_or_numbers(targets: Any, title: str) -> None:
    assert title in _words(Split.from_arrays(X, targets).plot())


@pytest.mark.parametrize("x", [X * 0, X * [1, 0], X * 1e-9, X * 1e9])
def test_points_of_any_extent_are_drawn(x: Any) -> None:
    Split.from_arrays(x, X[:, 0]).plot().draw()


def test_a_split_that_needs_gradients_is_drawn() -> None:
    x, y = torch.tensor(X, requires_grad=True), torch.zeros(40)
    Split(TensorDataset(x, y), TensorDataset(x, y)).plot()


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (
            course_data(),
            r"`split` must have two inputs and one target .* inputs of shape \(4,\), of",
        ),
        (Split.from_arrays(X[:, 0], X[:, 1]), r"inputs of shape \(1,\)"),
        (Split.from_arrays(X, X), r"of targets \(2,\). Choose columns, as in"),
        (Split.from_arrays(X.reshape(10, 2, 4), X[:10, 0]), r"inputs of shape \(2, 4\)"),
    ],
)
def test_what_cannot_be_drawn(split: Split, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split.plot()


def test_the_spirals_are_classes_though_their_targets_are_doubles() -> None:
    assert {"class", "0", "1"} <= {*_words(spirals_data().plot())}
