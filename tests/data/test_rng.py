from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycompare import RRandom, friedman1, friedman2, friedman3, spirals
from pycompare.data.rng import standard_normal_quantile
from tests.conftest import FROZEN

Draw = Callable[[RRandom], Any]


def _columns_first(*parts: Any) -> np.ndarray:
    return np.concatenate([np.asarray(part, np.float64).ravel(order="F") for part in parts])


# The calls of r_random.R, in its order.
CALLS: dict[str, Draw] = {
    "runif(5)": lambda r: r.runif(5),
    "rnorm(5)": lambda r: r.rnorm(5),
    "sample(10)": lambda r: r.sample(10),
    "runif(3,-2,5)": lambda r: r.runif(3, -2, 5),
    "sample(100,6,TRUE)": lambda r: r.sample(100, 6, replace=True),
    "rnorm(40,3,2)": lambda r: r.rnorm(40, 3, 2),
    "sample(70000,3)": lambda r: r.sample(70000, 3),
    "sample(c(11,13,17),2)": lambda r: r.sample([11, 13, 17], 2),
    "sample(2e+07,4)": lambda r: r.sample(20_000_000, 4),
    "sample(3e+09,3,TRUE)": lambda r: r.sample(3_000_000_000, 3, replace=True),
    "sample(1)": lambda r: r.sample(1),
    "rnorm(3)": lambda r: r.rnorm(3),
    "unlist(mlbench.friedman1(3))": lambda r: _columns_first(*friedman1(3, rng=r)),
    "unlist(mlbench.friedman2(3))": lambda r: _columns_first(*friedman2(3, rng=r)),
    "unlist(mlbench.friedman3(3))": lambda r: _columns_first(*friedman3(3, rng=r)),
    "unlist(mlbench.friedman3(2,0))": lambda r: _columns_first(*friedman3(2, 0, rng=r)),
    "unlist(mlbench.spirals(5,1.5,0.05))": lambda r: _columns_first(*spirals(5, 1.5, 0.05, rng=r)),
    "unlist(mlbench.spirals(4))": lambda r: _columns_first(*spirals(4, rng=r)),
}
FROZEN_VECTORS = pd.read_csv(FROZEN / "r_random.csv")


def test_frozen_vectors_cover_20_seeds_and_every_call() -> None:
    assert FROZEN_VECTORS["seed"].nunique() == 20
    assert set(FROZEN_VECTORS["call"]) == set(CALLS)


@pytest.mark.parametrize(("seed", "frozen"), list(FROZEN_VECTORS.groupby("seed", sort=False)))
def test_one_stream_through_all_calls_has_r_bits(seed: int, frozen: pd.DataFrame) -> None:
    rng = RRandom(seed)
    for call, values in frozen.groupby("call", sort=False)["value"]:
        assert np.array_equal(np.asarray(CALLS[str(call)](rng), np.float64), values), call


class ScalarR:
    """R's algorithms one number at a time, on Python's own Mersenne-Twister: the oracle for any order of calls."""

    def __init__(self, seed: int) -> None:
        words = [seed & 0xFFFFFFFF]
        for _ in range(50 + 1 + 624):
            words.append((69069 * words[-1] + 1) & 0xFFFFFFFF)
        self.twister = random.Random()
        self.twister.setstate((3, (*words[-624:], 624), None))

    def unif(self) -> float:
        u = self.twister.getrandbits(32) * 2.3283064365386963e-10
        return min(max(u, 0.5 * 2.328306437080797e-10), 1 - 0.5 * 2.328306437080797e-10)

    def index(self, n: int) -> int:
        bits = math.ceil(math.log2(n))
        while True:
            value = 0
            for _ in range(0, bits + 1, 16):
                value = 65536 * value + int(self.unif() * 65536)
            if (value := value & ((1 << bits) - 1)) < n:
                return value

    def runif(self, n: int) -> list[float]:
        return [self.unif() for _ in range(n)]

    def rnorm(self, n: int) -> list[float]:
        joined = [(int(134217728 * self.unif()) + self.unif()) / 134217728 for _ in range(n)]
        return [float(standard_normal_quantile([p])[0]) for p in joined]

    def sample(self, n: int) -> list[int]:
        pool, drawn = list(range(1, n + 1)), []
        while pool:
            j = self.index(len(pool))
            drawn.append(pool[j])
            pool[j] = pool[-1]
            pool.pop()
        return drawn

    def sample_replace(self, n: int) -> list[int]:
        return [self.index(n) + 1 for _ in range(n)]


step = st.tuples(st.sampled_from(["runif", "rnorm", "sample", "sample_replace"]), st.integers(1, 150))


@settings(deadline=None, max_examples=150)
@given(seed=st.integers(-(2**31 - 1), 2**31 - 1), steps=st.lists(step, max_size=8))
def test_any_interleaving_equals_one_number_at_a_time(seed: int, steps: list[tuple[str, int]]) -> None:
    ours, oracle = RRandom(seed), ScalarR(seed)
    for name, n in steps:
        drawn = ours.sample(n, n, replace=True) if name == "sample_replace" else getattr(ours, name)(n)
        assert drawn.tolist() == getattr(oracle, name)(n)


@given(seed=st.integers(-1000, 1000), parts=st.lists(st.integers(0, 700), max_size=6))
@pytest.mark.parametrize("draw", ["runif", "rnorm"])
def test_drawing_in_parts_equals_drawing_at_once(draw: str, seed: int, parts: list[int]) -> None:
    rng = RRandom(seed)
    in_parts = [value for n in parts for value in getattr(rng, draw)(n)]
    assert in_parts == getattr(RRandom(seed), draw)(sum(parts)).tolist()


