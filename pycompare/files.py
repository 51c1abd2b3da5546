"""Results on disk: every file appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import pandas as pd
from plotnine import ggplot

from pycompare.plots import png


def check_writable(folder: str | PathLike[str], *, name: str = "folder") -> None:
    """Try to write in `folder` or, where it is yet to be made, in the nearest folder above it. Leaves nothing there.

    Errors call the argument `name`.

    Raises:
        ValueError: nothing can be written there.
    """
    path = Path(folder)
    with _one_error(folder, name):
        existing = next(place for place in (path, *path.parents) if place.exists())
        with tempfile.TemporaryFile(dir=existing):
            pass


def save_files(folder: str | PathLike[str], name: str, data: pd.DataFrame, plot: ggplot) -> list[Path]:
    """Write `data` as name.csv, shortest digits that give back its bits, and `plot` as name.png; return both paths."""
    contents = {f"{name}.csv": data.to_csv(index=False).encode(), f"{name}.png": png(plot)}
    with _one_error(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        return [write_whole(Path(folder) / file, content) for file, content in contents.items()]


@contextmanager
def _one_error(folder: str | PathLike[str], name: str = "folder") -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        what = "a folder" if name == "folder" else "in a folder"
        raise ValueError(
            f"`{name}` must be {what} that can be written; got {os.fspath(folder)!r} ({cause.strerror})."
            " Name another, or change its permissions."
        ) from cause


def write_whole(path: Path, content: bytes) -> Path:
    """Write `content` under a temporary name, then rename it to `path`; return `path`."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
