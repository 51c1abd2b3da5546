"""Forward, backward and step of a run of batches; conventions as in `sums`.

One kernel serves every chain of linear layers and activations: the layers are rows of a table (see `codes`), so another
network needs no other compilation; float32 and float64 are two.
"""

from __future__ import annotations

from numba import intp, types

from pycompare.training.engines.compiled import torch_calls
from pycompare.training.engines.compiled.activations import activate, differentiate
from pycompare.training.engines.compiled.codes import (
    BATCH_COLUMNS,
    BATCH_INPUTS,
    BATCH_LOSS,
    BATCH_PRODUCTS,
    BATCH_ROWS,
    BATCH_TARGETS,
    EXCHANGED,
    FORWARD,
    GRADIENTS,
    INPUT_GRADIENT,
    LINEAR,
    NARROW,
    OP_BIAS,
    OP_COLUMNS,
    OP_INPUT,
    OP_KIND,
    OP_LINEAR,
    OP_OUTPUT,
    OP_WEIGHT,
    OP_WIDTH,
    OWN,
    PRODUCT_COLUMNS,
    PRODUCT_FLAGS,
    ROOT,
    ROOTS,
    SETTING_COLUMNS,
    STEP,
    VALIDATE,
    WEIGHT_GRADIENT,
)
from pycompare.training.engines.compiled.losses import batch_gradient, batch_loss, count_right
from pycompare.training.engines.compiled.narrow import narrow_gradient
from pycompare.training.engines.compiled.roots import roots
from pycompare.training.engines.compiled.steps import update
from pycompare.training.engines.compiled.sums import copy, sum_columns
from pycompare.training.engines.compiled.torch_calls import at, inlined, keep_apart, pointer


@inlined
def _product(products, which, first, second, add, target):
    """One call of BLAS, as ATen decides on it: `products` are the layer's three."""
    product = at(products, which * PRODUCT_COLUMNS)
    a, b = (second, first) if product[PRODUCT_FLAGS] & EXCHANGED else (first, second)
    torch_calls.gemm(product, product[PRODUCT_FLAGS] & 3, a, b, add, target)


@inlined
def _layer_products(products, op, batch):
    return at(products, (batch[BATCH_PRODUCTS] + op[OP_LINEAR]) * 3 * PRODUCT_COLUMNS)


@inlined
def _input(op, batch, buffer):
    """What an operation sees: the batch, or what another has left in the buffer."""
    return pointer(batch[BATCH_INPUTS], buffer) if op[OP_INPUT] < 0 else at(buffer, op[OP_INPUT])


@inlined
def _forward(ops, n_ops, slopes, products, batch, values, buffer):
    """The outputs of all operations into `buffer`; the last one's."""
    keep_apart()
    rows, y = batch[BATCH_ROWS], buffer
    for i in range(n_ops):
        op = at(ops, i * OP_COLUMNS)
        x, y, width, bias = _input(op, batch, buffer), at(buffer, op[OP_OUTPUT]), op[OP_WIDTH], op[OP_BIAS]
        if op[OP_KIND] != LINEAR:
            activate(op[OP_KIND], slopes[i], y, x, rows * width)
            continue
        if bias >= 0:
            for row in range(rows):
                copy(at(y, row * width), at(values, bias), width)
        weight = at(values, op[OP_WEIGHT])
        _product(_layer_products(products, op, batch), intp(FORWARD), x, weight, int(bias >= 0), y)
    return y


@inlined
def _backward(ops, n_ops, slopes, products, batch, values, grads, buffer, grad, other, work):
    """The parameters' gradients, from that of the outputs in `grad`, which is overwritten, as is `other`."""
    keep_apart()
    rows = batch[BATCH_ROWS]
    for i in range(n_ops - 1, -1, -1):
        op = at(ops, i * OP_COLUMNS)
        x, weight, width = _input(op, batch, buffer), op[OP_WEIGHT], op[OP_WIDTH]
        if op[OP_KIND] != LINEAR:
            differentiate(op[OP_KIND], slopes[i], other, grad, x, at(buffer, op[OP_OUTPUT]), rows * width, work)
            grad, other = other, grad
            continue
        layer = _layer_products(products, op, batch)
        product = at(layer, WEIGHT_GRADIENT * PRODUCT_COLUMNS)
        if product[PRODUCT_FLAGS] & OWN:
            columns = product[0] & 0xFFFFFFFF  # m, the first of two int32
            narrow_gradient(at(grads, weight), grad, x, rows, width, columns, work)
        else:
            _product(layer, intp(WEIGHT_GRADIENT), grad, x, intp(0), at(grads, weight))
        if op[OP_BIAS] >= 0:
            sum_columns(at(grads, op[OP_BIAS]), grad, rows, width, work)
        if i > 0:
            _product(layer, intp(INPUT_GRADIENT), grad, at(values, weight), intp(0), other)
            grad, other = other, grad