def test_quantile_in_the_far_tail_has_r_bits() -> None:
    """In R: sprintf("%.17g", qnorm(c(1e-300, 1e-20, 1e-11, 0.075, 1 - 1e-12)))."""
    expected = [-37.047096299361201, -9.2623400897984052, -6.7060231554951359, -1.4395314709384557, 7.0344869100478356]
    assert standard_normal_quantile([1e-300, 1e-20, 1e-11, 0.075, 1 - 1e-12]).tolist() == expected


# In R: set.seed(1); c(sample(1e7, 3), sample(10000001, 2), sample(10000001, 5000001)[c(1, 5e6)])
AROUND_HASHING = [856018, 1343338, 4835079, 4732495, 6841049, 7168485, 7915174]


def test_samples_where_r_begins_to_hash() -> None:
    rng = RRandom(1)
    plain, hashed, half = rng.sample(10**7, 3), rng.sample(10**7 + 1, 2), rng.sample(10**7 + 1, 5_000_001)
    assert [*plain, *hashed, half[0], half[4_999_999]] == AROUND_HASHING


def test_degenerate_distributions_draw_nothing() -> None:
    rng = RRandom(5)
    assert rng.runif(3, 2, 2).tolist() == [2, 2, 2]
    assert rng.rnorm(2, 7, 0).tolist() == [7, 7]
    assert rng.sample(4, 0).tolist() == rng.runif(0).tolist() == rng.sample([]).tolist() == []
    assert rng.runif(4).tolist() == RRandom(5).runif(4).tolist()


def test_the_seed_s_fraction_is_cut_off_as_in_r() -> None:
    assert RRandom(-1.5).runif(2).tolist() == RRandom(-1).runif(2).tolist()
    assert repr(RRandom(np.int64(7))) == "RRandom(7)"


@pytest.mark.parametrize("replace", [np.bool_(True), np.array(True)])
def test_numpy_s_true_replaces(replace: Any) -> None:
    assert RRandom(2).sample(5, 9, replace).tolist() == RRandom(2).sample(5, 9, replace=True).tolist()


def test_sampling_elements_keeps_their_kind() -> None:
    positions = RRandom(3).sample(3) - 1
    assert RRandom(3).sample(["a", "b", "c"]).tolist() == [["a", "b", "c"][i] for i in positions]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: RRandom(2**31), ValueError, r"`seed` must lie between .* got 2147483648"),
        (lambda: RRandom(-(2**31)), ValueError, "`seed` must lie between"),
        (lambda: RRandom(math.nan), ValueError, "`seed` must be finite; got nan"),
        (lambda: RRandom(10**400), ValueError, "`seed` must be finite"),
        (lambda: RRandom(None), TypeError, "`seed` must be a number; got None"),
        (lambda: RRandom("1"), TypeError, "`seed` must be a number; got '1'"),
        (lambda: RRandom(1).runif(-1), ValueError, "`n` must be at least 0; got -1"),
        (lambda: RRandom(1).runif(2.5), ValueError, "`n` must be a whole number; got 2.5"),
        (lambda: RRandom(1).runif(1, 2, 1), ValueError, "`min` must be at most `max`"),
        (lambda: RRandom(1).rnorm(1, sd=-1), ValueError, "`sd` must be at least 0; got -1"),
        (lambda: RRandom(1).rnorm(1, mean=math.inf), ValueError, "`mean` must be finite"),
        (lambda: RRandom(1).sample(3, 4), ValueError, "`size` must be at most the population"),
        (lambda: RRandom(1).sample([], 1, replace=True), ValueError, "`size` must be at most the population"),
        (lambda: RRandom(1).sample(0), ValueError, "`x` must be at least 1"),
        (lambda: RRandom(1).sample(2**53), ValueError, "`x` must be at most"),
        (lambda: RRandom(1).sample([[1, 2]]), ValueError, "`x` must be one number or one-dimensional"),
        (lambda: RRandom(np.ma.masked), TypeError, "`seed` must be a number; got masked"),
        (lambda: RRandom(1).sample(3, 3, replace="FALSE"), TypeError, "`replace` must be True or False; got 'FALSE'"),
        (lambda: RRandom(1).sample(3, 3, replace=1), TypeError, "`replace` must be True or False; got 1"),
        (lambda: RRandom(1).sample(3, 3, replace=None), TypeError, "`replace` must be True or False; got None"),
        (lambda: RRandom(1).sample(np.ma.array([1, 2], mask=[0, 1])), ValueError, "`x` must be free of masked entries"),
        (lambda: RRandom(1).sample([1, np.ma.masked]), ValueError, "`x` must be free of masked entries"),
        (lambda: friedman1(0, rng=1), ValueError, "`n` must be at least 1"),
        (lambda: friedman2(5, -1, rng=1), ValueError, "`sd` must be at least 0"),
        (lambda: spirals(1, rng=1), ValueError, "`n` must be at least 2"),
        (lambda: spirals(5, math.inf, rng=1), ValueError, "`cycles` must be finite"),
    ],
)
def test_what_r_refuses_is_one_clear_error(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_generator_takes_a_seed_or_a_stream() -> None:
    from_seed, from_stream = friedman3(50, rng=9), friedman3(50, rng=RRandom(9))
    assert np.array_equal(from_seed.x, from_stream.x)
    assert np.array_equal(from_seed.y, from_stream.y)
