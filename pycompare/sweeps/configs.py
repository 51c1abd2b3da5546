"""compare_configs: the optimizer exercise. One network, trained once for each value of one hyper-parameter."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any

import torch
from torch import nn

from pycompare.checks import flag, number, whole_number
from pycompare.data.split import Split, course_data
from pycompare.labels import value_label
from pycompare.seeding import checked_seed
from pycompare.sweeps.advice import input_size
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.runs import (
    NetworkFactory,
    OnEpoch,
    Run,
    checked_n_jobs,
    checked_restarts,
    made_with,
    networks,
    train_all,
)
from pycompare.sweeps.seeds import checked_seeds
from pycompare.sweeps.store.store import RunStore
from pycompare.sweeps.vary import Check, Numbers, the_list, vary
from pycompare.training.losses import Loss, LossFunction, find_loss
from pycompare.training.network import MLP
from pycompare.training.optim import OptimizerFactory, accepts, make_optimizer, optimizer_factory
from pycompare.training.options import Options, checked_dtype
from pycompare.training.schedules import Schedule, check_schedule, checked_schedule
from pycompare.training.stopping import EarlyStopping


def compare_configs(
    epochs: int = 30,
    batch_size: Numbers = 16,
    lr: Numbers = 0.01,
    weight_decay: Numbers = 0.01,
    beta1: Numbers = 0.9,
    beta2: Numbers = 0.999,
    *,
    schedule: Schedule | Sequence[Schedule | None] | None = None,
    early_stopping: EarlyStopping | None = None,
    restarts: int = 0,
    data: Split | None = None,
    network: NetworkFactory | None = None,
    seed: int = 123,
    seeds: int | Sequence[int] | None = None,
    optimizer: str | OptimizerFactory = "adamw",
    loss: str | LossFunction = "mse",
    device: torch.device | str = "cpu",
    dtype: torch.dtype | str = "float32",
    n_jobs: int | None = 1,
    engine: str = "auto",
    threads: int | None = 1,
    on_epoch: OnEpoch | None = None,
    keep_networks: bool = False,
    store: RunStore | str | PathLike[str] | None = None,
    progress: bool = True,
) -> Comparison:
    """Train one network for each value of the one argument that is a list, and compare the validation curves.

    Every run is one random scope: seeded once, then the network is made and trained in it, so that the runs differ in
    nothing but the varied argument. No global random state is changed.

    Arguments:
        epochs: passes over the training set, 1 or more; not to be varied.
        batch_size, lr, weight_decay, beta1, beta2: exactly one of them, or schedule, is a list (or tuple, range, array,
            Series) of distinct values. batch_size is 1 or more, lr and weight_decay are 0 or more, beta1 and beta2 lie
            in [0, 1).
        schedule: as in `train_valid`: what it sets takes the place of lr, weight_decay or beta1. In a list, None stands
            for these.
        early_stopping: when a run is to end before the last epoch, with the best weights; `EarlyStopping` tells the
            rule.
        restarts: how often a run that early stopping has ended starts again, from other initial weights: the n-th start
            has the run's seed plus (n - 1) million. The first that is not ended, or else the last, ends the run. The
            best of its starts, by what early stopping goes by, is kept; the frame has its number, from 1, as `start`.
        data: training and validation set; `course_data()` unless given.
        network: a callable that makes a fresh network; unless given, an `MLP` of the data's width (for "cross_entropy",
            with one output for each class).
        seed: of torch's generator in every run, for the initial weights and dropout.
        seeds: repeat every run: a number n under the seeds seed, ..., seed + n - 1, a list under its own. The
            frame then has a column seed, the picture means and bands.
        optimizer, loss: as in `train_valid`. Arguments that the optimizer does not take must keep their defaults.
        device: where to train, such as "cpu" or "cuda".
        dtype: "float32" (as R torch) or "float64", in which the initial weights are the float32 ones, widened.
        n_jobs: runs at a time, as in scikit-learn: -1 for all cores, None for what `joblib.parallel_config` says. The
            bits and their order do not depend on it.
        engine: as in `train_valid`: "auto", "autograd", "fused" or "compiled", which differ in speed only.
        threads: of torch, in each run, as in `train_valid`: 1 has R's bits on every machine.
        on_epoch: called as on_epoch(config, epoch, network) before the first epoch of every run, with epoch 0, and
            after each. It may keep copies of what it sees, and must not change the network. Needs n_jobs=1.
        keep_networks: keep the trained networks, in evaluation mode, where they were trained: `comparison.networks`.
        store: a `RunStore`, or its folder: runs that are in it are not trained again, others are put there, and such as
            were killed go on where they were stored last.
        progress: show a bar on a terminal or in a notebook, elsewhere a line a run, on stderr.

    Returns:
        A `Comparison`: the curves as a tidy frame, which can summarise, draw and save itself.

    Raises:
        ValueError, TypeError: before the first step of the first run, naming argument, value and remedy.
        What `on_epoch` raises, and KeyboardInterrupt: with the attribute `partial`, the frame of what was done.

    Mirrors the course's `compare_configs(epochs, batch_size, lr, weight_decay, beta1, beta2)` and has its bits. It
    differs where R's fails: a run that diverges does not stop it.

    Example:
        >>> compare_configs(epochs=2, lr=[0.1, 0.01]).data.columns.tolist()
        ['config', 'lr', 'epoch', 'train_loss', 'valid_loss', 'valid_rmse']
        >>> from pycompare import OneCycle
        >>> compare_configs(epochs=2, schedule=[None, OneCycle(0.05, steps=88)]).summary()["config"].tolist()
        ['schedule = None', 'schedule = OneCycle(max_lr=0.05, steps=88)']
    """
    options = Options(epochs, 1, optimizer, {}, find_loss(loss), engine, threads, early_stopping=early_stopping)
    numbers = {"batch_size": batch_size, "lr": lr, "weight_decay": weight_decay, "beta1": beta1, "beta2": beta2}
    variation = vary(numbers | ({} if schedule is None else {"schedule": schedule}), _CHECKS)
    parameter, values = the_list(variation, "lr=[0.1, 0.2]", [*_CHECKS])
    _check_accepted(optimizer, parameter, variation.fixed)
    _check_not_set(parameter, variation.fixed.get("schedule"))
    split = checked_split(data)
    first = Run(
        make_network=network_factory(network, split, options.loss),
        split=split,
        options=options,
        seed=checked_seed(seed),
        device=_checked_device(device),
        dtype=checked_dtype(dtype),
        keep_network=flag("keep_networks", keep_networks),
        restarts=checked_restarts(restarts, options),
    )
    sample = first.check_network()
    several = checked_seeds(seed, seeds)
    runs: list[Run] = []
    for label, choice in zip(variation.labels(parameter), variation.choices(), strict=True):
        key = {"config": label, parameter: _cell(choice[parameter])}
        run = replace(first, options=_run_options(options, variation.fixed | choice), key=key)
        runs += [run] if seeds is None else run.under_seeds(key, several)
    _check_schedules(runs, sample)
    n_jobs, shown = _checked_n_jobs(n_jobs, on_epoch), flag("progress", progress)
    frame, outcomes = train_all(runs, n_jobs=n_jobs, on_epoch=on_epoch, progress=shown, store=store)
    arguments = _arguments(first, seeds if seeds is None else several) | variation.fixed
    size, made = input_size(split.train.tensors[0]), made_with(first, outcomes)
    told = tuple(map(_cell, values))
    return Comparison(frame, parameter, told, arguments, made, size, networks(runs, outcomes))


def _cell(value: Any) -> Any:
    """A number as itself, a schedule as text."""
    return value if isinstance(value, (int, float)) else value_label(value)


def _run_options(options: Options, settings: dict[str, Any]) -> Options:
    arguments, schedule = _optimizer_arguments(options.optimizer, settings), settings.get("schedule")
    return replace(options, batch_size=int(settings["batch_size"]), arguments=arguments, schedule=schedule)


def _check_schedules(runs: Sequence[Run], network: nn.Module) -> None:
    """Refuse schedules that do not fit, of all runs before the first; `network` is one of theirs."""
    for run in runs:
        if run.options.schedule:
            opt = make_optimizer(network, run.options.optimizer, run.options.arguments)
            batches = math.ceil(len(run.split.train) / run.options.batch_size)
            check_schedule(run.options.schedule, opt, run.options.epochs * batches)


def _arguments(run: Run, seeds: tuple[int, ...] | None) -> dict[str, Any]:
    options, dtype, device = run.options, str(run.dtype).removeprefix("torch."), str(run.device)
    told = {"epochs": options.epochs, **({"seed": run.seed} if seeds is None else {"seeds": list(seeds)})}
    if options.early_stopping:
        told |= {"early_stopping": options.early_stopping, "restarts": run.restarts}
    return told | {"optimizer": options.optimizer, "loss": options.loss.given, "dtype": dtype, "device": device}


def _check_not_set(parameter: str, schedule: Schedule | None) -> None:
    """Refuse to vary what the schedule sets: all runs would be the same."""
    if schedule and _SET_AS.get(parameter, parameter) in schedule.settings(0):
        raise ValueError(
            f"`{parameter}` must be one value under a schedule that sets it; got a list with {schedule!r}."
            " Make `schedule` the list."
        )


def _check_accepted(optimizer: str | OptimizerFactory, parameter: str, fixed: dict[str, float]) -> None:
    """Refuse a setting that the optimizer would not see."""
    factory, defaults = optimizer_factory(optimizer), inspect.signature(compare_configs).parameters
    for name in [parameter, *(name for name, value in fixed.items() if value != defaults[name].default)]:
        if name not in ("batch_size", "schedule") and not accepts(factory, _OPTIMIZER_NAMES.get(name, name)):
            raise ValueError(
                f"`{name}` must keep its default with optimizer {optimizer!r}, which does not take it."
                " Choose another optimizer, or a callable that takes it."
            )


def _optimizer_arguments(optimizer: str | OptimizerFactory, settings: dict[str, float]) -> dict[str, Any]:
    betas = (settings["beta1"], settings["beta2"])
    arguments = {"lr": settings["lr"], "weight_decay": settings["weight_decay"], "betas": betas}
    factory = optimizer_factory(optimizer)
    return {name: value for name, value in arguments.items() if accepts(factory, name)}


def checked_split(data: Split | None, default: Callable[[], Split] = course_data) -> Split:
    """`data`, or the default, or one clear error."""
    if data is None:
        return default()
    if not isinstance(data, Split):
        raise TypeError(f"`data` must be a Split; got {type(data).__name__}. Use Split.from_arrays(X, y).")
    return data


def network_factory(
    network: NetworkFactory | None,
    split: Split,
    loss: Loss,
    hidden: tuple[int, ...] = (50, 50),
    make: Callable[..., nn.Module] = MLP,
) -> NetworkFactory:
    """`network`, checked, or where it is None `make` for the widths of `split`, with the outputs that `loss` takes."""
    if isinstance(network, nn.Module) or not (network is None or callable(network)):
        raise TypeError(
            f"`network` must be a callable that makes a fresh network for each run; got {type(network).__name__}."
            " Pass e.g. lambda: MLP(4)."
        )
    if network is not None:
        return network
    x, y = split.train.tensors
    of_classes = loss.of_classes and y.numel() == len(y)
    if x.ndim != 2 or not (of_classes or y.ndim == 2):
        raise ValueError(
            f"`network` must be given for rows of shape {tuple(x.shape[1:])}, targets {tuple(y.shape[1:])}: the default"
            " takes a vector to a vector. Pass a callable that makes a network for them."
        )
    width = class_count(split) if of_classes else y.shape[1]
    return partial(make, x.shape[1], hidden=hidden, out_features=width)


def class_count(split: Split) -> int:
    """How many classes there are, at least two, when the targets are their indices; one clear error where not."""
    targets = torch.cat([split.train.tensors[1], split.valid.tensors[1]])
    wrong = targets[(targets < 0) | (targets != targets.double().floor()) | (targets >= max(2, len(targets)))]
    if len(wrong):
        raise ValueError(
            f"`data` must have classes 0, 1, ..., fewer than rows, as targets; got {wrong[0].item()!r}."
            " Number the classes from 0."
        )
    return max(2, int(targets.max()) + 1)


def _checked_n_jobs(n_jobs: int | None, on_epoch: OnEpoch | None) -> int | None:
    if on_epoch is not None and not callable(on_epoch):
        raise TypeError(f"`on_epoch` must be a callable (config, epoch, network); got {on_epoch!r}. Pass a function.")
    if on_epoch is not None and n_jobs != 1:
        raise ValueError(f"`n_jobs` must be 1 with `on_epoch`; got {n_jobs!r}. A worker's network cannot be watched.")
    return checked_n_jobs(n_jobs)


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
    "schedule": checked_schedule,
}
_OPTIMIZER_NAMES = {"beta1": "betas", "beta2": "betas"}
_SET_AS = {"beta1": "momentum"}  # by schedules
