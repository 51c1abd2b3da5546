from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from pycompare import MLP, ActivationStatistics, activation_statistics, torch_manual_seed, torch_threads
from pycompare.data.mlbench import circle
from pycompare.plots import plot_activations
from tests.conftest import KERNELS, recorded

NUMBERS = ["layer", "mean", "sd", "zero"]
SMALL = {"depth": 3, "width": 8, "data": [[0.5, -1.0], [2.0, 0.25]]}


def _by_hand(network: nn.Module, x: Tensor, kinds: tuple[type[nn.Module], ...]) -> list[list[float]]:
    """The loop of R's recording."""
    rows = []
    with torch_threads(1), torch.no_grad():
        for module in network.children():
            x = module(x)
            if isinstance(module, kinds):
                a = x.abs().to(torch.float64)
                zero = (a == 0).to(torch.float64).mean().item()
                rows.append([len(rows) + 1, a.mean().item(), a.std().item(), zero])
    return rows


@pytest.mark.skipif(KERNELS != "recorded", reason="products have other bits here than where R torch ran")
def test_the_recorded_statistics() -> None:
    theirs = recorded("activations.csv")
    ours = activation_statistics().data
    assert ours["init"].tolist() == theirs["init"].str.removesuffix("_1").tolist()
    assert np.array_equal(ours[NUMBERS], theirs[NUMBERS])


@pytest.mark.parametrize(
    ("seed", "depth", "width", "activation", "kind"),
    [(1, 1, 5, "relu", nn.ReLU), (2, 50, 30, "tanh", nn.Tanh), (3, 7, 200, nn.Sigmoid, nn.Sigmoid)],
)
def test_the_bits_of_a_plain_loop(seed: int, depth: int, width: int, activation: Any, kind: type[nn.Module]) -> None:
    x = torch.from_numpy(circle(300, d=3, rng=seed).x)
    shape = {"depth": depth, "width": width, "activation": activation}
    ours = activation_statistics(**shape, init=nn.init.xavier_normal_, data=x, seed=seed).data
    with torch_manual_seed(seed):
        network = MLP(3, [width] * depth, 2, activation)
        for layer in network:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
    assert ours[NUMBERS].to_numpy().tolist() == _by_hand(network, x.float(), (kind,))
    assert ours["module"].tolist() == [f"act{i}" for i in range(1, depth + 1)]


def _mixed() -> nn.Sequential:
    with torch_manual_seed(8):
        return nn.Sequential(
            nn.Conv1d(1, 4, 3),
            nn.BatchNorm1d(4),
            nn.PReLU(),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(24, 3),
            nn.Tanh(),
        )


def test_any_module_as_it_is() -> None:
    network, x = _mixed().double(), np.linspace(-2, 3, 80).reshape(10, 1, 8)
    ours = activation_statistics(network, data=x).data
    expected = _by_hand(network.eval(), torch.from_numpy(x), (nn.PReLU, nn.Tanh))
    assert ours[NUMBERS].to_numpy().tolist() == expected
    assert ours[["config", "init", "module"]].to_numpy().tolist() == [
        ["init = as made", "as made", "2"],
        ["init = as made", "as made", "6"],
    ]


@pytest.mark.parametrize("init", [None, ["as made", "orthogonal"]])
def test_a_network_that_was_passed_is_left_as_it_was(init: Any) -> None:
    network = _mixed()
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    activation_statistics(network, init=init, data=np.ones((5, 1, 8)))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert [module.training for module in network.modules()] == modes
    assert not any(module._forward_hooks for module in network.modules())


def test_nothing_is_left_after_an_error() -> None:
    network = _mixed()
    with pytest.raises(RuntimeError):
        activation_statistics(network, data=np.ones((5, 1, 2)))
    assert all(module.training for module in network.modules())
    assert not any(module._forward_hooks for module in network.modules())


class Calls(nn.Module):
    """Calls one activation twice, another never, and a function; returns what it is told to."""

    def __init__(self, result: Callable[[Tensor], Any] = lambda x: x) -> None:
        super().__init__()
        self.often, self.never, self.inner = nn.ReLU(), nn.Tanh(), nn.Identity()
        self.result = result

    def forward(self, x: Tensor) -> Any:
        return self.result(self.often(self.inner(torch.relu(self.often(x)) - 1)))


