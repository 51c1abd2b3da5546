"""Paths over surfaces: one neuron's, and Rosenbrock's."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import torch

from pycompare.labs.landscape import descend, loss_map
from pycompare.labs.rosenbrock import optimize_rosenbrock, rosenbrock
from pycompare.parity.tables.recorded import toy_points

ROSENBROCK_RUNS = [(0.01, 0.9), (0.05, 0.9), (0.1, 0.5), (0.01, 0.0), (0.02, 0.99)]
SGD_LOSSES = ("mse", "l1", "smooth_l1")
MAP_LOSSES = (*SGD_LOSSES, "huber")
SGD_SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "weight_decay": {"momentum": 0.9, "nesterov": True, "weight_decay": 2.0},
    "dampening": {"momentum": 0.9, "dampening": 0.8},
}


def rosenbrock_runs(steps: int = 500, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """Momentum steps in R's float and double: the state after each step, and the value before it.

    With R torch's tensors, double has its rounding of left scalars; with the stand-in's, both are true double.
    """
    in_dtype = partial(_rosenbrock_run, dtype=dtype)
    runs = {"float": in_dtype, "double": in_dtype if dtype is torch.float64 else _rosenbrock_run_with_rounded_scalars}
    frames = []
    for name, run in runs.items():
        for lr, beta in ROSENBROCK_RUNS:
            rows = run(lr, beta, steps)
            after = rows.iloc[1:].assign(value=rows["value"].to_numpy()[:-1])
            frames.append(after.assign(dtype=name, lr=lr, beta=beta))
    columns = ["dtype", "lr", "beta", "step", "value", "x", "y", "x_momentum", "y_momentum"]
    return pd.concat(frames, ignore_index=True)[columns]


def sgd_toy(epochs: int = 100, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """A line's weight, bias and loss before each full-batch SGD update and, without the loss, after the last."""
    toy = toy_points()
    frames = []
    for loss_fn in SGD_LOSSES:
        for setting, arguments in SGD_SETTINGS.items():
            rows = descend(loss_fn, **toy, lr=0.1, epochs=epochs, dtype=dtype, **arguments).data
            loss = rows["loss"].where(rows["epoch"] < epochs)
            frames.append(rows.assign(loss_fn=loss_fn, setting=setting, loss=loss))
    return pd.concat(frames, ignore_index=True)[["loss_fn", "setting", "epoch", "weight", "bias", "loss"]]


def loss_maps(n: int = 21, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """The map of each loss of lines through the points of toy_xy.csv, row by row."""
    toy = toy_points()
    frames = [loss_map(loss_fn, **toy, n=n, dtype=dtype).assign(loss_fn=loss_fn) for loss_fn in MAP_LOSSES]
    columns = ["loss_fn", "index", "weight", "bias", "loss"]
    return pd.concat([frame.reset_index(names="index") for frame in frames], ignore_index=True)[columns]


def _rosenbrock_run(lr: float, beta: float, steps: int, dtype: torch.dtype) -> pd.DataFrame:
    return optimize_rosenbrock(steps, lr, beta, dtype=dtype).data


def _rosenbrock_run_with_rounded_scalars(lr: float, beta: float, steps: int) -> pd.DataFrame:
    """In R torch `scalar * tensor` rounds the scalar, here lr and 1 - beta, to float32; `$mul_(beta)` does not."""
    lr32, rest32 = (torch.tensor(scalar, dtype=torch.float32).item() for scalar in (lr, 1 - beta))
    x, y = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (-1.0, 2.0))
    momenta = torch.zeros(2, dtype=torch.float64)
    rows = []
    for step in range(steps + 1):
        value = rosenbrock(x, y)
        rows.append((step, x.item(), y.item(), value.item(), *momenta.tolist()))
        momenta.mul_(beta).add_(rest32 * torch.stack(torch.autograd.grad(value, (x, y))))
        x.data.sub_(lr32 * momenta[0])
        y.data.sub_(lr32 * momenta[1])
    return pd.DataFrame(rows, columns=["step", "x", "y", "value", "x_momentum", "y_momentum"])
