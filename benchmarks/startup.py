"""What is paid before the first epoch: imports, `--help`, the first call, the start of workers."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from timing import pinned

CLOCK = "from time import perf_counter as clock; start = clock(); "
FIRST_CALL = (
    "import torch, pandas; "
    + CLOCK
    + "import pycompare; pycompare.compare_configs(epochs=1, lr=[0.1], engine='{}', progress=False); "
    + "print(clock() - start)"
)
WORKER = """
from pycompare.sweeps import configs, parallel
from time import perf_counter as clock
start = clock()
parallel.get_reusable_executor(1).submit(parallel._receive, configs.compare_configs).result()
print(clock() - start)
"""
COMPARE = ["-m", "pycompare", "compare", "--lr", "1,0.1,0.01,0.001", "--out", f"{tempfile.gettempdir()}/pycompare"]
# What is measured, its limit in seconds, and the program that prints it; None where the whole process counts.
MEASURES: dict[str, tuple[float | None, list[str]]] = {
    "`import pycompare`": (0.1, ["-c", CLOCK + "import pycompare; print(clock() - start)"]),
    "`import torch, pandas`": (None, ["-c", CLOCK + "import torch, pandas; print(clock() - start)"]),
    "`pycompare --help`": (0.5, ["-m", "pycompare", "--help"]),
    "first `compare_configs(epochs=1)` above `import torch, pandas`, fused": (0.3, ["-c", FIRST_CALL.format("fused")]),
    "the same, compiled, machine code on disk": (0.6, ["-c", FIRST_CALL.format("compiled")]),
    "shell to picture, `pycompare compare --lr 1,0.1,0.01,0.001`, machine code on disk": (None, COMPARE),
    "the same with `--engine fused`": (None, [*COMPARE, "--engine", "fused"]),
    "start of a worker, until it can train": (None, ["-c", WORKER]),
}


def measure_startup(rounds: int) -> list[dict[str, Any]]:
    """One row a measurement: medians of `rounds` processes each, in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in MEASURES}
    for name in list(MEASURES) * rounds:
        seconds[name] += _run(MEASURES[name][1])
    return [
        {"what": name, "seconds": taken, "median": statistics.median(taken) if taken else None, "limit": limit}
        for (name, (limit, _)), taken in zip(MEASURES.items(), seconds.values(), strict=True)
    ]


def _run(arguments: list[str]) -> list[float]:
    """What the program prints, or for want of an own clock how long it took; [] where it failed."""
    start = time.perf_counter()
    with pinned(2 if arguments == ["-c", WORKER] else 1):
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if done.returncode:
        return []
    return [time.perf_counter() - start if arguments[0] == "-m" else float(done.stdout)]
