"""A batch's loss and its gradient, as ATen computes them; conventions as in `sums`."""

from __future__ import annotations

from numba import boolean, intp

from pycompare.training.engines.compiled import torch_calls
from pycompare.training.engines.compiled.activations import sigmoid
from pycompare.training.engines.compiled.codes import BCE, CLASSES, HUBER, L1, MSE, PROBABILITIES
from pycompare.training.engines.compiled.sums import cascade_power, copy, fill, larger, sum_all
from pycompare.training.engines.compiled.torch_calls import at, choose, fma, inlined, item_size, keep_apart, rounded


@inlined
def batch_loss(kind, out, y, classes, rows, width, work):
    """The loss of outputs: its sum, for an elementwise one; `work` then holds what the gradient needs."""
    keep_apart()
    n = rows * width
    if kind == MSE:
        for i in range(n):
            work[i] = (out[i] - y[i]) * (out[i] - y[i])
    elif kind == L1:
        for i in range(n):
            work[i] = abs(out[i] - y[i])
    elif kind == HUBER:
        _huber(work, out, y, n)
    elif kind == BCE:
        _bce(work, out, y, n, at(work, n))
    else:
        return _cross_entropy(kind, out, y, classes, rows, width, work)
    return sum_all(work, n, at(work, n))


@inlined
def _huber(parts, out, y, n):
    """With delta = 1, as is the beta of the smooth L1 loss, which then has the same bits."""
    keep_apart()
    half, one = rounded(0.5, out), rounded(1.0, out)
    for i in range(n):
        z = abs(out[i] - y[i])
        parts[i] = choose(z >= one, z - half, half * z * z)


@inlined
def batch_gradient(kind, grad, out, y, classes, rows, width, scale, work):
    """The gradient of a batch's mean loss, after `batch_loss`; `scale` is its factor (for BCE its divisor)."""
    keep_apart()
    n = rows * width
    if kind == MSE:
        for i in range(n):
            grad[i] = (out[i] - y[i]) * scale
    elif kind == L1:
        _l1_gradient(grad, out, y, n, scale)
    elif kind == HUBER:
        _huber_gradient(grad, out, y, n, scale)
    elif kind == BCE:
        _bce_gradient(grad, out, y, n, scale, work)
    else:
        _cross_entropy_gradient(kind, grad, y, classes, rows, width, scale, work)


