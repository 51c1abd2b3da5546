"""Extreme and misshapen arguments of a sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pycompare import Split, compare_configs
from pycompare.labs.landscape import compare_descents

X = np.linspace(-1, 1, 40).reshape(20, 2)
SMALL = Split.from_arrays(X, X.sum(axis=1))


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "rmsprop", "sgd", "adagrad"])
@pytest.mark.parametrize("engine", ["auto", "autograd"])
def test_a_rate_beyond_float32_is_a_run_that_diverges(optimizer: str, engine: str) -> None:
    comparison = compare_configs(2, lr=[0.01, 1e39, 1e300], data=SMALL, optimizer=optimizer, engine=engine)
    alone = compare_configs(2, lr=[0.01], data=SMALL, optimizer=optimizer, engine=engine)
    assert comparison.data["valid_loss"].notna().tolist() == [True, True, False, False, False, False]
    assert comparison.data.iloc[:2].equals(alone.data)
    assert comparison.summary()["diverged_at"].tolist()[1:] == [1, 1]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_decay_beyond_float32(optimizer: str) -> None:
    data = compare_configs(2, weight_decay=[0.0, 1e39], lr=0.01, data=SMALL, optimizer=optimizer).data
    assert data["valid_loss"].notna().tolist() == [True, True, False, False]


def test_in_double_such_a_rate_is_a_number() -> None:
    data = compare_configs(1, lr=[1e39], data=SMALL, dtype="float64", optimizer="sgd").data
    assert len(data) == 1


def test_a_descent_beyond_float32() -> None:
    ends = compare_descents(lr=[0.1, 1e39], epochs=2).summary()
    assert ends["diverged_at"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lr": np.ma.array([0.1, 0.2], mask=[0, 1])}, ValueError, "`lr` must be free of masked entries"),
        ({"lr": [0.1], "beta1": np.ma.masked}, (ValueError, TypeError), "`beta1` must"),
        ({"batch_size": [10**400]}, ValueError, "`batch_size` must be at most 9223372036854775807"),
        ({"lr": [0.1], "epochs": 10**400}, ValueError, "`epochs` must be at most"),
        ({"lr": [10**400]}, ValueError, "`lr` must be finite"),
        ({"lr": [0.1], "engine": np.array(["auto", "fused"])}, ValueError, "`engine` must be one of auto"),
        ({"lr": [0.1], "dtype": np.array([1, 2])}, ValueError, "`dtype` must be one of float32"),
        ({"lr": [0.1], "optimizer": np.array(["sdg"])}, ValueError, "`optimizer` must be one of"),
        ({"lr": [0.1], "progress": np.array([1, 2])}, TypeError, "`progress` must be True or False"),
        ({"lr": [0.1], "data": np.ones(3)}, TypeError, "`data` must be a Split"),
        (
            {"lr": [0.1], "data": Split.from_arrays(X * 1e200, X[:, 0])},
            ValueError,
            "`ds_train` must hold numbers within",
        ),
        (
            {"lr": [0.1], "data": Split.from_arrays(X, X[:, 0] * 1e39)},
            ValueError,
            "must hold numbers within torch.float32",
        ),
    ],
)
def test_one_clear_error(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        compare_configs(**({"epochs": 1, "data": SMALL} | arguments))


def test_data_beyond_float32_train_in_double() -> None:
    data = Split.from_arrays(X * 1e39, X[:, 0])
    assert np.isfinite(compare_configs(1, lr=[0.1], data=data, dtype=torch.float64).data["valid_loss"]).all()
