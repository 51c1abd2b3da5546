"""Training and validation sets: the course's, the spirals', and a user's own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from pycompare.calls import Call, recorded
from pycompare.checks import flag, number
from pycompare.data import mlbench
from pycompare.data.arrays import real_array
from pycompare.data.csv_file import Source, read_columns
from pycompare.data.rng import Doubles, RRandom

if TYPE_CHECKING:
    from plotnine import ggplot


@dataclass(frozen=True, eq=False)
class Split:
    """A training and a validation set, each a `TensorDataset` of inputs (n, ...) and targets (n, k), checked here.

    Indices of classes may have the shape (n,), too. Training casts values to the dtype of its network.

    Attributes:
        train: the training set.
        valid: the validation set, of the same shape but for its length.
        call: what made both; None for what was not made by a function of pycompare.

    Raises:
        TypeError: a set is not a `TensorDataset` of two tensors of real numbers.
        ValueError: a set is empty, holds NaN or infinity, or the two have different widths.
    """

    train: TensorDataset
    valid: TensorDataset
    call: Call | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("train", "valid"):
            check_set(name, getattr(self, name))
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
    @recorded
    def from_arrays(cls, X: Any, y: Any, *, train: float = 0.7, seed: int = 123) -> Split:
        """Split a user's own data as the course does: `ids_train = sample(n, round(train * n))` after `set.seed(seed)`.

        Training rows stand in sampled order, the rest ascending; targets of shape (n,) become (n, 1).

        Arguments:
            X: inputs, an array, tensor or DataFrame of numbers, shape (n, ...); (n,) becomes (n, 1).
            y: targets, shape (n,) or (n, k).
            train: share of the rows for training, in (0, 1); both sets get at least one row.
            seed: for the sampling, as `RRandom` takes it.

        Raises:
            TypeError: something is not numeric, or complex.
            ValueError: lengths differ, a value is NaN, infinite or masked, or a set would be empty.
        """
        inputs, targets = _as_double("X", X), _as_double("y", y)
        if len(inputs) != len(targets):
            raise ValueError(
                f"`X` and `y` must have equally many rows; got {len(inputs)} and {len(targets)}."
                " Pass one target for each row of inputs."
            )
        return _split(inputs, targets, number("train", train, at_least=0, below=1), RRandom(seed))

    @classmethod
    @recorded
    def from_csv(cls, path: Source, *, target: str | None = None, train: float = 0.7, seed: int = 123) -> Split:
        """Split a CSV file that has a header and columns of numbers, one of them the target, as `from_arrays` does.

        Arguments:
            path: a path, `~` for the home folder, perhaps of a .gz, .bz2, .xz or .zip file; "-" for standard input;
                or an open file.
            target: the name of the target's column; default the last. Where none of its values is a number they are
                classes, coded as 0, 1, ... in sorted order. All other columns must hold numbers.
            train, seed: as for `from_arrays`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is malformed; the message names the column and the row, from 1 below the header.
        """
        inputs, targets = read_columns(path, target)
        return cls.from_arrays(inputs, targets, train=train, seed=seed)

    def standardized(self, *, targets: bool = False) -> Split:
        """A new split, of float64, whose inputs have mean 0 and standard deviation 1 in the training set.

        Each column x becomes (x - mean) / sd, in both sets by the mean and the standard deviation (of n - 1) of the
        training set alone, so that nothing of the validation set leaks into training. A column that is constant in the
        training set becomes 0 there, and is centred but not divided in the validation set.

        Arguments:
            targets: whether the targets are standardized, too; leave that for classes.

        Mirrors R's `s <- scale(train); scale(valid, attr(s, "scaled:center"), attr(s, "scaled:scale"))`, in its bits
        where a long double has 80; but R divides 0 by 0 where a column is constant.
        """
        standardize = (True, flag("targets", targets))
        pairs = zip(self.train.tensors, self.valid.tensors, standardize, strict=True)
        columns = [_standardized(a, b) if wanted else (a, b) for a, b, wanted in pairs]
        train, valid = (TensorDataset(*part) for part in zip(*columns, strict=True))
        told = {"targets": "True"} if targets else {}
        call = self.call and replace(self.call, function=f"{self.call}.standardized", arguments=told)
        return Split(train, valid, call=call)

    def plot(self) -> ggplot:
        """Draw both sets, side by side: two inputs as a place, the target as a colour and, for classes, as a mark.

        Targets that are whole numbers, ten different ones at most, are classes. The axes are equal, unless the points
        spread more than ten times as far along one input as along the other.

        Raises:
            ValueError: there are more or fewer than two inputs, or several targets.

        Example:
            >>> plot = spirals_data().plot()
        """
        from pycompare.plots import plot_points

        x, y = self.train.tensors
        if x.shape[1:] != (2,) or y[0].numel() != 1:
            raise ValueError(
                "`split` must have two inputs and one target to be drawn; got a row of inputs of shape"
                f" {tuple(x.shape[1:])}, of targets {tuple(y.shape[1:])}."
                " Choose columns, as in Split.from_arrays(X[:, :2], y)."
            )
        return plot_points(pd.concat([_points("training", self.train), _points("validation", self.valid)]))


@recorded
def course_data(seed: int = 123) -> Split:
    """The course's data: `mlbench.friedman3(1000, sd = 0.1)` after `set.seed(seed)`, then `sample(1000, 700)`.

    Returns:
        700 + 300 rows, inputs (n, 4), targets (n, 1), float64 in R's bits.
    """
    rng = RRandom(seed)
    x, y = mlbench.friedman3(1000, sd=0.1, rng=rng)
    return _split(torch.from_numpy(x), torch.from_numpy(y), 0.7, rng)


@recorded
def spirals_data(seed: int = 123) -> Split:
    """Two spirals: `mlbench.spirals(1000, cycles = 1.5, sd = 0.05)` after `set.seed(seed)`, then `sample(1000, 700)`.

    Returns:
        700 + 300 rows, inputs (n, 2), targets (n, 1): R's class minus 1, so 0 or 1; float64 in R's bits.
    """
    rng = RRandom(seed)
    x, classes = mlbench.spirals(1000, cycles=1.5, sd=0.05, rng=rng)
    return _split(torch.from_numpy(x), torch.from_numpy(classes - 1.0), 0.7, rng)


def training_set(data: Any) -> Dataset[Any]:
    """What `data` has to train on: a split's training set, a dataset itself, or that of a pair (inputs, targets)."""
    if isinstance(data, Split):
        return data.train
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise TypeError(
            f"`data` must be a Split, a dataset or a pair (inputs, targets); got {type(data).__name__}. Pass (X, y)."
        )
    x, y = (part if isinstance(part, Tensor) else torch.from_numpy(np.array(part)) for part in data)
    if 0 in (x.ndim, y.ndim):
        raise ValueError(f"`data` must have a row for each observation; got single numbers, {data!r}. Pass arrays.")
    if len(x) != len(y):
        raise ValueError(f"`data` must have one target for each input; got {len(x)} and {len(y)}. Check their lengths.")
    return TensorDataset(x, y)


