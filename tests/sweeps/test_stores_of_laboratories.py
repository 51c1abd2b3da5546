"""The laboratories of hyper-parameters keep their runs in a store, and take them from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pycompare import (
    MLP,
    RunStore,
    Split,
    compare_batch_sizes,
    compare_one_cycle,
    discipline,
    momentum_test,
    weight_decay_search,
)

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

    monkeypatch.setattr("pycompare.training.loop.Training.train", train)
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
