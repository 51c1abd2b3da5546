"""The runs of a sweep side by side: on threads, in processes through joblib, or on a user's cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event
from typing import Any, TypeVar

import joblib
from joblib._parallel_backends import LokyBackend
from joblib.externals.loky import get_reusable_executor

from pycompare.threads import StoppedError, stoppable, torch_threads

Setting = TypeVar("Setting")
Result = TypeVar("Result")
_IDLE_SECONDS = 300  # after which a worker ends, as joblib's do
_LOOK = 0.05  # seconds


def run_in_parallel(
    run: Callable[[Setting], Result],
    settings: Sequence[Setting],
    labels: Sequence[str],
    n_jobs: int | None,
    keep: Callable[[int, Result], object],
    *,
    threads: int | None = None,
) -> None:
    """`keep(i, run(setting))` for the i-th of `settings`, `n_jobs` at a time.

    Arguments:
        run: called in the workers; it and its arguments must be picklable (joblib pickles lambdas too).
        settings: its arguments, one a call.
        labels: their names, for errors.
        n_jobs: as in scikit-learn: how many workers, -1 for all cores, None for what `joblib.parallel_config` says.
        keep: called in this process with each result as it comes, and its place.
        threads: where `run` lets other threads of Python go on while it computes: how many torch threads each of them
            is to have, for workers that are threads of this process, unless the user has chosen a backend. Else None.

    Raises:
        RuntimeError: a worker died; the message names what was not finished.
    """
    finished: set[int] = set()
    backend, _ = joblib.parallel.get_active_backend()
    run_all: Callable[..., None] = _beside_workers if isinstance(backend, LokyBackend) else _through_joblib
    if run_all is _beside_workers and threads is not None:
        run_all = partial(_beside_threads, threads)
    if type(backend).__name__ == "DaskDistributedBackend":
        run_all = partial(_through_dask, backend)

    def note(i: int, result: Result) -> None:
        keep(i, result)
        finished.add(i)

    try:
        run_all(run, settings, n_jobs, note)
    except BrokenExecutor as cause:
        unfinished = ", ".join(label for i, label in enumerate(labels) if i not in finished)
        if unfinished:
            raise RuntimeError(
                f"A worker died before these were finished: {unfinished}."
                " It may have run out of memory; choose a smaller `n_jobs`. What a store has need not be trained again."
            ) from cause


def _through_joblib(
    run: Callable[[Setting], Result],
    settings: Sequence[Setting],
    n_jobs: int | None,
    keep: Callable[[int, Result], None],
) -> None:
    """Every call in a worker of joblib's active backend."""
    backend, _ = joblib.parallel.get_active_backend()
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator" if backend.supports_return_generator else "list")
    for i, result in enumerate(parallel(joblib.delayed(run)(setting) for setting in settings)):
        keep(i, result)


def _through_dask(
    backend: Any,
    run: Callable[[Setting], Result],
    settings: Sequence[Setting],
    _: int | None,
    keep: Callable[[int, Result], None],
) -> None:
    """Every call a task of the cluster's, which gives those of a worker that dies to others, a few times.

    joblib's own way to dask waits for ever for a task that killed all its workers.
    """
    from distributed import KilledWorker, as_completed

    submit = partial(backend.client.submit, run, pure=False, **backend.submit_kwargs)
    with backend.retrieval_context():
        places = {submit(setting): i for i, setting in enumerate(settings)}
        try:
            for task, result in as_completed(places, with_results=True):  # type: ignore[no-untyped-call]
                keep(places.pop(task), result)  # which the cluster may forget then
        except KilledWorker as cause:
            raise BrokenExecutor(str(cause)) from cause
        finally:
            backend.client.cancel([*places])


def _beside_workers(
    run: Callable[[Setting], Result],
    settings: Sequence[Setting],
    n_jobs: int | None,
    keep: Callable[[int, Result], None],
) -> None:
    """Calls in this process and in n_jobs - 1 others, joblib's own, which get work once they have imported torch.

    Where all is done before that, nobody waits for them.
    """
    waiting = deque(enumerate(settings))
    workers = min(joblib.effective_n_jobs(n_jobs), len(settings)) - 1
    executor = get_reusable_executor(max(workers, 1), timeout=_IDLE_SECONDS)
    threads = ThreadPoolExecutor(max(workers, 1))

    def call_elsewhere(*call: Any) -> Result:
        result: Result = executor.submit(*call).result()
        return result

    def drive(ready: Future[None]) -> None:
        ready.result()
        _take(waiting, partial(call_elsewhere, run), keep)

    try:
        readies = [executor.submit(_receive, run) for _ in range(workers)]
        drivers = [threads.submit(drive, ready) for ready in readies]
        _take(waiting, run, keep)
        for ready, driver in zip(readies, drivers, strict=True):
            if ready.done():
                driver.result()
    except BaseException:
        executor.shutdown(kill_workers=True)
        raise
    finally:
        threads.shutdown(wait=False)


def _beside_threads(
    threads: int,
    run: Callable[[Setting], Result],
    settings: Sequence[Setting],
    n_jobs: int | None,
    keep: Callable[[int, Result], None],
) -> None:
    """Calls in this thread of Python and in n_jobs - 1 others, which soon stop when one fails or is interrupted."""
    waiting, stop = deque(enumerate(settings)), Event()
    others = min(joblib.effective_n_jobs(n_jobs), len(settings)) - 1

    def take() -> None:
        with torch_threads(threads), stoppable(stop), suppress(StoppedError), _setting_on_failure(stop):
            _take(waiting, run, keep)

    # This thread may be interrupted, too, while it waits for the others.
    with ThreadPoolExecutor(max(others, 1)) as executor, _setting_on_failure(stop):
        helpers = [executor.submit(take) for _ in range(others)]
        take()
        for helper in helpers:
            while not helper.done():  # Ctrl-C may reach another thread, and wakes nobody who waits without an end
                wait([helper], timeout=_LOOK)
            helper.result()


@contextmanager
def _setting_on_failure(stop: Event) -> Iterator[None]:
    try:
        yield
    except BaseException:
        stop.set()
        raise


def _take(
    waiting: deque[tuple[int, Setting]], call: Callable[[Setting], Result], keep: Callable[[int, Result], None]
) -> None:
    """Call with what is waiting, until nothing is; after an error nothing is."""
    try:
        while True:
            try:
                i, setting = waiting.popleft()
            except IndexError:
                return
            keep(i, call(setting))
    except BaseException:
        waiting.clear()
        raise


def _receive(_: object) -> None:
    """Do nothing: to unpickle the argument imports what it needs."""
