"""The tests of the R side, which are written in R, and the recording's command line."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pycompare.parity.session import reference_folder

pytestmark = pytest.mark.r


def rscript(file: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["Rscript", str(reference_folder() / file), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_tests_in_r_pass() -> None:
    result = rscript("tests/run.R")
    counts = re.search(r"\[ FAIL (\d+) \| WARN (\d+) \| SKIP (\d+) \| PASS (\d+) \]", result.stdout)
    assert counts, result.stdout + result.stderr
    fail, warn, _, passed = map(int, counts.groups())
    assert (result.returncode, fail, warn) == (0, 0, 0), result.stdout
    assert passed > 250


def test_nothing_is_recorded_without_r_torch(r_session, tmp_path: Path) -> None:
    if r_session.backend == "torch":
        pytest.skip("R torch is installed")
    result = rscript("record.R", str(tmp_path / "out"))
    assert result.returncode == 1
    assert "The backend must be R torch to record; got basetorch. Install the R package torch." in result.stderr
    assert list(tmp_path.iterdir()) == []
