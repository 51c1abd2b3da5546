"""Early stopping, and starts from other seeds."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from pycompare import MLP, EarlyStopping, Split, compare_configs, torch_manual_seed, train_valid, valid_loop
from pycompare.training.batches import split_batches
from pycompare.training.stopping import Best


def rows(name: str, values: list[float]) -> list[tuple[int, list[dict[str, Any]]]]:
    return [(epoch, [{"epoch": epoch, name: value}]) for epoch, value in enumerate(values, 1)]


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("stopping", "values", "stopped", "best"),
    [
        (EarlyStopping(1), [3, 2, 2, 1], 3, 2),
        (EarlyStopping(2), [3, 2, 2, 1], None, 4),
        (EarlyStopping(2), [3, 4, 5, 1], 3, 1),
        (EarlyStopping(2, 0.5), [3, 2.9, 2.8, 1], 3, 3),  # not by enough, but the best all the same
        (EarlyStopping(2, 0.5), [3, 2.75, 2.25, 2.25, 2.25], 5, 3),
        (EarlyStopping(2, 0.5), [3, 2.5, 2.5], 3, 2),  # by more than, not by as much
        (EarlyStopping(9), [3, NAN, 1], 2, 1),
        (EarlyStopping(9), [3, INF, 1], 2, 1),
        (EarlyStopping(9), [NAN, 1], 1, 0),
        (EarlyStopping(2, on="valid_accuracy"), [0.1, 0.5, 0.5, 0.4, 0.9], 4, 2),
        (EarlyStopping(2, on="train_loss"), [1, 2, 3], 3, 1),
    ],
)
def test_a_plateau_ends_the_training(
    stopping: EarlyStopping, values: list[float], stopped: int | None, best: int
) -> None:
    noted, network = Best(stopping), nn.Identity()
    seen = list(noted.up_to_plateau(rows(stopping.on, values), network))
    assert (len(seen), noted.ended) == (stopped or len(values), stopped is not None)
    assert noted.epoch == best


def test_an_accuracy_of_a_run_whose_loss_is_not_finite_counts_for_nothing() -> None:
    noted = Best(EarlyStopping(9, on="valid_accuracy"))
    list(noted.up_to_plateau([(1, [{"valid_accuracy": 0.9, "valid_loss": NAN}])], nn.Identity()))
    assert (noted.ended, noted.epoch) == (True, 0)


@pytest.mark.parametrize("engine", ["autograd", "fused"])
def test_the_best_weights_are_restored(small: Split, engine: str) -> None:
    with torch_manual_seed(3):
        network = MLP(2)
    told = train_valid(network, small.train, small.valid, 60, 5, lr=0.1, engine=engine, early_stopping=EarlyStopping(2))
    assert len(told) < 60
    assert valid_loop(network, split_batches(small.valid, 5)) == told["valid_loss"].min() < told["valid_loss"].iloc[-1]
    assert not network.training


def test_rows_up_to_the_end_are_those_of_a_whole_run(small: Split) -> None:
    options = {"epochs": 40, "batch_size": 5, "lr": [0.1, 0.03], "data": small, "seed": 3}
    whole, ended = compare_configs(**options), compare_configs(**options, early_stopping=EarlyStopping(2))
    for config, run in ended.data.groupby("config"):
        same = whole.data[whole.data["config"] == config].iloc[: len(run)]
        pd.testing.assert_frame_equal(run.reset_index(drop=True), same.reset_index(drop=True), check_exact=True)
    assert len(ended.data) < len(whole.data)
    assert ended.arguments["early_stopping"] == EarlyStopping(2)


def test_kept_networks_are_the_best(small: Split) -> None:
    told = compare_configs(
        40, 5, [0.1], data=small, seed=3, early_stopping=EarlyStopping(2), restarts=2, keep_networks=True
    )
    assert valid_loop(told.networks["lr = 0.1"], split_batches(small.valid, 5)) == told.data["valid_loss"].min()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_best_start_is_kept(small: Split, n_jobs: int) -> None:
    options = {"epochs": 40, "batch_size": 5, "lr": [0.1, 0.03], "data": small, "early_stopping": EarlyStopping(2)}
    told = compare_configs(**options, seed=3, restarts=2, n_jobs=n_jobs).data
    starts = {start: compare_configs(**options, seed=3 + (start - 1) * 1_000_000).data for start in (1, 2, 3)}
    for config, run in told.groupby("config"):
        alone = {start: frame[frame["config"] == config] for start, frame in starts.items()}
        best = min(alone, key=lambda start: alone[start]["valid_loss"].min())
        assert set(run["start"]) == {best}
        pd.testing.assert_frame_equal(
            run.drop(columns="start").reset_index(drop=True), alone[best].reset_index(drop=True), check_exact=True
        )
    assert told.columns.tolist()[:4] == ["config", "lr", "start", "epoch"]


def test_a_start_that_is_not_ended_is_the_last(small: Split) -> None:
    told = compare_configs(3, lr=[0.1], data=small, early_stopping=EarlyStopping(9), restarts=5)
    assert set(told.data["start"]) == {1}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"patience": 0}, ValueError, r"`patience` must be at least 1; got 0"),
        ({"min_delta": -1}, ValueError, r"`min_delta` must be at least 0; got -1"),
        ({"on": 3}, TypeError, r"`on` must be the name of a column; got 3"),
    ],
)
def test_a_rule_is_checked(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        EarlyStopping(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"early_stopping": 5}, TypeError, r"`early_stopping` must be an EarlyStopping; got 5"),
        ({"early_stopping": EarlyStopping(on="valid_accuracy")}, ValueError, r"`on` must be one of .*valid_rmse"),
        ({"restarts": 2}, ValueError, r"`restarts` must be 0 without early stopping"),
        ({"restarts": -1}, ValueError, r"`restarts` must be at least 0"),
    ],
)
def test_arguments_are_checked_before_training(
    small: Split, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        compare_configs(lr=[0.1], data=small, network=lambda: MLP(2), **arguments)


@pytest.fixture
def small() -> Split:
    generator = torch.Generator().manual_seed(8)
    return Split.from_arrays(torch.randn(40, 2, generator=generator), torch.randn(40, generator=generator))
