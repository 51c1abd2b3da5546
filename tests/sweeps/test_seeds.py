"""Runs repeated under several seeds: which, what is told of them, and that each is the run of its seed alone."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pycompare import MLP, Comparison, Split, compare_configs
from pycompare.sweeps.seeds import checked_seeds, means_at_the_end, seeds_summary

X = torch.linspace(-1, 1, 30)
SMALL = Split.from_arrays(X[:, None], X**2)
CLASSES = Split.from_arrays(torch.stack([X, X**2], 1).numpy(), (X > 0.2).long().numpy())
compare = partial(compare_configs, epochs=2, progress=False)
LARGEST = 2**64 - 1


@pytest.mark.parametrize(
    ("seed", "seeds", "expected"),
    [
        (7, None, (7,)),
        (7, 1, (7,)),
        (7, 3, (7, 8, 9)),
        (0, 2.0, (0, 1)),
        (7, [5], (5,)),
        (7, (3, 1, 2), (3, 1, 2)),
        (7, range(2, 4), (2, 3)),
        (7, np.array([4, 2]), (4, 2)),
        (7, pd.Series([4, 2]), (4, 2)),
        (7, np.int64(2), (7, 8)),
    ],
)
def test_which_seeds(seed: int, seeds: Any, expected: tuple[int, ...]) -> None:
    got = checked_seeds(seed, seeds)
    assert got == expected
    assert {*map(type, got)} == {int}


@pytest.mark.parametrize(
    ("seed", "seeds", "error", "message"),
    [
        (1, 0, ValueError, "`seeds` must be at least 1; got 0"),
        (1, -3, ValueError, "`seeds` must be at least 1; got -3"),
        (1, 2.5, ValueError, r"`seeds` must be a whole number; got 2\.5"),
        (1, True, TypeError, "`seeds` must be a whole number; got True"),
        (1, "20", TypeError, "`seeds` must be a whole number; got '20'"),
        (1, [], ValueError, r"`seeds` must be at least one seed, all distinct; got \[\]"),
        (1, [1, 2, 1], ValueError, r"all distinct; got \[1, 2, 1\]"),
        (1, [1, "a"], TypeError, "`seed` must be a whole number; got 'a'"),
        (1.5, 2, ValueError, r"`seed` must be a whole number; got 1\.5"),
    ],
)
def test_bad_seeds_are_one_clear_error(seed: Any, seeds: Any, error: type[Exception], message: str) -> None:
    for call in (checked_seeds, lambda seed, seeds: compare(data=SMALL, lr=[0.1], seed=seed, seeds=seeds)):
        with pytest.raises(error, match=message):
            call(seed, seeds)


SWEEPS: dict[str, dict[str, Any]] = {
    "regression": {"lr": [0.1, 0.01], "data": SMALL},
    "classes": {"batch_size": [4, 30], "data": CLASSES, "loss": "cross_entropy"},
    "double": {"beta1": [0.5, 0.9], "data": SMALL, "dtype": "float64", "engine": "autograd"},
    "dropout": {
        "lr": [0.1, 0.01],
        "data": SMALL,
        "network": lambda: torch.nn.Sequential(MLP(1, (4,), 4), torch.nn.Dropout(), torch.nn.Linear(4, 1)),
    },
}


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("name", SWEEPS)
def test_each_run_is_that_of_its_seed_alone(name: str, n_jobs: int) -> None:
    several = compare(**SWEEPS[name], seeds=[3, 123], n_jobs=n_jobs).data
    alone = [compare(**SWEEPS[name], seed=seed).data.assign(seed=seed) for seed in (3, 123)]
    expected = pd.concat(alone).sort_values(
        "config", key=lambda c: c.map({v: i for i, v in enumerate(c.unique())}), kind="stable"
    )
    assert several.columns.tolist() == [*expected.columns[:2], "seed", *expected.columns[2:-1]]
    pd.testing.assert_frame_equal(several, expected[several.columns].reset_index(drop=True), check_exact=True)


def test_one_seed_in_a_list_is_a_column_and_none_is_not() -> None:
    with_column, without = compare(lr=[0.1], data=SMALL, seeds=1), compare(lr=[0.1], data=SMALL)
    pd.testing.assert_frame_equal(with_column.data.drop(columns="seed"), without.data, check_exact=True)
    assert (with_column.arguments["seeds"], without.arguments["seed"]) == ([123], 123)
    assert ("seed" in with_column.arguments, "seeds" in without.arguments) == (False, False)


def test_networks_have_the_names_of_their_runs() -> None:
    networks = compare(lr=[0.1, 0.01], data=SMALL, seeds=2, keep_networks=True).networks
    assert [*networks] == [f"lr = {lr}, seed = {seed}" for lr in (0.1, 0.01) for seed in (123, 124)]
    weights = [network[0].weight.flatten().tolist() for network in networks.values()]
    assert len({*map(tuple, weights)}) == 4


def test_on_epoch_is_told_the_seed() -> None:
    seen = []
    compare(lr=[0.1], data=SMALL, seeds=2, on_epoch=lambda config, epoch, _: seen.append((config, epoch)))
    assert seen == [(f"lr = 0.1, seed = {seed}", epoch) for seed in (123, 124) for epoch in (0, 1, 2)]


@pytest.mark.parametrize("arguments", [{"lr": [0.1, 1e30]}, {"lr": [0.1], "loss": "l1"}])
def test_what_is_saved_is_read_back(arguments: dict[str, Any], tmp_path: Path) -> None:
    saved = compare(**arguments, data=SMALL, seeds=[5, 2])
    saved.save(tmp_path)
    loaded = Comparison.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.data, saved.data, check_exact=True)
    pd.testing.assert_frame_equal(loaded.summary(), saved.summary(), check_exact=True)
    assert (loaded.arguments, repr(loaded)) == (saved.arguments, repr(saved))
    loaded.plot_final().draw()


RUNS = pd.DataFrame(
    {
        "config": ["b"] * 6 + ["a"] * 4 + ["c"] * 2,
        "seed": [1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 1, 1],
        "epoch": 6 * [1, 2],
        "valid_loss": [9, 1, 9, 2, 9, 6, 1, math.nan, math.nan, 4, math.nan, math.nan],
        "valid_accuracy": [0, 0.1, 0, 0.2, 0, 0.6, 0, 0.9, 0, 0.5, 0.7, 0.8],
    }
)


def test_the_summary_over_seeds() -> None:
    summary = seeds_summary(RUNS).set_index("config")
    assert summary.index.tolist() == ["b", "a", "c"]
    assert summary.loc["b"].tolist() == [3, 0, 3, 7**0.5, 1, 6]
    assert summary.loc["a", ["seeds", "failed", "mean", "least", "most"]].tolist() == [2, 0.5, 4, 4, 4]
    assert summary.loc["c", ["seeds", "failed"]].tolist() == [1, 1]
    assert summary[["sd", "mean"]].isna().to_numpy().tolist() == [[False, False], [True, False], [True, True]]


def test_means_at_the_end() -> None:
    means = means_at_the_end(RUNS, ["valid_loss", "valid_accuracy"]).set_index("config")
    assert means.index.tolist() == ["b", "a", "c"]
    assert means.loc["a"].tolist() == [2, 0.5, 4, 0.5]
    assert means.loc["b"].tolist() == pytest.approx([3, 0, 3, 0.3])
    assert means.loc["c", "valid_accuracy":].isna().all()
