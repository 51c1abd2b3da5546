"""discipline: learning rate, batch size, momentum and weight decay by Leslie Smith's recipe, one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from pycompare.calls import recorded
from pycompare.checks import flag, number, whole_number
from pycompare.data.split import Split
from pycompare.labels import setting_label
from pycompare.labs.lr_range import CONVERGES, lr_range_test
from pycompare.labs.one_cycle import compare_one_cycle
from pycompare.results import Result
from pycompare.seeding import checked_seed
from pycompare.sweeps.batch_sizes import compare_batch_sizes
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.configs import checked_split, compare_configs, standardized_course
from pycompare.sweeps.momentum import CYCLICAL, checked_low, checked_momenta, momentum_arguments, momentum_test
from pycompare.sweeps.runs import NetworkFactory
from pycompare.sweeps.seeds import best_row, checked_seeds, ranking, seeds_summary
from pycompare.sweeps.store.store import RunStore
from pycompare.sweeps.train import checked_n_jobs
from pycompare.sweeps.vary import Numbers, several_values
from pycompare.sweeps.weight_decay import weight_decay_search
from pycompare.training.losses import LossFunction
from pycompare.training.optim import OptimizerFactory
from pycompare.training.policies import OneCycle

if TYPE_CHECKING:
    from plotnine import ggplot

    from pycompare.reports.told import Told

_LEAST_STEPS = 8  # of an epoch, for the batch sizes that are tried unless others are given
_LEAST_SIZE = 16
_TRIED = {"the bound": 1, "a third": 3, "a quarter": 4, "a tenth": 10, "a twentieth": 20}  # as the report names them
_USUAL_MOMENTUM = 0.9
_RANGE_STEPS = 100


@recorded
def discipline(
    network: NetworkFactory | None = None,
    data: Split | None = None,
    *,
    epochs: int = 30,
    epoch_seconds: float = 1.0,
    batch_size: Numbers | None = None,
    momentum: Numbers = (0.99, 0.97, 0.95, 0.9),
    low: float = 0.85,
    weight_decay: Numbers | None = None,
    optimizer: str | OptimizerFactory = "sgd",
    loss: str | LossFunction = "mse",
    seed: int = 123,
    seeds: int | Sequence[int] = 5,
    n_jobs: int | None = 1,
    engine: str = "auto",
    threads: int | None = 1,
    store: RunStore | str | PathLike[str] | None = None,
    progress: bool = False,
) -> Discipline:
    """Choose batch size, learning rate, momentum and weight decay in turn, and train under 1cycle with what was chosen.

    1. Batch size: the largest of which an epoch takes `epoch_seconds` at most, as larger batches bear larger rates.
    2. Range test at that batch size: the largest rate that converges, the median over seeds, is a bound.
    3. Learning rate: short runs under 1cycle up to that bound, a third, a quarter, a tenth and a twentieth of it.
    4. Momentum: short runs at each, constant and cycled against that rate.
    5. Weight decay: short runs under 1cycle with that rate and momentum, cycled where that was chosen.
    6. One training under 1cycle, beside constant rates of the same length: see `compare_one_cycle`.

    Of short runs, those with the lowest mean loss over seeds are chosen, among those that diverge under fewest.

    Arguments:
        network: a callable that makes a fresh network; unless given, as in `compare_configs`.
        data: training and validation set; `course_data().standardized()` unless given.
        epochs: of the trainings at the end, 4 or more; the short ones have a third of them.
        epoch_seconds: what an epoch may take, more than 0.
        batch_size: the sizes to try; unless given, 16, 32, 64, ... while an epoch has 8 steps.
        momentum, low: as in `momentum_test`.
        weight_decay: as in `weight_decay_search`.
        optimizer: as in `train_valid`; one that has a momentum, or betas.
        loss, seed, n_jobs, engine, threads, store, progress: as in `compare_configs`.
        seeds: repeat every run under so many seeds from `seed` on, or under a list of them.

    Returns:
        A `Discipline`: each step's choice with its reason, and its result, which draws itself.

    Raises:
        ValueError, TypeError: before the first step where an argument is wrong, naming argument, value and remedy.

    Source: Smith (2018), "A disciplined approach to neural network hyper-parameters", arXiv 1803.09820. The report
    begins with the range test; here the batch size comes first, as the rates depend on it.

    Example:
        >>> made = discipline(epochs=4, seeds=2, momentum=[0.9, 0.8], low=0.7, batch_size=16)
        >>> made.data["step"].tolist()
        ['batch size', 'range test', 'learning rate', 'momentum', 'weight decay', 'one cycle']
    """
    split = checked_split(data, standardized_course)
    epochs, seconds = whole_number("epochs", epochs, at_least=4), number("epoch_seconds", epoch_seconds, at_least=0)
    sizes = _checked_sizes(batch_size, len(split.train))
    momenta = checked_momenta(momentum)
    asked = {"momentum": momenta, "low": checked_low(low, momenta)}
    decays = None if weight_decay is None else several_values("weight_decay", weight_decay, partial(number, at_least=0))
    momentum_arguments(optimizer, {}, _USUAL_MOMENTUM)
    one = {"network": network, "data": split, "optimizer": optimizer, "seed": checked_seed(seed), "threads": threads}
    one |= {"engine": engine, "progress": flag("progress", progress)}
    several = one | {"seeds": checked_seeds(seed, seeds), "n_jobs": checked_n_jobs(n_jobs), "store": store}
    short = max(2, epochs // 3)
    ways: tuple[Callable[[dict[str, Any]], _Step], ...] = (
        lambda _: _choose_batch_size(sizes, seconds, one | {"loss": loss}),
        lambda known: _bound(known, several | {"loss_function": loss}),
        lambda known: _choose_rate(known, several | {"loss": loss, "epochs": short}),
        lambda known: _choose_momentum(known, asked, several | {"loss": loss, "epochs": short}),
        lambda known: _choose_weight_decay(known, decays, low, several | {"loss": loss, "epochs": short}),
        lambda known: _one_cycle(known, low, several | {"loss": loss, "epochs": epochs}),
    )
    chosen: dict[str, Any] = {}
    rows, parts = [], {}
    for way in ways:
        began = perf_counter()
        step = way(chosen)
        chosen |= step.settings
        parts[step.name] = step.part
        choice = ", ".join(setting_label(name, value) for name, value in step.settings.items())
        rows.append({"step": step.name, "choice": choice, "reason": step.reason, "seconds": perf_counter() - began})
    told = {"epochs": epochs, "epoch_seconds": seconds, "optimizer": optimizer, "loss": loss, "seeds": seeds}
    return Discipline(pd.DataFrame(rows), parts, chosen, told)


@dataclass(frozen=True)
class _Step:
    """What a step has chosen, why, and its result."""

    name: str
    settings: dict[str, Any]
    reason: str
    part: Result


@dataclass(frozen=True, eq=False, repr=False)
class Discipline(Result):
    """Hyper-parameters that were chosen one after the other, and why.

    Attributes:
        data: tidy frame, one row a step: step, choice and reason in words, seconds.
        parts: the result of each step, by its name.
        chosen: batch_size, bound, max_lr, momentum, policy, weight_decay, schedule.
        arguments: what made it, by name.
    """

    parts: dict[str, Result] = field(repr=False)
    chosen: dict[str, Any]
    arguments: dict[str, Any] = field(default_factory=dict)
    _name: ClassVar[str] = "discipline"

    def summary(self) -> pd.DataFrame:
        """The choices, one row a step."""
        return self.data[["step", "choice", "seconds"]]

    def plot(self) -> ggplot:
        """The training under 1cycle beside the constant rates; the other steps' pictures are those of `parts`."""
        return self.parts["one cycle"].plot()

    def save(self, folder: str | PathLike[str], formats: Sequence[str] = ("png",)) -> list[Path]:
        """As `Result.save`, and the results of all steps beside it."""
        written = super().save(folder, formats)
        for part in self.parts.values():
            written += part.save(folder, formats)
        return list(dict.fromkeys(written))

    def _chapters(self) -> list[Told]:
        return [*super()._chapters(), *(told for part in self.parts.values() for told in part._chapters())]

    def _words(self) -> str:
        return "\n".join(f"- {row['step']}: {row['reason']}" for row in self.data.to_dict("records"))

    def _title(self) -> str:
        return "Discipline: " + ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())


