"""The optimizers' steps, on chunks of the flat buffers; conventions as in `sums`."""

from __future__ import annotations

import math

from pycompare.training.engines.compiled import torch_calls
from pycompare.training.engines.compiled.codes import (
    ADAMW,
    EPSILON,
    LEARNING_RATE,
    MOMENTUM,
    RMSPROP,
    ROOT,
    SECOND,
    SGD,
    SIGN,
    VARIANT,
    WEIGHT_DECAY,
)
from pycompare.training.engines.compiled.roots import roots
from pycompare.training.engines.compiled.sums import copy, larger
from pycompare.training.engines.compiled.torch_calls import at, fma, inlined, item_size, keep_apart, rounded

# Numbers that stay in the first level cache between the passes of an optimizer's step: four arrays of 4 KiB.
CHUNK = 1024
LARGEST_FLOAT32 = 3.4028234663852886e38


@inlined
def _within(value, like):
    """A double as a number like `like`, or an infinity beyond these: as `optim._within`, not rounded to the largest."""
    if item_size(like) == 4 and abs(value) > LARGEST_FLOAT32:
        value *= math.inf
    return rounded(value, like)


@inlined
def _decayed(g, p, n, decay, sign, work):
    """The gradient with its sign changed where `sign` is -1, then with `decay` times the value added, if not 0."""
    keep_apart()
    if decay == 0 and sign > 0:
        return g
    factor, signed = _within(decay, p), rounded(sign, p)
    for i in range(n):
        work[i] = g[i] * signed
    if decay != 0:
        for i in range(n):
            work[i] = fma(p[i], factor, work[i])
    return work


@inlined
def _moments(g, first, second, n, beta1, beta2):
    b1, c1, b2, c2 = rounded(beta1, g), rounded(1 - beta1, g), rounded(beta2, g), rounded(1 - beta2, g)
    for i in range(n):
        first[i] = fma(g[i], c1, first[i] * b1)
        second[i] = fma(c2 * g[i], g[i], second[i] * b2)


@inlined
def _adam(p, g, first, second, largest, n, bias1, bias2, rate, beta1, decay, decoupled, settings, work):
    keep_apart()
    beta2, epsilon = settings[SECOND], rounded(settings[EPSILON], p)
    root, size = rounded(math.sqrt(bias2), p), _within(-rate / bias1, p)
    kept = rounded(1 - rate * decay if decoupled and decay != 0 else 1.0, p)
    denominator = at(work, CHUNK)
    if not decoupled:
        g = _decayed(g, p, n, decay, 1.0, work)
    _moments(g, first, second, n, beta1, beta2)
    if settings[VARIANT] != 0:
        for i in range(n):
            largest[i] = larger(largest[i], second[i])
        second = largest
    roots(denominator, second, n, settings[ROOT])
    for i in range(n):
        p[i] = p[i] * kept + (size * first[i]) / (denominator[i] / root + epsilon)


@inlined
def _rmsprop(p, g, square, mean, buffer, n, rate, momentum, decay, settings, work):
    keep_apart()
    epsilon, size, factor = rounded(settings[EPSILON], p), _within(-rate, p), rounded(momentum, p)
    kept, added = rounded(settings[SECOND], p), rounded(1 - settings[SECOND], p)
    average = at(work, CHUNK)
    g = _decayed(g, p, n, decay, 1.0, work)
    for i in range(n):
        square[i] = fma(added * g[i], g[i], square[i] * kept)
        average[i] = square[i]
    if settings[VARIANT] != 0:
        for i in range(n):
            mean[i] = fma(g[i], added, mean[i] * kept)
            average[i] = fma(-mean[i], mean[i], square[i])
    roots(average, average, n, settings[ROOT])
    if momentum > 0:
        for i in range(n):
            buffer[i] = buffer[i] * factor + g[i] / (average[i] + epsilon)
            p[i] = fma(buffer[i], size, p[i])
    else:
        for i in range(n):
            p[i] = p[i] + (size * g[i]) / (average[i] + epsilon)


@inlined
def _sgd(p, g, buffer, n, started, rate, momentum, decay, settings, work):
    keep_apart()
    size, factor, added = _within(-rate, p), rounded(momentum, p), rounded(1 - settings[SECOND], p)
    g = _decayed(g, p, n, decay, settings[SIGN], work)
    if momentum != 0:
        if started:
            for i in range(n):
                buffer[i] = fma(g[i], added, buffer[i] * factor)
        else:
            copy(buffer, g, n)
        if settings[VARIANT] != 0:
            for i in range(n):
                work[i] = fma(buffer[i], factor, g[i])
            g = work
        else:
            g = buffer
    for i in range(n):
        p[i] = fma(g[i], size, p[i])


@inlined
def update(kind, values, grads, moments, size, counters, settings, work):
    """One step of an optimizer; counters: steps taken, and whether SGD's buffer has its first gradient."""
    keep_apart()
    counters[0] += 1
    rate, momentum, decay = settings[LEARNING_RATE], settings[MOMENTUM], settings[WEIGHT_DECAY]
    t = float(counters[0])
    bias1, bias2 = 1 - torch_calls.power(momentum, t), 1 - torch_calls.power(settings[SECOND], t)
    for i in range(0, size, CHUNK):
        p, g, n = at(values, i), at(grads, i), min(CHUNK, size - i)
        a, b, c = at(moments, i), at(moments, size + i), at(moments, 2 * size + i)
        if kind == SGD:
            _sgd(p, g, a, n, counters[1] != 0, rate, momentum, decay, settings, work)
        elif kind == RMSPROP:
            _rmsprop(p, g, a, b, c, n, rate, momentum, decay, settings, work)
        else:
            _adam(p, g, a, b, c, n, bias1, bias2, rate, momentum, decay, kind == ADAMW, settings, work)
    if momentum != 0:
        counters[1] = 1
