from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from pycompare.labs.landscape import loss_map, toy_problem
from pycompare.threads import torch_threads
from tests.conftest import recorded

Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES = {"mse": nn.MSELoss(), "l1": nn.L1Loss(), "huber": nn.HuberLoss(), "smooth_l1": nn.SmoothL1Loss()}


def _article_s_map(
    loss_fn: Loss, x: Any, y: Any, n: int, dtype: torch.dtype = torch.float32
) -> tuple[list[float], list[float], list[float]]:
    """Baumstarck's `get_loss_map`, for a grid of any size, its rows neither reversed nor nested."""
    x, y = torch.as_tensor(x, dtype=dtype), torch.as_tensor(y, dtype=dtype)
    weights, biases, losses = [], [], []
    for wi in range(n):
        for wb in range(n):
            w = -5.0 + 13.0 * wi / (n - 1)
            b = -5.0 + 13.0 * wb / (n - 1)
            ywb = x * w + b
            weights.append(w)
            biases.append(b)
            losses.append(loss_fn(ywb, y).item())
    return weights, biases, losses


def _points(n: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = toy_problem(5, max(n, 2))
    return x[:n], y[:n]


@pytest.fixture(params=[1, 4])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Sums of more than 32768 numbers are split among the threads, which changes their bits; a map has those of one."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", LOSSES)
def test_the_default_map_is_the_article_s(name: str) -> None:
    frame = loss_map(name)
    weights, biases, losses = _article_s_map(LOSSES[name], *toy_problem(), 101)
    assert frame.columns.tolist() == ["weight", "bias", "loss"]
    assert frame["weight"].tolist() == weights
    assert frame["bias"].tolist() == biases
    assert frame["loss"].tolist() == losses


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("points", "n"), [(1, 7), (2, 5), (7, 5), (33, 9), (3000, 5), (20_000, 3), (40_000, 3), (65_536, 3), (100_001, 2)]
)
@pytest.mark.parametrize("name", LOSSES)
def test_every_size_has_the_bits_of_the_loop(name: str, points: int, n: int, dtype: torch.dtype, threads: int) -> None:
    x, y = _points(points)
    with torch_threads(1):
        *_, losses = _article_s_map(LOSSES[name], x, y, n, dtype)
    assert loss_map(name, x, y, n=n, dtype=dtype)["loss"].tolist() == losses
    assert loss_map(LOSSES[name], x, y, n=n, dtype=dtype)["loss"].tolist() == losses


@pytest.mark.parametrize(
    "loss",
    [
        lambda outputs, targets: ((outputs - targets) ** 4).mean(),
        lambda outputs, targets: torch.maximum(0.9 * (targets - outputs), 0.1 * (outputs - targets)).sum(),
        nn.HuberLoss(delta=0.3),
        nn.MSELoss(reduction="sum"),
    ],
    ids=["quartic", "quantile", "huber of 0.3", "sum of squares"],
)
@pytest.mark.parametrize("points", [1, 33, 3000])
def test_a_loss_of_one_s_own(loss: Loss, points: int) -> None:
    x, y = _points(points)
    *_, losses = _article_s_map(loss, x, y, 5)
    assert loss_map(loss, x, y, n=5)["loss"].tolist() == losses


def test_a_loss_of_one_s_own_sees_columns() -> None:
    shapes = set()

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        shapes.add((outputs.shape, targets.shape))
        return (outputs - targets).abs().max()

    loss_map(loss, *_points(7), n=3)
    assert shapes == {((7, 1), (7, 1))}


