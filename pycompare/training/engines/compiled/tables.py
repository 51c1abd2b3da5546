"""A network and its batches as the kernel takes them: tables of numbers and addresses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pycompare.training.batches import BatchedData
from pycompare.training.engines.compiled import codes
from pycompare.training.engines.compiled.own_products import takes_gradient
from pycompare.training.engines.compiled.products import Matrix, chain_products
from pycompare.training.engines.covers import chain, linear_layers
from pycompare.training.engines.flat import ALIGNMENT
from pycompare.training.losses import Loss

_LOSSES = {"mse": codes.MSE, "l1": codes.L1, "huber": codes.HUBER, "smooth_l1": codes.HUBER, "bce": codes.BCE}
_MODULES = {
    nn.Linear: codes.LINEAR,
    nn.ReLU: codes.RELU,
    nn.Tanh: codes.TANH,
    nn.Sigmoid: codes.SIGMOID,
    nn.LeakyReLU: codes.LEAKY_RELU,
}


class LayerTable:
    """The operations of a network from the first linear layer on; what comes before sees nothing but the inputs.

    Attributes:
        before: the modules before that layer.
        operations: one row a module, see `codes.OP_KIND` and the names beside it.
        slopes: of leaky ReLUs, one a module.
        width: of the outputs.
    """

    def __init__(self, network: nn.Module, rows: int) -> None:
        modules = [module for module in chain(network) if type(module) is not nn.Identity]
        self.linear = linear_layers(network)
        first = modules.index(self.linear[0])
        self.before, self._modules, self._rows = modules[:first], modules[first:], rows
        self.dtype, self.width = self.linear[0].weight.dtype, self.linear[-1].out_features
        self.slopes = np.array([float(getattr(module, "negative_slope", 0)) for module in self._modules])
        self.operations = self._operations()

    def __len__(self) -> int:
        return len(self._modules)

    def products(self, shapes: tuple[Matrix, ...]) -> NDArray[Any]:
        """The table of products, for batches whose inputs have these shapes."""
        widths = tuple((layer.in_features, layer.out_features) for layer in self.linear)
        return _products(shapes, widths, self.dtype)

    def cycles(self) -> int:
        """How many cycles of the processor a training step takes at most, roughly."""
        # In float32; BLAS takes six operations a weight and row, eight at once where it is slow, activations and losses
        # up to 15 cycles a number, and 30 a weight are the optimizer's, and those of BLAS where rows are few.
        weights, numbers = sum(layer.weight.numel() for layer in self.linear), sum(self._widths())
        return (self._rows * (6 * weights // 8 + 15 * numbers) + 30 * weights) * self.dtype.itemsize // 4

    def memory(self) -> list[Tensor]:
        """Room for outputs, two gradients and work; aligned as all of PyTorch's tensors."""
        widest = max(max(layer.in_features, layer.out_features) for layer in self.linear)
        one, outputs = self._rows * widest, sum(self._padded(self._rows * width) for width in self._widths())
        gelu = 2 * one if any(isinstance(module, nn.GELU) for module in self._modules) else 0
        # Losses take three outputs, GELU's derivative two layers, sums 16 rows and four vectors of four, steps two
        # chunks.
        work = max(3 * self._rows * self.width, gelu) + 32 * widest + 4096
        return [torch.empty(size, dtype=self.dtype, device="cpu") for size in (outputs, one, one, work)]

    def _operations(self) -> NDArray[Any]:
        table, places = [], iter(self._parameter_places())
        previous, output, linear = -1, 0, -1
        for module, width in zip(self._modules, self._widths(), strict=True):
            is_linear = isinstance(module, nn.Linear)
            linear += is_linear
            weight, bias = next(places) if is_linear else (-1, -1)
            table.append([_module_code(module), width, previous, output, weight, bias, linear])
            previous, output = output, output + self._padded(self._rows * width)
        return np.array(table, dtype=np.int64)

    def _widths(self) -> list[int]:
        """The width of each operation's outputs."""
        widths: list[int] = []
        for module in self._modules:
            widths.append(module.out_features if isinstance(module, nn.Linear) else widths[-1])
        return widths

    def _parameter_places(self) -> list[tuple[int, int]]:
        """Where weight and bias of each layer start in the flat buffer; -1 for no bias."""
        place, places = 0, []
        for layer in self.linear:
            bias = place + self._padded(layer.weight.numel())
            places.append((place, -1 if layer.bias is None else bias))
            place = bias + (0 if layer.bias is None else self._padded(layer.out_features))
        return places

    def _padded(self, n: int) -> int:
        aligned = ALIGNMENT // self.dtype.itemsize
        return -(-n // aligned) * aligned


class BatchTable:
    """The batches of an epoch, for training, then for validation, as the kernel takes them.

    Attributes:
        train: how many are for training.
        sizes, rows: of each batch, how many numbers its loss is the mean of, and how many rows it has.
        shapes: of the batches' inputs, each once.
        table: one row a batch, see `codes.BATCH_INPUTS` and the names beside it.
        scales, divisors: of each batch's gradient and of its loss.
        of_classes: whether the loss is one of classes.
    """

    def __init__(self, train: BatchedData, valid: BatchedData, loss: Loss, layers: LayerTable) -> None:
        batches, dtype = [*train.batches, *valid.batches], layers.dtype
        self.train = len(list(train.batches))
        self.sizes = [y.numel() for _, y in batches]
        # Kept, since the table has their addresses only.
        self._inputs = _first_inputs(layers.before, [x for x, _ in batches])
        self._targets = [loss.cast(y, layers.width, dtype) for _, y in batches]
        shapes = [Matrix.of(x) for x in self._inputs]
        self.shapes = tuple(dict.fromkeys(shapes))
        self.rows = [shape.rows for shape in shapes]
        self.table = np.array(
            [
                (
                    x.data_ptr(),
                    y.data_ptr(),
                    shape.rows,
                    self.shapes.index(shape) * len(layers.linear),
                    _loss_code(loss, y),
                )
                for x, y, shape in zip(self._inputs, self._targets, shapes, strict=True)
            ],
            dtype=np.int64,
        )
        self.of_classes = loss.of_classes
        self.number = np.dtype(str(dtype).removeprefix("torch."))
        scales = {pair: _scale(loss, *pair, dtype) for pair in set(zip(self.sizes, self.rows, strict=True))}
        self.scales = np.array([scales[pair] for pair in zip(self.sizes, self.rows, strict=True)], dtype=self.number)
        self.divisors = np.array([1] * len(shapes) if loss.of_classes else self.sizes, dtype=self.number)


def batch_table(train: BatchedData, valid: BatchedData, loss: Loss, layers: LayerTable) -> BatchTable:
    """The table of both sets, made once for all trainings in which it is the same."""
    before = tuple(map(repr, layers.before))
    key = (BatchTable, valid, loss.given, before, layers.width, len(layers.linear), layers.dtype)
    return train.keep(key, lambda: BatchTable(train, valid, loss, layers))


@torch.inference_mode()
def _first_inputs(modules: Sequence[nn.Module], inputs: list[Tensor]) -> list[Tensor]:
    """What the first linear layer, after `modules`, sees of each batch, in a layout that BLAS takes."""
    for module in modules:
        inputs = [module(x) for x in inputs]
    return [x if Matrix.of(x).is_leading() else x.contiguous() for x in inputs]


@lru_cache(maxsize=256)
def _products(shapes: tuple[Matrix, ...], widths: tuple[tuple[int, int], ...], dtype: torch.dtype) -> NDArray[Any]:
    products = np.array([chain_products(x, widths) for x in shapes], dtype=np.int32)
    flags = products[:, :, codes.WEIGHT_GRADIENT, 2 * codes.PRODUCT_FLAGS]
    for i, x in enumerate(shapes):
        for layer, (columns, width) in enumerate(widths):
            is_plain = layer > 0 or x == Matrix.contiguous(x.rows, columns)
            if is_plain and takes_gradient(dtype, x.rows, width, columns):
                flags[i, layer] |= codes.OWN
    return products


def _module_code(module: nn.Module) -> int:
    if isinstance(module, nn.GELU):
        return codes.GELU_TANH if module.approximate == "tanh" else codes.GELU
    return _MODULES[type(module)]


def _loss_code(loss: Loss, targets: Tensor) -> int:
    if loss.of_classes:
        return codes.PROBABILITIES if targets.is_floating_point() else codes.CLASSES
    return _LOSSES[str(loss.given)]


def _scale(loss: Loss, size: int, rows: int, dtype: torch.dtype) -> float:
    """The factor (for "bce" the divisor) of the gradient of a batch of `size` numbers, rounded as `Fused` rounds it."""
    if loss.given == "bce":
        return float(size)
    if loss.given in ("mse", "huber", "smooth_l1"):
        return torch.tensor((2 if loss.given == "mse" else 1) / size, dtype=dtype).item()
    return (torch.ones((), dtype=dtype) / (size if loss.given == "l1" else rows)).item()
