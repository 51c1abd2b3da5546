"""The recordings once more with another MKL branch, as on processors that have no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_the_recordings_are_held_with_other_kernels() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/parity/test_recorded.py",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
    ]
    result = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--no-cov", "-v"],
        env=os.environ | {"MKL_CBWR": "AVX2"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "kernels: other" in result.stdout
    assert result.returncode == 0, result.stdout[-3000:]
    assert "skipped" not in result.stdout
