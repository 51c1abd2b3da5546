from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pycompare import MLP, RRandom, torch_manual_seed, torch_threads
from pycompare.data.mlbench import circle
from pycompare.training.initializers import INITIALIZERS, initialise, initializer
from pycompare.training.network import trunc_normal_
from tests.conftest import KERNELS, recorded


def _drawn_by_hand(fill: Callable[[Tensor], object], seed: int) -> list[Tensor]:
    """The loop of R's recording: weights in the order of the layers, in the scope in which the network was made."""
    with torch_manual_seed(seed):
        network = MLP(4, (20, 7), 3)
        for layer in network:
            if isinstance(layer, nn.Linear):
                fill(layer.weight)
                nn.init.zeros_(layer.bias)
    return [parameter.detach() for parameter in network.parameters()]


def _initialised(*arguments: Any, seed: int = 123, dtype: torch.dtype = torch.float32, **named: Any) -> list[Tensor]:
    with torch_manual_seed(seed):
        network = initialise(MLP(4, (20, 7), 3).to(dtype), *arguments, **named)
    return [parameter.detach() for parameter in network.parameters()]


def _equal(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


BY_HAND: dict[str, tuple[dict[str, float], Callable[[Tensor], object]]] = {
    "xavier_uniform": ({}, nn.init.xavier_uniform_),
    "xavier_normal": ({}, nn.init.xavier_normal_),
    "kaiming_uniform": ({}, lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="relu")),
    "kaiming_normal": ({}, lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu")),
    "normal": ({"sigma": 0.3}, lambda weight: nn.init.normal_(weight, 0, 0.3)),
    "orthogonal": ({}, nn.init.orthogonal_),
    "trunc_normal": ({"sigma": 1.5}, lambda weight: trunc_normal_(weight, 0, 1.5)),
}


def test_every_initialiser_is_tried() -> None:
    assert set(BY_HAND) == set(INITIALIZERS)


@pytest.mark.parametrize("init", BY_HAND)
@pytest.mark.parametrize("seed", [1, 123])
def test_weights_are_drawn_again_in_the_order_of_the_layers(init: str, seed: int) -> None:
    arguments, fill = BY_HAND[init]
    expected = _drawn_by_hand(fill, seed)
    assert _equal(_initialised(init, seed=seed, **arguments), expected)
    assert _equal(_initialised(fill, seed=seed), expected)


@pytest.mark.parametrize("init", BY_HAND)
def test_a_weight_has_the_recorded_bits(init: str) -> None:
    values = recorded("inits.csv").query("init == @init + '_'")["value"]
    with torch_manual_seed(123):
        weight = torch.empty(20, 10)
        initializer(init)(weight)
    assert weight.flatten().double().tolist() == values.tolist()


@pytest.mark.skipif(KERNELS != "recorded", reason="products have other bits here than where R torch ran")
def test_networks_have_the_recorded_losses_before_their_first_step() -> None:
    starts = recorded("init_runs.csv").query("step == 0")
    stream = RRandom(123)
    train, valid = circle(100, rng=stream), circle(1000, rng=stream)
    for row in starts.itertuples():
        sigma = row.init.removeprefix("normal_")
        arguments = {"init": row.init} if sigma == row.init else {"init": "normal", "sigma": float(sigma)}
        with torch_threads(1), torch_manual_seed(row.seed), torch.no_grad():
            network = initialise(MLP(2, (6, 3), 2), **arguments)
            losses = [
                F.cross_entropy(network(torch.from_numpy(x).float()), torch.from_numpy(classes - 1)).item()
                for x, classes in (train, valid)
            ]
        assert losses == [row.train_loss, row.valid_loss], (row.init, row.seed)
    assert len(starts) == 24


@pytest.mark.parametrize("init", [name for name in BY_HAND if name != "orthogonal"])
def test_the_spread_is_the_formula_s(init: str) -> None:
    with torch_manual_seed(5):
        layer = initialise(nn.Linear(300, 500), init)
    deviation = layer.weight.double().std().item()
    truncated = math.sqrt(1 - 2 * 2 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))
    spread = {"xavier": math.sqrt(2 / 800), "kaiming": math.sqrt(2 / 300), "normal": 1.0, "trunc": truncated}
    assert deviation == pytest.approx(spread[init.split("_")[0]], rel=0.01)  # five standard errors of 150,000 draws


def test_float64_gets_the_draws_of_float32() -> None:
    double = _initialised("orthogonal", dtype=torch.float64)
    assert {part.dtype for part in double} == {torch.float64}
    assert _equal([part.float() for part in double], _initialised("orthogonal"))


def test_which_parameters_are_drawn_set_and_left() -> None:
    with torch_manual_seed(1):
        network = nn.Sequential(nn.Conv1d(2, 3, 5), nn.BatchNorm1d(3), nn.LSTM(4, 5))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(7.0)
    assert initialise(network, nn.init.ones_) is network
    left = {"1.weight": 7.0}
    for name, parameter in network.named_parameters():
        expected = left.get(name, 0.0 if "bias" in name else 1.0)
        assert (parameter == expected).all(), name


def test_biases_may_stay() -> None:
    ours = _initialised("xavier_normal", zero_bias=False)
    with torch_manual_seed(123):
        made = [parameter.detach() for parameter in MLP(4, (20, 7), 3).parameters()]
    assert _equal(ours[1::2], made[1::2])
    assert not any(torch.equal(a, b) for a, b in zip(ours[::2], made[::2], strict=True))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"init": "he"}, ValueError, "`init` must be one of xavier_uniform, .*, trunc_normal; got 'he'. For another"),
        ({"init": None}, ValueError, "`init` must be one of .*; got None"),
        ({"init": "normal", "sigma": -1}, ValueError, "`sigma` must be at least 0; got -1"),
        ({"init": "normal", "sigma": math.inf}, ValueError, "`sigma` must be finite; got inf"),
        ({"init": "normal", "sigma": "1"}, TypeError, "`sigma` must be a number; got '1'"),
        ({"init": "orthogonal", "sigma": 1}, ValueError, "`sigma` must be left out unless `init` is normal or trunc_n"),
        ({"init": nn.init.ones_, "sigma": 1}, ValueError, "`sigma` must be left out"),
        ({"init": "normal", "zero_bias": 1}, TypeError, "`zero_bias` must be True or False; got 1"),
        (
            {"init": "normal", "network": nn.ReLU()},
            ValueError,
            "`network` must have a weight of two or more dimensions",
        ),
        ({"init": "normal", "network": nn.LayerNorm(3)}, ValueError, "`network` must have a weight of two or more"),
        ({"init": "normal", "network": "MLP"}, TypeError, "`network` must be a torch.nn.Module; got 'MLP'"),
    ],
)
def test_bad_arguments_change_nothing(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with torch_manual_seed(1):
        network = MLP(2)
        before = [parameter.clone() for parameter in network.parameters()]
    with pytest.raises(error, match=message):
        initialise(**({"network": network} | arguments))
    assert _equal(list(network.parameters()), before)
