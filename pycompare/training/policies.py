"""Learning rates, momenta and weight decays by step: constant, falling, rising, cyclical, and 1cycle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pycompare.checks import number, one_of, whole_number
from pycompare.training.schedules import Schedule

MomentumRange = tuple[float, float] | None
_MOMENTUM = (0.85, 0.95)


@dataclass(frozen=True, repr=False)
class ConstantRate(Schedule):
    """The same learning rate at every step.

    Arguments:
        lr: 0 or more.

    Example:
        >>> ConstantRate(0.1).settings(7)
        {'lr': 0.1}
    """

    lr: float

    def __post_init__(self) -> None:
        self._keep(lr=number("lr", self.lr, at_least=0))

    def settings(self, step: int) -> dict[str, float]:  # noqa: ARG002
        """As `Schedule.settings` says."""
        return {"lr": self.lr}


@dataclass(frozen=True, repr=False)
class StepRate(Schedule):
    """A learning rate that is multiplied by `factor` after every `every` steps: lr factor^floor(step / every).

    Arguments:
        lr: at the start, 0 or more.
        every: in steps, 1 or more.
        factor: 0 or more.

    Mirrors `lr_step` of R torch, which counts epochs where it is stepped once an epoch.

    Example:
        >>> [StepRate(0.5, every=2, factor=0.5).settings(step)["lr"] for step in range(5)]
        [0.5, 0.5, 0.25, 0.25, 0.125]
    """

    lr: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        every, factor = whole_number("every", self.every, at_least=1), number("factor", self.factor, at_least=0)
        self._keep(lr=number("lr", self.lr, at_least=0), every=every, factor=factor)

    def settings(self, step: int) -> dict[str, float]:
        """As `Schedule.settings` says."""
        return {"lr": self.lr * self.factor ** (step // self.every)}


@dataclass(frozen=True, repr=False)
class ExponentialRate(Schedule):
    """A learning rate that is multiplied by `factor` after every step: lr factor^step.

    Arguments:
        lr: at the start, 0 or more.
        factor: above 0; one above 1 lets the rate grow, until it is no number any more.

    Example:
        >>> [ExponentialRate(1, 0.5).settings(step)["lr"] for step in range(4)]
        [1.0, 0.5, 0.25, 0.125]
    """

    lr: float
    factor: float

    def __post_init__(self) -> None:
        self._keep(lr=number("lr", self.lr, at_least=0), factor=number("factor", self.factor, at_least=0))

    def settings(self, step: int) -> dict[str, float]:
        """As `Schedule.settings` says."""
        return {"lr": self.lr * self.factor**step}


@dataclass(frozen=True, repr=False)
class RisingRate(Schedule):
    """A learning rate that rises from `start` at the first step to `end` at the last, for range tests.

        start (end / start)^part, or for mode "linear" start + (end - start) part;  part = step / (steps - 1)

    Arguments:
        start, end: learning rates, above 0; for "linear" 0 or more. The quotient is that of their decimal digits: 10
            over 1e-5 is 1e6, as it is written in R.
        steps: 2 or more.
        mode: "exp" or "linear".
        momentum: the smallest and largest momentum (or beta1), which falls along a line while the rate rises; None
            leaves it.

    Example:
        >>> RisingRate(0.25, 4, steps=3).frame()["lr"].tolist()
        [0.25, 1.0, 4.0]
    """

    start: float
    end: float
    steps: int
    mode: str = "exp"
    momentum: MomentumRange = None

    def __post_init__(self) -> None:
        low, high = _range("start", self.start, "end", self.end)
        mode = one_of("mode", self.mode, ("exp", "linear"), "Choose one of them.")
        if mode == "exp" and low == 0:
            raise ValueError(f"`start` must be above 0 for mode 'exp'; got {self.start!r}. Choose e.g. 1e-5.")
        steps, momentum = whole_number("steps", self.steps, at_least=2), checked_momentum(self.momentum)
        self._keep(start=low, end=high, steps=steps, momentum=momentum)

    @property
    def length(self) -> int:
        """As `Schedule.length` says."""
        return self.steps

    def settings(self, step: int) -> dict[str, float]:
        """As `Schedule.settings` says."""
        _check_step(self, step)
        part = step / (self.steps - 1)
        linear = self.mode == "linear"
        lr = _between(self.start, self.end, part) if linear else self.start * self._ratio() ** part
        return {"lr": lr} | _mirrored(self.momentum, part)

    def _ratio(self) -> float:
        return float(Decimal(repr(self.end)) / Decimal(repr(self.start)))


@dataclass(frozen=True, repr=False)
class CyclicalRate(Schedule):
    """A triangular wave: the learning rate rises from `low` to `high` and returns, each in `half` steps, and again.

    Arguments:
        low, high: learning rates, 0 or more.
        half: steps from one to the other, 1 or more: 2 to 8 epochs in the paper.
        momentum: the smallest and largest momentum (or beta1), which is largest where the rate is smallest; None
            leaves it.

    Source: Smith (2017), "Cyclical learning rates for training neural networks", policy "triangular".

    Example:
        >>> [CyclicalRate(0, 1, half=2).settings(step)["lr"] for step in range(6)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]
    """

    low: float
    high: float
    half: int
    momentum: MomentumRange = None

    def __post_init__(self) -> None:
        low, high = _range("low", self.low, "high", self.high)
        half, momentum = whole_number("half", self.half, at_least=1), checked_momentum(self.momentum)
        self._keep(low=low, high=high, half=half, momentum=momentum)

    def settings(self, step: int) -> dict[str, float]:
        """As `Schedule.settings` says."""
        part = _triangle(step, self.half)
        return {"lr": _between(self.low, self.high, part)} | _mirrored(self.momentum, part)


@dataclass(frozen=True, repr=False)
class CyclicalDecay(Schedule):
    """A triangular wave of the weight decay, as `CyclicalRate` of the learning rate, which is left alone.

    Arguments:
        low, high: weight decays, 0 or more.
        half: steps from one to the other, 1 or more.

    Source: Smith (2022), "General cyclical training of neural networks", arXiv 2202.08835.

    Example:
        >>> [CyclicalDecay(0, 0.5, half=1).settings(step)["weight_decay"] for step in range(3)]
        [0.0, 0.5, 0.0]
    """

    low: float
    high: float
    half: int

    def __post_init__(self) -> None:
        low, high = _range("low", self.low, "high", self.high)
        self._keep(low=low, high=high, half=whole_number("half", self.half, at_least=1))

    def settings(self, step: int) -> dict[str, float]:
        """As `Schedule.settings` says."""
        return {"weight_decay": _between(self.low, self.high, _triangle(step, self.half))}


class _OfAllSteps(Schedule):
    """A schedule that has as many steps as the training, each of which it goes through once."""

    steps: int

    @property
    def length(self) -> int:
        """As `Schedule.length` says."""
        return self.steps

    @property
    def one_step_each(self) -> bool:
        """As `Schedule.one_step_each` says."""
        return True


@dataclass(frozen=True, repr=False)
class OneCycle(_OfAllSteps):
    """Smith's policy as published: one triangle that is shorter than the training, then a rate below its start.

        low -> max_lr -> low in two lines of equal length;  low -> low / 100 over the steps that are left

    Momentum (or beta1) falls while the rate rises, returns with it, and stays.

    Arguments:
        max_lr: above 0.
        steps: of the training, 4 or more.
        low: the rate at the first step and where the triangle ends; a tenth of max_lr unless given.
        annihilation: the share of the steps after the triangle, from 0 to less than 1.
        momentum: the smallest and the largest; None leaves it.

    `CosineOneCycle` is what PyTorch and R torch call one-cycle. Source: Smith (2018), "A disciplined approach to neural
    network hyper-parameters", arXiv 1803.09820; Smith and Topin (2018), arXiv 1708.07120. A tenth for the share of the
    last part, and a hundredth for its end, are choices: the papers say "several orders of magnitude".

    Example:
        >>> [OneCycle(1, steps=6, low=0.5, annihilation=0.2).settings(step)["lr"] for step in range(6)]
        [0.5, 0.75, 1.0, 0.75, 0.5, 0.005]
    """

    max_lr: float
    steps: int
    low: float | None = None
    annihilation: float = 0.1
    momentum: MomentumRange = _MOMENTUM

    def __post_init__(self) -> None:
        high, steps = number("max_lr", self.max_lr, at_least=0), whole_number("steps", self.steps, at_least=4)
        low = None if self.low is None else _range("low", self.low, "max_lr", high)[0]
        annihilation = number("annihilation", self.annihilation, at_least=0, below=1)
        momentum = checked_momentum(self.momentum)
        self._keep(max_lr=high, steps=steps, low=low, annihilation=annihilation, momentum=momentum)

    def settings(self, step: int) -> dict[str, float]:
        """As `Schedule.settings` says."""
        _check_step(self, step)
        low = self.max_lr / 10 if self.low is None else self.low
        half = max(1, round((1 - self.annihilation) * (self.steps - 1) / 2))
        if step <= 2 * half:
            part = _triangle(step, half)
            return {"lr": _between(low, self.max_lr, part)} | _mirrored(self.momentum, part)
        left = (step - 2 * half) / (self.steps - 1 - 2 * half)
        return {"lr": _between(low, low / 100, left)} | _mirrored(self.momentum, 0.0)


@dataclass(frozen=True, repr=False)
class CosineOneCycle(_OfAllSteps):
    """One-cycle as PyTorch and R torch have it: half a cosine from the first rate up to `max_lr`, and one down.

        rate = end + (start - end) / 2 (cos(pi part) + 1)

    Momentum (or beta1) moves against the rate.

    Arguments:
        max_lr: above 0.
        steps: of the training, 4 or more.
        pct_start: the share of the steps in which the rate rises, from 1 / steps to less than 1.
        div_factor: max_lr over the first rate, 1 or more.
        final_div_factor: the first rate over the last, 1 or more.
        momentum: the smallest and the largest; None leaves it.

    Mirrors `lr_one_cycle(optimizer, max_lr, total_steps)` of R torch and `torch.optim.lr_scheduler.OneCycleLR`: same
    defaults, same bits. R's `base_momentum` and `max_momentum` are the pair `momentum` here.

    Example:
        >>> [CosineOneCycle(0.1, steps=100, momentum=None).settings(step)["lr"] for step in (29, 64)]
        [0.1, 0.0500002]
    """

    max_lr: float
    steps: int
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    momentum: MomentumRange = _MOMENTUM

    def __post_init__(self) -> None:
        steps, share = whole_number("steps", self.steps, at_least=4), number("pct_start", self.pct_start, below=1)
        if not share * steps > 1:
            raise ValueError(
                f"`pct_start` must be above 1 / steps; got {self.pct_start!r} of {steps} steps. The rate must rise for"
                " more than one step: choose a larger share."
            )
        factors = {name: number(name, getattr(self, name), at_least=1) for name in ("div_factor", "final_div_factor")}
        high, momentum = number("max_lr", self.max_lr, at_least=0), checked_momentum(self.momentum)
        self._keep(max_lr=high, steps=steps, pct_start=share, momentum=momentum, **factors)

    def settings(self, step: int) -> dict[str, float]:
        """As `Schedule.settings` says."""
        _check_step(self, step)
        first, rise = self.max_lr / self.div_factor, self.pct_start * self.steps - 1
        if step <= rise:
            lr = _cosine(first, self.max_lr, step / rise)
            return {"lr": lr} | (
                {} if self.momentum is None else {"momentum": _cosine(*self.momentum[::-1], step / rise)}
            )
        part = (step - rise) / (self.steps - 1 - rise)
        lr = _cosine(self.max_lr, first / self.final_div_factor, part)
        return {"lr": lr} | ({} if self.momentum is None else {"momentum": _cosine(*self.momentum, part)})


def _check_step(schedule: Schedule, step: int) -> None:
    if not 0 <= step < schedule.length:  # type: ignore[operator]
        raise ValueError(f"`step` must be from 0 to {schedule.length - 1} in {schedule!r}; got {step!r}. Count from 0.")  # type: ignore[operator]


def checked_momentum(momentum: Any) -> MomentumRange:
    """The smallest and the largest momentum, or None, or one clear error."""
    if momentum is None:
        return None
    if not isinstance(momentum, (tuple, list)) or len(momentum) != 2:
        raise TypeError(f"`momentum` must be a pair (smallest, largest) or None; got {momentum!r}. Pass (0.85, 0.95).")
    low, high = (number("momentum", value, at_least=0, below=1) for value in momentum)
    return _range("momentum[0]", low, "momentum[1]", high)


def _range(low_name: str, low: float, high_name: str, high: float) -> tuple[float, float]:
    smaller, larger = number(low_name, low, at_least=0), number(high_name, high, at_least=0)
    if smaller > larger:
        raise ValueError(f"`{low_name}` must be at most `{high_name}`; got {low!r} and {high!r}. Swap them.")
    return smaller, larger


def _triangle(step: int, half: int) -> float:
    """0 at steps 0, 2 half, ...; 1 at half, 3 half, ...; lines between."""
    return 1 - abs(step % (2 * half) - half) / half


def _between(start: float, end: float, part: float) -> float:
    """`start` at part 0 and `end` at part 1, in every bit."""
    return start * (1 - part) + end * part


def _mirrored(momentum: MomentumRange, part: float) -> dict[str, float]:
    return {} if momentum is None else {"momentum": _between(*momentum[::-1], part)}


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2 * (math.cos(math.pi * part) + 1)
