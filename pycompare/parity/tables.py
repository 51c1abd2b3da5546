"""What R torch computes, computed by us: a function for each table of `r_reference/record.R`, in the same rows.

Each stands for the R function `record_<name>`, and returns its columns. `dtype` is float32, as R torch's tensors are;
float64 is what R's stand-in for torch computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pycompare.data import mlbench
from pycompare.data.rng import RRandom
from pycompare.data.split import Split, course_data, spirals_data
from pycompare.labs.landscape import descend, loss_map
from pycompare.labs.rosenbrock import optimize_rosenbrock, rosenbrock
from pycompare.parity.session import reference_folder
from pycompare.seeding import torch_manual_seed
from pycompare.sweeps.configs import compare_configs
from pycompare.training.loop import train_loop, train_valid
from pycompare.training.network import MLP, trunc_normal_
from pycompare.training.optim import AdamW

SEED = 123
SWEEPS: dict[str, dict[str, Any]] = {
    "lr": {"lr": [1, 0.1, 0.01, 0.001]},
    "batch_size": {"batch_size": [2, 4, 8, 16, 32, 64]},
    "weight_decay": {"weight_decay": [0.5, 0.25, 0.125, 0.0625, 0.03125]},
    "beta1": {"beta1": [0.5, 0.85, 0.9, 0.95, 0.99, 0.999]},
    "beta2": {"beta2": [0.99, 0.999, 0.9999]},
    "example_lr_wd0.02": {"lr": [0.1, 0.2], "weight_decay": 0.02},
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": "sgd", "lr": 1e-6},
    "sgd_momentum": {"optimizer": "sgd", "lr": 1e-6, "momentum": 0.9},
    "sgd_nesterov_wd": {"optimizer": "sgd", "lr": 1e-6, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "adam": {"optimizer": "adam", "lr": 0.01},
    "adam_wd": {"optimizer": "adam", "lr": 0.01, "weight_decay": 0.01},
    "adam_amsgrad": {"optimizer": "adam", "lr": 0.01, "amsgrad": True},
    "adamw_amsgrad": {"optimizer": "adamw", "lr": 0.01, "weight_decay": 0.01, "amsgrad": True},
    "rmsprop": {"optimizer": "rmsprop", "lr": 0.001},
    "rmsprop_momentum_centered": {
        "optimizer": "rmsprop",
        "lr": 0.0005,
        "momentum": 0.9,
        "centered": True,
        "weight_decay": 0.01,
    },
    "adagrad": {"optimizer": "adagrad", "lr": 0.01},
}
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
INITS: dict[str, Callable[[Tensor], Tensor]] = {
    "xavier_uniform_": nn.init.xavier_uniform_,
    "xavier_normal_": nn.init.xavier_normal_,
    "kaiming_uniform_": nn.init.kaiming_uniform_,
    "kaiming_normal_": nn.init.kaiming_normal_,
    "normal_": nn.init.normal_,
    "orthogonal_": nn.init.orthogonal_,
    "trunc_normal_": trunc_normal_,
}


def recorded_folder() -> Path:
    """The folder of the recorded tables: in the checkout, or within the installed package."""
    return reference_folder() / "recorded"


def toy_points() -> dict[str, Any]:
    """The points x and y that R torch fitted lines to."""
    toy = pd.read_csv(recorded_folder() / "toy_xy.csv")
    return {name: toy[name].to_numpy(copy=True) for name in ("x", "y")}


def course_first_steps(steps: int = 5, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """All parameters of the course network before and after each of the first AdamW steps."""
    network = _course_network(4, dtype)
    opt = AdamW(network.parameters(), lr=0.01, weight_decay=0.01)
    batches = zip(*(tensor.split(16) for tensor in course_data().train.tensors), strict=True)
    frames = [_parameter_rows(network, 0)]
    for step in range(1, steps + 1):
        train_loop(network, [next(batches)], opt)
        frames.append(_parameter_rows(network, step))
    return pd.concat(frames, ignore_index=True)


def course_sweeps(epochs: int = 30, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """The validation losses of the exercise's 26 runs, by the argument that was varied."""
    frames = []
    for sweep, arguments in SWEEPS.items():
        comparison = compare_configs(epochs, **arguments, dtype=dtype)
        rows = comparison.data[[comparison.parameter, "epoch", "valid_loss"]]
        frames.append(rows.set_axis(["value", "epoch", "valid_loss"], axis=1).assign(sweep=sweep))
    return pd.concat(frames, ignore_index=True)[["sweep", "value", "epoch", "valid_loss"]]


