"""Which differences exceed the noise of the seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon

from pycompare import Split, compare_configs
from pycompare.sweeps.differences import difference_words, paired_differences

SEEDS = range(10)


def _frame(**ends: list[float]) -> pd.DataFrame:
    """Configurations by their last losses, a seed each; a first epoch that must not count."""
    return pd.DataFrame(
        [
            {"config": config, "seed": seed, "epoch": epoch, "valid_loss": value if epoch == 2 else 99.0}
            for config, values in ends.items()
            for seed, value in enumerate(values)
            for epoch in (1, 2)
        ]
    )


NOISE = np.random.default_rng(1).normal(size=len(SEEDS))


@pytest.mark.parametrize(
    ("shift", "exceeds"), [(0.0, False), (0.01, False), (10.0, True), (-10.0, True), (math.nan, True)]
)
def test_a_difference_exceeds_the_noise_where_it_does(shift: float, exceeds: bool) -> None:
    others = np.random.default_rng(2).normal(size=len(SEEDS))
    table = paired_differences(_frame(a=list(NOISE), b=list(others + shift)))
    assert (table["p"].item() < 0.05) is exceeds
    assert ("1 of 1 differences" in difference_words(table)) is exceeds


def test_p_is_wilcoxon_s_and_corrected_after_holm() -> None:
    ends = {name: list(np.random.default_rng(i).normal(i / 2, size=12)) for i, name in enumerate("abc")}
    table = paired_differences(_frame(**ends))
    p = [wilcoxon(ends[a], ends[b]).pvalue for a, b in ("ab", "ac", "bc")]
    assert table["p"].tolist() == pytest.approx(p, rel=1e-12)  # ranks are doubles, as scipy's own are
    smallest, middle, largest = sorted(p)
    corrected = [min(1, 3 * smallest), min(1, max(3 * smallest, 2 * middle)), min(1, max(2 * middle, largest))]
    assert sorted(table["p_holm"]) == pytest.approx(corrected, rel=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "below", "p"),
    [
        ([1.0] * 6, [1.0] * 6, 0, 1.0),
        ([math.nan] * 6, [math.nan] * 6, 0, 1.0),
        ([1, 2, 3, 4, 5, 6], [math.nan] * 6, 6, 2 / 2**6),
        ([math.nan] * 6, [1e300] * 6, 0, 2 / 2**6),
    ],
)
def test_runs_that_diverge_are_the_worst(first: list[float], second: list[float], below: int, p: float) -> None:
    (row,) = paired_differences(_frame(a=first, b=second)).to_dict("records")
    assert (row["below"], row["p"]) == (below, p)
    assert math.isnan(row["difference"]) == (p < 1)


@pytest.mark.parametrize(("seeds", "said"), [(5, "5 seeds cannot show any, 6 could"), (6, "1 of 1 differences")])
def test_too_few_seeds_are_said_to_be(seeds: int, said: str) -> None:
    table = paired_differences(_frame(a=[1 + 0.1 * i for i in range(seeds)], b=[9 + 0.3 * i for i in range(seeds)]))
    assert said in difference_words(table)


def test_pairs_are_made_within_a_row() -> None:
    frame = pd.concat([_frame(a=list(NOISE), b=list(NOISE + 5)).assign(momentum=m) for m in (0.0, 0.9)])
    table = paired_differences(frame, rows="momentum")
    assert table[["momentum", "config", "other"]].to_numpy().tolist() == [[0.0, "a", "b"], [0.9, "a", "b"]]
    assert "- momentum = 0.9: a below b in 10 of 10 seeds, by 5 in the median" in difference_words(table, "momentum")


def _compare(**arguments: Any) -> Any:
    X = np.linspace(-1, 1, 60).reshape(30, 2)
    return compare_configs(epochs=2, data=Split.from_arrays(X, X.sum(axis=1)), **arguments)


def test_a_comparison_says_it_below_its_summary() -> None:
    assert "\n- lr = 0.01 below lr = 1e+20 in 6 of 6 seeds (p = 0.031)" in repr(_compare(lr=[0.01, 1e20], seeds=6))
    assert "Wilcoxon" not in repr(_compare(lr=[0.1, 0.2]))
    assert "Wilcoxon" not in repr(_compare(loss=["mse", "l1"], seeds=6))


@pytest.mark.parametrize(
    ("arguments", "metric", "message"),
    [
        ({"lr": [0.1]}, "valid_loss", "`seeds` must be several"),
        ({"lr": [0.1], "seeds": 2}, "loss", "`metric` must be one of train_loss, valid_loss, valid_rmse; got 'loss'"),
        ({"loss": ["mse", "l1"], "seeds": 2}, "valid_loss", "`loss` must be one"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments: dict[str, Any], metric: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _compare(**arguments).differences(metric)
