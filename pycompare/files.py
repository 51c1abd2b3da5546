"""Results on disk: every file appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path


def expanded(path: str | PathLike[str]) -> Path:
    """`path` with a leading ~ as the home it stands for; as it is, where there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def cache_folder() -> Path:
    """Where what can be made or fetched again is kept: $PYCOMPARE_CACHE, else pycompare in the user's caches."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pycompare"
    return Path(os.environ.get("PYCOMPARE_CACHE") or default)


def check_writable(folder: str | PathLike[str], *, name: str = "folder") -> None:
    """Try to write in `folder` or, where it is yet to be made, in the nearest folder above it. Leaves nothing there.

    Errors call the argument `name`.

    Raises:
        ValueError: nothing can be written there.
    """
    path = expanded(folder)
    with _one_error(folder, name):
        existing = next(place for place in (path, *path.parents) if place.exists())
        with tempfile.TemporaryFile(dir=existing):
            pass


def check_writable_file(file: str | PathLike[str], *, name: str = "file") -> None:
    """Try to write in the folder of `file`, as `check_writable`, and see that no folder is in its place.

    Raises:
        ValueError: nothing can be written there, or `file` is a folder.
    """
    if expanded(file).is_dir():
        raise ValueError(f"`{name}` must be a file; got {os.fspath(file)!r}, which is a folder. Name a file in it.")
    check_writable(expanded(file).parent, name=name)


def save_files(folder: str | PathLike[str], contents: Mapping[str, bytes]) -> list[Path]:
    """Write `contents`, by the name of their file, into `folder`, made where it is missing; return their paths.

    Raises:
        ValueError: nothing can be written there.
    """
    place = expanded(folder)
    with _one_error(folder):
        place.mkdir(parents=True, exist_ok=True)
        return [write_whole(place / file, content) for file, content in contents.items()]


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
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")  # another machine's process may have this one's number
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
