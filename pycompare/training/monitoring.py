"""What is told of a training while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from pycompare.data.split import Split
from pycompare.training.batches import BatchedData, BatchLosses, batched
from pycompare.training.loop import Training
from pycompare.training.losses import Loss

Sets = tuple[BatchedData, BatchedData]


class Monitoring(Protocol):
    """Of which batches a training tells what, and when."""

    def sets(self, split: Split, like: Tensor, batch_size: int) -> Sets:
        """What is trained on and what is evaluated, cast as `like`."""

    def rows(self, training: Training) -> Iterator[dict[str, float]]:
        """Train, and yield a row whenever there is something to tell."""

    def count(self, epochs: int) -> int:
        """How many rows that will be."""


@dataclass(frozen=True)
class EachEpoch:
    """After each epoch the means over batches, as `train_valid` tells them."""

    def sets(self, split: Split, like: Tensor, batch_size: int) -> Sets:
        """As `Monitoring.sets` says."""
        return batched("ds_train", split.train, like, batch_size), batched("ds_valid", split.valid, like, batch_size)

    def rows(self, training: Training) -> Iterator[dict[str, float]]:
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

    def rows(self, training: Training) -> Iterator[dict[str, float]]:
        """As `Monitoring.rows` says."""
        for epoch in range(training.options.epochs + 1):
            if epoch:
                training.engine.train()
            told = training.engine.validate()
            row: dict[str, float] = {self.name: epoch * self.every}
            for i, name in enumerate(("train", "valid")):
                row |= _set(name, i, told, training.options.loss)
            yield row

    def count(self, epochs: int) -> int:
        """As `Monitoring.count` says."""
        return epochs + 1


def _set(name: str, i: int, told: BatchLosses, loss: Loss) -> dict[str, float]:
    value = told.losses[i].sqrt() if loss.rooted else told.losses[i]
    accuracy = {f"{name}_accuracy": told.accuracy(slice(i, i + 1))} if loss.of_classes else {}
    return {f"{name}_loss": value.item()} | accuracy
