"""Classes that are normal clouds, or waves with normal noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pycompare.checks import flag, number, whole_number
from pycompare.data.arrays import real_array
from pycompare.data.mlbench.problem import Classification, each, halves, merged, stacked, stream
from pycompare.data.rng import Doubles, RRandom, standard_normals

_MOST_SIDES = 62  # of a cube whose corners a machine can count


def normals_2d(n: int, cl: int = 2, r: float | None = None, sd: float = 1.0, *, rng: RRandom | int) -> Classification:
    """Normal clouds in the plane, one a class, at equal distances on a circle of radius r around 0.

    Arguments:
        n: observations, 1 or more, each of any class.
        cl: classes, 1 or more.
        r: radius; sqrt(cl) unless given.
        sd: standard deviation of a cloud, 0 or more.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.2dnormals(n, cl, r, sd)` after `set.seed`.
    """
    n, cl = whole_number("n", n, at_least=1), whole_number("cl", cl, at_least=1)
    r, sd = math.sqrt(cl) if r is None else number("r", r), number("sd", sd, at_least=0)
    rng = stream(rng)
    classes = rng.sample(cl, n, replace=True)
    angle = np.pi / 4 + (classes - 1) * 2 * np.pi / cl
    centres = r * np.column_stack([each(math.cos, angle), each(math.sin, angle)])
    return Classification(_cloud(n, 2, 0.0, sd, rng) + centres, classes)


def ringnorm(n: int, d: int = 20, *, rng: RRandom | int) -> Classification:
    """A narrow normal cloud (class 2) within a wide one: N(0, 2^2) in each dimension, and N(1 / sqrt(d), 1).

    Arguments:
        n: observations, 2 or more; half of them (rounded down) belong to class 2, at random places.
        d: dimensions, 1 or more.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.ringnorm(n, d)` after `set.seed`. Source: Breiman (1996), Bias, variance, and arcing classifiers.
    """
    d, rng = whole_number("d", d, at_least=1), stream(rng)
    first, second = rows = halves(n, rng)
    wide = _cloud(len(first), d, 0.0, 2.0, rng)
    return merged(rows, wide, _cloud(len(second), d, 1 / math.sqrt(d), 1.0, rng))


def twonorm(n: int, d: int = 20, *, rng: RRandom | int) -> Classification:
    """Two normal clouds of standard deviation 1, around (a, ..., a) and (-a, ..., -a), where a = 2 / sqrt(d).

    Arguments as in `ringnorm`.

    Mirrors `mlbench.twonorm(n, d)` after `set.seed`. Source: as of `ringnorm`.
    """
    d, rng = whole_number("d", d, at_least=1), stream(rng)
    rows, a = halves(n, rng), 2 / math.sqrt(d)
    return merged(rows, *(_cloud(len(at), d, mean, 1.0, rng) for at, mean in zip(rows, (a, -a), strict=True)))


def threenorm(n: int, d: int = 20, *, rng: RRandom | int) -> Classification:
    """Three normal clouds of standard deviation 1: two of class 1, and between them that of class 2.

    Class 1 lies around (a, ..., a) or (-a, ..., -a), either as likely, class 2 around (a, -a, a, -a, ...), where
    a = 2 / sqrt(d). Arguments as in `ringnorm`.

    Mirrors `mlbench.threenorm(n, d)` after `set.seed`. Source: as of `ringnorm`.
    """
    d, rng = whole_number("d", d, at_least=1), stream(rng)
    (first, second), a = halves(n, rng), 2 / math.sqrt(d)
    u = rng.runif(len(first) * (1 + 2 * d)).reshape(len(first), -1)
    outer = np.where(u[:, :1] > 0.5, a, -a) + standard_normals(u[:, 1:])
    between = rng.rnorm(len(second) * d).reshape(len(second), d) + np.where(np.arange(d) % 2, -a, a)
    return merged((first, second), outer, between)


def waveform(n: int, *, rng: RRandom | int) -> Classification:
    """Waves with noise, at 21 places: each the mean, with random weights, of two of three triangles.

        x_j = u h_a(j) + (1 - u) h_b(j) + N(0, 1),  h(j) = max(6 - |j - peak|, 0)

    with u uniform on (0, 1) and the peaks 7, 15 and 11; the classes are the pairs (7, 15), (7, 11) and (15, 11), each
    as likely.

    Arguments:
        n: observations, 1 or more.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.waveform(n)` after `set.seed`. Source: Breiman et al. (1984), Classification and Regression Trees.
    """
    n, rng = whole_number("n", n, at_least=1), stream(rng)
    u = rng.runif(n * (2 + 2 * 21)).reshape(n, -1)
    pair, share = np.floor(3 * u[:, 0]).astype(np.int64), u[:, 1:2]
    triangles = np.maximum(6.0 - np.abs(np.arange(1, 22) - np.array([[7], [15], [11]])), 0.0)
    a, b = np.array([0, 0, 1])[pair], np.array([1, 2, 2])[pair]
    x = share * triangles[a] + (1.0 - share) * triangles[b] + standard_normals(u[:, 2:])
    return Classification(x, pair + 1)


def hypercube(
    n: int = 800, d: int = 3, sides: float | Sequence[float] = 1.0, sd: float = 0.1, *, rng: RRandom | int
) -> Classification:
    """Normal clouds at the 2^d corners of a cuboid, one a class, the classes in order.

    Arguments:
        n: observations; each class has round(n / 2^d) of them, which must be 1 or more.
        d: dimensions, 1 or more.
        sides: lengths of the sides: one for all, or d of them.
        sd: standard deviation of a cloud, 0 or more.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.hypercube(n, d, sides, sd)`, also called `mlbench.corners`, after `set.seed`.
    """
    size, d = _per_corner(n, d)
    lengths, sd = _lengths(sides, d), number("sd", sd, at_least=0)
    corners = (np.arange(2**d)[:, None] >> np.arange(d)[::-1]) & 1
    return _around(corners * lengths, size, sd, stream(rng))


def simplex(
    n: int = 800, d: int = 3, sides: float = 1.0, sd: float = 0.1, center: bool = True, *, rng: RRandom | int
) -> Classification:
    """Normal clouds at the d + 1 corners of a simplex, all equally far from each other, the classes in order.

    Arguments:
        n: what R divides by 2^d: each class has round(n / 2^d) observations, all together (d + 1) / 2^d of n.
        d: dimensions, 1 or more.
        sides: distance of the corners.
        sd: standard deviation of a cloud, 0 or more.
        center: whether 0 lies in the middle, or at the first corner.
        rng: the stream to continue, or a seed for `RRandom`.

    Mirrors `mlbench.simplex(n, d, sides, sd, center)` after `set.seed`.
    """
    size, d = _per_corner(n, d)
    sides, sd = number("sides", sides, at_least=0), number("sd", sd, at_least=0)
    return _around(_simplex(d, sides, centred=flag("center", center)), size, sd, stream(rng))


def _cloud(n: int, d: int, mean: float, sd: float, rng: RRandom) -> Doubles:
    """`n` points in `d` dimensions, drawn one dimension after the other."""
    return np.ascontiguousarray(rng.rnorm(n * d, mean, sd).reshape(d, n).T)


def _around(corners: Doubles, size: int, sd: float, rng: RRandom) -> Classification:
    return stacked(*(_cloud(size, len(corner), 0.0, sd, rng) + corner for corner in corners))


def _simplex(d: int, side: float, *, centred: bool) -> Doubles:
    """The corners: each lies above the middle of those before it."""
    corners, middle = np.zeros((d + 1, d)), np.zeros(d)
    below = 0.0
    for i in range(d):
        corners[i + 1] = middle
        height = corners[i + 1, i] = math.sqrt(side * side - below * below)
        middle[i] = 1 / (i + 2) * height
        below = (1 - 1 / (i + 2)) * height
    return corners - middle if centred else corners


def _per_corner(n: int, d: int) -> tuple[int, int]:
    """How many observations R gives each class, and d."""
    n, d = whole_number("n", n, at_least=1), whole_number("d", d, at_least=1, at_most=_MOST_SIDES)
    size = round(n / 2**d)
    if not size:
        raise ValueError(f"`n` must be more than 2^d / 2, here {2**d // 2}; got {n}. Choose a larger n or a smaller d.")
    return size, d


def _lengths(sides: float | Sequence[float], d: int) -> Doubles:
    lengths = real_array("sides", sides)
    if lengths.shape not in ((), (d,)):
        raise ValueError(f"`sides` must be one number or d of them, here {d}; got {sides!r}. Give one for each side.")
    return np.array([number("sides", side) for side in np.broadcast_to(lengths, d)])
