"""Training and validation sets: the course's, the spirals', and a user's own."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from pycompare.checks import number
from pycompare.data import mlbench
from pycompare.data.rng import RRandom


@dataclass(frozen=True, eq=False)
class Split:
    """A training and a validation set, each a `TensorDataset` of inputs (n, ...) and targets (n, k), checked here.

    Values of a split made by this package are float64; training casts them to the dtype of its network.

    Attributes:
        train: the training set.
        valid: the validation set, of the same shape but for its length.

    Raises:
        TypeError: a set is not a `TensorDataset` of two tensors.
        ValueError: a set is empty, holds NaN or infinity, or the two have different widths.
    """

    train: TensorDataset
    valid: TensorDataset

    def __post_init__(self) -> None:
        for name in ("train", "valid"):
            _check_set(name, getattr(self, name))
        for what, a, b in zip(("inputs", "targets"), self.train.tensors, self.valid.tensors, strict=True):
            if a.shape[1:] != b.shape[1:]:
                raise ValueError(
                    f"`valid` must have {what} of the shape of `train`'s, {tuple(a.shape[1:])} a row;"
                    f" got {tuple(b.shape[1:])}. Make both from the same columns."
                )

    def __repr__(self) -> str:
        x, y = self.train.tensors
        return (
            f"Split({len(self.train)} train + {len(self.valid)} valid rows,"
            f" inputs {tuple(x.shape[1:])}, targets {tuple(y.shape[1:])})"
        )

    @classmethod
    def from_arrays(cls, X: Any, y: Any, *, train: float = 0.7, seed: int = 123) -> Split:
        """Split a user's own data as the course does: `ids_train = sample(n, round(train * n))` after `set.seed(seed)`.

        Training rows stand in sampled order, the rest ascending; targets of shape (n,) become (n, 1).

        Arguments:
            X: inputs, an array, tensor or DataFrame of numbers, shape (n, ...); (n,) becomes (n, 1).
            y: targets, shape (n,) or (n, k).
            train: share of the rows for training, in (0, 1); both sets get at least one row.
            seed: for the sampling, as `RRandom` takes it.

        Raises:
            TypeError: something is not numeric.
            ValueError: lengths differ, a value is NaN or infinite, or a set would be empty.
        """
        inputs, targets = _as_double("X", X), _as_double("y", y)
        if len(inputs) != len(targets):
            raise ValueError(
                f"`X` and `y` must have equally many rows; got {len(inputs)} and {len(targets)}."
                " Pass one target for each row of inputs."
            )
        return _split(inputs, targets, number("train", train, at_least=0, below=1), RRandom(seed))

    @classmethod
    def from_csv(cls, path: str | PathLike[str], *, train: float = 0.7, seed: int = 123) -> Split:
        """Split a CSV file that has a header and numeric columns, the last of them the target.

        Arguments and errors as in `from_arrays`; besides, FileNotFoundError where there is no such file.
        """
        file = Path(path)
        if not file.is_file():
            raise FileNotFoundError(
                f"`data` must name a CSV file; got {str(path)!r}, which is not there. Check the path."
            )
        try:
            names = pd.read_csv(file, nrows=0).columns
            frame = pd.read_csv(file, skiprows=1, header=None)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as cause:
            raise ValueError(
                f"`data` must be a CSV file with a header; {str(path)!r} cannot be read: {cause}."
                " Give every row as many numbers as the header has names."
            ) from cause
        _check_header(str(path), names, frame.shape[1])
        return cls.from_arrays(frame.iloc[:, :-1], frame.iloc[:, -1], train=train, seed=seed)


def course_data(seed: int = 123) -> Split:
    """The course's data: `mlbench.friedman3(1000, sd = 0.1)` after `set.seed(seed)`, then `sample(1000, 700)`.

    Returns:
        700 + 300 rows, inputs (n, 4), targets (n, 1), float64 in R's bits.
    """
    rng = RRandom(seed)
    x, y = mlbench.friedman3(1000, sd=0.1, rng=rng)
    return _split(torch.from_numpy(x), torch.from_numpy(y), 0.7, rng)


def spirals_data(seed: int = 123) -> Split:
    """Two spirals: `mlbench.spirals(1000, cycles = 1.5, sd = 0.05)` after `set.seed(seed)`, then `sample(1000, 700)`.

    Returns:
        700 + 300 rows, inputs (n, 2), targets (n, 1): R's class minus 1, so 0 or 1; float64 in R's bits.
    """
    rng = RRandom(seed)
    x, classes = mlbench.spirals(1000, cycles=1.5, sd=0.05, rng=rng)
    return _split(torch.from_numpy(x), torch.from_numpy(classes - 1.0), 0.7, rng)


def _check_header(path: str, header: pd.Index, width: int) -> None:
    names = header.astype(str).to_series()
    if width < 2:
        raise ValueError(
            f"`data` must have at least two columns, the last one the target; {path!r} has {width}."
            " Separate the columns with commas."
        )
    if pd.to_numeric(names, errors="coerce").notna().all():
        raise ValueError(f"`data` must be a CSV file with a header; {path!r} begins with numbers. Add a line of names.")
    if len(names) != width or names.str.startswith("Unnamed").any():
        raise ValueError(
            f"`data` must have a name for every column; {path!r} has {width} columns and the names {[*header]}."
            " Write it without row names."
        )


def _split(x: Tensor, y: Tensor, train: float, rng: RRandom) -> Split:
    n = len(x)
    size = round(train * n)
    if not 0 < size < n:
        raise ValueError(
            f"`train` must leave rows for both sets; got {train!r} of {n} rows, which trains on {size}."
            " Choose another share, or pass more rows."
        )
    ids_train = rng.sample(n, size) - 1
    ids_valid = np.setdiff1d(np.arange(n), ids_train)
    columns = [values.reshape(n, -1) if values.ndim == 1 else values for values in (x, y)]
    train_set, valid_set = (
        TensorDataset(*(values[torch.from_numpy(ids)] for values in columns)) for ids in (ids_train, ids_valid)
    )
    return Split(train_set, valid_set)


def _as_double(name: str, values: Any) -> Tensor:
    array = values.detach().cpu().double().numpy() if isinstance(values, Tensor) else _as_array(name, values)
    if array.dtype.kind in "mMc":
        raise TypeError(f"`{name}` must hold real numbers; got {array.dtype}. Convert it first.")
    try:
        array = array.astype(np.float64)
    except (TypeError, ValueError) as cause:
        raise TypeError(f"`{name}` must hold numbers only: {cause}. Encode or drop other columns.") from cause
    if array.ndim == 0:
        raise ValueError(f"`{name}` must have one row for each observation; got the single number {array!r}.")
    tensor = torch.from_numpy(np.array(array, np.float64, order="C"))
    _check_finite(name, tensor)
    return tensor


def _as_array(name: str, values: Any) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(values)
    except ValueError as cause:
        raise ValueError(f"`{name}` must have rows of equal length: {cause}. Fill or drop the others.") from cause


def _check_set(name: str, dataset: Any) -> None:
    if not isinstance(dataset, TensorDataset) or len(dataset.tensors) != 2:
        got = f"{len(dataset.tensors)} tensors" if isinstance(dataset, TensorDataset) else repr(dataset)
        raise TypeError(
            f"`{name}` must be a TensorDataset of inputs and targets; got {got}."
            " Use Split.from_arrays(X, y) for arrays and frames."
        )
    if len(dataset) == 0:
        raise ValueError(f"`{name}` must have at least one row; got none. Pass more data.")
    for what, tensor in zip(("inputs", "targets"), dataset.tensors, strict=True):
        _check_finite(f"{name}'s {what}", tensor)


def _check_finite(name: str, tensor: Tensor) -> None:
    finite = torch.isfinite(tensor)
    if not finite.all():
        row = int((~finite).reshape(len(tensor), -1).any(dim=1).nonzero()[0])
        raise ValueError(
            f"`{name}` must be finite; row {row} (counted from 0) holds NaN or infinity. Drop or impute such rows."
        )
