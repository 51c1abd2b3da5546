"""Trainings that are evaluated after so many steps, or seconds, whatever their epochs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

import torch

from pycompare.training.loop import Training
from pycompare.training.monitoring import Row, WholeSets, both_sets
from pycompare.training.network import first_parameter
from pycompare.training.stopping import Epoch

SLICE = 0.05  # seconds: many trainings' turns within what disturbs a machine for a second


@dataclass(frozen=True, kw_only=True)
class AfterSteps(WholeSets):
    """The loss of both sets as in `WholeSets`, before the first step and after some, and the time that training took.

    Attributes:
        rows_an_epoch: of the training set.
        after: how many steps, in order.
    """

    resumes = False
    rows_an_epoch: int
    after: tuple[int, ...]

    def epochs(self, training: Training) -> Iterator[Epoch]:
        """As `Monitoring.epochs` says."""
        clock = _Clock(training, self.rows_an_epoch)
        yield 0, [clock.row()]
        for steps in self.after:
            clock.take_steps(steps - clock.steps)
            yield 0, [clock.row()]

    def count(self, epochs: int) -> int:  # noqa: ARG002
        """As `Monitoring.count` says."""
        return 1 + len(self.after)


@dataclass(frozen=True, kw_only=True)
class AfterSeconds(WholeSets):
    """The same before the first step and at regular times of a training that lasts for some seconds.

    A turn lasts `SLICE` seconds at most, and a hundredth of the training, or one step.

    Attributes:
        rows_an_epoch: of the training set.
        seconds: above 0; time of training alone.
        evaluations: how many, 1 or more.
    """

    resumes = False
    rows_an_epoch: int
    seconds: float
    evaluations: int

    def epochs(self, training: Training) -> Iterator[Epoch]:
        """As `Monitoring.epochs` says."""
        clock, between = _Clock(training, self.rows_an_epoch), self.seconds / self.evaluations
        turns = math.ceil(between / min(SLICE, self.seconds / 100))
        yield 0, [clock.row()]
        for evaluation in range(self.evaluations):
            for turn in range(1, turns + 1):
                clock.train_until((evaluation + turn / turns) * between)
                yield 0, [clock.row()] if turn == turns else []

    def count(self, epochs: int) -> int:  # noqa: ARG002
        """As `Monitoring.count` says."""
        return 1 + self.evaluations


@dataclass
class _Clock:
    """A training, and the seconds that its steps have taken."""

    training: Training
    rows_an_epoch: int
    steps: int = 0
    seconds: float = 0.0

    def take_steps(self, count: int) -> None:
        start = self._now()
        self.training.take_steps(self.steps, self.steps + count)
        self.seconds += self._now() - start
        self.steps += count

    def train_until(self, seconds: float) -> None:
        """As many steps at a time as fit by the speed so far, but no more than there were: the speed may be wrong."""
        while self.seconds < seconds:
            fit = (seconds - self.seconds) * self.steps / max(self.seconds, 1e-9)
            self.take_steps(max(1, min(self.steps, int(fit))))

    def row(self) -> Row:
        epochs, steps = divmod(self.steps, self.training.batches)
        samples = epochs * self.rows_an_epoch + steps * self.training.options.batch_size
        done = {"epoch": samples / self.rows_an_epoch, "step": self.steps, "samples": samples, "seconds": self.seconds}
        return done | both_sets(self.training)

    def _now(self) -> float:
        device = first_parameter(self.training.network).device
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return perf_counter()
