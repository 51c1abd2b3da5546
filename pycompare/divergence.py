"""When a run first leaves what it should keep to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def first_failure(steps: pd.Series[int], good: pd.Series[bool]) -> Any:
    """The first of `steps` at which `good` does not hold; NA where it always does."""
    failed = steps[~good.to_numpy()]
    return int(failed.iloc[0]) if len(failed) else pd.NA


def is_finite(rows: pd.DataFrame) -> pd.Series[bool]:
    """For each row whether all its numbers are finite: a run has diverged at the first row that is not."""
    return pd.Series(np.isfinite(rows.to_numpy(float)).all(axis=1), index=rows.index)
