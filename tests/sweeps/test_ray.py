"""Runs on a cluster of Ray's, through joblib, with a store that all workers share; where Ray is installed."""

from __future__ import annotations

from pathlib import Path

import joblib
import pytest

from pycompare import RunStore, compare_configs

ray = pytest.importorskip("ray")


@pytest.fixture(autouse=True)
def _nothing_leaks() -> None:
    """Not asked of Ray, which leaves handlers and variables behind in the process that started it."""


def test_ray_gives_the_same_bits_and_fills_the_store(tmp_path: Path) -> None:
    from ray.util.joblib import register_ray

    alone = compare_configs(2, lr=[0.1, 0.01], seeds=2, progress=False)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        register_ray()
        with joblib.parallel_config(backend="ray", n_jobs=2):
            shared = compare_configs(2, lr=[0.1, 0.01], seeds=2, n_jobs=None, store=tmp_path, progress=False)
    finally:
        ray.shutdown()
    assert shared.data.equals(alone.data)
    assert len(RunStore(tmp_path).runs()) == 4
    assert RunStore(tmp_path).unfinished() == []
