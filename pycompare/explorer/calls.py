"""Calls of one function that give what is shown, as few as can be: its arguments, and how they are written down."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any


def calls(shown: Sequence[Mapping[str, Any]], lists: Collection[str]) -> list[dict[str, Any]]:
    """The arguments of each call: one call with a list, where they differ in one argument that is in `lists`.

    Example:
        >>> calls([{"lr": 0.1, "epochs": 5}, {"lr": 0.2, "epochs": 5}], lists=["lr"])
        [{'lr': [0.1, 0.2], 'epochs': 5}]
    """
    first, *others = distinct = [dict(one) for i, one in enumerate(shown) if one not in shown[:i]]
    varied = [name for name in first if any(one[name] != first[name] for one in others)]
    if len(varied) == 1 and varied[0] in lists:
        return [first | {varied[0]: [one[varied[0]] for one in distinct]}]
    return distinct


def changed(arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the arguments that are not at their default."""
    return {name: value for name, value in arguments.items() if name not in defaults or value != defaults[name]}


def assigned(name: str, made: Sequence[str], brackets: str = "[]") -> str:
    """What is `made` under a name: itself, or several within brackets.

    Example:
        >>> assigned("paths = ", ["descend()"])
        'paths = descend()'
    """
    before, after = brackets[:-1], brackets[-1]
    several = ",\n".join(made)
    return f"{name}{made[0]}" if len(made) == 1 else f"{name}{before}\n{several}\n{after}"
