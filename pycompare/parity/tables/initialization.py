"""How networks start: their curves, activations by layer, and gradients of the first steps, by initialiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from pycompare.data.mlbench import circle
from pycompare.labs.activations import activation_statistics
from pycompare.labs.gradients import GradientRecorder
from pycompare.labs.initialization import compare_inits
from pycompare.parity.tables.recorded import SEED
from pycompare.seeding import torch_manual_seed
from pycompare.threads import torch_threads
from pycompare.training.initializers import initialise
from pycompare.training.network import MLP
from pycompare.training.optim import SGD, Adam, RMSprop

SIGMAS = [0.01, 0.5, 3, 10]
RUN_INITS = ["xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal"]
ACTIVATION_INITS = {"normal": "normal_1", "xavier_normal": "xavier_normal", "kaiming_normal": "kaiming_normal"}
GRADIENT_INITS: dict[str, dict[str, Any]] = {
    "xavier_uniform": {"init": "xavier_uniform"},
    "kaiming_uniform": {"init": "kaiming_uniform"},
    "normal_0.5": {"init": "normal", "sigma": 0.5},
}
GRADIENT_OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda parameters: SGD(parameters, lr=0.02),
    "momentum": lambda parameters: SGD(parameters, lr=0.02, momentum=0.9),
    "rmsprop": lambda parameters: RMSprop(parameters, lr=0.02),
    "adam": lambda parameters: Adam(parameters, lr=0.02),
}
_EVERY = 10


def init_runs(steps: int = 1000, every: int = 50, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """Loss and accuracy of a small network on a circle of 100 points, by initialiser and seed."""
    how: dict[str, Any] = {"steps": steps, "every": every, "seed": 1, "seeds": 3, "dtype": dtype, "progress": False}
    normal = compare_inits(sigma=SIGMAS, **how).data
    normal["init"] = [f"normal_{sigma:g}" for sigma in normal["sigma"]]
    columns = ["init", "seed", "step", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy"]
    return pd.concat([normal, compare_inits(init=RUN_INITS, **how).data], ignore_index=True)[columns]


def activations(n: int = 10000, depth: int = 20, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """Statistics of |activation| after each ReLU of a deep network, on n points of a circle, by initialiser."""
    points = torch.from_numpy(circle(n, rng=SEED).x)
    frames = [
        activation_statistics(_relu_network(init, depth).to(dtype), data=points).data.assign(init=name)
        for init, name in ACTIVATION_INITS.items()
    ]
    return pd.concat(frames, ignore_index=True)[["init", "layer", "mean", "sd", "zero"]]


def gradient_norms(steps: int = 1000, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """Loss and 2-norms of gradient and value of each parameter, before every 10th step on xor."""
    frames = [
        _xor_norms(steps, init, optimizer, dtype).assign(init=init, optimizer=optimizer)
        for init in GRADIENT_INITS
        for optimizer in GRADIENT_OPTIMIZERS
    ]
    columns = ["init", "optimizer", "step", "loss", "parameter", "gradient", "value"]
    return pd.concat(frames, ignore_index=True)[columns]


def _xor_norms(steps: int, init: str, optimizer: str, dtype: torch.dtype) -> pd.DataFrame:
    x = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=dtype)
    y = torch.tensor([[0], [1], [1], [0]], dtype=dtype)
    with torch_manual_seed(SEED):
        network = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1), nn.Sigmoid())
        initialise(network, **GRADIENT_INITS[init], zero_bias=False).to(dtype)
    opt = GRADIENT_OPTIMIZERS[optimizer](network.parameters())
    with torch_threads(1), GradientRecorder(network, opt, every=_EVERY) as recorder:
        for _ in range(steps):
            opt.zero_grad()
            loss = F.mse_loss(network(x), y)
            loss.backward()
            recorder.loss(loss)
            opt.step()
    return recorder.frame.assign(step=recorder.frame["step"] - 1)  # R counts the steps before it


def _relu_network(init: str, depth: int) -> nn.Module:
    with torch_manual_seed(SEED):
        return initialise(MLP(2, [100] * depth, 2), init)
