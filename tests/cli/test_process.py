"""What only a process shows: pipes, signals, exit codes, the environment, and what is imported."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

COMPARE = ("compare", "--lr", "0.1,0.01", "--epochs", "2")
LONG = ("compare", "--lr", "0.1,0.2", "--epochs", "100000")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pycompare", *arguments]


def _run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(*arguments), text=True, **{"capture_output": True} | options)


def _interrupted(arguments: Sequence[str], awaited: bytes) -> tuple[int, str]:
    """The exit code and the terminal of a command that gets Ctrl-C once `awaited` is on its stderr, a terminal."""
    terminal, terminal_of_child = pty.openpty()
    termios.tcsetwinsize(terminal_of_child, (24, 120))
    with subprocess.Popen(
        _command(*arguments),
        stdout=subprocess.DEVNULL,
        stderr=terminal_of_child,
        # A test run that was itself started in the background would hand on that it ignores the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        printed = b""
        while awaited not in printed:
            printed += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(timeout=30)
        finally:
            process.kill()
    os.close(terminal_of_child)
    with contextlib.suppress(OSError):  # which is the end of a terminal
        printed += os.read(terminal, 65536)
    return code, printed.decode()


@pytest.mark.parametrize("n_jobs", ["1", "2"])
def test_ctrl_c_ends_at_once_and_keeps_what_was_done(n_jobs: str, tmp_path: Path) -> None:
    awaited = b"lr = 0.1" if n_jobs == "1" else b"side by side"
    code, printed = _interrupted([*LONG, "--n-jobs", n_jobs, "--out", str(tmp_path)], awaited)
    assert code == 128 + signal.SIGINT
    assert "Traceback" not in printed
    for file in tmp_path.iterdir():  # none, where no epoch was done
        assert file.name == "comparison.partial.csv"
        assert len(pd.read_csv(file)) == int(printed.partition("Interrupted. ")[2].split()[0])
        assert f"Saved {file}" in printed


def test_ctrl_c_while_a_film_is_written_keeps_no_half_of_it(tmp_path: Path) -> None:
    film = tmp_path / "a.gif"
    command = ["lab", "landscape", "descend", "--lr", "0.1,0.2", "--film", str(film)]
    code, printed = _interrupted(command, b"a.gif:")
    assert code == 128 + signal.SIGINT
    assert "Traceback" not in printed
    assert list(tmp_path.iterdir()) == []


def test_who_stops_reading_loses_no_file(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = _run(*COMPARE, "--out", str(tmp_path), capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr.splitlines()[2:]) == (1, [])
    assert {path.name for path in tmp_path.iterdir()} >= {"comparison.csv", "comparison.png"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_device_loses_no_file(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = _run(*COMPARE, "--out", str(tmp_path), capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.splitlines()[2:] == [
        "Error: The results cannot be printed (No space left on device). What was to be saved, is."
    ]
    assert {path.name for path in tmp_path.iterdir()} >= {"comparison.csv", "comparison.png"}


def test_an_inherited_backend_that_is_not_installed_does_no_harm(tmp_path: Path) -> None:
    foreign = os.environ | {"MPLBACKEND": "module://not_installed.backend_inline"}
    done = _run(*COMPARE, "--out", str(tmp_path), env=foreign)
    assert (done.returncode, done.stderr) == (0, "run 1/2, lr = 0.1\nrun 2/2, lr = 0.01\n")


def test_a_line_a_run_without_a_terminal_and_none_where_not_asked_for() -> None:
    assert _run(*COMPARE).stderr == "run 1/2, lr = 0.1\nrun 2/2, lr = 0.01\n"
    assert _run(*COMPARE, "--no-progress").stderr == ""


# What a process does that runs the command line, and how it ends.
_ENDS = {
    "sys.argv[1:] = ['--version']; main()": (0, "pycompare 0.1.0\n", ""),
    "sys.argv[1:] = ['--version']; atexit.register(print, 'later'); main()": (0, "pycompare 0.1.0\nlater\n", ""),
    "run_command(lambda: sys.exit(3))": (3, "", ""),
    "run_command(lambda: sys.exit('said'))": (1, "", "said\n"),
    "run_command(lambda: print('no end of line', end='') or sys.exit())": (0, "no end of line", ""),
    "try: run_command(sys.exit)\nfinally: print('unwound')": (0, "unwound\n", ""),
    "run_command(lambda: threading.Timer(0.2, print, ['awaited']).start() or sys.exit())": (0, "awaited\n", ""),
    "run_command(lambda: atexit.register(open('a', 'w').write, 'kept') and sys.exit())\n": (0, "", ""),
}


@pytest.mark.parametrize("code", _ENDS)
def test_it_ends_as_any_python_process(code: str, tmp_path: Path) -> None:
    imports = "import atexit, sys, threading\nfrom pycompare.cli import main\nfrom pycompare.cli.process import *\n"
    done = subprocess.run([sys.executable, "-c", imports + code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == _ENDS[code]


@pytest.mark.parametrize(
    "command",
    [
        "compare --lr 1,.1 --epochs 1 --optimizer adagrad",
        "compare --lr 1,.1 --epochs 1 --engine autograd --loss bce --data spirals",
        "compare --lr 1,.1 --epochs 1 --n-jobs 2",
        "lab landscape descend --optimizer adagrad,sgd,adam --epochs 2",
        "lab landscape paths --lr .1,.2 --epochs 1 --points 3",
        "lab init --init orthogonal,normal --steps 2",
        "lab activations --init orthogonal --depth 2 --width 3,4",
        "parity --lane recorded",
    ],
)
def test_every_kind_of_work_is_done_by_a_process(command: str) -> None:
    done = _run(*command.split())
    assert done.returncode == 0, done.stderr


def test_the_command_writes_what_the_library_does(tmp_path: Path) -> None:
    """What is only done in a process of its own changes no bit and no pixel."""
    from pycompare import compare_configs

    _run(*COMPARE, "--out", str(tmp_path / "command"))
    compare_configs(2, lr=[0.1, 0.01]).save(tmp_path / "library")
    for file in (tmp_path / "library").iterdir():
        if file.suffix in (".csv", ".png"):
            assert (tmp_path / "command" / file.name).read_bytes() == file.read_bytes()
