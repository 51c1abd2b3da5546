"""Classes that fill figures, most of them in the plane."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pycompare.checks import number, whole_number
from pycompare.data.arrays import real_array
from pycompare.data.mlbench.problem import Classification, each, halves, merged, stacked, stream, sums_of_squares
from pycompare.data.rng import Doubles, RRandom

_LARGEST_BALL = 267  # dimensions; from the next on R computes an infinite radius
_LARGEST_XOR = 50  # dimensions; R tells classes apart by 15 digits
_LEAST_PARTS = 1e-280  # of a whole; n divided by fewer is infinite
Bounds = tuple[float, float]


def circle(n: int, d: int = 2, *, rng: RRandom | int) -> Classification:
    """A ball (class 1) in the middle of a cube of twice its volume (class 2 outside of the ball).

    The inputs are uniform on (-1, 1); the ball has the radius r = (2^(d - 1) gamma(1 + d / 2) / pi^(d / 2))^(1 / d).

    Arguments:
        n: observations, 1 or more.
        d: dimensions, from 2 to 267.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.circle(n, d)` after `set.seed`.

    Example:
        >>> x, classes = circle(3, rng=2)
        >>> x.round(2).tolist(), classes.tolist()
        ([[-0.63, -0.66], [0.4, 0.89], [0.15, 0.89]], [2, 2, 2])
    """
    n, d, rng = whole_number("n", n, at_least=1), whole_number("d", d, at_least=2, at_most=_LARGEST_BALL), stream(rng)
    x = _cube(n, d, rng)
    # R's gamma differs in the last bits for some d, which only a point as near to the sphere as that would show.
    radius = (2.0 ** (d - 1) * math.gamma(1 + d / 2) / math.pi ** (d / 2)) ** (1 / d)
    return Classification(x, np.where(sums_of_squares(x) > radius * radius, 2, 1))


def xor(n: int, d: int = 2, *, rng: RRandom | int) -> Classification:
    """The corners of a cube: opposite ones have the same class, of 2^(d - 1); for d = 2 the exclusive or.

    The inputs are uniform on (-1, 1); the class is 1 + the sum of 2^(j - 2) over all j > 1 for which x_j has the sign
    of x_1.

    Arguments:
        n: observations, 1 or more.
        d: dimensions, from 2 to 50.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.xor(n, d)` after `set.seed`.
    """
    n, d, rng = whole_number("n", n, at_least=1), whole_number("d", d, at_least=2, at_most=_LARGEST_XOR), stream(rng)
    x = _cube(n, d, rng)
    same = (x[:, 1:] >= 0) == (x[:, :1] >= 0)
    return Classification(x, 1 + same @ (1 << np.arange(d - 1)))


def spirals(n: int, cycles: float = 1.0, sd: float = 0.0, *, rng: RRandom | int) -> Classification:
    """Two entangled spirals, one a class; the second is the first turned by 180 degrees.

    Arguments:
        n: observations, 2 or more; half of them (rounded down) belong to class 2, at random places.
        cycles: how many turns a spiral makes.
        sd: standard deviation of the noise across the spiral, 0 or more; at 0 none is drawn.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.spirals(n, cycles, sd)` after `set.seed`.
    """
    cycles, sd, rng = number("cycles", cycles), number("sd", sd, at_least=0), stream(rng)
    rows = halves(n, rng)
    first, second = (_spiral(len(at), cycles, sd, rng) for at in rows)
    return merged(rows, first, -second)


def smiley(n: int = 500, sd1: float = 0.1, sd2: float = 0.05, *, rng: RRandom | int) -> Classification:
    """A face: two normal eyes (classes 1 and 2), a nose (3) and a parabola for a mouth (4), the classes in order.

    Arguments:
        n: observations, 1 or more; a sixth of them are in each eye, a quarter in the nose.
        sd1: standard deviation of the eyes, 0 or more.
        sd2: standard deviation of the mouth across, 0 or more.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.smiley(n, sd1, sd2)` after `set.seed`.
    """
    n, rng = whole_number("n", n, at_least=1), stream(rng)
    sd1, sd2 = number("sd1", sd1, at_least=0), number("sd2", sd2, at_least=0)
    in_eye, in_nose = round(n / 6), round(n / 4)
    eyes = [np.column_stack([rng.rnorm(in_eye, x, sd1), rng.rnorm(in_eye, 1, sd1)]) for x in (-0.8, 0.8)]
    nose = _box(in_nose, [(-0.2, 0.2), (0, 0.75)], rng)
    nose[:, 0] *= 1 - nose[:, 1]
    x = rng.runif(n - 2 * in_eye - in_nose, -1, 1)
    mouth = np.column_stack([x, x**2 - 1 + rng.rnorm(len(x), 0, sd2)])
    return stacked(*eyes, nose, mouth)


def cassini(n: int, relsize: Sequence[float] = (2, 2, 1), *, rng: RRandom | int) -> Classification:
    """Two banana-shaped figures (classes 1 and 2) with a disc between them (3), uniformly filled, the classes in order.

    Arguments:
        n: observations, 1 or more. Where the classes' sizes, rounded, do not add up to n, R gives the last class one
            more, whichever way they differ; so does this.
        relsize: relative sizes of the three classes, 0 or more.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.cassini(n, relsize)` after `set.seed`.
    """
    sizes, rng = _class_sizes(n, relsize, 3), stream(rng)
    a, c, up, r = 1.0, 0.97, 1.1, 0.6
    c_outer = math.sqrt((1 + c**2) / 3)
    a_outer = c_outer * math.sqrt(2)
    wide = math.sqrt(a**2 + c**2)
    window: list[tuple[Bounds, Bounds]] = [
        ((-wide, wide), (-up - 1, -up + 0.6)),
        ((-wide, wide), (up - 0.6, up + 1)),
        ((-r, r), (-r, r)),
    ]
    inside: list[Callable[[Doubles, Doubles], NDArray[np.bool_]]] = [
        lambda x, y: (y < _oval(x, a, c) - up) & (y > -_oval(x, a_outer, c_outer) - up),
        lambda x, y: (y > -_oval(x, a, c) + up) & (y < _oval(x, a_outer, c_outer) + up),
        lambda x, y: np.abs(y) < np.sqrt(r**2 - x**2),
    ]
    return stacked(*(_filled(*figure, rng) for figure in zip(sizes, window, inside, strict=True)))


def cuboids(n: int, relsize: Sequence[float] = (2, 2, 2, 1), *, rng: RRandom | int) -> Classification:
    """Three cuboids (classes 1 to 3) around a small cube (4) in three dimensions, filled uniformly, classes in order.

    Arguments:
        n, rng: as in `cassini`.
        relsize: relative sizes of the four classes, 0 or more.

    Mirrors `mlbench.cuboids(n, relsize)` after `set.seed`.
    """
    sizes, rng = _class_sizes(n, relsize, 4), stream(rng)
    boxes: list[list[Bounds]] = [
        [(0, 1), (0.75, 1), (0.75, 1)],
        [(0.75, 1), (0, 0.25), (0, 1)],
        [(0, 0.25), (0, 1), (0, 0.25)],
        [(0.4, 0.6)] * 3,
    ]
    return stacked(*(_box(size, box, rng) for size, box in zip(sizes, boxes, strict=True)))


def shapes(n: int = 500, *, rng: RRandom | int) -> Classification:
    """A normal cloud (class 1), a rectangle (2), a triangle without its tip (3) and a wave (4), the classes in order.

    Arguments:
        n: observations, 1 or more, a quarter of them in each class.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.shapes(n)` after `set.seed`.
    """
    n, rng = whole_number("n", n, at_least=1), stream(rng)
    quarter = round(n / 4)
    cloud = np.column_stack([rng.rnorm(quarter, -1, 0.2), rng.rnorm(quarter, 1.5, 0.2)])
    rectangle = _box(quarter, [(-1.5, -0.5), (-2, 0)], rng)
    triangle = _box(quarter, [(-1, 1), (1, 2)], rng)
    triangle[:, 0] = triangle[:, 0] * (2 - triangle[:, 1]) + 1
    x = rng.runif(n - 3 * quarter, 0.5, 2)
    wave = np.column_stack([x, each(math.cos, 4 * x) - x + rng.runif(len(x), -0.2, 0.2)])
    return stacked(cloud, rectangle, triangle, wave)


def _cube(n: int, d: int, rng: RRandom) -> Doubles:
    return np.ascontiguousarray(rng.runif(n * d, -1, 1).reshape(d, n).T)


def _box(n: int, bounds: Sequence[Bounds], rng: RRandom) -> Doubles:
    return np.column_stack([rng.runif(n, low, high) for low, high in bounds])


def _spiral(n: int, cycles: float, sd: float, rng: RRandom) -> Doubles:
    w = np.arange(n) * (cycles / n)
    angle, radius = 2 * np.pi * w, 2 * w + 1
    cos, sin = each(math.cos, angle), each(math.sin, angle)
    x = np.column_stack([radius * cos / 3, radius * sin / 3])
    if sd > 0:
        e = rng.rnorm(n, sd=sd)
        along_x = cos - np.pi * radius * sin
        along_y = sin + np.pi * radius * cos
        length = np.sqrt(along_x**2 + along_y**2)
        x[:, 0] += e * along_y / length
        x[:, 1] -= e * along_x / length
    return x


def _oval(x: Doubles, a: float, c: float) -> Doubles:
    """The upper half of Cassini's oval: of the points whose distances from (-c, 0) and (c, 0) have the product a^2."""
    half_height: Doubles = np.sqrt(-(c**2) - x**2 + np.sqrt(a**4 + 4 * c**2 * x**2))
    return half_height


