from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

from pycompare import Split, compare_configs
from pycompare.sweeps.parallel import run_in_parallel
from pycompare.threads import check_stop

X = np.linspace(-1, 1, 60).reshape(30, 2)
SMALL = Split.from_arrays(X, X.sum(axis=1))


def _compare(n_jobs: int | None, **arguments: Any) -> pd.DataFrame:
    return compare_configs(epochs=2, lr=[0.1, 0.2, 0.3], data=SMALL, n_jobs=n_jobs, **arguments).data


@pytest.mark.parametrize("n_jobs", [2, -1, None])
def test_bits_and_order_do_not_depend_on_n_jobs(n_jobs: int | None) -> None:
    pd.testing.assert_frame_equal(_compare(n_jobs), _compare(1), check_exact=True)


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_nor_on_joblib_s_backend(backend: str) -> None:
    with joblib.parallel_config(backend=backend, n_jobs=2):
        pd.testing.assert_frame_equal(_compare(None), _compare(1), check_exact=True)


def test_lambdas_reach_the_workers() -> None:
    arguments: dict[str, Any] = {"network": lambda: torch.nn.Linear(2, 1), "loss": lambda a, b: (a - b).abs().mean()}
    pd.testing.assert_frame_equal(_compare(2, **arguments), _compare(1, **arguments), check_exact=True)


def test_each_result_has_its_place() -> None:
    results: dict[int, int] = {}
    run_in_parallel(abs, [-1, 2, -3], ["a", "b", "c"], 2, results.__setitem__)
    assert results == {0: 1, 1: 2, 2: 3}


def _die_elsewhere(home: int) -> None:
    if os.getpid() != home:
        os._exit(1)
    time.sleep(0.2)  # until the worker has taken its first


def test_a_worker_that_dies_names_what_was_not_finished() -> None:
    homes, labels = [os.getpid()] * 99, [f"lr = {i}" for i in range(99)]
    with pytest.raises(RuntimeError, match=r"A worker died before these were finished: .*lr = 98\. It may have"):
        run_in_parallel(_die_elsewhere, homes, labels, 2, print)


def _interrupt_at_home(home: int) -> None:
    if os.getpid() == home:
        raise KeyboardInterrupt
    time.sleep(60)


def test_ctrl_c_ends_the_workers_too() -> None:
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_in_parallel(_interrupt_at_home, [os.getpid()] * 4, list("abcd"), 2, print)
    assert time.monotonic() - start < 30


_TAKEN = threading.Event()


def _long_on_another_thread(home: int) -> None:
    if threading.get_ident() == home:
        assert _TAKEN.wait(60)  # or this one takes them all, and Ctrl-C comes after the end
        return
    _TAKEN.set()
    end = time.perf_counter() + 20
    while time.perf_counter() < end:
        check_stop()
        time.sleep(0.01)


def test_ctrl_c_ends_threads_for_which_this_one_waits() -> None:
    _TAKEN.clear()
    threading.Timer(1, os.kill, [os.getpid(), signal.SIGINT]).start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        run_in_parallel(_long_on_another_thread, [threading.get_ident()] * 9, ["a"] * 9, 2, print, threads=1)
    assert time.perf_counter() - started < 15


def test_an_error_in_a_worker_is_the_caller_s() -> None:
    with pytest.raises(ValueError, match="`network` must return outputs of the targets' shape"):
        _compare(2, network=lambda: torch.nn.Linear(2, 3))


def _fail_with_an_index(setting: int) -> None:
    raise IndexError(setting)


def test_an_index_error_is_no_end_of_work() -> None:
    with pytest.raises(IndexError):
        run_in_parallel(_fail_with_an_index, [1, 2], ["a", "b"], 2, print)


@pytest.mark.parametrize(("n_jobs", "error"), [(0, ValueError), (1.5, ValueError), ("2", TypeError)])
def test_bad_n_jobs(n_jobs: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="`n_jobs` must be"):
        _compare(n_jobs)
