"""lr_range_test: one short training in which the learning rate rises, to see which rates a training may have."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from torch import nn

from pycompare.calls import recorded
from pycompare.checks import flag, number, one_of
from pycompare.data.split import Split
from pycompare.results import Result
from pycompare.seeding import checked_seed
from pycompare.sweeps.configs import checked_split, network_factory
from pycompare.sweeps.runs import NetworkFactory, Run
from pycompare.sweeps.seeds import checked_seeds
from pycompare.sweeps.store.store import RunStore
from pycompare.sweeps.train import checked_n_jobs, made_with, train_all
from pycompare.training.losses import LossFunction, find_loss
from pycompare.training.monitoring import RangeTest
from pycompare.training.network import checked_module, first_parameter
from pycompare.training.optim import OptimizerFactory, make_optimizer
from pycompare.training.options import Options
from pycompare.training.policies import MomentumRange, RisingRate
from pycompare.training.schedules import check_schedule

if TYPE_CHECKING:
    from plotnine import ggplot

CONVERGES, STEEPEST, VALLEY, MINIMUM = "largest that converges", "steepest", "valley", "minimum / 10"
_CONVERGES = 2  # times the smallest loss: where a training does no longer converge, it soon is many times that
_SHARES = {"a third": 3, "a quarter": 4, "a tenth": 10, "a twentieth": 20}


@recorded
def lr_range_test(
    network: nn.Module | NetworkFactory | None = None,
    data: Split | None = None,
    start: float = 1e-5,
    end: float = 10.0,
    steps: int = 100,
    *,
    optimizer: str | OptimizerFactory = "adamw",
    mode: str = "exp",
    loss: str = "train",
    seeds: int | Sequence[int] = 1,
    cycle_momentum: MomentumRange = None,
    loss_function: str | LossFunction = "mse",
    batch_size: int = 16,
    stop: float | None = 4.0,
    smoothing: float = 0.9,
    seed: int = 123,
    n_jobs: int | None = 1,
    engine: str = "auto",
    threads: int | None = 1,
    store: RunStore | str | PathLike[str] | None = None,
    progress: bool = False,
    **optimizer_arguments: Any,
) -> RangeTestResult:
    """Train for a few steps with a learning rate that rises at each, and note the loss before every step.

    It leaves no trace: a network that is given is copied, and no global random state changes.

    Arguments:
        network: a module, or a callable that makes a fresh one; unless given, as in `compare_configs`.
        data: training and validation set; `course_data()` unless given.
        start, end, steps, mode: as in `RisingRate`: "exp" or "linear".
        optimizer, optimizer_arguments: as in `train_valid`; lr is the test's.
        loss: "train", the loss of the step's batch, or "valid", that of the whole validation set, in evaluation mode,
            which costs as much as it is large.
        seeds: repeat the test under so many seeds from `seed` on, or under a list of them, each with a network of its
            own: more than one needs a callable.
        cycle_momentum: the smallest and largest momentum (or beta1), which falls while the rate rises, as in a
            one-cycle training; None leaves it.
        loss_function: the `loss` of `train_valid`.
        batch_size: 1 or more; batches are taken in order, and from the first again.
        stop: the test ends where the smoothed loss exceeds this many times its smallest value so far; 1 or more. None
            ends it at the first loss that is not finite only.
        smoothing: of the loss, from 0 (none) to less than 1.
        seed, n_jobs, engine, threads, store, progress: as in `compare_configs`.

    Returns:
        A `RangeTestResult`: rates and losses, and the learning rates that they suggest.

    Raises:
        ValueError, TypeError: before the first step, naming argument, value and remedy.

    Source: Smith (2017), "Cyclical learning rates for training neural networks". Section 7 of
    r_reference/recorded_labs/record.R, which R torch ran and whose bits it has, ends at losses that are not finite.

    Example:
        >>> lr_range_test(steps=20).data.columns.tolist()
        ['seed', 'step', 'lr', 'loss', 'smoothed']
    """
    schedule = RisingRate(start, end, steps, mode, cycle_momentum)
    known, split = find_loss(loss_function), checked_split(data)
    test = RangeTest(
        schedule.steps,
        one_of("loss", loss, ("train", "valid"), "For the loss function, see `loss_function`.") == "valid",
        None if stop is None else number("stop", stop, at_least=1),
        number("smoothing", smoothing, at_least=0, below=1),
    )
    several = checked_seeds(seed, seeds)
    make = _maker(network, several) or network_factory(network, split, known)
    options = Options(1, batch_size, optimizer, optimizer_arguments, known, engine, threads, schedule)
    first = Run(make, split, options, checked_seed(seed), monitoring=test)
    sample = first.check_network()
    check_schedule(schedule, make_optimizer(sample, optimizer, optimizer_arguments), schedule.steps)
    like = first_parameter(sample)
    first = replace(first, dtype=like.dtype, device=like.device)
    runs = first.under_seeds({}, several)
    n_jobs, shown = checked_n_jobs(n_jobs), flag("progress", progress)
    frame, outcomes = train_all(runs, unit="step", n_jobs=n_jobs, progress=shown, store=store)
    told: dict[str, Any] = {
        "schedule": repr(schedule),
        "optimizer": optimizer,
        "loss": loss,
        "loss_function": loss_function,
    }
    told |= {"batch_size": options.batch_size, "stop": stop, "smoothing": smoothing, "seeds": list(several)}
    return RangeTestResult(frame, mode, told | optimizer_arguments, made_with(first, outcomes))


@dataclass(frozen=True, eq=False, repr=False)
class RangeTestResult(Result):
    """Losses by learning rate, and the rates that they suggest.

    Attributes:
        data: tidy frame, one row for each seed and step: seed, step (from 1), lr, momentum where it is cycled, loss
            (before the step; NaN where not finite), smoothed. It ends where a test has diverged.
        mode: "exp" or "linear".
        arguments: the other arguments of `lr_range_test`, by name.
        made_with: what else made it, as in `Comparison`.
    """

    mode: str
    arguments: dict[str, Any]
    made_with: dict[str, Any] = field(default_factory=dict, repr=False)
    _name: ClassVar[str] = "lr_range_test"

    def suggestions(self) -> pd.DataFrame:
        """The learning rates that each test suggests, by rule, all on the smoothed loss.

        - "largest that converges": the last rate whose loss is at most twice the smallest; and a third, a quarter, a
          tenth, a twentieth of it;
        - "steepest": where, after a tenth of the steps, the loss falls fastest along the axis of rates (their logarithm
          for "exp");
        - "valley": half way along the longest falling subsequence of the losses (fastai's rule);
        - "minimum / 10": a tenth of the rate whose loss is smallest.

        Returns:
            Columns seed, rule, lr; NaN where a test has too few finite losses.
        """
        tests = self.data.dropna(subset=["loss", "smoothed"]).groupby("seed", sort=False)
        rows = [
            {"seed": seed, "rule": rule, "lr": lr}
            for seed, run in tests
            for rule, lr in _rules(run["lr"].to_numpy(), run["smoothed"].to_numpy(), log=self.mode == "exp").items()
        ]
        return pd.DataFrame(rows, columns=["seed", "rule", "lr"])

    def summary(self) -> pd.DataFrame:
        """One row a rule of `suggestions`: the median lr over seeds, and the lowest and highest."""
        rates = self.suggestions().groupby("rule", sort=False)["lr"]
        return pd.DataFrame({"lr": rates.median(), "lowest": rates.min(), "highest": rates.max()}).reset_index()

    def plot(self) -> ggplot:
        """The loss by learning rate, over seeds with a band, and some of the rates suggested."""
        from pycompare.plots import plot_lr_range

        rules = self.summary()
        shown = rules[rules["rule"].isin([CONVERGES, STEEPEST, VALLEY, MINIMUM])]
        return plot_lr_range(self.data, rules=shown, log=self.mode == "exp", held_out=self.arguments["loss"] == "valid")

    def _words(self) -> str:
        found = self.suggestions()
        converges = found[found["rule"] == CONVERGES].set_index("seed")["lr"]
        last = self.data.groupby("seed", sort=False)["lr"].max()
        count = int((converges == last[converges.index]).sum())
        if not count:
            return ""
        return (
            f"In {count} of {len(last)} tests the largest rate that converges is the last one tried: no loss has shown"
            " it to be too large."
        )

    def _settings(self) -> dict[str, Any]:
        return {"arguments": {"mode": self.mode} | self.arguments, "made_with": self.made_with}

    def _title(self) -> str:
        lengths = self.data.groupby("seed", sort=False).size()
        return f"Learning-rate range test, {self.arguments['schedule']}, {lengths.min()} steps or more taken"


def _maker(network: Any, seeds: Sequence[int]) -> Callable[[], nn.Module] | None:
    """What copies a module; None where `network` is something else."""
    if not isinstance(network, nn.Module):
        return None
    if len(seeds) > 1:
        raise TypeError(
            f"`network` must be a callable for several seeds; got a {type(network).__name__}, which is the same under"
            " each. Pass e.g. lambda: MLP(4)."
        )
    return partial(copy.deepcopy, checked_module(network))


def _rules(rates: np.ndarray[Any, Any], losses: np.ndarray[Any, Any], *, log: bool) -> dict[str, float]:
    """The rates that one test suggests."""
    if len(rates) < 2:
        return {}
    tenth = len(losses) // 10
    converges = float(rates[np.flatnonzero(losses <= _CONVERGES * losses.min())[-1]])
    slopes = np.gradient(losses, np.log(rates) if log else rates)
    parts = {f"{name} of it": converges / share for name, share in _SHARES.items()}
    return (
        {CONVERGES: converges}
        | parts
        | {
            STEEPEST: float(rates[tenth + slopes[tenth:].argmin()]),
            VALLEY: float(rates[_valley(losses)]),
            MINIMUM: float(rates[losses.argmin()]) / 10,
        }
    )


def _valley(losses: np.ndarray[Any, Any]) -> int:
    """The step half way along the longest falling subsequence, taken for one in a row, as fastai's `valley` does."""
    lengths = np.ones(len(losses), dtype=int)
    for i in range(1, len(losses)):
        before = lengths[:i][losses[:i] > losses[i]]
        lengths[i] = 1 + before.max(initial=0)
    last = int(lengths.argmax())
    return last - int(lengths[last]) // 2
