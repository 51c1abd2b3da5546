"""The data generators of R's mlbench that the course and its laboratories use, on R's random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pycompare.checks import number, whole_number
from pycompare.data.rng import Doubles, RRandom


class Regression(NamedTuple):
    """A regression problem: inputs `x`, float64 (n, features), and targets `y`, float64 (n,)."""

    x: Doubles
    y: Doubles


class Classification(NamedTuple):
    """A classification problem: inputs `x`, float64 (n, features), and `classes`, int64 (n,), 1, 2, ... as in R."""

    x: Doubles
    classes: NDArray[np.int64]


def friedman1(n: int, sd: float = 1.0, *, rng: RRandom | int) -> Regression:
    """Friedman's first benchmark: y = 10 sin(pi x1 x2) + 20 (x3 - 0.5)^2 + 10 x4 + 5 x5 + N(0, sd).

    The ten inputs are uniform on (0, 1); five of them are noise.

    Arguments:
        n: observations, 1 or more.
        sd: standard deviation of the noise, 0 or more; at 0 none is drawn.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.friedman1(n, sd)` after `set.seed`. Source: Friedman (1991), Annals of Statistics 19, 1-67.
    """
    n, sd, rng = _checked(n, sd, rng)
    x = np.ascontiguousarray(rng.runif(10 * n).reshape(10, n).T)
    y = 10 * _each(math.sin, np.pi * x[:, 0] * x[:, 1])
    y = y + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return Regression(x, _with_noise(y, sd, rng))


def friedman2(n: int, sd: float = 125.0, *, rng: RRandom | int) -> Regression:
    """Friedman's second benchmark, an impedance: y = sqrt(x1^2 + (x2 x3 - 1/(x2 x4))^2) + N(0, sd).

    x1 is uniform on (0, 100), x2 on (40 pi, 560 pi), x3 on (0, 1), x4 on (1, 11). Arguments as in `friedman1`.

    Mirrors `mlbench.friedman2(n, sd)` after `set.seed`. Source: Friedman (1991), Annals of Statistics 19, 1-67.
    """
    n, sd, rng = _checked(n, sd, rng)
    x, reactance = _circuit(n, rng)
    return Regression(x, _with_noise(np.sqrt(x[:, 0] ** 2 + reactance**2), sd, rng))


def friedman3(n: int, sd: float = 0.1, *, rng: RRandom | int) -> Regression:
    """Friedman's third benchmark, a phase angle: y = atan((x2 x3 - 1/(x2 x4)) / x1) + N(0, sd).

    The inputs are those of `friedman2`. Arguments as in `friedman1`.

    Mirrors `mlbench.friedman3(n, sd)` after `set.seed`. Source: Friedman (1991), Annals of Statistics 19, 1-67.
    """
    n, sd, rng = _checked(n, sd, rng)
    x, reactance = _circuit(n, rng)
    return Regression(x, _with_noise(_each(math.atan, reactance / x[:, 0]), sd, rng))


def spirals(n: int, cycles: float = 1.0, sd: float = 0.0, *, rng: RRandom | int) -> Classification:
    """Two entangled spirals, one a class; the second is the first turned by 180 degrees.

    Arguments:
        n: observations, 2 or more; half of them (rounded down) belong to class 2, at random places.
        cycles: how many turns a spiral makes.
        sd: standard deviation of the noise across the spiral, 0 or more; at 0 none is drawn.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.spirals(n, cycles, sd)` after `set.seed`.
    """
    n, sd, rng = _checked(n, sd, rng, at_least=2)
    cycles = number("cycles", cycles)
    second = rng.sample(n, n // 2) - 1
    classes = np.ones(n, np.int64)
    classes[second] = 2
    x = np.empty((n, 2))
    x[classes == 1] = _spiral(n - n // 2, cycles, sd, rng)
    x[second] = -_spiral(n // 2, cycles, sd, rng)
    return Classification(x, classes)


def waveform(n: int, *, rng: RRandom | int) -> Classification:
    """Breiman's waveforms: of each class, mixtures of two of three triangular waves, at 21 points, plus N(0, 1).

    With one u, uniform on (0, 1), an observation: x_i = u a_i + (1 - u) b_i + N(0, 1), where a and b are the waves with
    their peak of 6 at the points 7 and 15 (class 1), 7 and 11 (class 2), or 15 and 11 (class 3).

    Arguments:
        n: observations, 1 or more.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.waveform(n)` after `set.seed`. Source: Breiman et al. (1984), Classification and Regression Trees.
    """
    n, _, rng = _checked(n, 0, rng)
    waves = np.array([np.maximum(6 - np.abs(np.arange(1, 22) - peak), 0) for peak in (7, 15, 11)], float)
    classes, x = np.empty(n, np.int64), np.empty((n, 21))
    for i in range(n):
        kind, u = rng.runif(2)
        classes[i] = int(3 * kind) + 1
        a, b = waves[[(0, 1), (0, 2), (1, 2)][classes[i] - 1], :]
        x[i] = u * a + (1 - u) * b + rng.rnorm(21)
    return Classification(x, classes)


def _spiral(n: int, cycles: float, sd: float, rng: RRandom) -> Doubles:
    w = np.arange(n) * (cycles / n)
    angle, radius = 2 * np.pi * w, 2 * w + 1
    cos, sin = _each(math.cos, angle), _each(math.sin, angle)
    x = np.column_stack([radius * cos / 3, radius * sin / 3])
    if sd > 0:
        e = rng.rnorm(n, sd=sd)
        along_x = cos - np.pi * radius * sin
        along_y = sin + np.pi * radius * cos
        length = np.sqrt(along_x**2 + along_y**2)
        x[:, 0] += e * along_y / length
        x[:, 1] -= e * along_x / length
    return x


def _circuit(n: int, rng: RRandom) -> tuple[Doubles, Doubles]:
    bounds = [(0.0, 100.0), (40 * math.pi, 560 * math.pi), (0.0, 1.0), (1.0, 11.0)]
    x = np.column_stack([rng.runif(n, low, high) for low, high in bounds])
    return x, x[:, 1] * x[:, 2] - 1 / (x[:, 1] * x[:, 3])


def _with_noise(y: Doubles, sd: float, rng: RRandom) -> Doubles:
    return y + rng.rnorm(len(y), sd=sd) if sd > 0 else y


def _each(function: Callable[[float], float], values: NDArray[np.floating]) -> Doubles:
    """C's `function` of every value: numpy's vectorised sin, cos and arctan may differ from it in the last bit."""
    return np.fromiter(map(function, values.tolist()), np.float64, len(values))


def _checked(n: int, sd: float, rng: RRandom | int, at_least: int = 1) -> tuple[int, float, RRandom]:
    stream = rng if isinstance(rng, RRandom) else RRandom(rng)
    return whole_number("n", n, at_least=at_least), number("sd", sd, at_least=0), stream
