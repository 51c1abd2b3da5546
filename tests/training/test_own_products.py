"""Gradients that the kernel computes in place of BLAS have its bits, or BLAS computes them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from pycompare.seeding import torch_manual_seed
from pycompare.training.engines.compiled import own_products
from tests.conftest import KERNELS
from tests.training.test_compiled import _assert_same, _chain, _options, _who

ROWS = [1, 3, 4, 7, 8, 9, 12, 15, 16, 20, 31, 64, 100, 333, 2048]


@pytest.mark.skipif(KERNELS != "recorded", reason="the order is that of the kernels that MKL had in the recordings")
@pytest.mark.parametrize("columns", own_products._COLUMNS)
def test_the_order_is_that_of_mkl(columns: int) -> None:
    shapes = [(rows, width) for rows in ROWS for width in (1, 3, 8, 17, 50, 256)]
    assert [shape for shape in shapes if not own_products._has_bits(torch.float32, *shape, columns)] == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("columns", range(1, 14))
def test_a_training_has_the_bits_of_the_fused_engine(columns: int, dtype: torch.dtype) -> None:
    with torch_manual_seed(columns):
        x = torch.randn(300, columns, dtype=dtype)
        network = nn.Sequential(nn.Linear(columns, 64), nn.ReLU(), nn.Linear(64, 5), nn.Tanh(), nn.Linear(5, 64))
        data = TensorDataset(x, torch.randn(300, 64, dtype=dtype))
    _assert_same(network.to(dtype), (data, data), batch_size=128)


def test_where_it_has_other_bits_blas_computes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(own_products, "_has_bits", lambda *shape: asked.append(shape))
    monkeypatch.setattr(own_products, "_LEAST", 0)
    assert _who(_chain(), _options("compiled", batch_size=19))[0] == "compiled"
    assert asked
