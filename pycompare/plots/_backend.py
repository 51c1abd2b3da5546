"""matplotlib, imported whatever MPLBACKEND says: at a name that it does not know, its import would fail."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress


def _import_matplotlib() -> None:
    asked = os.environ.pop("MPLBACKEND", None)
    try:
        matplotlib = importlib.import_module("matplotlib")
    finally:
        if asked is not None:
            os.environ["MPLBACKEND"] = asked
    if asked:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = asked  # as its own import does


if "matplotlib" not in sys.modules:
    _import_matplotlib()
