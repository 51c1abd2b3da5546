"""The benchmark: `python benchmarks/run.py [--quick] [--json FILE]`, or `make bench`. At most 20 minutes."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from contenders import contenders, named
from loss_map import measure_loss_map
from memory import measure_memory
from scaling import measure_scaling
from startup import measure_startup
from tables import print_tables
from timing import CPUS, ENVIRONMENT, measure, pinned
from workloads import parallel_workload, training_workloads

ROUNDS, QUICK_ROUNDS = 5, 2
SIDE_BY_SIDE = ("pycompare, fused", "pycompare, n_jobs=2")
PACKAGES = ("pycompare-rtorch", "torch", "numpy", "pandas", "joblib", "jax", "jaxlib", "scikit-learn", "rpy2")


def main() -> None:
    arguments = _arguments()
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        # The thread pools read these when their libraries load, which has happened by now.
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ENVIRONMENT)
    torch.set_num_threads(1)
    start = time.perf_counter()
    result: dict[str, Any] = {}
    with pinned(1):
        for part in measure_all(arguments.quick, QUICK_ROUNDS if arguments.quick else ROUNDS):
            result |= part | {"minutes": (time.perf_counter() - start) / 60}
            if arguments.json:  # as it goes: what was measured outlives an interruption
                arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print_tables(result)


def measure_all(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    """Everything that the tables show, part by part, as JSON holds it."""
    yield {"machine": machine(), "quick": quick}
    training: list[dict[str, Any]] = []
    entrants = [(workload, contenders()) for workload in training_workloads(quick)]
    for workload, who in [*entrants, (parallel_workload(quick), named(*SIDE_BY_SIDE))]:
        training += [row.as_dict() for row in measure(workload, who, rounds)]
        yield {"training": training}
    yield {"startup": measure_startup(rounds)}
    yield {"loss_map": measure_loss_map(rounds)}
    yield {"memory": measure_memory(quick, rounds)}
    yield {"scaling": measure_scaling(quick)}


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