@inlined
def _bce(parts, out, y, n, soft):
    """(1 - y) out - log(sigmoid(out)); `soft` becomes log(1 + exp(-|out|)), by whole vectors."""
    keep_apart()
    zero, one = rounded(0.0, out), rounded(1.0, out)
    for i in range(n):
        soft[i] = -abs(out[i])
    _exp_vectors(soft, n)
    for i in range(0, n, 32 // item_size(soft)):
        torch_calls.log1p_vector(at(soft, i), at(soft, i))
    for i in range(n):
        parts[i] = (one - y[i]) * out[i] - (choose(out[i] > zero, zero, out[i]) - soft[i])


@inlined
def _bce_gradient(grad, out, y, n, divisor, work):
    sigmoid(work, out, n)
    for i in range(n):
        grad[i] = (work[i] - y[i]) / divisor


@inlined
def _l1_gradient(grad, out, y, n, scale):
    zero, one = rounded(0.0, out), rounded(1.0, out)
    for i in range(n):
        error = out[i] - y[i]
        grad[i] = (choose(error > zero, one, zero) - choose(error < zero, one, zero)) * scale


@inlined
def _huber_gradient(grad, out, y, n, scale):
    zero, one = rounded(0.0, out), rounded(1.0, out)
    for i in range(n):
        error = out[i] - y[i]
        sign = choose(error > zero, one, -one)
        grad[i] = scale * choose(abs(error) >= one, sign, error)


@inlined
def _folded(a, b, is_maximum):
    return larger(a, b) if is_maximum else a + b


@inlined
def _fold(x, n, is_maximum):
    """ATen's `vec::reduce_all` of the first n of `x`, which it overwrites: lane by lane, then across the lanes."""
    keep_apart()
    lanes = 32 // item_size(x)
    for i in range(lanes, n):
        x[i % lanes] = _folded(x[i % lanes], x[i], is_maximum)
    if n < lanes or item_size(x) == 8:
        for i in range(1, min(n, lanes)):
            x[0] = _folded(x[0], x[i], is_maximum)
        return x[0]
    for half in (4, 2, 1):
        for i in range(half):
            x[i] = _folded(x[i], x[i + half], is_maximum)
    return x[0]


@inlined
def _exp_vectors(x, n):
    """exp of n numbers, by whole vectors at the end too: `x` has room for these."""
    keep_apart()
    for i in range(0, n, 32 // item_size(x)):
        torch_calls.exp_vector(at(x, i), at(x, i))


@inlined
def _log_softmax(logs, x, width, row):
    """The logarithms of one row's softmax; `row` has room for it and a vector."""
    keep_apart()
    copy(row, x, width)
    largest = _fold(row, width, boolean(True))
    for j in range(width):
        row[j] = x[j] - largest
    _exp_vectors(row, width)
    row[0] = _fold(row, width, boolean(False))
    torch_calls.log_vector(row, row)
    total = row[0]
    for j in range(width):
        logs[j] = x[j] - largest - total


@inlined
def _cross_entropy(kind, out, y, classes, rows, width, work):
    keep_apart()
    n = rows * width
    rest = at(work, n)
    for start in range(0, n, width):
        _log_softmax(at(work, start), at(out, start), width, rest)
    count = rounded(float(rows), out)
    if kind == CLASSES:
        return _nll(work, classes, rows, width, rest) / count
    for i in range(n):
        rest[i] = work[i] * y[i]
    return -sum_all(rest, n, at(rest, n)) / count


@inlined
def _nll(logs, classes, rows, width, levels):
    """Sum of -logs at the classes, by a cascade of eight levels that carries after the very first row already."""
    keep_apart()
    zero = rounded(0.0, logs)
    fill(levels, zero, intp(8))
    power = cascade_power(rows, intp(8))
    for row in range(rows):
        levels[0] -= logs[row * width + classes[row]]
        for level in range(7):
            if row & (((1 << power) - 1) << (level * power)):
                break
            levels[level + 1] += levels[level]
            levels[level] = zero
    total = zero
    for level in range(8):
        total += levels[level]
    return total


@inlined
def _cross_entropy_gradient(kind, grad, y, classes, rows, width, scale, logs):
    """With g the logarithms' gradient, g - exp(logs) sum(g) for every row; after the logarithms there is room."""
    keep_apart()
    zero, row = rounded(0.0, grad), at(logs, rows * width)
    terms = at(row, width + 8)
    for i in range(rows):
        g, start = at(grad, i * width), i * width
        for j in range(width):
            if kind == CLASSES:
                g[j] = -scale if classes[i] == j else zero
            else:
                g[j] = -scale * y[start + j]
        copy(terms, g, width)
        total = _fold(terms, width, boolean(False))
        copy(row, at(logs, start), width)
        _exp_vectors(row, width)
        for j in range(width):
            g[j] = fma(-row[j], total, g[j])


@inlined
def _largest_at(x, width):
    """Where the largest of `width` numbers is first, as `torch.argmax` says it: NaN is the largest of all."""
    keep_apart()
    place = intp(0)
    for j in range(1, width):
        if x[place] != x[place]:
            return place
        if x[j] > x[place] or x[j] != x[j]:
            place = j
    return place


@inlined
def count_right(kind, out, y, classes, rows, width):
    """In how many rows the largest output is at the class; 0 for other losses."""
    keep_apart()
    right = intp(0)
    if kind == CLASSES:
        for i in range(rows):
            right += _largest_at(at(out, i * width), width) == classes[i]
    elif kind == PROBABILITIES:
        for i in range(rows):
            right += _largest_at(at(out, i * width), width) == _largest_at(at(y, i * width), width)
    return right
