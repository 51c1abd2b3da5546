"""Calls of the BLAS, vector and C functions that PyTorch's own operations call, for code compiled by numba.

Numbers are passed by pointers to float32 or float64, which pick a function's single or double precision: indexing these
is one instruction, where numba's arrays check the sign of an index and count references.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from pycompare.training.engines.compiled.torch_symbols import NAMES, PREFIX

types: Any = numba.types
# VML_HA | VML_FTZDAZ_OFF | VML_ERRMODE_IGNORE of mkl_vml_defines.h, as ATen/cpu/vml.h passes them.
_VML_MODE = 0x140102
_ADDRESS, _INT = ir.IntType(64), ir.IntType(32)


# Wrappers for calls from Python and C take as long to compile as the functions.
inlined: Any = numba.njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)


def _function(builder: Any, operation: str, like: Any, result: Any, arguments: list[Any]) -> Any:
    name = PREFIX + NAMES[operation][like.dtype.bitwidth == 64]
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


def _float(like: Any) -> Any:
    return ir.FloatType() if like.dtype.bitwidth == 32 else ir.DoubleType()


def _vector(like: Any) -> Any:
    return ir.VectorType(_float(like), 256 // like.dtype.bitwidth)


@intrinsic
def pointer(typing: Any, address: Any, like: Any) -> Any:
    """The number of `like`'s dtype at an address; `like` is an array or a pointer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_data_type(like.dtype).as_pointer())

    return types.CPointer(like.dtype)(types.intp, like), generate


@intrinsic
def at(typing: Any, start: Any, offset: Any) -> Any:
    """The pointer `offset` numbers on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return start(start, types.intp), generate


@intrinsic
def rounded(typing: Any, x: Any, like: Any) -> Any:
    """A double as a number of the dtype that `like` points to."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[0], types.float64, like.dtype)

    return like.dtype(types.float64, like), generate


@intrinsic
def item_size(typing: Any, like: Any) -> Any:
    """Bytes of a number; a constant, so that what depends on it costs nothing."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(_ADDRESS, like.dtype.bitwidth // 8)

    return types.intp(like), generate


@intrinsic
def choose(typing: Any, condition: Any, a: Any, b: Any) -> Any:
    """`a if condition else b` without a branch, from which LLVM may make a store that keeps a loop from vectors."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return b(types.boolean, b, b), generate


@intrinsic
def keep_apart(typing: Any) -> Any:
    """Have LLVM compile the calling function once, in place of a copy at each of its calls."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def gemm(typing: Any, dims: Any, transposed: Any, a: Any, b: Any, add: Any, c: Any) -> Any:
    """C = op(A) op(B), or with `add` = 1, C = op(A) op(B) + C, of column-major matrices.

    `dims` points to six int32: m, n, k and the leading dimensions of A, B, C; bit 0 of `transposed` is for A,
    bit 1 for B.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        dims, transposed, a, b, add, c = arguments
        dims = builder.ptrtoint(dims, _ADDRESS)
        one, beta = (cgutils.alloca_once(builder, _float(a_type)) for _ in range(2))
        builder.store(ir.Constant(_float(a_type), 1), one)
        builder.store(builder.uitofp(add, _float(a_type)), beta)
        letters = [_letter(builder, transposed, bit) for bit in (1, 2)]
        m, n, k, lda, ldb, ldc = (builder.add(dims, ir.Constant(_ADDRESS, 4 * i)) for i in range(6))
        values = [*letters, m, n, k, one, a, lda, b, ldb, beta, c, ldc]
        function = _function(builder, "gemm", a_type, ir.VoidType(), [_ADDRESS] * len(values))
        builder.call(function, [_as_address(builder, value) for value in values])
        return context.get_dummy_value()

    a_type = a
    return types.void(dims, types.intp, a, a, types.intp, a), generate


def _letter(builder: Any, transposed: Any, bit: int) -> Any:
    """The address of "T" where `bit` is set, else of "N"."""
    kind = ir.IntType(8)
    address = cgutils.alloca_once(builder, kind)
    is_set = builder.icmp_unsigned("!=", builder.and_(transposed, ir.Constant(_ADDRESS, bit)), ir.Constant(_ADDRESS, 0))
    builder.store(builder.select(is_set, ir.Constant(kind, ord("T")), ir.Constant(kind, ord("N"))), address)
    return address


def _as_address(builder: Any, value: Any) -> Any:
    return value if value.type == _ADDRESS else builder.ptrtoint(value, _ADDRESS)


def _vml(operation: str) -> Any:
    @intrinsic
    def call(typing: Any, target: Any, source: Any, n: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target, source, n = (_as_address(builder, value) for value in arguments)
            function = _function(builder, operation, kind, ir.VoidType(), [_INT, _ADDRESS, _ADDRESS, _ADDRESS])
            builder.call(function, [builder.trunc(n, _INT), source, target, ir.Constant(_ADDRESS, _VML_MODE)])
            return context.get_dummy_value()

        kind = target
        return types.void(target, target, types.intp), generate

    return call


def _sleef(operation: str) -> Any:
    @intrinsic
    def call(typing: Any, target: Any, source: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            vector = _vector(kind)
            function = _function(builder, operation, kind, vector, [vector])
            pointers = [builder.bitcast(pointer, vector.as_pointer()) for pointer in arguments]
            alignment = kind.dtype.bitwidth // 8
            value = builder.load(pointers[1], align=alignment)
            builder.store(builder.call(function, [value]), pointers[0], align=alignment)
            return context.get_dummy_value()

        kind = target
        return types.void(target, target), generate

    return call


def _scalar(operation: str) -> Any:
    @intrinsic
    def call(typing: Any, x: Any, like: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.call(_function(builder, operation, like, _float(like), [_float(like)]), [arguments[0]])

        return like.dtype(like.dtype, like), generate

    return call


@intrinsic
def power(typing: Any, base: Any, exponent: Any) -> Any:
    """C's pow of doubles, which Python's `**` calls; numba's own multiplies repeatedly."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.DoubleType()
        name = PREFIX + NAMES["power"][0]
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind, kind]), name)
        return builder.call(function, arguments)

    return types.float64(types.float64, types.float64), generate


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return c(c, c, c), generate


sqrt, tanh = _vml("sqrt"), _vml("tanh")
exp_vector, tanh_vector, log_vector, log1p_vector, erf_vector = (
    _sleef(name + "_vector") for name in ("exp", "tanh", "log", "log1p", "erf")
)
exp_scalar, tanh_scalar, erf_scalar = (_scalar(name + "_scalar") for name in ("exp", "tanh", "erf"))
