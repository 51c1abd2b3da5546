"""Functions of PyTorch's CPU library, and of the C library that it uses, under names of their own for LLVM.

So no other BLAS in the process can take their place, and machine code that holds only the names can be kept on disk.
"""

from __future__ import annotations

import ctypes
import inspect
from functools import cache
from pathlib import Path
from typing import Any

import torch

PREFIX = "pycompare_torch_"
# For each operation the library's names for float32 and float64. Sleef's take one vector of 32 bytes.
NAMES = {
    "gemm": ("sgemm_", "dgemm_"),
    "sqrt": ("vmsSqrt", "vmdSqrt"),
    "tanh": ("vmsTanh", "vmdTanh"),
    "exp_vector": ("Sleef_expf8_u10", "Sleef_expd4_u10"),
    "tanh_vector": ("Sleef_tanhf8_u10", "Sleef_tanhd4_u10"),
    "log_vector": ("Sleef_logf8_u10", "Sleef_logd4_u10"),
    "log1p_vector": ("Sleef_log1pf8_u10", "Sleef_log1pd4_u10"),
    "erf_vector": ("Sleef_erff8_u10", "Sleef_erfd4_u10"),
    "exp_scalar": ("expf", "exp"),
    "tanh_scalar": ("tanhf", "tanh"),
    "erf_scalar": ("erff", "erf"),
    "power": ("pow", "pow"),
}


@cache
def _library() -> ctypes.CDLL:
    """PyTorch's CPU library, already in the process."""
    return ctypes.CDLL(str(Path(inspect.getfile(torch)).parent / "lib" / "libtorch_cpu.so"))


@cache
def missing_symbols() -> tuple[str, ...]:
    """Which functions this build of PyTorch does not export."""
    return tuple(name for pair in NAMES.values() for name in pair if not hasattr(_library(), name))


def address_of(name: str) -> int:
    """Of a function by its name here. Others, which numba names for errors that the kernel never raises, end the
    process."""
    if name.startswith(PREFIX):
        return _address(getattr(_library(), name.removeprefix(PREFIX)))
    return _address(ctypes.CDLL(None).abort)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def publish() -> None:
    """Make the functions known to LLVM by their names here."""
    from llvmlite import binding

    for name in {name for pair in NAMES.values() for name in pair}:
        binding.add_symbol(PREFIX + name, address_of(PREFIX + name))
