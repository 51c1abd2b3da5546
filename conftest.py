"""The examples of the documentation are tests: every block of Python and of R runs, in a folder of its own.

Those of docs/course/ run in tests/docs/test_course.py, which compares what they give.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from pycompare.parity.pytest_plugin import open_session


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


pytest_collect_file = Sybil(
    [PythonCodeBlockParser(), CodeBlockParser("R", _evaluate_r)],
    patterns=["*.md"],
    excludes=["docs/course/*.md"],
    fixtures=["_elsewhere"],
).pytest()
