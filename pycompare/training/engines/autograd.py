"""Training of any module by autograd, with one flat optimizer step where that applies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pycompare.seeding import generators_of
from pycompare.training.batches import Batches, BatchLosses, OnLoss, Restore, SetRates, cast_batches, stacked_epochs
from pycompare.training.engines.flat import FlatOptimizer, state_checkpoint
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
    releases_gil = False
    stride = 1
    name = "autograd"

    def train(self, on_step: OnLoss | None = None, set_rates: SetRates | None = None) -> BatchLosses:
        """As `Engine.train` says."""
        batches = _counted(self._cast(self.dl_train), set_rates) if set_rates else self._cast(self.dl_train)
        return training_losses(self.network, batches, self.opt, self.loss, self._shown(on_step))

    def take_steps(self, batches: range, set_rates: SetRates | None = None) -> None:
        """As `Engine.take_steps` says."""
        part = islice(self._cast(self.dl_train), batches.start, batches.stop)
        counted = _counted(part, set_rates, batches.start) if set_rates else part
        training_losses(self.network, counted, self.opt, self.loss)

    def validate(self) -> BatchLosses:
        """As `Engine.validate` says."""
        return validation_losses(self.network, self._cast(self.dl_valid), self.loss)

    def epochs(self, count: int) -> tuple[BatchLosses, BatchLosses]:
        """As `Engine.epochs` says."""
        return stacked_epochs((self.train(), self.validate()) for _ in range(count))

    def publish(self) -> None:
        """As `Engine.publish` says."""

    def publish_state(self) -> None:
        """As `Engine.publish_state` says."""
        if isinstance(self.opt, FlatOptimizer):
            self.opt.publish_state()

    def adopt_state(self) -> None:
        """As `Engine.adopt_state` says."""
        if isinstance(self.opt, FlatOptimizer):
            self.opt.adopt_state()

    def checkpoint(self) -> Restore:
        """As `Engine.checkpoint` says."""
        tensors = [*self.network.parameters(), *self.network.buffers()]
        kept = [tensor.detach().clone() for tensor in tensors]
        generators = [(one, one.get_state()) for one in generators_of(tensors[0].device)]
        state = self.opt.checkpoint() if isinstance(self.opt, FlatOptimizer) else state_checkpoint(self.opt)

        @torch.no_grad()
        def restore() -> None:
            for tensor, value in zip(tensors, kept, strict=True):
                tensor.copy_(value)
            for generator, drawn in generators:
                generator.set_state(drawn)
            state()

        return restore

    def _cast(self, batches: Batches) -> Batches:
        if isinstance(batches, DataLoader):
            return cast_batches(batches, first_parameter(self.network))
        return batches

    def _shown(self, on_step: OnLoss | None) -> OnLoss | None:
        opt = self.opt
        if on_step is None or not isinstance(opt, FlatOptimizer):
            return on_step

        def shown(loss: Tensor) -> None:
            opt.publish_state()
            on_step(loss)

        return shown


def _counted(batches: Batches, before: SetRates, first: int = 0) -> Iterator[Any]:
    """`batches` from the `first` on, with `before` called with the place of each when it is asked for."""
    for i, batch in enumerate(batches, first):
        before(i)
        yield batch


def training_losses(
    network: nn.Module,
    batches: Batches,
    opt: torch.optim.Optimizer | FlatOptimizer,
    loss: Loss,
    on_step: OnLoss | None = None,
) -> BatchLosses:
    """The loss of every batch (already cast), each taken before the batch's step."""
    network.train()
    told = _Told(loss)
    with torch.enable_grad():
        for x, y in batches:
            opt.zero_grad()
            outputs = network(x) if told.values else first_outputs(network, x, y, loss)
            value = loss.function(outputs, y)
            backward(value)
            told.add(value.detach(), outputs.detach(), y)
            if on_step:
                on_step(told.values[-1])
            opt.step()
    return told.losses()


def validation_losses(network: nn.Module, batches: Batches, loss: Loss) -> BatchLosses:
    """The loss of every batch (already cast)."""
    network.eval()
    told = _Told(loss)
    with torch.no_grad():
        for x, y in batches:
            outputs = outputs_for(network, x)
            told.add(loss.function(outputs, y), outputs, y)
    return told.losses()


@dataclass
class _Told:
    """What the batches so far have told."""

    loss: Loss
    values: list[Tensor] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    right: list[Tensor] = field(default_factory=list)

    def add(self, value: Tensor, outputs: Tensor, targets: Tensor) -> None:
        self.values.append(value)
        self.sizes.append(targets.numel())
        if self.loss.of_classes:
            self.right.append(self.loss.right(outputs, targets))

    def losses(self) -> BatchLosses:
        if not self.values:
            raise ValueError(
                "`dl_train` and `dl_valid` must have at least one batch; got none. Pass a dataset with rows."
            )
        right = np.array([int(rows.sum()) for rows in self.right], np.int64)
        known = [rows.numel() for rows in self.right]
        return BatchLosses(torch.stack(self.values).cpu(), self.sizes, right, known)


def first_outputs(network: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> Tensor:
    """The outputs for the first batch, or one clear error where network, data and loss do not fit together."""
    outputs = outputs_for(network, x)
    loss.check_varies(outputs, y)
    return outputs
