"""Recorded trajectories for the tests, and which lane this machine compares them in."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch

from pycompare.parity import mkl_kernels
from pycompare.parity.tables.recorded import recorded_folder, recording
from tests.browser.chromium import browser

__all__ = ["browser"]

matplotlib.use("agg")

RECORDED = recorded_folder()
FROZEN = Path(__file__).parent / "frozen"
KERNELS = mkl_kernels()


def pytest_report_header() -> str:
    return (
        f"kernels: {KERNELS} (recorded: matrix products have the recording's bits; other: curves within 2e-3 of them)"
    )


def recorded(name: str) -> pd.DataFrame:
    """A recorded file, its doubles as they were, after its digest was checked."""
    path = recording(name.removesuffix(".csv"))
    expected = json.loads((path.parent / "manifest.json").read_text())["files"][name]["sha256"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == expected, f"{name} is not the recorded file"
    return pd.read_csv(path)


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    """Every test, whatever it calls, leaves the global state of torch, numpy and random as it was."""
    torch.manual_seed(20240215)
    before = global_state()
    yield
    after = global_state()
    assert before == after


def global_state() -> tuple[object, ...]:
    numpy_state = np.random.get_state()  # noqa: NPY002
    return (
        torch.get_rng_state().numpy().tobytes(),
        torch.initial_seed(),
        numpy_state[1].tobytes(),
        numpy_state[2],
        random.getstate(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    )