class _Largest(TorchDispatchMode):
    """How many numbers the largest tensor holds that any operation makes."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.numbers = max(self.numbers, made.numel())
        return made


@pytest.mark.parametrize("loss", ["mse", lambda outputs, targets: (outputs - targets).abs().mean()])
def test_memory_does_not_grow_with_the_grid(loss: str | Loss) -> None:
    x, y = _points(3000)
    with _Largest() as small:
        loss_map(loss, x, y, n=21)
    with _Largest() as large:
        loss_map(loss, x, y, n=61)
    assert 3000 <= large.numbers == small.numbers < 21 * 21 * 3000


def test_a_line_of_many_points_is_a_block_of_its_own() -> None:
    with _Largest() as largest:
        loss_map("mse", *_points(1_000_000), n=2)
    assert largest.numbers == 1_000_000


def test_the_rows_run_through_all_biases_of_the_lowest_weight_first() -> None:
    frame = loss_map("l1", [1.0, -1.0], [0.5, 0.5], weight=(0, 1), bias=(-2, 2), n=3)
    assert frame["weight"].tolist() == [0, 0, 0, 0.5, 0.5, 0.5, 1, 1, 1]
    assert frame["bias"].tolist() == [-2, 0, 2] * 3
    assert frame["loss"].tolist() == [2.5, 0.5, 1.5, 2.5, 0.5, 1.5, 2.5, 1.0, 1.5]


@pytest.mark.parametrize(
    "kind",
    [
        list,
        tuple,
        lambda values: values.astype(np.float64),
        lambda values: pd.Series(values, index=range(7, 57)),
        torch.from_numpy,
        lambda values: torch.from_numpy(values).requires_grad_(),
        lambda values: np.repeat(values, 2)[::2],
    ],
    ids=["list", "tuple", "float64", "Series", "tensor", "tensor with gradient", "strided"],
)
def test_points_may_be_any_sequence(kind: Callable[[Any], Any]) -> None:
    x, y = toy_problem()
    pd.testing.assert_frame_equal(loss_map("mse", kind(x), kind(y), n=5), loss_map("mse", n=5), check_exact=True)


def test_the_points_are_the_article_s() -> None:
    x, y = toy_problem()
    assert (x.dtype, y.dtype, x.shape, y.shape) == (np.float32, np.float32, (50,), (50,))
    theirs = recorded("toy_xy.csv")
    assert x.tolist() == theirs["x"].tolist()
    assert y.tolist() == theirs["y"].tolist()


def test_other_points_are_around_the_same_parabola() -> None:
    x, y = toy_problem(7, 20_000)
    assert x[:50].tolist() != toy_problem()[0].tolist()
    noise = y - (0.75 * x**2 + x + 2)
    # Four standard errors of 20000 draws.
    assert [x.mean(), x.std(), noise.mean()] == pytest.approx([0, 1, 0], abs=0.03)
    assert noise.std() == pytest.approx(0.3, abs=0.006)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"loss": "hinge"}, ValueError, "`loss` must be one of mse, l1, huber, smooth_l1; got 'hinge'"),
        ({"loss": None}, ValueError, "`loss` must be one of mse, l1, huber, smooth_l1; got None"),
        ({"loss": lambda outputs, targets: outputs - targets}, ValueError, "`loss` must return a scalar tensor; got"),
        ({"loss": lambda outputs, targets: 3.0}, ValueError, "`loss` must return a scalar tensor; got"),
        ({"x": [], "y": []}, ValueError, "`x` must be a vector of at least one number"),
        ({"x": [[1.0, 2.0]], "y": [1.0]}, ValueError, r"`x` must be a vector .*; got shape \(1, 2\)"),
        ({"x": 3.0, "y": [1.0]}, ValueError, r"`x` must be a vector .*; got shape \(\)"),
        ({"x": [1.0, 2.0], "y": [1.0]}, ValueError, "`x` and `y` must have the same length; got 2 and 1"),
        ({"x": [1.0]}, ValueError, "`x` and `y` must be given together; got one of them"),
        ({"y": [1.0]}, ValueError, "`x` and `y` must be given together; got one of them"),
        ({"x": [1.0, math.nan], "y": [1.0, 2.0]}, ValueError, "`x` must be finite; got nan"),
        ({"x": [1.0, 2.0], "y": [1.0, math.inf]}, ValueError, "`y` must be finite; got inf"),
        ({"n": 1}, ValueError, "`n` must be at least 2; got 1"),
        ({"n": 2.5}, ValueError, "`n` must be a whole number; got 2.5"),
        ({"n": [3, 5]}, TypeError, r"`n` must be a whole number; got \[3, 5\]"),
        ({"weight": (3, 1)}, ValueError, r"`weight` must go from a lower to a higher number; got \(3, 1\)"),
        ({"bias": (1, 1)}, ValueError, r"`bias` must go from a lower to a higher number; got \(1, 1\)"),
        ({"bias": 3}, TypeError, r"`bias` must be a pair \(lowest, highest\); got 3"),
        ({"weight": (0, math.nan)}, ValueError, "`weight` must be finite; got nan"),
        ({"dtype": torch.float16}, ValueError, "`dtype` must be one of float32, float64; got 'float16'"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        loss_map(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 1}, "`n` must be at least 2; got 1"),
        ({"seed": -1}, "`seed` must be at least 0; got -1"),
        ({"seed": 2**32}, "`seed` must be"),
        ({"seed": 1.5}, "`seed` must be a whole number; got 1.5"),
    ],
)
def test_bad_points(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toy_problem(**arguments)
