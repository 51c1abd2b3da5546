"""The examples of the documentation are tests: every block of Python, of R and of a shell runs, in a folder of its own.

A block that cannot run has `<!-- skip: next "why" -->` above it. tests/docs/test_blocks.py finds what is neither.
Those of docs/course/ run in tests/docs/test_course.py, which compares what they give.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from pycompare.parity.pytest_plugin import open_session

ROOT = Path(__file__).parent
# The commands as this Python has them; what make would do is printed, as it is this test that make runs.
SHELL = f"""set -euo pipefail
export PYTHONPATH='{ROOT}'
.venv/bin/pycompare() {{ '{sys.executable}' -m pycompare "$@"; }}
pycompare() {{ .venv/bin/pycompare "$@"; }}
make() {{ command make --dry-run --directory='{ROOT}' "$@"; }}
"""


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
