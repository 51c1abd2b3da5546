"""weight_decay_search and weight_decay_restarts: which weight decay a training should have, found in two ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from torch import nn

from pycompare.calls import recorded
from pycompare.checks import flag, number, one_of, whole_number
from pycompare.data.split import Split
from pycompare.labels import setting_label
from pycompare.seeding import checked_seed
from pycompare.sweeps.advice import input_size
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.configs import check_runs, checked_split, network_factory, standardized_course
from pycompare.sweeps.runs import NetworkFactory, Outcome, Run, steps_of
from pycompare.sweeps.seeds import best_row, checked_seeds, ranking
from pycompare.sweeps.store.store import RunStore
from pycompare.sweeps.train import checked_n_jobs, made_with, train_all
from pycompare.sweeps.vary import Check, Numbers, several_values
from pycompare.training.losses import LossFunction, find_loss
from pycompare.training.monitoring import Restarts
from pycompare.training.optim import OptimizerFactory
from pycompare.training.options import Options
from pycompare.training.policies import OneCycle
from pycompare.training.schedules import Schedule

if TYPE_CHECKING:
    from plotnine import ggplot

SHALLOW, DEEP = (1e-2, 1e-3, 1e-4), (1e-4, 1e-5, 1e-6, 0.0)
CONSTANT, ONE_CYCLE = "constant", "1cycle"
_MOST_SHALLOW = 3  # linear layers: those of the course's network


@recorded
def weight_decay_search(
    weight_decay: Numbers | None = None,
    *,
    schedule: str | Schedule = CONSTANT,
    lr: float = 0.1,
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
) -> WeightDecaySearch:
    """Train from the start with each weight decay, under a constant learning rate or under 1cycle.

    Arguments:
        weight_decay: one or several, 0 or more. Unless given, 1e-2, 1e-3 and 1e-4 for networks of up to three linear
            layers, and 1e-4, 1e-5, 1e-6 and 0 for deeper ones, which take less; so do complex data, which is for you to
            say.
        schedule: "constant", or "1cycle": the learning rates of `OneCycle(lr, steps)`, the momentum left alone; or a
            `Schedule`, such as one that cycles the momentum, too.
        lr: learning rate, the largest one of 1cycle; 0 or more. A `Schedule` has its own.
        epochs, batch_size: 1 or more.
        data: training and validation set; `course_data().standardized()` unless given.
        network: as in `compare_configs`.
        optimizer, optimizer_arguments: as in `train_valid`, such as momentum=0.9.
        loss, seed, n_jobs, engine, threads, store, progress: as in `compare_configs`.
        seeds: repeat every run under so many seeds from `seed` on, or under a list of them.

    Returns:
        A `WeightDecaySearch`: the curves, the best weight decay, and what it has cost.

    Raises:
        ValueError, TypeError: before the first step, naming argument, value and remedy.

    Source: Smith (2018), "A disciplined approach to neural network hyper-parameters", arXiv 1803.09820, section 4.4.

    Example:
        >>> from pycompare import weight_decay_search
        >>> search = weight_decay_search([0.1, 0.001], epochs=2, seeds=2)
        >>> search.data.columns.tolist()
        ['config', 'weight_decay', 'seed', 'epoch', 'train_loss', 'valid_loss', 'valid_rmse']
        >>> search.best()
        0.001
    """
    rate, known = number("lr", lr, at_least=0), find_loss(loss)
    options = Options(epochs, batch_size, optimizer, optimizer_arguments | {"lr": rate}, known, engine, threads)
    first = _first_run(data, network, options, seed)
    sample, several = first.check_network(), checked_seeds(seed, seeds)
    values = _checked_values(weight_decay, sample)
    options = replace(options, schedule=_schedule(schedule, rate, steps_of(first)))
    runs: list[Run] = []
    for value in values:
        decaying = replace(options, arguments=options.arguments | {"weight_decay": value})
        runs += replace(first, options=decaying).under_seeds(_key(value), several)
    check_runs(runs)
    frame, outcomes, cost = _trained(runs, n_jobs, progress, store)
    told = _told(first, schedule, several)
    size = input_size(first.split.train.tensors[0])
    return WeightDecaySearch(frame, "weight_decay", values, told, made_with(first, outcomes), size, cost=cost)


@recorded
def weight_decay_restarts(
    weight_decay: Numbers | None = None,
    *,
    middle: float | None = None,
    patience: int = 5,
    share: float = 0.01,
    most_epochs: int = 100,
    schedule: str | Schedule = CONSTANT,
    lr: float = 0.1,
    epochs: int = 5,
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
) -> WeightDecaySearch:
    """Train once until the validation loss is on a plateau, and go on from there with each weight decay.

    Every restart has network, buffers, the optimizer's state and random numbers as they were at the plateau. So the one
    with the middle value is, under a constant rate, the training that was never interrupted, in every bit.

    Arguments:
        weight_decay: as in `weight_decay_search`.
        middle: the weight decay until the plateau, 0 or more; unless given, the middle one of the values in order, the
            larger of two.
        patience, share: the plateau is there when for `patience` epochs (1 or more) no validation loss was below
            1 - `share` (from 0 to less than 1) times the last one that was so.
        most_epochs: to the plateau; the restarts begin after so many if it has not come. 1 or more.
        schedule: of the restarts, as in `weight_decay_search`; until the plateau the rate is constant.
        epochs: of each restart, 1 or more.
        lr, batch_size, data, network, optimizer, loss, seed, seeds, n_jobs, engine, threads, store, progress,
            optimizer_arguments: as in `weight_decay_search`.

    Returns:
        A `WeightDecaySearch`, whose epochs count from the restart.

    Raises:
        ValueError, TypeError: before the first step, naming argument, value and remedy.

    Source: as of `weight_decay_search`; what a plateau is, the report does not say.

    Example:
        >>> from pycompare import weight_decay_restarts
        >>> weight_decay_restarts([0.1, 0.001], epochs=2, seeds=2, most_epochs=3).best()
        0.001
    """
    rate = number("lr", lr, at_least=0)
    known, epochs = find_loss(loss), whole_number("epochs", epochs, at_least=1)
    limit = whole_number("most_epochs", most_epochs, at_least=1)
    options = Options(limit, batch_size, optimizer, optimizer_arguments | {"lr": rate}, known, engine, threads)
    first = _first_run(data, network, options, seed)
    sample, several = first.check_network(), checked_seeds(seed, seeds)
    values = _checked_values(weight_decay, sample)
    middle = sorted(values)[len(values) // 2] if middle is None else number("middle", middle, at_least=0)
    cycle = _schedule(schedule, rate, steps_of(first, epochs))
    patience, share = whole_number("patience", patience, at_least=1), number("share", share, at_least=0, below=1)
    options = replace(options, arguments=options.arguments | {"weight_decay": middle})
    restarts = Restarts(values, epochs, cycle, patience, share)
    runs = replace(first, options=options, monitoring=restarts).under_seeds(
        {"config": setting_label("middle", middle)}, several
    )
    check_runs(runs)
    frame, outcomes, cost = _trained(runs, n_jobs, progress, store)
    before, after = _at_plateau(frame, values)
    lengths = before.groupby("seed", sort=False)["epoch"].max().tolist()
    whole = len(values) * sum(length + epochs for length in lengths) * steps_of(first, 1)
    cost |= {"plateau_epochs": lengths, "steps_of_whole_trainings": whole}
    told = _told(first, schedule, several) | {"epochs": epochs, "middle": middle, "most_epochs": limit}
    told |= {"patience": patience, "share": share}
    size, made = input_size(first.split.train.tensors[0]), made_with(first, outcomes)
    return WeightDecaySearch(after, "weight_decay", values, told, made, size, cost=cost, before=before)


@dataclass(frozen=True, eq=False, repr=False)
class WeightDecaySearch(Comparison):
    """Trainings with several weight decays.

    Attributes:
        data: tidy frame, one row for each run and epoch: config, weight_decay, seed, epoch (from 1; after the restart,
            where there is one), and the losses and accuracies of `Comparison`.
        parameter, values, arguments, made_with, input_size: as in `Comparison`.
        cost: steps and seconds of all trainings; of restarts plateau_epochs, how many came before, by seed, and
            steps_of_whole_trainings: how many steps trainings of the same lengths take without a restart.
        before: of restarts, the epochs until the plateau, with the middle value; not saved.
    """

    cost: dict[str, Any] = field(default_factory=dict)
    before: pd.DataFrame | None = field(default=None, repr=False)
    _name: ClassVar[str] = "weight_decay_search"
    _saved: ClassVar[dict[str, Any]] = Comparison._saved | {"cost": dict}

    def summary(self) -> pd.DataFrame:
        """One row a weight decay, the best first: columns as `seeds_summary` returns them, of the last valid_loss.

        Those that fail under fewer seeds come first; among those that fail alike the mean decides.
        """
        return ranking(self.data)

    def best(self) -> float:
        """The weight decay that leads the summary.

        Raises:
            ValueError: every run has diverged.
        """
        return float(best_row(self.data)["weight_decay"])

    def plot(self, metric: str = "valid_loss", *, log: bool | None = None) -> ggplot:
        """The mean of a metric over seeds by epoch, in a band of their middle 80 %.

        Arguments:
            metric: a column of `data`.
            log: a logarithmic axis; unless given, where the largest mean is ten times the median or more.
        """
        from pycompare.plots import plot_over_seeds

        return plot_over_seeds(self.data, metric=metric, log=log)

    def _title(self) -> str:
        cost = f"Cost: {self.cost['steps']} steps, {self.cost['seconds']:.3g} seconds"
        if "plateau_epochs" not in self.cost:
            return f"{super()._title()}\n{cost}"
        whole = f"{cost}; trainings without restarts take {self.cost['steps_of_whole_trainings']} steps"
        return f"{super()._title()}\n{whole}\nEpochs to the plateau: {self.cost['plateau_epochs']}"


def _first_run(data: Split | None, network: NetworkFactory | None, options: Options, seed: int) -> Run:
    split = checked_split(data, standardized_course)
    return Run(network_factory(network, split, options.loss), split, options, checked_seed(seed))


def _trained(
    runs: Sequence[Run],
    n_jobs: int | None,
    progress: bool,
    store: RunStore | str | PathLike[str] | None,
) -> tuple[pd.DataFrame, list[Outcome], dict[str, Any]]:
    """What `train_all` returns, and steps and seconds."""
    began = perf_counter()
    shown = flag("progress", progress)
    frame, outcomes = train_all(runs, n_jobs=checked_n_jobs(n_jobs), progress=shown, store=store)
    return frame, outcomes, {"steps": len(frame) * steps_of(runs[0], 1), "seconds": perf_counter() - began}


def _checked_values(weight_decay: Numbers | None, network: nn.Module) -> tuple[float, ...]:
    """The weight decays to try: those given, or those for a network so deep."""
    if weight_decay is not None:
        return tuple(several_values("weight_decay", weight_decay, _CHECK))
    layers = sum(isinstance(module, nn.Linear) for module in network.modules())
    return SHALLOW if layers <= _MOST_SHALLOW else DEEP


def _schedule(given: str | Schedule, lr: float, steps: int) -> Schedule | None:
    if isinstance(given, Schedule):
        return given
    known = one_of("schedule", given, (CONSTANT, ONE_CYCLE), "Choose one of them, or pass a Schedule.")
    return OneCycle(lr, steps, momentum=None) if known == ONE_CYCLE else None


def _key(value: float) -> dict[str, Any]:
    return {"config": setting_label("weight_decay", value), "weight_decay": value}


def _at_plateau(frame: pd.DataFrame, values: Sequence[float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What came before the plateau, and the runs after it, in the order of a comparison."""
    before = frame[frame["weight_decay"].isna()].drop(columns="weight_decay").reset_index(drop=True)
    runs = [frame[frame["weight_decay"] == value].assign(**_key(value)) for value in values]
    after = pd.concat(runs, ignore_index=True)
    return before, after[list(dict.fromkeys([*_key(0), *before]))]


def _told(run: Run, schedule: str | Schedule, seeds: tuple[int, ...]) -> dict[str, Any]:
    options = run.options
    told = {"epochs": options.epochs, "batch_size": options.batch_size, "schedule": str(schedule), "seeds": list(seeds)}
    return told | {"optimizer": options.optimizer, "loss": options.loss.given} | options.arguments


_CHECK: Check = partial(number, at_least=0)
