"""From the settings of a training by name, such as lr and beta1, to its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pycompare.checks import flag, number, whole_number
from pycompare.sweeps.vary import Check, Variation
from pycompare.training.losses import find_loss
from pycompare.training.optim import OptimizerFactory, accepts, optimizer_factory
from pycompare.training.options import Options
from pycompare.training.schedules import checked_schedule

_TAKEN_AS = {"beta1": "betas", "beta2": "betas"}  # by optimizers
_SET_AS = {"beta1": "momentum"}  # by schedules
_OF_OPTIMIZERS = ("lr", "weight_decay", "beta1", "beta2", "momentum", "dampening", "nesterov")


def run_options(options: Options, settings: Mapping[str, Any]) -> Options:
    """`options` with the settings of one run: batch_size, optimizer, its arguments, loss, and the schedule if any."""
    optimizer = settings["optimizer"]
    return replace(
        options,
        batch_size=int(settings["batch_size"]),
        optimizer=optimizer,
        arguments=_optimizer_arguments(optimizer_factory(optimizer), settings),
        loss=find_loss(settings["loss"]),
        schedule=settings.get("schedule"),
    )


def _optimizer_arguments(factory: OptimizerFactory, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that the optimizer takes."""
    arguments = {name: settings[name] for name in _OF_OPTIMIZERS if name in settings}
    arguments["betas"] = arguments.pop("beta1"), arguments.pop("beta2")
    return {name: value for name, value in arguments.items() if accepts(factory, name)}


def check_accepted(variation: Variation, defaults: Mapping[str, Any]) -> None:
    """Refuse what an optimizer would not see: a list that one of them does not take, a value that none takes."""
    optimizers = variation.values("optimizer")
    given = [name for name, value in variation.fixed.items() if name in _OF_OPTIMIZERS and value != defaults[name]]
    for name in [*(name for name in _OF_OPTIMIZERS if name in variation.varied), *given]:
        deaf = [one for one in optimizers if not accepts(optimizer_factory(one), _TAKEN_AS.get(name, name))]
        if len(deaf) == len(optimizers) or (deaf and name in variation.varied):
            raise ValueError(
                f"`{name}` must keep its default with optimizer {deaf[0]!r}, which does not take it."
                " Choose another optimizer, or a callable that takes it."
            )


def check_not_set(variation: Variation) -> None:
    """Refuse to vary what a schedule sets: all its runs would be the same."""
    for schedule in variation.values("schedule"):
        for name in variation.varied:
            if schedule and _SET_AS.get(name, name) in schedule.settings(0):
                raise ValueError(
                    f"`{name}` must be one value under a schedule that sets it; got a list with {schedule!r}."
                    " Make `schedule` the list."
                )


def _checked_by(check: Callable[[Any], object]) -> Check:
    """A check that leaves the value as it is."""

    def checked(_: str, value: Any) -> Any:
        check(value)
        return value

    return checked


CHECKS: dict[str, Check] = {
    "batch_size": partial(whole_number, at_least=1),
    "lr": partial(number, at_least=0),
    "weight_decay": partial(number, at_least=0),
    "beta1": partial(number, at_least=0, below=1),
    "beta2": partial(number, at_least=0, below=1),
    "momentum": partial(number, at_least=0),
    "dampening": number,
    "nesterov": flag,
    "schedule": checked_schedule,
    "optimizer": _checked_by(optimizer_factory),
    "network": lambda _, value: value,
    "loss": _checked_by(find_loss),
}
"""What may vary, in the order in which the first list is told from the second."""
