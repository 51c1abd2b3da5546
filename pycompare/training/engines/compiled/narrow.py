"""Gradients of a layer's weights where its inputs are few, in MKL's order of operations; conventions as in `sums`.

MKL multiplies matrices with fewer than 12 columns without fused operations, at a tenth of the processor's speed. The
order was found by sums in which two numbers cancel all that was added before (Xie et al. 2025, "FPRev: Revealing
Floating-Point Accumulation Orders in Software/Hardware Implementations"): rows one after the other; but of 5 or more
columns, in half of the outputs of the first (columns mod 4) ones, every second four rows are summed first.
"""

from __future__ import annotations

from pycompare.training.engines.compiled.sums import fill
from pycompare.training.engines.compiled.torch_calls import at, inlined, keep_apart, rounded


@inlined
def _add_row(sums, grad, x, width):
    for j in range(width):
        sums[j] = sums[j] + grad[j] * x[0]


@inlined
def _add_four_rows(sums, grad, x, width, columns):
    """One after the other; at once only spares loads and stores of `sums`."""
    keep_apart()
    a, b, c, d = grad, at(grad, width), at(grad, 2 * width), at(grad, 3 * width)
    p, q, r, s = x[0], x[columns], x[2 * columns], x[3 * columns]
    for j in range(width):
        sums[j] = (((sums[j] + a[j] * p) + b[j] * q) + c[j] * r) + d[j] * s


@inlined
def _add_sum_of_four_rows(sums, grad, x, width, columns, work):
    fill(work, rounded(0.0, work), width)
    _add_four_rows(work, grad, x, width, columns)
    for j in range(width):
        sums[j] += work[j]


@inlined
def narrow_gradient(target, grad, x, rows, width, columns, work):
    """target (width, columns) = grad (rows, width) transposed, times x (rows, columns); work has 13 width numbers.

    For 2 to 6, 8 or 10 columns.
    """
    keep_apart()
    others = columns % 4 if columns > 4 else 0  # columns some of whose outputs are summed otherwise
    fill(work, rounded(0.0, work), (columns + others) * width)
    apart = at(work, (columns + others) * width)
    for row in range(0, rows - 3, 4):
        first = at(grad, row * width)
        for i in range(columns + others):
            sums, inputs = at(work, i * width), at(x, row * columns + i % columns)
            if i >= columns and row % 8 == 4:
                _add_sum_of_four_rows(sums, first, inputs, width, columns, apart)
            else:
                _add_four_rows(sums, first, inputs, width, columns)
    for row in range(rows - rows % 4, rows):
        for i in range(columns + others):
            _add_row(at(work, i * width), at(grad, row * width), at(x, row * columns + i % columns), width)
    for j in range(width):
        for i in range(columns):
            otherwise = i < others and (j % 4 == 3 if others == 1 else j % 2 == 1)
            target[j * columns + i] = work[(columns + i if otherwise else i) * width + j]
