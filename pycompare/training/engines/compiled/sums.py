"""Sums in the order of ATen's kernels for AVX2, as measured: it decides on their bits.

All functions of the kernel are compiled by numba for pointers to float32 and to float64 (see `torch_calls`): `x`,
`work` and the like are pointers, n counts numbers. LLVM contracts nothing by itself, so a product is fused with a sum
only where `fma` stands.
"""

from __future__ import annotations

from numba import intp

from pycompare.training.engines.compiled.torch_calls import at, choose, inlined, item_size, keep_apart, rounded


@inlined
def fill(target, value, n):
    """target[:n] = value"""
    keep_apart()
    for i in range(n):
        target[i] = value


@inlined
def copy(target, source, n):
    """target[:n] = source[:n]"""
    for i in range(n):
        target[i] = source[i]


@inlined
def _add_rows(sums, x, rows, stride, width):
    """sums += row for `rows` rows, one after the other; four at a time only spares loads and stores of `sums`."""
    keep_apart()
    whole = rows - rows % 4
    for row in range(0, whole, 4):
        a, b = at(x, row * stride), at(x, (row + 1) * stride)
        c, d = at(x, (row + 2) * stride), at(x, (row + 3) * stride)
        for j in range(width):
            sums[j] = (((sums[j] + a[j]) + b[j]) + c[j]) + d[j]
    for row in range(whole, rows):
        a = at(x, row * stride)
        for j in range(width):
            sums[j] += a[j]


@inlined
def cascade_power(rows, levels):
    """log2 of the rows that one level of a cascade sums: 4 unless there are very many rows, as in ATen's SumKernel."""
    bits = 0
    while (1 << bits) < rows:
        bits += 1
    return max(4, bits // levels)


@inlined
def _carry(levels, width, blocks, power):
    """Pass the lowest level on, and what is full above it, after `blocks` blocks of rows."""
    zero = rounded(0.0, levels)
    for level in range(1, 4):
        below, above = at(levels, (level - 1) * width), at(levels, level * width)
        _add_rows(above, below, intp(1), width, width)
        fill(below, zero, width)
        if blocks & ((1 << (level * power)) - 1):
            break


@inlined
def _cascade(levels, x, rows, stride, width):
    """Sums of `width` columns into levels[:width], by four levels of running sums; levels has 4 width numbers."""
    keep_apart()
    power = cascade_power(rows, intp(4))
    block = 1 << power
    blocks = 0 if rows == block else rows // block  # a single block's sum passes through the levels unchanged
    fill(levels, rounded(0.0, levels), 4 * width if blocks else width)
    for i in range(blocks):
        _add_rows(levels, at(x, i * block * stride), block, stride, width)
        _carry(levels, width, i + 1, power)
    done = blocks * block
    _add_rows(levels, at(x, done * stride), rows - done, stride, width)
    if blocks:
        _add_rows(levels, at(levels, width), intp(3), width, width)


@inlined
def _four_sums(target, levels, x, rows, stride, width):
    """Sums of columns by four running sums of every fourth row, then first + second + third + fourth."""
    keep_apart()
    fourth = rows // 4
    for k in range(4):
        _cascade(at(levels, k * 4 * width), at(x, k * stride), fourth, 4 * stride, width)
    _add_rows(levels, at(x, 4 * fourth * stride), rows - 4 * fourth, stride, width)
    copy(target, levels, width)
    _add_rows(target, at(levels, 4 * width), intp(3), 4 * width, width)


@inlined
def sum_all(x, n, work):
    """The sum of contiguous numbers: four running vectors of 32 bytes, then the rest, then the vector's lanes."""
    keep_apart()
    lanes = 32 // item_size(x)
    vectors = n // lanes
    if vectors == 0:
        _four_sums(work, at(work, 1), x, n, intp(1), intp(1))
        return work[0]
    fours = vectors // 4
    _cascade(work, x, fours, 4 * lanes, 4 * lanes)
    _add_rows(work, at(x, 4 * fours * lanes), vectors - 4 * fours, lanes, lanes)
    _add_rows(work, at(work, lanes), intp(3), lanes, lanes)
    total = rounded(0.0, x)
    for i in range(vectors * lanes, n):
        total += x[i]
    for j in range(lanes):
        total += work[j]
    return total


@inlined
def sum_columns(target, x, rows, width, work):
    """`x.sum(0)` of a contiguous matrix: columns in fours of vectors by cascade, those left over by four sums.

    Fewer columns than a vector has go in fours of numbers.
    """
    keep_apart()
    if width == 1:
        target[0] = sum_all(x, rows, work)
        return
    lanes = 32 // item_size(x)
    whole = width - width % (4 * lanes if width >= lanes else 4)
    _cascade(work, x, rows, width, whole)
    copy(target, work, whole)
    _four_sums(at(target, whole), work, at(x, whole), rows, width, width - whole)


@inlined
def larger(a, b):
    """The larger, or NaN where one is NaN."""
    return choose((a > b) | (a != a), a, b)
