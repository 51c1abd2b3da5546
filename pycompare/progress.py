"""What is done so far, on stderr: a bar on a terminal and in a notebook, elsewhere a line for each run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol


class Progress(Protocol):
    """What counts: a bar of tqdm, or what stands in for one."""

    def set_description(self, desc: str) -> object:
        """Say what is being done."""

    def update(self, n: int = 1) -> object:
        """Count `n` more as done."""


@contextmanager
def progress_bar(total: int | None, *, unit: str, show: bool = True, description: str = "") -> Iterator[Progress]:
    """Count up to `total` in the scope, where somebody sees it.

    Arguments:
        total: how much there is to do; None where nobody knows.
        unit: of what, such as "epoch".
        show: False writes nothing, anywhere.
        description: stands before the bar. What is set later is a line of its own where there is no bar.
    """
    if not show or sys.stderr is None:
        yield _Lines(silent=True)
    elif sys.stderr.isatty() or _widgets():
        with _tqdm()(total=total, unit=unit, desc=description or None) as bar:
            yield bar
    else:
        yield _Lines()


class _Lines:
    """A line for each description that is set, for logs and pipes; no count."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent

    def set_description(self, desc: str) -> None:
        if not self._silent:
            print(desc, file=sys.stderr, flush=True)

    def update(self, n: int = 1) -> None:
        """Nothing to show."""


def _tqdm() -> Any:
    """The class of bars. `tqdm.auto` chooses, too, but imports asyncio, and warns where widgets are missing."""
    if _widgets():
        from tqdm.notebook import tqdm as notebook_bar

        return notebook_bar
    from tqdm import tqdm

    return tqdm


def _widgets() -> bool:
    """Whether this is a notebook that shows widgets: a kernel of IPython, with ipywidgets."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return "IPKernelApp" in getattr(shell, "config", {}) and find_spec("ipywidgets") is not None
