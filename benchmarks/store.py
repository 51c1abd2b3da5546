"""What a store costs: `python benchmarks/store.py [FOLDER]` trains into FOLDER, by default one for temporary files.

Printed are seconds of this process a short run, without a store, into it and out of it; and the listing of 10,000 runs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from pycompare import RunStore, Split, compare_configs

RUNS, LISTED = 100, 10_000
X = np.linspace(-1, 1, 60).reshape(30, 2)
SMALL = Split.from_arrays(X, X.sum(axis=1))


def seconds_a_run(rates: list[float], store: RunStore | None) -> float:
    start = time.process_time()
    compare_configs(1, 8, rates, data=SMALL, store=store, progress=False)
    return (time.process_time() - start) / len(rates)


def copied(store: RunStore, count: int) -> None:
    """`count` finished runs, by the settings of the first under other names."""
    first = store.settings_file(store.runs()["run"][0]).read_bytes()
    for i in range(count):
        store.settings_file(f"{i:016x}-1").write_bytes(first.replace(b'"seed": 123', b'"seed": %d' % i))


def listing(store: RunStore) -> float:
    start = time.perf_counter()
    assert len(store.runs()) >= LISTED
    return time.perf_counter() - start


def main(folder: str | None) -> None:
    rates = np.linspace(0.001, 0.1, RUNS).tolist()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        store, opened = RunStore(Path(place)), Counter[str]()
        compare_configs(1, 8, [0.2], data=SMALL, store=store, progress=False)  # imports
        alone = seconds_a_run(rates, None)

        def count(event: str, arguments: Any) -> None:
            if event in ("open", "os.rename", "os.remove") and str(arguments[0]).startswith(place):
                opened[event] += 1

        sys.addaudithook(count)
        first, calls = seconds_a_run(rates, store), dict(opened)
        again = seconds_a_run(rates, store)
        print(f"a run, ms: {1e3 * alone:.2f} alone, {1e3 * first:.2f} into the store, {1e3 * again:.2f} out of it")
        print("a run:", {name: number / RUNS for name, number in calls.items()})
        copied(store, LISTED)
        print(f"{LISTED} runs listed, s: {listing(store):.2f} at first, {listing(store):.2f} by the index")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
