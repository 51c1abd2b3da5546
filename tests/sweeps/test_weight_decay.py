"""Two searches for a weight decay: plain loops' bits, restarts that are no interruption, costs, and no trace."""

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

from pycompare import (
    MLP,
    SGD,
    OneCycle,
    Split,
    WeightDecaySearch,
    compare_configs,
    torch_manual_seed,
    torch_threads,
    weight_decay_restarts,
    weight_decay_search,
)
from pycompare.plots import png

with torch_manual_seed(1):
    X, X_VALID = torch.randn(50, 3), torch.randn(30, 3)
SPLIT = Split(*(TensorDataset(x, x.sum(dim=1, keepdim=True)) for x in (X, X_VALID)))
LOSSES = ["train_loss", "valid_loss", "valid_rmse"]
_search = partial(weight_decay_search, data=SPLIT, epochs=2, seeds=2)
_restarts = partial(weight_decay_restarts, data=SPLIT, epochs=2, most_epochs=3, seeds=2)


def _noisy() -> nn.Module:
    """A network that draws, and has buffers."""
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 1))


def _by_hand(weight_decay: float, schedule: OneCycle | None, seed: int) -> list[float]:
    """PyTorch's own loop: the loss of the second epoch."""
    losses = []
    with torch_threads(1), torch_manual_seed(seed):
        network = MLP(3)
        opt = SGD(network.parameters(), 0.1, momentum=0.9, weight_decay=weight_decay)
        for step in range(8):
            if schedule:
                opt.param_groups[0]["lr"] = schedule.settings(step)["lr"]
            x, y = (tensor.split(16)[step % 4] for tensor in SPLIT.train.tensors)
            opt.zero_grad()
            loss = nn.functional.mse_loss(network(x), y)
            loss.backward()
            opt.step()
            losses.append(loss.sqrt().item())
    return losses[4:]


@pytest.mark.parametrize("engine", ["autograd", "fused", "compiled"])
@pytest.mark.parametrize("schedule", ["constant", "1cycle"])
def test_a_search_has_the_bits_of_plain_loops(schedule: str, engine: str) -> None:
    made = _search([0.1, 0.0], schedule=schedule, engine=engine, momentum=0.9).data
    cycle = OneCycle(0.1, 8, momentum=None) if schedule == "1cycle" else None
    for (weight_decay, seed), run in made.groupby(["weight_decay", "seed"]):
        assert run["train_loss"].iloc[-1] == np.mean(_by_hand(weight_decay, cycle, seed))


def test_a_schedule_of_ones_own_is_that_of_every_run() -> None:
    cycle = OneCycle(0.1, 8, momentum=(0.5, 0.9))
    made = _search([0.1, 0.0], schedule=cycle, momentum=0.9).data
    whole = compare_configs(
        2, data=SPLIT, weight_decay=[0.1, 0.0], schedule=cycle, optimizer="sgd", momentum=0.9, seeds=2, progress=False
    )
    assert np.array_equal(made[LOSSES], whole.data[LOSSES])


OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": ("sgd", {"lr": 0.1}),
    "momentum": ("sgd", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "adamw": ("adamw", {"lr": 0.01}),
    "adam": ("adam", {"lr": 0.01, "amsgrad": True}),
    "rmsprop": ("rmsprop", {"lr": 0.001, "momentum": 0.5, "centered": True}),
    "own": (torch.optim.NAdam, {"lr": 0.01}),
}
TRAININGS = [(name, engine, None) for name in OPTIMIZERS for engine in ("autograd", "fused", "compiled")]
TRAININGS = [case for case in TRAININGS if case[:2] not in (("own", "fused"), ("own", "compiled"))]
TRAININGS += [(name, "autograd", _noisy) for name in OPTIMIZERS]


