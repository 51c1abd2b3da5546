"""The map of a neuron's loss: in one go, and as the article draws it, by a loop over `.item()`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from pycompare.labs.landscape import loss_map, toy_problem

LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "mse": nn.MSELoss(),
    "l1": nn.L1Loss(),
    "huber": nn.HuberLoss(),
    "smooth_l1": nn.SmoothL1Loss(),
}
LIMIT, POINTS = 0.005, 101


def measure_loss_map(rounds: int) -> list[dict[str, Any]]:
    """One row a loss: seconds of both, in turn, their ratio, and whether their bits are the same."""
    seconds: dict[str, list[list[float]]] = {name: [] for name in LOSSES}
    same = dict.fromkeys(LOSSES, True)
    for name in list(LOSSES) * rounds:
        ours, frame = _timed(lambda: loss_map(name, n=POINTS)["loss"].to_numpy())  # noqa: B023
        loop, expected = _timed(lambda: by_loop(LOSSES[name]))  # noqa: B023
        seconds[name].append([ours, loop])
        same[name] &= bool((frame == expected).all())
    return [_row(name, np.array(taken), same[name]) for name, taken in seconds.items()]


def by_loop(loss: Callable[..., torch.Tensor]) -> np.ndarray[Any, Any]:
    """Every line by itself, as the article does it."""
    x, y = map(torch.from_numpy, toy_problem())
    grid = [-5.0 + 13.0 * i / (POINTS - 1) for i in range(POINTS)]
    return np.array([loss(x * weight + bias, y).item() for weight in grid for bias in grid])


def _timed(call: Callable[[], np.ndarray[Any, Any]]) -> tuple[float, np.ndarray[Any, Any]]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def _row(name: str, taken: np.ndarray[Any, Any], same: bool) -> dict[str, Any]:
    ours, loop = (statistics.median(column) for column in taken.T)
    return {"loss": name, "ours": ours, "limit": LIMIT, "loop": loop, "ratio": loop / ours, "same_bits": same}
