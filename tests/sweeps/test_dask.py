from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import distributed
import joblib
import numpy as np
import pandas as pd
import pytest
from torch import nn

from pycompare import RunStore, Split, compare_configs
from pycompare.sweeps.parallel import run_in_parallel

X = np.linspace(-1, 1, 60).reshape(30, 2)
RUNS = int(os.environ.get("RUNS", "60"))
SMALL = Split.from_arrays(X, X.sum(axis=1))


pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _nothing_leaks() -> None:
    """Not asked here: the threads of distributed draw from `random` while they run."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers. Who is killed twice within 15 seconds is given up for good by default."""
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
        distributed.Client(local),
    ):
        yield local


@pytest.mark.usefixtures("cluster")
def test_a_dask_cluster_gives_the_same_bits_in_the_same_order() -> None:
    arguments: dict[str, Any] = {"epochs": 2, "lr": [0.1, 0.2, 0.3], "data": SMALL}
    expected = compare_configs(**arguments).data
    with joblib.parallel_config(backend="dask"):
        pd.testing.assert_frame_equal(compare_configs(**arguments, n_jobs=-1).data, expected, check_exact=True)


def test_a_worker_that_is_killed_gives_its_runs_to_the_others(cluster: Any, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"epochs": 2, "lr": np.linspace(0.001, 0.1, RUNS).tolist(), "data": SMALL}
    expected = compare_configs(**arguments).data
    finished: list[int] = []

    def kill() -> None:
        while not finished or finished[-1] < RUNS // 3:
            finished.append(len(list(tmp_path.glob("settings/*.json"))))
            time.sleep(0.005)
        os.kill(cluster.workers[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with joblib.parallel_config(backend="dask"):
        told = compare_configs(**arguments, n_jobs=-1, store=tmp_path)
    killer.join()
    assert finished[-1] < RUNS
    pd.testing.assert_frame_equal(told.data, expected, check_exact=True)
    rows = RunStore(tmp_path).frame()
    assert rows.groupby("run")["epoch"].agg(list).tolist() == [[1, 2]] * RUNS
    assert list(tmp_path.rglob("*.lease*")) == []


@pytest.mark.usefixtures("cluster")
def test_a_run_that_kills_every_worker_is_named() -> None:
    with (
        joblib.parallel_config(backend="dask"),
        pytest.raises(RuntimeError, match=r"A worker died before these were finished: .*lr = 1.*store has need not"),
    ):
        run_in_parallel(lambda i: i and os._exit(1), [0, 1], ["lr = 0", "lr = 1"], -1, lambda *_: None)


@pytest.mark.usefixtures("cluster")
def test_an_error_on_a_cluster_is_the_caller_s() -> None:
    with (
        joblib.parallel_config(backend="dask"),
        pytest.raises(ValueError, match="`network` must return outputs of the targets' shape"),
    ):
        compare_configs(1, lr=[0.1, 0.2], data=SMALL, network=lambda: nn.Linear(2, 3), n_jobs=-1)