@pytest.mark.parametrize(("optimizer", "engine", "network"), TRAININGS)
def test_a_restart_with_the_middle_value_is_the_uninterrupted_training(
    optimizer: str, engine: str, network: Any
) -> None:
    how, settings = OPTIMIZERS[optimizer]
    arguments = {"optimizer": how, "engine": engine, "network": network} | settings
    restarted = _restarts([0.5, 0.0, 1e-3], middle=1e-3, **arguments)
    whole = weight_decay_search(1e-3, data=SPLIT, epochs=5, seeds=2, **arguments).data
    middle = restarted.data[restarted.data["weight_decay"] == 1e-3]
    assert restarted.before is not None
    assert np.array_equal(restarted.before[LOSSES], whole.loc[whole["epoch"] <= 3, LOSSES])
    assert np.array_equal(middle[LOSSES], whole.loc[whole["epoch"] > 3, LOSSES])
    ends = restarted.data[restarted.data["epoch"] == 2]
    assert ends.groupby("seed")["valid_loss"].nunique().tolist() == [3, 3]


def test_a_network_whose_layers_come_and_go_is_restarted() -> None:
    """Its optimizer leaves the flat buffer, and restarts where it was."""

    class Moody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 1), nn.Linear(3, 1)
            self.register_buffer("steps", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                self.steps += 1
            both = self.steps <= 17  # from the second epoch after the plateau on, one layer has no gradient
            return self.first(x) + self.second(x) if both else self.first(x)

    arguments: dict[str, Any] = {"network": Moody, "momentum": 0.9, "lr": 0.01}
    restarted = _restarts([0.1, 0.0], middle=0.0, **arguments).data
    whole = weight_decay_search(0.0, data=SPLIT, epochs=5, seeds=2, **arguments).data
    middle = restarted[restarted["weight_decay"] == 0]
    assert np.array_equal(middle[LOSSES], whole.loc[whole["epoch"] > 3, LOSSES])


def test_restarts_under_1cycle_all_begin_with_its_first_rate() -> None:
    ours, alone = _restarts([0.5, 0.0], schedule="1cycle").data, _restarts(0.0, middle=0.5, schedule="1cycle").data
    assert np.array_equal(ours.loc[ours["weight_decay"] == 0, LOSSES], alone[LOSSES])


@pytest.mark.parametrize(
    ("losses", "share", "expected"),
    [
        ([5, 4, 3, 2, 1, 0.5], 0.01, 6),
        ([5, 4, 4, 4, 1, 0.5], 0.01, 4),
        ([5, 4, 3.99, 3.98, 3.97, 3.96], 0.01, 4),
        ([5, 4, 3.99, 3.98, 3.97, 3.96], 0.0, 6),
        ([5, np.nan, np.nan, 1, 1, 1], 0.01, 3),
        ([np.nan, np.nan, 1, 1, 1, 1], 0.01, 2),
    ],
    ids=repr,
)
def test_what_a_plateau_is(losses: list[float], share: float, expected: int) -> None:
    from pycompare.training.monitoring import Restarts

    class Told:
        def epochs(self) -> Any:
            return ((epoch, [{"valid_loss": loss}]) for epoch, loss in enumerate(losses, 1))

    rows = list(Restarts((), 1, None, 2, share)._to_plateau(Told()))  # type: ignore[arg-type]
    assert len(rows) == expected


def test_the_frames_are_tidy() -> None:
    columns = ["config", "weight_decay", "seed", "epoch", *LOSSES]
    searched, restarted = _search([0.1, 0.0]), _restarts([0.1, 0.0])
    for made in (searched, restarted):
        assert list(made.data) == columns
        assert made.data["config"].tolist() == ["weight_decay = 0.1"] * 4 + ["weight_decay = 0"] * 4
        assert made.data["seed"].tolist() == [123, 123, 124, 124] * 2
        assert made.data["epoch"].tolist() == [1, 2] * 4
        means = made.data[made.data["epoch"] == 2].groupby("weight_decay")["valid_loss"].mean()
        assert made.best() == means.idxmin()
        assert made.summary()["mean"].tolist() == sorted(means)
        assert png(made.plot())


def test_what_it_costs_is_told() -> None:
    searched, restarted = _search([0.1, 0.0]), _restarts([0.1, 0.0], seeds=3)
    assert searched.cost["steps"] == 2 * 2 * 2 * 4
    assert restarted.cost["steps"] == 3 * (3 + 2 * 2) * 4
    assert restarted.cost["plateau_epochs"] == [3, 3, 3]
    assert restarted.cost["steps_of_whole_trainings"] == 3 * 2 * (3 + 2) * 4
    assert min(searched.cost["seconds"], restarted.cost["seconds"]) > 0
    assert "\nCost: 32 steps, " in repr(searched)
    assert "without restarts take 120 steps\nEpochs to the plateau: [3, 3, 3]" in repr(restarted)


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [((8,), (1e-2, 1e-3, 1e-4)), ((8, 8), (1e-2, 1e-3, 1e-4)), ((8, 8, 8), (1e-4, 1e-5, 1e-6, 0.0))],
)
def test_the_default_values_follow_the_depth(hidden: tuple[int, ...], expected: tuple[float, ...]) -> None:
    network = partial(MLP, 3, hidden)
    assert _search(network=network, epochs=1).values == expected
    restarted = _restarts(network=network, epochs=1, most_epochs=1)
    assert (restarted.values, restarted.arguments["middle"]) == (expected, 1e-3 if len(expected) == 3 else 1e-5)