def inits() -> pd.DataFrame:
    """A 20 x 10 tensor filled by each initialiser, row by row."""
    frames = []
    for name, fill in INITS.items():
        with torch_manual_seed(SEED):
            values = fill(torch.empty(20, 10)).flatten()
        frames.append(pd.DataFrame({"init": name, "index": range(200), "value": _doubles(values)}))
    return pd.concat(frames, ignore_index=True)


def one_cycle(total_steps: int = 100) -> pd.DataFrame:
    """The learning rate and beta1 in force at each step of a one-cycle schedule on our AdamW."""
    opt = AdamW([torch.zeros(1, requires_grad=True)], lr=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=total_steps)
    rows = []
    for step in range(total_steps):
        group = opt.param_groups[0]
        rows.append((step, group["lr"], group["betas"][0]))
        opt.step()
        if step < total_steps - 1:
            scheduler.step()
    return pd.DataFrame(rows, columns=["step", "lr", "momentum"])


def optimizers(epochs: int = 10, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """The course network's validation losses under other optimisers."""
    split = course_data()
    curves = [
        _curve(split, epochs, dtype, **arguments).assign(optimizer=name) for name, arguments in OPTIMIZERS.items()
    ]
    return pd.concat(curves, ignore_index=True)[["optimizer", "epoch", "valid_loss"]]


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


def spirals_table() -> pd.DataFrame:
    """The spirals in the order in which they were drawn, with 1 in `train` for the rows sampled for training."""
    rng = RRandom(SEED)
    x, classes = mlbench.spirals(1000, cycles=1.5, sd=0.05, rng=rng)
    frame = pd.DataFrame({"x1": x[:, 0], "x2": x[:, 1], "class": classes, "train": 0})
    frame.loc[rng.sample(1000, 700) - 1, "train"] = 1
    return frame


def spirals_lr(epochs: int = 30, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """The validation losses on the spirals, by learning rate."""
    comparison = compare_configs(epochs, lr=[0.1, 0.01, 0.001], data=spirals_data(), dtype=dtype)
    return comparison.data[["lr", "epoch", "valid_loss"]]


def torch_random() -> pd.DataFrame:
    """Dropout masks, normal draws and a permutation, each under the same seed."""
    draws: dict[str, Callable[[], Tensor]] = {
        "dropout_0.5": lambda: F.dropout(torch.ones(1000), 0.5),
        "dropout_0.2": lambda: F.dropout(torch.ones(1000), 0.2),
        "randn": lambda: torch.randn(1000),
        "randperm": lambda: torch.randperm(1000),
    }
    columns = {}
    for name, draw in draws.items():
        with torch_manual_seed(SEED):
            columns[name] = _doubles(draw())
    return pd.DataFrame({"index": range(1000)} | columns)


def random_numbers(seeds: Sequence[int], sizes: Sequence[int]) -> pd.DataFrame:
    """The draws of r_reference/random_numbers.R, one stream a seed."""
    calls: dict[str, Callable[[RRandom, int], Any]] = {
        "runif": lambda rng, n: [rng.runif(n, -1, 3)],
        "rnorm": lambda rng, n: [rng.rnorm(n, 3, 2)],
        "sample": lambda rng, n: [rng.sample(n)],
        "sample_with_replacement": lambda rng, n: [rng.sample(n, n, replace=True)],
        "friedman1": lambda rng, n: mlbench.friedman1(n, rng=rng),
        "friedman2": lambda rng, n: mlbench.friedman2(n, rng=rng),
        "friedman3": lambda rng, n: mlbench.friedman3(n, rng=rng),
        "spirals": lambda rng, n: mlbench.spirals(n + 1, 1.5, 0.05, rng=rng),
    }
    frames = []
    for seed in seeds:
        rng = RRandom(seed)
        for size in sizes:
            for call, draw in calls.items():
                values = np.concatenate([np.asarray(part, np.float64).ravel(order="F") for part in draw(rng, size)])
                index = range(len(values))
                frames.append(pd.DataFrame({"call": call, "seed": seed, "size": size, "index": index, "value": values}))
    return pd.concat(frames, ignore_index=True)


def _course_network(in_features: int, dtype: torch.dtype) -> MLP:
    with torch_manual_seed(SEED):
        return MLP(in_features).to(dtype)


def _curve(split: Split, epochs: int, dtype: torch.dtype, **arguments: Any) -> pd.DataFrame:
    return train_valid(_course_network(4, dtype), split.train, split.valid, epochs, 16, **arguments)


def _parameter_rows(network: nn.Module, step: int) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"step": step, "parameter": name, "index": range(values.numel()), "value": _doubles(values)})
        for name, values in network.named_parameters()
    ]
    return pd.concat(frames, ignore_index=True)


def _doubles(values: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    return values.detach().double().flatten().numpy().copy()


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
