"""Which differences between configurations exceed the noise of their seeds."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd

from pycompare.divergence import is_finite
from pycompare.labels import setting_label
from pycompare.sweeps.seeds import last_values

LEVEL, _MOST_TOLD = 0.05, 6
_FAR = float(np.finfo(float).max) / 4  # a difference of two such is finite, and further off than that of all losses


def paired_differences(data: pd.DataFrame, metric: str = "valid_loss", rows: str | None = None) -> pd.DataFrame:
    """What each two configurations differ by at the end, paired by seed, and whether that is more than chance.

    Wilcoxon's signed-rank test, two-sided, its p-values corrected for their number after Holm. It asks for no
    distribution of the losses, and takes runs that diverged: they are further off than all others.

    Arguments:
        data, metric, rows: as in `seeds_summary`; pairs are made within each value of rows.

    Returns:
        Columns that of rows, config, other, seeds (how many), difference (the median over seeds of config's value less
        other's, NaN where runs diverged in half of them), below (in how many seeds config's is the lower one),
        p, p_holm.

    Source: Wilcoxon (1945), Biometrics Bulletin 1; Holm (1979), Scandinavian Journal of Statistics 6.
    """
    keys = ["config", *([rows] if rows else [])]
    last, worst = last_values(data, metric, keys), -_FAR if metric.endswith("accuracy") else _FAR
    facets = last.groupby(rows, sort=False) if rows else [(None, last)]
    table = pd.DataFrame(
        [
            ({rows: value} if rows else {})
            | {"config": config, "other": other}
            | _paired(runs[config], runs[other], worst)
            for value, facet in facets
            for runs in [{config: one.set_index("seed")[metric] for config, one in facet.groupby("config", sort=False)}]
            for config, other in itertools.combinations(runs, 2)
        ],
        columns=[*keys[1:], "config", "other", "seeds", "difference", "below", "p"],
    )
    return table.assign(p_holm=_holm(table["p"].to_numpy(float)))


def _paired(first: pd.Series[float], second: pd.Series[float], worst: float) -> dict[str, object]:
    from scipy.stats import rankdata, wilcoxon

    values, others = (np.where(is_finite(one.to_frame()), one, worst) for one in (first, second))
    by = values - others
    ranks = np.sign(by) * rankdata(np.abs(by))
    median = float(np.median(by))
    return {
        "seeds": len(by),
        "difference": median if abs(median) < _FAR / 2 else math.nan,
        "below": int((by < 0).sum()),
        "p": float(wilcoxon(ranks).pvalue) if by.any() else 1.0,
    }


def _holm(p: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The k-th smallest of n times n - k + 1, none below the one before it, none above 1."""
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return corrected


def difference_words(table: pd.DataFrame, rows: str | None = None) -> str:
    """Which of the `paired_differences` exceed the noise of the seeds, in sentences."""
    if table.empty:
        return ""
    told = table[table["p_holm"] < LEVEL].sort_values("p_holm", kind="stable")
    count, seeds = len(table), int(table["seeds"].min())
    head = (
        f"{len(told)} of {count} differences at the end exceed the seed noise (Wilcoxon's signed-rank test, paired by"
        f" seed, p below {LEVEL:g} after Holm's correction)"
    )
    if seeds < (needed := seeds_needed(count)):
        return f"{head}; {seeds} seed{'s' * (seeds > 1)} cannot show any, {needed} could."
    lines = [_difference_line(row, rows) for row in told.head(_MOST_TOLD).to_dict("records")]
    more = [f"- and {len(told) - _MOST_TOLD} more: differences() has all"] * (len(told) > _MOST_TOLD)
    return "\n".join([head + (":" if lines else "."), *lines, *more])


def seeds_needed(comparisons: int) -> int:
    """From how many seeds on the test can show any of so many differences."""
    return math.ceil(math.log2(2 * comparisons / LEVEL) + 1e-9)


def _difference_line(row: dict[Any, Any], rows: str | None) -> str:
    first, second = row["config"], row["other"]
    below = row["below"]
    if 2 * below < row["seeds"]:
        first, second, below = second, first, row["seeds"] - below
    where = f"{setting_label(rows, row[rows])}: " if rows else ""
    by = "" if math.isnan(row["difference"]) else f", by {abs(row['difference']):.2g} in the median"
    return f"- {where}{first} below {second} in {below} of {row['seeds']} seeds{by} (p = {row['p_holm']:.2g})"
