"""What the generators return, and the steps that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pycompare.checks import whole_number
from pycompare.data.rng import Doubles, RRandom

Rows = NDArray[np.int64]


class Regression(NamedTuple):
    """A regression problem: inputs `x`, float64 (n, features), and targets `y`, float64 (n,)."""

    x: Doubles
    y: Doubles


class Classification(NamedTuple):
    """A classification problem: inputs `x`, float64 (n, features), and `classes`, int64 (n,), from 1 as R names them.

    R's `as.integer(classes)` gives the same wherever every class occurs; else it numbers only those that do.
    """

    x: Doubles
    classes: Rows


def stream(rng: RRandom | int) -> RRandom:
    """`rng` itself, or a new stream of this seed."""
    return rng if isinstance(rng, RRandom) else RRandom(rng)


def stacked(*parts: Doubles) -> Classification:
    """The rows of class 1, then those of class 2, and so on."""
    sizes = [len(part) for part in parts]
    return Classification(np.concatenate(parts), np.repeat(np.arange(1, len(parts) + 1), sizes))


def halves(n: int, rng: RRandom) -> tuple[Rows, Rows]:
    """The rows, from 0, of class 1, and those of class 2: half of `n`, rounded down, in the order R samples them in."""
    n = whole_number("n", n, at_least=2)
    second = rng.sample(n, n // 2) - 1
    return np.setdiff1d(np.arange(n), second), second


def merged(rows: tuple[Rows, Rows], of_1: Doubles, of_2: Doubles) -> Classification:
    """The points of both classes, at their rows."""
    x, classes = np.empty((len(of_1) + len(of_2), of_1.shape[1])), np.empty(len(of_1) + len(of_2), np.int64)
    for name, at, points in zip((1, 2), rows, (of_1, of_2), strict=True):
        x[at], classes[at] = points, name
    return Classification(x, classes)


def each(function: Callable[[float], float], values: NDArray[np.floating]) -> Doubles:
    """C's `function` of every value: numpy's vectorised sin, cos and arctan may differ from it in the last bit."""
    return np.fromiter(map(function, values.tolist()), np.float64, len(values))


def sums_of_squares(x: Doubles) -> Doubles:
    """Of each row, in the long double of C, as R's `sum`."""
    sums = np.zeros(len(x), np.longdouble)
    for column in x.T:
        sums += column**2
    return sums.astype(np.float64)
