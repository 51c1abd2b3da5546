"""Training and validation as the course does them, for any module: batches in order, R's mean over batches."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from pycompare.threads import check_stop, torch_threads
from pycompare.training.batches import (
    BatchedData,
    Batches,
    BatchLosses,
    OnLoss,
    SetRates,
    batched,
    cast_batches,
    stacked_epochs,
)
from pycompare.training.engines.autograd import training_losses, validation_losses
from pycompare.training.engines.engine import Data, Engine, start_engine
from pycompare.training.losses import Loss, LossFunction, find_loss
from pycompare.training.network import first_parameter
from pycompare.training.optim import OptimizerFactory, make_optimizer
from pycompare.training.options import Options
from pycompare.training.schedules import Schedule, check_schedule, set_settings
from pycompare.training.stopping import Best, EarlyStopping, Epoch

_STRIDE, _MOST = 0.02, 100  # seconds, and epochs


@dataclass(frozen=True)
class Step:
    """A step of a training that is about to be taken: its gradients are there.

    Attributes:
        number: of the step, from 1, through all epochs.
        epoch: from 1.
        loss: of the step's batch.
        network: with its parameters before the step, and their gradients.
        opt: with the state before the step. What changes in its `param_groups` holds from this step on.
    """

    number: int
    epoch: int
    loss: float
    network: nn.Module
    opt: torch.optim.Optimizer


OnStep = Callable[[Step], object]


def train_loop(
    network: nn.Module,
    dl_train: Batches,
    opt: torch.optim.Optimizer,
    *,
    loss: str | LossFunction = "mse",
    threads: int | None = 1,
) -> float:
    """Train `network` in place for one epoch, one step of `opt` a batch; leaves it in training mode, as R does.

    Arguments:
        network: maps the inputs of a batch to outputs. Its first parameter decides dtype and device of the batches.
        dl_train: batches (inputs, targets): a `DataLoader`, or any other iterable of pairs. A loader that has no
            generator gets one of its own, so that shuffling and its workers' seed do not advance torch's global one.
        opt: optimises `network.parameters()`.
        loss: "mse", "l1", "huber", "smooth_l1", "cross_entropy" (of logits and classes), "bce" (of logits and numbers
            from 0 to 1), or a callable (outputs, targets) -> scalar tensor. PyTorch's own, such as
            `nn.CrossEntropyLoss()`, get the checks of their name.
        threads: of torch, as in `train_valid`.

    Returns:
        The mean over batches of the loss (of its root for "mse"), each taken before the batch's step.

    Mirrors the course's `train_loop(network, dl_train, opt)`, which returns nothing.
    """
    known = find_loss(loss)
    with torch_threads(threads):
        told = training_losses(network, cast_batches(dl_train, first_parameter(network)), opt, known)
    return float(_means(told, known))


def valid_loop(
    network: nn.Module, dl_valid: Batches, *, loss: str | LossFunction = "mse", threads: int | None = 1
) -> float:
    """Validate `network`, unchanged but for its evaluation mode, in which R leaves it too.

    Arguments as in `train_loop`.

    Returns:
        The mean over batches of the loss; for "mse" of its root, which is not the RMSE of the whole set: a short last
        batch has full weight, and small batches give smaller values.

    Mirrors the course's `valid_loop(network, dl_valid)`, R's two-pass `mean` included.
    """
    known = find_loss(loss)
    with torch_threads(threads):
        told = validation_losses(network, cast_batches(dl_valid, first_parameter(network)), known)
    return float(_means(told, known))


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
    threads: int | None = 1,
    schedule: Schedule | None = None,
    early_stopping: EarlyStopping | None = None,
    on_step: OnStep | None = None,
    **optimizer_arguments: Any,
) -> pd.DataFrame:
    """Train `network` in place for `epochs` epochs, validating after each; leaves it in evaluation mode, as R does.

    Arguments:
        network: any module; the datasets' values are cast to the dtype and device of its first parameter.
        ds_train, ds_valid: map-style datasets of pairs (inputs, targets).
        epochs, batch_size: whole numbers, 1 or more. The last batch of an epoch may be shorter.
        optimizer: "adamw", "adam", "rmsprop", "sgd" (LibTorch's, see `pycompare.training.optim`), "adagrad"
            (PyTorch's, which is the same), or a callable
            `(parameters, **optimizer_arguments) -> torch.optim.Optimizer`.
        loss: as in `train_loop`.
        engine: "autograd", "fused", which gets the same bits faster, without autograd, for chains of linear layers and
            common activations, "compiled", which gets them faster still (needs the extra `fast`, and 15 s to compile
            when it is asked for first), or "auto": the fastest that applies and need not compile.
        threads: how many threads torch computes on, 1 or more; None leaves it what it has. R's recordings have 1, and
            other counts may move bits. An idle machine gains by more of them from about 256 units a layer on.
        schedule: a `Schedule`, such as `OneCycle`, whose settings take the place of the optimizer's own, step by step
            through all epochs.
        early_stopping: when to end before the last epoch, with the best weights; `EarlyStopping` tells the rule.
        on_step: called with a `Step` before each step is taken, when its gradients are there: to watch them, to clip
            them in place, or to set `step.opt.param_groups[0]["lr"]` and the like for the steps from here on (what a
            schedule sets, for this step). What it raises ends the training, with the attribute `partial`: the frame of
            the epochs so far. So does Ctrl-C.
        optimizer_arguments: lr, betas, weight_decay, eps, amsgrad, momentum, ...: what the optimiser takes.

    Returns:
        One row an epoch: epoch (1..epochs), train_loss and valid_loss (means over batches, see `train_loop` and
        `valid_loop`), for "mse" valid_rmse, the RMSE of the whole validation set, and for "cross_entropy"
        train_accuracy and valid_accuracy, the shares of all rows whose largest output is at their class, of the
        training set each before its batch's step.

    Raises:
        ValueError, TypeError: before the first step, where an argument is out of range or of the wrong kind, or
            network, data and loss do not fit together.

    Mirrors the course's `train_valid(network, ds_train, ds_valid, epochs, batch_size, ...)`, which returns epoch and
    valid_loss. Torch's global generator advances as the network draws from it (dropout), and not otherwise.
    """
    if not (on_step is None or callable(on_step)):
        raise TypeError(f"`on_step` must be a callable that takes a Step; got {on_step!r}. Pass a function.")
    known = find_loss(loss)
    options = Options(
        epochs, batch_size, optimizer, optimizer_arguments, known, engine, threads, schedule, early_stopping
    )
    rows: list[dict[str, float]] = []
    with torch_threads(options.threads), giving_back(lambda: pd.DataFrame(rows)):
        training = begin_training(network, ds_train, ds_valid, options)
        training = replace(training, watched=bool(on_step or early_stopping))
        for _, told in training.up_to_plateau(training.epochs(on_step)):
            rows.extend(told)
        training.restore_best()
    return pd.DataFrame(rows)


@contextmanager
def giving_back(done: Callable[[], pd.DataFrame]) -> Iterator[None]:
    """Let an error, or Ctrl-C, that ends the scope carry `done()` as its attribute `partial`."""
    try:
        yield
    except BaseException as error:
        error.partial = done()  # type: ignore[attr-defined]
        raise


@dataclass(frozen=True)
class Training:
    """A network in training.

    Attributes:
        network, opt: the network, and its optimizer.
        engine, why: who trains it, and why that one.
        options: how.
        batches: of an epoch.
        done: how many epochs it was trained for before.
        best: the best epoch so far, where somebody asks for it.
        watched: whether somebody looks at the network after each epoch.
    """

    network: nn.Module
    opt: torch.optim.Optimizer
    engine: Engine
    why: str
    options: Options
    batches: int
    done: int = 0
    best: Best | None = None
    watched: bool = True

    def epochs(self, on_step: OnStep | None = None) -> Iterator[Epoch]:
        """Train, and yield after each epoch its number and its row of `train_valid`'s frame; after several their rows,
        where nobody looks at the network in between."""
        steps = itertools.count(self.done * self.batches + 1)
        for epochs in self._strides():
            check_stop()
            if on_step or self.options.schedule:
                told = stacked_epochs(
                    (self._train(i, self._shown(on_step, i, steps)), self.engine.validate()) for i in epochs
                )
            else:
                told = self.engine.epochs(len(epochs))
            self.engine.publish()
            rows = _rows(*told, self.options.loss)
            yield epochs[-1], [{"epoch": i} | row for i, row in zip(epochs, rows, strict=True)]

    def _strides(self) -> Iterator[range]:
        """The epochs to come: one after the other where they are watched, else as many at once as `_STRIDE` allows.

        What is done between two epochs takes as long as five steps of the course's network, under Python's lock.
        """
        first, count = self.done + 1, 1 if self.watched else self.engine.stride
        while first <= self.options.epochs:
            began = time.perf_counter()
            epochs = range(first, min(first + min(count, _MOST), self.options.epochs + 1))
            yield epochs
            first = epochs.stop
            if not self.watched:
                count = max(1, int(len(epochs) * _STRIDE / (time.perf_counter() - began)))

    def up_to_plateau(self, epochs: Iterator[Epoch]) -> Iterator[Epoch]:
        """`epochs`, until early stopping ends them."""
        return self.best.up_to_plateau(epochs, self.network) if self.best else epochs

    def restore_best(self) -> None:
        """Leave the network with the weights that early stopping leaves it with."""
        if self.best and self.options.early_stopping:
            self.best.restore(self.network)

    def train(self, epoch: int, on_loss: OnLoss | None = None) -> BatchLosses:
        """Train for the epoch of this number, from 1, under the schedule; `on_loss` as in `Engine.train`."""
        check_stop()
        told = self._train(epoch, on_loss)
        self.engine.publish()
        return told

    def take_steps(self, start: int, stop: int) -> None:
        """Take the steps from `start` to before `stop`, counted from 0 through all epochs, under the schedule."""
        while start < stop:
            epoch, place = divmod(start, self.batches)
            part = range(place, min(self.batches, place + stop - start))
            self.engine.take_steps(part, self._set_rates(epoch + 1))
            start += len(part)
        self.engine.publish()

    def _train(self, epoch: int, on_loss: OnLoss | None) -> BatchLosses:
        return self.engine.train(on_loss, self._set_rates(epoch))

    def _set_rates(self, epoch: int) -> SetRates | None:
        """What sets the schedule's settings for the place of a batch in the epoch of this number."""
        schedule, before = self.options.schedule, (epoch - 1) * self.batches
        if schedule is None:
            return None
        return lambda place: set_settings(self.opt, schedule.settings(before + place))

    def _shown(self, on_step: OnStep | None, epoch: int, steps: Iterator[int]) -> Callable[[Tensor], object] | None:
        if on_step is None:
            return None
        return lambda loss: on_step(Step(next(steps), epoch, loss.item(), self.network, self.opt))


def begin_training(network: nn.Module, ds_train: Data, ds_valid: Data, options: Options) -> Training:
    """Make the optimizer and choose the engine; one clear error where they do not fit the network or the data."""
    like = first_parameter(network)
    opt = make_optimizer(network, options.optimizer, options.arguments)
    train, valid = (
        data if isinstance(data, BatchedData) else batched(name, data, like, options.batch_size)
        for name, data in (("ds_train", ds_train), ("ds_valid", ds_valid))
    )
    batches = len(train.batches)  # type: ignore[arg-type]
    if options.schedule:
        check_schedule(options.schedule, opt, options.epochs * batches)
        set_settings(opt, options.schedule.settings(0))
    best = Best(options.early_stopping) if options.early_stopping else None
    return Training(network, opt, *start_engine(network, opt, train, valid, options), options, batches, best=best)


def _rows(trained: BatchLosses, validated: BatchLosses, loss: Loss) -> list[dict[str, float]]:
    """What epochs are told by, in rows of `train_valid`'s frame."""
    columns = {"train_loss": _means(trained, loss), "valid_loss": _means(validated, loss)}
    if loss.rooted:
        sizes = np.array(validated.sizes)
        columns["valid_rmse"] = np.sqrt((validated.losses.double().numpy() * sizes).sum(axis=-1) / sizes.sum())
    if loss.of_classes:
        columns |= {"train_accuracy": trained.accuracy(), "valid_accuracy": validated.accuracy()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)]


def _means(told: BatchLosses, loss: Loss) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The mean over batches of each pass."""
    return r_mean((told.losses.sqrt() if loss.rooted else told.losses).double().numpy())


def r_mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """R's `mean` along the last axis: a sum in the long double of C, then the mean of the residuals, which mends its
    rounding."""
    wide = values.astype(np.longdouble)
    mean = _long_mean(wide)
    mendable = np.isfinite(mean)
    residuals = wide - np.where(mendable, mean, 0)[..., None]
    return np.where(mendable, mean + _long_mean(residuals), mean).astype(np.float64)


def _long_mean(wide: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(np.add.accumulate(wide, axis=-1)[..., -1] / wide.shape[-1])
