"""R's random numbers, bit for bit: Mersenne-Twister, Inversion and Rejection, the defaults since R 3.6."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pycompare.checks import flag, number, unmasked, whole_number
from pycompare.data.arrays import as_array

Doubles = NDArray[np.float64]

_WORDS = 624  # of MT19937's state
_UNIT = 2.3283064365386963e-10  # R's 2^-32, which turns a 32-bit word into [0, 1)
_EDGE = 0.5 * 2.328306437080797e-10  # R's half of 1/(2^32 - 1): keeps 0 and 1 out
_BIG = 134217728.0  # 2^27: rnorm's inversion joins two draws to one of 53 bits
_LARGEST_INTEGER = 2**31 - 1
_HASHED_FROM = 10_000_000  # sample() hashes instead of keeping a pool above this population
_LARGEST_POPULATION = 4_500_000_000_000_000  # R refuses to sample from more


class RRandom:
    """A stream of R's random numbers, as after `set.seed(seed)` with R's default kinds.

    Each call continues the stream where the last one ended, in R's order, so any interleaving of calls gives R's bits.
    The object is the only state: R's, numpy's and Python's generators are neither read nor changed.

    Arguments:
        seed: what R's `set.seed` accepts: a number whose whole part lies in [-(2^31 - 1), 2^31 - 1]. A fraction is cut
            off, as R does. Unlike R, None (a seed from the clock) and text are refused.

    Raises:
        TypeError: `seed` is not a number.
        ValueError: `seed` is out of range or not finite.

    Mirrors `set.seed`, `runif`, `rnorm`, `sample` of R >= 3.6. Method: Matsumoto and Nishimura (1998) for the
    generator, Wichura's AS 241 (1988) for the normal quantile.

    Example:
        >>> rng = RRandom(123)
        >>> rng.runif(2).tolist()
        [0.28757752012461424, 0.7883051354438066]
        >>> rng.sample(10, 3).tolist()
        [3, 10, 2]
    """

    def __init__(self, seed: float) -> None:
        self.seed = _r_seed(seed)
        self._twister = np.random.MT19937()
        self._twister.state = {
            "bit_generator": "MT19937",
            "state": {"key": _scrambled(self.seed), "pos": _WORDS},
        }

    def __repr__(self) -> str:
        return f"RRandom({self.seed})"

    def runif(self, n: int, min: float = 0.0, max: float = 1.0) -> Doubles:
        """Draw `n` uniform doubles from (min, max): `min + (max - min) * u`.

        Arguments:
            n: how many, 0 or more.
            min, max: finite, min <= max. Where they are equal R draws nothing and returns min; so does this.

        Returns:
            float64, shape (n,).

        Mirrors R's `runif` with scalar bounds; where R gives NaN with a warning (min > max), this is a ValueError.
        """
        count = whole_number("n", n, at_least=0)
        low, high = number("min", min), number("max", max)
        if low > high:
            raise ValueError(f"`min` must be at most `max`; got min={low!r} and max={high!r}. Swap the two bounds.")
        if low == high:
            return np.full(count, low)
        return low + (high - low) * self._uniform(count)

    def rnorm(self, n: int, mean: float = 0.0, sd: float = 1.0) -> Doubles:
        """Draw `n` normal doubles by inversion: `mean + sd * qnorm(u)`, u made of two uniforms.

        Arguments:
            n: how many, 0 or more.
            mean, sd: finite, sd >= 0. Where sd is 0 R draws nothing and returns the mean; so does this.

        Returns:
            float64, shape (n,).

        Mirrors R's `rnorm` with scalar arguments; where R gives NaN with a warning (sd < 0), this is a ValueError.
        """
        count = whole_number("n", n, at_least=0)
        centre, spread = number("mean", mean), number("sd", sd, at_least=0)
        if spread == 0:
            return np.full(count, centre)
        return centre + spread * standard_normals(self._uniform(2 * count))

    def sample(
        self, x: int | Sequence[Any] | NDArray[Any], size: int | None = None, replace: bool = False
    ) -> NDArray[Any]:
        """Draw `size` elements, each as likely as any other, in random order.

        Arguments:
            x: a whole number n >= 1 for the population 1..n, or a 1-D sequence for its elements.
            size: how many; the whole population unless given. At most that without `replace`.
            replace: whether an element may come twice.

        Returns:
            int64 values in 1..n (R counts from 1), or elements of `x`; shape (size,).

        Mirrors R's `sample(x, size, replace)` with Rejection sampling, including its hashed variant for more than 1e7.
        One difference: a sequence is always its elements, while R takes a vector of length one for a population 1..x.
        """
        replace = flag("replace", replace)
        if getattr(x, "ndim", 0) == 0 and not isinstance(x, Sequence):
            population = whole_number("x", x, at_least=1, at_most=_LARGEST_POPULATION)
            return self._sample_int(population, size, replace)
        elements = as_array("x", unmasked("x", x))
        if elements.ndim != 1:
            raise ValueError(
                f"`x` must be one number or one-dimensional; got shape {elements.shape}. Flatten it first."
            )
        return elements[self._sample_int(len(elements), size, replace) - 1]

    def _sample_int(self, n: int, size: int | None, replace: bool) -> NDArray[np.int64]:
        count = n if size is None else whole_number("size", size, at_least=0)
        if (count > n and not replace) or (count and not n):
            raise ValueError(
                f"`size` must be at most the population ({n}) without replacement; got {count}."
                " Draw fewer, or pass replace=True."
            )
        if replace or count < 2:
            return self._with_replacement(n, count)
        if n > _HASHED_FROM and count <= n / 2:
            return self._without_duplicates(n, count)
        return self._without_replacement(n, count)

    def _with_replacement(self, n: int, size: int) -> NDArray[np.int64]:
        drawn = np.empty(size, np.int64)
        filled = 0
        while filled < size:
            candidates = self._random_bits(_bits_for(n), size - filled)
            accepted = candidates[candidates < n]
            drawn[filled : filled + len(accepted)] = accepted
            filled += len(accepted)
        return drawn + 1

    def _without_replacement(self, n: int, size: int) -> NDArray[np.int64]:
        """R's partial shuffle: a drawn element's place in the pool is taken by the last one."""
        moved: dict[int, int] = {}  # the pool is 1..n, but for these places
        drawn: list[int] = []
        while len(drawn) < size:
            bits = _bits_for(n)
            same_bits = n - (1 << bits >> 1)  # so many draws before one bit fewer suffices
            for candidate in self._random_bits(bits, min(same_bits, size - len(drawn))).tolist():
                if candidate < n:
                    drawn.append(moved.get(candidate, candidate + 1))
                    n -= 1
                    moved[candidate] = moved.get(n, n + 1)
        return np.array(drawn, np.int64)

    def _without_duplicates(self, n: int, size: int) -> NDArray[np.int64]:
        """R's variant for large populations: draw again what was drawn before."""
        drawn: dict[int, None] = {}
        while len(drawn) < size:
            drawn.update(dict.fromkeys(self._with_replacement(n, size - len(drawn)).tolist()))
        return np.array(list(drawn), np.int64)

    def _random_bits(self, bits: int, n: int) -> NDArray[np.int64]:
        """`n` whole numbers of `bits` bits, 16 bits of each uniform, as R's rbits joins them."""
        draws = bits // 16 + 1
        halves = np.floor(self._uniform(draws * n) * 65536).astype(np.int64).reshape(n, draws)
        value = np.zeros(n, np.int64)
        for column in halves.T:
            value = (value << 16) + column
        return value & ((1 << bits) - 1)

    def _uniform(self, n: int) -> Doubles:
        u = self._twister.random_raw(n) * _UNIT
        return np.clip(u, _EDGE, 1.0 - _EDGE)


