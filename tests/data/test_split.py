from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import TensorDataset

from pycompare import RRandom, Split, course_data, friedman3, spirals_data
from pycompare.parity import RSession

X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10.0) / 3
MASKED = np.ma.array(X, mask=X == 7)


def test_the_rows_that_the_rendered_course_page_prints() -> None:
    """n = 3000, with two uniforms already drawn after set.seed(123) ; R torch prints float32 tensors."""
    rng = RRandom(123)
    rng.runif(2)
    x, y = friedman3(3000, sd=0.1, rng=rng)
    shown = [[f"{value:.4f}" for value in row] for row in np.column_stack([x, y])[:2].astype(np.float32)]
    assert shown == [
        ["40.8977", "745.3378", "0.3715", "3.4246", "1.5238"],
        ["88.3017", "1148.7073", "0.5288", "6.5953", "1.3572"],
    ]


def test_the_course_split_is_r_s_sample() -> None:
    rng = RRandom(123)
    x, y = friedman3(1000, sd=0.1, rng=rng)
    ids = rng.sample(1000, 700) - 1
    split = course_data()
    assert np.array_equal(split.train.tensors[0], x[ids])
    assert np.array_equal(split.train.tensors[1], y[ids, None])
    assert np.array_equal(split.valid.tensors[0], np.delete(x, ids, axis=0))
    assert np.array_equal(split.valid.tensors[1], np.delete(y, ids)[:, None])
    assert repr(split) == "Split(700 train + 300 valid rows, inputs (4,), targets (1,))"


def test_spirals_targets_are_0_and_1() -> None:
    y = torch.cat([part.tensors[1] for part in (spirals_data().train, spirals_data().valid)])
    assert y.unique().tolist() == [0, 1]
    assert y.shape == (1000, 1)
    assert y.dtype == torch.float64


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X, Y),
        (X.tolist(), Y.tolist()),
        (torch.tensor(X), torch.tensor(Y)),
        (pd.DataFrame(X), pd.Series(Y, index=range(90, 100))),
        (X.astype(int), Y[:, None]),
    ],
)
def test_a_split_from_anything_numeric(x: Any, y: Any) -> None:
    split = Split.from_arrays(x, y, train=0.7, seed=5)
    ids = RRandom(5).sample(10, 7) - 1
    assert np.array_equal(split.train.tensors[0], X[ids])
    assert np.array_equal(split.valid.tensors[1], np.delete(Y, ids)[:, None])


def test_the_data_that_was_passed_in_is_not_shared() -> None:
    x = torch.tensor(X)
    split = Split.from_arrays(x, Y)
    x.zero_()
    assert split.train.tensors[0].abs().sum() > 0


def test_one_column_and_several_targets() -> None:
    split = Split.from_arrays(Y, X)
    assert (split.train.tensors[0].shape, split.train.tensors[1].shape) == ((7, 1), (7, 2))


