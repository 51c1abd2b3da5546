"""compare_configs: the optimizer exercise. One network, trained once for each value of one hyper-parameter."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import nn

from pycompare.checks import number, whole_number
from pycompare.data.split import Split, course_data
from pycompare.divergence import first_failure, is_finite
from pycompare.progress import Progress, progress_bar
from pycompare.results import Result
from pycompare.seeding import checked_seed, torch_manual_seed
from pycompare.sweeps.vary import Check, Numbers, named, vary
from pycompare.threads import torch_threads
from pycompare.training.loop import begin_training
from pycompare.training.losses import Loss, LossFunction, find_loss
from pycompare.training.network import MLP
from pycompare.training.optim import OptimizerFactory, accepts, optimizer_factory
from pycompare.training.options import Options, checked_dtype

if TYPE_CHECKING:
    from plotnine import ggplot

OnEpoch = Callable[[str, int, nn.Module], object]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """The curves of one network trained under several settings.

    Attributes:
        data: tidy frame, one row for each run and epoch: config (the label, "lr = 0.1"), the varied argument under its
            own name, epoch (from 1), train_loss, valid_loss and, for loss "mse", valid_rmse. NaN where a run has
            diverged.
        parameter: the name of the varied argument.
        values: its values, in the order given.
        arguments: the other arguments of `compare_configs`, by name.
    """

    parameter: str
    values: tuple[float, ...]
    arguments: dict[str, Any]
    _name: ClassVar[str] = "comparison"

    def summary(self) -> pd.DataFrame:
        """One row a configuration: its last and its best valid_loss, the epoch of the best, and where it diverged.

        Returns:
            Columns config, last_valid_loss, best_valid_loss, best_epoch, diverged_at (the first epoch without a finite
            valid_loss; epochs are Int64 with NA where there is none).
        """
        rows = [_summary_row(config, run) for config, run in self.data.groupby("config", sort=False)]
        return pd.DataFrame(rows).astype({"best_epoch": "Int64", "diverged_at": "Int64"})

    def plot(self) -> ggplot:
        """The validation curves as a plotnine plot, drawn as R's `compare_configs` draws them."""
        from pycompare.plots import plot_comparison

        label = "Validation RMSE" if self.arguments["loss"] == "mse" else "Validation loss"
        return plot_comparison(self.data, y_label=label)

    def _title(self) -> str:
        fixed = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"Comparison of {self.parameter} over {list(self.values)}\n{fixed}"