def epoch(
    mode,
    start,
    stop,
    n_train,
    n_batches,
    n_ops,
    size,
    optimizer,
    ops,
    products,
    batches,
    counters,
    slopes,
    settings,
    scales,
    divisors,
    values,
    grads,
    moments,
    buffer,
    grad,
    other,
    work,
    losses,
    right,
):
    """Of each of the batches start, ..., stop - 1 the loss, and of those for training gradients and a step, too, as
    `mode` says.

    Batches are counted on through epochs, each of which has `n_batches`, the first `n_train` of them for training. One
    function for training and validation: what they share would else be compiled and loaded twice.

    Arguments:
        mode: `codes.GRADIENTS`, `STEP` or `TRAIN`; or `ROOTS`, for those of `grads` in `values`; or `NARROW`, for the
            product of `grads`, of start rows and stop columns, transposed, and `buffer`, of n_train columns.
        n_ops, size: rows of `ops`, and numbers in each flat buffer.
        optimizer: its code.
        ops, products, batches, settings: tables, see `codes`; `slopes` is one a row of `ops`. `batches` and `settings`
            have a row for each batch of an epoch.
        counters: see `steps.update`.
        scales, divisors: of each batch's gradient and loss.
        values, grads, moments: flat buffers of parameters, of gradients and three of running averages.
        buffer, grad, other, work: room for outputs, two gradients, and work.
        losses: filled, one for each batch, counted through all epochs.
        right: filled for losses of classes: in how many rows the largest output is at the class.
    """
    if mode == ROOTS:
        roots(values, grads, size, settings[ROOT])
        return
    if mode == NARROW:
        narrow_gradient(values, grads, buffer, start, stop, n_train, work)
        return
    width = at(ops, (n_ops - 1) * OP_COLUMNS)[OP_WIDTH]
    for i in range(start, stop):
        place = i % n_batches
        parts = mode if place < n_train else VALIDATE
        if parts != STEP:
            batch = at(batches, place * BATCH_COLUMNS)
            rows, loss = batch[BATCH_ROWS], batch[BATCH_LOSS]
            y, classes = pointer(batch[BATCH_TARGETS], values), pointer(batch[BATCH_TARGETS], batches)
            out = _forward(ops, n_ops, slopes, products, batch, values, buffer)
            losses[i] = batch_loss(loss, out, y, classes, rows, width, work) / divisors[place]
            right[i] = count_right(loss, out, y, classes, rows, width)
            if parts & GRADIENTS:
                batch_gradient(loss, grad, out, y, classes, rows, width, scales[place], work)
                _backward(ops, n_ops, slopes, products, batch, values, grads, buffer, grad, other, work)
        if parts & STEP:
            update(optimizer, values, grads, moments, size, counters, at(settings, place * SETTING_COLUMNS), work)


# The kinds of the arguments: whole numbers, and pointers to whole numbers, doubles, and the parameters' numbers.
_COUNTS, _TABLES, _DOUBLES, _NUMBERS = 8, 4, 2, 10
N_ARGUMENTS = _COUNTS + _TABLES + _DOUBLES + _NUMBERS + 1


def signature(number):
    """Of `epoch`, as a C function, for numbers of the type `number` of numba."""
    pointers = [(types.int64, _TABLES), (types.float64, _DOUBLES), (number, _NUMBERS), (types.int64, 1)]
    arguments = [types.CPointer(kind) for kind, count in pointers for _ in range(count)]
    return types.void(*[types.int64] * _COUNTS, *arguments)
