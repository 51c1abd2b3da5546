"""What is told of a training while it goes on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from pycompare.data.split import Split
from pycompare.training.batches import BatchedData, BatchLosses, batched
from pycompare.training.loop import Training
from pycompare.training.losses import Loss
from pycompare.training.torch_private import foreach_norm, foreach_sub_

Sets = tuple[BatchedData, BatchedData]
Row = dict[str, Any]


class Monitoring(Protocol):
    """Of which batches a training tells what, and when."""

    def sets(self, split: Split, like: Tensor, batch_size: int) -> Sets:
        """What is trained on and what is evaluated, cast as `like`."""

    def rows(self, training: Training) -> Iterator[Row]:
        """Train, and yield a row whenever there is something to tell."""

    def count(self, epochs: int) -> int:
        """How many rows that will be."""


@dataclass(frozen=True)
class EachEpoch:
    """After each epoch the means over batches, as `train_valid` tells them."""

    def sets(self, split: Split, like: Tensor, batch_size: int) -> Sets:
        """As `Monitoring.sets` says."""
        return batched("ds_train", split.train, like, batch_size), batched("ds_valid", split.valid, like, batch_size)

    def rows(self, training: Training) -> Iterator[Row]:
        """As `Monitoring.rows` says."""
        return training.epochs()

    def count(self, epochs: int) -> int:
        """As `Monitoring.count` says."""
        return epochs


@dataclass(frozen=True)
class WholeSets:
    """The loss of both sets, each as one batch, in evaluation mode: before the first step, then after every `every`
    passes over the training set. An epoch is that many passes; `name` is what one pass is called."""

    every: int = 1
    name: str = "epoch"

    def sets(self, split: Split, like: Tensor, batch_size: int) -> Sets:
        """As `Monitoring.sets` says."""
        train = batched("ds_train", split.train, like, batch_size)
        valid = batched("ds_valid", split.valid, like, len(split.valid))
        both = [*batched("ds_train", split.train, like, len(split.train)).batches, *valid.batches]
        return BatchedData(train.whole, list(train.batches) * self.every), BatchedData(valid.whole, both)

    def rows(self, training: Training) -> Iterator[Row]:
        """As `Monitoring.rows` says."""
        for epoch in range(training.options.epochs + 1):
            if epoch:
                training.engine.train()
            told = training.engine.validate()
            row: Row = {self.name: epoch * self.every}
            for i, name in enumerate(("train", "valid")):
                row |= _set(name, i, told, training.options.loss)
            yield row

    def count(self, epochs: int) -> int:
        """As `Monitoring.count` says."""
        return epochs + 1


@dataclass(frozen=True)
class GradientNorms(EachEpoch):
    """At steps 1, 1 + every, ... a row for each parameter: the 2-norms of its gradient and of its value before the
    step, of its change by the step, and the loss of the batch.

    Attributes:
        every: 1 or more.
        batches: of an epoch.
        parameters: how many tensors they are.
    """

    every: int
    batches: int
    parameters: int

    def rows(self, training: Training) -> Iterator[Row]:
        """As `Monitoring.rows` says."""
        norms = _Norms(training.network, self.every)
        for epoch in range(training.options.epochs):
            steps = range(epoch * self.batches, (epoch + 1) * self.batches)
            if any(step % self.every == 0 for step in steps):
                training.engine.train(norms.before_step)
                norms.after_step()
                yield from norms.told()
            else:
                training.engine.train()
                norms.steps += self.batches

    def count(self, epochs: int) -> int:
        """As `Monitoring.count` says."""
        return len(range(0, epochs * self.batches, self.every)) * self.parameters


@dataclass
class _Norms:
    """The norms so far; what a step changes is known when the next one comes, or the epoch ends."""

    network: nn.Module
    every: int
    steps: int = 0
    rows: list[Row] = field(default_factory=list)
    before: list[Tensor] = field(default_factory=list)

    @torch.no_grad()
    def before_step(self, loss: Tensor) -> None:
        self.after_step()
        if self.steps % self.every == 0:
            names, parameters = zip(*self.network.named_parameters(), strict=True)
            nothing = loss.new_tensor(math.nan)
            gradients = [nothing if one.grad is None else one.grad for one in parameters]
            self.before = [one.detach().clone() for one in parameters]
            for name, gradient, value in zip(names, _norms(gradients), _norms(self.before), strict=True):
                told = {"parameter": name, "gradient": gradient, "value": value, "loss": loss.item()}
                self.rows.append({"step": self.steps + 1} | told)
        self.steps += 1

    @torch.no_grad()
    def after_step(self) -> None:
        if self.before:
            foreach_sub_(self.before, [one.detach() for one in self.network.parameters()])
            for row, update in zip(self.rows[-len(self.before) :], _norms(self.before), strict=True):
                row["update"] = update
            self.before = []

    def told(self) -> list[Row]:
        rows, self.rows = self.rows, []
        return rows


def _norms(tensors: list[Tensor]) -> list[float]:
    """Of each its `norm()`, in its bits."""
    return [norm.item() for norm in foreach_norm(tensors)]


def _set(name: str, i: int, told: BatchLosses, loss: Loss) -> dict[str, float]:
    value = told.losses[i].sqrt() if loss.rooted else told.losses[i]
    accuracy = {f"{name}_accuracy": told.accuracy(slice(i, i + 1))} if loss.of_classes else {}
    return {f"{name}_loss": value.item()} | accuracy
