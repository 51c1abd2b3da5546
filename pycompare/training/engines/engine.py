"""What an engine is, and which one trains."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn
from torch.utils.data import Dataset

from pycompare.training.batches import BatchedData, BatchLosses, OnLoss, Restore, SetRates
from pycompare.training.engines.autograd import Autograd
from pycompare.training.engines.compiled import machine_code
from pycompare.training.engines.compiled.linking import UnlinkableError
from pycompare.training.engines.covers import obstacles_to_compiled, obstacles_to_flat, obstacles_to_fused
from pycompare.training.engines.flat import FlatOptimizer
from pycompare.training.engines.fused import Fused
from pycompare.training.network import first_parameter
from pycompare.training.optim import LibTorchOptimizer
from pycompare.training.options import Options

Data = Dataset[Any] | BatchedData
_ASKED = "asked for"
# Compiled code saves 80 us a step of the course's network; to check it takes 8 ms, to load it 25 ms, to compile it
# 15 s.
_STEPS_TO_CHECK, _STEPS_TO_LOAD, _STEPS_TO_COMPILE = 100, 400, 400_000


class Engine(Protocol):
    """Who trains a network in place, with an optimizer whose settings may change between two steps.

    Attributes:
        draws: whether a training may draw from torch's generator.
        releases_gil: whether other threads of Python go on while it trains.
        stride: how many epochs take a moment only, as far as it knows before it has trained; 1 or more.
        name: as in `options.ENGINES`.
    """

    draws: bool
    releases_gil: bool
    stride: int
    name: str

    def train(self, on_step: OnLoss | None = None, set_rates: SetRates | None = None) -> BatchLosses:
        """Train for one epoch; the loss of every batch is that before its step.

        `on_step` is called with a batch's loss when its gradients are there, before the step is taken. Parameters,
        their gradients and the optimizer's state are then where PyTorch keeps them. It may change parameters,
        gradients and the optimizer's settings for the step to come; the state it sees may be a copy.
        `set_rates` sets the optimizer's settings for the batch whose place in the epoch it is called with. It sees
        nothing of the training, and may be called for many batches before the first is trained on.
        """

    def take_steps(self, batches: range, set_rates: SetRates | None = None) -> None:
        """Train on some batches of an epoch, by their places; nothing is told of them."""

    def validate(self) -> BatchLosses:
        """The loss of every validation batch."""

    def epochs(self, count: int) -> tuple[BatchLosses, BatchLosses]:
        """Train and validate, `count` times, by the settings that the optimizer has; the passes of each."""

    def publish(self) -> None:
        """Let the network's parameters and their gradients be those of the steps so far."""

    def publish_state(self) -> None:
        """Let the optimizer's state be that of the steps so far."""

    def adopt_state(self) -> None:
        """Go on from the parameters, and from the optimizer's state, as they are where PyTorch keeps them."""

    def checkpoint(self) -> Restore:
        """What brings parameters, buffers, the optimizer's state and random numbers back to here, whenever called.

        The optimizer's settings are left to the caller.
        """


def start_engine(
    network: nn.Module, opt: torch.optim.Optimizer, train: BatchedData, valid: BatchedData, options: Options
) -> tuple[Engine, str]:
    """The engine that `options` ask for, ready to train, and why it does; one clear error where it cannot."""
    loss = options.loss
    obstacle = _obstacle_to_fused(network, opt, [train.whole, valid.whole], options)
    if options.engine == "autograd" or (options.engine == "auto" and obstacle):
        why = f"'fused' does not cover {obstacle}" if options.engine == "auto" else _ASKED
        return Autograd(network, _flat_where_possible(opt, options), loss, train.batches, valid.batches), why
    if obstacle:
        raise _not_covered(options.engine, obstacle)
    assert isinstance(opt, LibTorchOptimizer)
    if reason := _reason_for_fused(network, opt, train, valid, options):
        return Fused(network, opt, loss, train, valid), reason
    from pycompare.training.engines.compiled.trainer import Compiled

    return Compiled(network, opt, loss, train, valid), _ASKED if options.engine == "compiled" else "it is fastest here"


def _reason_for_fused(
    network: nn.Module, opt: LibTorchOptimizer, train: BatchedData, valid: BatchedData, options: Options
) -> str | None:
    """Why `Fused` is to train what both it and compiled code might; None where compiled code is to."""
    if options.engine == "fused":
        return _ASKED
    dtype, steps = first_parameter(network).dtype, max(options.sweep_steps, options.epochs * len(list(train.batches)))
    if options.engine == "auto" and not _pays(dtype, steps):
        return f"compiled code is not there, or {steps} steps are too few to load it for"
    if obstacle := next(obstacles_to_compiled(network, options.loss), None):
        if options.engine == "compiled":
            raise _not_covered("compiled", obstacle)
        return f"'compiled' does not cover {obstacle}"
    from pycompare.training.engines.compiled.agreement import agrees

    try:
        return None if agrees(network, opt, options.loss, train, valid) else "compiled code has other bits here"
    except UnlinkableError as error:
        return f"compiled code cannot be linked here: {error}"


def _pays(dtype: torch.dtype, steps: int) -> bool:
    """Whether compiled code saves more time in `steps` than it takes to get it, and to check it."""
    if machine_code.is_loaded(dtype):
        return steps >= _STEPS_TO_CHECK
    return steps >= _STEPS_TO_COMPILE or (steps >= _STEPS_TO_LOAD and machine_code.is_stored(dtype))


def _flat_where_possible(opt: torch.optim.Optimizer, options: Options) -> torch.optim.Optimizer | FlatOptimizer:
    named = isinstance(opt, LibTorchOptimizer) and isinstance(options.optimizer, str)
    return FlatOptimizer(opt) if named and not any(obstacles_to_flat(opt)) else opt  # type: ignore[arg-type]


def _obstacle_to_fused(network: nn.Module, opt: torch.optim.Optimizer, sets: list[Any], options: Options) -> str | None:
    if not isinstance(options.optimizer, str):
        return "an optimizer of your own"
    return next(obstacles_to_fused(network, opt, options.loss, sets), None)


def _not_covered(engine: str, obstacle: str) -> ValueError:
    others = "'auto' or 'autograd'" if engine == "fused" else "'auto', 'fused' or 'autograd'"
    return ValueError(
        f"`engine` must be {others} here; got {engine!r}, which does not cover {obstacle}."
        " Leave `engine` at its default."
    )
