"""The compiled kernel as a C function: from a file where it was compiled before, so that numba need not be imported.

Compiling takes 15 s of processor time, importing numba alone 0.3 s; linking what is on disk 0.005 s.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from pycompare.files import cache_folder, write_whole
from pycompare.training.engines.compiled.linking import LinkedCode
from pycompare.training.engines.compiled.torch_symbols import address_of, publish

_one_at_a_time = threading.Lock()
_loaded: dict[torch.dtype, tuple[Any, LinkedCode]] = {}  # a function, and the memory that it lies in


def kernel(dtype: torch.dtype) -> Any:
    """`epoch.epoch` for numbers of `dtype`, to be called with whole numbers and addresses; it holds no GIL.

    Where it is neither loaded nor on disk it is compiled, which takes 15 s.
    """
    with _one_at_a_time:
        if dtype not in _loaded:
            _loaded[dtype] = _load(*(_stored(dtype) or _compiled(dtype)))
        return _loaded[dtype][0]


@cache
def has_numba() -> bool:
    """Whether numba is installed: to look for it on disk takes as long as all other questions."""
    return find_spec("numba") is not None


def is_loaded(dtype: torch.dtype) -> bool:
    """Whether `kernel` returns at once."""
    return dtype in _loaded


def is_stored(dtype: torch.dtype) -> bool:
    """Whether `kernel` need not compile."""
    return has_numba() and _stored(dtype) is not None


def _stored(dtype: torch.dtype) -> tuple[str, bytes] | None:
    """The function's name and machine code, from a file that is whole."""
    try:
        digest, _, content = _path(dtype).read_bytes().partition(b"\n")
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest().encode() != digest:
        return None
    name, _, code = content.partition(b"\n")
    return name.decode(), code


def _compiled(dtype: torch.dtype) -> tuple[str, bytes]:
    """The function's name and machine code, kept on disk where that can be written."""
    import numba

    from pycompare.training.engines.compiled import epoch

    publish()
    function = numba.cfunc(epoch.signature(getattr(numba.types, _name(dtype))), error_model="numpy")(epoch.epoch)
    name, code = function.native_name, function._library._get_compiled_object()
    _store(_path(dtype), name.encode() + b"\n" + code)
    return name, code


def _store(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
    except OSError:
        return  # the next process compiles again


def _path(dtype: torch.dtype) -> Path:
    return cache_folder() / f"{_stem(dtype)}-{_key()}.o"


def _stem(dtype: torch.dtype) -> str:
    return f"epoch-{_name(dtype)}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


@cache
def _key() -> str:
    """What machine code depends on: the sources, the compiler, and the processor that it was made for."""
    from importlib.metadata import version

    parts = [path.read_text() for path in sorted(Path(__file__).parent.glob("*.py"))]
    parts += [version("numba"), version("llvmlite"), sys.version, _processor()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """The model and the features of this machine's first processor, as Linux tells them."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    return "\n".join(line for line in lines if line.startswith(("model name", "cpu family", "model", "flags")))


def _load(name: str, code: bytes) -> tuple[Any, LinkedCode]:
    linked = LinkedCode(code, address_of)
    # As many arguments as `epoch` has; that module imports numba.
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 25)(linked[name]), linked
