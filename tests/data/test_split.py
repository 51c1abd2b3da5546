from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import TensorDataset

from pycompare import RRandom, Split, course_data, friedman3, spirals_data

X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10.0) / 3


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


def test_a_csv_file(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    pd.DataFrame(X, columns=["a", "b"]).assign(target=Y).to_csv(file, index=False)
    from_file, from_arrays = Split.from_csv(file, seed=3), Split.from_arrays(X, Y, seed=3)
    for ours, theirs in zip(from_file.train.tensors, from_arrays.train.tensors, strict=True):
        assert torch.equal(ours, theirs)


def _csv(folder: Path, text: str) -> Path:
    file = folder / "bad.csv"
    file.write_text(text)
    return file


def _set(n: int, width: int = 2) -> TensorDataset:
    return TensorDataset(torch.ones(n, width), torch.ones(n, 1))


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
        (lambda t: Split.from_csv(_csv(t, "1,2\n2,3\n3,4\n")), ValueError, "with a header; .* begins with numbers"),
        (lambda t: Split.from_csv(_csv(t, ",a,b\n1,2,3\n2,3,4\n")), ValueError, "must have a name for every column"),
        (lambda t: Split.from_csv(_csv(t, "a,b\n1,2,3\n2,3,4\n")), ValueError, "must have a name for every column"),
        (lambda _: Split.from_arrays(3.0, 4.0), ValueError, "`X` must have one row for each observation"),
        (lambda _: Split(X, Y), TypeError, "`train` must be a TensorDataset of inputs and targets"),
        (lambda _: Split(_set(3), _set(0)), ValueError, "`valid` must have at least one row"),
        (lambda _: Split(_set(3), _set(3, width=4)), ValueError, r"`valid` must have inputs .* \(2,\) .* got \(4,\)"),
        (lambda t: Split.from_csv(t / "no.csv"), FileNotFoundError, "`data` must name a CSV file; got .*no.csv"),
        (lambda t: Split.from_csv(_csv(t, "")), ValueError, "`data` must be a CSV file with a header"),
        (lambda t: Split.from_csv(_csv(t, "a\n1\n2\n")), ValueError, "`data` must have at least two columns"),
        (lambda t: Split.from_csv(_csv(t, "a,b\n1,2\n3,x\n")), TypeError, "`y` must hold numbers only"),
        (lambda t: Split.from_csv(_csv(t, "a,b\n1,2\n3,\n")), ValueError, "`y` must be finite; row 1"),
        (lambda t: Split.from_csv(_csv(t, "a,b\n1,2\n3,4,5\n")), ValueError, "`data` must be a CSV file"),
    ],
)
def test_bad_data(call: Callable[[Path], object], error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        call(tmp_path)
