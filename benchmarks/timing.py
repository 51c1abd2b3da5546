"""Proof first, then time: contenders in turn, round after round, each pinned to its CPUs."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from contenders import IDIOMATIC, Contender, ours
from workloads import Workload

PROOF_EPOCHS = 5  # within which roundings stay small; later a ReLU may switch, and curves part by some per cent
# Seconds for all rounds of a contender on a workload, and for one; beyond, fewer rounds, or a share of the epochs.
AFFORDABLE, LONGEST = 5.0, 10.0
CACHES = Path(__file__).parents[1] / "out" / "benchmark_caches"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
ENVIRONMENT = dict.fromkeys(THREADS, "1") | {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "PYCOMPARE_CACHE": str(CACHES / "pycompare"),
    "TORCHINDUCTOR_CACHE_DIR": str(CACHES / "torch"),
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
}
CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@dataclass
class Row:
    """What is known of one contender on one workload.

    `refused` says why it has no time; `first` is the seconds of its first epoch, with all that is compiled for it.
    """

    workload: str
    contender: str
    refused: str | None = None
    first: float | None = None
    proof: float | None = None
    tolerance: float = 0.0
    why: str = ""
    rounds: int = 1
    share: float = 1.0
    seconds: list[float] = field(default_factory=list)
    difference: float | None = None
    ratio: float | None = None

    @property
    def median(self) -> float:
        """Of the whole workload; extrapolated where only a share of it was run."""
        return statistics.median(self.seconds) / self.share if self.seconds else np.nan

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"median": self.median if self.seconds else None}


@contextmanager
def pinned(cpus: int) -> Iterator[None]:
    """Run the scope, and what it starts, on the first `cpus` CPUs, where the system can do that."""
    if not CPUS:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CPUS[:cpus])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(workload: Workload, contenders: list[Contender], rounds: int) -> list[Row]:
    """One row a contender that covers the workload: proof, then up to `rounds` rounds in turn."""
    reference = ours(workload, engine="fused" if workload.widths else "autograd")
    entrants = [contender for contender in contenders if contender.covers(workload)]
    rows = [Row(workload.name, contender.name, rounds=rounds) for contender in entrants]
    for contender, row in zip(entrants, rows, strict=True):
        with _refused_on_failure(row):
            _prove(contender, workload, reference, row)
    for i in range(rounds):
        for contender, row in zip(entrants, rows, strict=True):
            if i < row.rounds and not row.refused:
                with _refused_on_failure(row):
                    _round(contender, workload, reference, row)
    _add_ratios(rows)
    return rows


@contextmanager
def _refused_on_failure(row: Row) -> Iterator[None]:
    """Whatever stops one contender is told in its row and does not stop the others."""
    try:
        yield
    except Exception as error:
        row.refused, row.seconds = f"failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}", []


def _round(contender: Contender, workload: Workload, reference: pd.DataFrame, row: Row) -> None:
    part = workload.shortened(round(row.share * workload.epochs))
    seconds, frame = _timed(contender, part)
    row.seconds.append(seconds)
    row.difference = difference(frame, reference, part.epochs)
    if row.tolerance == 0 and row.difference > 0:
        row.refused, row.seconds = f"not the same bits: {row.difference:.1e} apart", []


def difference(frame: pd.DataFrame, reference: pd.DataFrame, epochs: int) -> float:
    """The largest relative difference of valid_loss within `epochs`; infinity where `frame` has other rows."""
    expected = reference[reference["epoch"] <= epochs]
    keys = ["config", "epoch"]
    if frame[keys].to_numpy().tolist() != expected[keys].to_numpy().tolist():
        return float("inf")
    a, b = (part["valid_loss"].to_numpy(float) for part in (frame, expected))
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return 0.0 if np.array_equal(a, b, equal_nan=True) else float("inf")
    return float(np.max(np.abs(a - b) / np.abs(b)))


def _prove(contender: Contender, workload: Workload, reference: pd.DataFrame, row: Row) -> None:
    """Compare the first epochs with pycompare's, and find out how many rounds, of what share, are affordable."""
    row.tolerance = max(contender.tolerance, workload.rounding) if contender.tolerance else 0.0
    row.why = contender.why
    with pinned(contender.cpus):
        row.refused = reason if (reason := contender.missing()) is None else f"not available: {reason}"
    if row.refused:
        return
    short = workload.shortened(PROOF_EPOCHS)
    row.first, _ = _timed(contender, workload.shortened(1), prepare=False)
    seconds, frame = _timed(contender, short)
    row.proof = difference(frame, reference, short.epochs)
    if row.proof > row.tolerance:
        row.refused = f"other curves: {row.proof:.1e} apart, {row.tolerance:g} allowed"
        return
    expected = seconds * workload.epochs / short.epochs
    row.rounds = max(1, min(row.rounds, int(AFFORDABLE / expected)))
    row.share = max(1, int(workload.epochs * min(1, LONGEST / expected))) / workload.epochs


def _timed(contender: Contender, workload: Workload, *, prepare: bool = True) -> tuple[float, pd.DataFrame]:
    with pinned(contender.cpus):
        if prepare:
            contender.prepare(workload)
        start = time.perf_counter()
        frame = contender.curves(workload)
        return time.perf_counter() - start, frame


def _add_ratios(rows: list[Row]) -> None:
    idiomatic = next((row.median for row in rows if row.contender == IDIOMATIC), np.nan)
    for row in rows:
        row.ratio = idiomatic / row.median if row.seconds and np.isfinite(idiomatic) else None
