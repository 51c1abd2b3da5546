"""What an engine is, and which one trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from pycompare.training.batches import cast_dataset, split_batches
from pycompare.training.engines.autograd import Autograd, first_parameter
from pycompare.training.engines.covers import obstacles_to_flat, obstacles_to_fused
from pycompare.training.engines.flat import FlatOptimizer
from pycompare.training.engines.fused import Fused
from pycompare.training.optim import LibTorchOptimizer
from pycompare.training.options import Options


class Engine(Protocol):
    """Who trains a network in place, with an optimizer whose settings may change between two steps.

    Attributes:
        draws: whether a training may draw from torch's generator.
    """

    draws: bool

    def train(self, on_step: Callable[[Tensor], object] | None = None) -> Tensor:
        """Train for one epoch; the loss of every batch, before its step, on the CPU. The network is then current.

        `on_step` is called with a batch's loss when its gradients are there, before the step is taken. Parameters,
        their gradients and the optimizer's state are then where PyTorch keeps them. It may change parameters,
        gradients and the optimizer's settings for the step to come; the state it sees may be a copy.
        """

    def validate(self) -> tuple[Tensor, list[int]]:
        """The loss of every validation batch, on the CPU, and how many numbers each is the mean of."""


def start_engine(
    network: nn.Module, opt: torch.optim.Optimizer, ds_train: Dataset[Any], ds_valid: Dataset[Any], options: Options
) -> Engine:
    """The engine that `options` ask for, ready to train; one clear error where it does not cover the training."""
    like, loss = first_parameter(network), options.loss
    sets = [cast_dataset(name, data, like) for name, data in (("ds_train", ds_train), ("ds_valid", ds_valid))]
    obstacle = _obstacle(network, opt, sets, options)
    if options.engine == "fused" and obstacle:
        raise ValueError(
            f"`engine` must be 'auto' or 'autograd' here; got 'fused', which does not cover {obstacle}."
            " Leave `engine` at its default."
        )
    dl_train, dl_valid = (split_batches(data, options.batch_size) for data in sets)
    if isinstance(opt, LibTorchOptimizer) and options.engine != "autograd" and not obstacle:
        return Fused(network, opt, loss, list(dl_train), list(dl_valid))
    if isinstance(opt, LibTorchOptimizer) and isinstance(options.optimizer, str) and not any(obstacles_to_flat(opt)):
        return Autograd(network, FlatOptimizer(opt), loss, dl_train, dl_valid)
    return Autograd(network, opt, loss, dl_train, dl_valid)


def _obstacle(network: nn.Module, opt: torch.optim.Optimizer, sets: list[Any], options: Options) -> str | None:
    if not isinstance(options.optimizer, str):
        return "an optimizer of your own"
    return next(obstacles_to_fused(network, opt, options.loss, sets), None)
