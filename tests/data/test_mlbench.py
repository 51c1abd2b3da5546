"""mlbench's generators against R: frozen vectors of five seeds, and live R for twenty."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pycompare import RRandom, mlbench
from pycompare.data.classification import circles
from pycompare.parity import RSession
from tests.conftest import FROZEN

Draw = Callable[[RRandom], Iterable[Any]]

# The calls of mlbench.R, in its order.
CALLS: dict[str, Draw] = {
    "mlbench.circle(4)": lambda r: mlbench.circle(4, rng=r),
    "mlbench.circle(3, 5)": lambda r: mlbench.circle(3, 5, rng=r),
    "mlbench.xor(4)": lambda r: mlbench.xor(4, rng=r),
    "mlbench.xor(3, 4)": lambda r: mlbench.xor(3, 4, rng=r),
    "mlbench.spirals(5, 1.5, 0.05)": lambda r: mlbench.spirals(5, 1.5, 0.05, rng=r),
    "mlbench.smiley(12)": lambda r: mlbench.smiley(12, rng=r),
    "mlbench.smiley(7, 0.3, 0)": lambda r: mlbench.smiley(7, 0.3, 0, rng=r),
    "mlbench.cassini(6)": lambda r: mlbench.cassini(6, rng=r),
    "mlbench.cassini(5, c(1, 2, 0.5))": lambda r: mlbench.cassini(5, [1, 2, 0.5], rng=r),
    "mlbench.cuboids(8)": lambda r: mlbench.cuboids(8, rng=r),
    "mlbench.cuboids(5, c(0, 1, 3, 1))": lambda r: mlbench.cuboids(5, [0, 1, 3, 1], rng=r),
    "mlbench.shapes(7)": lambda r: mlbench.shapes(7, rng=r),
    "mlbench.2dnormals(4)": lambda r: mlbench.normals_2d(4, rng=r),
    "mlbench.2dnormals(4, 5, 2, 0.5)": lambda r: mlbench.normals_2d(4, 5, 2, 0.5, rng=r),
    "mlbench.ringnorm(3, 4)": lambda r: mlbench.ringnorm(3, 4, rng=r),
    "mlbench.twonorm(3, 4)": lambda r: mlbench.twonorm(3, 4, rng=r),
    "mlbench.threenorm(5, 3)": lambda r: mlbench.threenorm(5, 3, rng=r),
    "mlbench.threenorm(2)": lambda r: mlbench.threenorm(2, rng=r),
    "mlbench.waveform(2)": lambda r: mlbench.waveform(2, rng=r),
    "mlbench.hypercube(9, 2, c(1, 3), 0.5)": lambda r: mlbench.hypercube(9, 2, [1, 3], 0.5, rng=r),
    "mlbench.hypercube(10)": lambda r: mlbench.hypercube(10, rng=r),
    "mlbench.simplex(9)": lambda r: mlbench.simplex(9, rng=r),
    "mlbench.simplex(5, 2, 3, 0.2, FALSE)": lambda r: mlbench.simplex(5, 2, 3, 0.2, False, rng=r),
    "mlbench.friedman1(2)": lambda r: mlbench.friedman1(2, rng=r),
    "mlbench.friedman2(2)": lambda r: mlbench.friedman2(2, rng=r),
    "mlbench.friedman3(2)": lambda r: mlbench.friedman3(2, rng=r),
    "mlbench.peak(2)": lambda r: mlbench.peak(2, rng=r),
    "mlbench.peak(2, 3)": lambda r: mlbench.peak(2, 3, rng=r),
    "circles(4)": lambda r: circles(4, rng=r),
    "circles(3, 4, 0)": lambda r: circles(3, 4, 0, rng=r),
}
DRAWN = "mlbench_drawn <- function(seed) { set.seed(seed); lapply(calls, function(call) numbers(eval(call))) }"
FROZEN_VECTORS = pd.read_csv(FROZEN / "mlbench.csv")
SEEDS = [*FROZEN_VECTORS["seed"].unique().tolist(), *range(2, 16), 2**31 - 2]


def _drawn(call: str, rng: RRandom) -> list[float]:
    return [value for part in CALLS[call](rng) for value in np.asarray(part, np.float64).ravel(order="F").tolist()]


def test_every_generator_is_frozen() -> None:
    assert set(FROZEN_VECTORS["call"]) == set(CALLS)
    called = {call.split("(")[0].removeprefix("mlbench.") for call in CALLS}
    assert called == {*mlbench.__all__, "2dnormals", "circles"} - {"normals_2d"}


@pytest.mark.parametrize(("seed", "frozen"), list(FROZEN_VECTORS.groupby("seed", sort=False)))
def test_one_stream_through_all_calls_has_r_bits(seed: int, frozen: pd.DataFrame) -> None:
    rng = RRandom(seed)
    for call, values in frozen.groupby("call", sort=False)["value"]:
        assert _drawn(str(call), rng) == values.tolist(), call


def test_live_r_has_the_same_bits_for_20_seeds(r_session: RSession) -> None:
    assert len(set(SEEDS)) == 20
    script, _ = (FROZEN / "mlbench.R").read_text().split('cat("seed')
    r_session.eval(script + DRAWN)
    for seed in SEEDS:
        rng = RRandom(seed)
        for call, values in zip(CALLS, r_session.call("mlbench_drawn", seed), strict=True):
            assert _drawn(call, rng) == values.tolist(), (seed, call)


# In R, after set.seed(1): for (n in 1:12) print(c(nrow(mlbench.cassini(n)$x), nrow(mlbench.cuboids(n)$x))).
ROWS = [(1, 1), (2, 4), (3, 3), (6, 4), (5, 5), (6, 8), (7, 7), (8, 8), (11, 11), (10, 10), (11, 11), (12, 12)]


def test_r_s_rounding_of_class_sizes_may_give_other_rows_than_n() -> None:
    ours = [(len(mlbench.cassini(n, rng=1).x), len(mlbench.cuboids(n, rng=1).x)) for n in range(1, 13)]
    assert ours == ROWS


def test_a_class_has_r_s_name_where_others_do_not_occur() -> None:
    """In R: mlbench.smiley(1)$classes has one level, 4, which as.integer numbers 1."""
    assert mlbench.smiley(1, rng=1).classes.tolist() == [4]


@pytest.mark.parametrize("name", mlbench.__all__)
def test_a_generator_takes_a_seed_or_a_stream(name: str) -> None:
    generate = getattr(mlbench, name)
    for from_seed, from_stream in zip(generate(20.0, rng=9), generate(20, rng=RRandom(9)), strict=True):
        assert np.array_equal(from_seed, from_stream)
        assert from_seed.flags.c_contiguous


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mlbench.circle(0, rng=1), ValueError, "`n` must be at least 1; got 0"),
        (lambda: mlbench.circle(5, 1, rng=1), ValueError, "`d` must be at least 2; got 1"),
        (lambda: mlbench.circle(5, 268, rng=1), ValueError, "`d` must be at most 267; got 268"),
        (lambda: mlbench.circle(5, rng="1"), TypeError, "`seed` must be a number; got '1'"),
        (lambda: mlbench.xor(5, 51, rng=1), ValueError, "`d` must be at most 50; got 51"),
        (lambda: mlbench.ringnorm(1, rng=1), ValueError, "`n` must be at least 2; got 1"),
        (lambda: mlbench.twonorm(2, 0, rng=1), ValueError, "`d` must be at least 1; got 0"),
        (lambda: mlbench.threenorm(2.5, rng=1), ValueError, "`n` must be a whole number; got 2.5"),
        (lambda: mlbench.smiley(5, -1, rng=1), ValueError, "`sd1` must be at least 0; got -1"),
        (lambda: mlbench.normals_2d(5, 0, rng=1), ValueError, "`cl` must be at least 1; got 0"),
        (lambda: mlbench.normals_2d(5, r=np.nan, rng=1), ValueError, "`r` must be finite; got nan"),
        (lambda: mlbench.cassini(5, 2, rng=1), ValueError, "`relsize` must hold 3 numbers; got 2"),
        (lambda: mlbench.cassini(5, (1, 2, -1), rng=1), ValueError, "`relsize` must be at least 0"),
        (lambda: mlbench.cuboids(5, [0] * 4, rng=1), ValueError, "`relsize` must be above 0 for some class"),
        (lambda: mlbench.cassini(5, [5e-324, 0, 0], rng=1), ValueError, "`relsize` must be above 0 for some class"),
        (lambda: mlbench.cuboids(5, ["a"] * 4, rng=1), TypeError, "`relsize` must hold numbers only"),
        (lambda: mlbench.hypercube(4, rng=1), ValueError, "`n` must be more than 2^d / 2, here 4; got 4"),
        (
            lambda: mlbench.hypercube(8, sides=[1, 2], rng=1),
            ValueError,
            "`sides` must be one number or d",
        ),
        (lambda: mlbench.simplex(8, 63, rng=1), ValueError, "`d` must be at most 62; got 63"),
        (lambda: mlbench.simplex(8, sides=-1, rng=1), ValueError, "`sides` must be at least 0; got -1"),
        (lambda: mlbench.simplex(8, center=1, rng=1), TypeError, "`center` must be True or False; got 1"),
        (lambda: mlbench.peak(5, 0, rng=1), ValueError, "`d` must be at least 1; got 0"),
    ],
)
def test_what_a_generator_refuses(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)
