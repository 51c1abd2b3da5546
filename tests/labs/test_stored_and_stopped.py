"""Laboratories keep their runs in a store, take them from there, and end on a plateau."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pycompare import (
    MLP,
    EarlyStopping,
    RunStore,
    Split,
    compare_batch_sizes,
    compare_dropout,
    compare_inits,
    compare_one_cycle,
    digits_data,
    discipline,
    momentum_test,
    weight_decay_restarts,
    weight_decay_search,
)

DIGITS = digits_data(n=100, n_valid=50)
X = np.random.default_rng(1).normal(size=(120, 3))
GIVEN: dict[str, Any] = {
    "data": Split.from_arrays(X, np.sin(X[:, 0]) + X[:, 1] ** 2),
    "seeds": 2,
    "progress": False,
}


def _network() -> MLP:
    return MLP(3, (8,))


LABORATORIES: dict[str, tuple[Callable[..., Any], dict[str, Any], int]] = {
    "momentum_test": (momentum_test, {"momentum": [0.9, 0.5], "low": 0.4, "epochs": 2}, 8),
    "weight_decay_search": (weight_decay_search, {"weight_decay": [0.1, 0], "epochs": 2}, 4),
    "weight_decay_restarts": (weight_decay_restarts, {"weight_decay": [0.1, 0], "epochs": 2, "most_epochs": 3}, 2),
    "compare_one_cycle": (compare_one_cycle, {"max_lr": 0.1, "epochs": 2}, 10),
    "compare_batch_sizes": (compare_batch_sizes, {"sizes": [8, 16], "amount": 2}, 4),
}


@pytest.mark.parametrize("name", LABORATORIES)
def test_what_is_stored_is_not_trained_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laboratory, settings, runs = LABORATORIES[name]
    first = laboratory(**settings, **GIVEN, network=_network, store=tmp_path)
    assert len(RunStore(tmp_path).runs()) == runs
    without = laboratory(**settings, **GIVEN, network=_network)

    def train(*_: Any, **__: Any) -> None:
        raise AssertionError("a stored run was trained again")

    monkeypatch.setattr("pycompare.sweeps.runs.begin_training", train)
    again = laboratory(**settings, **GIVEN, network=_network, store=tmp_path)
    timeless = [name for name in first.data if name != "seconds"]
    for other in (again, without):
        pd.testing.assert_frame_equal(other.data[timeless], first.data[timeless], check_exact=True)


def test_the_whole_recipe_is_stored(tmp_path: Path) -> None:
    settings = {"epochs": 4, "momentum": [0.9, 0.5], "low": 0.4, "weight_decay": 0.1, "batch_size": 8}
    first = discipline(**settings, **GIVEN, network=_network, store=tmp_path)
    stored = len(RunStore(tmp_path).runs())
    again = discipline(**settings, **GIVEN, network=_network, store=tmp_path)
    assert len(RunStore(tmp_path).runs()) == stored > 20
    assert again.data["choice"].tolist() == first.data["choice"].tolist()


def test_seconds_are_not_stored(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`store` must be None with budget 'seconds'"):
        compare_batch_sizes([8], "seconds", 0.1, **GIVEN, store=tmp_path)


@pytest.mark.parametrize(
    ("laboratory", "settings", "when"),
    [
        (compare_dropout, {"p": [0, 0.5], "epochs": 12, "hidden": (4,), "data": DIGITS}, "epoch"),
        (compare_inits, {"sigma": [0.5, 1], "steps": 40, "every": 2}, "step"),
        (compare_one_cycle, {"max_lr": 0.05, "epochs": 30, "data": GIVEN["data"]}, "epoch"),
    ],
)
def test_trainings_end_on_a_plateau(laboratory: Any, settings: dict[str, Any], when: str) -> None:
    whole = laboratory(**settings, seeds=2, progress=False).data
    stopped = laboratory(
        **settings, seeds=2, progress=False, early_stopping=EarlyStopping(patience=2, min_delta=0.01)
    ).data
    assert len(stopped) < len(whole)
    for key, run in stopped.groupby(["config", "seed"], sort=False):
        same = whole[(whole["config"] == key[0]) & (whole["seed"] == key[1])].iloc[: len(run)]
        assert run["valid_loss"].tolist() == same["valid_loss"].tolist()
    assert when in stopped
