"""How time grows with configurations, epochs, width and rows, for pycompare and for idiomatic PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from contenders import COMPILED, FUSED, IDIOMATIC, named
from timing import measure
from workloads import COURSE, Workload, chain, course_sweep, synthetic

from pycompare import course_data

ROUNDS = 3
COMPARED = (COMPILED, FUSED, IDIOMATIC)


def configurations(count: int) -> Workload:
    values = tuple(float(lr) for lr in np.geomspace(1e-4, 0.1, count))
    return course_sweep(f"{count} configurations", "lr", values, 1)


def epochs(count: int) -> Workload:
    return course_sweep(f"{count} epochs", "lr", (0.01,), count)


def width(units: int) -> Workload:
    widths = (COURSE[0], units, units, 1)
    return Workload(f"{units} units", "lr", (0.001,), 1, course_data(), partial(chain, widths), {}, widths)


def rows(count: int) -> Workload:
    widths = (10, 50, 50, 1)
    fixed = {"batch_size": 64}
    network = partial(chain, widths)
    return Workload(f"{count} rows", "lr", (0.001,), 1, synthetic(count), network, fixed, widths)


AXES: dict[str, tuple[Callable[[int], Workload], tuple[int, ...]]] = {
    "configurations": (configurations, (1, 4, 16, 64)),
    "epochs": (epochs, (1, 2, 4, 8, 16)),
    "width": (width, (16, 64, 256, 1024)),
    "rows": (rows, (1_000, 10_000, 100_000)),
}


def measure_scaling(quick: bool) -> Iterator[list[dict[str, Any]]]:
    """One row a contender, point by point."""
    for axis, (make, sizes) in AXES.items():
        for size in sizes[:2] if quick else sizes:
            measured = measure(make(size), named(*COMPARED), 1 if quick else ROUNDS)
            yield [row.as_dict() | {"axis": axis, "size": size} for row in measured]
