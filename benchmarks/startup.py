"""What is paid before the first epoch: imports, `--help`, the first call, the start of workers."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from timing import pinned
from tqdm import tqdm

OUT = str(Path(tempfile.gettempdir(), "pycompare-startup"))
CLOCK = "from time import perf_counter as clock; start = clock(); "
FIRST_CALL = """
import torch, pandas
from time import perf_counter as clock
def call():
    import pycompare
    start = clock()
    pycompare.compare_configs(epochs=1, lr=[0.1], progress=False)
    return clock() - start
start = clock()
import pycompare
imported = clock() - start
print(imported + call() - call())
"""
WORKER = """
from pycompare.sweeps import configs, parallel
from time import perf_counter as clock
start = clock()
parallel.get_reusable_executor(1).submit(parallel._receive, configs._Sweep).result()
print(clock() - start)
"""
# What is measured, its limit in seconds, and the program that prints it; None where the whole process counts.
MEASURES: dict[str, tuple[float | None, list[str]]] = {
    "import pycompare": (0.1, ["-c", CLOCK + "import pycompare; print(clock() - start)"]),
    "import torch, pandas": (None, ["-c", CLOCK + "import torch, pandas; print(clock() - start)"]),
    "pycompare --help": (0.5, ["-m", "pycompare", "--help"]),
    "pycompare compare of four learning rates, from the shell to the picture": (
        None,
        [
            "-m",
            "pycompare",
            "compare",
            "--lr",
            "1,0.1,0.01,0.001",
            "--out",
            str(Path(tempfile.gettempdir(), "pycompare-startup")),
        ],
    ),
    "first compare_configs, above imports and training": (0.3, ["-c", FIRST_CALL]),
    "start of a worker, until it can train": (None, ["-c", WORKER]),
}


def measure_startup(rounds: int) -> list[dict[str, Any]]:
    """One row a measurement: medians of `rounds` processes each, in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in MEASURES}
    for name in tqdm(list(MEASURES) * rounds, desc="start-up", unit="process", disable=None):
        seconds[name] += _run(MEASURES[name][1])
    return [
        {"what": name, "seconds": taken, "median": statistics.median(taken) if taken else None, "limit": limit}
        for (name, (limit, _)), taken in zip(MEASURES.items(), seconds.values(), strict=True)
    ]


def _run(arguments: list[str]) -> list[float]:
    """What the program prints, or for want of an own clock how long it took; [] where it cannot measure."""
    start = time.perf_counter()
    with pinned(2 if arguments == ["-c", WORKER] else 1):
        done = subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True)
    if arguments[0] == "-m":
        return [time.perf_counter() - start]
    return [float(done.stdout)] if done.stdout.strip() else []