def test_a_layer_is_a_call() -> None:
    ours = activation_statistics(Calls(), data=[[-1.0, 3.0]]).data
    assert ours[["layer", "module", "mean", "zero"]].to_numpy().tolist() == [
        [1, "often", 1.5, 0.5],
        [2, "often", 1, 0.5],
    ]
    named = activation_statistics(Calls(), data=[[-1.0, 3.0]], modules=["inner"]).data
    assert named[["layer", "module", "mean"]].to_numpy().tolist() == [[1, "inner", 1.5]]


def test_whole_numbers_reach_a_network_as_they_are() -> None:
    with torch_manual_seed(1):
        network = nn.Sequential(nn.Embedding(5, 2), nn.ReLU())
    assert len(activation_statistics(network, data=torch.tensor([[0, 4], [1, 2]])).data) == 1


def test_a_single_activation_has_no_deviation() -> None:
    ours = activation_statistics(nn.ReLU(), data=[[2.0]]).data
    assert ours[["mean", "zero"]].to_numpy().tolist() == [[2, 0]]
    assert ours["sd"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "column", "configs"),
    [
        ({}, "init", ["init = normal", "init = xavier_normal", "init = kaiming_normal"]),
        ({"init": "orthogonal"}, "init", ["init = orthogonal"]),
        ({"init": ["normal", "as made", nn.init.ones_], "sigma": 0.1}, "init", ["normal", "as made", "ones_"]),
        ({"init": "normal", "sigma": [0.01, 1]}, "sigma", ["sigma = 0.01", "sigma = 1"]),
        ({"init": "normal", "width": [2, 3]}, "width", ["width = 2", "width = 3"]),
        ({"init": "normal", "depth": [2, 3]}, "depth", ["depth = 2", "depth = 3"]),
        ({"init": "normal", "activation": ["tanh", nn.ReLU]}, "activation", ["tanh", "ReLU"]),
    ],
)
def test_a_list_makes_the_comparison(arguments: dict[str, Any], column: str, configs: list[str]) -> None:
    data = activation_statistics(**(SMALL | arguments)).data
    assert list(data) == ["config", column, "layer", "module", "mean", "sd", "zero"]
    prefix = "" if " = " in configs[0] else f"{column} = "
    assert data["config"].unique().tolist() == [prefix + config for config in configs]


def test_sigma_scales_the_activations_of_normal_weights_alone() -> None:
    inits = ["normal", "xavier_normal"]
    one, ten = (activation_statistics(**SMALL, init=inits, sigma=s).data for s in (1, 8))
    ratio = (ten["mean"] / one["mean"]).to_numpy()
    assert ratio.tolist() == [8, 64, 512, 1, 1, 1]  # powers of two: exact


def _of_means(*networks: Sequence[float]) -> ActivationStatistics:
    frames = [
        pd.DataFrame({"config": f"lr = {i}", "layer": range(1, len(means) + 1), "mean": means, "sd": 1.0, "zero": 0.5})
        for i, means in enumerate(networks)
    ]
    return ActivationStatistics(pd.concat(frames, ignore_index=True))


@pytest.mark.parametrize(
    ("means", "explodes", "vanishes"),
    [
        ([1, 9.9, 0.11], None, None),
        ([1, 10, 0.1], None, None),
        ([1, 2, 11, 12, 0.01], 3, 5),
        ([3, 0.2, 3], None, 2),
        ([1, math.inf, math.nan], 2, None),
        ([math.nan, math.nan], 1, None),
        ([math.inf, 1.0], 1, 2),
        ([1, 0, 0], None, 2),
        ([0, 0], None, 1),
    ],
)
def test_which_layer_explodes_or_vanishes(means: list[float], explodes: int | None, vanishes: int | None) -> None:
    (row,) = _of_means(means).summary().to_dict("records")
    assert [None if row[at] is pd.NA else row[at] for at in ("explodes_at", "vanishes_at")] == [explodes, vanishes]


