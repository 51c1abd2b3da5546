"""The course's own `compare_configs` in R, on R torch or on its stand-in in base R."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from workloads import Workload

if TYPE_CHECKING:
    from pycompare.parity import RSession


def curves(workload: Workload, backend: Literal["torch", "basetorch"]) -> pd.DataFrame:
    values = ", ".join(repr(value) for value in workload.values)
    call = f"compare_configs(epochs = {workload.epochs}, {workload.parameter} = list({values}))"
    frame = session(backend).eval(f"as.data.frame({call}$data)")
    return frame[["config", "epoch", "valid_loss"]]


@cache
def session(backend: Literal["torch", "basetorch"]) -> RSession:
    """R with the exercises loaded, opened once: its start is not what is measured."""
    from pycompare.parity import RSession
    from pycompare.parity.suite import source_exercises

    opened: Any = RSession(backend)
    source_exercises(opened)
    return opened


def missing(backend: Literal["torch", "basetorch"]) -> str | None:
    """Why this R cannot run, or None."""
    try:
        session(backend)
    except (ImportError, RuntimeError, AttributeError) as reason:
        return str(reason).partition("\n")[0]
    return None
