"""What `tune` chooses from: values of settings and of a network's arguments, and in which order."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from pycompare.checks import nearest
from pycompare.labels import setting_label
from pycompare.sweeps.configs import DEFAULTS
from pycompare.sweeps.settings import CHECKS, check_accepted, check_not_set
from pycompare.sweeps.vary import Variation, vary
from pycompare.training.network import checked_widths

Candidate = dict[str, int]  # of each list, by its name, the place of one value
Group = tuple[str, ...]  # names whose combinations are tried together
SETTINGS = tuple(name for name in CHECKS if name not in ("network", "loss"))
WAYS = ("grid", "optuna")


@dataclass(frozen=True)
class Space:
    """Lists to choose from.

    Attributes:
        variation: the lists, and what is fixed.
        of_network: the names of those that are arguments of the network.
    """

    variation: Variation
    of_network: tuple[str, ...]

    @property
    def names(self) -> Group:
        """Of the lists."""
        return tuple(self.variation.varied)

    def start(self) -> Candidate:
        """The first value of each list."""
        return dict.fromkeys(self.names, 0)

    def candidates(self, group: Group, at: Candidate) -> list[Candidate]:
        """All combinations of a group's values, the last name's changing fastest; the others as in `at`."""
        places = (range(len(self.variation.varied[name])) for name in group)
        return [at | dict(zip(group, choice, strict=True)) for choice in itertools.product(*places)]

    def settings(self, candidate: Candidate) -> dict[str, Any]:
        """The value of everything."""
        return self.variation.fixed | {name: self.variation.varied[name][at] for name, at in candidate.items()}

    def cells(self, candidate: Candidate) -> dict[str, Any]:
        """What stands in a frame for each value of the lists: a number or text itself, else its name."""
        return {name: self.variation.told(name)[at] for name, at in candidate.items()}

    def label(self, group: Group, candidate: Candidate) -> str:
        """What tells it from the others of a group: "lr = 0.1"."""
        cells = self.cells(candidate)
        return ", ".join(setting_label(name, cells[name]) for name in group)


def checked_space(space: Mapping[str, Any], network: Callable[..., nn.Module] | None, loss: Any) -> Space:
    """`space` as lists that fit together, or one clear error."""
    if not isinstance(space, Mapping):
        raise TypeError(f'`space` must be a dictionary of lists; got {space!r}. Pass e.g. {{"lr": [0.1, 0.01]}}.')
    checks = CHECKS | ({"hidden": _widths} if network is None else {})
    of_network = _keywords(network)
    known = [*SETTINGS, *(name for name in of_network if name != "**")]
    for name in space:
        if name not in known and ("**" not in of_network or name in CHECKS):
            raise ValueError(
                f"`space` must name settings, or arguments of `network`; got {name!r}. {nearest(name, known)}It may"
                f" have {', '.join(known)}."
            )
    defaults = {name: DEFAULTS[name] for name in SETTINGS if DEFAULTS[name] is not None and name not in space}
    variation = vary(dict(space) | defaults | {"loss": loss}, checks)
    if "loss" in variation.varied:
        raise ValueError(f"`loss` must be one: values of several cannot be compared; got {loss!r}. Choose one.")
    if not variation.varied:
        raise ValueError(
            f'`space` must have a list of values to choose from; got {dict(space)!r}. Pass e.g. {{"lr": [0.1, 0.01]}}.'
        )
    check_accepted(variation, DEFAULTS)
    check_not_set(variation)
    return Space(variation, tuple(name for name in space if name not in SETTINGS))


def checked_order(order: str | Sequence[str | Sequence[str]] | None, names: Collection[str]) -> list[Group]:
    """The groups in their order, or one clear error: each name alone unless given, all at once for a grid or Optuna."""
    if order is None:
        return [(name,) for name in names]
    if isinstance(order, str) and order in WAYS:
        return [tuple(names)]
    groups: list[Any] = [None]
    if isinstance(order, (list, tuple)):
        groups = [(one,) if isinstance(one, str) else one for one in order]
    if not all(isinstance(group, (list, tuple)) for group in groups):
        raise ValueError(
            f"`order` must be a list of names and tuples of names, 'grid' or 'optuna'; got {order!r}."
            f" {nearest(order, WAYS)}Pass e.g. {[*names]}."
        )
    told = [name for group in groups for name in group]
    for name in told:
        if name not in names:
            raise ValueError(
                f"`order` must name what `space` has lists of; got {name!r}. {nearest(name, names)}It has"
                f" {', '.join(names)}."
            )
    if twice := [name for i, name in enumerate(told) if name in told[:i]]:
        raise ValueError(f"`order` must name each list once; got {twice[0]!r} again. Drop it.")
    if missing := [name for name in names if name not in told]:
        raise ValueError(
            f"`order` must name every list of `space`; {missing[0]!r} is missing. Add it, or give it one value."
        )
    return [tuple(group) for group in groups if group]


def _keywords(network: Callable[..., nn.Module] | None) -> list[str]:
    """The arguments that may be given to `network` by name, ** where it takes any."""
    if network is None:
        return ["hidden", "activation"]
    if isinstance(network, nn.Module) or not callable(network):
        raise TypeError(
            f"`network` must be a callable that makes a fresh network; got {network!r}. Pass a function with keyword"
            " arguments, such as def network(width): ..."
        )
    kinds = inspect.Parameter
    try:
        parameters = inspect.signature(network).parameters.values()
    except ValueError as cause:
        raise TypeError(
            f"`network` must be a callable whose arguments can be seen; got {network!r}. Wrap it in a function."
        ) from cause
    by_name = [p.name for p in parameters if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)]
    return by_name + ["**"] * any(p.kind is kinds.VAR_KEYWORD for p in parameters)


def _widths(_: str, value: Any) -> tuple[int, ...]:
    """Widths of hidden layers; a number is that of one."""
    return checked_widths(value if hasattr(value, "__iter__") else (value,))
