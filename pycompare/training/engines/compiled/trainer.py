"""A training in compiled code: runs of batches, a call of the kernel each, with the bits of `Fused`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pycompare.training.engines.compiled import codes
from pycompare.training.engines.compiled.machine_code import kernel
from pycompare.training.engines.compiled.tables import Batches, BatchTable, LayerTable
from pycompare.training.engines.flat import FlatParameters
from pycompare.training.losses import Loss
from pycompare.training.optim import SGD, Adam, AdamW, LibTorchOptimizer, RMSprop

# Between two calls of the kernel Ctrl-C is heard, which is asked for within 0.2 s.
_SECONDS_A_CALL = 0.05
_OPTIMIZERS = {AdamW: codes.ADAMW, Adam: codes.ADAM, RMSprop: codes.RMSPROP, SGD: codes.SGD}


class Compiled:
    """A network in training, as `Fused`, whose bits it has; takes what `obstacles_to_compiled` has nothing against."""

    draws = False
    name = "compiled"

    def __init__(self, network: nn.Module, opt: LibTorchOptimizer, loss: Loss, train: Batches, valid: Batches) -> None:
        parameters: list[Tensor] = list(network.parameters())
        self._network, self._opt, self._code = network, opt, _OPTIMIZERS[type(opt)]
        self._flat = FlatParameters(parameters, opt)
        self._layers = LayerTable(network, max(len(y) for _, y in [*train, *valid]))
        self._train, self._valid = (BatchTable(batches, loss, self._layers) for batches in (train, valid))
        buffer = self._flat.buffer
        self._moments = torch.zeros(3, len(buffer), dtype=buffer.dtype, device="cpu")
        self._counters = np.zeros(2, dtype=np.int64)
        self._products, self._memory = self._layers.products(), self._layers.memory()
        tensors = (buffer, self._flat.grad_buffer, self._moments, *self._memory)
        self._own = [tensor.data_ptr() for tensor in tensors]
        self._kernel, self._batches_a_call = kernel(buffer.dtype), 1

    @property
    def flat(self) -> FlatParameters:
        """Parameters, gradients and the optimizer's state as they are now."""
        self._flat.state.update(_state(self._opt, self._moments, self._counters))
        return self._flat

    def train(self, on_step: Callable[[Tensor], object] | None = None) -> Tensor:
        """As `Engine.train` says."""
        losses = np.empty(len(self._train.sizes), dtype=self._train.number)
        if on_step:
            self._train_shown(losses, on_step)
        else:
            self._run(codes.TRAIN, self._train, losses)
        self._flat.publish()
        return torch.from_numpy(losses)

    def validate(self) -> tuple[Tensor, list[int]]:
        """As `Engine.validate` says."""
        self._network.eval()
        losses = np.empty(len(self._valid.sizes), dtype=self._valid.number)
        self._run(codes.VALIDATE, self._valid, losses)
        return torch.from_numpy(losses), self._valid.sizes

    def _train_shown(self, losses: NDArray[Any], on_step: Callable[[Tensor], object]) -> None:
        for i in range(len(losses)):
            self._call(codes.GRADIENTS, self._train, losses, i, i + 1)
            self.flat.show(self._network, torch.from_numpy(losses)[i], on_step)
            self._call(codes.STEP, self._train, losses, i, i + 1)

    def _run(self, mode: int, data: BatchTable, losses: NDArray[Any]) -> None:
        """All batches, as many a call as take about `_SECONDS_A_CALL`."""
        start = 0
        while start < len(losses):
            stop, began = min(start + self._batches_a_call, len(losses)), time.perf_counter()
            self._call(mode, data, losses, start, stop)
            took = time.perf_counter() - began
            if took > _SECONDS_A_CALL:
                self._batches_a_call = max(1, self._batches_a_call // 2)
            elif took < _SECONDS_A_CALL / 4 and stop - start == self._batches_a_call:
                self._batches_a_call *= 4
            start = stop

    def _call(self, mode: int, data: BatchTable, losses: NDArray[Any], start: int, stop: int) -> None:
        torch.get_num_threads()  # tells OpenMP, and so MKL, in a thread that has called nothing of PyTorch yet
        layers, settings = self._layers, _settings(self._opt)
        counts = (mode, start, stop, len(layers), len(self._flat.buffer), data.loss, self._code)
        tables = (layers.operations, self._products, data.table, self._counters, layers.slopes, settings)
        numbers = (data.scales, data.divisors)
        addresses = [array.ctypes.data for array in (*tables, *numbers)]
        self._kernel(*counts, *addresses, *self._own, losses.ctypes.data)


def _settings(opt: LibTorchOptimizer) -> NDArray[Any]:
    """What the kernel reads of an optimizer's settings, see `codes.LEARNING_RATE` and the names beside it."""
    group = opt.param_groups[0]
    momentum, second = group.get("betas") or (group["momentum"], group.get("alpha", group.get("dampening")))
    variant = group.get("amsgrad") or group.get("centered") or group.get("nesterov") or False
    sign = -1.0 if group.get("maximize") else 1.0
    decay, epsilon = group["weight_decay"], group.get("eps", 0.0)
    return np.array([group["lr"], momentum, decay, second, epsilon, float(variant), sign], dtype=float)


def _state(opt: LibTorchOptimizer, moments: Tensor, counters: NDArray[Any]) -> dict[str, Any]:
    """The optimizer's state under PyTorch's names, as the steps so far have left it."""
    steps, has_buffer = counters.tolist()
    return dict(_named_state(opt, moments, steps, has_buffer)) if steps else {}


def _named_state(
    opt: LibTorchOptimizer, moments: Tensor, steps: int, has_buffer: int
) -> Iterator[tuple[str, Tensor | int]]:
    group, (first, second, third) = opt.param_groups[0], moments
    match opt:
        case AdamW() | Adam():
            yield from (("step", steps), ("exp_avg", first), ("exp_avg_sq", second))
            if group["amsgrad"]:
                yield "max_exp_avg_sq", third
        case RMSprop():
            yield "square_avg", first
            if group["centered"]:
                yield "grad_avg", second
            if group["momentum"] > 0:
                yield "momentum_buffer", third
        case SGD() if has_buffer:
            yield "momentum_buffer", first
