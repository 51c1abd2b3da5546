"""How ATen calls BLAS for a matrix product: the order of the operands and their leading dimensions decide on bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from pycompare.training.engines.compiled import codes

Product = tuple[int, ...]


@dataclass(frozen=True)
class Matrix:
    """What BLAS needs to know of a matrix."""

    rows: int
    columns: int
    row_stride: int
    column_stride: int

    @staticmethod
    def contiguous(rows: int, columns: int) -> Matrix:
        """A row-major matrix without gaps."""
        return Matrix(rows, columns, columns, 1)

    @staticmethod
    def of(tensor: Tensor) -> Matrix:
        """The matrix of a tensor of two dimensions."""
        return Matrix(*tensor.shape, *tensor.stride())

    @property
    def t(self) -> Matrix:
        """Its transpose, in the same memory."""
        return Matrix(self.columns, self.rows, self.column_stride, self.row_stride)

    def is_column_major(self) -> bool:
        """With what ATen takes for a leading dimension."""
        return self.row_stride == 1 and self.column_stride >= max(1, self.rows)

    def is_leading(self) -> bool:
        """Whether BLAS takes the matrix as it is; ATen copies others first."""
        return self.is_column_major() or self.t.is_column_major()


def chain_products(x: Matrix, widths: Sequence[tuple[int, int]]) -> list[list[Product]]:
    """Per layer, of widths (in, out), its three products' numbers; the first layer's inputs are `x`."""
    table = []
    for width_in, width_out in widths:
        weight, out = Matrix.contiguous(width_out, width_in), Matrix.contiguous(x.rows, width_out)
        table.append([_product(out, x, weight.t), _product(weight, out.t, x), _input_gradient(x, out, weight)])
        x = out
    return table


def _input_gradient(x: Matrix, out: Matrix, weight: Matrix) -> Product:
    if (x.row_stride, x.column_stride) != (1, x.rows):
        return _product(Matrix.contiguous(x.rows, x.columns), out, weight)
    # The transposed product, as in `fused._Linear`. It takes the weight first; the kernel gives the gradient first.
    *dimensions, flags, unused = _product(Matrix.contiguous(x.columns, x.rows), weight.t, out.t)
    return *dimensions, flags ^ codes.EXCHANGED, unused


def _product(result: Matrix, first: Matrix, second: Matrix) -> Product:
    """m, n, k, the leading dimensions, and the flags with which ATen's `addmm` calls BLAS for result = first second."""
    exchanged = not (result.row_stride == 1 and (result.columns == 1 or result.column_stride >= max(1, result.rows)))
    if exchanged:
        result, first, second = result.t, second.t, first.t
    m, n, k = result.rows, result.columns, first.columns
    (transposed_a, lda), (transposed_b, ldb) = _operand(first, exchanged), _operand(second, exchanged)
    # As ATen's normalize_last_dims: a dimension of 1 may come with any stride.
    if (k if transposed_b else n) == 1:
        ldb = n if transposed_b else k
    if (m if transposed_a else k) == 1:
        lda = k if transposed_a else m
    ldc = m if n == 1 else result.column_stride
    # The flags are a number of eight bytes: a zero follows.
    return m, n, k, lda, ldb, ldc, transposed_a + 2 * transposed_b + codes.EXCHANGED * exchanged, 0


def _operand(matrix: Matrix, exchanged: bool) -> tuple[int, int]:
    """Whether BLAS is to transpose a column-major view of a matrix, and its leading dimension."""
    if matrix.is_column_major():
        return 0, matrix.column_stride
    if matrix.t.is_column_major():
        return 1, matrix.row_stride
    return (1, matrix.columns) if not exchanged else (0, matrix.rows)
