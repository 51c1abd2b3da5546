"""Results on disk: every file appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path


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


def save_files(folder: str | PathLike[str], contents: Mapping[str, bytes]) -> list[Path]:
    """Write `contents`, by the name of their file, into `folder`, made where it is missing; return their paths.

    Raises:
        ValueError: nothing can be written there.
    """
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
