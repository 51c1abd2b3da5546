"""An argument that is a list makes the comparison."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from pycompare.checks import unmasked
from pycompare.labels import cell, setting_label

Numbers: TypeAlias = "float | Sequence[float] | np.ndarray[Any, Any] | pd.Series[Any] | pd.Index[Any]"
Check = Callable[[str, Any], Any]
_COUNTS = {1: "Exactly one", 2: "One or two"}
_PAIRS = ("start", "betas")  # arguments whose one value is a pair: only a list of pairs is several


@dataclass(frozen=True)
class Variation:
    """Arguments, some of which vary.

    Attributes:
        varied: those that were lists, each with its values.
        fixed: the others.
        names: of the values of those that were dictionaries.
    """

    varied: dict[str, list[Any]]
    fixed: dict[str, Any]
    names: dict[str, list[str]] = field(default_factory=dict)

    def choices(self) -> Iterator[dict[str, Any]]:
        """One value for each argument that varies: all combinations, the last argument's values changing fastest."""
        return _combined(self.varied)

    def cells(self) -> Iterator[dict[str, Any]]:
        """Of each choice what stands for it in a frame: a number or text itself, else its name."""
        return _combined({name: self.told(name) for name in self.varied})

    def values(self, name: str) -> list[Any]:
        """Its values, one where it does not vary, none where it was not given."""
        return self.varied.get(name) or ([self.fixed[name]] if name in self.fixed else [])

    def told(self, name: str) -> list[Any]:
        """What stands in a frame for each value of `name`."""
        return self.names.get(name) or [cell(value) for value in self.varied[name]]

    def labels(self, name: str) -> list[str]:
        """The text that stands for each value of `name` in a legend."""
        return [setting_label(name, value) for value in self.told(name)]


def _combined(lists: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*lists.values()):
        yield dict(zip(lists, values, strict=True))


def vary(arguments: Mapping[str, Any], checks: Mapping[str, Check] | None = None) -> Variation:
    """Tell the arguments that are lists (tuples, ranges, arrays, Series) from those that are not, all values checked.

    A dictionary is a list whose values have names.

    Raises:
        ValueError: a list is empty, has more than one dimension, or two of its values have one label.
    """
    varied, fixed = {}, {}
    names = {name: list(map(str, value)) for name, value in arguments.items() if isinstance(value, dict)}
    for name, value in arguments.items():
        check = (checks or {}).get(name, _unchecked)
        if is_several(name, value):
            varied[name] = _distinct(name, value, check)
        else:
            fixed[name] = check(name, value)
    return Variation(varied, fixed, names)


def the_list(variation: Variation, example: str, names: Collection[str] = ()) -> tuple[str, tuple[Any, ...]]:
    """The one argument that varies, and its values, or one clear error; `names` are all that might."""
    the_lists(variation, example, names, most=1)
    ((parameter, values),) = variation.varied.items()
    return parameter, tuple(values)


def the_lists(variation: Variation, example: str, names: Collection[str] = (), most: int = 2) -> list[str]:
    """The arguments that vary, one at least and `most` at most, or one clear error; `names` are all that might."""
    if not 1 <= len(variation.varied) <= most:
        known = names or [*variation.varied, *variation.fixed]
        raise ValueError(
            f"{_COUNTS[most]} of {', '.join(f'`{name}`' for name in known)} must be a list; got"
            f" {named(variation.varied)}. Give {_COUNTS[most].lower()} of them several values, such as {example}, and"
            " the others one each."
        )
    return list(variation.varied)


def several_values(name: str, values: Any, check: Check) -> list[Any]:
    """The values of an argument that may be a list or a single one, each checked, all distinct."""
    return _distinct(name, values if is_several(name, values) else [values], check)


def is_several(name: str, value: Any) -> bool:
    """Whether `value` holds several values of the argument `name`."""
    if name in _PAIRS:
        return isinstance(value, list) and all(isinstance(one, (tuple, list)) for one in value)
    return isinstance(value, (list, tuple, range, dict, pd.Series, pd.Index)) or getattr(value, "ndim", 0) > 0


def named(names: Collection[str]) -> str:
    """Arguments in an error: `lr`, `beta1` and `beta2`."""
    *some, last = [f"`{name}`" for name in names] or ["none"]
    return f"{', '.join(some)} and {last}" if some else last


def _distinct(name: str, values: Any, check: Check) -> list[Any]:
    if isinstance(values, dict) and values:
        return [check(name, value) for value in values.values()]
    if getattr(unmasked(name, values), "ndim", 1) != 1 or len(values) == 0:
        raise ValueError(
            f"`{name}` must be a one-dimensional list with at least one value; got {values!r}. Pass e.g. [0.1, 0.2]."
        )
    listed = [check(name, value.item() if getattr(value, "ndim", None) == 0 else value) for value in values]
    labels = [setting_label(name, value) for value in listed]
    twice = [label for i, label in enumerate(labels) if label in labels[:i]]
    if twice:
        raise ValueError(
            f"`{name}` must hold distinct values; got `{twice[0]}` more than once (numbers to 15 digits, functions by"
            f' name). Drop the duplicate, or name them: {name}={{"one": ..., "other": ...}}.'
        )
    return listed


def _unchecked(_: str, value: Any) -> Any:
    return value
