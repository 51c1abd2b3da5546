"""What an RSession costs: `python benchmarks/r_session.py` prints medians, with the most that each may take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from pycompare.parity import RSession

ROWS = 1_000_000


def seconds(action: Callable[[], object], times: int) -> float:
    """The median of how long `action` takes."""
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def start_and_close(times: int = 5) -> tuple[float, float]:
    """The medians of how long a session takes to open, and to close."""
    opened: list[RSession] = []
    start = seconds(lambda: opened.append(RSession(backend=None)), times)
    return start, seconds(lambda: opened.pop().close(), times)


def round_trip(session: RSession, value: object, times: int) -> float:
    """The median of how long `value` takes to R and back."""
    return seconds(lambda: session.call("identity", value), times)


def measure() -> pd.DataFrame:
    """One row a measurement: what, its median and its limit, in seconds."""
    numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(ROWS, 5)), columns=list("abcde"))
    text = pd.DataFrame({"text": [f"text {i}" for i in range(ROWS)]})
    start, close = start_and_close()
    with RSession(backend=None) as session:
        rows = [
            ("start", start, 3),
            ("scalar, there and back", round_trip(session, 1.0, 1000), 0.002),
            ("1e6 rows x 5 numeric columns", round_trip(session, numbers, 5), 1),
            ("1e6 rows of text", round_trip(session, text, 5), 5),
            ("close", close, np.nan),
        ]
    return pd.DataFrame(rows, columns=["what", "median_s", "at_most_s"])


if __name__ == "__main__":
    print(measure().to_string(index=False, na_rep="", float_format="{:.5g}".format))
