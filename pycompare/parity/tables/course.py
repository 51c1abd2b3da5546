"""The course: its network's curves, parameters and schedule."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import nn

from pycompare.data.split import Split, course_data, spirals_data
from pycompare.parity.tables.draws import doubles
from pycompare.parity.tables.recorded import SEED
from pycompare.seeding import torch_manual_seed
from pycompare.sweeps.configs import compare_configs
from pycompare.training.loop import train_loop, train_valid
from pycompare.training.network import MLP
from pycompare.training.optim import AdamW

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
    "rmsprop_momentum_centered": {"optimizer": "rmsprop", "lr": 0.0005, "momentum": 0.9}
    | {"centered": True, "weight_decay": 0.01},
    "adagrad": {"optimizer": "adagrad", "lr": 0.01},
}


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


def spirals_lr(epochs: int = 30, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """The validation losses on the spirals, by learning rate."""
    comparison = compare_configs(epochs, lr=[0.1, 0.01, 0.001], data=spirals_data(), dtype=dtype)
    return comparison.data[["lr", "epoch", "valid_loss"]]


def _course_network(in_features: int, dtype: torch.dtype) -> MLP:
    with torch_manual_seed(SEED):
        return MLP(in_features).to(dtype)


def _curve(split: Split, epochs: int, dtype: torch.dtype, **arguments: Any) -> pd.DataFrame:
    return train_valid(_course_network(4, dtype), split.train, split.valid, epochs, 16, **arguments)


def _parameter_rows(network: nn.Module, step: int) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"step": step, "parameter": name, "index": range(values.numel()), "value": doubles(values)})
        for name, values in network.named_parameters()
    ]
    return pd.concat(frames, ignore_index=True)