def compare_configs(
    epochs: int = 30,
    batch_size: Numbers = 16,
    lr: Numbers = 0.01,
    weight_decay: Numbers = 0.01,
    beta1: Numbers = 0.9,
    beta2: Numbers = 0.999,
    *,
    data: Split | None = None,
    network: Callable[[], nn.Module] | None = None,
    seed: int = 123,
    optimizer: str | OptimizerFactory = "adamw",
    loss: str | LossFunction = "mse",
    device: torch.device | str = "cpu",
    dtype: torch.dtype | str = "float32",
    n_jobs: int | None = 1,
    engine: str = "auto",
    threads: int | None = 1,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> Comparison:
    """Train one network for each value of the one argument that is a list, and compare the validation curves.

    Every run is one random scope: seeded once, then the network is made and trained in it, so that the runs differ in
    nothing but the varied argument. No global random state is changed.

    Arguments:
        epochs: passes over the training set, 1 or more; not to be varied.
        batch_size, lr, weight_decay, beta1, beta2: exactly one of them is a list (or tuple, range, array, Series) of
            distinct numbers. batch_size is 1 or more, lr and weight_decay are 0 or more, beta1 and beta2 lie in [0, 1).
        data: training and validation set; `course_data()` unless given.
        network: a callable that makes a fresh network; unless given, an `MLP` of the data's width (for "cross_entropy",
            with one output for each class).
        seed: of torch's generator in every run, for the initial weights and dropout.
        optimizer, loss: as in `train_valid`. Arguments that the optimizer does not take must keep their defaults.
        device: where to train, such as "cpu" or "cuda".
        dtype: "float32" (as R torch) or "float64", in which the initial weights are the float32 ones, widened.
        n_jobs: runs at a time, as in scikit-learn: -1 for all cores, None for what `joblib.parallel_config` says. The
            bits and their order do not depend on it.
        engine: as in `train_valid`: "auto", "autograd" or "fused", which differ in speed only.
        threads: of torch, in each run, as in `train_valid`: 1 has R's bits on every machine.
        on_epoch: called as on_epoch(config, epoch, network) before the first epoch of every run, with epoch 0, and
            after each. It may keep copies of what it sees, and must not change the network. Needs n_jobs=1.
        progress: show a bar on a terminal or in a notebook, elsewhere a line a run, on stderr.

    Returns:
        A `Comparison`: the curves as a tidy frame, which can summarise, draw and save itself.

    Raises:
        ValueError, TypeError: before any training, naming argument, value and remedy.

    Mirrors the course's `compare_configs(epochs, batch_size, lr, weight_decay, beta1, beta2)` and has its bits. It
    differs where R's fails: a run that diverges does not stop it.

    Example:
        >>> compare_configs(epochs=2, lr=[0.1, 0.01]).data.columns.tolist()
        ['config', 'lr', 'epoch', 'train_loss', 'valid_loss', 'valid_rmse']
    """
    options = Options(epochs, 1, optimizer, {}, find_loss(loss), engine, threads)
    variation = vary(
        {"batch_size": batch_size, "lr": lr, "weight_decay": weight_decay, "beta1": beta1, "beta2": beta2}, _CHECKS
    )
    parameter, values = _the_list(variation.varied)
    _check_accepted(optimizer, parameter, variation.fixed)
    sweep = _Sweep(
        options=options,
        split=(split := _checked_split(data)),
        make_network=_network_factory(network, split, options.loss),
        seed=checked_seed(seed),
        device=_checked_device(device),
        dtype=checked_dtype(dtype),
    )
    sweep.check_network()
    settings, labels = [variation.fixed | choice for choice in variation.choices()], variation.labels(parameter)
    with (
        torch_threads(options.threads),
        progress_bar(options.epochs * len(values), unit="epoch", show=progress) as bar,
    ):
        runs = _run_all(sweep, settings, labels, _checked_n_jobs(n_jobs, on_epoch), bar, on_epoch)
    for curves, label, value in zip(runs, labels, values, strict=True):
        curves.insert(0, "config", label)
        curves.insert(1, parameter, value)
    frame = pd.concat(runs, ignore_index=True).replace([math.inf, -math.inf], math.nan)
    return Comparison(frame, parameter, values, sweep.arguments() | variation.fixed)


@dataclass(frozen=True)
class _Sweep:
    """What all runs of a comparison share; batch size and the optimizer's arguments are each run's own."""

    options: Options
    split: Split
    make_network: Callable[[], nn.Module]
    seed: int
    device: torch.device
    dtype: torch.dtype

    def run(
        self,
        settings: dict[str, float],
        watch: Callable[[int, nn.Module], object] | None = None,
        tick: Callable[[], object] = bool,
    ) -> pd.DataFrame:
        """Make a network in a random scope and train it with `settings`; `watch` sees it, and `tick` counts epochs.

        The scope, which one thread at a time may enter, lasts for the training, too, where that may draw.
        """
        arguments = _optimizer_arguments(self.options.optimizer, settings)
        options = replace(self.options, batch_size=int(settings["batch_size"]), arguments=arguments)
        rows = []
        with torch_threads(options.threads), ExitStack() as scope:
            scope.enter_context(torch_manual_seed(self.seed, self.device))
            network = self.make_network().to(self.device, self.dtype)
            if watch:
                watch(0, network)
            training = begin_training(network, self.split.train, self.split.valid, options)
            if not (training.engine.draws or watch):
                scope.close()
            for row in training.epochs():
                rows.append(row)
                tick()
                if watch:
                    watch(len(rows), network)
        return pd.DataFrame(rows)

    def check_network(self) -> None:
        """Refuse a callable that does not make a new network each time: a run would go on where another ended."""
        with torch_manual_seed(self.seed, self.device):
            first, second = self.make_network(), self.make_network()
        for made in (first, second):
            if not isinstance(made, nn.Module):
                raise TypeError(f"`network` must make a torch.nn.Module; got {made!r}. Return one from the callable.")
        if {id(parameter) for parameter in first.parameters()} & {id(parameter) for parameter in second.parameters()}:
            raise ValueError(
                f"`network` must make a fresh network each time; got {self.make_network!r}, which returns the same"
                " parameters twice. Build the network inside the callable."
            )

    def arguments(self) -> dict[str, Any]:
        dtype, device = str(self.dtype).removeprefix("torch."), str(self.device)
        options = {"epochs": self.options.epochs, "seed": self.seed, "optimizer": self.options.optimizer}
        return options | {"loss": self.options.loss.given, "dtype": dtype, "device": device}


def _run_all(
    sweep: _Sweep,
    settings: list[dict[str, float]],
    labels: list[str],
    n_jobs: int | None,
    bar: Progress,
    on_epoch: OnEpoch | None,
) -> list[pd.DataFrame]:
    if n_jobs != 1:
        from pycompare.sweeps.parallel import run_in_parallel

        bar.set_description(f"{len(settings)} runs side by side")
        return run_in_parallel(sweep.run, settings, labels, n_jobs, on_done=lambda: bar.update(sweep.options.epochs))

    runs = []
    for i, (setting, label) in enumerate(zip(settings, labels, strict=True), start=1):
        bar.set_description(f"run {i}/{len(settings)}, {label}")
        runs.append(sweep.run(setting, partial(on_epoch, label) if on_epoch else None, bar.update))
    return runs


def _summary_row(config: object, run: pd.DataFrame) -> dict[str, object]:
    finite = is_finite(run[["valid_loss"]])
    best = run.iloc[int(np.where(finite, run["valid_loss"], np.inf).argmin())]
    return {
        "config": config,
        "last_valid_loss": run["valid_loss"].iloc[-1],
        "best_valid_loss": best["valid_loss"],
        "best_epoch": int(best["epoch"]) if finite.any() else pd.NA,
        "diverged_at": first_failure(run["epoch"], finite),
    }


def _the_list(varied: dict[str, list[float]]) -> tuple[str, tuple[float, ...]]:
    """The one argument that varies, and its values."""
    if len(varied) != 1:
        raise ValueError(
            f"Exactly one of {', '.join(f'`{name}`' for name in _CHECKS)} must be a list; got {named(varied)}."
            " Give one of them several values, such as lr=[0.1, 0.2], and the others one number each."
        )
    ((parameter, values),) = varied.items()
    return parameter, tuple(values)


def _check_accepted(optimizer: str | OptimizerFactory, parameter: str, fixed: dict[str, float]) -> None:
    """Refuse a setting that the optimizer would not see."""
    factory, defaults = optimizer_factory(optimizer), inspect.signature(compare_configs).parameters
    for name in [parameter, *(name for name, value in fixed.items() if value != defaults[name].default)]:
        if name != "batch_size" and not accepts(factory, _OPTIMIZER_NAMES.get(name, name)):
            raise ValueError(
                f"`{name}` must keep its default with optimizer {optimizer!r}, which does not take it."
                " Choose another optimizer, or a callable that takes it."
            )


def _optimizer_arguments(optimizer: str | OptimizerFactory, settings: dict[str, float]) -> dict[str, Any]:
    betas = (settings["beta1"], settings["beta2"])
    arguments = {"lr": settings["lr"], "weight_decay": settings["weight_decay"], "betas": betas}
    factory = optimizer_factory(optimizer)
    return {name: value for name, value in arguments.items() if accepts(factory, name)}


def _checked_split(data: Split | None) -> Split:
    if data is None:
        return course_data()
    if not isinstance(data, Split):
        raise TypeError(f"`data` must be a Split; got {type(data).__name__}. Use Split.from_arrays(X, y).")
    return data


def _network_factory(network: Callable[[], nn.Module] | None, split: Split, loss: Loss) -> Callable[[], nn.Module]:
    if isinstance(network, nn.Module) or not (network is None or callable(network)):
        raise TypeError(
            f"`network` must be a callable that makes a fresh network for each run; got {type(network).__name__}."
            " Pass e.g. lambda: MLP(4)."
        )
    if network is not None:
        return network
    x, y = split.train.tensors
    if x.ndim != 2 or y.ndim != 2:
        raise ValueError(
            f"`network` must be given for rows of shape {tuple(x.shape[1:])}, targets {tuple(y.shape[1:])}: the default"
            " takes a vector to a vector. Pass a callable that makes a network for them."
        )
    width = y.shape[1]
    if loss.of_classes and width == 1:
        width = int(max(y.max(), split.valid.tensors[1].max())) + 1
    return partial(MLP, x.shape[1], out_features=width)


def _checked_n_jobs(n_jobs: int | None, on_epoch: OnEpoch | None) -> int | None:
    if n_jobs is not None and whole_number("n_jobs", n_jobs) == 0:
        raise ValueError("`n_jobs` must be 1 or more, or -1 for all cores; got 0. Use 1 for one run at a time.")
    if on_epoch is not None and not callable(on_epoch):
        raise TypeError(f"`on_epoch` must be a callable (config, epoch, network); got {on_epoch!r}. Pass a function.")
    if on_epoch is not None and n_jobs != 1:
        raise ValueError(f"`n_jobs` must be 1 with `on_epoch`; got {n_jobs!r}. A worker's network cannot be watched.")
    return n_jobs


def _checked_device(device: torch.device | str) -> torch.device:
    try:
        probe = torch.zeros((), device=device)
        probe.item()  # the device "meta" holds no numbers
        return probe.device
    except (RuntimeError, AssertionError, TypeError) as cause:
        reason = str(cause).partition("\n")[0]
        raise ValueError(f"`device` must be usable here; got {device!r}: {reason}. Use 'cpu'.") from cause


_CHECKS: dict[str, Check] = {
    "batch_size": partial(whole_number, at_least=1),
    "lr": partial(number, at_least=0),
    "weight_decay": partial(number, at_least=0),
    "beta1": partial(number, at_least=0, below=1),
    "beta2": partial(number, at_least=0, below=1),
}
_OPTIMIZER_NAMES = {"beta1": "betas", "beta2": "betas"}
