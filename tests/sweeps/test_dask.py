from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import distributed
import joblib
import numpy as np
import pandas as pd
import pytest

from pycompare import Split, compare_configs

X = np.linspace(-1, 1, 60).reshape(30, 2)
SMALL = Split.from_arrays(X, X.sum(axis=1))


@pytest.fixture(autouse=True)
def _nothing_leaks() -> None:
    """Not asked here: the threads of distributed draw from `random` while they run."""


@pytest.fixture
def _cluster() -> Iterator[Any]:
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster):
        yield


@pytest.mark.usefixtures("_cluster")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_dask_cluster_gives_the_same_bits_in_the_same_order() -> None:
    arguments: dict[str, Any] = {"epochs": 2, "lr": [0.1, 0.2, 0.3], "data": SMALL}
    expected = compare_configs(**arguments).data
    with joblib.parallel_config(backend="dask"):
        pd.testing.assert_frame_equal(compare_configs(**arguments, n_jobs=-1).data, expected, check_exact=True)
