"""Numbers in labels, as R's `paste` writes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial
from numbers import Real
from typing import Any

_DIGITS = 15


def r_number(value: float) -> str:
    """`value` as `paste(value)` of R writes a double: up to 15 significant digits, in the shorter of two notations.

    Fixed notation wins a tie. A whole number counts as the double that R's literal is: 100000 is "1e+05".
    Where a 16th and last digit is 5, the 15th may differ from R's, which computes digits in long double.

    Example:
        >>> [r_number(x) for x in (0.1, 1e-4, 100, 100000, 0.1 + 0.2)]
        ['0.1', '1e-04', '100', '1e+05', '0.3']
    """
    value = value + 0.0  # R writes -0 as 0
    digits, exponent = f"{abs(value):.{_DIGITS - 1}e}".split("e")
    significant = digits.replace(".", "").rstrip("0") or "0"
    decimals = max(0, len(significant) - 1 - int(exponent))
    fixed = f"{value:.{decimals}f}"
    scientific = f"{value:.{len(significant) - 1}e}"
    return fixed if len(fixed) <= len(scientific) else scientific


def value_label(value: object) -> str:
    """A number as `r_number`, a tuple in brackets, a text itself, a callable by its name, a dataclass in full."""
    if value is None or isinstance(value, (str, bool)) or is_dataclass(value):
        return str(value)
    if isinstance(value, (tuple, list)):
        return "(" + ", ".join(map(value_label, value)) + ")"
    if isinstance(value, Real) and math.isfinite(value):
        return r_number(float(value))
    if isinstance(value, Real):
        return str(value)
    return str(getattr(value, "__name__", type(value).__name__))


def call_label(make: Callable[..., Any]) -> str:
    """What calls `make`: of a partial the call with all that it was given, of another callable its name.

    Example:
        >>> call_label(partial(round, 2.5, ndigits=1)), call_label(round)
        ('round(2.5, ndigits=1)', 'round')
    """
    if not isinstance(make, partial):
        return value_label(make)
    given = [*map(_given, make.args), *(f"{name}={_given(one)}" for name, one in make.keywords.items())]
    return f"{value_label(make.func)}({', '.join(given)})"


def _given(value: object) -> str:
    return value_label(value) if callable(value) else repr(value)


def cell(value: Any) -> Any:
    """`value` as it stands in a frame: a number or a text itself, another by its label."""
    return value if isinstance(value, (int, float, str)) else value_label(value)


def setting_label(name: str, value: object) -> str:
    """The text that stands for a setting in a legend.

    Example:
        >>> setting_label("betas", (0.9, 0.99)), setting_label("optimizer", "adam")
        ('betas = (0.9, 0.99)', 'optimizer = adam')
    """
    return f"{name} = {value_label(value)}"