def _set(n: int, width: int = 2, dtype: torch.dtype = torch.float32) -> TensorDataset:
    return TensorDataset(torch.ones(n, width, dtype=dtype), torch.ones(n, 1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda _: Split.from_arrays(X, Y[:9]), ValueError, "`X` and `y` must have equally many rows; got 10 and 9"),
        (lambda _: Split.from_arrays(X, [*Y[:9], np.nan]), ValueError, "`y` must be finite; row 9 .* NaN or infinity"),
        (lambda _: Split.from_arrays(X, Y, train=1), ValueError, "`train` must be less than 1; got 1"),
        (lambda _: Split.from_arrays(X, Y, train=0.01), ValueError, "`train` must leave rows for both sets; got 0.01"),
        (lambda _: Split.from_arrays([["a"]], [1]), TypeError, "`X` must hold numbers only: could not convert"),
        (lambda _: Split.from_arrays([[1, 2], [3]], [1, 2]), ValueError, "`X` must have rows of equal length"),
        (lambda _: Split.from_arrays(X * 1j, Y), TypeError, "`X` must hold real numbers; got complex128"),
        (lambda _: Split.from_arrays(Y.astype("datetime64[D]"), Y), TypeError, "`X` must hold real numbers; got date"),
        (
            lambda _: Split(_set(3), TensorDataset(torch.ones(3, 2), torch.ones(3, 2))),
            ValueError,
            "must have targets of",
        ),
        (lambda _: Split(TensorDataset(torch.ones(3)), _set(3)), TypeError, "`train` must be .*; got 1 tensors"),
        (lambda _: Split.from_arrays(3.0, 4.0), ValueError, "`X` must have one row for each observation"),
        (lambda _: Split(X, Y), TypeError, "`train` must be a TensorDataset of inputs and targets"),
        (lambda _: Split(_set(3), _set(0)), ValueError, "`valid` must have at least one row"),
        (lambda _: Split(_set(3), _set(3, width=4)), ValueError, r"`valid` must have inputs .* \(2,\) .* got \(4,\)"),
        (lambda _: Split.from_arrays(MASKED, Y), ValueError, "`X` must be free of masked entries"),
        (lambda _: Split.from_arrays(X, MASKED[:, 1]), ValueError, "`y` must be free of masked entries"),
        (lambda _: Split.from_arrays([*MASKED], Y), ValueError, "`X` must be free of masked entries"),
        (lambda _: Split.from_arrays(X, MASKED[:, 1].astype(object)), ValueError, "`y` must be free of masked entries"),
        (lambda _: Split.from_arrays([[1.0, np.ma.masked]], [1]), ValueError, "`X` must be free of masked entries"),
        (lambda _: Split.from_arrays(torch.tensor(X * 1j), Y), TypeError, "`X` must hold real numbers; got complex128"),
        (lambda _: Split.from_arrays(X, [*(Y * 1j)]), TypeError, "`y` must hold real numbers; got complex128"),
        (lambda _: Split.from_arrays(X, (Y * 1j).astype(object)), TypeError, "`y` must hold real numbers; got object"),
        (
            lambda _: Split(_set(3, dtype=torch.complex64), _set(3)),
            TypeError,
            "`train` must hold real inputs",
        ),
        (lambda _: course_data().standardized(targets=1), TypeError, "`targets` must be True or False; got 1"),
    ],
)
def test_bad_data(call: Callable[[object], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(None)


def test_masked_arrays_without_a_masked_entry_are_arrays() -> None:
    ours, theirs = Split.from_arrays(np.ma.array(X), np.ma.array(Y)), Split.from_arrays(X, Y)
    assert torch.equal(ours.train.tensors[0], theirs.train.tensors[0])


SCALE = """
function(train, valid) {
  s <- scale(train)
  list(s, scale(valid, attr(s, "scaled:center"), attr(s, "scaled:scale")))
}
"""


@pytest.mark.r
@pytest.mark.parametrize("split", [course_data(), spirals_data(), Split.from_arrays(X / 3, Y)], ids=repr)
def test_standardized_inputs_have_the_bits_of_r_s_scale(split: Split, r_session: RSession) -> None:
    r_session.eval(f"scale_both <- {SCALE}")
    theirs = r_session.call("scale_both", split.train.tensors[0].numpy(), split.valid.tensors[0].numpy())
    ours = split.standardized()
    for part, scaled, before in zip((ours.train, ours.valid), theirs, (split.train, split.valid), strict=True):
        assert np.array_equal(part.tensors[0], scaled)
        assert torch.equal(part.tensors[1], before.tensors[1])


def test_standardized_by_the_training_set_alone() -> None:
    train = TensorDataset(torch.tensor([[1, 0.1], [3, 0.1], [5, 0.1]]), torch.tensor([[0], [4], [8]]))
    valid = TensorDataset(torch.tensor([[5, 0.1], [7, 0.6]]), torch.tensor([[4], [12]]))
    split = Split(train, valid).standardized()
    assert split.train.tensors[0].tolist() == [[-1, 0], [0, 0], [1, 0]]
    assert split.valid.tensors[0].tolist() == [[1, 0], [2, pytest.approx(0.5)]]
    assert split.train.tensors[1] is train.tensors[1]
    both = Split(train, valid).standardized(targets=True)
    assert both.train.tensors[1].tolist() == [[-1], [0], [1]]
    assert both.valid.tensors[1].tolist() == [[0], [2]]


def test_standardized_leaves_the_split_as_it_was() -> None:
    split = Split.from_arrays(X, Y)
    before = split.train.tensors[0].clone()
    split.standardized()
    assert torch.equal(split.train.tensors[0], before)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e300, -7.3e-310])
def test_constant_columns_become_0(value: float) -> None:
    split = Split.from_arrays(np.full((10, 3), value), Y).standardized(targets=False)
    assert not split.train.tensors[0].any()
    assert not split.valid.tensors[0].any()


def test_inputs_of_more_dimensions_are_standardized_entry_by_entry() -> None:
    images = np.random.default_rng(1).normal(3, 2, (20, 2, 3))
    split = Split.from_arrays(images, np.arange(20.0)).standardized()
    flat = Split.from_arrays(images.reshape(20, 6), np.arange(20.0)).standardized()
    assert split.train.tensors[0].shape == (14, 2, 3)
    assert torch.equal(split.train.tensors[0].reshape(14, 6), flat.train.tensors[0])
