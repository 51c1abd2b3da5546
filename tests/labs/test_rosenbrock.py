from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pycompare import optim_step, optimize_rosenbrock, rosenbrock
from pycompare.plots import png


def _point(*values: float, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    return [torch.tensor(value, dtype=dtype, requires_grad=True) for value in values]


@pytest.mark.parametrize(("x", "y", "value"), [(1, 1, 0), (-1, 2, 6), (0, 0, 1), (2, 3, 3)])
def test_the_function_of_numbers_arrays_and_tensors(x: float, y: float, value: float) -> None:
    assert rosenbrock(x, y) == value
    assert rosenbrock(np.array([x]), np.array([y])).tolist() == [value]
    assert rosenbrock(*_point(x, y)).item() == value


def test_one_step_in_place_leaves_the_gradient_to_the_caller() -> None:
    x, y = _point(-1, 2)
    x_momentum, y_momentum = torch.tensor(0.5, dtype=torch.float64), torch.tensor(-0.25, dtype=torch.float64)
    value = optim_step(x, y, 0.01, x_momentum, y_momentum, 0.9)
    gradient = [-2 * (1 - -1) - 8 * -1 * (2 - 1), 4 * (2 - 1)]
    momentum = [0.5 * 0.9 + (1 - 0.9) * gradient[0], -0.25 * 0.9 + (1 - 0.9) * gradient[1]]
    assert (value.item(), value.requires_grad) == (6, False)
    assert [x.grad.item(), y.grad.item()] == gradient
    assert [x_momentum.item(), y_momentum.item()] == momentum
    assert [x.item(), y.item()] == [-1 - 0.01 * momentum[0], 2 - 0.01 * momentum[1]]
    optim_step(x, y, 0.0, x_momentum, y_momentum, 0.0)
    assert x.grad.item() != gradient[0], "the next gradient is added to what was not zeroed"


# Two orders of rounding; measured equal after 200 steps here, where the path has all but arrived.
ROUNDING = 1e-14


def test_the_steps_are_sgd_s_with_a_scaled_learning_rate() -> None:
    ours = optimize_rosenbrock(200, 0.05, 0.8, dtype=torch.float64).data
    x, y = _point(-1, 2)
    opt = torch.optim.SGD([x, y], lr=0.05 * (1 - 0.8), momentum=0.8)
    for _ in range(200):
        opt.zero_grad()
        rosenbrock(x, y).backward()
        opt.step()
    np.testing.assert_allclose(ours[["x", "y"]].iloc[-1], [x.item(), y.item()], rtol=ROUNDING)


def test_the_frame_starts_at_the_start_and_has_the_value_at_each_point() -> None:
    frame = optimize_rosenbrock(3, 0.1, 0.5, start=(0.5, -0.5), dtype=torch.float64).data
    assert frame.columns.tolist() == ["step", "x", "y", "value", "x_momentum", "y_momentum"]
    assert frame["step"].tolist() == [0, 1, 2, 3]
    assert frame.iloc[0, 1:].tolist() == [0.5, -0.5, rosenbrock(0.5, -0.5), 0, 0]
    assert frame["value"].tolist() == [
        rosenbrock(*_point(x, y)).item() for x, y in zip(frame["x"], frame["y"], strict=True)
    ]


def test_a_path_that_diverges_ends_in_nan_and_is_drawn_as_far_as_it_goes() -> None:
    trajectory = optimize_rosenbrock(60, 5.0, 0.0)
    assert trajectory.data["x"].isna().any()
    trajectory.plot().draw()


def test_a_function_of_one_s_own() -> None:
    def bowl(x: Any, y: Any) -> Any:
        return (x - 1) ** 2 - 3

    trajectory = optimize_rosenbrock(100, 0.1, 0.0, function=bowl)
    last = trajectory.data.iloc[-1]
    assert last["x"] == pytest.approx(1, abs=1e-6)
    assert last["y"] == 2
    assert trajectory.plot().labels.title == "Optimization Path"


def test_the_repr_tells_the_way(tmp_path: Path) -> None:
    trajectory = optimize_rosenbrock(500, 0.01, 0.9)
    assert repr(trajectory).startswith("Trajectory of 500 steps, lr=0.01, beta=0.9: value 6 -> 0.00612842 at (0.925")
    paths = trajectory.save(tmp_path)
    assert [path.name for path in paths] == ["trajectory.csv", "trajectory.png", "settings.json"]
    pd.testing.assert_frame_equal(pd.read_csv(paths[0]), trajectory.data, check_exact=True)
    assert png(trajectory.plot()) == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: optimize_rosenbrock(0, 0.1, 0.9), ValueError, "`steps` must be at least 1; got 0"),
        (lambda: optimize_rosenbrock(5, -0.1, 0.9), ValueError, "`lr` must be at least 0; got -0.1"),
        (lambda: optimize_rosenbrock(5, 0.1, 1.0), ValueError, "`beta` must be less than 1; got 1.0"),
        (lambda: optimize_rosenbrock(5, math.nan, 0.9), ValueError, "`lr` must be finite; got nan"),
        (lambda: optimize_rosenbrock(5, 0.1, 0.9, start=(1,)), ValueError, r"`start` must be a pair \(x, y\); got"),
        (lambda: optimize_rosenbrock(5, 0.1, 0.9, start=(1, "a")), TypeError, "`start` must be a number; got 'a'"),
        (
            lambda: optimize_rosenbrock(5, 0.1, 0.9, dtype=torch.int64),
            ValueError,
            "`dtype` must be one of float32, float64",
        ),
        (
            lambda: optim_step(*_point(1.0, 1.0), math.nan, torch.zeros(()), torch.zeros(()), 0.9),
            ValueError,
            "`lr` must be finite; got nan",
        ),
        (
            lambda: optim_step(torch.tensor(1.0), *_point(1.0), 0.1, torch.zeros(()), torch.zeros(()), 0.9),
            ValueError,
            "`x` must require gradients",
        ),
    ],
)
def test_bad_arguments(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
