"""IDX, the format of MNIST's files: two bytes 0, the type, the number of dimensions, their sizes, the numbers."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_GZIP, _BYTES = b"\x1f\x8b", 8


def read_idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of bytes, plain or gzipped, whatever its name, as an array of so many dimensions.

    Raises:
        ValueError: it is no such file, or is not whole.

    Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits.
    """
    content = _plain(file)
    magic, start = bytes([0, 0, _BYTES, dimensions]), 4 + 4 * dimensions
    if content[:4] != magic:
        raise file_error(file, f"begin with {_hex(magic)}, as IDX files of {dimensions}D bytes", _hex(content[:4]))
    if len(content) < start:
        raise file_error(file, f"have a header of {start} bytes", len(content))
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).tolist()
    size = start + math.prod(shape)
    if len(content) != size:
        raise file_error(file, f"have {size} bytes, as its header says ({' x '.join(map(str, shape))})", len(content))
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _plain(file: Path) -> bytes:
    content = file.read_bytes()
    try:
        return gzip.decompress(content) if content.startswith(_GZIP) else content
    except (EOFError, OSError, zlib.error) as cause:
        raise file_error(file, "be a whole gzip file", cause) from cause


def _hex(content: bytes) -> str:
    return content.hex(" ") or "nothing"


def file_error(file: Path, rule: str, got: object) -> ValueError:
    """The error that a file breaks a rule."""
    return ValueError(f"{str(file)!r} must {rule}; got {got}. Fetch it anew.")
