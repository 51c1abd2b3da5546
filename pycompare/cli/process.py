"""The command line as a process of its own: what only a process that ends with one command may do."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def run_command(app: Callable[[], object]) -> None:
    """Run `app`, which ends by SystemExit, and leave without tidying memory that the system takes back anyway."""
    os.environ["MPLBACKEND"] = "agg"  # pictures go to files; a notebook's shell hands on a backend of its own
    if not any(argument.startswith("--device") for argument in sys.argv):
        os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")  # no search for makers of other devices
    try:
        app()
    except SystemExit as end:
        atexit.register(_leave, end.code)
        raise


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import inside without collecting garbage, and never look for any in what was imported: it stays.

    To look through half a million objects takes a tenth of the time, in the imports and after them.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


def _leave(code: object) -> None:
    """Call the exit handlers of others, flush, and end the process, as Python ends those of multiprocessing.

    Registered last, so called first. Frames have been unwound and threads have ended by now. What is left out is the
    destruction of 2,000 modules, half a second.
    """
    atexit.unregister(_leave)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # who could not be told, has been reported or has left
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
