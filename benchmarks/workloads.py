"""What is trained: the same network once for each value of one hyper-parameter, as `compare_configs` does it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pycompare import Split, compare_configs, course_data, friedman1
from pycompare.labels import r_number

SEED = 123
EPS = 1e-8
COURSE = (4, 50, 50, 1)
LARGE = (10, 256, 256, 1)
LARGE_ROWS = 20_000
BATCH_SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
Setting = tuple[str, dict[str, Any]]
_VARIED = ("batch_size", "lr", "weight_decay", "beta1", "beta2")
_DEFAULTS = {name: inspect.signature(compare_configs).parameters[name].default for name in _VARIED}


@dataclass(frozen=True)
class Workload:
    """One sweep.

    Attributes:
        name: what it is called in the table.
        parameter, values: the varied argument of `compare_configs`.
        epochs: passes over the training set in every run.
        split: training and validation set.
        network: makes a fresh network.
        fixed: the arguments that are not varied, where they are not at their defaults.
        widths: of a chain of Linear layers with ReLU between them; None for another network.
        course: whether the R code of the course can run it.
        rounding: the relative difference that mere rounding may make within the epochs of the proof.
    """

    name: str
    parameter: str
    values: tuple[float, ...]
    epochs: int
    split: Split
    network: Callable[[], nn.Module]
    fixed: dict[str, float]
    widths: tuple[int, ...] | None = None
    course: bool = False
    rounding: float = 0.0

    def settings(self) -> list[Setting]:
        """The label and all hyper-parameters of every run."""
        every = _DEFAULTS | self.fixed
        return [(f"{self.parameter} = {r_number(value)}", every | {self.parameter: value}) for value in self.values]

    def shortened(self, epochs: int) -> Workload:
        return replace(self, epochs=min(epochs, self.epochs))


def chain(widths: tuple[int, ...]) -> nn.Sequential:
    """Linear layers with ReLU between them, as anybody would write them."""
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(widths):
        layers += [nn.Linear(width_in, width_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Residual(nn.Module):
    """A network that is no chain: the second layer adds to what the first one gives."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 50), nn.Linear(50, 50), nn.Linear(50, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x).relu()
        return self.last(hidden + self.second(hidden).relu())


def course_sweep(name: str, parameter: str, values: tuple[float, ...], epochs: int) -> Workload:
    return Workload(name, parameter, values, epochs, course_data(), partial(chain, COURSE), {}, COURSE, course=True)


def residual_sweep(epochs: int) -> Workload:
    values = (0.1, 0.03, 0.01, 0.003)
    return Workload("no chain, 4 learning rates, 30 epochs", "lr", values, epochs, course_data(), Residual, {})


def synthetic(rows: int) -> Split:
    """Friedman's first benchmark, 10 inputs; 70 % of the rows for training."""
    return Split.from_arrays(*friedman1(rows, rng=SEED), seed=SEED)


def course_workloads(quick: bool) -> list[Workload]:
    """The course's network in three sweeps, and one of its size that is no chain."""
    return [
        course_sweep("learning-rate sweep, 4 values, 30 epochs", "lr", (1.0, 0.1, 0.01, 0.001), 2 if quick else 30),
        course_sweep("batch-size sweep, 2 to 64, 10 epochs", "batch_size", (2, 4, 8, 16, 32, 64), 1 if quick else 10),
        many_rates(2, quick),
        residual_sweep(2 if quick else 30),
    ]


def many_rates(epochs: int, quick: bool) -> Workload:
    """Many runs of the course's network, each of them short, or as long as the course's."""
    rates = tuple(float(lr) for lr in np.geomspace(1e-4, 0.1, 4 if quick else 64))
    return course_sweep(f"64 learning rates, {epochs} epochs", "lr", rates, 1 if quick else epochs)


def large_workloads(quick: bool) -> list[Workload]:
    """The large network by batch size."""
    split = synthetic(2_000 if quick else LARGE_ROWS)
    return [large_network(size, split) for size in ((256, 4096) if quick else BATCH_SIZES)]


def large_network(batch_size: int, split: Split) -> Workload:
    name = f"batch size {batch_size}"
    # 1,750 steps amplify roundings: at batch size 16 double precision moves pycompare's own curve by 7e-3.
    rounding = 2e-2 if batch_size < 64 else 0.0
    network, fixed = partial(chain, LARGE), {"lr": 0.001}
    return Workload(name, "batch_size", (batch_size,), 2, split, network, fixed, LARGE, rounding=rounding)


def seeded(workload: Workload) -> nn.Module:
    """The workload's network with the initial weights that all contenders share."""
    torch.manual_seed(SEED)
    return workload.network()


def float32(split: Split) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The tensors of the training and of the validation set, in single precision."""
    train, valid = (tuple(tensor.float() for tensor in part.tensors) for part in (split.train, split.valid))
    return train, valid


def groups(workload: Workload) -> list[list[Setting]]:
    """The configurations that one program can train side by side: those with the same batch size."""
    settings = workload.settings()
    return [[setting] for setting in settings] if workload.parameter == "batch_size" else [settings]


def adamw_constants(settings: list[Setting]) -> dict[str, np.ndarray]:
    """AdamW's constants of every configuration, computed in double: 1 - 0.999 in single is wrong by 5e-5 relative."""
    lr, decay, b1, b2 = (
        np.array([one[name] for _, one in settings]) for name in ("lr", "weight_decay", "beta1", "beta2")
    )
    with np.errstate(divide="ignore"):  # log(0) is right for beta = 0
        exact = {"b1": b1, "b2": b2, "rest1": 1 - b1, "rest2": 1 - b2, "log1": np.log(b1), "log2": np.log(b2)}
    exact |= {"lr": lr, "kept": 1 - lr * decay}
    return {name: column.astype(np.float32) for name, column in exact.items()}


def padded(tensors: tuple[Tensor, ...], size: int) -> tuple[np.ndarray, ...]:
    """Batches (steps, size, ...) of every tensor, the last filled up with zeros, and the weight of each row in them."""
    rows = len(tensors[0])
    steps = -(-rows // size)
    padded = []
    for array in (*(tensor.numpy() for tensor in tensors), np.ones((rows, 1), np.float32)):
        filled = np.zeros((steps * size, *array.shape[1:]), np.float32)
        filled[:rows] = array
        padded.append(filled.reshape(steps, size, *array.shape[1:]))
    return tuple(padded)
