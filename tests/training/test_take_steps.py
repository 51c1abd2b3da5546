"""`Training.take_steps`: epochs in parts of any length have the bits of whole ones, in every engine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from pycompare import MLP, CosineOneCycle, torch_manual_seed
from pycompare.threads import torch_threads
from pycompare.training.loop import Training, begin_training
from pycompare.training.losses import find_loss
from pycompare.training.options import Options
from pycompare.training.schedules import Schedule

EPOCHS, BATCHES = 3, 4
with torch_manual_seed(1):
    DATA = TensorDataset(torch.randn(50, 3), torch.randn(50, 1))
SCHEDULE = CosineOneCycle(0.1, steps=EPOCHS * BATCHES)
PARTS = [(0, 12), (0, 4, 8, 12), (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), (0, 7, 12), (0, 0, 5, 6, 6, 12)]


def _dropping() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 1))


def _begun(network: nn.Module, engine: str, schedule: Schedule | None) -> Training:
    options = Options(EPOCHS, 16, "adamw", {"lr": 0.01}, find_loss("mse"), engine, schedule=schedule)
    training = begin_training(network, DATA, DATA, options)
    assert training.engine.name == engine
    return training


def _weights(engine: str, schedule: Schedule | None, parts: Sequence[int] | None) -> list[list[float]]:
    """After all steps: in epochs, or in parts that end at these steps."""
    with torch_threads(1), torch_manual_seed(2):
        network = _dropping() if engine == "autograd" else MLP(3, (8,))
        training = _begun(network, engine, schedule)
        if parts is None:
            list(training.epochs())
        for start, stop in pairwise(parts or ()):
            training.take_steps(start, stop)
            training.engine.validate()
        return [parameter.reshape(-1).tolist() for parameter in network.parameters()]


@pytest.mark.parametrize("parts", PARTS, ids=str)
@pytest.mark.parametrize("schedule", [None, SCHEDULE], ids=["plain", "scheduled"])
@pytest.mark.parametrize("engine", ["autograd", "fused", "compiled"])
def test_steps_in_parts_are_those_of_whole_epochs(engine: str, schedule: Schedule | None, parts: tuple[int]) -> None:
    assert _weights(engine, schedule, parts) == _weights(engine, schedule, None)
