"""Friedman's three regression problems, and a peak."""

from __future__ import annotations

import math

import numpy as np

from pycompare.checks import number, whole_number
from pycompare.data.mlbench.problem import Regression, each, stream, sums_of_squares
from pycompare.data.rng import Doubles, RRandom, standard_normals


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
    y = 10 * each(math.sin, np.pi * x[:, 0] * x[:, 1])
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
    return Regression(x, _with_noise(each(math.atan, reactance / x[:, 0]), sd, rng))


def peak(n: int, d: int = 20, *, rng: RRandom | int) -> Regression:
    """A peak at 0: y = 25 exp(-r^2 / 2), where r, uniform on (0, 3), is the length of x, whose direction is any.

    Arguments:
        n: observations, 1 or more.
        d: inputs, 1 or more.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.peak(n, d)` after `set.seed`.
    """
    n, d, rng = whole_number("n", n, at_least=1), whole_number("d", d, at_least=1), stream(rng)
    u = rng.runif(n * (1 + 2 * d)).reshape(n, -1)
    radius, direction = 3 * u[:, 0], standard_normals(u[:, 1:])
    length = np.sqrt(sums_of_squares(direction))
    return Regression(radius[:, None] * (direction / length[:, None]), 25 * each(math.exp, -0.5 * radius**2))


def _circuit(n: int, rng: RRandom) -> tuple[Doubles, Doubles]:
    bounds = [(0.0, 100.0), (40 * math.pi, 560 * math.pi), (0.0, 1.0), (1.0, 11.0)]
    x = np.column_stack([rng.runif(n, low, high) for low, high in bounds])
    return x, x[:, 1] * x[:, 2] - 1 / (x[:, 1] * x[:, 3])


def _with_noise(y: Doubles, sd: float, rng: RRandom) -> Doubles:
    return y + rng.rnorm(len(y), sd=sd) if sd > 0 else y


def _checked(n: int, sd: float, rng: RRandom | int) -> tuple[int, float, RRandom]:
    return whole_number("n", n, at_least=1), number("sd", sd, at_least=0), stream(rng)
