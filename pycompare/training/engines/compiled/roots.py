"""Square roots of float32 with the bits of MKL's `vmsSqrt`, which ATen calls, at three times its speed.

MKL refines the processor's estimate r of 1 / sqrt(x) by one step for s = x r and h = r / 2, then corrects s:

    e = 1/2 - s h;  s <- s + s e;  h <- h + h e;  root = s + (x - s s) h

each operation rounded on AMD's processors (its function `mkl_vml_kernel_sSqrt_EXHAynn`), products and sums fused on
Intel's with AVX2 (`..._L9HAynn`): about every fifth root is not the number nearest to the exact one. Both were
compared with MKL's functions in all 2^31 bit patterns. Beyond the range of the estimate both round exactly.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from pycompare.training.engines.compiled import torch_calls
from pycompare.training.engines.compiled.codes import LIBRARY, UNFUSED
from pycompare.training.engines.compiled.torch_calls import at, inlined, item_size, keep_apart, types

_LANES = 8
_VECTOR = ir.VectorType(ir.FloatType(), _LANES)
_SMALLEST, _LARGEST = 2.0**-126, 2.0**128 - 2.0**116  # beyond these MKL rounds exactly


def _every(number: float) -> Any:
    return ir.Constant(_VECTOR, [number] * _LANES)


def _llvm(builder: Any, name: str, *vectors: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(vectors))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), vectors)


def _refined(builder: Any, x: Any, fused: bool) -> Any:
    def plus(c: Any, a: Any, b: Any) -> Any:
        return _llvm(builder, "llvm.fma.v8f32", a, b, c) if fused else builder.fadd(c, builder.fmul(a, b))

    def minus(c: Any, a: Any, b: Any) -> Any:
        return plus(c, builder.fneg(a), b)

    estimate = _llvm(builder, "llvm.x86.avx.rsqrt.ps.256", x)
    s, h = builder.fmul(x, estimate), builder.fmul(estimate, _every(0.5))
    e = minus(_every(0.5), s, h)
    s, h = plus(s, s, e), plus(h, h, e)
    return plus(s, minus(x, s, s), h)


def _root(builder: Any, x: Any, fused: bool) -> Any:
    """Refined where x is within the estimate's range; a branch skips the processor's root where all of x are."""
    refined = _refined(builder, x, fused)
    bounds = ((">=", _every(_SMALLEST)), ("<=", _every(_LARGEST)))
    within = builder.and_(*(builder.fcmp_ordered(sign, x, bound) for sign, bound in bounds))
    target = cgutils.alloca_once_value(builder, refined)
    all_within = ir.Constant(ir.IntType(_LANES), -1)
    some_beyond = builder.icmp_signed("!=", builder.bitcast(within, all_within.type), all_within)
    with builder.if_then(some_beyond, likely=False):
        builder.store(builder.select(within, refined, _llvm(builder, "llvm.sqrt.v8f32", x)), target)
    return builder.load(target)


def _eight(fused: bool) -> Any:
    @intrinsic
    def call(typing: Any, target: Any, source: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            to, start = (builder.bitcast(pointer, _VECTOR.as_pointer()) for pointer in arguments)
            builder.store(_root(builder, builder.load(start, align=4), fused), to, align=4)
            return context.get_dummy_value()

        return types.void(target, target), generate

    return call


_unfused, _fused = _eight(fused=False), _eight(fused=True)


@inlined
def roots(target, source, n, code):
    """target[:n] = sqrt(source[:n]), as the code says; n is a multiple of eight, as all parts of a flat buffer have."""
    keep_apart()
    if item_size(source) == 8 or code == LIBRARY:
        torch_calls.sqrt(target, source, n)
    elif code == UNFUSED:
        for i in range(0, n, 8):
            _unfused(at(target, i), at(source, i))
    else:
        for i in range(0, n, 8):
            _fused(at(target, i), at(source, i))
