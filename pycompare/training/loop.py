"""Training and validation as the course does them, for any module: batches in order, R's mean over batches."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.overrides import has_torch_function
from torch.utils.data import DataLoader, Dataset

from pycompare.checks import whole_number
from pycompare.training.batches import Batches, cast_batches, cast_dataset, split_batches
from pycompare.training.engines.flat import FlatOptimizer, why_not_flat
from pycompare.training.engines.fused import Fused, why_not_fused
from pycompare.training.losses import LossFunction, loss_function
from pycompare.training.optim import SGD, Adam, AdamW, RMSprop, check_optimizer_arguments

OptimizerFactory = Callable[..., torch.optim.Optimizer]


def train_loop(
    network: nn.Module, dl_train: Batches, opt: torch.optim.Optimizer, *, loss: str | LossFunction = "mse"
) -> float:
    """Train `network` in place for one epoch, one step of `opt` a batch; leaves it in training mode, as R does.

    Arguments:
        network: maps the inputs of a batch to outputs. Its first parameter decides dtype and device of the batches.
        dl_train: batches (inputs, targets): a `DataLoader`, or any other iterable of pairs. A loader that has no
            generator gets one of its own, so that shuffling and its workers' seed do not advance torch's global one.
        opt: optimises `network.parameters()`.
        loss: "mse", "l1", "huber", "smooth_l1", "cross_entropy", or a callable (outputs, targets) -> scalar tensor.

    Returns:
        The mean over batches of the loss (of its root for "mse"), each taken before the batch's step.

    Mirrors the course's `train_loop(network, dl_train, opt)`, which returns nothing.
    """
    batches = cast_batches(dl_train, _first_parameter(network))
    return _mean_loss(_training_losses(network, batches, opt, loss), loss)


def valid_loop(network: nn.Module, dl_valid: Batches, *, loss: str | LossFunction = "mse") -> float:
    """Validate `network`, unchanged but for its evaluation mode, in which R leaves it too.

    Arguments as in `train_loop`.

    Returns:
        The mean over batches of the loss; for "mse" of its root, which is not the RMSE of the whole set: a short last
        batch has full weight, and small batches give smaller values.

    Mirrors the course's `valid_loop(network, dl_valid)`, R's two-pass `mean` included.
    """
    losses, _ = _validation_losses(network, cast_batches(dl_valid, _first_parameter(network)), loss)
    return _mean_loss(losses, loss)


def train_valid(
    network: nn.Module,
    ds_train: Dataset[Any],
    ds_valid: Dataset[Any],
    epochs: int,
    batch_size: int,
    *,
    optimizer: str | OptimizerFactory = "adamw",
    loss: str | LossFunction = "mse",
    engine: str = "auto",
    **optimizer_arguments: Any,
) -> pd.DataFrame:
    """Train `network` in place for `epochs` epochs, validating after each; leaves it in evaluation mode, as R does.

    Arguments:
        network: any module; the datasets' values are cast to the dtype and device of its first parameter.
        ds_train, ds_valid: map-style datasets of pairs (inputs, targets).
        epochs, batch_size: whole numbers, 1 or more. The last batch of an epoch may be shorter.
        optimizer: "adamw", "adam", "rmsprop", "sgd" (LibTorch's, see `pycompare.training.optim`), "adagrad"
            (PyTorch's, which is the same), or a callable (parameters, **optimizer_arguments) ->
            `torch.optim.Optimizer`.
        loss: as in `train_loop`.
        engine: "autograd", "fused", which gets the same bits faster, without autograd, for chains of linear layers and
            common activations, or "auto": fused where that applies.
        optimizer_arguments: lr, betas, weight_decay, eps, amsgrad, momentum, ...: what the optimiser takes.

    Returns:
        One row an epoch: epoch (1..epochs), train_loss and valid_loss (means over batches, see `train_loop` and
            `valid_loop`),
        and for "mse" valid_rmse, the RMSE of the whole validation set.

    Raises:
        ValueError, TypeError: an argument is out of range or of the wrong kind, or the network's outputs do not have
            the targets' shape.

    Mirrors the course's `train_valid(network, ds_train, ds_valid, epochs, batch_size, ...)`, which returns epoch and
    valid_loss. Torch's global generator advances as the network draws from it (dropout), and not otherwise.
    """
    epochs = whole_number("epochs", epochs, at_least=1)
    batch_size = whole_number("batch_size", batch_size, at_least=1)
    check_engine(engine)
    rows = train_epochs(
        network, ds_train, ds_valid, epochs, batch_size, optimizer, optimizer_arguments, loss=loss, engine=engine
    )
    return pd.DataFrame(rows)


def train_epochs(
    network: nn.Module,
    ds_train: Dataset[Any],
    ds_valid: Dataset[Any],
    epochs: int,
    batch_size: int,
    optimizer: str | OptimizerFactory,
    optimizer_arguments: dict[str, Any],
    *,
    loss: str | LossFunction,
    engine: str,
) -> Iterator[dict[str, float]]:
    """Train `network` in place and yield a row of `train_valid`'s frame after each epoch. Trusts its arguments."""
    opt = make_optimizer(network, optimizer, optimizer_arguments)
    own = isinstance(optimizer, str)
    trainer = _trainer(network, ds_train, ds_valid, batch_size, opt, own_optimizer=own, loss=loss, engine=engine)
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "train_loss": _mean_loss(trainer.train(), loss)}
        losses, sizes = trainer.validate()
        row["valid_loss"] = _mean_loss(losses, loss)
        if loss == "mse":
            row["valid_rmse"] = math.sqrt(np.average(losses.double().numpy(), weights=sizes))
        yield row


@dataclass(frozen=True)
class _Autograd:
    """The training of any module; `Fused` has the same two methods."""

    network: nn.Module
    opt: torch.optim.Optimizer | FlatOptimizer
    loss: str | LossFunction
    dl_train: Batches
    dl_valid: Batches

    def train(self) -> Tensor:
        return _training_losses(self.network, self._cast(self.dl_train), self.opt, self.loss)

    def validate(self) -> tuple[Tensor, list[int]]:
        return _validation_losses(self.network, self._cast(self.dl_valid), self.loss)

    def _cast(self, batches: Batches) -> Batches:
        if isinstance(batches, DataLoader):
            return cast_batches(batches, _first_parameter(self.network))
        return batches


def _trainer(
    network: nn.Module,
    ds_train: Dataset[Any],
    ds_valid: Dataset[Any],
    batch_size: int,
    opt: torch.optim.Optimizer,
    *,
    own_optimizer: bool,
    loss: str | LossFunction,
    engine: str,
) -> _Autograd | Fused:
    like = _first_parameter(network)
    sets = [cast_dataset(name, data, like) for name, data in (("ds_train", ds_train), ("ds_valid", ds_valid))]
    reason = "an optimizer of your own" if not own_optimizer else why_not_fused(network, opt, loss, sets)
    if engine == "fused" and reason:
        raise ValueError(
            f"`engine` must be 'auto' or 'autograd' here; got 'fused', which does not cover {reason}."
            " Leave `engine` at its default."
        )
    dl_train, dl_valid = (split_batches(data, batch_size) for data in sets)
    if engine != "autograd" and not reason:
        return Fused(network, opt, str(loss), list(dl_train), list(dl_valid))
    flat = own_optimizer and not why_not_flat(opt)
    return _Autograd(network, FlatOptimizer(opt) if flat else opt, loss, dl_train, dl_valid)


def make_optimizer(
    network: nn.Module, optimizer: str | OptimizerFactory, arguments: dict[str, Any]
) -> torch.optim.Optimizer:
    """The optimiser of `network`'s parameters that `train_valid` describes, its arguments checked."""
    factory = optimizer_factory(optimizer)
    unknown = [name for name in arguments if not accepts(factory, name)]
    if unknown:
        raise TypeError(
            f"`{unknown[0]}` must be an argument of the optimizer; {optimizer!r} does not take it."
            f" It takes {', '.join(list(inspect.signature(factory).parameters)[1:]) or 'none'}."
        )
    _first_parameter(network)
    opt = factory(network.parameters(), **check_optimizer_arguments(arguments))
    if not isinstance(opt, torch.optim.Optimizer):
        raise TypeError(f"`optimizer` must make a torch.optim.Optimizer; got {opt!r}. Return one from the callable.")
    return opt


def optimizer_factory(optimizer: str | OptimizerFactory) -> OptimizerFactory:
    """The callable that `optimizer`, a name or a factory itself, stands for."""
    if callable(optimizer):
        return optimizer
    if not isinstance(optimizer, str) or optimizer not in _OPTIMIZERS:
        raise ValueError(
            f"`optimizer` must be one of {', '.join(_OPTIMIZERS)}; got {optimizer!r}."
            " For another, pass a callable such as torch.optim.NAdam."
        )
    return _OPTIMIZERS[optimizer]


def accepts(factory: OptimizerFactory, name: str) -> bool:
    """Whether `factory` can be called with the keyword argument `name`."""
    parameters = inspect.signature(factory).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def check_engine(engine: str) -> str:
    """`engine` itself, or one clear error where it is unknown."""
    if engine not in ("auto", "autograd", "fused"):
        raise ValueError(f"`engine` must be one of auto, autograd, fused; got {engine!r}. Leave it at its default.")
    return engine


def _training_losses(
    network: nn.Module, batches: Batches, opt: torch.optim.Optimizer | FlatOptimizer, loss: str | LossFunction
) -> Tensor:
    """The loss of every batch (already cast), on the CPU, each taken before the batch's step."""
    function = loss_function(loss)
    network.train()
    losses = []
    with torch.enable_grad():
        for x, y in batches:
            opt.zero_grad()
            value = function(network(x), y)
            _backward(value)
            opt.step()
            losses.append(value.detach())
    return _stacked(losses)


def _validation_losses(network: nn.Module, batches: Batches, loss: str | LossFunction) -> tuple[Tensor, list[int]]:
    """The loss of every batch (already cast), on the CPU, and how many numbers its mean is over."""
    function = loss_function(loss)
    network.eval()
    losses, sizes = [], []
    with torch.no_grad():
        for x, y in batches:
            losses.append(function(network(x), y))
            sizes.append(y.numel())
    return _stacked(losses), sizes


def _backward(value: Tensor) -> None:
    """`value.backward()`, without the checks that it makes in Python, which take as long as a layer."""
    if has_torch_function((value,)) or not value.is_floating_point():
        value.backward()
        return
    # As `Tensor.backward` calls it: keep no graph, make none of the gradients, accumulate into every leaf.
    torch.autograd.Variable._execution_engine.run_backward(
        (value,), (torch.ones_like(value),), False, False, (), True, True
    )


def _stacked(losses: list[Tensor]) -> Tensor:
    if not losses:
        raise ValueError("`dl_train` and `dl_valid` must have at least one batch; got none. Pass a dataset with rows.")
    return torch.stack(losses).cpu()


def _mean_loss(losses: Tensor, loss: str | LossFunction) -> float:
    return _r_mean((losses.sqrt() if loss == "mse" else losses).double().numpy())


def _r_mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """R's `mean`: a sum in the long double of C, then the mean of the residuals, which mends its rounding."""
    wide = values.astype(np.longdouble)
    mean = np.add.accumulate(wide)[-1] / len(wide)
    if np.isfinite(mean):
        mean += np.add.accumulate(wide - mean)[-1] / len(wide)
    return float(mean)


def _first_parameter(network: nn.Module) -> Tensor:
    parameter = next(network.parameters(), None)
    if parameter is None:
        raise ValueError(f"`network` must have parameters to train; got {network!r}. Pass a module with layers.")
    return parameter


_OPTIMIZERS: dict[str, OptimizerFactory] = {
    "adamw": AdamW,
    "adam": Adam,
    "rmsprop": RMSprop,
    "sgd": SGD,
    "adagrad": partial(torch.optim.Adagrad, foreach=False),
}
