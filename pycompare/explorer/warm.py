"""What is loaded, and compiled, while the browser opens the page."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_COMPILE = "from pycompare import compare_configs; compare_configs(1, lr=[0.1], engine='compiled', progress=False)"


@contextmanager
def warming_up() -> Iterator[None]:
    """Import torch in a thread; and have machine code: loaded, or where there is none, compiled by another process.

    To compile takes 15 s, in which this process would be slow to answer. From then on engine="auto" takes it.
    """
    compiling: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=_warm, args=[compiling], daemon=True)
    thread.start()
    try:
        yield
    finally:
        for process in compiling:
            process.terminate()


def _warm(compiling: list[subprocess.Popen[bytes]]) -> None:
    import torch

    import pycompare.labs.activations
    import pycompare.labs.initialization
    import pycompare.labs.landscape
    import pycompare.labs.rosenbrock
    import pycompare.sweeps.configs  # noqa: F401
    from pycompare.training.engines.compiled import machine_code

    if not machine_code.has_numba():
        return
    if machine_code.is_stored(torch.float32):
        machine_code.kernel(torch.float32)
        return
    quiet = subprocess.DEVNULL
    compiling.append(subprocess.Popen([sys.executable, "-c", _COMPILE], stdout=quiet, stderr=quiet))
