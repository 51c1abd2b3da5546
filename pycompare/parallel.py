"""The runs of a sweep side by side, through joblib: on this machine's cores, or on a user's cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from typing import TypeVar

import joblib
import torch

Setting = TypeVar("Setting")
Result = TypeVar("Result")


def run_in_parallel(
    run: Callable[[Setting], Result],
    settings: Sequence[Setting],
    labels: Sequence[str],
    n_jobs: int | None,
    on_done: Callable[[], object],
) -> list[Result]:
    """`[run(setting) for setting in settings]` by `n_jobs` workers, each with one torch thread.

    Arguments:
        run: called in the workers; it and its arguments must be picklable (joblib pickles lambdas too).
        settings: its arguments, one a call.
        labels: their names, for errors.
        n_jobs: as in scikit-learn: how many workers, -1 for all cores, None for what `joblib.parallel_config` says.
        on_done: called here after each call, in the order of `settings`.

    Raises:
        RuntimeError: a worker died; the message names what was not finished.
    """
    results: list[Result] = []
    backend, _ = joblib.parallel.get_active_backend()
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator" if backend.supports_return_generator else "list")
    try:
        for result in parallel(joblib.delayed(_on_one_thread)(run, setting) for setting in settings):
            results.append(result)
            on_done()
    except BrokenExecutor as cause:
        unfinished = ", ".join(labels[len(results) :])
        raise RuntimeError(
            f"A worker died before these were finished: {unfinished}."
            " It may have run out of memory; choose a smaller `n_jobs`."
        ) from cause
    return results


def _on_one_thread(run: Callable[[Setting], Result], setting: Setting) -> Result:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return run(setting)
    finally:
        torch.set_num_threads(before)