def standard_normals(u: Doubles) -> Doubles:
    """The standard normal numbers that R's `norm_rand` makes of the uniform ones `u`, two of them, side by side, each.

    Arguments:
        u: what a stream's `runif` drew, shape (..., 2 n).

    Returns:
        float64, shape (..., n).
    """
    return standard_normal_quantile((np.floor(_BIG * u[..., ::2]) + u[..., 1::2]) / _BIG)


def standard_normal_quantile(p: ArrayLike) -> Doubles:
    """The standard normal quantile of `p` in (0, 1), any shape, in R's bits: `qnorm(p)`.

    Method: Wichura, M. J. (1988), Algorithm AS 241, Applied Statistics 37, 477-484. R's order of operations.
    """
    p = np.asarray(p, np.float64)
    q = p - 0.5
    r = 0.180625 - q * q
    value = q * _polynomial(_CENTRE[0], r) / _polynomial(_CENTRE[1], r)
    outside = np.abs(q) > 0.425
    value[outside] = _tail_quantile(p[outside], q[outside])
    return value


def _tail_quantile(p: Doubles, q: Doubles) -> Doubles:
    smaller = np.where(q < 0, p, 0.5 - p + 0.5)
    # numpy's vectorised log may differ from C's, which R calls, in the last bit.
    logs = np.fromiter(map(math.log, smaller.tolist()), np.float64, len(smaller))
    r = np.sqrt(-logs)
    near, far = r - 1.6, r - 5.0
    value = _polynomial(_NEAR[0], near) / _polynomial(_NEAR[1], near)
    rare = r > 5.0
    value[rare] = _polynomial(_FAR[0], far[rare]) / _polynomial(_FAR[1], far[rare])
    return np.where(q < 0, -value, value)