def _points(name: str, dataset: TensorDataset) -> pd.DataFrame:
    x, y = (tensor.detach().double().cpu().numpy() for tensor in dataset.tensors)
    return pd.DataFrame({"set": name, "x": x[:, 0], "y": x[:, 1], "value": y.reshape(-1)})


def _standardized(train: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    x = train.detach().double().cpu().numpy().reshape(len(train), -1)
    constant = (x == x[0]).all(axis=0)
    centre = np.where(constant, x[0], (_column_sums(x) / len(x)).astype(np.float64))
    squares = _column_sums((x - centre) ** 2).astype(np.float64)
    deviation = np.where(constant, 1.0, np.sqrt(squares / max(1, len(x) - 1)))
    by = [torch.from_numpy(row.reshape(train.shape[1:])).to(train.device) for row in (centre, deviation)]
    scaled_train, scaled_valid = ((part.detach().double() - by[0]) / by[1] for part in (train, valid))
    return scaled_train, scaled_valid


def _column_sums(x: Doubles) -> NDArray[np.longdouble]:
    """Sums in the long double of C, one row after the other, as R's."""
    sums: NDArray[np.longdouble] = np.add.accumulate(x, axis=0, dtype=np.longdouble)[-1]
    return sums


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
    array = real_array(name, values)
    if array.ndim == 0:
        raise ValueError(f"`{name}` must have one row for each observation; got the single number {array!r}.")
    tensor = torch.from_numpy(array)
    _check_finite(name, tensor)
    return tensor


def check_set(name: str, dataset: Any) -> None:
    """Refuse what is no `TensorDataset` of finite inputs and targets."""
    if not isinstance(dataset, TensorDataset) or len(dataset.tensors) != 2:
        got = f"{len(dataset.tensors)} tensors" if isinstance(dataset, TensorDataset) else repr(dataset)
        raise TypeError(
            f"`{name}` must be a TensorDataset of inputs and targets; got {got}."
            " Use Split.from_arrays(X, y) for arrays and frames."
        )
    if len(dataset) == 0:
        raise ValueError(f"`{name}` must have at least one row; got none. Pass more data.")
    for what, tensor in zip(("inputs", "targets"), dataset.tensors, strict=True):
        if tensor.is_complex():
            raise TypeError(f"`{name}` must hold real {what}; got {tensor.dtype}. Pass the parts as columns.")
        _check_finite(f"{name}'s {what}", tensor)


def _check_finite(name: str, tensor: Tensor) -> None:
    finite = torch.isfinite(tensor)
    if not finite.all():
        row = int((~finite).reshape(len(tensor), -1).any(dim=1).nonzero()[0])
        raise ValueError(
            f"`{name}` must be finite; row {row} (counted from 0) holds NaN or infinity. Drop or impute such rows."
        )
