"""Several who share a store: one at a time trains a run, and the runs of those who die are trained by the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pycompare import RunStore
from pycompare.sweeps import runs as running
from pycompare.sweeps.store import lease as leases
from pycompare.sweeps.store.lease import TakenError, Waiting, died, held, remove
from tests.sweeps import shared

linux = pytest.mark.skipif(sys.platform != "linux", reason="where processes cannot be seen, leases are given time")
OF_ANOTHER_MACHINE = b"another 1 0\n"


@pytest.fixture
def lease(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "run.lease"


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.05)
    monkeypatch.setattr(leases, "STILL", 0.5)


def leased(folder: Path) -> list[str]:
    return [file.name for file in folder.rglob("*.lease*")]


def test_one_at_a_time_has_a_lease(lease: Path) -> None:
    with held(lease):
        with pytest.raises(TakenError) as taken, held(lease):
            pass
        assert taken.value.lease == lease
        assert not Waiting().over(lease)
    assert leased(lease.parent) == []
    assert Waiting().over(lease)
    with held(lease):
        pass


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_lease_ends_with_its_scope(error: type[BaseException], lease: Path) -> None:
    with pytest.raises(error), held(lease):
        raise error
    assert leased(lease.parent) == []


@pytest.mark.usefixtures("_quick")
def test_a_lease_that_is_renewed_is_not_over(lease: Path) -> None:
    waiting, end = Waiting(), time.monotonic() + 3 * leases.STILL
    with held(lease):
        while time.monotonic() < end:
            assert not waiting.over(lease)
            time.sleep(0.02)


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("content", [OF_ANOTHER_MACHINE, b""], ids=["another machine's", "empty"])
def test_a_lease_that_stands_still_is_over(content: bytes, lease: Path) -> None:
    lease.parent.mkdir()
    lease.write_bytes(content)
    os.utime(lease, (2e9, 2e9))  # what clocks say is not asked
    waiting, started = Waiting(), time.monotonic()
    while not waiting.over(lease):
        time.sleep(0.02)
    assert time.monotonic() - started > leases.STILL
    assert leased(lease.parent) == []


def leave(lease: Path) -> None:
    """`lease` as a process leaves it that is killed."""
    hold = "import sys, time; from pathlib import Path; from pycompare.sweeps.store.lease import held\n"
    hold += f"with held(Path({str(lease)!r})): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        assert not died(lease.read_bytes())
        child.kill()
        while sys.platform == "linux" and not died(lease.read_bytes()):  # before `child` is waited for, too
            time.sleep(0.01)


@linux
def test_a_lease_of_a_process_that_is_no_more_is_over_at_once(lease: Path) -> None:
    leave(lease)
    assert died(lease.read_bytes())
    assert Waiting().over(lease)
    assert leased(lease.parent) == []


@linux
def test_ctrl_c_leaves_no_lease_of_workers_that_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        leave(RunStore(tmp_path).lease_file("0" * 16 + "-3"))
        raise KeyboardInterrupt

    monkeypatch.setattr("pycompare.sweeps.parallel.run_in_parallel", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shared.compare(RunStore(tmp_path), n_jobs=2)
    assert leased(tmp_path) == []


def test_a_lease_that_has_another_owner_meanwhile_is_left_to_it(lease: Path) -> None:
    with held(lease):
        lease.write_bytes(OF_ANOTHER_MACHINE)
    assert lease.read_bytes() == OF_ANOTHER_MACHINE
    remove(lease, b"what it was before")
    assert lease.read_bytes() == OF_ANOTHER_MACHINE
    remove(lease, OF_ANOTHER_MACHINE)
    remove(lease, OF_ANOTHER_MACHINE)
    assert leased(lease.parent) == []


def test_of_many_who_want_it_one_gets_it(lease: Path) -> None:
    got, ready = [], threading.Barrier(8)

    def take(i: int) -> None:
        ready.wait()
        try:
            with held(lease):
                got.append(i)
                ended.wait()
        except TakenError:
            lost.append(i)

    lost: list[int] = []
    ended = threading.Event()
    threads = [threading.Thread(target=take, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    while len(lost) < 7:
        time.sleep(0.001)
    ended.set()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def process(folder: Path, log: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, shared.__file__, folder, log], stdout=subprocess.PIPE, text=True)


def test_two_processes_train_each_run_once_and_both_return_all(tmp_path: Path) -> None:
    logs = [tmp_path / "one.log", tmp_path / "other.log"]
    with process(tmp_path / "runs", logs[0]) as one, process(tmp_path / "runs", logs[1]) as other:
        assert (one.wait(), other.wait()) == (0, 0)
    trained = [line for log in logs for line in log.read_text().split()]
    assert sorted(map(float, trained)) == shared.RATES
    whole = shared.compare(None).data
    for log in logs:
        pd.testing.assert_frame_equal(pd.read_pickle(log.with_suffix(".pickle")), whole, check_exact=True)
    assert leased(tmp_path) == []


def until_some_are_stored(folder: Path, count: int) -> None:
    while not folder.exists() or len(list(folder.glob("settings/*.json"))) < count:
        time.sleep(0.005)


def test_the_runs_of_a_process_that_is_killed_are_trained_by_the_other(tmp_path: Path) -> None:
    logs = [tmp_path / "one.log", tmp_path / "other.log"]
    with process(tmp_path / "runs", logs[0]) as one, process(tmp_path / "runs", logs[1]) as other:
        until_some_are_stored(tmp_path / "runs", 5)
        one.kill()
        one.wait()
        assert other.wait() == 0
    whole = shared.compare(None).data
    pd.testing.assert_frame_equal(pd.read_pickle(logs[1].with_suffix(".pickle")), whole, check_exact=True)
    rows = RunStore(tmp_path / "runs").frame()
    assert rows.groupby("run")["epoch"].agg(list).tolist() == [[*range(1, shared.EPOCHS + 1)]] * len(shared.RATES)


def test_ctrl_c_leaves_no_lease(tmp_path: Path) -> None:
    with process(tmp_path / "runs", tmp_path / "log") as child:
        until_some_are_stored(tmp_path / "runs", 3)
        child.send_signal(signal.SIGINT)
        assert child.wait() != 0
    assert leased(tmp_path) == []


_begin = running.begin_training


@pytest.mark.usefixtures("_quick")
def test_who_waits_for_another_machine_gets_its_runs_when_it_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, taken = RunStore(tmp_path), []

    def another_has_the_first(self: RunStore, name: str) -> Path:
        file = self.folder / "settings" / f"{name}.lease"
        if not taken:
            file.parent.mkdir()
            file.write_bytes(OF_ANOTHER_MACHINE)
            taken.append(file)
        return file

    monkeypatch.setattr(RunStore, "lease_file", another_has_the_first)
    order: list[float] = []
    monkeypatch.setattr(
        running, "begin_training", lambda *given: order.append(given[-1].arguments["lr"]) or _begin(*given)
    )
    told = shared.compare(store)
    assert order == [*shared.RATES[1:], shared.RATES[0]]
    monkeypatch.undo()
    pd.testing.assert_frame_equal(told.data, shared.compare(None).data, check_exact=True)
    assert leased(tmp_path) == []
