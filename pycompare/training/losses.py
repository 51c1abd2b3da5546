"""The losses by name, and the checks that each asks of outputs and targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch._C import _nn  # what torch.nn.functional calls, whose own checks take as long as the loss

LossFunction = Callable[[Tensor, Tensor], Tensor]


def check_loss(loss: str | LossFunction) -> str | LossFunction:
    """`loss` itself, or one clear error where it is neither a known name nor a callable."""
    loss_function(loss)
    return loss


def loss_function(loss: str | LossFunction) -> LossFunction:
    """The callable that `loss`, a name or a callable itself, stands for; it refuses what would broadcast."""
    if loss in _ELEMENTWISE or isinstance(loss, _ELEMENTWISE_MODULES):
        return _same_shape(loss)
    if callable(loss):
        return _scalar(loss)
    if not isinstance(loss, str) or loss not in _LOSSES:
        raise unknown_loss(loss, _LOSSES)
    return _LOSSES[loss]


def unknown_loss(loss: object, known: Iterable[str]) -> ValueError:
    """The error for a loss that is none of the `known` names."""
    return ValueError(
        f"`loss` must be one of {', '.join(known)}; got {loss!r}."
        " For another, pass a callable (outputs, targets) -> scalar tensor."
    )


def _same_shape(function: LossFunction) -> LossFunction:
    """`function`, refusing what would broadcast."""

    def checked(outputs: Tensor, targets: Tensor) -> Tensor:
        if outputs.shape != targets.shape:
            raise ValueError(
                f"`network` must return outputs of the targets' shape {tuple(targets.shape)};"
                f" got {tuple(outputs.shape)}. Change the network's last layer, or reshape the targets."
            )
        return function(outputs, targets.to(outputs.dtype))

    return checked


def _scalar(function: LossFunction) -> LossFunction:
    """`function`, refusing what is not one number."""

    def checked(outputs: Tensor, targets: Tensor) -> Tensor:
        value = function(outputs, targets)
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise ValueError(f"`loss` must return a scalar tensor; got {value!r}. Reduce it, as by .mean().")
        return value.reshape(())

    return checked


def _cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of logits (n, classes) with class indices, (n,) or (n, 1), or probabilities (n, classes)."""
    if targets.shape == outputs.shape and outputs.shape[-1] > 1:
        return F.cross_entropy(outputs, targets)
    if outputs.ndim != 2 or targets.numel() != len(outputs):
        raise ValueError(
            f"`network` must return one logit for each class, shape (n, classes); got {tuple(outputs.shape)} for"
            f" targets {tuple(targets.shape)}. Change the network's last layer."
        )
    classes = targets.reshape(-1)
    known = (classes >= 0) & (classes < outputs.shape[1]) & (classes == classes.floor())
    if not known.all():
        raise ValueError(
            f"`targets` must be class indices from 0 to {outputs.shape[1] - 1}; got {classes[~known][0].item()!r}."
            " Number the classes from 0, and give the network one output for each."
        )
    return F.cross_entropy(outputs, classes.long())


_ELEMENTWISE = (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss)
_ELEMENTWISE_MODULES = (nn.MSELoss, nn.L1Loss, nn.HuberLoss, nn.SmoothL1Loss)
_MEAN: Any = 1  # the number of reduction="mean", though the stubs ask for its name
_LOSSES: dict[str, LossFunction] = {
    "mse": _same_shape(lambda outputs, targets: _nn.mse_loss(outputs, targets, _MEAN)),
    "l1": _same_shape(lambda outputs, targets: _nn.l1_loss(outputs, targets, _MEAN)),
    "huber": _same_shape(lambda outputs, targets: _nn.huber_loss(outputs, targets, _MEAN)),
    "smooth_l1": _same_shape(lambda outputs, targets: _nn.smooth_l1_loss(outputs, targets, _MEAN)),
    "cross_entropy": _cross_entropy,
}
