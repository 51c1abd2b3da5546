"""How far apart two numbers are: in units in the last place, absolutely and relatively."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Reals = npt.NDArray[Any]  # floats, or Python's own ints where doubles would round them

STEP_TYPES = ("float16", "float32", "float64")
EXACT_WHOLE = 2**53  # up to here every whole number is a double


def ulp_distance(a: npt.ArrayLike, b: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Floats:
    """Return how many steps from one float to the next lie between `a` and `b`, elementwise.

    0.0 equals -0.0 and NaN equals NaN; a NaN or an infinity is infinitely far from everything else.

    Arguments:
        a, b: real numbers, or arrays that broadcast.
        dtype: the type whose steps count: "float16", "float32" or "float64". "float32" is for float32 values held as
            doubles, as R and CSV files do; default the common type of `a` and `b`.

    Raises:
        TypeError: `a` or `b` holds something else than real numbers.
        ValueError: `dtype` cannot hold a value exactly (rounding it would hide a difference), or is another type; an
            entry is masked.

    Example:
        >>> float(ulp_distance(1.0, 1.0 + 2**-23, dtype="float32"))
        1.0
    """
    left, right = _reals("a", a), _reals("b", b)
    kind = np.result_type(left, right).newbyteorder("=") if dtype is None else step_type("dtype", dtype)
    kind = kind if kind in (np.float16, np.float32) else np.dtype(np.float64)
    x, y = _exactly("a", left, kind), _exactly("b", right, kind)
    steps_x, steps_y = _steps_from_least(x), _steps_from_least(y)
    steps = np.maximum(steps_x, steps_y) - np.minimum(steps_x, steps_y)
    finite = np.isfinite(x) & np.isfinite(y)
    return np.where(_same(x, y), 0.0, np.where(finite, steps.astype(np.float64), np.inf))[()]


def step_type(name: str, dtype: npt.DTypeLike) -> np.dtype[Any]:
    """`dtype` as numpy's: a type of floats whose steps can be counted."""
    allowed = {spelling: np.dtype(spelling) for spelling in STEP_TYPES}
    try:
        asked = np.dtype(dtype) if dtype is not None else None
    except TypeError:
        asked = None
    if asked is None or asked not in allowed.values():
        raise ValueError(f"`{name}` must be one of {', '.join(allowed)}; got {dtype!r}. Other types have no ulps.")
    return asked


def column_parts(side: str, values: pd.Series, *, as_complex: bool) -> list[Reals]:
    """Return a column's numbers; with `as_complex` their real parts and their imaginary ones."""
    if values.dtype.kind == "c":
        return [values.to_numpy().real, values.to_numpy().imag]
    return [_column_numbers(side, values), *([np.zeros(len(values))] if as_complex else [])]


def distances(left: Reals, right: Reals, dtype: npt.DTypeLike | None) -> dict[str, Reals]:
    """Return both sides and their distances, `ulps`, `absolute` and `relative`: 0 only where they are equal."""
    same = _same(left, right)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        absolute = _absolute(left, right)
        relative = absolute / np.maximum(np.abs(left), np.abs(right)).astype(np.float64)
    ulps = ulp_distance(_as_floats(left), _as_floats(right), dtype)
    return {
        "left": left if left.dtype == object else left.astype(np.float64),
        "right": right if right.dtype == object else right.astype(np.float64),
        "ulps": np.where(same, 0.0, np.maximum(ulps, 1.0)),  # 1 for whole numbers that no doubles tell apart
        "absolute": np.where(same, 0.0, np.where(np.isnan(absolute), np.inf, absolute)),
        "relative": np.where(same, 0.0, np.where(np.isnan(relative), np.inf, relative)),
    }


def _reals(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    if np.ma.is_masked(values):
        raise ValueError(f"`{name}` must be free of masked entries; got {values!r}. Fill them.")
    array = np.asarray(values)
    whole = array.dtype == object and all(isinstance(value, int) for value in array.flat)  # beyond 64 bits
    if array.dtype.kind not in "biuf" and not whole:
        raise TypeError(f"`{name}` must hold real numbers; got {array.dtype}. Compare the parts of others.")
    return array


def _exactly(name: str, values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[np.floating]:
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


def _as_floats(values: Reals) -> Reals:
    return values.astype(np.float64) if values.dtype == object else values


def _same(x: Reals, y: Reals) -> Mask:
    same: Mask = (x == y) | ((x != x) & (y != y))
    return same


def _absolute(left: Reals, right: Reals) -> Floats:
    if object not in (left.dtype, right.dtype):
        return np.abs(left.astype(np.float64) - right.astype(np.float64))
    return np.array([_apart(a, b) for a, b in zip(left.tolist(), right.tolist(), strict=True)], np.float64)


def _apart(a: float, b: float) -> float:
    if math.isfinite(a) and math.isfinite(b):
        return float(abs(Fraction(a) - Fraction(b)))
    return abs(a - b)


def _column_numbers(side: str, values: pd.Series) -> Reals:
    if isinstance(values.dtype, pd.SparseDtype):
        values = values.astype(values.dtype.subtype)
    if not pd.api.types.is_numeric_dtype(values):
        raise TypeError(
            f"`{side}` must hold numbers in `{values.name}`; got {values.dtype}."
            " Put it in `on`, convert it by .astype(float), or drop it."
        )
    if pd.api.types.is_float_dtype(values) and isinstance(values.dtype, np.dtype):
        return values.to_numpy()
    kind = object if _has_beyond_doubles(values) else np.float64
    return values.to_numpy(dtype=kind, na_value=math.nan)


def _has_beyond_doubles(values: pd.Series) -> bool:
    known = values.dropna()
    whole = pd.api.types.is_integer_dtype(known) and len(known) > 0
    return whole and bool(known.max() > EXACT_WHOLE or known.min() < -EXACT_WHOLE)
