"""A user's numbers as an array."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from pycompare.checks import unmasked

Doubles = np.ndarray[Any, np.dtype[np.float64]]


def real_array(name: str, values: Any) -> Doubles:
    """A copy of `values`, an array, tensor, DataFrame or list of real numbers, as float64, row-major; no other."""
    if isinstance(values, (list, tuple)):
        values = [_on_cpu(value) for value in values]
    array = as_array(name, unmasked(name, _on_cpu(values)))
    if array.dtype.kind in "mMc" or (array.dtype == object and any(map(np.iscomplexobj, array.flat))):
        raise TypeError(f"`{name}` must hold real numbers; got {array.dtype}. Convert it first.")
    try:
        return np.array(array, np.float64, order="C")
    except (TypeError, ValueError, OverflowError) as cause:
        raise TypeError(f"`{name}` must hold numbers only: {cause}. Encode or drop other columns.") from cause


def _on_cpu(values: Any) -> Any:
    if not isinstance(values, Tensor):
        return values
    tensor = values.detach().cpu()
    return (tensor if tensor.is_complex() else tensor.double()).numpy()


def as_array(name: str, values: Any) -> np.ndarray[Any, Any]:
    """`values` as an array of any type, or one clear error where its rows are of different lengths."""
    try:
        return np.asarray(values)
    except ValueError as cause:
        raise ValueError(f"`{name}` must have rows of equal length: {cause}. Fill or drop the others.") from cause
