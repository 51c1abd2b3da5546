"""Checks of one argument at the public edge: each returns a plain Python number, or raises one clear error."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

_LARGEST = 2**63 - 1  # what a machine counts to


def number(name: str, value: Any, *, at_least: float | None = None, below: float | None = None) -> float:
    """`value` as a float: a finite number, neither bool nor text, at least `at_least` and less than `below`."""
    real = _as_float(name, _scalar(name, value, "be a number"))
    _check_range(name, value, real, at_least, None)
    if below is not None and real >= below:
        raise ValueError(f"`{name}` must be less than {below:g}; got {value!r}. Choose a smaller value.")
    return real


def whole_number(name: str, value: Any, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """`value` as an int: a whole number (5 or 5.0; not 2.5, True or "5") from `at_least` to `at_most`."""
    scalar = _scalar(name, value, "be a whole number")
    if not isinstance(scalar, int) and not _as_float(name, scalar).is_integer():
        raise ValueError(f"`{name}` must be a whole number; got {value!r}. Round it.")
    whole = int(scalar)
    _check_range(name, value, whole, at_least, _LARGEST if at_most is None else at_most)
    return whole


def flag(name: str, value: Any) -> bool:
    """`value` as a bool: True or False, also numpy's; not 1, "FALSE" or None."""
    scalar = value.item() if getattr(value, "ndim", None) == 0 else value
    if not isinstance(scalar, bool) or _is_masked(value):
        raise TypeError(f"`{name}` must be True or False; got {value!r}. Pass one of them.")
    return scalar


def unmasked(name: str, values: Any) -> Any:
    """`values` itself: an array, or lists of arrays and numbers, no entry of which is masked."""
    if isinstance(values, list | tuple):
        for part in values:
            if isinstance(part, list | tuple) or hasattr(part, "mask"):
                unmasked(name, part)
    elif getattr(getattr(values, "dtype", None), "kind", "") == "O":
        unmasked(name, values.tolist())
    if _is_masked(values):
        raise ValueError(f"`{name}` must be free of masked entries, whose numbers are not meant. Fill or drop them.")
    return values


def one_of(name: str, value: Any, choices: Iterable[str], remedy: str = "Leave it at its default.") -> Any:
    """`value` itself: a text that is among `choices`; the error names the nearest of them."""
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        meant = f"{nearest(value, known)}{remedy}"
        raise ValueError(f"`{name}` must be one of {', '.join(known)}; got {value!r}. {meant}")
    return value


def nearest(value: Any, known: Iterable[str]) -> str:
    """A question whether a similar name was meant; empty where none is similar.

    Example:
        >>> nearest("adamv", ["sgd", "adamw", "rmsprop"])
        "Did you mean 'adamw'? "
    """
    from difflib import get_close_matches

    similar = get_close_matches(value, known, 1) if isinstance(value, str) else []
    return f"Did you mean {similar[0]!r}? " if similar else ""


def _scalar(name: str, value: Any, rule: str) -> Any:
    scalar = value.item() if getattr(value, "ndim", None) == 0 else value
    if isinstance(scalar, bool) or not isinstance(scalar, Real) or _is_masked(value):
        raise TypeError(f"`{name}` must {rule}; got {value!r}. Pass an int or a float.")
    return scalar


def _is_masked(value: Any) -> bool:
    """Whether an entry of one of numpy's masked arrays is hidden: asked so as not to import numpy for it."""
    return type(value).__module__.startswith("numpy.ma") and bool(value.mask.any())


def _as_float(name: str, value: Any) -> float:
    try:
        real = float(value)
    except OverflowError:
        real = math.inf
    if not math.isfinite(real):
        raise ValueError(f"`{name}` must be finite; got {value!r}. Pass an ordinary number.")
    return real


def _check_range(name: str, shown: Any, value: float, at_least: float | None, at_most: float | None) -> None:
    if at_least is not None and value < at_least:
        raise ValueError(f"`{name}` must be at least {at_least}; got {shown!r}. Choose a larger value.")
    if at_most is not None and value > at_most:
        raise ValueError(f"`{name}` must be at most {at_most}; got {shown!r}. Choose a smaller value.")
