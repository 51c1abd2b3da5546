"""A CSV file as inputs and targets: a header, then numbers. What is wrong is named by file, column and row."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pycompare.files import expanded

Source = str | PathLike[str] | IO[str] | IO[bytes]
Doubles = NDArray[np.float64]


class Columns(NamedTuple):
    """What a CSV file holds: `inputs`, float64 (n, k), and `targets`, float64 (n,)."""

    inputs: Doubles
    targets: Doubles


class _Table(NamedTuple):
    file: str
    names: list[str]
    cells: pd.DataFrame


def read_columns(source: Source, target: str | None = None) -> Columns:
    """Read a CSV file with a header, UTF-8, its rows counted from 1 below the header, blank lines left out.

    Arguments:
        source: a path, `~` for the home folder, perhaps of a .gz, .bz2, .xz or .zip file; "-" for standard input; or
            an open file.
        target: the name of the target's column; default the last. Where none of its values is a number they are
            classes, coded as 0, 1, ... in sorted order.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: `source` or `target` is of another kind.
        ValueError: the file cannot be read, or a name, a row or a value in it is missing, or is no number.
    """
    file, content = _content(source)
    table = _table(file, _text(file, content))
    at = _position(table, target)
    inputs = [_numbers(table, i) for i in range(len(table.names)) if i != at]
    return Columns(np.column_stack(inputs), _targets(table, at))


def _content(source: Any) -> tuple[str, str | bytes]:
    """Return what errors call the source, and what is in it."""
    if isinstance(source, str) and source == "-":
        return "standard input", getattr(sys.stdin, "buffer", sys.stdin).read()
    if hasattr(source, "read"):
        return str(getattr(source, "name", "the open file")), source.read()
    if not isinstance(source, str | PathLike):
        raise TypeError(
            f"`data` must be a path, '-' or an open file; got {source!r}. Use Split.from_arrays for arrays."
        )
    path = expanded(source)
    if not path.exists() or path.is_dir():
        what = "is a folder" if path.is_dir() else "is not there"
        raise FileNotFoundError(f"`data` must name a CSV file; got {str(source)!r}, which {what}. Check the path.")
    return str(source), _unpacked(str(source), path.suffix.lower(), path.read_bytes())


def _unpacked(file: str, suffix: str, content: bytes) -> bytes:
    try:
        return _UNPACK[suffix](content) if suffix in _UNPACK else content
    except (EOFError, OSError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as cause:
        raise ValueError(
            f"`data` must be a whole {suffix} file; {file!r} cannot be unpacked: {cause}. Make or fetch it anew."
        ) from cause


def _unzipped(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (name, *others) = archive.namelist() or [""]
        if others or not name:
            raise ValueError(f"it holds {len(archive.namelist())} files, not one")
        return archive.read(name)


_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zip": _unzipped,
}


def _text(file: str, content: str | bytes) -> str:
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise ValueError(f"`data` must be UTF-8 text; {file!r} is not: {cause}. Save it as UTF-8.") from None


def _table(file: str, text: str) -> _Table:
    lines = io.StringIO(text, newline="")
    try:
        names = [name.strip() for name in next(filter(_is_filled, _rows(lines)), [])]
    except csv.Error as cause:
        raise ValueError(f"`data` must be a CSV file with a header; {file!r} cannot be read: {cause}.") from cause
    _check_header(file, names)
    body = lines.read()
    try:
        cells = pd.read_csv(io.StringIO(body), header=None, skipinitialspace=True, low_memory=False)
    except pd.errors.EmptyDataError:
        raise ValueError(f"`data` must have rows below its header; {file!r} has none. Add them.") from None
    except pd.errors.ParserError as cause:
        raise _odd_row(file, names, body) from cause
    if cells.shape[1] != len(names):
        raise _odd_row(file, names, body)
    return _Table(file, names, cells)


def _rows(lines: Iterable[str]) -> Iterator[list[str]]:
    return csv.reader(lines, skipinitialspace=True)


def _is_filled(row: list[str]) -> bool:
    return len(row) > 1 or any(cell.strip() for cell in row)


def _check_header(file: str, names: list[str]) -> None:
    if not names:
        raise ValueError(f"`data` must be a CSV file with a header; {file!r} is empty. Check what wrote it.")
    if all(map(_is_number, names)):
        raise ValueError(f"`data` must be a CSV file with a header; {file!r} begins with numbers. Add a line of names.")
    if len(names) < 2:
        raise ValueError(
            f"`data` must have at least two columns, one of them the target; {file!r} has {len(names)}."
            " Separate the columns with commas."
        )
    if "" in names:
        raise ValueError(
            f"`data` must have a name for every column; {file!r} has none for column {names.index('') + 1}."
            " Write it without row names."
        )


def _odd_row(file: str, names: list[str], body: str) -> ValueError:
    """The error that names the first row whose width is not the header's."""
    widths = map(len, filter(_is_filled, _rows(io.StringIO(body, newline=""))))
    row, width = next(((i, width) for i, width in enumerate(widths, start=1) if width != len(names)), (1, "other"))
    return ValueError(
        f"`data` must have a name for every column, and a value; {file!r} has {len(names)} names and in row {row}"
        f" {width} values. Make them equally many."
    )


def _position(table: _Table, target: Any) -> int:
    if target is None:
        return len(table.names) - 1
    if not isinstance(target, str):
        raise TypeError(f"`target` must be the name of a column; got {target!r}. Choose one of {table.names}.")
    if table.names.count(target) != 1:
        raise ValueError(f"`target` must name one column of {table.file!r}; got {target!r}. Choose of {table.names}.")
    return table.names.index(target)


def _numbers(table: _Table, i: int) -> Doubles:
    """Return a column, all of whose values are numbers."""
    column = table.cells.iloc[:, i]
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    _check(table, i, column.isna(), "have a value in every row", "none", "Fill it, or drop the row.")
    _check(table, i, np.isnan(values), "hold numbers", "text", "Correct, encode or drop it.")
    _check(table, i, np.isinf(values), "hold finite numbers", "an infinite one", "Drop or impute it.")
    return values


def _check(table: _Table, i: int, wrong: Any, rule: str, found: str, remedy: str) -> None:
    if np.any(wrong):
        where = f"in column {table.names[i]!r}, row {int(np.argmax(wrong)) + 1}"
        raise ValueError(f"`data` must {rule}; {table.file!r} has {found} {where}. {remedy}")


def _targets(table: _Table, i: int) -> Doubles:
    """Return the numbers of a column, or where none of its values is one, the codes of its classes."""
    column = table.cells.iloc[:, i]
    if column.isna().any() or pd.to_numeric(column, errors="coerce").notna().any():
        return _numbers(table, i)
    codes = np.unique(column.str.strip().to_numpy(str), return_inverse=True)[1]
    return codes.astype(np.float64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
