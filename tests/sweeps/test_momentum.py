"""The momentum test: plain loops' bits, the same learning rates for both policies, a ranking, and no trace."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from pycompare import MLP, SGD, AdamW, MomentumTest, OneCycle, Split, momentum_test, torch_manual_seed, torch_threads
from pycompare.plots import png

with torch_manual_seed(1):
    X, X_VALID = torch.randn(50, 3), torch.randn(30, 3)
SPLIT = Split(*(TensorDataset(x, x.sum(dim=1, keepdim=True)) for x in (X, X_VALID)))
ENGINES = ("autograd", "fused", "compiled")
STEPS = 2 * 4  # two epochs of 50 rows in batches of 16
_test = partial(momentum_test, epochs=2, data=SPLIT, seeds=2)


def _dropout() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 1))


def _by_hand(make: Any, optimizer: str, momentum: float, low: float | None, seed: int) -> list[float]:
    """PyTorch's own loop: the losses of the batches of the second epoch, each before its step."""
    losses = []
    with torch_threads(1), torch_manual_seed(seed):
        network = make()
        opt: Any = (
            SGD(network.parameters(), 0.03, momentum=momentum)
            if optimizer == "sgd"
            else AdamW(network.parameters(), 0.03, betas=(momentum, 0.999))
        )
        rates, momenta = OneCycle(0.03, STEPS, momentum=None), OneCycle(0.03, STEPS, momentum=(low or 0, momentum))
        for step in range(STEPS):
            opt.param_groups[0]["lr"] = rates.settings(step)["lr"]
            if low is not None:
                now = momenta.settings(step)["momentum"]
                opt.param_groups[0] |= {"momentum": now} if optimizer == "sgd" else {"betas": (now, 0.999)}
            x, y = (tensor.split(16)[step % 4] for tensor in SPLIT.train.tensors)
            opt.zero_grad()
            loss = nn.functional.mse_loss(network.train()(x), y)
            loss.backward()
            opt.step()
            losses.append(loss.sqrt().item())
    return losses[4:]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_bits_are_those_of_a_plain_loop(optimizer: str, engine: str) -> None:
    made = _test([0.99, 0.9], optimizer=optimizer, engine=engine).data
    for (momentum, policy, seed), run in made.groupby(["momentum", "policy", "seed"]):
        low = 0.85 if policy == "cyclical" else None
        losses = _by_hand(partial(MLP, 3), optimizer, momentum, low, seed)
        assert run["train_loss"].iloc[-1] == np.mean(losses)


def test_dropout_draws_what_a_plain_loop_draws() -> None:
    made = _test([0.9], network=_dropout).data
    expected = [np.mean(_by_hand(_dropout, "sgd", 0.9, low, seed)) for low in (None, 0.85) for seed in (123, 124)]
    assert made.loc[made["epoch"] == 2, "train_loss"].tolist() == expected


def test_low_is_where_the_rate_is_largest_and_a_cycle_of_one_value_is_constant_up_to_rounding() -> None:
    made = _test([0.9], low=0.9).data
    constant, cyclical = (made[made["policy"] == policy]["valid_loss"] for policy in ("constant", "cyclical"))
    np.testing.assert_allclose(constant, cyclical, rtol=1e-5)  # 0.9 (1 - part) + 0.9 part may round


def test_the_frame_is_tidy_and_ranked() -> None:
    made = _test([0.99, 0.5], low=0.4)
    assert list(made.data) == [
        "config",
        "momentum",
        "policy",
        "seed",
        "epoch",
        "train_loss",
        "valid_loss",
        "valid_rmse",
    ]
    assert made.data["seed"].unique().tolist() == [123, 124]
    assert made.data["config"].unique().tolist() == ["momentum = 0.99", "momentum = 0.5"]
    means = made.data[made.data["epoch"] == 2].groupby(["momentum", "policy"])["valid_loss"].mean()
    summary = made.summary()
    assert summary["mean"].tolist() == sorted(means)
    assert made.best() == means.idxmin()
    assert summary["policy"][0] == made.best()[1]


def _made(ends: dict[str, list[float]]) -> MomentumTest:
    rows = [
        {"config": "momentum = 0.9", "momentum": 0.9, "policy": policy, "seed": seed}
        | {"epoch": 1, "train_loss": loss, "valid_loss": loss}
        for policy, losses in ends.items()
        for seed, loss in enumerate(losses)
    ]
    return MomentumTest(pd.DataFrame(rows), "momentum", (0.9,), {"lr": 1.0}, rows="policy", row_values=tuple(ends))


def test_a_momentum_that_fails_ranks_behind_those_that_do_not() -> None:
    ends = {"constant": [0.1, np.nan], "cyclical": [0.5, 0.6]}
    assert _made(ends).best() == (0.9, "cyclical")


def test_nothing_is_best_where_all_diverge() -> None:
    made = _made({"constant": [np.nan, np.nan]})
    assert png(made.plot())
    with pytest.raises(ValueError, match="must have a run that has not diverged"):
        made.best()


@pytest.mark.parametrize("arguments", [{}, {"momentum": 0.9, "seeds": 1, "epochs": 1}], ids=repr)
def test_it_draws_a_panel_for_each_policy(arguments: dict[str, Any]) -> None:
    plot = _test(**arguments).plot()
    assert png(plot)
    assert plot.data["policy"].cat.categories.tolist() == ["policy = constant", "policy = cyclical"]
    assert {*plot.data["config"]} <= {f"momentum = {momentum}" for momentum in (0.99, 0.97, 0.95, 0.9)}


def test_it_is_saved_and_read_back(tmp_path: Path) -> None:
    made = _test([0.95, 0.9])
    made.save(tmp_path, ())
    read = MomentumTest.load(tmp_path)
    pd.testing.assert_frame_equal(read.data, made.data, check_exact=True)
    assert (read.arguments, read.best()) == (made.arguments, made.best())


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_seed_alone_has_the_same_bits(n_jobs: int) -> None:
    both, alone = _test(0.9, n_jobs=n_jobs).data, _test(0.9, seeds=[124]).data
    assert np.array_equal(both.loc[both["seed"] == 124, "valid_loss"], alone["valid_loss"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"momentum": []}, ValueError, "`momentum` must be a one-dimensional list with at least one value"),
        ({"momentum": [0.9, 0.9]}, ValueError, "`momentum` must hold distinct values"),
        ({"momentum": [0.9, -0.1]}, ValueError, "`momentum` must be at least 0; got -0.1"),
        ({"momentum": 1}, ValueError, "`momentum` must be less than 1; got 1"),
        ({"momentum": "high"}, TypeError, "`momentum` must be a number; got 'high'"),
        ({"low": 0.95}, ValueError, r"`low` must be at most the least momentum, 0.9; got 0.95"),
        ({"low": -1}, ValueError, "`low` must be at least 0"),
        ({"lr": -1}, ValueError, "`lr` must be at least 0"),
        ({"epochs": 0}, ValueError, "`epochs` must be at least 1"),
        ({"optimizer": "adagrad"}, ValueError, "`optimizer` must have a momentum or betas; got 'adagrad'"),
        ({"optimizer": "sdg"}, ValueError, "`optimizer` must be one of adamw, adam, rmsprop, sgd, adagrad; got 'sdg'"),
        ({"betas": (0.9, 0.9)}, TypeError, "`betas` must be an argument of the optimizer"),
        ({"seeds": 0}, ValueError, "`seeds` must be at least 1"),
    ],
    ids=repr,
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        _test(**arguments)
