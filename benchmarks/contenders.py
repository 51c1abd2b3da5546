"""Who takes part. Every contender trains the same sweep and returns its curves: config, epoch, valid_loss."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pandas as pd
import r_code
import torch_loops
from workloads import Workload

from pycompare import compare_configs

COMPILED, FUSED, TWO_JOBS = "pycompare, compiled", "pycompare, fused", "pycompare, n_jobs=2"
IDIOMATIC = "PyTorch, idiomatic"
FLOAT32_ORDER = 1e-3
WHY_FLOAT32 = (
    "the same float32 formulas, rounded in another order: up to 5e-4 was measured after 30 epochs of the course"
)


@dataclass(frozen=True)
class Contender:
    """One way to run a sweep.

    Attributes:
        name: what it is called in the table.
        curves: runs the sweep; this is what is timed.
        tolerance: the largest relative difference from pycompare's curves that it may show in the proof; 0 for the same
            bits, infinity for what computes something else.
        why: the reason for the tolerance.
        missing: why it cannot run here, or None.
        covers: whether it can run a workload at all.
        prepare: brings it into the state in which it is timed, and is not timed itself.
        cpus: how many CPUs it may use.
    """

    name: str
    curves: Callable[[Workload], pd.DataFrame]
    tolerance: float = FLOAT32_ORDER
    why: str = WHY_FLOAT32
    missing: Callable[[], str | None] = lambda: None
    covers: Callable[[Workload], bool] = lambda _: True
    prepare: Callable[[Workload], object] = lambda _: None
    cpus: int = 1


def ours(workload: Workload, **keywords: Any) -> pd.DataFrame:
    """pycompare's curves; `keywords` such as engine= and n_jobs= go to `compare_configs`."""
    comparison = compare_configs(
        workload.epochs,
        **workload.fixed | {workload.parameter: list(workload.values)},
        data=workload.split,
        network=workload.network,
        progress=False,
        **keywords,
    )
    return comparison.data[["config", "epoch", "valid_loss"]]


def stop_workers() -> None:
    """End joblib's workers, so that the next sweep starts its own."""
    import_module("joblib.externals.loky").get_reusable_executor().shutdown(wait=True)


def contenders() -> list[Contender]:
    same_bits = {"tolerance": 0.0, "why": "the same operations in the same order"}
    return [
        Contender(COMPILED, partial(ours, engine="compiled"), **same_bits, missing=_no_module("numba"), covers=_chain),
        Contender(
            TWO_JOBS,
            lambda workload: ours(workload, n_jobs=2, engine="compiled" if _chain(workload) else "autograd"),
            **same_bits,
            missing=_no_jobs,
            covers=lambda workload: len(workload.values) >= 4,
            prepare=lambda _: stop_workers(),
            cpus=2,
        ),
        Contender(FUSED, partial(ours, engine="fused"), **same_bits, covers=_chain),
        Contender("pycompare, autograd", partial(ours, engine="autograd"), **same_bits),
        Contender(IDIOMATIC, torch_loops.idiomatic),
        Contender("PyTorch, hand-tuned", torch_loops.tuned),
        Contender(
            "PyTorch, torch.compile",
            lambda workload: import_module("torch_compiled").curves(workload),
            # It compiles for every batch size: a minute and a half for six, and 3 s to train them then.
            covers=lambda workload: _chain(workload) and not (workload.course and workload.parameter == "batch_size"),
        ),
        Contender("JAX", _jax, missing=_no_module("jax"), covers=_chain, prepare=_jax),
        _r("R code on R torch", "torch", FLOAT32_ORDER, WHY_FLOAT32),
        _r(
            "R code on the stand-in",
            "basetorch",
            FLOAT32_ORDER,
            "double precision: up to 2e-5 was measured in the proof",
        ),
        Contender(
            "scikit-learn (not equivalent)",
            lambda workload: import_module("scikit").curves(workload),
            tolerance=math.inf,
            why="another optimiser, other initial weights",
            missing=_no_module("sklearn"),
            covers=_course,
        ),
    ]


def named(*names: str) -> list[Contender]:
    return [contender for contender in contenders() if contender.name in names]


def _chain(workload: Workload) -> bool:
    return workload.widths is not None


def _course(workload: Workload) -> bool:
    return workload.course


def _jax(workload: Workload) -> pd.DataFrame:
    return import_module("jax_sweep").curves(workload)


def _r(name: str, backend: str, tolerance: float, why: str) -> Contender:
    return Contender(
        name,
        partial(r_code.curves, backend=backend),
        tolerance,
        why,
        missing=partial(r_code.missing, backend),
        covers=_course,
    )


def _no_jobs() -> str | None:
    return None if (os.cpu_count() or 1) > 1 else "needs two CPUs"


def _no_module(name: str) -> Callable[[], str | None]:
    return lambda: None if find_spec(name) else f"{name} is not installed"
