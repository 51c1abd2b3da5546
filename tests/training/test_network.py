from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from pycompare import MLP, torch_manual_seed
from pycompare.training.network import trunc_normal_


@pytest.mark.parametrize(
    ("make", "modules"),
    [
        (lambda: MLP(4), ["lin1", "act1", "lin2", "act2", "lin3"]),
        (lambda: MLP(2, hidden=()), ["lin1"]),
        (lambda: MLP(3, hidden=[7], out_features=5, activation=nn.SiLU), ["lin1", "act1", "lin2"]),
    ],
)
def test_layers_are_named_as_in_r(make: Callable[[], MLP], modules: list[str]) -> None:
    with torch_manual_seed(1):
        assert [name for name, _ in make().named_children()] == modules


def test_weights_are_drawn_in_float32_whatever_the_default_dtype() -> None:
    with torch_manual_seed(1):
        expected = MLP(4)
    torch.set_default_dtype(torch.float64)
    try:
        with torch_manual_seed(1):
            drawn = MLP(4)
    finally:
        torch.set_default_dtype(torch.float32)
    for ours, theirs in zip(drawn.parameters(), expected.parameters(), strict=True):
        assert ours.dtype == torch.float32
        assert torch.equal(ours, theirs)


def test_weights_are_drawn_on_the_cpu_whatever_the_default_device() -> None:
    with torch.device("meta"):
        assert MLP(4).lin1.weight.device.type == "cpu"
    torch.manual_seed(20240215)


def test_a_slice_of_layers_is_a_network() -> None:
    with torch_manual_seed(1):
        network = MLP(4)
    x = torch.ones(2, 4)
    assert torch.equal(network[2:](network[:2](x)), network(x))


def test_activations_by_name() -> None:
    with torch_manual_seed(1):
        kinds = [type(MLP(1, (1,), activation=name)[1]).__name__ for name in ("relu", "tanh", "leaky_relu", "gelu")]
    assert kinds == ["ReLU", "Tanh", "LeakyReLU", "GELU"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MLP(0), ValueError, "`in_features` must be at least 1; got 0"),
        (lambda: MLP(4, hidden=(5, 2.5)), ValueError, "`hidden` must be a whole number; got 2.5"),
        (lambda: MLP(4, out_features="1"), TypeError, "`out_features` must be a whole number; got '1'"),
        (lambda: MLP(4, activation=[]), ValueError, r"`activation` must be one of relu, .*; got \[\]"),
        (lambda: MLP(4, activation="swish"), ValueError, "`activation` must be one of relu, .*; got 'swish'"),
        (lambda: trunc_normal_(torch.empty(2), std=0), ValueError, "`std` must be greater than 0"),
    ],
)
def test_bad_arguments(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_truncated_normal_stays_within_its_bounds() -> None:
    with torch_manual_seed(3):
        drawn = trunc_normal_(torch.empty(10_000), mean=1, std=2, a=0.5, b=2)
    assert drawn.min() >= 0.5
    assert drawn.max() <= 2


def test_a_seeded_scope_restores_the_stream_even_after_an_error() -> None:
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="shape"), torch_manual_seed(9):
        torch.rand(3).reshape(2, 2)
    assert torch.equal(torch.get_rng_state(), before)
