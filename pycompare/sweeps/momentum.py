"""momentum_test: short trainings that tell which momentum a longer one should have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from typing import Any, ClassVar

import pandas as pd

from pycompare.calls import recorded
from pycompare.checks import flag, number
from pycompare.data.split import Split
from pycompare.labels import setting_label
from pycompare.seeding import checked_seed
from pycompare.sweeps.advice import input_size
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.configs import check_runs, checked_split, network_factory, standardized_course
from pycompare.sweeps.runs import NetworkFactory, Run, steps_of
from pycompare.sweeps.seeds import best_row, checked_seeds, ranking
from pycompare.sweeps.store.store import RunStore
from pycompare.sweeps.train import checked_n_jobs, made_with, train_all
from pycompare.sweeps.vary import Numbers, several_values
from pycompare.training.losses import LossFunction, find_loss
from pycompare.training.optim import OptimizerFactory, accepts, optimizer_factory
from pycompare.training.options import Options
from pycompare.training.policies import MomentumRange, OneCycle

CONSTANT, CYCLICAL = "constant", "cyclical"
_BETA2 = 0.999


@recorded
def momentum_test(
    momentum: Numbers = (0.99, 0.97, 0.95, 0.9),
    *,
    low: float = 0.85,
    lr: float = 0.03,
    epochs: int = 10,
    batch_size: int = 16,
    data: Split | None = None,
    network: NetworkFactory | None = None,
    optimizer: str | OptimizerFactory = "sgd",
    loss: str | LossFunction = "mse",
    seed: int = 123,
    seeds: int | Sequence[int] | None = 5,
    n_jobs: int | None = 1,
    engine: str = "auto",
    threads: int | None = 1,
    store: RunStore | str | PathLike[str] | None = None,
    progress: bool = False,
    **optimizer_arguments: Any,
) -> MomentumTest:
    """Train for a few epochs at each momentum, held constant and cycled down to `low` while the learning rate rises.

    All runs have the learning rates of `OneCycle(lr, steps)`, and those of one seed differ in nothing but the momentum.

    Arguments:
        momentum: one or several, in [0, 1); for optimizers with betas, beta1. The largest of a cyclical run.
        low: the smallest momentum of the cyclical runs, from 0 to the least of `momentum`.
        lr: the largest learning rate, 0 or more: the top of a triangle that begins and ends at a tenth of it.
            Over the last tenth of the steps the rate falls to a thousandth.
        epochs, batch_size: 1 or more; 4 steps in all at least.
        data: training and validation set; `course_data().standardized()` unless given.
        network: as in `compare_configs`.
        optimizer, optimizer_arguments: as in `train_valid`; an optimizer that has a momentum, or betas.
        loss, seed, n_jobs, engine, threads, store, progress: as in `compare_configs`.
        seeds: repeat every run under so many seeds from `seed` on, or under a list of them.

    Returns:
        A `MomentumTest`: the curves, which momentum is best, and how.

    Raises:
        ValueError, TypeError: before the first step, naming argument, value and remedy.

    Source: Smith (2018), "A disciplined approach to neural network hyper-parameters", arXiv 1803.09820, section 4.3.

    Example:
        >>> from pycompare import momentum_test
        >>> test = momentum_test([0.95, 0.9], epochs=2, seeds=2)
        >>> test.data.columns.tolist()
        ['config', 'momentum', 'policy', 'seed', 'epoch', 'train_loss', 'valid_loss', 'valid_rmse']
        >>> test.best()
        (0.9, 'constant')
    """
    values = checked_momenta(momentum)
    low, rate = checked_low(low, values), number("lr", lr, at_least=0)
    split, known = checked_split(data, standardized_course), find_loss(loss)
    make, several = network_factory(network, split, known), checked_seeds(seed, seeds)
    first = Run(make, split, Options(epochs, batch_size, optimizer, {}, known, engine, threads), checked_seed(seed))
    runs: list[Run] = []
    cycle = partial(OneCycle, rate, steps_of(first))
    for value in values:
        ranges: dict[str, MomentumRange] = {CONSTANT: None, CYCLICAL: (low, value)}
        for policy, between in ranges.items():
            arguments = optimizer_arguments | momentum_arguments(optimizer, optimizer_arguments, value)
            options = replace(first.options, arguments=arguments, schedule=cycle(momentum=between))
            key = {"config": setting_label("momentum", value), "momentum": value, "policy": policy}
            runs += replace(first, options=options, facet=policy).under_seeds(key, several)
    check_runs(runs)
    frame, outcomes = train_all(runs, n_jobs=checked_n_jobs(n_jobs), progress=flag("progress", progress), store=store)
    told = {"low": low, "lr": rate, "epochs": first.options.epochs, "batch_size": first.options.batch_size}
    told |= {"seeds": list(several), "optimizer": optimizer, "loss": loss} | optimizer_arguments
    size = input_size(split.train.tensors[0])
    made = made_with(first, outcomes)
    return MomentumTest(
        frame, "momentum", tuple(values), told, made, size, rows="policy", row_values=(CONSTANT, CYCLICAL)
    )


@dataclass(frozen=True, eq=False, repr=False)
class MomentumTest(Comparison):
    """Short trainings at several momenta, constant and cyclical.

    Attributes:
        data: tidy frame, one row for each run and epoch: config, momentum, policy ("constant" or "cyclical"), seed,
            epoch (from 1), and the losses and accuracies of `Comparison`.
        parameter, values, arguments, made_with, input_size, rows, row_values: as in `Comparison`.
    """

    _name: ClassVar[str] = "momentum_test"

    def summary(self) -> pd.DataFrame:
        """One row a configuration, the best first: columns as `seeds_summary` returns them, of the last valid_loss.

        Those that fail under fewer seeds come first; among those that fail alike the mean decides.
        """
        return ranking(self.data, self.rows)

    def best(self) -> tuple[float, str]:
        """The momentum and the policy that lead the summary.

        Raises:
            ValueError: every run has diverged.
        """
        row = best_row(self.data, self.rows)
        return float(row["momentum"]), str(row["policy"])


def checked_momenta(momentum: Numbers) -> list[float]:
    """The momenta to try, or one clear error."""
    return several_values("momentum", momentum, partial(number, at_least=0, below=1))


def checked_low(low: float, values: Sequence[float]) -> float:
    """The smallest momentum of a cycle down from each of `values`, or one clear error."""
    least = number("low", low, at_least=0)
    if least > min(values):
        raise ValueError(
            f"`low` must be at most the least momentum, {min(values)!r}; got {low!r}. Choose a smaller one."
        )
    return least


def momentum_arguments(optimizer: str | OptimizerFactory, arguments: dict[str, Any], value: float) -> dict[str, Any]:
    """The argument of the optimizer that is its momentum, or one clear error where it has none."""
    factory = optimizer_factory(optimizer)
    if accepts(factory, "momentum"):
        return {"momentum": value}
    if accepts(factory, "betas"):
        return {"betas": (value, *arguments.get("betas", (value, _BETA2))[1:])}
    raise ValueError(
        f"`optimizer` must have a momentum or betas; got {optimizer!r}. Choose e.g. 'sgd', 'rmsprop' or 'adamw'."
    )
