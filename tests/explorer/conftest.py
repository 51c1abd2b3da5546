"""The explorer as a process of its own, as a user starts it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Served:
    """The URL of a page, which ends with its token, and the process that serves it."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def serving(*arguments: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "pycompare", "explore", "--no-browser", "--port", "0", *arguments]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        # A test run that was itself started in the background would hand on that it ignores the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        try:
            yield Served(re.findall(r"http\S+", process.stdout.readline())[0], process)
        finally:
            process.kill()


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with serving() as one:
        yield one
