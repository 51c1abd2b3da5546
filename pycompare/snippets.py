"""Calls written as code that runs: in Python, in a shell, in R."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

_LONG = 88  # a longer call has a line for each argument
_R_NAME = re.compile(r"([A-Za-z]|\.(?![0-9]))[A-Za-z0-9._]*")
_R_WORDS = {"if", "else", "repeat", "while", "function", "for", "in", "next", "break"}
_R_WORDS |= {"TRUE", "FALSE", "NULL", "Inf", "NaN", "NA", "NA_integer_", "NA_real_", "NA_character_", "NA_complex_"}


class Code(str):
    """A text that is code already, and is written as it is."""

    __slots__ = ()


def python_value(name: str, value: Any) -> str:
    """A value as Python that gives it back; the error of what cannot be written calls it `name`."""
    return _written(name, value, _python)


def python_call(function: str, arguments: Mapping[str, Any]) -> str:
    """A call of `function` with `arguments` by name, as Python that gives the same values.

    Arguments:
        function: its name, as it is called: "compare_configs".
        arguments: numbers (numpy's, too), texts, bools, None, and lists, tuples and dictionaries of such.

    Raises:
        ValueError: an argument is something else, which cannot be written as code.

    Example:
        >>> python_call("compare_configs", {"lr": [0.1, 1e-3], "epochs": 5})
        'compare_configs(lr=[0.1, 0.001], epochs=5)'
    """
    return _call(function, [f"{name}={python_value(name, value)}" for name, value in arguments.items()])


def r_call(function: str, arguments: Mapping[str, Any]) -> str:
    """A call of `function` with `arguments` by name, as R that gives the same values: whole numbers as doubles.

    A list of numbers, of texts or of bools is a vector, `c(0.1, 0.01)`; another one, and what has names, a `list`.

    Arguments:
        function: its name, as it is called: "compare_configs".
        arguments: as those of `python_call`.

    Raises:
        ValueError: an argument is something else, or a whole number that no double holds.

    Example:
        >>> r_call("compare_configs", {"lr": [0.1, 1e-3], "activation": None, "epochs": 5})
        'compare_configs(lr = c(0.1, 0.001), activation = NULL, epochs = 5)'
    """
    return _call(function, [f"{_r_name(name)} = {_written(name, value, _r)}" for name, value in arguments.items()])


def r_list(values: Sequence[Any]) -> Code:
    """`values` as a `list` of R, where `r_call` would write a vector.

    Example:
        >>> r_call("compare_configs", {"lr": r_list([0.1, 1e-3])})
        'compare_configs(lr = list(0.1, 0.001))'
    """
    return Code(f"list({', '.join(map(_r, values))})")


def command_line(command: str, arguments: Mapping[str, Any]) -> str:
    """A `command` with `arguments` as its options, as a shell takes it: `batch_size` is --batch-size.

    Lists are separated by commas. True is the option alone, False `--no-` with it; None leaves the option out.

    Arguments:
        command: the words before the options: "pycompare compare".
        arguments: numbers, texts, bools, None, and lists of numbers and texts.

    Raises:
        ValueError: an argument is something else, or a text in a list has a comma.

    Example:
        >>> command_line("pycompare compare", {"lr": [0.1, 1e-3], "standardize": True, "out": "my runs"})
        "pycompare compare --lr 0.1,0.001 --standardize --out 'my runs'"
    """
    options = [_option(name, value) for name, value in arguments.items() if value is not None]
    line = " ".join([command, *options])
    return line if len(line) <= _LONG else " \\\n  ".join([command, *options])


def _call(function: str, arguments: list[str]) -> str:
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= _LONG:
        return line
    lines = ",\n    ".join(arguments)  # R takes no comma after the last
    return f"{function}(\n    {lines}\n)"


def _written(name: str, value: Any, write: Callable[[Any], str]) -> str:
    try:
        return write(value)
    except TypeError as cause:
        raise ValueError(f"`{name}` must be something that can be written as code; got {cause}. Put it in.") from None


def _plain(value: Any) -> Any:
    """`value` as Python's own: numpy's numbers, its arrays as lists, torch's types and devices by their names."""
    kind = type(value)
    if kind.__module__ == "torch" and kind.__name__ in ("dtype", "device"):
        return str(value).removeprefix("torch.")
    return value.tolist() if kind.__module__ == "numpy" and hasattr(value, "tolist") else value


def _python(value: Any) -> str:
    value = _plain(value)
    if isinstance(value, Code):
        return str(value)
    if type(value) is float and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    if isinstance(value, (str, os.PathLike)):
        return _quoted(os.fspath(value))
    if type(value) is tuple:
        return f"({', '.join(map(_python, value))}{',' * (len(value) == 1)})"
    if type(value) is list:
        return f"[{', '.join(map(_python, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_python(name)}: {_python(one)}" for name, one in value.items()) + "}"
    raise TypeError(repr(value))


def _quoted(text: str) -> str:
    written = repr(text)
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in text else written


def _option(name: str, value: Any) -> str:
    option, value = name.replace("_", "-"), _plain(value)
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    return f"--{option} {shlex.quote(_written(name, value, _option_value))}"


def _option_value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(_part(one) for one in value)
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    raise TypeError(repr(value))


def _part(value: Any) -> str:
    if (isinstance(value, str) and "," in value) or isinstance(value, (list, tuple)):
        raise TypeError(repr(value))
    return _option_value(value)


def _r(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        return _r_number(value)
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, str) and "\0" not in value:  # which no text of R can hold
        return json.dumps(value, ensure_ascii=False)
    if type(value) in (list, tuple):
        return f"{_r_vector(value)}({', '.join(map(_r, value))})"
    if isinstance(value, Mapping):
        return "list(" + ", ".join(f"{_r_name(name)} = {_r(one)}" for name, one in value.items()) + ")"
    raise TypeError(repr(value))


def _r_vector(values: list[Any] | tuple[Any, ...]) -> str:
    """What holds `values` in R: a vector has parts of one kind."""
    kinds = {"number" if type(one := _plain(value)) in (int, float) else type(one) for value in values}
    return "c" if kinds in ({"number"}, {str}, {bool}) else "list"


def _r_number(value: float) -> str:
    """The shortest digits that R reads as this double, or its bits in hexadecimal where R might read another one.

    R scales the digits by a power of ten in a C long double, where there is one, and rounds that to a double: twice.
    """
    double = float(value)
    if double != value and not math.isnan(double):
        raise TypeError(f"{value!r}, which no double holds")
    if not math.isfinite(double):
        return {math.inf: "Inf", -math.inf: "-Inf"}.get(double, "NaN")
    digits = repr(double).removesuffix(".0")
    return digits if _rounds_once(digits, double) else double.hex()


def _rounds_once(digits: str, double: float) -> bool:
    _, significant, exponent = Decimal(digits).as_tuple()
    whole = int("".join(map(str, significant)))
    if whole >= 2**53 or not -22 <= int(exponent) <= 22:
        return False
    half, off = Fraction(math.ulp(double)) / 2, abs(Fraction(digits) - Fraction(double))
    return half - off > abs(Fraction(double)) / 2**60


def _r_name(name: Any) -> str:
    text = str(name)
    if _R_NAME.fullmatch(text) and text not in _R_WORDS:
        return text
    return "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"
