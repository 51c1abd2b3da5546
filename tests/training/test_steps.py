"""The seam of a training: what a step shows, and what may be changed before it is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from pycompare import MLP, AdamW, torch_manual_seed, train_valid
from pycompare.threads import torch_threads
from pycompare.training.loop import OnStep, Step

ENGINES = ("fused", "autograd")
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adamw": {"lr": 0.01},
    "adam": {"lr": 0.01, "amsgrad": True},
    "sgd": {"lr": 0.01, "momentum": 0.9},
    "rmsprop": {"lr": 0.001, "momentum": 0.5, "centered": True},
    "adagrad": {"lr": 0.01},
}
with torch_manual_seed(1):
    DATA = TensorDataset(torch.randn(50, 3), torch.randn(50, 1))


def _network() -> MLP:
    with torch_manual_seed(2):
        return MLP(3, (8,))


def _train(engine: str, on_step: OnStep | None = None, **arguments: Any) -> tuple[pd.DataFrame, MLP]:
    network = _network()
    arguments = {"optimizer": "adamw", "lr": 0.01} | arguments
    if arguments["optimizer"] == "adagrad":
        engine = "auto"
    return train_valid(network, DATA, DATA, 3, 16, engine=engine, on_step=on_step, **arguments), network


def _frozen(step: Step) -> dict[str, Any]:
    """All that a step shows, copied."""
    group = step.opt.param_groups[0]
    state = [
        {name: torch.as_tensor(kept).numpy().copy() for name, kept in step.opt.state[p].items()}
        for p in step.network.parameters()
    ]
    return {
        "number": step.number,
        "epoch": step.epoch,
        "loss": step.loss,
        "lr": group["lr"],
        "training": step.network.training,
        "values": [p.detach().numpy().copy() for p in step.network.parameters()],
        "grads": [p.grad.numpy().copy() for p in step.network.parameters() if p.grad is not None],
        "state": state,
    }


def _by_hand(optimizer: str, before_step: Callable[[Step], object]) -> None:
    """PyTorch's own loop, with the same calls."""
    network, loss = _network(), nn.MSELoss()
    opt = _make(optimizer, network)
    number = 0
    for epoch in range(1, 4):
        for x, y in zip(*(tensor.split(16) for tensor in DATA.tensors), strict=True):
            number += 1
            opt.zero_grad()
            value = loss(network(x), y)
            value.backward()
            before_step(Step(number, epoch, value.item(), network, opt))
            opt.step()


def _make(optimizer: str, network: nn.Module) -> torch.optim.Optimizer:
    from pycompare.training.optim import make_optimizer

    return make_optimizer(network, optimizer, OPTIMIZERS[optimizer])


def _assert_equal(ours: Any, theirs: Any) -> None:
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for name in ours:
            _assert_equal(ours[name], theirs[name])
    elif isinstance(ours, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            _assert_equal(a, b)
    else:
        np.testing.assert_array_equal(ours, theirs, strict=isinstance(ours, np.ndarray))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_shows_what_a_loop_of_one_s_own_has(engine: str, optimizer: str) -> None:
    seen: list[dict[str, Any]] = []
    expected: list[dict[str, Any]] = []
    _train(engine, lambda step: seen.append(_frozen(step)), optimizer=optimizer, **OPTIMIZERS[optimizer])
    with torch_threads(1):
        _by_hand(optimizer, lambda step: expected.append(_frozen(step)))
    assert [step["number"] for step in seen] == list(range(1, 13))
    _assert_equal(seen, expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_watching_changes_no_bit(engine: str) -> None:
    watched, network = _train(engine, lambda step: step.loss)
    alone, other = _train(engine)
    pd.testing.assert_frame_equal(watched, alone, check_exact=True)
    _assert_equal([p.detach().numpy() for p in network.parameters()], [p.detach().numpy() for p in other.parameters()])


def _decay(step: Step) -> None:
    step.opt.param_groups[0]["lr"] = 0.1 / step.number


def _new_groups(step: Step) -> None:
    """As a scheduler does that loads its state."""
    step.opt.param_groups[0] = step.opt.param_groups[0] | {"lr": 0.1 / step.number, "betas": (0.5, 0.9)}


def _clip(step: Step) -> None:
    nn.utils.clip_grad_norm_(step.network.parameters(), 0.01)


def _shrink(step: Step) -> None:
    with torch.no_grad():
        for parameter in step.network.parameters():
            parameter.mul_(0.9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("steer", [_decay, _new_groups, _clip, _shrink])
def test_what_a_step_changes_holds_from_then_on(steer: OnStep, engine: str) -> None:
    ends: list[list[np.ndarray]] = []

    def by_hand(step: Step) -> None:
        steer(step)
        ends.append([p.detach().numpy() for p in step.network.parameters()])

    _, network = _train(engine, steer)
    with torch_threads(1):
        _by_hand("adamw", by_hand)
    _assert_equal([p.detach().numpy() for p in network.parameters()], ends[-1])
    _, unsteered = _train(engine)
    assert any((a != b).any() for a, b in zip(network.parameters(), unsteered.parameters(), strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_step_raises_ends_the_training(engine: str) -> None:
    def stop(step: Step) -> None:
        if step.number == 5:
            raise OverflowError("far enough")

    with pytest.raises(OverflowError, match="far enough"):
        _train(engine, stop)


def test_fused_needs_all_gradients_back() -> None:
    with pytest.raises(ValueError, match="`on_step` must leave all gradients"):
        _train("fused", lambda step: step.network.zero_grad())


def test_a_scheduler_of_pytorch_steers_our_optimizer() -> None:
    """Its own loop and ours, in the same bits."""
    schedulers: dict[int, torch.optim.lr_scheduler.LRScheduler] = {}

    def follow(step: Step) -> None:
        if step.number == 1:
            schedulers[id(step.opt)] = torch.optim.lr_scheduler.OneCycleLR(step.opt, max_lr=0.1, total_steps=20)
            return
        schedulers[id(step.opt)]._step_count += 1  # the optimizer's own step is not called
        schedulers[id(step.opt)].step()

    assert isinstance(_make("adamw", _network()), AdamW)
    first, second = (_train(engine, follow)[0] for engine in ENGINES)
    pd.testing.assert_frame_equal(first, second, check_exact=True)
