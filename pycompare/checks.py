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
    """`value` itself: True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"`{name}` must be True or False; got {value!r}. Pass one of them.")
    return value


def one_of(name: str, value: Any, choices: Iterable[str], remedy: str = "Leave it at its default.") -> Any:
    """`value` itself: a text that is among `choices`."""
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"`{name}` must be one of {', '.join(known)}; got {value!r}. {remedy}")
    return value


def _scalar(name: str, value: Any, rule: str) -> Any:
    if getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"`{name}` must {rule}; got {value!r}. Pass an int or a float.")
    return value


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
