"""Which bits this machine's matrix products have: those of the recordings, or another MKL branch's."""

from __future__ import annotations

import hashlib
from typing import Literal

import torch

from pycompare.threads import torch_threads

# Shapes (m, k, n) of the course network's products, forwards and backwards.
_SHAPES = [(16, 4, 50), (16, 50, 50), (16, 50, 1), (50, 16, 50), (50, 16, 4), (1, 16, 50), (2, 50, 50), (64, 50, 50)]
_RECORDED = "63ca135c01362a7bca81a5860644b9413addc5077f7d7ad0e14d8ed5f861849a"


def mkl_kernels() -> Literal["recorded", "other"]:
    """Whether float32 products have the recording's bits ("recorded") or another branch's ("other").

    MKL chooses its kernels by the processor, and they round differently: trained curves move by up to 1e-3 relative.
    This multiplies a few frozen matrices and compares a digest of the products; it trains nothing and takes a
    millisecond.
    """
    with torch_threads(1):
        return "recorded" if _digest() == _RECORDED else "other"


mkl_lane = mkl_kernels  # its name until "lane" came to mean R's side alone


def _digest() -> str:
    products = b"".join((_matrix(m, k, 7919) @ _matrix(k, n, 104729)).numpy().tobytes() for m, k, n in _SHAPES)
    return hashlib.sha256(products).hexdigest()


def _matrix(rows: int, columns: int, factor: int) -> torch.Tensor:
    """Numbers in [-0.5, 0.5) that are the same everywhere: no generator, one correctly rounded division."""
    numerators = torch.arange(rows * columns, dtype=torch.float64) * factor % 1009
    return (numerators / 1009 - 0.5).float().reshape(rows, columns)
