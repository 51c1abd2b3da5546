"""Activations and their derivatives, number by number as ATen computes them; conventions as in `sums`."""

from __future__ import annotations

from pycompare.training.engines.compiled import torch_calls
from pycompare.training.engines.compiled.codes import GELU, LEAKY_RELU, RELU, SIGMOID, TANH
from pycompare.training.engines.compiled.torch_calls import at, choose, fma, inlined, item_size, keep_apart, rounded

# M_SQRT2, M_SQRT1_2 and M_2_SQRTPI of C's math.h.
ROOT_2, ROOT_HALF, TWO_BY_ROOT_PI = 1.41421356237309504880, 0.70710678118654752440, 1.12837916709551257390


@inlined
def _whole_vectors(x, n):
    """How many of n numbers ATen's loops take in pairs of vectors; those that follow go through C's functions."""
    return n - n % (64 // item_size(x))


@inlined
def exp(x, n):
    """x = exp(x), by vectors and by C's function, as ATen's loops split it."""
    keep_apart()
    whole = _whole_vectors(x, n)
    for i in range(0, whole, 32 // item_size(x)):
        torch_calls.exp_vector(at(x, i), at(x, i))
    for i in range(whole, n):
        x[i] = torch_calls.exp_scalar(x[i], x)


@inlined
def _tanh(x, n):
    keep_apart()
    whole = _whole_vectors(x, n)
    for i in range(0, whole, 32 // item_size(x)):
        torch_calls.tanh_vector(at(x, i), at(x, i))
    for i in range(whole, n):
        x[i] = torch_calls.tanh_scalar(x[i], x)


@inlined
def _erf(x, n):
    keep_apart()
    whole = _whole_vectors(x, n)
    for i in range(0, whole, 32 // item_size(x)):
        torch_calls.erf_vector(at(x, i), at(x, i))
    for i in range(whole, n):
        x[i] = torch_calls.erf_scalar(x[i], x)


@inlined
def sigmoid(y, x, n):
    """y = 1 / (1 + exp(-x))"""
    keep_apart()
    one = rounded(1.0, y)
    for i in range(n):
        y[i] = -x[i]
    exp(y, n)
    for i in range(n):
        y[i] = one / (one + y[i])


@inlined
def _gelu(y, x, n):
    keep_apart()
    half, one, root = rounded(0.5, y), rounded(1.0, y), rounded(ROOT_HALF, y)
    for i in range(n):
        y[i] = x[i] * root
    _erf(y, n)
    for i in range(n):
        y[i] = x[i] * half * (one + y[i])


@inlined
def _gelu_inner(target, x, n):
    """sqrt(2 / pi) (x + 0.044715 x^3)"""
    beta, kappa = rounded(ROOT_2 * TWO_BY_ROOT_PI * 0.5, x), rounded(0.044715, x)
    for i in range(n):
        target[i] = beta * fma(kappa, x[i] * x[i] * x[i], x[i])


@inlined
def _gelu_tanh(y, x, n):
    keep_apart()
    half, one = rounded(0.5, y), rounded(1.0, y)
    _gelu_inner(y, x, n)
    _tanh(y, n)
    for i in range(n):
        y[i] = half * x[i] * (one + y[i])


@inlined
def _relu(y, x, n):
    """NaN and -0 stay, as ATen's clamp leaves them."""
    zero = rounded(0.0, y)
    for i in range(n):
        y[i] = choose(x[i] < zero, zero, x[i])


@inlined
def _leaky_relu(y, x, n, slope):
    zero, one = rounded(0.0, y), rounded(1.0, y)
    for i in range(n):
        y[i] = x[i] * choose(x[i] > zero, one, slope)


@inlined
def activate(kind, slope, y, x, n):
    """Never in place: LLVM then makes masked stores of a choice, which take six times as long on AMD's processors."""
    keep_apart()
    if kind == RELU:
        _relu(y, x, n)
    elif kind == TANH:
        torch_calls.tanh(y, x, n)
    elif kind == SIGMOID:
        sigmoid(y, x, n)
    elif kind == LEAKY_RELU:
        _leaky_relu(y, x, n, rounded(slope, y))
    elif kind == GELU:
        _gelu(y, x, n)
    else:
        _gelu_tanh(y, x, n)


@inlined
def _gelu_derivative(target, grad, x, n, work):
    keep_apart()
    half, one, root = rounded(0.5, x), rounded(1.0, x), rounded(ROOT_HALF, x)
    beta = rounded(TWO_BY_ROOT_PI * ROOT_HALF * 0.5, x)
    cdf, pdf = work, at(work, n)
    for i in range(n):
        cdf[i] = x[i] * root
        pdf[i] = x[i] * x[i] * -half
    _erf(cdf, n)
    exp(pdf, n)
    whole = _whole_vectors(x, n)
    for i in range(whole):
        target[i] = grad[i] * fma(x[i], beta * pdf[i], half * (one + cdf[i]))
    for i in range(whole, n):  # the compiler of ATen has fused the other product here, which halves exactly
        target[i] = grad[i] * (half * (one + cdf[i]) + x[i] * (beta * pdf[i]))


@inlined
def _gelu_tanh_derivative(target, grad, x, n, inner):
    keep_apart()
    half, one, kappa_3 = rounded(0.5, x), rounded(1.0, x), rounded(3.0, x) * rounded(0.044715, x)
    beta = rounded(ROOT_2 * TWO_BY_ROOT_PI * 0.5, x)
    _gelu_inner(inner, x, n)
    _tanh(inner, n)
    for i in range(n):
        slope = fma(-inner[i], inner[i], one)
        inside = beta * fma(kappa_3, x[i] * x[i], one)
        target[i] = grad[i] * (half * (one + inner[i]) + half * x[i] * slope * inside)


@inlined
def _relu_derivative(target, grad, y, n):
    zero = rounded(0.0, y)
    for i in range(n):
        target[i] = choose(y[i] <= zero, zero, grad[i])


@inlined
def _tanh_derivative(target, grad, y, n):
    one = rounded(1.0, y)
    for i in range(n):
        target[i] = grad[i] * fma(-y[i], y[i], one)


@inlined
def _sigmoid_derivative(target, grad, y, n):
    one = rounded(1.0, y)
    for i in range(n):
        target[i] = grad[i] * (one - y[i]) * y[i]


@inlined
def _leaky_relu_derivative(target, grad, x, n, slope):
    zero, one = rounded(0.0, x), rounded(1.0, x)
    for i in range(n):
        target[i] = grad[i] * choose(x[i] > zero, one, slope)


@inlined
def differentiate(kind, slope, target, grad, x, y, n, work):
    """`grad` times the derivative of an activation with input x and output y; not in place, as `activate`."""
    keep_apart()
    if kind == RELU:
        _relu_derivative(target, grad, y, n)
    elif kind == TANH:
        _tanh_derivative(target, grad, y, n)
    elif kind == SIGMOID:
        _sigmoid_derivative(target, grad, y, n)
    elif kind == LEAKY_RELU:
        _leaky_relu_derivative(target, grad, x, n, rounded(slope, x))
    elif kind == GELU:
        _gelu_derivative(target, grad, x, n, work)
    else:
        _gelu_tanh_derivative(target, grad, x, n, work)
