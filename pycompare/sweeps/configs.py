"""compare_configs: the optimizer exercise. One network, trained once for each value of one hyper-parameter."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import pandas as pd
import torch
from torch import nn

from pycompare.checks import flag, number, whole_number
from pycompare.data.split import Split, course_data
from pycompare.labels import value_label
from pycompare.progress import Progress, progress_bar
from pycompare.seeding import checked_seed, torch_manual_seed
from pycompare.sweeps.advice import input_size
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.vary import Check, Numbers, named, vary
from pycompare.threads import torch_threads
from pycompare.training.batches import BatchedData, KeptHere, batched
from pycompare.training.kernels import mkl_kernels
from pycompare.training.loop import Training, begin_training, giving_back
from pycompare.training.losses import Loss, LossFunction, find_loss
from pycompare.training.network import MLP
from pycompare.training.optim import OptimizerFactory, accepts, optimizer_factory
from pycompare.training.options import Options, checked_dtype

OnEpoch = Callable[[str, int, nn.Module], object]


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
    keep_networks: bool = False,
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
        engine: as in `train_valid`: "auto", "autograd", "fused" or "compiled", which differ in speed only.
        threads: of torch, in each run, as in `train_valid`: 1 has R's bits on every machine.
        on_epoch: called as on_epoch(config, epoch, network) before the first epoch of every run, with epoch 0, and
            after each. It may keep copies of what it sees, and must not change the network. Needs n_jobs=1.
        keep_networks: keep the trained networks, in evaluation mode, where they were trained: `comparison.networks`.
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
        keep_networks=flag("keep_networks", keep_networks),
    )
    sweep.check_network()
    n_jobs, shown = _checked_n_jobs(n_jobs, on_epoch), flag("progress", progress)
    settings, labels = [variation.fixed | choice for choice in variation.choices()], variation.labels(parameter)
    runs, frame = [_Run() for _ in values], partial(_frame, parameter, values, labels)
    with (
        torch_threads(options.threads),
        giving_back(lambda: frame(runs)),
        progress_bar(options.epochs * len(values), unit="epoch", show=shown) as bar,
    ):
        _run_all(sweep, settings, labels, n_jobs, bar, on_epoch, runs)
    networks = {label: run.network for run, label in zip(runs, labels, strict=True) if run.network is not None}
    arguments, size = sweep.arguments() | variation.fixed, input_size(split.train.tensors[0])
    return Comparison(frame(runs), parameter, values, arguments, sweep.made_with(runs), size, networks)


@dataclass
class _Run:
    """What came of one training so far: rows, the engine that trained and why, and where asked for the network."""

    rows: list[dict[str, float]] = field(default_factory=list)
    engine: str = ""
    why: str = ""
    network: nn.Module | None = None


@dataclass(frozen=True)
class _Sweep:
    """What all runs of a comparison share; batch size and the optimizer's arguments are each run's own."""

    options: Options
    split: Split
    make_network: Callable[[], nn.Module]
    seed: int
    device: torch.device
    dtype: torch.dtype
    keep_networks: bool = False
    kept: KeptHere = field(default_factory=KeptHere)

    def run(
        self,
        settings: dict[str, float],
        watch: Callable[[int, nn.Module], object] | None = None,
        tick: Callable[[], object] = bool,
        run: _Run | None = None,
    ) -> _Run:
        """Make a network in a random scope, train it with `settings`, and put into `run` what each epoch brings.

        `watch` sees the network, and `tick` counts epochs.

        The scope, which one thread at a time may enter, lasts for the training, too, where that may draw.
        """
        run = run or _Run()
        with torch_threads(self.options.threads), ExitStack() as scope:
            scope.enter_context(torch_manual_seed(self.seed, self.device))
            training = self.begin(settings)
            run.engine, run.why = training.engine.name, training.why
            if watch:
                watch(0, training.network)
            elif not training.engine.draws:
                scope.close()
            for row in training.epochs():
                run.rows.append(row)
                tick()
                if watch:
                    watch(len(run.rows), training.network)
        run.network = training.network.eval() if self.keep_networks else None
        return run

    def begin(self, settings: dict[str, float]) -> Training:
        """Make a network from torch's generator as it is, and what trains it with `settings`."""
        arguments = _optimizer_arguments(self.options.optimizer, settings)
        options = replace(self.options, batch_size=int(settings["batch_size"]), arguments=arguments)
        network = self.make_network().to(self.device, self.dtype)
        return begin_training(network, *self._sets(options.batch_size), options)

    def threads(self, settings: dict[str, float]) -> int | None:
        """How many torch threads a run takes, where it lets other threads of Python go on; else None."""
        with torch_manual_seed(self.seed, self.device):
            return self.options.threads if self.begin(settings).engine.releases_gil else None

    def _sets(self, batch_size: int) -> tuple[BatchedData, BatchedData]:
        """The training and the validation set in batches, made once for all runs."""
        if batch_size not in self.kept:
            like = torch.empty(0, device=self.device, dtype=self.dtype)
            train, valid = (("ds_train", self.split.train), ("ds_valid", self.split.valid))
            self.kept[batch_size] = batched(*train, like, batch_size), batched(*valid, like, batch_size)
        sets: tuple[BatchedData, BatchedData] = self.kept[batch_size]
        return sets

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
        last = [module for module in first.modules() if isinstance(module, nn.Linear)][-1:]
        if self.options.loss.of_classes and last and last[0].out_features == 1:
            raise ValueError(
                f"`network` must end with one output for each class for {value_label(self.options.loss.given)}, two at"
                " least; got one, whose loss is always 0. Change its last layer, or take the loss 'bce'."
            )

    def arguments(self) -> dict[str, Any]:
        dtype, device = str(self.dtype).removeprefix("torch."), str(self.device)
        options = {"epochs": self.options.epochs, "seed": self.seed, "optimizer": self.options.optimizer}
        return options | {"loss": self.options.loss.given, "dtype": dtype, "device": device}

    def made_with(self, runs: list[_Run]) -> dict[str, Any]:
        """What else the bits may depend on, and what was trained on what."""
        engines, why = (", ".join(sorted(set(told))) for told in zip(*((r.engine, r.why) for r in runs), strict=True))
        made = {"engine": engines, "why": why, "threads": self.options.threads, "kernels": _kernels()}
        return made | {"data": repr(self.split), "network": repr(self.make_network)}


