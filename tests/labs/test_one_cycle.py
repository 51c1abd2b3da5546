"""1cycle beside constant rates: the schedules, and what each run is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pycompare import (
    MLP,
    ConstantRate,
    CosineOneCycle,
    OneCycle,
    Split,
    compare_one_cycle,
    torch_manual_seed,
    train_valid,
)

X = np.random.default_rng(1).normal(size=(120, 3))
SMALL = Split.from_arrays(X, np.sin(X[:, 0]) + X[:, 1] ** 2)
STEPS = 2 * -(-len(SMALL.train) // 16)


@pytest.mark.parametrize(("optimizer", "fixed"), [("sgd", {"momentum": 0.9}), ("adamw", {"betas": (0.9, 0.999)})])
@pytest.mark.parametrize("momentum", [(0.8, 0.9), 0.9])
def test_each_run_is_the_training_under_its_schedule(optimizer: str, fixed: dict[str, Any], momentum: Any) -> None:
    made = compare_one_cycle(0.2, momentum, epochs=2, data=SMALL, optimizer=optimizer, weight_decay=0.1, seeds=[5, 6])
    cycled = momentum if isinstance(momentum, tuple) else None
    schedules = {
        "1cycle": OneCycle(0.2, STEPS, momentum=cycled),
        "cosine 1cycle": CosineOneCycle(0.2, STEPS, momentum=cycled),
        "constant": ConstantRate(0.2),
        "constant, a third": ConstantRate(0.067),
        "constant, a tenth": ConstantRate(0.02),
    }
    assert made.values == tuple(schedules)
    for (name, seed), run in made.data.groupby(["schedule", "seed"], sort=False):
        settings = {"optimizer": optimizer, "weight_decay": 0.1, "lr": 0.01, "schedule": schedules[name]} | fixed
        with torch_manual_seed(seed):
            theirs = train_valid(MLP(3), SMALL.train, SMALL.valid, 2, 16, **settings)
        assert run["valid_loss"].tolist() == theirs["valid_loss"].tolist()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_lr": -1}, ValueError, "`max_lr` must be at least 0; got -1"),
        ({"momentum": (0.9,)}, TypeError, "`momentum` must be a pair"),
        ({"momentum": (0.9, 0.8)}, ValueError, r"`momentum\[0\]` must be at most `momentum\[1\]`"),
        ({"momentum": 1}, ValueError, "`momentum` must be less than 1; got 1"),
        ({"optimizer": "adagrad"}, ValueError, "`optimizer` must have a momentum or betas"),
        ({"epochs": 1, "batch_size": 100}, ValueError, "`steps` must be at least 4; got 1"),
        ({"data": X}, TypeError, "`data` must be a Split"),
    ],
)
def test_bad_input_is_one_clear_error(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        compare_one_cycle(**{"max_lr": 0.1, "data": SMALL} | arguments)
