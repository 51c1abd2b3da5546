"""compare_gradients: the gradients of every layer through whole trainings, by initialiser and by optimizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from pycompare.calls import recorded
from pycompare.checks import flag, number, one_of, whole_number
from pycompare.data.split import Split
from pycompare.labels import setting_label, value_label
from pycompare.results import Result, read_saved, saved_call
from pycompare.seeding import checked_seed
from pycompare.sweeps.configs import checked_split, class_count, network_factory
from pycompare.sweeps.runs import NetworkFactory, Run
from pycompare.sweeps.seeds import checked_seeds, means_at_the_end
from pycompare.sweeps.store.store import RunStore
from pycompare.sweeps.train import checked_n_jobs, made_with, networks, train_all
from pycompare.sweeps.vary import Check, Variation, vary
from pycompare.threads import torch_threads
from pycompare.training.batches import cast_batches
from pycompare.training.initializers import Initializer, initializer, started
from pycompare.training.losses import Loss, LossFunction, find_loss
from pycompare.training.monitoring import GradientNorms
from pycompare.training.network import first_parameter
from pycompare.training.optim import OPTIMIZERS, OptimizerFactory
from pycompare.training.options import Options

if TYPE_CHECKING:
    from plotnine import ggplot

_LASTING = 0.1  # the share of its largest norm above which a gradient at the end is a lasting one
_HIDDEN, _MOMENTUM = 4, 0.9
_ENDS = ("train_loss", "valid_loss", "train_accuracy", "valid_accuracy")


@recorded
def compare_gradients(
    init: str | Initializer | Sequence[str | Initializer] = "xavier_uniform",
    optimizer: str | OptimizerFactory | Sequence[str | OptimizerFactory] = "sgd",
    *,
    data: Split | None = None,
    network: NetworkFactory | None = None,
    sigma: float = 0.5,
    epochs: int = 1000,
    batch_size: int = 64,
    lr: float = 0.02,
    loss: str | LossFunction = "mse",
    every: int = 10,
    seed: int = 123,
    seeds: int | Sequence[int] | None = None,
    n_jobs: int | None = 1,
    engine: str = "auto",
    threads: int | None = 1,
    store: RunStore | str | PathLike[str] | None = None,
    progress: bool = True,
) -> GradientComparison:
    """Train a network from several starts or by several optimizers, and record the gradients of its parameters.

        gradient = |g|;  value = |p|;  update = |p' - p|;  ratio = |p' - p| / |p|

    with p a parameter before a step, p' after it, and g its gradient. Every run is one random scope: the network is
    made, and its weights drawn again by `initialise`, which leaves its biases. No global random state is changed.

    Arguments:
        init: an initialiser, by name or a callable, as `initialise` takes it.
        optimizer: as in `train_valid`, or "momentum", SGD with a momentum of 0.9; a callable (parameters, lr=...). Of
            init and optimizer one is a list, or both are: then all combinations are trained.
        data: training and validation set; the four points of xor, as both, unless given. Where targets are indices of
            classes, shape (n,), as `classification_data` has them, and the loss is one of numbers, two classes become
            0 and 1, shape (n, 1), and more of them one column each, which is 1 where the row is of the class.
        network: a callable that makes a fresh network; unless given, 4 hidden units, ReLU, and a sigmoid at the end but
            for losses of logits, "cross_entropy" and "bce".
        sigma: standard deviation of the weights, 0 or more, for init "normal" and "trunc_normal".
        epochs, batch_size: 1 or more.
        lr: learning rate, 0 or more.
        loss: as in `train_valid`.
        every: steps 1, 1 + every, 1 + 2 every, ... are recorded; 1 or more.
        seed, seeds, n_jobs, engine, threads, store, progress: as in `compare_configs`.

    Returns:
        A `GradientComparison`: norms by step and parameter, and what each run ends with.

    Raises:
        ValueError, TypeError: before the first step of the first run, naming argument, value and remedy.

    Mirrors section 3 of r_reference/recorded_labs/record.R, which R torch ran and whose bits it has. There step 0 is
    what is step 1 here, and the biases are those of `nn_linear`, too.

    Example:
        >>> compare_gradients(optimizer=["sgd", "adam"], epochs=20).data.columns.tolist()[4:]
        ['step', 'parameter', 'gradient', 'value', 'update', 'ratio', 'loss']
    """
    variation = _variation(init, optimizer)
    known = find_loss(loss)
    split = _coded(checked_split(data, xor_points), known)
    make = network_factory(network, split, known, (_HIDDEN,), partial(small_network, logits=_of_logits(known)))
    sigma, rate = number("sigma", sigma, at_least=0), number("lr", lr, at_least=0)
    every = whole_number("every", every, at_least=1)
    options = Options(epochs, batch_size, "sgd", {}, known, engine, threads)
    first = Run(make, split, options, checked_seed(seed), keep_network=True)
    several, runs = checked_seeds(seed, seeds), list[Run]()
    for choice in variation.choices():
        settings = variation.fixed | choice
        run = _run(first, settings, sigma, rate, every)
        label = ", ".join(setting_label(name, value) for name, value in choice.items())
        key = {"config": label} | {name: value_label(settings[name]) for name in _CHECKS}
        runs += run.under_seeds(key, several)
    n_jobs, shown = checked_n_jobs(n_jobs), flag("progress", progress)
    frame, outcomes = train_all(runs, unit="norm", n_jobs=n_jobs, progress=shown, store=store)
    trained = networks(runs, outcomes)
    frame["ratio"] = frame["update"] / frame["value"]
    frame = frame[[*runs[0].key, "step", "parameter", "gradient", "value", "update", "ratio", "loss"]]
    with torch_threads(threads):
        ends = [_ends(one, split, known) for one in trained.values()]
    told = {"epochs": options.epochs, "batch_size": options.batch_size, "lr": rate, "loss": loss, "every": every}
    return GradientComparison(
        frame,
        pd.DataFrame([run.key | end for run, end in zip(runs, ends, strict=True)]).merge(_courses(frame)),
        _layers(next(iter(trained.values()))),
        told | {"sigma": sigma, "seeds": list(several)},
        made_with(first, outcomes),
        trained,
    )


@dataclass(frozen=True, eq=False, repr=False)
class GradientComparison(Result):
    """The gradients of one network, trained from several starts or by several optimizers.

    Attributes:
        data: tidy frame, one row for each run, recorded step and parameter: config, init, optimizer, seed, step (from
            1), parameter, gradient, value, update, ratio and loss, as in `GradientRecord`; NaN where not finite.
        runs: one row for each run: config, init, optimizer, seed; train_loss, valid_loss (of a whole set, for "mse"
            without the root), train_accuracy and valid_accuracy at the end (NaN where targets are no classes; a single
            output stands for the class 1 above 0.5, or as a logit above 0; among several the largest counts); of the
            norm of all gradients together the first, the largest and the last that was recorded, start_gradient,
            peak_gradient, end_gradient, and the peak_step; zero_gradient, whether at the last recorded step the
            gradient of some parameter is exactly 0; and lasting_gradient, whether the median of that norm over the last
            tenth of the recorded steps is above a tenth of its peak, or not finite.
        layers: the widths, in and out, of each linear layer, by name.
        arguments, made_with: as in `Comparison`.
        networks: the trained networks, by "init = normal, seed = 123".
    """

    runs: pd.DataFrame
    layers: dict[str, tuple[int, int]]
    arguments: dict[str, Any]
    made_with: dict[str, Any] = field(default_factory=dict)
    networks: dict[str, nn.Module] = field(default_factory=dict)
    _name: ClassVar[str] = "gradient_comparison"

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Self:
        """The comparison that `save` wrote into `folder`, bit for bit, without its networks.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is another program's, or a newer pycompare's.
        """
        data, settings = read_saved(folder, cls._name)
        runs = pd.DataFrame(settings["runs"])
        numbers = [*_ENDS, "start_gradient", "peak_gradient", "end_gradient"]
        layers = {name: (widths[0], widths[1]) for name, widths in settings["layers"].items()}
        made_with = settings["made_with"] | {"versions": settings["versions"]}
        runs, call = runs.astype(dict.fromkeys(numbers, float)), saved_call(settings)
        return cls(data, runs, layers, settings["arguments"], made_with, call=call)

    def summary(self) -> pd.DataFrame:
        """One row a configuration.

        Returns:
            Columns config, seeds (how many), failed (the share of runs that end without a finite valid_loss), of the
            others the means of train_loss, valid_loss, train_accuracy, valid_accuracy, and of all the shares that end
            with a zero_gradient and with a lasting_gradient, as `runs` has them.
        """
        shares = self.runs.groupby("config", sort=False)[["zero_gradient", "lasting_gradient"]].mean()
        return means_at_the_end(self.runs, _ENDS).join(shares, on="config")

    def plot(self, statistic: str = "gradient") -> ggplot:
        """A heat map, parameter by step, for each configuration, on one logarithmic scale; of several seeds the median.

        Arguments:
            statistic: "gradient", "value", "update" or "ratio".
        """
        from pycompare.plots import plot_gradient_map

        return plot_gradient_map(self.data, statistic=statistic)

    def plot_network(self, config: str | None = None, steps: Sequence[int] | None = None) -> ggplot:
        """The network at several steps: lines in the colour of their weight's gradient, units in that of their bias'.

        Arguments:
            config: as in `data`; the first unless given. Of several seeds the median is shown.
            steps: recorded ones; the first, the one in the middle and the last unless given.
        """
        from pycompare.plots import plot_network

        configs, recorded = list(self.data["config"].unique()), list(self.data["step"].unique())
        config = configs[0] if config is None else one_of("config", config, configs, "Choose one of them.")
        steps = [recorded[0], recorded[len(recorded) // 2], recorded[-1]] if steps is None else steps
        for step in steps:
            if step not in recorded:
                raise ValueError(
                    f"`steps` must be recorded steps, from {recorded[0]} to {recorded[-1]}, every"
                    f" {self.arguments['every']}; got {step!r}. Choose of these, or record more."
                )
        shown = self.data[self.data["config"] == config]
        return plot_network(shown[shown["step"].isin(steps)], self.layers, facet="step")

    def animate(self, file: str | PathLike[str], **options: Any) -> Path:
        """Write a film of the networks of all configurations, step by step, as a GIF or MP4.

        Arguments:
            file: where to.
            options: `fps` and `progress`, as `animate_paths` takes them.
        """
        from pycompare.plots.film import animate_network

        return animate_network(self.data, self.layers, file, **options)

    def _settings(self) -> dict[str, Any]:
        told = {"arguments": self.arguments, "made_with": self.made_with, "layers": self.layers}
        return told | {"runs": self.runs.to_dict("records")}

    def _title(self) -> str:
        fixed = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"Gradients of {self.data['parameter'].nunique()} parameters in {len(self.runs)} trainings\n{fixed}"


def xor_points() -> Split:
    """The four points (0, 0), (0, 1), (1, 0), (1, 1) and their exclusive or, shape (4, 1), as both sets."""
    points = TensorDataset(
        torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    )
    return Split(points, points)


def small_network(in_features: int, hidden: Sequence[int], out_features: int, *, logits: bool = False) -> nn.Module:
    """Linear layers with ReLU between, and a sigmoid at the end unless the outputs are to be logits."""
    modules: list[nn.Module] = []
    for width_in, width_out in pairwise([in_features, *hidden, out_features]):
        modules += [nn.Linear(width_in, width_out), nn.ReLU()]
    return nn.Sequential(*modules[:-1], *([] if logits else [nn.Sigmoid()]))


def _variation(init: Any, optimizer: Any) -> Variation:
    variation = vary({"init": init, "optimizer": optimizer}, _CHECKS)
    if not variation.varied:
        raise ValueError(
            f"`init` or `optimizer` must be a list, or both; got {value_label(init)} and {value_label(optimizer)}."
            " Give one of them several values, such as optimizer=['sgd', 'adam']."
        )
    return variation


def _run(first: Run, settings: dict[str, Any], sigma: float, lr: float, every: int) -> Run:
    """`first` from its own start and by its own optimizer, with its norms recorded."""
    start = partial(started, first.make_network, settings["init"], sigma, zero_bias=False)
    run = replace(first, make_network=start, options=_with_optimizer(first.options, settings["optimizer"], lr))
    batches, parameters = math.ceil(len(run.split.train) / run.options.batch_size), run.check_network().parameters()
    return replace(run, monitoring=GradientNorms(every, batches, len(list(parameters))))


def _with_optimizer(options: Options, optimizer: str | OptimizerFactory, lr: float) -> Options:
    if optimizer == "momentum":
        return replace(options, optimizer="sgd", arguments={"lr": lr, "momentum": _MOMENTUM})
    return replace(options, optimizer=optimizer, arguments={"lr": lr})


def _of_logits(loss: Loss) -> bool:
    return loss.of_classes or loss.of_shares


def _coded(split: Split, loss: Loss) -> Split:
    """`split` with classes as the numbers that `loss` compares: 0 and 1, or of more than two one column each."""
    targets = split.train.tensors[1]
    if targets.ndim > 1 or loss.of_classes:
        return split
    count = class_count(split)
    return Split(*(TensorDataset(x, _columns(y, count)) for x, y in (split.train.tensors, split.valid.tensors)))


def _columns(classes: Tensor, count: int) -> Tensor:
    return (F.one_hot(classes.long(), count) if count > 2 else classes[:, None]).float()


@torch.no_grad()
def _ends(network: nn.Module, split: Split, loss: Loss) -> dict[str, float]:
    """Cost and accuracy on both sets."""
    told: dict[str, float] = {}
    for name, data in (("train", split.train), ("valid", split.valid)):
        ((x, y),) = cast_batches([data.tensors], first_parameter(network))
        outputs = network(x)
        cost = loss.function(outputs, y).item()
        told[f"{name}_loss"] = cost if math.isfinite(cost) else math.nan
        told[f"{name}_accuracy"] = _accuracy(outputs, y, loss)
    return {name: told[name] for name in _ENDS}


def _accuracy(outputs: Tensor, targets: Tensor, loss: Loss) -> float:
    """The share of rows that are given their class; NaN where targets are no classes."""
    if loss.of_classes:
        right = loss.right(outputs, targets)
    elif outputs.shape != targets.shape or not ((targets == 0) | (targets == 1)).all():
        return math.nan
    elif outputs.shape[-1] > 1:
        right = outputs.argmax(-1) == targets.argmax(-1)
    else:
        right = (outputs > (0 if loss.of_shares else 0.5)) == (targets == 1)
    return right.double().mean().item()


def _courses(data: pd.DataFrame) -> pd.DataFrame:
    """Of each run the norm of all gradients together: its first, largest and last, and whether it is 0 or lasts."""
    return pd.DataFrame(
        [{"config": config, "seed": seed} | _course(run) for (config, seed), run in data.groupby(["config", "seed"])]
    )


def _course(run: pd.DataFrame) -> dict[str, Any]:
    table = run.pivot(index="step", columns="parameter", values="gradient").dropna(axis=1, how="all")  # noqa: PD010
    norms = (table**2).sum(axis=1, skipna=False) ** 0.5
    peak, late = norms.max(), norms.iloc[-math.ceil(len(norms) / 10) :].median(skipna=False)
    ends = {"start_gradient": norms.iloc[0], "peak_gradient": peak, "end_gradient": norms.iloc[-1]}
    ends["peak_step"] = norms.fillna(-1).idxmax()
    zero, lasting = bool((table.iloc[-1] == 0).any()), not late <= _LASTING * peak
    return ends | {"zero_gradient": zero, "lasting_gradient": lasting}


def _layers(network: nn.Module) -> dict[str, tuple[int, int]]:
    linear = ((name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear))
    return {name: (module.in_features, module.out_features) for name, module in linear}


def _checked_init(_: str, init: Any) -> Any:
    initializer(init)
    return init


def _checked_optimizer(name: str, optimizer: Any) -> Any:
    known = [*OPTIMIZERS, "momentum"]
    return optimizer if callable(optimizer) else one_of(name, optimizer, known, "For another, pass a callable.")


_CHECKS: dict[str, Check] = {"init": _checked_init, "optimizer": _checked_optimizer}
