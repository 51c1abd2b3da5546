"""compare_inits: the same small network, trained from several starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from pycompare.calls import recorded
from pycompare.checks import flag, number, one_of, whole_number
from pycompare.data.classification import classification_data
from pycompare.data.split import Split
from pycompare.labels import value_label
from pycompare.labs.boundaries import Boundary, Range, decision_boundary
from pycompare.seeding import checked_seed
from pycompare.sweeps.advice import constant_loss, input_size
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.configs import checked_split, network_factory
from pycompare.sweeps.runs import NetworkFactory, Run
from pycompare.sweeps.seeds import checked_seeds, means_at_the_end
from pycompare.sweeps.store.store import RunStore
from pycompare.sweeps.train import checked_n_jobs, made_with, networks, train_all
from pycompare.sweeps.vary import Check, Numbers, Variation, the_list, vary
from pycompare.training.batches import cast_batches
from pycompare.training.initializers import TAKE_SIGMA, Initializer, initializer, started, takes_sigma
from pycompare.training.losses import LossFunction, find_loss
from pycompare.training.monitoring import WholeSets
from pycompare.training.network import first_parameter
from pycompare.training.optim import OptimizerFactory
from pycompare.training.options import Options, checked_dtype
from pycompare.training.stopping import EarlyStopping

if TYPE_CHECKING:
    from plotnine import ggplot

METRICS = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")
_HIDDEN = (6, 3)


@recorded
def compare_inits(
    sigma: Numbers | None = None,
    init: str | Initializer | Sequence[str | Initializer] = "normal",
    scale: Numbers = 1.0,
    *,
    data: Split | None = None,
    network: NetworkFactory | None = None,
    seed: int = 123,
    seeds: int | Sequence[int] | None = None,
    steps: int = 1000,
    every: int = 1,
    lr: float = 0.1,
    optimizer: str | OptimizerFactory = "sgd",
    loss: str | LossFunction = "cross_entropy",
    zero_bias: bool = True,
    dtype: torch.dtype | str = "float32",
    n_jobs: int | None = 1,
    engine: str = "auto",
    threads: int | None = 1,
    early_stopping: EarlyStopping | None = None,
    store: RunStore | str | PathLike[str] | None = None,
    progress: bool = True,
) -> InitComparison:
    """Train a network by full-batch gradient descent from several starts, which one list tells apart.

    Every run is one random scope: the network is made, and drawn again by `initialise`, so that the runs of one seed
    differ in nothing but the varied argument. No global random state is changed.

    Arguments:
        sigma: standard deviation of initial weights, 0 or more, for init "normal" and "trunc_normal"; 1 unless given.
        init: an initialiser, by name or a callable, as `initialise` takes it; several make the comparison.
        scale: the factor of all inputs, 0 or more. Of sigma, init and scale exactly one is a list.
        data: training and validation set; `classification_data("circle", 100)` unless given.
        network: a callable that makes a fresh network; unless given, an `MLP` with 6 and 3 hidden units and, for losses
            of classes, one output for each class.
        seed, seeds: as in `compare_configs`.
        steps: of gradient descent, each on the whole training set; 1 or more.
        every: evaluate both sets before the first step and after every so many; divides steps.
        lr: learning rate, 0 or more.
        optimizer, loss: as in `train_valid`.
        zero_bias: False leaves the biases as the network draws them.
        early_stopping: as in `compare_configs`; its patience counts evaluations.
        dtype, n_jobs, engine, threads, store, progress: as in `compare_configs`.

    Returns:
        An `InitComparison`: loss and accuracy on both sets by step.

    Raises:
        ValueError, TypeError: before the first step of the first run, naming argument, value and remedy.

    Mirrors r_reference/R/init_runs.R, whose bits it has. Source: the laboratory on training from scratch of the course
    B4M33DLE, CTU in Prague, part 1.

    Example:
        >>> compare_inits(sigma=[0.01, 0.5], steps=10).data.columns.tolist()
        ['config', 'sigma', 'seed', 'step', 'train_loss', 'train_accuracy', 'valid_loss', 'valid_accuracy']
    """
    variation = _variation(sigma, init, scale)
    parameter, values = the_list(variation, "sigma=[0.01, 0.5]")
    steps, every = _checked_steps(steps, every)
    split = checked_split(data, partial(classification_data, "circle", 100))
    known, zero_bias = find_loss(loss), flag("zero_bias", zero_bias)
    rate = {"lr": number("lr", lr, at_least=0)}
    make, several = network_factory(network, split, known, _HIDDEN), checked_seeds(seed, seeds)
    first = Run(
        make,
        split,
        Options(
            steps // every, len(split.train), optimizer, rate, known, engine, threads, early_stopping=early_stopping
        ),
        checked_seed(seed),
        dtype=checked_dtype(dtype),
        monitoring=WholeSets(every, "step"),
        keep_network=True,
    )
    scaled = {one: _scaled(split, one) for one in variation.varied.get("scale", [variation.fixed.get("scale")])}
    runs: list[Run] = []
    for label, choice in zip(variation.labels(parameter), variation.choices(), strict=True):
        settings = variation.fixed | choice
        start = partial(started, make, settings["init"], settings["sigma"], zero_bias=zero_bias)
        run = replace(first, make_network=start, split=scaled[settings["scale"]])
        run.check_network()
        runs += run.under_seeds({"config": label, parameter: _cell(choice[parameter])}, several)
    n_jobs, shown = checked_n_jobs(n_jobs), flag("progress", progress)
    frame, outcomes = train_all(runs, unit="evaluation", n_jobs=n_jobs, progress=shown, store=store)
    trained = networks(runs, outcomes)
    told = {"steps": steps, "every": every, "seeds": list(several), "optimizer": optimizer, "loss": loss} | rate
    return InitComparison(
        frame,
        parameter,
        values,
        told | {"zero_bias": zero_bias, "dtype": str(first.dtype).removeprefix("torch.")} | variation.fixed,
        made_with(first, outcomes),
        input_size(split.train.tensors[0]),
        trained,
        classes=_classes(trained, split) if known.of_classes else None,
        split=split,
        constant_loss=constant_loss(split.train.tensors[1], known),
    )


@dataclass(frozen=True, eq=False, repr=False)
class InitComparison(Comparison):
    """Trainings of one network from several starts.

    Attributes:
        data: tidy frame, one row for each run and evaluation: config, the varied argument under its own name, seed,
            step (0 is the start), train_loss, valid_loss and, for losses of classes, train_accuracy, valid_accuracy.
            Losses are NaN where a run has diverged.
        parameter, values, arguments, made_with, input_size, networks: as in `Comparison`; a network for each config
            and seed, by "sigma = 0.5, seed = 1".
        classes: how many a network tells apart; None for other losses.
        split: the data, before they were scaled; networks and split are not saved.
    """

    classes: int | None = None
    split: Split | None = field(default=None, repr=False)
    _name: ClassVar[str] = "init_comparison"
    _when: ClassVar[str] = "step"
    _saved: ClassVar[dict[str, Any]] = Comparison._saved | {"classes": (int, NoneType)}

    def summary(self) -> pd.DataFrame:
        """One row a configuration, means over its seeds.

        Returns:
            Columns config, seeds (how many), failed (the share of runs that end without a finite valid_loss),
            start_loss (train_loss before the first step), for losses of classes log_classes (what it is for a network
            that gives every class the same probability), and of the runs that have not failed the means of losses and
            accuracies at the end.
        """
        table = means_at_the_end(self.data, [name for name in METRICS if name in self.data])
        start = self.data[self.data["step"] == 0].groupby("config")["train_loss"].mean()
        table.insert(3, "start_loss", table["config"].map(start))
        if self.classes is not None:
            table.insert(4, "log_classes", math.log(self.classes))
        return table

    def steps_to(self, loss: float, *, metric: str = "train_loss") -> pd.DataFrame:
        """The first evaluated step at which a run's `metric`, train_loss or valid_loss, is `loss` or less.

        Returns:
            Columns config, seed, step (Int64, NA for a run that never gets there).
        """
        loss, metric = number("loss", loss), one_of("metric", metric, ("train_loss", "valid_loss"), "Choose one.")
        reached = self.data[self.data[metric] <= loss].groupby(["config", "seed"], sort=False)["step"].min()
        runs = self.data[["config", "seed"]].drop_duplicates(ignore_index=True)
        return runs.join(reached.astype("Int64"), on=["config", "seed"])

    def plot(self, metric: str = "valid_loss", *, log: bool | None = None) -> ggplot:
        """The mean of a metric over seeds by step, in a band of their middle 80 %.

        Arguments:
            metric: a column of `data`.
            log: a logarithmic axis; unless given, where the largest mean is ten times the median or more.
        """
        from pycompare.plots import plot_over_seeds

        return plot_over_seeds(self.data, metric=metric, log=log)

    def boundaries(self, *, grid: int = 101, x: Range | None = None, y: Range | None = None) -> Boundary:
        """What every trained network says about the plane of two inputs, before they are scaled: a facet a run.

        Arguments:
            grid, x, y: as in `decision_boundary`.

        Raises:
            ValueError: there are no networks, as they are not saved, or they do not take two inputs.
        """
        if self.split is None:
            raise ValueError("`networks` must be there; got a comparison that was read back. Train again.")
        runs = self.data.drop_duplicates(["config", "seed"])
        scales = runs["scale"] if self.parameter == "scale" else [self.arguments["scale"]] * len(runs)
        labels = runs["config"] if runs["seed"].eq(runs["seed"].iloc[0]).all() else self.networks
        seen = [_Scaled(network, scale) for network, scale in zip(self.networks.values(), scales, strict=True)]
        drawn = dict(zip(labels, seen, strict=True))
        return decision_boundary(drawn, self.split, loss=self.arguments["loss"], grid=grid, x=x, y=y)


class _Scaled(nn.Module):
    """A network of inputs times a factor."""

    def __init__(self, network: nn.Module, scale: float) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.network(x * self.scale)
        return outputs


def _variation(sigma: Any, init: Any, scale: Any) -> Variation:
    """The three, of which sigma needs an initialiser that takes it."""
    variation = vary({"sigma": sigma, "init": init, "scale": scale}, _CHECKS)
    inits = variation.varied.get("init", [variation.fixed.get("init")])
    if variation.fixed.get("sigma", 0) is not None and not any(takes_sigma(one) for one in inits):
        raise ValueError(
            f"`sigma` must be left out unless `init` is {' or '.join(TAKE_SIGMA)}; got {value_label(inits[0])}."
            " Other initialisers choose the spread themselves."
        )
    return variation


def _scaled(split: Split, scale: float) -> Split:
    if scale == 1:
        return split
    return Split(*(TensorDataset(data.tensors[0] * scale, data.tensors[1]) for data in (split.train, split.valid)))


@torch.no_grad()
def _classes(networks: dict[str, nn.Module], split: Split) -> int:
    """How many outputs a network has."""
    network = next(iter(networks.values()))
    inputs, _ = next(cast_batches([split.train[:1]], first_parameter(network)))
    return int(network(inputs.clone()).shape[1])  # a first layer may work in place


def _cell(value: Any) -> Any:
    return value_label(value) if callable(value) else value


def _checked_steps(steps: int, every: int) -> tuple[int, int]:
    steps, every = whole_number("steps", steps, at_least=1), whole_number("every", every, at_least=1)
    if steps % every:
        raise ValueError(f"`every` must divide steps (={steps}); got {every!r}. Choose e.g. {math.gcd(steps, every)}.")
    return steps, every


def _checked_sigma(name: str, sigma: Any) -> float | None:
    return None if sigma is None else number(name, sigma, at_least=0)


def _checked_init(_: str, init: Any) -> Any:
    initializer(init)
    return init


def _checked_scale(name: str, scale: Any) -> float:
    return number(name, scale, at_least=0)


_CHECKS: dict[str, Check] = {"sigma": _checked_sigma, "init": _checked_init, "scale": _checked_scale}
