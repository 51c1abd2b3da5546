"""Every trajectory that was recorded with real R torch, computed again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pycompare import (
    MLP,
    AdamW,
    compare_configs,
    course_data,
    optimize_rosenbrock,
    rosenbrock,
    spirals_data,
    torch_manual_seed,
    train_loop,
    train_valid,
)
from pycompare.network import trunc_normal_
from tests.conftest import RECORDED, assert_recorded, recorded

# Measured in the other lane: 5 steps move a parameter by at most 1.7e-7 in all, where some are near 0.
FIRST_STEPS_ATOL = 1e-6


def test_every_recorded_file_is_what_the_manifest_says() -> None:
    listed = json.loads((RECORDED / "manifest.json").read_text())["files"]
    assert {path.name for path in RECORDED.glob("*.csv")} == set(listed)
    assert {name: len(recorded(name)) for name in listed} == {name: entry["rows"] for name, entry in listed.items()}


def _settings(sweep: str) -> tuple[str, dict[str, float]]:
    return ("lr", {"weight_decay": 0.02}) if sweep == "example_lr_wd0.02" else (sweep, {})


@pytest.mark.parametrize("sweep", ["lr", "batch_size", "weight_decay", "beta1", "beta2", "example_lr_wd0.02"])
def test_course_sweep(sweep: str) -> None:
    theirs = recorded("course_sweeps.csv").query("sweep == @sweep")
    parameter, fixed = _settings(sweep)
    values = theirs["value"].unique().tolist()
    ours = compare_configs(**fixed, **{parameter: values}).data
    assert ours[parameter].tolist() == theirs["value"].tolist()
    assert ours["epoch"].tolist() == theirs["epoch"].tolist()
    assert_recorded(ours["valid_loss"], theirs["valid_loss"])


def test_the_course_sweeps_are_26_runs() -> None:
    assert recorded("course_sweeps.csv").groupby(["sweep", "value"]).ngroups == 26


def test_spirals_learning_rates() -> None:
    theirs = recorded("spirals_lr.csv")
    ours = compare_configs(lr=theirs["lr"].unique(), data=spirals_data()).data
    assert_recorded(ours["valid_loss"], theirs["valid_loss"])


def test_spirals_data() -> None:
    theirs = recorded("spirals_data.csv")
    split = spirals_data()
    for part, flag in ((split.train, 1), (split.valid, 0)):
        x, y = part.tensors
        rows = theirs.loc[theirs["train"] == flag, ["x1", "x2", "class"]].to_numpy()
        ours = torch.hstack([x, y + 1]).numpy()
        assert np.array_equal(_sorted_rows(ours), _sorted_rows(rows))
        assert flag or np.array_equal(ours, rows), "validation rows stand in the order of the data"


def _sorted_rows(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T)]


def test_all_parameters_in_the_first_steps() -> None:
    theirs = recorded("course_first_steps.csv")
    data = course_data().train
    with torch_manual_seed(123):
        network = MLP(4)
    opt = AdamW(network.parameters(), lr=0.01)
    states = [_flat(network)]
    for step in range(5):
        rows = slice(16 * step, 16 * step + 16)
        train_loop(network, [tuple(tensor[rows] for tensor in data.tensors)], opt)
        states.append(_flat(network))
    assert theirs["parameter"].unique().tolist() == [name for name, _ in network.named_parameters()]
    assert_recorded(np.concatenate(states), theirs["value"], rtol=0, atol=FIRST_STEPS_ATOL)


def _flat(network: nn.Module) -> np.ndarray:
    return nn.utils.parameters_to_vector(network.parameters()).detach().numpy().copy()


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


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name: str) -> None:
    theirs = recorded("optimizers.csv").query("optimizer == @name")
    split = course_data()
    with torch_manual_seed(123):
        ours = train_valid(MLP(4), split.train, split.valid, 10, 16, **OPTIMIZERS[name])
    assert_recorded(ours["valid_loss"], theirs["valid_loss"])


def test_every_recorded_optimizer_has_its_settings() -> None:
    assert set(recorded("optimizers.csv")["optimizer"]) == set(OPTIMIZERS)


ROSENBROCK_RUNS = list(recorded("rosenbrock.csv").groupby(["dtype", "lr", "beta"], sort=False))


@pytest.mark.parametrize(("run", "theirs"), [run for run in ROSENBROCK_RUNS if run[0][0] == "float"])
def test_rosenbrock_in_float32(run: tuple[str, float, float], theirs: pd.DataFrame) -> None:
    _, lr, beta = run
    ours = optimize_rosenbrock(len(theirs), lr, beta).data
    columns = ["step", "x", "y", "x_momentum", "y_momentum"]
    assert np.array_equal(ours[columns].iloc[1:], theirs[columns])
    assert np.array_equal(ours["value"].iloc[:-1], theirs["value"])


@pytest.mark.parametrize(("run", "theirs"), [run for run in ROSENBROCK_RUNS if run[0][0] == "double"])
def test_rosenbrock_in_double_with_r_s_rounding_of_left_scalars(
    run: tuple[str, float, float], theirs: pd.DataFrame
) -> None:
    """R torch makes a float32 tensor of the scalar in `scalar * tensor`; written out, its double rows come out too."""
    _, lr, beta = run
    left = {name: torch.tensor(value, dtype=torch.float32).item() for name, value in (("lr", lr), ("rest", 1 - beta))}
    points = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (-1.0, 2.0)]
    momenta = [torch.zeros((), dtype=torch.float64) for _ in points]
    rows = []
    for _ in range(len(theirs)):
        value = rosenbrock(*points)
        for point, momentum, gradient in zip(points, momenta, torch.autograd.grad(value, points), strict=True):
            momentum.mul_(beta).add_(left["rest"] * gradient)
            point.data.sub_(left["lr"] * momentum)
        rows.append([value.item(), *(point.item() for point in points), *(momentum.item() for momentum in momenta)])
    assert np.array_equal(rows, theirs[["value", "x", "y", "x_momentum", "y_momentum"]])


def test_all_rosenbrock_rows_are_covered() -> None:
    assert [run[0] for run, _ in ROSENBROCK_RUNS] == ["float"] * 5 + ["double"] * 5
    assert sum(len(rows) for _, rows in ROSENBROCK_RUNS) == 5000


SGD_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "smooth_l1": F.smooth_l1_loss,
}
SGD_SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "weight_decay": {"momentum": 0.9, "nesterov": True, "weight_decay": 2.0},
    "dampening": {"momentum": 0.9, "dampening": 0.8},
}


def _toy_network() -> nn.Linear:
    """nn_linear(1, 1) from weight 6, bias -3.

    A 1 x 1 matrix is row-major and column-major at once. LibTorch 2.8 takes it for one, and computes the weight's
    gradient as x^T g, PyTorch 2.13 for the other, as g^T x; the two sums round differently. A wider stride settles it.
    """
    with torch_manual_seed(0):
        network = nn.Linear(1, 1)
    network.weight = nn.Parameter(torch.empty_strided((1, 1), (2, 1)).fill_(6))
    nn.init.constant_(network.bias, -3)
    return network


@pytest.mark.parametrize(("run", "theirs"), list(recorded("sgd_toy.csv").groupby(["loss_fn", "setting"], sort=False)))
def test_sgd_on_the_toy_problem(run: tuple[str, str], theirs: pd.DataFrame) -> None:
    loss_fn, setting = run
    toy = torch.tensor(recorded("toy_xy.csv").to_numpy(np.float32))
    batch = [(toy[:, :1], toy[:, 1:])]
    network = _toy_network()
    opt = torch.optim.SGD(network.parameters(), lr=0.1, foreach=False, **SGD_SETTINGS[setting])
    states, losses = [_flat(network)], []
    for _ in range(100):
        losses.append(train_loop(network, batch, opt, loss=SGD_LOSSES[loss_fn]))
        states.append(_flat(network))
    assert_recorded(states, theirs[["weight", "bias"]])
    assert_recorded(losses, theirs["loss"].iloc[:-1])


INITS: dict[str, Callable[[Tensor], Tensor]] = {
    "xavier_uniform_": nn.init.xavier_uniform_,
    "xavier_normal_": nn.init.xavier_normal_,
    "kaiming_uniform_": nn.init.kaiming_uniform_,
    "kaiming_normal_": nn.init.kaiming_normal_,
    "normal_": nn.init.normal_,
    "orthogonal_": nn.init.orthogonal_,
    "trunc_normal_": trunc_normal_,
}


def test_initialisers() -> None:
    theirs = recorded("inits.csv")
    for name, values in theirs.groupby("init", sort=False)["value"]:
        with torch_manual_seed(123):
            ours = INITS[str(name)](torch.empty(20, 10))
        assert_recorded(ours.flatten(), values)


def test_torch_random_numbers() -> None:
    theirs = recorded("torch_random.csv")
    draws = {
        "dropout_0.5": lambda: F.dropout(torch.ones(1000), 0.5),
        "dropout_0.2": lambda: F.dropout(torch.ones(1000), 0.2),
        "randn": lambda: torch.randn(1000),
        "randperm": lambda: torch.randperm(1000),
    }
    for column, draw in draws.items():
        with torch_manual_seed(123):
            assert np.array_equal(draw(), theirs[column]), column


def test_one_cycle_schedule_drives_our_adamw() -> None:
    theirs = recorded("one_cycle.csv")
    opt = AdamW(_toy_network().parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=100)
    rows = []
    for step in range(len(theirs)):
        rows.append((step, opt.param_groups[0]["lr"], opt.param_groups[0]["betas"][0]))
        opt.step()
        if step < 99:
            scheduler.step()
    assert np.array_equal(rows, theirs)
