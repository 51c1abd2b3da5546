"""The examples of the documentation are tests: every block of Python, of R and of a shell runs, in a folder of its own.

A block that cannot run has `<!-- skip: next "why" -->` above it. tests/docs/test_blocks.py finds what is neither.
Those of docs/course/ run in tests/docs/test_course.py, which compares what they give.
Tests and examples find machine code, as users do from their second training on, but not in the user's cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from pycompare.parity.pytest_plugin import open_session
from pycompare.training.engines.compiled import machine_code

ROOT = Path(__file__).parent
# The commands as this Python has them; what make would do is printed, as it is this test that make runs.
SHELL = f"""set -euo pipefail
export PYTHONPATH='{ROOT}'
.venv/bin/pycompare() {{ '{sys.executable}' -m pycompare "$@"; }}
pycompare() {{ .venv/bin/pycompare "$@"; }}
make() {{ command make --dry-run --directory='{ROOT}' "$@"; }}
"""


@pytest.fixture(autouse=True, scope="session")
def _machine_code() -> Iterator[None]:
    """Machine code is compiled once, for all processes of this session and for those to come."""
    folder, dtypes = ROOT / "out" / "machine_code", [torch.float32, torch.float64]
    folder.mkdir(parents=True, exist_ok=True)
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw1":
        dtypes.reverse()  # so that two processes compile at the same time
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYCOMPARE_CACHE", str(folder))
        for dtype in dtypes if sys.platform == "linux" else ():
            with FileLock(folder / f"{dtype}.lock"):
                machine_code.kernel(dtype)
        yield


@pytest.fixture
def _elsewhere(tmp_path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield
    os.chdir(before)


def _evaluate_r(example: Example) -> None:
    from pycompare.parity.suite import source_exercises

    with open_session() as r:
        source_exercises(r)
        r.eval(f"{example.parsed}\ninvisible(NULL)")


def _evaluate_sh(example: Example) -> None:
    done = subprocess.run(["bash", "-c", SHELL + example.parsed], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _fail(example: Example) -> None:
    raise AssertionError(f'nobody runs line {example.line}: write <!-- skip: next "why" --> above it')


PAGES = Sybil(
    [
        PythonCodeBlockParser(),
        CodeBlockParser("R", _evaluate_r),
        CodeBlockParser("sh", _evaluate_sh),
        CodeBlockParser("text", _fail),
        SkipParser(),
    ],
    patterns=["*.md"],
    excludes=["docs/course/*.md"],
    fixtures=["_elsewhere"],
)
pytest_collect_file = PAGES.pytest()
