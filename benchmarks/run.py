"""The benchmark: `python benchmarks/run.py [--quick] [--json FILE]`, or `make bench`. At most 20 minutes."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from bounds import measure_bounds
from contenders import COMPILED, FUSED, TWO_JOBS, contenders, named
from loss_map import measure_loss_map
from memory import measure_memory
from scaling import measure_scaling
from startup import measure_startup
from tables import tables
from timing import CACHES, CPUS, ENVIRONMENT, measure, pinned
from workloads import course_workloads, large_workloads, many_rates

from pycompare.files import write_whole

ROUNDS, PROCESSES = 5, 3
PACKAGES = ("pycompare-rtorch", "torch", "numpy", "pandas", "joblib", "jax", "jaxlib", "numba", "scikit-learn", "rpy2")


def main() -> None:
    arguments = _arguments()
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        # What is compiled counts from here on. The thread pools read the rest when their libraries load: before.
        shutil.rmtree(CACHES, ignore_errors=True)
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ENVIRONMENT)
    torch.set_num_threads(1)
    start = time.perf_counter()
    result: dict[str, Any] = {}
    with pinned(1):
        for what, part in measure_all(arguments.quick):
            result |= part | {"minutes": (time.perf_counter() - start) / 60}
            print(f"{result['minutes']:5.1f} min: {what}", file=sys.stderr, flush=True)
            if arguments.json:  # as it goes: what was measured outlives an interruption
                write_whole(arguments.json, json.dumps(result, indent=1).encode() + b"\n")
    for name, table in tables(result).items():
        print(f"\n{name}\n\n{table}")


def measure_all(quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """What has just been measured, and with it all of its part, as JSON holds it."""
    yield "machine", {"machine": machine(), "quick": quick}
    rounds, processes = (2, 1) if quick else (ROUNDS, PROCESSES)
    others, ours = contenders(), named(COMPILED, TWO_JOBS, FUSED)
    course = [(workload, others) for workload in course_workloads(quick)] + [(many_rates(30, quick), ours)]
    large = [(workload, others) for workload in large_workloads(quick)]
    for part, workloads in {"course": course, "large": large}.items():
        rows: list[dict[str, Any]] = []
        for workload, entrants in workloads:
            rows += [row.as_dict() for row in measure(workload, entrants, rounds)]
            yield workload.name, {part: rows}
    yield "bounds", {"bounds": measure_bounds(large_workloads(quick))}
    yield "start-up", {"startup": measure_startup(processes)}
    yield "memory", {"memory": measure_memory(quick, processes)}
    yield "map of a loss", {"loss_map": measure_loss_map(rounds)}
    points: list[dict[str, Any]] = []
    for point in measure_scaling(quick):
        points += point
        yield f"{point[0]['axis']} {point[0]['size']:,}", {"scaling": points}


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
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
