"""Schedules: one-cycle and its training, SGD with the options named, and a learning-rate range test."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import TensorDataset

from pycompare.data.split import Split, course_data
from pycompare.labs.lr_range import lr_range_test
from pycompare.parity.tables.recorded import SEED
from pycompare.seeding import torch_manual_seed
from pycompare.threads import torch_threads
from pycompare.training.loop import begin_training, r_mean
from pycompare.training.losses import find_loss
from pycompare.training.network import MLP
from pycompare.training.options import Options
from pycompare.training.schedules import CosineOneCycle

MAX_LR, BATCH_SIZE = 0.05, 16
SGD_RUNS: dict[str, dict[str, Any]] = {
    "plain": {"lr": 0.01},
    "momentum": {"lr": 0.01, "momentum": 0.9},
    "nesterov": {"lr": 0.01, "momentum": 0.9, "nesterov": True},
    "dampening": {"lr": 0.01, "momentum": 0.9, "dampening": 0.5},
    "weight_decay": {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-3},
    "momentum_0.99": {"lr": 0.001, "momentum": 0.99},
}


def sgd_runs(epochs: int = 10, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """The validation losses of the course network under SGD."""
    frames = [curve("sgd", epochs, dtype=dtype, **arguments).assign(run=run) for run, arguments in SGD_RUNS.items()]
    return pd.concat(frames, ignore_index=True)[["run", "epoch", "valid_loss"]]


def one_cycle_run(epochs: int = 10, dtype: torch.dtype = torch.float32, engine: str = "auto") -> pd.DataFrame:
    """The validation losses of the course network trained by AdamW under a one-cycle schedule."""
    return curve("adamw", epochs, one_cycle(epochs), dtype=dtype, engine=engine, weight_decay=0.01)


def one_cycle_rates(epochs: int = 10) -> pd.DataFrame:
    """The learning rate and beta1 in force at each step of that training."""
    schedule = one_cycle(epochs)
    return schedule.frame(schedule.steps - 1).rename(columns={"momentum": "beta1"})


def one_cycle(epochs: int) -> CosineOneCycle:
    """Of a training of so many epochs, one step longer than it, as R's must be, whose scheduler ends a step ahead."""
    return CosineOneCycle(MAX_LR, epochs * math.ceil(len(scaled_data().train) / BATCH_SIZE) + 1)


def scaled_data() -> Split:
    """The course's data, the inputs divided by their largest values over both sets."""
    split = course_data()
    (x, y), (x_valid, y_valid) = split.train.tensors, split.valid.tensors
    largest = torch.cat([x, x_valid]).amax(dim=0)
    return Split(TensorDataset(x / largest, y), TensorDataset(x_valid / largest, y_valid))


def curve(
    optimizer: str,
    epochs: int,
    schedule: CosineOneCycle | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    engine: str = "auto",
    **arguments: Any,
) -> pd.DataFrame:
    """The course network's mean validation RMSE after each epoch, the roots taken in double, as record.R has them."""
    with torch_manual_seed(SEED):
        network = MLP(4).to(dtype)
    split, rows = scaled_data(), []
    options = Options(epochs, BATCH_SIZE, optimizer, arguments, find_loss("mse"), engine, schedule=schedule)
    with torch_threads(1):
        training = begin_training(network, split.train, split.valid, options)
        for epoch in range(1, epochs + 1):
            training.train(epoch)
            roots = np.sqrt(training.engine.validate().losses.double().numpy())  # torch's may be MKL's, another bit
            rows.append({"epoch": epoch, "valid_loss": float(r_mean(roots))})
    return pd.DataFrame(rows)


def range_test(steps: int = 100, dtype: torch.dtype = torch.float32, engine: str = "auto") -> pd.DataFrame:
    """The course network's loss before each step of a range test."""
    with torch_manual_seed(SEED):
        network = MLP(4).to(dtype)
    test = lr_range_test(
        network, scaled_data(), 1e-5, 10, steps, optimizer="sgd", momentum=0.9, stop=None, engine=engine
    )
    return test.data.assign(step=test.data["step"] - 1)[["step", "lr", "loss"]]  # R counts the steps before it