@pytest.mark.parametrize("make", [_search, _restarts])
def test_it_is_saved_and_read_back(make: Any, tmp_path: Path) -> None:
    made = make([0.1, 0.0])
    made.save(tmp_path, ())
    read = WeightDecaySearch.load(tmp_path)
    pd.testing.assert_frame_equal(read.data, made.data, check_exact=True)
    assert (read.arguments, read.cost, repr(read)) == (made.arguments, made.cost, repr(made))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_seed_alone_has_the_same_bits(n_jobs: int) -> None:
    for make in (_search, _restarts):
        both = make(0.1, network=_noisy, n_jobs=n_jobs).data
        alone = make(0.1, network=_noisy, seeds=[124]).data
        assert np.array_equal(both.loc[both["seed"] == 124, LOSSES], alone[LOSSES])


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"weight_decay": []}, ValueError, "`weight_decay` must be a one-dimensional list with at least one value"),
    ({"weight_decay": [0.1, -0.1]}, ValueError, "`weight_decay` must be at least 0; got -0.1"),
    ({"weight_decay": "big"}, TypeError, "`weight_decay` must be a number; got 'big'"),
    ({"schedule": "cycle"}, ValueError, "`schedule` must be one of constant, 1cycle; got 'cycle'"),
    ({"schedule": None}, ValueError, "`schedule` must be one of constant, 1cycle; got None"),
    ({"epochs": 0}, ValueError, "`epochs` must be at least 1"),
    ({"lr": -1}, ValueError, "`lr` must be at least 0"),
    ({"momentum": -1}, ValueError, "`momentum` must be at least 0"),
    ({"optimizer": "adam", "momentum": 0.9}, TypeError, "`momentum` must be an argument of the optimizer"),
    ({"data": 3}, TypeError, "`data` must be a Split"),
]
BAD_RESTARTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"middle": -1}, ValueError, "`middle` must be at least 0"),
    ({"patience": 0}, ValueError, "`patience` must be at least 1"),
    ({"share": 1}, ValueError, "`share` must be less than 1"),
    ({"most_epochs": 0}, ValueError, "`most_epochs` must be at least 1"),
]


@pytest.mark.parametrize(
    ("make", "arguments", "error", "message"),
    [(make, *case) for make in (_search, _restarts) for case in BAD] + [(_restarts, *case) for case in BAD_RESTARTS],
)
def test_bad_arguments(make: Any, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**arguments)