def _choose_batch_size(sizes: Sequence[int], seconds: float, given: dict[str, Any]) -> _Step:
    tried = compare_batch_sizes(sizes, "epochs", 1, evaluations=1, **given)
    took = tried.data.groupby("batch_size")["seconds"].max()
    fitting = took[took <= seconds]
    size = int(max(fitting.index) if len(fitting) else str(took.idxmin()))
    reason = f"the largest of {len(sizes)} sizes whose epoch takes {seconds:g} s at most: {took[size]:.2g} s"
    if fitting.empty:
        reason = f"no epoch takes {seconds:g} s at most; this one takes least, {took[size]:.2g} s"
    return _Step("batch size", {"batch_size": size}, reason, tried)


def _bound(known: dict[str, Any], given: dict[str, Any]) -> _Step:
    usual = momentum_arguments(given["optimizer"], {}, _USUAL_MOMENTUM)
    test = lr_range_test(steps=_RANGE_STEPS, batch_size=known["batch_size"], **given, **usual)
    rates: Any = test.summary().set_index("rule").loc[CONVERGES]
    by_seed = f"{rates['lowest']:.2g} to {rates['highest']:.2g}"
    reason = f"the largest rate that converges, the median over seeds, which have {by_seed}"
    if words := test._words():
        reason += f". {words}"
    return _Step("range test", {"bound": _short(rates["lr"])}, reason, test)