def _run_all(
    sweep: _Sweep,
    settings: list[dict[str, float]],
    labels: list[str],
    n_jobs: int | None,
    bar: Progress,
    on_epoch: OnEpoch | None,
    runs: list[_Run],
) -> None:
    """Fill `runs`, as they come."""
    if n_jobs != 1:
        from pycompare.sweeps.parallel import run_in_parallel

        def keep(i: int, run: _Run) -> None:
            runs[i] = run
            bar.update(sweep.options.epochs)

        bar.set_description(f"{len(settings)} runs side by side")
        run_in_parallel(sweep.run, settings, labels, n_jobs, keep, threads=sweep.threads(settings[0]))
        return
    for i, (setting, label) in enumerate(zip(settings, labels, strict=True)):
        bar.set_description(f"run {i + 1}/{len(settings)}, {label}")
        sweep.run(setting, partial(on_epoch, label) if on_epoch else None, bar.update, runs[i])


def _frame(parameter: str, values: tuple[float, ...], labels: list[str], runs: list[_Run]) -> pd.DataFrame:
    """The rows of all runs, as `Comparison.data` describes them."""
    keys = [{"config": label, parameter: value} for label, value in zip(labels, values, strict=True)]
    frame = pd.DataFrame([key | row for key, run in zip(keys, runs, strict=True) for row in run.rows])
    return frame.replace([math.inf, -math.inf], math.nan)


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
    of_classes = loss.of_classes and y.numel() == len(y)
    if x.ndim != 2 or not (of_classes or y.ndim == 2):
        raise ValueError(
            f"`network` must be given for rows of shape {tuple(x.shape[1:])}, targets {tuple(y.shape[1:])}: the default"
            " takes a vector to a vector. Pass a callable that makes a network for them."
        )
    width = _classes(torch.cat([y, split.valid.tensors[1]])) if of_classes else y.shape[1]
    return partial(MLP, x.shape[1], out_features=width)


def _classes(targets: torch.Tensor) -> int:
    """How many classes there are, at least two, when `targets` are their indices."""
    wrong = targets[(targets < 0) | (targets != targets.floor()) | (targets >= max(2, len(targets)))]
    if len(wrong):
        raise ValueError(
            f"`data` must have classes 0, 1, ..., fewer than rows, as targets; got {wrong[0].item()!r}."
            " Number the classes from 0."
        )
    return max(2, int(targets.max()) + 1)


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
_kernels = cache(mkl_kernels)  # MKL chooses once in a process
_OPTIMIZER_NAMES = {"beta1": "betas", "beta2": "betas"}
