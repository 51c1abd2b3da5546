"""A training in compiled code: runs of batches, a call of the kernel each, with the bits of `Fused`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pycompare.threads import check_stop
from pycompare.training.batches import BatchedData, BatchLosses, OnLoss, Restore, SetRates
from pycompare.training.engines.compiled import codes
from pycompare.training.engines.compiled.machine_code import kernel
from pycompare.training.engines.compiled.tables import BatchTable, LayerTable, batch_table
from pycompare.training.engines.flat import FlatParameters
from pycompare.training.losses import Loss
from pycompare.training.optim import SGD, Adam, AdamW, LibTorchOptimizer, RMSprop

# Between two calls of the kernel Ctrl-C is heard, which is asked for within 0.2 s: cycles that take 0.05 s at 2 GHz.
_CYCLES_A_CALL = 10**8
# Of every binade of float32. Roots that are rounded otherwise have other bits in every fifth number.
_SAMPLE = (np.arange(4096, dtype=np.int32) * 522_239).view(np.float32)
_OPTIMIZERS = {AdamW: codes.ADAMW, Adam: codes.ADAM, RMSprop: codes.RMSPROP, SGD: codes.SGD}


class Compiled:
    """A network in training, as `Fused`, whose bits it has; takes what `obstacles_to_compiled` has nothing against."""

    draws = False
    releases_gil = True
    name = "compiled"

    def __init__(
        self, network: nn.Module, opt: LibTorchOptimizer, loss: Loss, train: BatchedData, valid: BatchedData
    ) -> None:
        parameters: list[Tensor] = list(network.parameters())
        self._modules = list(network.modules())
        self._network, self._opt, self._code = network, opt, _OPTIMIZERS[type(opt)]
        self._flat = FlatParameters(parameters, opt)
        self._layers = LayerTable(network, max(data.most_rows for data in (train, valid)))
        buffer = self._flat.buffer
        self._moments = torch.zeros(3, len(buffer), dtype=buffer.dtype, device="cpu")
        self._table = batch_table(train, valid, loss, self._layers)
        self._products, self._memory = self._layers.products(self._table.shapes), self._layers.memory()
        self._counters = np.zeros(2, dtype=np.int64)
        self._settings = np.zeros((self._table.train, codes.SETTING_COLUMNS))
        self._arguments = (*self._counts(), *self._addresses())
        self._kernel, self._batches_a_call = kernel(buffer.dtype), max(1, _CYCLES_A_CALL // self._layers.cycles())
        self.stride = max(1, self._batches_a_call // len(self._table.sizes))
        if buffer.dtype == torch.float32:
            self._settings[:, codes.ROOT] = _root_code(_flushes())

    def _counts(self) -> tuple[int, ...]:
        table = self._table
        return table.train, len(table.sizes), len(self._layers), len(self._flat.buffer), self._code

    def _addresses(self) -> Iterator[int]:
        table, layers = self._table, self._layers
        arrays = (layers.operations, self._products, table.table, self._counters, layers.slopes, self._settings)
        yield from (array.ctypes.data for array in (*arrays, table.scales, table.divisors))
        tensors = (self._flat.buffer, self._flat.grad_buffer, self._moments, *self._memory)
        yield from (tensor.data_ptr() for tensor in tensors)

    @property
    def flat(self) -> FlatParameters:
        """Parameters, gradients and the optimizer's state as they are now."""
        self._flat.state.update(_state(self._opt, self._moments, self._counters))
        return self._flat

    def train(self, on_step: OnLoss | None = None, set_rates: SetRates | None = None) -> BatchLosses:
        """As `Engine.train` says."""
        batches = range(self._table.train)
        if on_step:
            return self._train_shown(on_step, set_rates)
        self._fill_settings(batches, set_rates)
        return self._run(batches).losses(batches, 0)

    def take_steps(self, batches: range, set_rates: SetRates | None = None) -> None:
        """As `Engine.take_steps` says."""
        self._fill_settings(batches, set_rates)
        self._run(batches)

    def validate(self) -> BatchLosses:
        """As `Engine.validate` says."""
        self._to_evaluation()
        batches = range(self._table.train, len(self._table.sizes))
        return self._run(batches).losses(batches, 0)

    def epochs(self, count: int) -> tuple[BatchLosses, BatchLosses]:
        """As `Engine.epochs` says."""
        self._to_evaluation()
        train, batches = range(self._table.train), len(self._table.sizes)
        self._fill_settings(train, None)
        told = self._run(range(count * batches))
        return told.losses(train), told.losses(range(len(train), batches))

    def publish(self) -> None:
        """As `Engine.publish` says."""
        self._flat.publish()

    def publish_state(self) -> None:
        """As `Engine.publish_state` says."""
        self.flat.publish_state()

    def adopt_state(self) -> None:
        """As `Engine.adopt_state` says."""
        self._flat.adopt()
        state = self._flat.state
        self._counters[:] = state.get("step", 1), "momentum_buffer" in state
        for name, moment in _named_state(self._opt, self._moments, 0, 1):
            if isinstance(moment, Tensor) and name in state:
                moment.copy_(state[name])

    def checkpoint(self) -> Restore:
        """As `Engine.checkpoint` says."""
        values, moments, counters = self._flat.checkpoint(), self._moments.clone(), self._counters.copy()

        def restore() -> None:
            values()
            self._moments.copy_(moments)
            self._counters[:] = counters

        return restore

    def _to_evaluation(self) -> None:
        if any(module.training for module in self._modules):  # `eval` takes as long as a batch
            self._network.eval()

    def _train_shown(self, on_step: OnLoss, set_rates: SetRates | None) -> BatchLosses:
        batches = range(self._table.train)
        told = _Told(self._table, epochs=1)
        for i, loss in enumerate(told.values[0, : batches.stop]):
            if set_rates:
                set_rates(i)
            self._call(codes.GRADIENTS, told, i, i + 1)
            self.flat.show(self._network, loss, on_step)
            self._fill_settings(batches[i : i + 1], None)
            self._call(codes.STEP, told, i, i + 1)
        return told.losses(batches, 0)

    def _fill_settings(self, batches: range, set_rates: SetRates | None) -> None:
        """Note the optimizer's settings for some batches of an epoch, as `set_rates` sets them for each."""
        if set_rates is None:
            self._settings[batches.start : batches.stop, : codes.ROOT] = _settings(self._opt)
            return
        for i in batches:
            set_rates(i)
            self._settings[i, : codes.ROOT] = _settings(self._opt)

    def _run(self, batches: range) -> _Told:
        """Train, or validate, on batches counted through epochs, as many a call as `_CYCLES_A_CALL` allows."""
        told = _Told(self._table, epochs=-(-batches.stop // len(self._table.sizes)))
        for start in batches[:: self._batches_a_call]:
            check_stop()
            self._call(codes.TRAIN, told, start, min(start + self._batches_a_call, batches.stop))
        return told

    def _call(self, mode: int, told: _Told, start: int, stop: int) -> None:
        torch.get_num_threads()  # tells OpenMP, and so MKL, in a thread that has called nothing of PyTorch yet
        self._kernel(mode, start, stop, *self._arguments, told.values.data_ptr(), told.right.ctypes.data)


class _Told:
    """What the kernel tells of all batches of some epochs."""

    def __init__(self, table: BatchTable, epochs: int) -> None:
        shape, self._table = (epochs, len(table.sizes)), table
        self.values, self.right = torch.from_numpy(np.empty(shape, table.number)), np.zeros(shape, np.int64)

    def losses(self, batches: range, epoch: int | slice = slice(None)) -> BatchLosses:
        """Those of some batches, of one epoch or all."""
        part = epoch, slice(batches.start, batches.stop)
        sizes = self._table.sizes[part[1]]
        if not self._table.of_classes:
            return BatchLosses(self.values[part], sizes)
        return BatchLosses(self.values[part], sizes, self.right[part], self._table.rows[part[1]])


def _flushes() -> bool:
    """Whether this thread takes the smallest numbers for 0 (`torch.set_flush_denormal`), as MKL's roots never do."""
    return bool(_SAMPLE[1] * np.float32(1) == 0)


@cache
def _root_code(flushes: bool) -> int:  # noqa: ARG001
    """Who takes square roots of float32: the first that has MKL's bits in threads that flush, or do not."""
    run = kernel(torch.float32)
    theirs = roots(run, codes.LIBRARY, _SAMPLE)
    ours = (code for code in (codes.UNFUSED, codes.FUSED) if (roots(run, code, _SAMPLE) == theirs).all())
    return next(ours, codes.LIBRARY)


def roots(run: Any, code: int, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Square roots by the kernel `run`, in the way of this code; x has a multiple of eight numbers."""
    told, setting = np.empty_like(x), np.full(codes.SETTING_COLUMNS, float(code))
    settings, target, source = (array.ctypes.data for array in (setting, told, x))
    run(codes.ROOTS, *[0] * 5, len(x), *[0] * 6, settings, 0, 0, target, source, *[0] * 7)
    return told


def _settings(opt: LibTorchOptimizer) -> tuple[Any, ...]:
    """What the kernel reads of an optimizer's settings, see `codes.LEARNING_RATE` and the names beside it."""
    group = opt.param_groups[0]
    momentum, second = group.get("betas") or (group["momentum"], group.get("alpha", group.get("dampening")))
    variant = group.get("amsgrad") or group.get("centered") or group.get("nesterov") or False
    sign = -1.0 if group.get("maximize") else 1.0
    decay, epsilon = group["weight_decay"], group.get("eps", 0.0)
    return group["lr"], momentum, decay, second, epsilon, float(bool(variant)), sign


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
