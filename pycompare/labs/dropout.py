"""compare_dropout: the same network, trained with more or less dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from os import PathLike
from typing import TYPE_CHECKING, ClassVar

import pandas as pd
from torch import nn

from pycompare.calls import recorded
from pycompare.checks import flag, number
from pycompare.data.digits import digits_data
from pycompare.data.split import Split
from pycompare.seeding import checked_seed
from pycompare.sweeps.advice import constant_loss, input_size
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.configs import checked_split, class_count
from pycompare.sweeps.runs import Run
from pycompare.sweeps.seeds import checked_seeds, means_at_the_end
from pycompare.sweeps.store.store import RunStore
from pycompare.sweeps.train import checked_n_jobs, made_with, networks, train_all
from pycompare.sweeps.vary import Check, Numbers, the_list, vary
from pycompare.training.initializers import initialise
from pycompare.training.losses import find_loss
from pycompare.training.monitoring import WholeSets
from pycompare.training.network import checked_widths
from pycompare.training.options import Options
from pycompare.training.stopping import EarlyStopping

if TYPE_CHECKING:
    from plotnine import ggplot

_METRICS = ("train_loss", "train_error", "valid_loss", "valid_error")


@recorded
def compare_dropout(
    p: Numbers = (0.0, 0.5),
    input_p: Numbers = 0.2,
    *,
    data: Split | None = None,
    hidden: Sequence[int] = (800, 800),
    sigma: float = 0.1,
    epochs: int = 20,
    batch_size: int = 50,
    lr: float = 3e-4,
    weight_decay: float = 0.01,
    seed: int = 123,
    seeds: int | Sequence[int] | None = None,
    n_jobs: int | None = 1,
    engine: str = "auto",
    threads: int | None = 1,
    early_stopping: EarlyStopping | None = None,
    store: RunStore | str | PathLike[str] | None = None,
    progress: bool = True,
) -> DropoutComparison:
    """Train a classifier by AdamW with several probabilities of dropout.

    It has ReLU, initial weights of N(0, sigma^2), biases 0, and dropout on the input and after each ReLU. After each
    epoch both sets are evaluated whole, without dropout.

    Arguments:
        p: probability, in [0, 1), that a hidden unit is dropped; 0 stands for no dropout, on the input neither.
        input_p: the same for an input. Exactly one of p and input_p is a list.
        data: rows of numbers, such as the pixels of images, and classes 0, 1, ...; `digits_data()` unless given.
        hidden: widths of the hidden layers, 1 or more each.
        sigma: standard deviation of the initial weights, 0 or more.
        epochs, batch_size: 1 or more.
        lr, weight_decay: of AdamW, 0 or more.
        seed, seeds, n_jobs, engine, threads, early_stopping, store, progress: as in `compare_configs`. Only without
            dropout do the engines "fused" and "compiled" apply.

    Returns:
        A `DropoutComparison`: loss and error on both sets by epoch.

    Raises:
        ValueError, TypeError: before the first step of the first run, naming argument, value and remedy.

    Mirrors `train_dropout` of r_reference/R, whose bits it has. Sources: the laboratory on training from scratch of the
    course B4M33DLE, CTU in Prague, part 3; Srivastava et al. (2014), "Dropout: A Simple Way to Prevent Neural Networks
    from Overfitting".

    Example:
        >>> compare_dropout(p=[0, 0.5], hidden=(20,), epochs=1).data.columns.tolist()
        ['config', 'p', 'seed', 'epoch', 'train_loss', 'valid_loss', 'train_error', 'valid_error']
    """
    variation = vary({"p": p, "input_p": input_p}, _CHECKS)
    parameter, values = the_list(variation, "p=[0, 0.5]")
    if variation.fixed.get("p") == 0:
        raise ValueError("`p` must be above 0 where `input_p` is a list, as 0 drops no input either; got 0. Take 0.5.")
    split, loss = checked_split(data, digits_data), find_loss("cross_entropy")
    rates = {"lr": number("lr", lr, at_least=0), "weight_decay": number("weight_decay", weight_decay, at_least=0)}
    options = Options(epochs, batch_size, "adamw", rates, loss, engine, threads, early_stopping=early_stopping)
    widths = checked_widths(hidden)
    make = partial(_classifier, (_columns(split), *widths, class_count(split)), number("sigma", sigma, at_least=0))
    several = checked_seeds(seed, seeds)
    plain = partial(make, 0.0, 0.0)
    first = Run(plain, split, options, checked_seed(seed), monitoring=WholeSets(), keep_network=True)
    runs: list[Run] = []
    for label, choice in zip(variation.labels(parameter), variation.choices(), strict=True):
        settings = variation.fixed | choice
        run = replace(first, make_network=partial(make, settings["p"], settings["input_p"]))
        runs += run.under_seeds({"config": label} | choice, several)
    n_jobs, shown = checked_n_jobs(n_jobs), flag("progress", progress)
    frame, outcomes = train_all(runs, n_jobs=n_jobs, progress=shown, store=store)
    told = {"epochs": options.epochs, "batch_size": options.batch_size, "seeds": list(several), "hidden": list(widths)}
    arguments = told | rates | {"sigma": sigma} | variation.fixed
    size, made = input_size(split.train.tensors[0]), made_with(first, outcomes)
    trained, constant = networks(runs, outcomes), constant_loss(split.train.tensors[1], options.loss)
    return DropoutComparison(
        _with_errors(frame, split), parameter, values, arguments, made, size, trained, constant_loss=constant
    )


@dataclass(frozen=True, eq=False, repr=False)
class DropoutComparison(Comparison):
    """Trainings of one network with several probabilities of dropout.

    Attributes:
        data: tidy frame, one row for each run and epoch: config, the varied argument under its own name, seed, epoch (0
            is the start), train_loss, valid_loss, train_error and valid_error (percent of wrong classes).
        parameter, values, arguments, made_with, input_size, networks: as in `Comparison`; a network for each config
            and seed, by "p = 0.5, seed = 123".
    """

    _name: ClassVar[str] = "dropout_comparison"

    def summary(self) -> pd.DataFrame:
        """One row a configuration: means over its seeds at the end, as `means_at_the_end` returns them."""
        return means_at_the_end(self.data, _METRICS)

    def plot(self, metric: str = "valid_error", *, log: bool | None = None) -> ggplot:
        """The mean of a metric over seeds by epoch, in a band of their middle 80 %.

        Arguments:
            metric: a column of `data`.
            log: a logarithmic axis; unless given, where the means span decades.
        """
        from pycompare.plots import plot_over_seeds

        return plot_over_seeds(self.data, metric=metric, log=log)


def _columns(split: Split) -> int:
    shape = split.train.tensors[0].shape
    if len(shape) != 2:
        raise ValueError(f"`data` must have inputs of shape (rows, columns); got {tuple(shape)}. Flatten each row.")
    return shape[1]


def _classifier(widths: tuple[int, ...], sigma: float, p: float, input_p: float) -> nn.Module:
    """Linear layers with ReLU and, where p is not 0, dropout."""
    modules: list[nn.Module] = [nn.Dropout(input_p)] if p and input_p else []
    *hidden, last = pairwise(widths)
    for width_in, width_out in hidden:
        modules += [nn.Linear(width_in, width_out), nn.ReLU(), *([nn.Dropout(p)] if p else [])]
    network = nn.Sequential(*modules, nn.Linear(*last))
    return initialise(network, "normal", sigma=sigma)


def _with_errors(frame: pd.DataFrame, split: Split) -> pd.DataFrame:
    """`frame` with percents of wrong classes in place of shares of right ones; R divides a count, so that we do."""
    for name, rows in (("train", len(split.train)), ("valid", len(split.valid))):
        wrong = ((1 - frame.pop(f"{name}_accuracy")) * rows).round()
        frame[f"{name}_error"] = 100 * (wrong / rows)
    return frame


_CHECKS: dict[str, Check] = {name: partial(number, at_least=0, below=1) for name in ("p", "input_p")}