def _choose_rate(known: dict[str, Any], given: dict[str, Any]) -> _Step:
    rates = {name: _short(known["bound"] / share) for name, share in _TRIED.items()}
    steps = _steps(known, given)
    tried = {name: OneCycle(rate, steps, momentum=None) for name, rate in rates.items()}
    made = compare_configs(schedule=tried, **_settings(known, given))
    rate = rates[str(best_row(made.data)["schedule"])]
    reason = f"{_lowest(made, given)} under 1cycle up to the bound, a third, a quarter, a tenth and a twentieth of it"
    return _Step("learning rate", {"max_lr": rate}, reason, made)


def _choose_momentum(known: dict[str, Any], asked: dict[str, Any], given: dict[str, Any]) -> _Step:
    tried = {"momentum": asked["momentum"], "low": asked["low"], "lr": known["max_lr"]}
    test = momentum_test(batch_size=known["batch_size"], **tried, **given)
    momentum, policy = test.best()
    reason = f"{_lowest(test, given)} under the triangle up to this rate"
    return _Step("momentum", {"momentum": momentum, "policy": policy}, reason, test)


def _choose_weight_decay(known: dict[str, Any], values: Numbers | None, low: float, given: dict[str, Any]) -> _Step:
    search = weight_decay_search(
        values,
        schedule=_cycle(known, low, given),
        batch_size=known["batch_size"],
        **given,
        **momentum_arguments(given["optimizer"], {}, known["momentum"]),
    )
    reason = f"{_lowest(search, given)} under 1cycle"
    return _Step("weight decay", {"weight_decay": search.best()}, reason, search)


def _one_cycle(known: dict[str, Any], low: float, given: dict[str, Any]) -> _Step:
    """What was chosen under 1cycle, beside constant rates."""
    cycle = _cycle(known, low, given)
    momentum = known["momentum"] if cycle.momentum is None else cycle.momentum
    fixed = {name: known[name] for name in ("batch_size", "weight_decay")}
    made = compare_one_cycle(known["max_lr"], momentum, **fixed, **given)
    means = zip(made.values, seeds_summary(made.data)["mean"], strict=True)
    reason = "mean losses at the end: " + ", ".join(f"{name} {mean:.3g}" for name, mean in means)
    return _Step("one cycle", {"schedule": cycle}, reason, made)


def _cycle(known: dict[str, Any], low: float, given: dict[str, Any]) -> OneCycle:
    """1cycle with the rate that was chosen, and the momentum cycled where that was chosen."""
    momentum = (low, known["momentum"]) if known["policy"] == CYCLICAL else None
    return OneCycle(known["max_lr"], _steps(known, given), momentum=momentum)


def _settings(known: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What `compare_configs` is to have fixed while the rate is chosen: a usual momentum, and no decay."""
    name = "momentum" if "momentum" in momentum_arguments(given["optimizer"], {}, 0) else "beta1"
    return given | {"batch_size": known["batch_size"], name: _USUAL_MOMENTUM, "weight_decay": 0.0}


def _steps(known: dict[str, Any], given: dict[str, Any]) -> int:
    return int(given["epochs"] * math.ceil(len(given["data"].train) / known["batch_size"]))


def _short(rate: Any) -> float:
    """Two digits, which is more than a range test knows."""
    return float(f"{rate:.2g}")


def _lowest(made: Comparison, given: dict[str, Any]) -> str:
    return f"the lowest mean loss, {ranking(made.data, made.rows)['mean'][0]:.3g}, after {given['epochs']} epochs"


def _checked_sizes(batch_size: Numbers | None, rows: int) -> list[int]:
    """The sizes to try, ascending."""
    if batch_size is not None:
        return sorted(several_values("batch_size", batch_size, partial(whole_number, at_least=1)))
    most = max(_LEAST_SIZE, rows // _LEAST_STEPS)
    return [size for size in (_LEAST_SIZE * 2**k for k in range(rows.bit_length())) if size <= most]
