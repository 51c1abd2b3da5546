"""The whole recipe: what each step chooses is what its own result says, and what the next one starts from."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pycompare import (
    MLP,
    Discipline,
    OneCycle,
    Split,
    compare_configs,
    discipline,
    lr_range_test,
    momentum_test,
    weight_decay_search,
)

X = np.random.default_rng(1).normal(size=(120, 3))
SMALL = Split.from_arrays(X, np.sin(X[:, 0]) + X[:, 1] ** 2)
GIVEN: dict[str, Any] = {"data": SMALL, "network": lambda: MLP(3, (8,)), "seeds": 2}
SHORT = {"epochs": 6, "momentum": [0.9, 0.5], "low": 0.4, "weight_decay": [0.1, 0.0], "batch_size": [8, 16]}


def _made(**arguments: Any) -> Discipline:
    return discipline(**GIVEN | SHORT | arguments)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "rmsprop"])
def test_every_step_is_the_laboratory_of_its_name_with_what_was_chosen_before(optimizer: str) -> None:
    made = _made(optimizer=optimizer)
    known = made.chosen
    assert [*made.parts] == made.data["step"].tolist()
    assert list(known) == ["batch_size", "bound", "max_lr", "momentum", "policy", "weight_decay", "schedule"]
    of_momentum = {"betas": (0.9, 0.999)} if optimizer == "adamw" else {"momentum": 0.9}
    shared: dict[str, Any] = GIVEN | {"optimizer": optimizer, "batch_size": known["batch_size"]}
    bounds = lr_range_test(**shared, **of_momentum).summary().set_index("rule")["lr"]
    assert known["bound"] == float(f"{bounds['largest that converges']:.2g}")
    tested = momentum_test([0.9, 0.5], low=0.4, lr=known["max_lr"], epochs=2, **shared)
    assert tested.best() == (known["momentum"], known["policy"])
    best = {name: (known["momentum"], 0.999) if name == "betas" else known["momentum"] for name in of_momentum}
    cycled = (0.4, known["momentum"]) if known["policy"] == "cyclical" else None
    cycle = OneCycle(known["max_lr"], 2 * ceil(84 / known["batch_size"]), momentum=cycled)
    searched = weight_decay_search([0.1, 0.0], schedule=cycle, epochs=2, **shared, **best)
    assert searched.best() == known["weight_decay"]
    decayed: Any = made.parts["weight decay"]
    assert decayed.data["valid_loss"].tolist() == searched.data["valid_loss"].tolist()


def test_the_training_at_the_end_has_what_was_chosen() -> None:
    made = _made()
    known, end = made.chosen, made.parts["one cycle"]
    assert isinstance(known["schedule"], OneCycle)
    alone = compare_configs(
        6,
        schedule=[known["schedule"]],
        momentum=known["momentum"],
        optimizer="sgd",
        **GIVEN | {name: known[name] for name in ("batch_size", "weight_decay")},
    )
    ours = end.data[end.data["schedule"] == "1cycle"]
    assert ours["valid_loss"].tolist() == alone.data["valid_loss"].tolist()
    names = ["1cycle", "cosine 1cycle", "constant", "constant, a third", "constant, a tenth"]
    assert end.data["schedule"].unique().tolist() == names


def test_the_largest_batch_that_is_quick_enough_is_taken() -> None:
    assert _made(epoch_seconds=60).chosen["batch_size"] == 16
    slow = _made(epoch_seconds=0)
    took = slow.parts["batch size"].data.groupby("batch_size")["seconds"].max()
    assert slow.chosen["batch_size"] == took.idxmin()
    assert "no epoch takes 0 s at most" in repr(slow)


def test_sizes_leave_an_epoch_eight_steps() -> None:
    sizes = _made(batch_size=None).parts["batch size"].data["batch_size"].unique().tolist()
    assert sizes == [16]  # of 84 rows, eight steps of which have 10


def test_it_says_why_and_saves_every_step(tmp_path: Path) -> None:
    made = _made()
    for row in made.data.to_dict("records"):
        assert f"- {row['step']}: {row['reason']}" in repr(made)
    names = {path.name for path in made.save(tmp_path, ())}
    parts = ("batch_sizes", "lr_range_test", "comparison", "momentum_test", "weight_decay_search", "discipline")
    assert {f"{name}.csv" for name in parts} <= names
    assert made.plot() is not None


def test_it_leaves_no_trace() -> None:
    before = torch.get_rng_state()
    _made()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"epochs": 3}, ValueError, "`epochs` must be at least 4; got 3"),
        ({"epoch_seconds": -1}, ValueError, "`epoch_seconds` must be at least 0; got -1"),
        ({"batch_size": []}, ValueError, "`batch_size` must be a one-dimensional list with at least one value"),
        ({"momentum": [1.0]}, ValueError, "`momentum` must be less than 1; got 1.0"),
        ({"low": -1}, ValueError, "`low` must be at least 0; got -1"),
        ({"low": 0.6}, ValueError, "`low` must be at most the least momentum, 0.5; got 0.6"),
        ({"weight_decay": [-1]}, ValueError, "`weight_decay` must be at least 0; got -1"),
        ({"optimizer": "adagrad"}, ValueError, "`optimizer` must have a momentum or betas; got 'adagrad'"),
        ({"optimizer": "sdg"}, ValueError, "`optimizer` must be one of .* Did you mean 'sgd'?"),
        ({"loss": "mes"}, ValueError, "`loss` must be one of .* Did you mean 'mse'?"),
        ({"data": X}, TypeError, "`data` must be a Split"),
        ({"network": MLP(3)}, TypeError, "`network` must be a callable"),
        ({"seeds": 0}, ValueError, "`seeds` must be at least 1"),
        ({"n_jobs": 0}, ValueError, "`n_jobs` must be 1 or more"),
        ({"progress": 1}, TypeError, "`progress` must be True or False"),
    ],
)
def test_bad_input_is_one_clear_error_before_any_training(
    arguments: dict[str, Any], error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_run(*_: Any, **__: Any) -> None:
        raise AssertionError("training started before the arguments were checked")

    monkeypatch.setattr("pycompare.sweeps.runs.begin_training", no_run)
    with pytest.raises(error, match=message):
        _made(**arguments)
