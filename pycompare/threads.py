"""Scopes in which torch computes on a given number of threads, and after which it goes on as before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from pycompare.checks import whole_number

_one_change_at_a_time = threading.Lock()
_here = threading.local()


class StoppedError(Exception):
    """Another thread has asked this one to stop."""


@contextmanager
def torch_threads(count: int | None = 1) -> Iterator[None]:
    """Let torch compute on `count` threads inside the scope, and on as many as before after it.

    It covers what is called from this thread of Python: other threads keep their counts, and scopes may nest. Sums and
    products of some shapes have other bits on other counts; R's recordings have 1.

    Arguments:
        count: 1 or more; None changes nothing.

    Raises:
        ValueError, TypeError: `count` is out of range or no number.

    Example:
        >>> with torch_threads(1):
        ...     torch.get_num_threads()
        1
    """
    with _one_change_at_a_time:
        before = torch.get_num_threads()
    asked = checked_threads(count) or before
    try:
        _set_threads(asked)
        yield
    finally:
        _set_threads(before)


@contextmanager
def stoppable(stop: threading.Event) -> Iterator[None]:
    """Let long computations of this thread of Python end with `StoppedError` soon after `stop` is set."""
    _here.stop = stop
    try:
        yield
    finally:
        del _here.stop


def check_stop() -> None:
    """Raise `StoppedError` where this thread was asked to stop; for long computations to call now and then."""
    if (stop := getattr(_here, "stop", None)) and stop.is_set():
        raise StoppedError


def checked_threads(threads: int | None) -> int | None:
    """`threads` as a number of torch threads, or None; or one clear error."""
    return None if threads is None else whole_number("threads", threads, at_least=1)


def _set_threads(count: int) -> None:
    """Set this thread's count. torch starts new threads with the count set last, anywhere: a new one sets that back."""
    if count == torch.get_num_threads():
        return
    with _one_change_at_a_time, ThreadPoolExecutor(1) as new_thread:
        inherited = new_thread.submit(torch.get_num_threads).result()
        try:
            torch.set_num_threads(count)
        finally:
            new_thread.submit(torch.set_num_threads, inherited).result()
