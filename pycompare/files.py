"""Results on disk: every file appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from os import PathLike
from pathlib import Path

import pandas as pd
from plotnine import ggplot

from pycompare.plots import png


def writable_folder(folder: str | PathLike[str]) -> Path:
    """`folder`, made where it is missing, after a trial file could be written in it.

    Raises:
        ValueError: nothing can be written there.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as cause:
        raise ValueError(
            f"`folder` must be a folder that can be written; got {os.fspath(folder)!r} ({cause.strerror})."
            " Name another, or change its permissions."
        ) from cause
    return path


def save_files(folder: str | PathLike[str], name: str, data: pd.DataFrame, plot: ggplot) -> list[Path]:
    """Write `data` as name.csv, shortest digits that give back its bits, and `plot` as name.png; return both paths."""
    path = writable_folder(folder)
    contents = {f"{name}.csv": data.to_csv(index=False).encode(), f"{name}.png": png(plot)}
    return [_write_whole(path / file, content) for file, content in contents.items()]


def _write_whole(path: Path, content: bytes) -> Path:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
