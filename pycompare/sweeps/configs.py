"""compare_configs: the optimizer exercise. One network, trained once for each value of one hyper-parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any

import torch
from torch import nn

from pycompare.calls import recorded
from pycompare.checks import flag
from pycompare.data.split import Split, course_data
from pycompare.labels import call_label, setting_label
from pycompare.seeding import checked_seed
from pycompare.sweeps.advice import constant_loss, input_size
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.runs import NetworkFactory, Run, checked_restarts, steps_of
from pycompare.sweeps.seeds import checked_seeds
from pycompare.sweeps.settings import CHECKS, check_accepted, check_not_set, run_options
from pycompare.sweeps.store.store import RunStore
from pycompare.sweeps.train import OnEpoch, checked_n_jobs, made_with, networks, train_all
from pycompare.sweeps.vary import Numbers, Variation, the_lists, vary
from pycompare.training.losses import Loss, LossFunction, find_loss
from pycompare.training.network import MLP
from pycompare.training.optim import OptimizerFactory, make_optimizer
from pycompare.training.options import Options, checked_dtype
from pycompare.training.schedules import Schedule, check_schedule
from pycompare.training.stopping import EarlyStopping


@recorded
def compare_configs(
    epochs: int = 30,
    batch_size: Numbers = 16,
    lr: Numbers = 0.01,
    weight_decay: Numbers = 0.01,
    beta1: Numbers = 0.9,
    beta2: Numbers = 0.999,
    *,
    momentum: Numbers | None = None,
    dampening: Numbers | None = None,
    nesterov: bool | Sequence[bool] | None = None,
    schedule: Schedule | Sequence[Schedule | None] | Mapping[str, Schedule | None] | None = None,
    optimizer: str | OptimizerFactory | Sequence[str | OptimizerFactory] | Mapping[str, OptimizerFactory] = "adamw",
    network: NetworkFactory | Sequence[NetworkFactory] | Mapping[str, NetworkFactory] | None = None,
    loss: str | LossFunction | Sequence[str | LossFunction] = "mse",
    early_stopping: EarlyStopping | None = None,
    restarts: int = 0,
    data: Split | None = None,
    seed: int = 123,
    seeds: int | Sequence[int] | None = None,
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
    """Train one network for each value of the argument that is a list, and compare the validation curves.

    A second list makes a facet for each of its values. Every run is one random scope: seeded once, then the network is
    made and trained in it, so that the runs differ in nothing but what varies. No global random state is changed.

    Arguments:
        epochs: passes over the training set, 1 or more; not to be varied.
        batch_size, lr, weight_decay, beta1, beta2: one value each, or a list (or tuple, range, array, Series) of
            distinct ones, or a dictionary of them by name. One or two of the arguments from here to loss are lists:
            curves of the first, in this order, lie over one another, those of the second in facets. batch_size is 1
            or more, lr and weight_decay are 0 or more, beta1 and beta2 lie in [0, 1).
        momentum, dampening, nesterov: of "sgd" (momentum of "rmsprop", too), or lists; the optimizer's own unless
            given. What a list varies, all optimizers must take.
        schedule: as in `train_valid`, or a list: what it sets takes the place of lr, weight_decay, momentum or beta1.
            In a list, None stands for these.
        optimizer: as in `train_valid`, or a list. Arguments that none takes must keep their defaults.
        network: a callable that makes a fresh network, or several, by name: {"small": f, "large": g}. Unless given, an
            `MLP` of the data's width (for "cross_entropy", with one output for each class).
        loss: as in `train_valid`, or a list, whose facets have an axis each.
        early_stopping: when a run is to end before the last epoch, with the best weights; `EarlyStopping` tells the
            rule.
        restarts: how often a run that early stopping has ended starts again, from other initial weights: the n-th start
            has the run's seed plus (n - 1) million. The first that is not ended, or else the last, ends the run. The
            best of its starts, by what early stopping goes by, is kept; the frame has its number, from 1, as `start`.
        data: training and validation set; `course_data()` unless given.
        seed: of torch's generator in every run, for the initial weights and dropout.
        seeds: repeat every run: a number n under the seeds seed, ..., seed + n - 1, a list under its own. The
            frame then has a column seed, the picture means and bands, and `differences` tests them in pairs.
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
        >>> two = compare_configs(epochs=1, lr=[0.1, 0.01], optimizer=["adamw", "sgd"])
        >>> two.parameter, two.values, two.rows, two.row_values
        ('lr', (0.1, 0.01), 'optimizer', ('adamw', 'sgd'))
    """
    options = Options(epochs, 1, "adamw", {}, find_loss("mse"), engine, threads)
    numbers = {"batch_size": batch_size, "lr": lr, "weight_decay": weight_decay, "beta1": beta1, "beta2": beta2}
    optional = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov, "schedule": schedule}
    given = numbers | {name: value for name, value in optional.items() if value is not None}
    variation = vary(given | {"optimizer": optimizer, "network": network, "loss": loss}, CHECKS)
    parameter, rows = (*the_lists(variation, "lr=[0.1, 0.2]", [*CHECKS]), "")[:2]
    check_accepted(variation, DEFAULTS)
    check_not_set(variation)
    split = checked_split(data)
    shared = Run(
        make_network=nn.Identity,
        split=split,
        options=options,
        seed=checked_seed(seed),
        device=checked_device(device),
        dtype=checked_dtype(dtype),
        keep_network=flag("keep_networks", keep_networks),
        restarts=checked_restarts(restarts, early_stopping),
    )
    runs = _runs(shared, variation, early_stopping)
    check_runs(runs)
    several = checked_seeds(seed, seeds)
    runs = runs if seeds is None else [repeated for run in runs for repeated in run.under_seeds(run.key, several)]
    n_jobs, shown = _checked_n_jobs(n_jobs, on_epoch), flag("progress", progress)
    frame, outcomes = train_all(runs, n_jobs=n_jobs, on_epoch=on_epoch, progress=shown, store=store)
    arguments = _arguments(runs[0], seeds if seeds is None else several) | _without_network(variation.fixed)
    makes = dict.fromkeys(call_label(run.make_network) for run in runs)
    made = made_with(runs[0], outcomes) | {"network": ", ".join(makes)}
    facets = (rows, tuple(variation.told(rows))) if rows else ()
    values, size, kept = tuple(variation.told(parameter)), input_size(split.train.tensors[0]), networks(runs, outcomes)
    constant = _constant_loss(runs) if "loss" in variation.fixed else None
    return Comparison(frame, parameter, values, arguments, made, size, kept, *facets, constant_loss=constant)


def _runs(shared: Run, variation: Variation, early_stopping: EarlyStopping | None) -> list[Run]:
    """A run for each choice of what varies; those of one network and loss share the callable that makes it."""
    makes = {
        (id(network), id(loss)): network_factory(network, shared.split, find_loss(loss))
        for network in variation.values("network")
        for loss in variation.values("loss")
    }
    runs = []
    for choice, cells in zip(variation.choices(), variation.cells(), strict=True):
        settings = variation.fixed | choice
        make = makes[id(settings["network"]), id(settings["loss"])]
        label, *facet = (setting_label(name, value) for name, value in cells.items())
        options = replace(run_options(shared.options, settings), early_stopping=early_stopping)
        told = {"config": label} | cells
        runs.append(replace(shared, make_network=make, options=options, key=told, facet=", ".join(facet)))
    return runs


def _constant_loss(runs: Sequence[Run]) -> float | None:
    return constant_loss(runs[0].split.train.tensors[1], runs[0].options.loss)


def _without_network(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "network"}


def check_runs(runs: Sequence[Run]) -> None:
    """Refuse networks, and optimizers and schedules that do not fit them, of all runs before the first.

    A network is made, and checked, once for all runs that share its callable.
    """
    samples: dict[Any, nn.Module] = {}
    for run in runs:
        options, kind = run.options, (id(run.make_network), id(run.options.loss.given))
        network = samples[kind] = samples.get(kind) or run.check_network()
        opt = make_optimizer(network, options.optimizer, options.arguments)
        if options.schedule:
            check_schedule(options.schedule, opt, steps_of(run))


def _arguments(run: Run, seeds: tuple[int, ...] | None) -> dict[str, Any]:
    dtype, device = str(run.dtype).removeprefix("torch."), str(run.device)
    told = {"epochs": run.options.epochs, **({"seed": run.seed} if seeds is None else {"seeds": list(seeds)})}
    if run.options.early_stopping:
        told |= {"early_stopping": run.options.early_stopping, "restarts": run.restarts}
    return told | {"dtype": dtype, "device": device}


def checked_split(data: Split | None, default: Callable[[], Split] = course_data) -> Split:
    """`data`, or the default, or one clear error."""
    if data is None:
        return default()
    if not isinstance(data, Split):
        raise TypeError(f"`data` must be a Split; got {type(data).__name__}. Use Split.from_arrays(X, y).")
    return data


def standardized_course() -> Split:
    """The course's data, for optimizers that need inputs of one size."""
    return course_data().standardized()


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


def checked_device(device: torch.device | str) -> torch.device:
    """`device`, usable here, or one clear error."""
    try:
        probe = torch.zeros((), device=device)
        probe.item()  # the device "meta" holds no numbers
        return probe.device
    except (RuntimeError, AssertionError, TypeError) as cause:
        reason = str(cause).partition("\n")[0]
        raise ValueError(f"`device` must be usable here; got {device!r}: {reason}. Use 'cpu'.") from cause


DEFAULTS = {name: one.default for name, one in inspect.signature(compare_configs).parameters.items()}
