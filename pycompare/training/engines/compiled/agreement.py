"""Whether compiled code has the bits of `Fused` here: tried, before a training is given to it."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from pycompare.training.batches import BatchedData
from pycompare.training.engines.compiled.trainer import Compiled
from pycompare.training.engines.covers import chain
from pycompare.training.engines.flat import ALIGNMENT
from pycompare.training.engines.fused import Fused
from pycompare.training.losses import Loss
from pycompare.training.optim import LibTorchOptimizer

_EPOCHS = 2  # moments are zero before the first step, which hides what the second does with them
_agreements: dict[Any, bool] = {}


def agrees(network: nn.Module, opt: LibTorchOptimizer, loss: Loss, train: BatchedData, valid: BatchedData) -> bool:
    """Whether both engines get the same bits on copies, tried once a process and shape.

    Of every shape of batch that occurs one is trained on, and one validated; all parameters, gradients, running
    averages and losses are compared. Neither `network` nor `opt` changes.
    """
    key = _shape(network, opt, loss, train, valid)
    if key not in _agreements:
        _agreements[key] = _same_bits(network, opt, loss, _one_of_each(train), _one_of_each(valid))
    return _agreements[key]


def _shape(network: nn.Module, opt: LibTorchOptimizer, loss: Loss, train: BatchedData, valid: BatchedData) -> Any:
    """What decides on the operations that run, and on the functions that these call."""
    layers, dtype = tuple(map(repr, chain(network))), next(network.parameters()).dtype
    variant = tuple((name, bool(value)) for name, value in sorted(_settings(opt).items()))
    batches = tuple(part.keep(_shape, partial(_batch_shapes, part)) for part in (train, valid))
    return layers, dtype, type(opt), variant, loss.given, batches, torch.get_num_threads()


def _settings(opt: LibTorchOptimizer) -> dict[str, Any]:
    """Those that hold at the first step: a schedule's, not always the optimizer's defaults."""
    return {name: opt.param_groups[0][name] for name in opt.defaults}


def _batch_shape(batch: tuple[Tensor, Tensor]) -> Any:
    x, y = batch
    return tuple(x.shape), x.stride(), x.data_ptr() % ALIGNMENT, y.dtype, tuple(y.shape)


def _batch_shapes(data: BatchedData) -> frozenset[Any]:
    return frozenset(map(_batch_shape, data.batches))


def _one_of_each(data: BatchedData) -> BatchedData:
    firsts = {_batch_shape(batch): batch for batch in reversed(list(data.batches))}
    return BatchedData(data.whole, list(firsts.values())[::-1])


def _same_bits(network: nn.Module, opt: LibTorchOptimizer, loss: Loss, train: BatchedData, valid: BatchedData) -> bool:
    ours, theirs = (_everything(engine, network, opt, loss, train, valid) for engine in (Compiled, Fused))
    return ours.keys() == theirs.keys() and all(_equal(ours[name], theirs[name]) for name in ours)


def _everything(
    engine: type[Compiled | Fused],
    network: nn.Module,
    opt: LibTorchOptimizer,
    loss: Loss,
    train: BatchedData,
    valid: BatchedData,
) -> dict[str, Any]:
    """All that a few epochs of an engine compute on a copy: losses, values, gradients, and the optimizer's state."""
    twin, make = copy.deepcopy(network), type(opt)
    trainer = engine(twin, make(twin.parameters(), **_settings(opt)), loss, train, valid)
    told = trainer.epochs(_EPOCHS)
    losses, right = (
        torch.cat([part.losses for part in told], dim=1),
        [part.right.tolist() for part in told if part.known],
    )
    flat = trainer.flat
    return {"losses": losses, "right": right, "values": flat.buffer, "grads": flat.grad_buffer, **flat.state}


def _equal(a: Any, b: Any) -> bool:
    """Equal in every bit; any NaN equals any other."""
    if not isinstance(a, Tensor):
        return bool(a == b)
    kind = torch.int32 if a.dtype == torch.float32 else torch.int64
    same = (a.view(kind) == b.view(kind)) | (a.isnan() & b.isnan())
    return a.dtype == b.dtype and bool(same.all())
