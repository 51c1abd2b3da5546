"""The pytest plugin, as the tests of another project see it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import sys

import pytest


def test_nothing_heavy_is_loaded():
    assert not {"torch", "pandas", "numpy", "rpy2"} & set(sys.modules)


def test_the_fixture(r_session):
    assert r_session.call("sum", 1.0, 2.0) == 3.0
    assert r_session.eval("as.numeric((torch_tensor(2) * 3)$item())") == 6.0
    assert "torch" not in sys.modules


@pytest.mark.r
def test_the_marker():
    pass


@pytest.mark.parametrize("x", [1, pytest.param(2, marks=pytest.mark.r)])
def test_the_marker_of_one_case(x):
    pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_project.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    return tmp_path


@pytest.fixture
def _no_rpy2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "rpy2.py").write_text("raise ModuleNotFoundError(\"No module named 'rpy2'\")\n")
    monkeypatch.setenv("PYTHONPATH", str(broken))


def run_pytest(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    kept = {name: value for name, value in os.environ.items() if name != "PYCOMPARE_REQUIRE_R"}
    return subprocess.run(
        command, cwd=project, env=kept | environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.r
def test_with_r_all_run(project: Path) -> None:
    result = run_pytest(project, PYCOMPARE_REQUIRE_R="1")
    assert " 5 passed" in result.stdout, result.stdout


def test_without_those_marked_nothing_needs_r(project: Path) -> None:
    result = run_pytest(project, "-m", "not r", PYCOMPARE_REQUIRE_R="1")
    assert " 2 passed, 3 deselected" in result.stdout, result.stdout


@pytest.mark.usefixtures("_no_rpy2")
def test_without_r_those_marked_are_skipped_with_the_reason(project: Path) -> None:
    result = run_pytest(project, "-rs")
    assert " 2 passed, 3 skipped" in result.stdout, result.stdout
    assert "R does not start: ModuleNotFoundError: No module named 'rpy2'" in result.stdout
    assert "pip install -c constraints.txt '.[r]'" in result.stdout


@pytest.mark.usefixtures("_no_rpy2")
def test_without_r_where_it_is_required_they_fail(project: Path) -> None:
    result = run_pytest(project, PYCOMPARE_REQUIRE_R="1")
    assert result.returncode == 1
    assert " 2 passed, 3 errors" in result.stdout, result.stdout
    assert "PYCOMPARE_REQUIRE_R=1, and R does not start" in result.stdout