def _polynomial(coefficients: tuple[float, ...], x: Doubles) -> Doubles:
    """Horner's scheme, highest power first: each product and each sum is rounded, as in R."""
    value = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        value *= x
        value += coefficient
    return value


def _r_seed(seed: float) -> int:
    value = int(number("seed", seed))
    if abs(value) > _LARGEST_INTEGER:
        raise ValueError(
            f"`seed` must lie between -{_LARGEST_INTEGER} and {_LARGEST_INTEGER}, as for R's set.seed; got {seed!r}."
            " Choose a number nearer to 0."
        )
    return value


def _scrambled(seed: int) -> NDArray[np.uint32]:
    """The generator's 624 words after set.seed: 50 + 1 steps of a congruential generator, then one for each word."""
    word, words = seed, []
    for _ in range(50 + 1 + _WORDS):
        word = (69069 * word + 1) & 0xFFFFFFFF
        words.append(word)
    return np.array(words[-_WORDS:], np.uint32)


def _bits_for(n: int) -> int:
    return math.ceil(math.log2(n))  # in floating point, as R does: beyond 2^49 it matters


# AS 241's coefficients, (numerator, denominator), highest power first.
_CENTRE = (
    (
        2509.0809287301226727,
        33430.575583588128105,
        67265.770927008700853,
        45921.953931549871457,
        13731.693765509461125,
        1971.5909503065514427,
        133.14166789178437745,
        3.387132872796366608,
    ),
    (
        5226.495278852854561,
        28729.085735721942674,
        39307.89580009271061,
        21213.794301586595867,
        5394.1960214247511077,
        687.1870074920579083,
        42.313330701600911252,
        1.0,
    ),
)
_NEAR = (
    (
        7.7454501427834140764e-4,
        0.0227238449892691845833,
        0.24178072517745061177,
        1.27045825245236838258,
        3.64784832476320460504,
        5.7694972214606914055,
        4.6303378461565452959,
        1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9,
        5.475938084995344946e-4,
        0.0151986665636164571966,
        0.14810397642748007459,
        0.68976733498510000455,
        1.6763848301838038494,
        2.05319162663775882187,
        1.0,
    ),
)
_FAR = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        0.0012426609473880784386,
        0.026532189526576123093,
        0.29656057182850489123,
        1.7848265399172913358,
        5.4637849111641143699,
        6.6579046435011037772,
    ),
    (
        2.04426310338993978564e-15,
        1.4215117583164458887e-7,
        1.8463183175100546818e-5,
        7.868691311456132591e-4,
        0.0148753612908506148525,
        0.13692988092273580531,
        0.59983220655588793769,
        1.0,
    ),
)
