"""The benchmark: `python benchmarks/run.py [--quick] [--only PART] [--json FILE]`, or `make bench`: 20 minutes."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from bounds import measure_bounds
from contenders import COMPILED, FUSED, TWO_JOBS, Contender, contenders, named
from loss_map import measure_loss_map
from memory import measure_memory
from scaling import measure_scaling
from startup import measure_startup
from tables import tables
from timing import CACHES, CPUS, ENVIRONMENT, measure, pinned
from workloads import Workload, course_workloads, large_workloads, many_rates

from pycompare.files import write_whole

ROUNDS, PROCESSES = 9, 3
PACKAGES = ("pycompare-rtorch", "torch", "numpy", "pandas", "joblib", "jax", "jaxlib", "numba", "scikit-learn", "rpy2")


def main() -> None:
    arguments = _arguments()
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        # What is compiled counts from here on. The thread pools read the rest when their libraries load: before.
        shutil.rmtree(CACHES, ignore_errors=True)
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ENVIRONMENT)
    torch.set_num_threads(1)
    start = time.perf_counter()
    result: dict[str, Any] = json.loads(arguments.json.read_text()) if arguments.only else {}
    with pinned(1):
        for what, part in measure_all(arguments.quick, arguments.only):
            minutes = (time.perf_counter() - start) / 60
            result |= part | ({} if arguments.only else {"minutes": minutes})
            print(f"{minutes:5.1f} min: {what}", file=sys.stderr, flush=True)
            if arguments.json:  # as it goes: what was measured outlives an interruption
                write_whole(arguments.json, json.dumps(result, indent=1).encode() + b"\n")
    for name, table in tables(result).items():
        print(f"\n{name}\n\n{table}")


def measure_all(quick: bool, only: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """What has just been measured, and with it all of its part, as JSON holds it; of one part, or all."""
    yield "machine", {"machine": machine(), "quick": quick}
    for part, measured in PARTS.items():
        if only in (None, part):
            for what, figures in measured(quick):
                yield what, {part: figures}


def _course(quick: bool) -> Iterator[tuple[str, Any]]:
    others, ours = contenders(), named(COMPILED, TWO_JOBS, FUSED)
    sweeps = [(workload, others) for workload in course_workloads(quick)]
    return _in_turn([*sweeps, (many_rates(30, quick), ours)], quick)


def _large(quick: bool) -> Iterator[tuple[str, Any]]:
    return _in_turn([(workload, contenders()) for workload in large_workloads(quick)], quick)


def _in_turn(workloads: list[tuple[Workload, list[Contender]]], quick: bool) -> Iterator[tuple[str, Any]]:
    rows: list[dict[str, Any]] = []
    for workload, entrants in workloads:
        rows += [row.as_dict() for row in measure(workload, entrants, 2 if quick else ROUNDS)]
        yield workload.name, rows


def _scaling(quick: bool) -> Iterator[tuple[str, Any]]:
    points: list[dict[str, Any]] = []
    for point in measure_scaling(quick):
        points += point
        yield f"{point[0]['axis']} {point[0]['size']:,}", points


PARTS: dict[str, Callable[[bool], Iterator[tuple[str, Any]]]] = {
    "course": _course,
    "large": _large,
    "bounds": lambda quick: iter([("bounds", measure_bounds(large_workloads(quick)))]),
    "startup": lambda quick: iter([("start-up", measure_startup(1 if quick else PROCESSES))]),
    "memory": lambda quick: iter([("memory", measure_memory(quick))]),
    "loss_map": lambda quick: iter([("map of a loss", measure_loss_map(2 if quick else ROUNDS))]),
    "scaling": _scaling,
}


def machine() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cpus": len(CPUS) or os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "blas": "MKL" if torch.backends.mkl.is_available() else "other",
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few epochs, to see that everything runs")
    parser.add_argument("--only", choices=PARTS, metavar="PART", help=f"measure one part anew: {', '.join(PARTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    arguments = parser.parse_args()
    if arguments.only and not (arguments.json and arguments.json.exists()):
        parser.error("--only renews a part of --json FILE, which must be there")
    return arguments


if __name__ == "__main__":
    main()
