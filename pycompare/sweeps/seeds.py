"""Runs that are repeated under several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from pycompare.checks import whole_number
from pycompare.divergence import is_finite
from pycompare.seeding import checked_seed


def checked_seeds(seed: int, seeds: int | Sequence[int] | None) -> tuple[int, ...]:
    """The seeds of the runs: those of a list; for a number n seed, ..., seed + n - 1; and for None `seed` alone."""
    first = checked_seed(seed)
    if seeds is None:
        return (first,)
    if isinstance(seeds, (str, bytes, type)) or not hasattr(seeds, "__len__") or getattr(seeds, "ndim", 1) == 0:
        count = whole_number("seeds", seeds, at_least=1)
        checked_seed(first + count - 1)
        return tuple(range(first, first + count))
    listed = tuple(checked_seed(one) for one in cast("Sequence[int]", seeds))
    if not listed or len({*listed}) < len(listed):
        raise ValueError(f"`seeds` must be at least one seed, all distinct; got {seeds!r}. Pass e.g. 20, or range(20).")
    return listed


def seeds_summary(data: pd.DataFrame, metric: str = "valid_loss", rows: str | None = None) -> pd.DataFrame:
    """One row a configuration: what its seeds end with.

    Arguments:
        data: columns config, seed and `metric`, a row for each epoch of each run, NaN where it has diverged.
        metric: the column.
        rows: a second column that tells configurations apart.

    Returns:
        Columns config, that of rows, seeds (how many), failed (the share of runs that end without a finite `metric`),
        and of the others' last values the mean, the standard deviation sd (n - 1; NaN for one), the least and the most.
    """
    keys = ["config", *([rows] if rows else [])]
    runs = last_values(data, metric, keys).groupby(keys, sort=False)[metric]
    return pd.DataFrame([dict(zip(keys, key, strict=True)) | _seeds_row(last) for key, last in runs])


def last_values(data: pd.DataFrame, metric: str, keys: Sequence[str]) -> pd.DataFrame:
    """The last value of a metric in every run: columns `keys`, seed and the metric."""
    return data.groupby([*keys, "seed"], sort=False)[metric].agg(lambda run: run.iloc[-1]).reset_index()


def ranking(data: pd.DataFrame, rows: str | None = None) -> pd.DataFrame:
    """`seeds_summary`, the configuration that fails least first; of those that fail alike, the lowest mean."""
    return seeds_summary(data, rows=rows).sort_values(["failed", "mean"], kind="stable", ignore_index=True)


def best_row(data: pd.DataFrame, rows: str | None = None) -> pd.Series[Any]:
    """A row of `data` of the configuration that leads the `ranking`, or one clear error where all runs diverged."""
    first = ranking(data, rows).iloc[0]
    if first["failed"] == 1:
        raise ValueError("`data` must have a run that has not diverged; got none. Choose a smaller lr, and test again.")
    keys = ["config", *([rows] if rows else [])]
    row: pd.Series[Any] = data[(data[keys] == first[keys]).all(axis=1)].iloc[0]
    return row


def means_at_the_end(data: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row a configuration.

    Returns:
        Columns config, seeds (how many), failed (the share of runs that end without a finite valid_loss), and of the
        others the means of `metrics` at the end.
    """
    last = data.groupby(["config", "seed"], sort=False).tail(1)
    ended = last[is_finite(last[["valid_loss"]])].groupby("config", sort=False)
    runs = last.groupby("config", sort=False)["seed"].size()
    good = ended["seed"].size().reindex(runs.index, fill_value=0)
    table = pd.DataFrame({"seeds": runs, "failed": 1 - good / runs}).join(ended[list(metrics)].mean())
    return table.reset_index()


def _seeds_row(last: pd.Series[float]) -> dict[str, object]:
    ended = last[is_finite(last.to_frame())]
    told = {"mean": ended.mean(), "sd": ended.std(), "least": ended.min(), "most": ended.max()}
    return {"seeds": len(last), "failed": 1 - len(ended) / np.float64(len(last)), **told}