def test_saving_and_saying(tmp_path: Path) -> None:
    statistics = activation_statistics(**SMALL, init=["normal", "as made"])
    first, _, header, *_ = repr(statistics).splitlines()
    assert first.startswith("|activation| of 3 layers. Explodes: a mean above 10 times the first layer's")
    assert header.split() == ["config", "first", "last", "explodes_at", "vanishes_at", "zero"]
    csv, *_ = statistics.save(tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(csv), statistics.data, check_exact=True)
    told = json.loads((tmp_path / "settings.json").read_text())["activation_statistics"]["arguments"]
    assert told | {"init": ["normal", "as made"], "depth": 3, "seed": 123, "rows": 2} == told


@pytest.mark.parametrize("statistic", ["mean", "sd", "zero"])
def test_the_plot(draw: Any, statistic: str) -> None:
    drawn = draw(activation_statistics(**SMALL).plot(statistic))
    names = ["init = normal", "init = xavier_normal", "init = kaiming_normal"]
    assert drawn.those(*names) == names
    assert not any("Not drawn" in word for word in drawn.words)
    assert (drawn.y[0] < 0 and drawn.y[1] > 1) == (statistic == "zero")


def test_the_plot_says_what_its_axis_has_no_place_for(draw: Any) -> None:
    drawn = draw(_of_means([1, 2, 3], [1, 0, 0], [1, 1, math.inf]).plot())
    assert "Not drawn, 0 or not finite: lr = 1 from layer 2 on; lr = 2 from\nlayer 3 on" in drawn.words
    nothing = draw(_of_means([0, math.nan]).plot())
    assert nothing.words[0].startswith("Mean of |activation| is 0 or not finite in every\nlayer.")


def test_an_unknown_statistic() -> None:
    with pytest.raises(ValueError, match="`statistic` must be one of mean, sd, zero; got 'max'"):
        plot_activations(pd.DataFrame(), statistic="max")


TUPLE = nn.Sequential(Calls(lambda x: (x,)))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"network": "relu"}, TypeError, "`network` must be a torch.nn.Module; got 'relu'"),
        ({"network": nn.ReLU(), "depth": 3}, ValueError, "`depth` must be left out where `network` is given; got 3"),
        (
            {"network": nn.Linear(2, 1)},
            ValueError,
            "`network` must have activation modules, such as nn.ReLU; got Linear",
        ),
        (
            {"network": Calls(), "modules": ["act"]},
            ValueError,
            "`modules` must be one of often, never, inner; got 'act'",
        ),
        ({"network": nn.ReLU(), "modules": "act"}, TypeError, "`modules` must be a list of names; got 'act'"),
        ({"network": Calls(), "modules": ["never"]}, ValueError, "`network` must call its activation modules"),
        ({"network": TUPLE, "modules": ["0"]}, TypeError, "`modules` must name modules that return a tensor; '0' ret"),
        ({"network": nn.ReLU(), "sigma": 1}, ValueError, "`init` must be one of .*; got 'as made'"),
        ({"init": "he"}, ValueError, "`init` must be one of .*; got 'he'"),
        ({"init": "normal", "sigma": -1}, ValueError, "`sigma` must be at least 0; got -1"),
        ({"init": "orthogonal", "sigma": 1}, ValueError, "`sigma` must be left out unless `init` is normal or"),
        ({"init": ["normal", "normal"]}, ValueError, "`init` must hold distinct values; got `init = normal`"),
        ({"depth": [1, 2]}, ValueError, "At most one argument may be a list; got `init` and `depth`. Fix one"),
        ({"depth": 0}, ValueError, "`depth` must be at least 1; got 0"),
        ({"width": 2.5}, ValueError, "`width` must be a whole number; got 2.5"),
        ({"activation": "swish"}, ValueError, "`activation` must be one of relu"),
        ({"data": [1.0, 2.0]}, ValueError, r"`data` must have shape \(n, features\), n at least 1; got shape \(2,\)"),
        ({"data": np.ones((0, 2))}, ValueError, r"`data` must have shape \(n, features\), .* got shape \(0, 2\)"),
        ({"data": [[1.0, math.nan]]}, ValueError, "`data` must be finite; got NaN"),
        ({"data": [["a"]]}, TypeError, "`data` must hold numbers only"),
        ({"seed": 1.5}, ValueError, "`seed` must be a whole number; got 1.5"),
        ({"threads": 0}, ValueError, "`threads` must be at least 1; got 0"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        activation_statistics(**({"data": [[1.0, 2.0]]} | arguments))
