"""How far apart two trajectories are: in units in the last place, absolutely and relatively, and where they part."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt
import pandas as pd

from pycompare.calls import recorded
from pycompare.checks import number, whole_number
from pycompare.parity.distance import column_parts, distances, step_type
from pycompare.results import Result

if TYPE_CHECKING:
    from plotnine import ggplot

CONTEXT_ROWS = 2  # shown on each side of the first difference
REPORT_COLUMNS = frozenset({"column", "left", "right", "ulps", "absolute", "relative"})


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
        number("rtol", self.rtol, at_least=0)
        number("atol", self.atol, at_least=0)
        whole_number("ulps", self.ulps, at_least=0)
        if not isinstance(self.why, str):
            raise TypeError(f"`why` must be a text; got {self.why!r}. Say what was measured.")
        if not self.why.strip():
            raise ValueError(f"`why` must give the budget's reason; got {self.why!r}. Say what was measured.")

    def allows(self, distances: pd.DataFrame) -> "pd.Series[bool]":
        """Return which rows of `ulps`, `absolute` and `relative` distances are within the budget."""
        allowed = distances["ulps"] <= self.ulps
        return allowed | (distances["absolute"] <= self.atol) | (distances["relative"] <= self.rtol)


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
        _check_budget(budget)
        return self._complete and bool(budget.allows(self.data).all())

    def assert_within(self, budget: Budget | None = None) -> None:
        """Raise AssertionError, showing the first difference in full, unless all is within `budget`.

        Arguments:
            budget: default the one given to `compare_trajectories`; without either, the sides must be identical.
        """
        _check_budget(budget)
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
        exact = dict.fromkeys(("left", "right"), _in_full)
        return f"`{row['column']}` first at {self._key(row)}:\n{around.to_string(index=False, formatters=exact)}"


@recorded
def compare_trajectories(
    left: pd.DataFrame,
    right: pd.DataFrame,
    *,
    on: str | Sequence[str],
    budget: Budget | None = None,
    dtypes: Mapping[str, npt.DTypeLike] | None = None,
) -> ParityReport:
    """Compare every number of two trajectories, row by row.

    NaN equals NaN; a row that one side lacks is a difference, a column that one side lacks is an error. Whole numbers
    are compared exactly, also beyond 2^53, where those that no doubles tell apart count as 1 ulp. A column `x` of
    complex numbers, on either side, is compared as `x.re` and `x.im`.

    Arguments:
        left, right: frames with the same columns; all but the keys are numbers.
        on: the columns whose values name a row, the step last, such as `["config", "epoch"]`.
        budget: what `assert_within` allows unless told otherwise.
        dtypes: the type of a column's numbers where it is not the frames', such as `{"x": "float32"}` for float32
            values that come from R or CSV as doubles; "float16", "float32" or "float64", see `ulp_distance`.

    Raises:
        ValueError: the columns differ; keys are missing, not unique, or named as a column of the report; there are no
            rows; or a type in `dtypes` is none whose ulps can be counted.
        TypeError: a side is no frame, a name no text, or a column that is no key has no numbers.

    Example:
        >>> path = pd.DataFrame({"step": [1, 2], "x": [0.5, 0.25]})
        >>> compare_trajectories(path, path, on="step").identical
        True
    """
    _check_frame("left", left)
    _check_frame("right", right)
    _check_budget(budget)
    keys = _checked_keys(on)
    columns = _columns_to_compare(left, right, keys)
    types = _checked_types(dtypes, columns)
    left_index, right_index = _index("left", left, keys), _index("right", right, keys)
    if left.empty and right.empty:
        raise ValueError("`left` and `right` must have rows; got none. Check what made them.")
    at = right_index.get_indexer(left_index)
    ours, theirs = left[at >= 0], right.iloc[at[at >= 0]]
    parts = [part for column in columns for part in _distances(ours, theirs, keys, column, types.get(column))]
    return ParityReport(
        data=pd.concat(parts).sort_index(kind="stable", ignore_index=True),
        only_left=left.loc[at < 0, keys],
        only_right=right.loc[left_index.get_indexer(right_index) < 0, keys],
        on=tuple(keys),
        budget=budget,
    )


def _check_frame(side: str, frame: Any) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"`{side}` must be a pandas DataFrame; got {frame!r}. Make one: pd.DataFrame(...).")
    if wrong := [name for name in frame.columns if not isinstance(name, str)]:
        raise TypeError(f"`{side}` must have text for column names; got {wrong[0]!r}. Rename: .rename(columns=str).")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].tolist()
        raise ValueError(f"`{side}` must have each column once; got {twice} again. Rename or drop one.")


def _check_budget(budget: Any) -> None:
    if not isinstance(budget, Budget | None):
        raise TypeError(f"`budget` must be a Budget; got {budget!r}. Write Budget(rtol=..., why=...).")


def _checked_keys(on: Any) -> list[str]:
    keys = [on] if isinstance(on, str) else list(on) if isinstance(on, (list, tuple, pd.Index)) else [on]
    if not all(isinstance(key, str) for key in keys):
        raise TypeError(f"`on` must be a column's name or several; got {on!r}. Write e.g. on=['config', 'epoch'].")
    if not keys or len(set(keys)) < len(keys):
        raise ValueError(f"`on` must name at least one column, each once; got {on!r}. Name the step, such as 'epoch'.")
    if taken := sorted(REPORT_COLUMNS & set(keys)):
        raise ValueError(f"`on` must leave the names of the report's own columns; got {taken}. Rename them.")
    return keys


def _columns_to_compare(left: pd.DataFrame, right: pd.DataFrame, keys: list[str]) -> list[str]:
    if unshared := set(left.columns) ^ set(right.columns):
        raise ValueError(f"`left` and `right` must have the same columns; got {sorted(unshared)} in one. Drop them.")
    if unknown := set(keys) - set(left.columns):
        raise ValueError(f"`on` must name columns; got {sorted(unknown)}. Choose of {[*left.columns]}.")
    columns = [column for column in left.columns if column not in keys]
    if not columns:
        raise ValueError(f"`on` must leave columns to compare; got {keys}, which are all. Leave the numbers out.")
    return columns


def _checked_types(dtypes: Any, columns: list[str]) -> dict[str, npt.DTypeLike]:
    if not isinstance(dtypes, Mapping | None):
        raise TypeError(f"`dtypes` must name a type for each column; got {dtypes!r}. Write e.g. {{'x': 'float32'}}.")
    if unknown := [name for name in dtypes or {} if name not in columns]:
        raise ValueError(f"`dtypes` must name columns that are compared; got {unknown}. Choose of {columns}.")
    return {name: step_type(f"dtypes[{name!r}]", dtype) for name, dtype in (dtypes or {}).items()}


def _index(side: str, frame: pd.DataFrame, keys: list[str]) -> pd.Index:
    """Return the keys as an index in which equal labels match, whatever type holds them."""
    labels = frame[keys].astype(object)  # Python compares whole numbers with floats exactly
    if labels.isna().any(axis=None):
        raise ValueError(f"`{side}` must have a value for every key; got missing ones in {keys}. Fill or drop them.")
    if labels.duplicated().any():
        twice = labels[labels.duplicated()].iloc[0].to_dict()
        raise ValueError(f"`{side}` must have each key once; got {twice} again. Add what tells them apart to `on`.")
    return pd.MultiIndex.from_frame(labels)


def _distances(
    ours: pd.DataFrame, theirs: pd.DataFrame, keys: list[str], column: str, dtype: npt.DTypeLike | None
) -> list[pd.DataFrame]:
    """Return the rows of the report for a column; for one of complex numbers two frames, one for each part."""
    as_complex = "c" in (ours[column].dtype.kind, theirs[column].dtype.kind)
    names = [f"{column}.re", f"{column}.im"] if as_complex else [column]
    if taken := [name for name in names if as_complex and name in ours]:
        raise ValueError(f"`left` must leave {taken} to the parts of the complex `{column}`. Rename those columns.")
    left = column_parts("left", ours[column], as_complex=as_complex)
    right = column_parts("right", theirs[column], as_complex=as_complex)
    rows = ours[keys].reset_index(drop=True)
    return [rows.assign(column=name, **distances(a, b, dtype)) for name, a, b in zip(names, left, right, strict=True)]


def _in_full(value: float) -> str:
    return repr(value) if isinstance(value, int) else repr(float(value))
