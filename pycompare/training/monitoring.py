"""What is told of a training while it goes on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from pycompare.data.split import Split
from pycompare.training.batches import BatchedData, BatchLosses, batched
from pycompare.training.loop import Training
from pycompare.training.losses import Loss
from pycompare.training.schedules import Schedule, set_settings
from pycompare.training.stopping import Epoch
from pycompare.training.torch_private import foreach_norm, foreach_sub_

Sets = tuple[BatchedData, BatchedData]
Row = dict[str, Any]


class Monitoring(Protocol):
    """Of which batches a training tells what, and when.

    Attributes:
        resumes: whether a training may go on, with the same rows, from where it was between two epochs.
    """

    resumes: bool

    def sets(self, split: Split, like: Tensor, batch_size: int) -> Sets:
        """What is trained on and what is evaluated, cast as `like`."""

    def epochs(self, training: Training) -> Iterator[Epoch]:
        """Train from where `training` is, and yield after each epoch its number and the rows that tell of it.

        What does not resume yields rows as they come, or none where another run may have a turn.
        """

    def count(self, epochs: int) -> int:
        """How many rows that will be."""


@dataclass(frozen=True)
class EachEpoch:
    """After each epoch the means over batches, as `train_valid` tells them."""

    resumes = True

    def sets(self, split: Split, like: Tensor, batch_size: int) -> Sets:
        """As `Monitoring.sets` says."""
        return batched("ds_train", split.train, like, batch_size), batched("ds_valid", split.valid, like, batch_size)

    def epochs(self, training: Training) -> Iterator[Epoch]:
        """As `Monitoring.epochs` says."""
        return training.epochs()

    def count(self, epochs: int) -> int:
        """As `Monitoring.count` says."""
        return epochs


@dataclass(frozen=True)
class Restarts(EachEpoch):
    """Epochs until the validation loss is on a plateau, and from there, for each weight decay, `length` more.

    The plateau: for `patience` epochs no loss has been below 1 - `share` times the last one that was so.
    Rows have weight_decay, NaN before the plateau, and epoch, from 1 at either beginning.

    Attributes:
        values: the weight decays.
        length: of each restart, in epochs.
        schedule: of each restart; None for the settings before.
        patience: in epochs.
        share: from 0 to less than 1.
    """

    resumes = False
    values: tuple[float, ...]
    length: int
    schedule: Schedule | None
    patience: int
    share: float

    def epochs(self, training: Training) -> Iterator[Epoch]:
        """As `Monitoring.epochs` says."""
        training = replace(training, watched=True)
        yield from self._to_plateau(training)
        restore = training.engine.checkpoint()
        again = replace(training, options=replace(training.options, epochs=self.length, schedule=self.schedule))
        for value in self.values:
            restore()
            set_settings(training.opt, {"weight_decay": value})
            for epoch, (row,) in again.epochs():
                yield epoch, [{"weight_decay": value} | row]

    def count(self, epochs: int) -> int:
        """As `Monitoring.count` says."""
        return epochs + len(self.values) * self.length

    def _to_plateau(self, training: Training) -> Iterator[Epoch]:
        best, since = math.inf, 0
        for epoch, (row,) in training.epochs():
            yield epoch, [{"weight_decay": math.nan} | row]
            better = row["valid_loss"] < (1 - self.share) * best
            best, since = (row["valid_loss"], 0) if better else (best, since + 1)
            if since == self.patience:
                return


@dataclass(frozen=True)
class WholeSets:
    """The loss of both sets, each as one batch, in evaluation mode: before the first step, then after every `every`
    passes over the training set. An epoch is that many passes; `name` is what one pass is called."""

    resumes = True
    every: int = 1
    name: str = "epoch"

    def sets(self, split: Split, like: Tensor, batch_size: int) -> Sets:
        """As `Monitoring.sets` says."""
        train = batched("ds_train", split.train, like, batch_size)
        valid = batched("ds_valid", split.valid, like, len(split.valid))
        both = [*batched("ds_train", split.train, like, len(split.train)).batches, *valid.batches]
        return BatchedData(train.whole, list(train.batches) * self.every), BatchedData(valid.whole, both)

    def epochs(self, training: Training) -> Iterator[Epoch]:
        """As `Monitoring.epochs` says."""
        first = training.done + 1 if training.done else 0
        for epoch in range(first, training.options.epochs + 1):
            if epoch:
                training.train(epoch)
            yield epoch, [{self.name: epoch * self.every} | both_sets(training)]

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

    def epochs(self, training: Training) -> Iterator[Epoch]:
        """As `Monitoring.epochs` says."""
        norms = _Norms(training.network, self.every, steps=training.done * self.batches)
        for epoch in range(training.done, training.options.epochs):
            steps = range(epoch * self.batches, (epoch + 1) * self.batches)
            if any(step % self.every == 0 for step in steps):
                training.train(epoch + 1, norms.before_step)
                norms.after_step()
            else:
                training.train(epoch + 1)
                norms.steps += self.batches
            yield epoch + 1, norms.told()

    def count(self, epochs: int) -> int:
        """As `Monitoring.count` says."""
        return len(range(0, epochs * self.batches, self.every)) * self.parameters


@dataclass(frozen=True)
class RangeTest:
    """Before each of `steps` steps the loss of its batch, or that of the whole validation set; ends at divergence.

    An epoch is all of these steps, in as many passes over the training set as they take.

    Attributes:
        steps: how many.
        held_out: whether the loss is that of the validation set, without the root for "mse".
        factor: by which the smoothed loss may exceed its smallest value so far; None for any finite loss.
        smoothing: a of the exponential means, in [0, 1).
    """

    resumes = False
    steps: int
    held_out: bool
    factor: float | None
    smoothing: float

    def sets(self, split: Split, like: Tensor, batch_size: int) -> Sets:
        """As `Monitoring.sets` says."""
        train = batched("ds_train", split.train, like, batch_size)
        valid = batched("ds_valid", split.valid, like, len(split.valid))
        return BatchedData(train.whole, list(islice(cycle(train.batches), self.steps))), valid

    def epochs(self, training: Training) -> Iterator[Epoch]:
        """As `Monitoring.epochs` says."""
        told = _Smoothed(self.smoothing)

        def before_step(loss: Tensor) -> None:
            told.add(self._held_out_loss(training) if self.held_out else loss.item())
            if self._diverged(told):
                raise _DivergenceError

        with suppress(_DivergenceError):
            training.train(1, before_step)
        rates = training.options.schedule
        pairs = enumerate(zip(told.losses, told.means, strict=True))
        yield (
            1,
            [
                {"step": i + 1} | (rates.settings(i) if rates else {}) | {"loss": loss, "smoothed": smooth}
                for i, (loss, smooth) in pairs
            ],
        )

    def count(self, epochs: int) -> int:  # noqa: ARG002
        """As `Monitoring.count` says."""
        return self.steps

    def _held_out_loss(self, training: Training) -> float:
        modes = [(module, module.training) for module in training.network.modules()]
        loss = training.engine.validate().losses.item()
        for module, mode in modes:
            module.training = mode
        return loss

    def _diverged(self, told: _Smoothed) -> bool:
        too_high = self.factor is not None and told.means[-1] > self.factor * told.least
        return too_high or not math.isfinite(told.losses[-1])


class _DivergenceError(Exception):
    """Ends a range test."""


@dataclass
class _Smoothed:
    """Losses and their exponential means, free of the bias towards 0: s <- a s + (1 - a) loss; s / (1 - a^t)."""

    smoothing: float
    losses: list[float] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    least: float = math.inf
    mean: float = 0.0

    def add(self, loss: float) -> None:
        self.losses.append(loss)
        self.mean = self.smoothing * self.mean + (1 - self.smoothing) * loss
        self.means.append(self.mean / (1 - self.smoothing ** len(self.losses)))
        self.least = min(self.least, self.means[-1])


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


def both_sets(training: Training) -> Row:
    """The loss of each set, and for losses of classes its accuracy, where each is one batch of the validation."""
    told, loss = training.engine.validate(), training.options.loss
    return _set("train", 0, told, loss) | _set("valid", 1, told, loss)


def _set(name: str, i: int, told: BatchLosses, loss: Loss) -> dict[str, float]:
    value = told.losses[i].sqrt() if loss.rooted else told.losses[i]
    accuracy = {f"{name}_accuracy": float(told.accuracy(slice(i, i + 1)))} if loss.of_classes else {}
    return {f"{name}_loss": value.item()} | accuracy
