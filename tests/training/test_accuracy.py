"""The share of right classes is that of a plain loop, whoever trains and however the classes are told."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from pycompare import MLP, AdamW, torch_manual_seed, torch_threads, train_valid
from pycompare.training.initializers import initialise

COLUMNS = ["train_accuracy", "valid_accuracy"]
EPOCHS, BATCH, CLASSES = 3, 16, 3


@dataclass(frozen=True)
class Case:
    """How classes are told, and how a network is trained on them."""

    targets: Any = lambda classes: classes
    loss: Any = "cross_entropy"
    lr: float = 0.05
    network: Any = lambda: MLP(2, (7,), CLASSES)
    ignored: int | None = None
    engines: tuple[str, ...] = field(default=("autograd", "fused", "compiled"))


def _shares(classes: Tensor) -> Tensor:
    """A probability for each class; in every fifth row the same."""
    shares = torch.softmax(F.one_hot(classes, CLASSES) + torch.linspace(0, 1, CLASSES), 1)
    shares[::5] = 1 / CLASSES
    return shares


def _zeros() -> nn.Module:
    with torch_manual_seed(0):
        return initialise(MLP(2, (7,), CLASSES), nn.init.zeros_)


OWN = ("autograd",)  # the engine of PyTorch's loss modules
CASES = {
    "indices": Case(),
    "a column": Case(lambda classes: classes[:, None]),
    "floats": Case(lambda classes: classes.double()),
    "probabilities": Case(_shares),
    "one-hot": Case(lambda classes: F.one_hot(classes, CLASSES).float()),
    "ties of logits": Case(network=_zeros, lr=0.0),
    "ties after a ReLU": Case(network=lambda: nn.Sequential(nn.Linear(2, CLASSES), nn.ReLU()), lr=0.5),
    "ties for a module": Case(network=_zeros, loss=nn.CrossEntropyLoss(), engines=OWN),
    "NaN": Case(lr=1e30),
    "NaN and probabilities": Case(_shares, lr=1e30),
    "a module": Case(loss=nn.CrossEntropyLoss(), engines=OWN),
    "a weight": Case(loss=nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 3.0])), engines=OWN),
    "ignored by PyTorch's default": Case(
        lambda classes: classes.where(classes > 0, -100), nn.CrossEntropyLoss(), ignored=-100, engines=OWN
    ),
    "an ignored class": Case(loss=nn.CrossEntropyLoss(ignore_index=2), ignored=2, engines=OWN),
    "ignored beyond the classes": Case(
        lambda classes: classes.where(classes > 0, 255), nn.CrossEntropyLoss(ignore_index=255), ignored=255, engines=OWN
    ),
}


def _data(case: Case, rows: int, seed: int) -> TensorDataset:
    with torch_manual_seed(seed):
        x = torch.randn(rows, 2)
    classes = (x[:, 0] > 0).long() + (x[:, 1] > 0.3).long()
    return TensorDataset(x, case.targets(classes))


def _right(outputs: Tensor, targets: Tensor, ignored: int | None) -> tuple[int, int]:
    """How many rows of a batch are right, and how many count."""
    of_shares = targets.shape == outputs.shape
    classes = targets.argmax(1) if of_shares else targets.reshape(-1).long()
    counts = torch.ones(len(classes), dtype=torch.bool) if ignored is None else classes != ignored
    return int((outputs.argmax(1) == classes)[counts].sum()), int(counts.sum())


def _batches(data: TensorDataset) -> Any:
    return zip(*(tensor.split(BATCH) for tensor in data.tensors), strict=True)


def _plain_loop(case: Case, network: nn.Module, train: TensorDataset, valid: TensorDataset) -> list[list[float]]:
    loss = F.cross_entropy if isinstance(case.loss, str) else case.loss
    opt, rows = AdamW(network.parameters(), lr=case.lr), []
    for _ in range(EPOCHS):
        trained, validated = [], []
        for x, y in _batches(train):
            opt.zero_grad()
            outputs = network(x)
            trained.append(_right(outputs, y, case.ignored))
            loss(outputs, y if y.shape == outputs.shape else y.reshape(-1).long()).backward()
            opt.step()
        with torch.no_grad():
            validated += [_right(network(x), y, case.ignored) for x, y in _batches(valid)]
        rows.append([float(np.divide(*np.sum(told, axis=0))) for told in (trained, validated)])
    return rows


@pytest.mark.parametrize(("name", "engine"), [(name, one) for name, case in CASES.items() for one in case.engines])
def test_accuracies_are_those_of_a_plain_loop(name: str, engine: str) -> None:
    case = CASES[name]
    train, valid = _data(case, 40, 1), _data(case, 25, 2)
    with torch_manual_seed(3):
        network = case.network()
    with torch_threads(1):
        expected = _plain_loop(case, copy.deepcopy(network), train, valid)
    how = {"optimizer": "adamw", "lr": case.lr, "loss": case.loss, "engine": engine}
    curves = train_valid(network, train, valid, EPOCHS, BATCH, **how)
    assert curves[COLUMNS].to_numpy().tolist() == expected
    assert curves["valid_loss"].isna().any() == ("NaN" in name)


def test_where_no_class_is_known_there_is_no_accuracy() -> None:
    case = Case(lambda classes: classes.fill_(-100), nn.CrossEntropyLoss())
    train, valid = _data(CASES["indices"], 40, 1), _data(case, 25, 2)
    curves = train_valid(_zeros(), train, valid, 1, BATCH, loss=case.loss)
    assert curves["valid_accuracy"].isna().all()
    assert curves["train_accuracy"].between(0, 1).all()
