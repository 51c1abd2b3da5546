"""Settings that change from step to step: what a schedule is, and what a training asks of it; `policies` are those that
pycompare has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import Field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch.optim.lr_scheduler import LRScheduler

from pycompare.checks import whole_number

if TYPE_CHECKING:
    from plotnine import ggplot


class Schedule(ABC):
    """Which of an optimizer's settings hold at which step, counted from 0 through all epochs.

    A schedule of your own is a subclass with `settings`, best a frozen dataclass, and with `length` where it ends.
    """

    @abstractmethod
    def settings(self, step: int) -> dict[str, float]:
        """The settings at a step: some of lr, momentum (for optimizers with betas, beta1) and weight_decay."""

    @property
    def length(self) -> int | None:
        """How many steps there are; None for no end."""
        return None

    @property
    def one_step_each(self) -> bool:
        """Whether a loop of one's own must step the scheduler after each of the optimizer's steps, not each epoch."""
        return False

    def frame(self, steps: int | None = None) -> pd.DataFrame:
        """The settings at each of the first `steps` steps, all unless given: a column step, from 0, and theirs."""
        count = self._counted(steps)
        return pd.DataFrame([{"step": step} | self.settings(step) for step in range(count)])

    def plot(self, steps: int | None = None) -> ggplot:
        """The settings by step, a panel each; `steps` as in `frame`."""
        from pycompare.plots import plot_schedule

        return plot_schedule(self.frame(steps))

    def scheduler(self, opt: torch.optim.Optimizer) -> ScheduleLR:
        """A `torch.optim.lr_scheduler` for a loop of one's own: call its `step()` after each step of `opt`."""
        return ScheduleLR(opt, self)

    def _counted(self, steps: int | None) -> int:
        if steps is None:
            if self.length is None:
                raise ValueError(f"`steps` must be given for {self!r}, which has no end; got None. Pass e.g. 100.")
            return self.length
        return whole_number("steps", steps, at_least=1, at_most=self.length)

    def __repr__(self) -> str:
        """The fields that are not at their defaults."""
        known: Sequence[Field[Any]] = fields(self) if is_dataclass(self) else ()
        told = [(one.name, getattr(self, one.name), one.default) for one in known]
        given = ", ".join(f"{name}={value!r}" for name, value, default in told if value != default)
        return f"{type(self).__name__}({given})"

    def _keep(self, **checked: Any) -> None:
        """Let fields be their checked values."""
        for name, value in checked.items():
            object.__setattr__(self, name, value)


class ScheduleLR(LRScheduler):
    """A schedule in a loop of one's own, see `Schedule.scheduler`.

    Raises:
        ValueError: `opt` lacks a setting of the schedule. Later, where either is stepped after the schedule's end, or
            under a one-cycle policy, whose length is in steps, `opt` is stepped twice between two calls of `step`.
    """

    def __init__(self, opt: torch.optim.Optimizer, schedule: Schedule) -> None:
        check_schedule(schedule, opt)
        self._schedule, self._taken = schedule, 0
        opt.register_step_pre_hook(self._before_step)
        super().__init__(opt)

    def step(self, epoch: int | None = None) -> None:
        """Set what holds at the next step. After the last step the settings stay as they are."""
        if epoch is not None:
            raise TypeError(f"`epoch` must be left out: a schedule counts steps; got {epoch!r}. Call step().")
        self._check_end(self.last_epoch)
        super().step()
        self._taken = 0

    def get_lr(self) -> list[float | torch.Tensor]:
        """The learning rate of each group, once momentum and weight decay are set, too."""
        if self.last_epoch != self._schedule.length:
            set_settings(self.optimizer, self._schedule.settings(self.last_epoch))
        return [group["lr"] for group in self.optimizer.param_groups]

    def _before_step(self, *_: Any) -> None:
        self._check_end(self.last_epoch)
        if self._taken and self._schedule.one_step_each:
            raise ValueError(
                f"The scheduler must be stepped after each step of the optimizer under {self._schedule!r}; got two"
                " steps of the optimizer in a row. Call scheduler.step() after opt.step(), for each batch."
            )
        self._taken += 1

    def _check_end(self, step: int) -> None:
        length = self._schedule.length
        if length is not None and step >= length:
            raise ValueError(
                f"`steps` must be the steps of the whole training; got {length} in {self._schedule!r}, and one step"
                " more. Make a longer schedule."
            )


def check_schedule(schedule: Schedule, opt: torch.optim.Optimizer, steps: int = 1) -> None:
    """One clear error where `opt` lacks a setting of `schedule`, or its end is before that of the training."""
    for name in schedule.settings(0):
        if any(name not in group and not (name == "momentum" and "betas" in group) for group in opt.param_groups):
            raise ValueError(
                f"`schedule` must set what {type(opt).__name__} has; got {schedule!r}, which sets {name}."
                " Choose another optimizer, or another schedule (momentum=None leaves the momentum)."
            )
    if schedule.length is not None and schedule.length < steps:
        raise ValueError(
            f"`schedule` must not end before the training, which has {steps} steps (epochs times batches); got"
            f" {schedule!r}. Pass steps={steps}."
        )


def checked_schedule(name: str, schedule: Any) -> Schedule | None:
    """`schedule` itself, a `Schedule` or None, or one clear error."""
    if not (schedule is None or isinstance(schedule, Schedule)):
        raise TypeError(f"`{name}` must be a Schedule; got {schedule!r}. Pass e.g. OneCycle(0.1, steps=440).")
    return schedule


def set_settings(opt: torch.optim.Optimizer, settings: dict[str, float]) -> None:
    """Let these settings hold from the next step on, in all groups; momentum is beta1 where there are betas."""
    for group in opt.param_groups:
        for name, value in settings.items():
            if name == "momentum" and "betas" in group:
                group["betas"] = (value, *group["betas"][1:])
            else:
                group[name] = value
