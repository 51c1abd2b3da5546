"""Training of any module by autograd, with one flat optimizer step where that applies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pycompare.training.batches import Batches, cast_batches
from pycompare.training.engines.flat import FlatOptimizer
from pycompare.training.losses import Loss
from pycompare.training.network import first_parameter, outputs_for
from pycompare.training.torch_private import backward


@dataclass(frozen=True)
class Autograd:
    """The training of any module. The batches are cast, or come from a loader."""

    network: nn.Module
    opt: torch.optim.Optimizer | FlatOptimizer
    loss: Loss
    dl_train: Batches
    dl_valid: Batches
    draws = True
    name = "autograd"

    def train(self, on_step: Callable[[Tensor], object] | None = None) -> Tensor:
        """As `Engine.train` says."""
        return training_losses(self.network, self._cast(self.dl_train), self.opt, self.loss, self._shown(on_step))

    def validate(self) -> tuple[Tensor, list[int]]:
        """As `Engine.validate` says."""
        return validation_losses(self.network, self._cast(self.dl_valid), self.loss)

    def _cast(self, batches: Batches) -> Batches:
        if isinstance(batches, DataLoader):
            return cast_batches(batches, first_parameter(self.network))
        return batches

    def _shown(self, on_step: Callable[[Tensor], object] | None) -> Callable[[Tensor], object] | None:
        opt = self.opt
        if on_step is None or not isinstance(opt, FlatOptimizer):
            return on_step

        def shown(loss: Tensor) -> None:
            opt.publish_state()
            on_step(loss)

        return shown


def training_losses(
    network: nn.Module,
    batches: Batches,
    opt: torch.optim.Optimizer | FlatOptimizer,
    loss: Loss,
    on_step: Callable[[Tensor], object] | None = None,
) -> Tensor:
    """The loss of every batch (already cast), on the CPU, each taken before the batch's step."""
    network.train()
    losses: list[Tensor] = []
    with torch.enable_grad():
        for x, y in batches:
            opt.zero_grad()
            outputs = network(x) if losses else first_outputs(network, x, y, loss)
            value = loss.function(outputs, y)
            backward(value)
            losses.append(value.detach())
            if on_step:
                on_step(losses[-1])
            opt.step()
    return _stacked(losses)


def validation_losses(network: nn.Module, batches: Batches, loss: Loss) -> tuple[Tensor, list[int]]:
    """The loss of every batch (already cast), on the CPU, and how many numbers its mean is over."""
    network.eval()
    losses, sizes = [], []
    with torch.no_grad():
        for x, y in batches:
            losses.append(loss.function(network(x), y))
            sizes.append(y.numel())
    return _stacked(losses), sizes


def first_outputs(network: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> Tensor:
    """The outputs for the first batch, or one clear error where network, data and loss do not fit together."""
    outputs = outputs_for(network, x)
    loss.check_varies(outputs, y)
    return outputs


def _stacked(losses: list[Tensor]) -> Tensor:
    if not losses:
        raise ValueError("`dl_train` and `dl_valid` must have at least one batch; got none. Pass a dataset with rows.")
    return torch.stack(losses).cpu()
