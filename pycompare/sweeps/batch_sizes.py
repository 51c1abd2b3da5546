"""compare_batch_sizes: one network trained with several batch sizes, all with the same epochs, steps or seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
import torch

from pycompare.calls import recorded
from pycompare.checks import flag, number, one_of, whole_number
from pycompare.data.split import Split
from pycompare.divergence import is_finite
from pycompare.labels import setting_label
from pycompare.seeding import checked_seed
from pycompare.sweeps.advice import input_size
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.configs import checked_device, checked_split, network_factory
from pycompare.sweeps.runs import NetworkFactory, Run
from pycompare.sweeps.seeds import checked_seeds, means_at_the_end
from pycompare.sweeps.store.store import RunStore
from pycompare.sweeps.train import checked_n_jobs, made_with, networks, train_all, train_interleaved
from pycompare.sweeps.vary import Check, Numbers, the_list, vary
from pycompare.training.budgets import AfterSeconds, AfterSteps
from pycompare.training.losses import LossFunction, find_loss
from pycompare.training.monitoring import Monitoring
from pycompare.training.optim import OptimizerFactory
from pycompare.training.options import Options, checked_dtype

if TYPE_CHECKING:
    from plotnine import ggplot

_COLUMNS = {"epochs": "epoch", "steps": "step", "samples": "samples", "seconds": "seconds"}
_CHECKS: dict[str, Check] = {
    "epochs": partial(whole_number, at_least=1),
    "steps": partial(whole_number, at_least=1),
    "seconds": partial(number, at_least=0),
}
_POWERS = {"fixed": 0.0, "linear": 1.0, "sqrt": 0.5}
_STEPS_TO_EXPECT = 1000  # of a run that is measured in seconds: all get one engine, machine code where it is there


@recorded
def compare_batch_sizes(
    sizes: Numbers,
    budget: str = "epochs",
    amount: float = 30,
    *,
    lr: float = 0.01,
    scale_lr: str = "fixed",
    reference_size: int | None = None,
    data: Split | None = None,
    network: NetworkFactory | None = None,
    seed: int = 123,
    seeds: int | Sequence[int] | None = None,
    optimizer: str | OptimizerFactory = "adamw",
    loss: str | LossFunction = "mse",
    evaluations: int = 30,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | str = "float32",
    n_jobs: int | None = 1,
    engine: str = "auto",
    threads: int | None = 1,
    keep_networks: bool = False,
    store: RunStore | str | PathLike[str] | None = None,
    progress: bool = True,
    **optimizer_arguments: Any,
) -> BatchSizes:
    """Train one network with each of several batch sizes, all within the same budget of epochs, steps or seconds.

        lr of a run = lr * (size / reference_size)^power,  power 0 ("fixed"), 1 ("linear") or 1/2 ("sqrt")

    Both sets are evaluated whole, before the first step and at regular points of the budget, so that losses of all
    sizes can be compared. Every run is one random scope, as in `compare_configs`.

    Arguments:
        sizes: rows a step, 1 or more each, a list of distinct ones.
        budget: what all runs have the same of: "epochs" (passes over the training set), "steps", or "seconds" of
            training alone. For seconds the runs of one seed take turns of 0.05 seconds, a hundredth of the budget, or a
            step, so that what else the machine does slows all of them. A run exceeds its seconds by a turn at most.
        amount: of the budget: a whole number, 1 or more, of epochs or steps; more than 0 seconds.
        lr: learning rate at `reference_size`, 0 or more.
        scale_lr: how it follows the size: "fixed", "linear" or "sqrt".
        reference_size: 1 or more; the smallest of `sizes` unless given.
        data, network, seed, seeds: as in `compare_configs`.
        optimizer, loss, optimizer_arguments: as in `train_valid`.
        evaluations: how many, at most, after the first step; 1 or more. Epochs are not interrupted, and steps neither.
        device, dtype, n_jobs, engine, threads, keep_networks, store, progress: as in `compare_configs`. Seconds need
            n_jobs=1, and no store, as they are not the same again.
            Under "auto" a long run may get another engine than a short one; who compares the seconds of epochs or steps
            should name one.

    Returns:
        A `BatchSizes`: losses of both sets by epoch, step, samples and seconds.

    Raises:
        ValueError, TypeError: before the first step of the first run, naming argument, value and remedy.
        KeyboardInterrupt: with the attribute `partial`, the frame of what was done.

    With a budget of epochs and a fixed rate it trains what the course's `compare_configs` trains for a list of batch
    sizes, to the last bit; that evaluates batch by batch, and so has other losses. Sources for the rates: Goyal et al.
    (2017), "Accurate, Large Minibatch SGD" (linear); Krizhevsky (2014), "One weird trick" (square root).

    Example:
        >>> runs = compare_batch_sizes([16, 64], "steps", 10, evaluations=2, progress=False)
        >>> runs.data[["config", "step", "samples"]].to_numpy().tolist()[-2:]
        [['batch_size = 64', 5, 320], ['batch_size = 64', 10, 640]]
    """
    _, values = the_list(vary({"sizes": sizes}, {"sizes": partial(whole_number, at_least=1)}), "sizes=[4, 16, 64]")
    plan = _Budget(
        one_of("budget", budget, _CHECKS, "Choose one of them."),
        _checked_amount(budget, amount),
        whole_number("evaluations", evaluations, at_least=1),
    )
    reference = min(values) if reference_size is None else whole_number("reference_size", reference_size, at_least=1)
    power = _POWERS[one_of("scale_lr", scale_lr, _POWERS, "Choose one of them.")]
    lr, split, known = number("lr", lr, at_least=0), checked_split(data), find_loss(loss)
    first = Run(
        network_factory(network, split, known),
        split,
        Options(1, 1, optimizer, optimizer_arguments, known, engine, threads),
        checked_seed(seed),
        checked_device(device),
        checked_dtype(dtype),
        keep_network=flag("keep_networks", keep_networks),
    )
    first.check_network()
    several, n_jobs = checked_seeds(seed, seeds), _checked_n_jobs(n_jobs, budget)
    if store is not None and budget == "seconds":
        raise ValueError("`store` must be None with budget 'seconds': they are not the same again. Leave it out.")
    rates = {size: lr * (size / reference) ** power for size in values}
    runs: list[Run] = []
    for size, rate in rates.items():
        runs += plan.run(first, size, rate).under_seeds(_key(size, rate), several)
    train = train_interleaved if budget == "seconds" else partial(train_all, n_jobs=n_jobs, store=store)
    frame, outcomes = train(runs, unit="evaluation", progress=flag("progress", progress))
    told = {"budget": budget, "amount": plan.amount, "lr": lr, "scale_lr": scale_lr, "reference_size": reference}
    told |= {"evaluations": plan.evaluations, "seeds": list(several), "optimizer": optimizer, "loss": loss}
    told |= {"dtype": str(first.dtype).removeprefix("torch."), "device": str(first.device)} | optimizer_arguments
    size, made = input_size(split.train.tensors[0]), made_with(first, outcomes)
    return BatchSizes(frame, "batch_size", values, told, made, size, networks(runs, outcomes))


def _key(size: int, rate: float) -> dict[str, Any]:
    return {"config": setting_label("batch_size", size), "batch_size": size, "lr": rate}


@dataclass(frozen=True, eq=False, repr=False)
class BatchSizes(Comparison):
    """Trainings of one network with several batch sizes.

    Attributes:
        data: tidy frame, one row for each run and evaluation: config, batch_size, lr, seed, what the run had done:
            epoch (passes over the training set, with fractions; 0 is the start), step, samples (rows seen) and seconds
            (of training alone); train_loss and valid_loss of the whole sets (for "mse" their roots) and, for losses of
            classes, train_accuracy and valid_accuracy. Losses are NaN where a run has diverged.
        parameter, values, arguments, made_with, input_size, networks: as in `Comparison`; a network for each size and
            seed, by "batch_size = 16, seed = 123".
    """

    _name: ClassVar[str] = "batch_sizes"
    _when: ClassVar[str] = "step"

    def summary(self) -> pd.DataFrame:
        """One row a size, means over its seeds.

        Returns:
            Columns config, seeds (how many), failed (the share of runs that end without a finite valid_loss), and of
            the others epoch, step, samples, seconds, losses and accuracies at the end; best_valid_loss, and at which
            best_epoch, best_step, best_samples and best_seconds.
        """
        metrics = [name for name in ("train_accuracy", "valid_accuracy") if name in self.data]
        table = means_at_the_end(self.data, [*_COLUMNS.values(), "train_loss", "valid_loss", *metrics])
        return table.join(_best(self.data), on="config")

    def plot(
        self, metric: str = "valid_loss", *, x: str | None = None, log: bool | None = None, log_x: bool = False
    ) -> ggplot:
        """The mean of a metric over seeds, in a band of their middle 80 %, by what the runs had done.

        Arguments:
            metric: "train_loss", "valid_loss", "train_accuracy", "valid_accuracy".
            x: "epochs", "steps", "samples" or "seconds"; the budget unless given. Of several seeds the mean.
            log: a logarithmic axis of the metric; unless given, where the largest mean is ten times the median or more.
            log_x: a logarithmic axis of x, which has no place for the start.
        """
        from pycompare.plots import plot_over_seeds

        when = _COLUMNS[one_of("x", self.arguments["budget"] if x is None else x, _COLUMNS, "Choose one of them.")]
        evaluation = self.data.groupby(["config", "seed"]).cumcount()
        mean = self.data.groupby(["config", evaluation])[when].transform("mean")
        drawn = self.data.assign(**{when: mean})
        return plot_over_seeds(drawn, metric=metric, log=log, x=when, log_x=flag("log_x", log_x))


@dataclass(frozen=True)
class _Budget:
    """How long all runs train, and how often they are evaluated."""

    name: str
    amount: float
    evaluations: int

    def run(self, like: Run, size: int, lr: float) -> Run:
        """`like` with this batch size and rate, within the budget."""
        rows = len(like.split.train)
        batches = math.ceil(rows / size)
        monitoring, steps = self._monitoring(rows, batches)
        rates = {"lr": lr} | like.options.arguments
        options = replace(like.options, epochs=math.ceil(steps / batches), batch_size=size, arguments=rates)
        return replace(like, options=options, monitoring=monitoring)

    def _monitoring(self, rows: int, batches: int) -> tuple[Monitoring, int]:
        """What tells of a run, and how many steps it has, or may have."""
        if self.name == "seconds":
            times = AfterSeconds(rows_an_epoch=rows, seconds=self.amount, evaluations=self.evaluations)
            return times, _STEPS_TO_EXPECT
        unit, amount = batches if self.name == "epochs" else 1, int(self.amount)
        count = min(self.evaluations, amount)
        after = tuple(unit * (i * amount // count) for i in range(1, count + 1))
        return AfterSteps(rows_an_epoch=rows, after=after), after[-1]


def _checked_amount(budget: str, amount: float) -> float:
    checked: float = _CHECKS[budget]("amount", amount)
    if checked == 0:
        raise ValueError("`amount` must be more than 0 seconds; got 0. Choose e.g. 5.")
    return checked


def _checked_n_jobs(n_jobs: int | None, budget: str) -> int | None:
    if budget == "seconds" and checked_n_jobs(n_jobs) != 1:
        raise ValueError(
            f"`n_jobs` must be 1 with budget 'seconds'; got {n_jobs!r}. Side by side, runs slow one another."
        )
    return checked_n_jobs(n_jobs)


def _best(data: pd.DataFrame) -> pd.DataFrame:
    """Of each config the mean smallest valid_loss of the runs that end with one, and where it was."""
    finite = is_finite(data[["valid_loss"]])
    runs = [data["config"], data["seed"]]
    ended = data[finite & finite.groupby(runs).transform("last")]
    best = ended.loc[ended.groupby(["config", "seed"])["valid_loss"].idxmin()]
    return best.groupby("config")[["valid_loss", *_COLUMNS.values()]].mean().add_prefix("best_")
