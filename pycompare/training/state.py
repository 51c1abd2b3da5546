"""All that a training needs to go on with the same bits: taken from one, and given to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from pycompare.seeding import generators_of
from pycompare.training.loop import Training
from pycompare.training.network import first_parameter
from pycompare.training.stopping import Best, EarlyStopping, put_weights, weights

_PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class State:
    """A training between two epochs.

    Attributes:
        tensors: by name: the weights "last.*" and "best.*", and what `told` refers to.
        told: numbers and texts, as JSON holds them: how many epochs are done, the best of them, the optimizer's state.
    """

    tensors: dict[str, Tensor]
    told: dict[str, Any]

    @property
    def done(self) -> int:
        """How many epochs are done."""
        return int(self.told["done"])

    def best(self, stopping: EarlyStopping | None) -> Best:
        """The best epoch so far, by `stopping`."""
        return Best(stopping, **self.told["best"], weights=self.weights("best"))

    def weights(self, which: str) -> dict[str, Tensor]:
        """The weights of the "last" or the "best" epoch, by the names of parameters and buffers."""
        prefix = f"{which}."
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}


def take_state(training: Training, done: int) -> State:
    """The state of `training` after `done` epochs; it may go on."""
    training.engine.publish_state()
    best, tensors = training.best or Best(), dict(_prefixed("last", weights(training.network)))
    tensors |= _prefixed("best", best.weights)
    told = {"done": done, "best": {name: getattr(best, name) for name in _told_of_best()}}
    told["optimizer"] = flattened(_optimizer_state(training.opt), tensors)
    told["generators"] = flattened([one.get_state() for one in _generators(training)], tensors)
    return State(tensors, told)


def resume(training: Training, state: State) -> Training:
    """`training`, which has just begun, from `state` on."""
    put_weights(training.network, state.weights("last"))
    _restore_optimizer(training.opt, rebuilt(state.told["optimizer"], state.tensors))
    training.engine.adopt_state()
    for generator, kept in zip(_generators(training), rebuilt(state.told["generators"], state.tensors), strict=False):
        generator.set_state(kept)
    return replace(training, done=state.done, best=state.best(training.options.early_stopping))


def flattened(value: Any, tensors: dict[str, Tensor]) -> Any:
    """`value`, nested dicts, lists, tuples, tensors and plain values, as JSON holds it; its tensors go to `tensors`."""
    if isinstance(value, Tensor):
        name = f"state.{len(tensors)}"
        tensors[name] = value.detach().clone()
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"dict": [[flattened(key, tensors), flattened(one, tensors)] for key, one in value.items()]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [flattened(one, tensors) for one in value]}
    if not isinstance(value, _PLAIN):
        raise TypeError(
            f"`optimizer` must have a state of tensors, numbers and texts to be stored; got {value!r} in it."
            " Train without a store."
        )
    return value


def rebuilt(told: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What `flattened` was given."""
    if not isinstance(told, dict):
        return told
    ((kind, inside),) = told.items()
    if kind == "tensor":
        return tensors[inside].clone()
    if kind == "dict":
        return {rebuilt(key, tensors): rebuilt(one, tensors) for key, one in inside}
    values = [rebuilt(one, tensors) for one in inside]
    return tuple(values) if kind == "tuple" else values


# Not by `state_dict` and `load_state_dict`, which cast a float32 state of float64 parameters, and load `torch._dynamo`.
def _optimizer_state(opt: torch.optim.Optimizer) -> dict[str, Any]:
    """State and settings of an optimizer, parameters by their place."""
    groups = [{name: value for name, value in group.items() if name != "params"} for group in opt.param_groups]
    places = {parameter: place for place, parameter in enumerate(_parameters(opt))}
    return {"state": {places[parameter]: kept for parameter, kept in opt.state.items()}, "groups": groups}


def _restore_optimizer(opt: torch.optim.Optimizer, kept: dict[str, Any]) -> None:
    opt.state.clear()
    parameters = _parameters(opt)
    opt.state.update({parameters[place]: state for place, state in kept["state"].items()})
    for group, settings in zip(opt.param_groups, kept["groups"], strict=True):
        group.update(settings)


def _parameters(opt: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in opt.param_groups for parameter in group["params"]]


def _generators(training: Training) -> list[torch.Generator]:
    """Those that the training may draw from."""
    return generators_of(first_parameter(training.network).device) if training.engine.draws else []


def _prefixed(which: str, named: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{which}.{name}": tensor for name, tensor in named.items()}


def _told_of_best() -> list[str]:
    return [field.name for field in fields(Best) if field.name not in ("stopping", "weights")]
