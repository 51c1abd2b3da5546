"""The example project of the documentation, copied as a reader would."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.r

EXAMPLE = Path(__file__).parents[2] / "docs" / "example"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "example", ignore=shutil.ignore_patterns("__pycache__")))


def run_pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_the_example_passes(copy: Path) -> None:
    result = run_pytest(copy)
    assert result.returncode == 0, result.stdout
    assert " 1 passed" in result.stdout


def test_the_example_finds_a_fault_in_the_port(copy: Path) -> None:
    port = copy / "fit_slope.py"
    port.write_text(port.read_text().replace("gradient * lr", "gradient * lr / 2"))
    result = run_pytest(copy)
    assert result.returncode == 1
    assert "`slope` first at step=1:" in result.stdout


def test_the_readme_names_every_file() -> None:
    files = {path.name for path in EXAMPLE.iterdir() if path.is_file()} - {"README.md"}
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert files
    assert all(f"| `{name}` |" in readme for name in files)
