"""Peak memory of a contender, in a process of its own: `python benchmarks/memory.py "PyTorch, idiomatic" [--quick]`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from contenders import COMPILED, FUSED, IDIOMATIC, named
from workloads import LARGE_ROWS, Workload, large_network, synthetic

MEASURED = (COMPILED, FUSED, "pycompare, autograd", IDIOMATIC, "PyTorch, hand-tuned")


def measure_memory(quick: bool) -> list[dict[str, Any]]:
    """One row a contender, MiB: after imports, and how far above that the first and later runs peak."""
    rows: list[dict[str, Any]] = []
    for name in MEASURED:
        command = [sys.executable, __file__, name, *(["--quick"] if quick else [])]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows += json.loads(done.stdout)
    return rows


def growth(contender_name: str, workload: Workload) -> dict[str, Any] | None:
    (contender,) = named(contender_name)
    if contender.missing():
        return None
    row: dict[str, Any] = {"workload": workload.name, "contender": contender_name, "imports": _status("VmRSS")}
    for run in ("first_run", "later_run"):
        before = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is in use
        contender.curves(workload)
        row[run] = _status("VmHWM") - before
    return row


def _status(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    found = growth(sys.argv[1], large_network(256, synthetic(2_000 if "--quick" in sys.argv else LARGE_ROWS)))
    print(json.dumps([found] if found else []))
