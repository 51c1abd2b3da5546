"""How far apart two trajectories are: in units in the last place, absolutely and relatively, and where they part."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from pycompare.results import Result

if TYPE_CHECKING:
    from plotnine import ggplot

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

CONTEXT_ROWS = 2  # shown on each side of the first difference


@dataclass(frozen=True)
class Budget:
    """How far apart two numbers may be, and why that much.

    A pair is within the budget if one of its three parts allows it; by default only equal numbers are.

    Arguments:
        rtol: largest `|a - b| / max(|a|, |b|)`; finite, at least 0.
        atol: largest `|a - b|`; finite, at least 0.
        ulps: largest distance in units in the last place; a whole number, at least 0.
        why: the reason, such as what was measured where.

    Example:
        >>> Budget(ulps=4, why="R sums in long double")
        Budget(rtol=0, atol=0, ulps=4, why='R sums in long double')
    """

    rtol: float = 0
    atol: float = 0
    ulps: int = 0
    _: KW_ONLY
    why: str

    def __post_init__(self) -> None:
        for name, part in (("rtol", self.rtol), ("atol", self.atol), ("ulps", self.ulps)):
            if not 0 <= part < math.inf:
                raise ValueError(f"`{name}` must be finite and at least 0; got {part!r}. Use 0 to allow nothing.")
        if self.ulps != int(self.ulps):
            raise ValueError(f"`ulps` must be a whole number; got {self.ulps!r}. Round it.")
        if not self.why.strip():
            raise ValueError(f"`why` must give the budget's reason; got {self.why!r}. Say what was measured.")

    def allows(self, distances: pd.DataFrame) -> "pd.Series[bool]":
        """Return which rows of `ulps`, `absolute` and `relative` distances are within the budget."""
        allowed = distances["ulps"] <= self.ulps
        return allowed | (distances["absolute"] <= self.atol) | (distances["relative"] <= self.rtol)


def ulp_distance(a: npt.ArrayLike, b: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Floats:
    """Return how many steps from one float to the next lie between `a` and `b`, elementwise.

    0.0 equals -0.0 and NaN equals NaN; a NaN or an infinity is infinitely far from everything else.

    Arguments:
        a, b: numbers, or arrays that broadcast.
        dtype: the type whose steps count. "float32" for float32 values held as doubles, as R and CSV files do; default
            the common type of `a` and `b`.

    Raises:
        ValueError: `dtype` cannot hold a value exactly: rounding it would hide a difference.

    Example:
        >>> float(ulp_distance(1.0, 1.0 + 2**-23, dtype="float32"))
        1.0
    """
    left, right = np.asarray(a), np.asarray(b)
    kind = np.result_type(left, right) if dtype is None else np.dtype(dtype)
    kind = kind if kind in (np.float16, np.float32) else np.dtype(np.float64)
    x, y = _exactly("a", left, kind), _exactly("b", right, kind)
    steps_x, steps_y = _steps_from_least(x), _steps_from_least(y)
    steps = np.maximum(steps_x, steps_y) - np.minimum(steps_x, steps_y)
    finite = np.isfinite(x) & np.isfinite(y)
    return np.where(_same(x, y), 0.0, np.where(finite, steps.astype(np.float64), np.inf))[()]


def _exactly(name: str, values: npt.NDArray[np.generic], dtype: np.dtype[np.generic]) -> npt.NDArray[np.floating]:
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype)
        kept = (cast.astype(values.dtype) == values) | np.isnan(cast)
    if not np.all(kept):
        raise ValueError(f"`{name}` must hold {dtype} values; got {values[~kept].flat[0]}. Choose a wider `dtype`.")
    return cast


def _steps_from_least(values: npt.NDArray[np.floating]) -> npt.NDArray[np.unsignedinteger]:
    """Number the floats in ascending order: their bits ascend with their magnitude, below a sign bit."""
    bits = values.view(f"u{values.dtype.itemsize}")
    middle = bits.dtype.type(1 << (8 * values.dtype.itemsize - 1))
    magnitude = bits & (middle - bits.dtype.type(1))
    steps: npt.NDArray[np.unsignedinteger] = np.where(bits >= middle, middle - magnitude, middle + magnitude)
    return steps


def _same(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> Mask:
    same: Mask = (x == y) | (np.isnan(x) & np.isnan(y))
    return same


@dataclass(frozen=True, eq=False, repr=False)
class ParityReport(Result):
    """What `compare_trajectories` found.

    Attributes:
        data: one row for each number compared: the columns of `on`, `column`, `left`, `right`, and their distance
            (`ulps`, `absolute`, `relative`: see `Budget`), row by row in the order of the left trajectory.
        only_left, only_right: the keys of the rows that the other side lacks.
        on: the key columns.
        budget: the budget given to `compare_trajectories`, or None.
    """

    only_left: pd.DataFrame
    only_right: pd.DataFrame
    on: tuple[str, ...]
    budget: Budget | None = None
    _name: ClassVar[str] = "parity"

    @property
    def identical(self) -> bool:
        """Whether both sides have the same rows with the same numbers."""
        return self._complete and bool((self.data["ulps"] == 0).all())

    def summary(self) -> pd.DataFrame:
        """One row for each column: rows compared, whether identical, the largest distances, the first row to part."""
        columns = self.data.groupby("column", sort=False, observed=True)
        summary = columns[["ulps", "absolute", "relative"]].max()
        summary.insert(0, "rows", columns.size())
        summary.insert(1, "identical", summary["ulps"] == 0)
        parted = self.data[self.data["ulps"] != 0].drop_duplicates("column")
        first = {row["column"]: self._key(row) for _, row in parted.iterrows()}
        summary["first_difference"] = [first.get(name, "") for name in summary.index]
        return summary.reset_index()

    def is_within(self, budget: Budget) -> bool:
        """Whether both sides have the same rows, and every pair of numbers is within `budget`."""
        return self._complete and bool(budget.allows(self.data).all())

    def assert_within(self, budget: Budget | None = None) -> None:
        """Raise AssertionError, showing the first difference in full, unless all is within `budget`.

        Arguments:
            budget: default the one given to `compare_trajectories`; without either, the sides must be identical.
        """
        allowed = budget or self.budget or Budget(why="identical")
        beyond = ~allowed.allows(self.data)
        if beyond.any() or not self._complete:
            first = [self._first_difference(self.data[beyond].iloc[0])] if beyond.any() else []
            raise AssertionError("\n".join([f"{int(beyond.sum())} numbers are beyond {allowed}", *first, repr(self)]))

    def plot(self) -> "ggplot":
        """Draw both curves of every column, and below them their distance in ulps, over the last column of `on`."""
        from pycompare.plots import plot_parity

        return plot_parity(self.data, step=self.on[-1], by=self.on[:-1])

    def _title(self) -> str:
        lines = [f"ParityReport on {', '.join(self.on)}: {'identical' if self.identical else 'not identical'}"]
        for side, rows in (("left", self.only_left), ("right", self.only_right)):
            if len(rows):
                lines.append(f"only in {side}: {len(rows)} rows, the first at {self._key(rows.iloc[0])}")
        return "\n".join(lines)

    @property
    def _complete(self) -> bool:
        return self.only_left.empty and self.only_right.empty

    def _key(self, row: "pd.Series") -> str:
        return ", ".join(f"{key}={row[key]}" for key in self.on)

    def _first_difference(self, row: "pd.Series") -> str:
        column = self.data[self.data["column"] == row["column"]]
        at = list(column.index).index(row.name)
        around = column[max(0, at - CONTEXT_ROWS) : at + CONTEXT_ROWS + 1]
        exact = {name: lambda value: repr(float(value)) for name in ("left", "right")}
        return f"`{row['column']}` first at {self._key(row)}:\n{around.to_string(index=False, formatters=exact)}"


def compare_trajectories(
    left: pd.DataFrame,
    right: pd.DataFrame,
    *,
    on: str | Sequence[str],
    budget: Budget | None = None,
    dtypes: Mapping[str, npt.DTypeLike] | None = None,
) -> ParityReport:
    """Compare every number of two trajectories, row by row.

    NaN equals NaN; a row that one side lacks is a difference, a column that one side lacks is an error.

    Arguments:
        left, right: frames with the same columns; all but the keys are numbers.
        on: the columns whose values name a row, the step last, such as `["config", "epoch"]`.
        budget: what `assert_within` allows unless told otherwise.
        dtypes: the type of a column's numbers where it is not the frames', such as `{"x": "float32"}` for float32
            values that come from R or CSV as doubles; see `ulp_distance`.

    Raises:
        ValueError: the columns differ, or keys are missing or not unique, or there are no rows.
        TypeError: a column that is no key has no numbers.

    Example:
        >>> path = pd.DataFrame({"step": [1, 2], "x": [0.5, 0.25]})
        >>> compare_trajectories(path, path, on="step").identical
        True
    """
    keys = [on] if isinstance(on, str) else list(on)
    columns = _columns_to_compare(left, right, keys, dtypes or {})
    left_index, right_index = _index("left", left, keys), _index("right", right, keys)
    if left.empty and right.empty:
        raise ValueError("`left` and `right` must have rows; got none. Check what made them.")
    at = right_index.get_indexer(left_index)
    ours, theirs = left[at >= 0], right.iloc[at[at >= 0]]
    parts = [_distances(ours, theirs, keys, column, (dtypes or {}).get(column)) for column in columns]
    return ParityReport(
        data=pd.concat(parts).sort_index(kind="stable", ignore_index=True),
        only_left=left.loc[at < 0, keys],
        only_right=right.loc[left_index.get_indexer(right_index) < 0, keys],
        on=tuple(keys),
        budget=budget,
    )


def _columns_to_compare(
    left: pd.DataFrame, right: pd.DataFrame, keys: list[str], dtypes: Mapping[str, npt.DTypeLike]
) -> list[str]:
    if unshared := set(left.columns) ^ set(right.columns):
        raise ValueError(f"`left` and `right` must have the same columns; got {sorted(unshared)} in one. Drop them.")
    columns = [column for column in left.columns if column not in keys]
    if unknown := {*keys, *dtypes} - set(left.columns):
        raise ValueError(f"`on` and `dtypes` must name columns; got {sorted(unknown)}. Choose of {[*left.columns]}.")
    if not columns:
        raise ValueError(f"`on` must leave columns to compare; got {keys}, which are all. Leave the numbers out.")
    return columns


def _index(side: str, frame: pd.DataFrame, keys: list[str]) -> pd.Index:
    """Return the keys as an index in which equal labels match, whatever type holds them."""
    labels = frame[keys].apply(lambda key: key if pd.api.types.is_numeric_dtype(key) else key.astype(object))
    if labels.isna().any(axis=None):
        raise ValueError(f"`{side}` must have a value for every key; got missing ones in {keys}. Fill or drop them.")
    if labels.duplicated().any():
        twice = labels[labels.duplicated()].iloc[0].to_dict()
        raise ValueError(f"`{side}` must have each key once; got {twice} again. Add what tells them apart to `on`.")
    return pd.MultiIndex.from_frame(labels)


def _distances(
    ours: pd.DataFrame, theirs: pd.DataFrame, keys: list[str], column: str, dtype: npt.DTypeLike | None
) -> pd.DataFrame:
    left, right = _numbers("left", ours[column]), _numbers("right", theirs[column])
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        absolute = np.abs(left.astype(np.float64) - right.astype(np.float64))
        relative = absolute / np.maximum(np.abs(left), np.abs(right)).astype(np.float64)
    same = _same(left, right)
    return (
        ours[keys]
        .reset_index(drop=True)
        .assign(
            column=column,
            left=left.astype(np.float64),
            right=right.astype(np.float64),
            ulps=ulp_distance(left, right, dtype),
            absolute=np.where(same, 0.0, np.where(np.isnan(absolute), np.inf, absolute)),
            relative=np.where(same, 0.0, np.where(np.isnan(relative), np.inf, relative)),
        )
    )


def _numbers(side: str, values: pd.Series) -> npt.NDArray[np.floating]:
    if not pd.api.types.is_numeric_dtype(values):
        raise TypeError(
            f"`{side}` must hold numbers in `{values.name}`; got {values.dtype}. Put it in `on` or drop it."
        )
    if pd.api.types.is_float_dtype(values) and isinstance(values.dtype, np.dtype):
        return values.to_numpy()
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
