"""Which products of matrices the kernel computes itself, by `narrow`, in place of BLAS."""

from __future__ import annotations

from functools import cache

import torch

from pycompare.training.engines.compiled import codes
from pycompare.training.engines.compiled.machine_code import kernel

# Whose order of operations in MKL is known; of a single one ATen exchanges no operands, and BLAS is fast.
_COLUMNS = (2, 3, 4, 5, 6, 8, 10)
_LEAST = 4096  # numbers of the gradient, below which BLAS is as fast


def takes_gradient(dtype: torch.dtype, rows: int, width: int, columns: int) -> bool:
    """Whether the kernel computes the weights' gradient of a layer from `columns` inputs to `width` outputs."""
    return columns in _COLUMNS and rows * width >= _LEAST and _has_bits(dtype, rows, width, columns)


@cache
def _has_bits(dtype: torch.dtype, rows: int, width: int, columns: int) -> bool:
    """Whether it has the bits of BLAS: tried, on random numbers."""
    generator = torch.Generator().manual_seed(0)
    grad, x = (torch.randn(rows, n, dtype=dtype, device="cpu", generator=generator) for n in (width, columns))
    told, work = (torch.empty(n, width, dtype=dtype, device="cpu") for n in (columns, 13))
    arrays = (told, grad, told, x, told, told, work, told)
    kernel(dtype)(codes.NARROW, rows, width, columns, *[0] * 12, *(array.data_ptr() for array in arrays), 0)
    return torch.equal(told.view(width, columns), grad.t() @ x)