def _filled(
    n: int, window: tuple[Bounds, Bounds], inside: Callable[[Doubles, Doubles], NDArray[np.bool_]], rng: RRandom
) -> Doubles:
    """`n` points of a figure in a window: one after another is drawn, and kept where it lies inside."""
    (left, right), (low, high) = window
    kept = np.empty((0, 2))
    while len(kept) < n:
        u = rng.runif(2 * (n - len(kept))).reshape(-1, 2)
        x, y = left + (right - left) * u[:, 0], low + (high - low) * u[:, 1]
        kept = np.concatenate([kept, np.column_stack([x, y])[inside(x, y)]])
    return kept


def _class_sizes(n: int, relsize: Sequence[float], classes: int) -> list[int]:
    n, shares = whole_number("n", n, at_least=1), real_array("relsize", relsize)
    if shares.shape != (classes,):
        raise ValueError(f"`relsize` must hold {classes} numbers; got {relsize!r}. Give one for each class.")
    parts = sum(number("relsize", share, at_least=0) for share in shares)
    if parts < _LEAST_PARTS:
        raise ValueError(f"`relsize` must be above 0 for some class; got {relsize!r}. Choose a larger number.")
    sizes = [round(float(share) * (n / parts)) for share in shares]
    sizes[-1] += sum(sizes) != n
    return sizes
