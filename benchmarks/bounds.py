"""What a training of the large network must compute and move, and what this machine can at most."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from workloads import Workload

ORDER = 2048  # of the matrices of the large product
IN_CACHE, IN_MEMORY = 2**18, 2**26  # float32 numbers to copy: 1 MiB, 256 MiB
REPEATS = 20
FLOAT = 4
# How often each number is read or written: a parameter by the products (forward, its gradient, its input's gradient)
# and by AdamW (value, gradient and two moments read, all but the gradient written); a hidden unit by the products that
# read and write it and its gradient, and by what is done to each element.
PARAMETER_PASSES, UNIT_PASSES = 3 + 7, 13


def measure_bounds(workloads: list[Workload]) -> dict[str, Any]:
    """The peaks of this machine, and what each training needs."""
    return {"peaks": measure_peaks(), "needs": [needed(workload) for workload in workloads]}


def measure_peaks() -> dict[str, float]:
    """Flops a second of a large sgemm, bytes a second (read and written) of a copy within the cache and beyond it."""
    a, b, c = (torch.ones(ORDER, ORDER) for _ in range(3))
    return {
        "flops": 2 * ORDER**3 / _fastest(lambda: torch.mm(a, b, out=c)),
        "cache": _copied(IN_CACHE),
        "memory": _copied(IN_MEMORY),
    }


def _copied(numbers: int) -> float:
    source, target = torch.ones(numbers), torch.zeros(numbers)
    return 2 * FLOAT * numbers / _fastest(lambda: target.copy_(source))


def _fastest(call: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def needed(workload: Workload) -> dict[str, Any]:
    """Floating-point operations of all products, and bytes of parameters, moments and activations, of one training."""
    assert workload.widths is not None
    (size,), train, valid = workload.values, len(workload.split.train), len(workload.split.valid)
    weights = [width_in * width_out for width_in, width_out in pairwise(workload.widths)]
    parameters, units = sum(weights) + sum(workload.widths[1:]), sum(workload.widths[1:-1])
    forward, backward = 2 * sum(weights), 2 * sum(weights) + 2 * sum(weights[1:])  # the inputs need no gradient
    flops = train * (forward + backward) + valid * forward
    steps = -(-train // int(size))
    numbers = steps * PARAMETER_PASSES * parameters + train * UNIT_PASSES * units
    epochs = workload.epochs
    return {"workload": workload.name, "flops": epochs * flops, "bytes": epochs * FLOAT * numbers}
