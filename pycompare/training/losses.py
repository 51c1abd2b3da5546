"""The losses: of each, one record of what training, its checks and its engines need to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pycompare.checks import one_of
from pycompare.training.torch_private import MEAN, log_softmax_backward, nn_functions

LossFunction = Callable[[Tensor, Tensor], Tensor]
# From the outputs of one batch: the loss (its sum, for a pointwise one), and the gradient of its mean.
BatchLoss = Callable[[Tensor], tuple[Tensor, Tensor]]
aten = torch.ops.aten


@dataclass(frozen=True)
class Loss:
    """A loss, and what is to be known of it.

    Attributes:
        given: what the user named it by: a name, or a callable.
        function: the mean over a batch, of outputs and targets, which refuses what does not fit together.
        pointwise: of outputs, targets and `reduction`, where the loss is a mean over pairs of numbers.
        batch: from a batch's targets what `Fused` calls; None where only autograd can train.
        rooted: its root is reported, and beside it that of the whole validation set.
        of_classes: targets may be indices of classes.
    """

    given: str | LossFunction
    function: LossFunction
    pointwise: Callable[..., Tensor] | None = None
    batch: Callable[[Tensor], BatchLoss] | None = None
    rooted: bool = False
    of_classes: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to a worker as what the user named."""
        return find_loss, (self.given,)

    def fits(self, targets: Tensor, width: int) -> bool:
        """Whether a network with `width` outputs can be trained on `targets` as they are."""
        if not self.of_classes or _are_probabilities(targets, width):
            return targets.shape == (len(targets), width) and (not self.of_classes or targets.is_floating_point())
        return targets.numel() == len(targets) and bool(_known_classes(targets.reshape(-1), width).all())

    def cast(self, targets: Tensor, width: int, dtype: torch.dtype) -> Tensor:
        """`targets` as `batch` takes them: numbers of `dtype`, or indices of classes, shape (n,)."""
        if self.of_classes and not _are_probabilities(targets, width):
            return targets.reshape(-1).long()
        return targets.to(dtype)


def find_loss(loss: str | LossFunction) -> Loss:
    """The loss that a name, or a callable (outputs, targets) -> scalar tensor, stands for."""
    if callable(loss):
        pointwise = loss in _POINTWISE or isinstance(loss, _POINTWISE_MODULES)
        return Loss(loss, _same_shape(loss) if pointwise else _scalar(loss))
    return LOSSES[one_of("loss", loss, LOSSES, OWN_LOSS)]


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
    known = _known_classes(classes, outputs.shape[1])
    if not known.all():
        raise ValueError(
            f"`targets` must be class indices from 0 to {outputs.shape[1] - 1}; got {classes[~known][0].item()!r}."
            " Number the classes from 0, and give the network one output for each."
        )
    return F.cross_entropy(outputs, classes.long())


def _are_probabilities(targets: Tensor, width: int) -> bool:
    """Whether `targets`, for `width` classes, are a probability for each class rather than its index."""
    return width > 1 and targets.shape[1:] == (width,)


def _known_classes(classes: Tensor, width: int) -> Tensor:
    return (classes >= 0) & (classes < width) & (classes == classes.floor())


def _mse_batch(y: Tensor) -> BatchLoss:
    scale = torch.tensor(2 / y.numel(), dtype=y.dtype)

    def loss(out: Tensor) -> tuple[Tensor, Tensor]:
        error = out - y
        return (error * error).sum(), error.mul_(scale)

    return loss


def _l1_batch(y: Tensor) -> BatchLoss:
    scale = torch.ones((), dtype=y.dtype) / y.numel()

    def loss(out: Tensor) -> tuple[Tensor, Tensor]:
        error = out - y
        return error.abs().sum(), error.sgn_().mul_(scale)

    return loss


def _huber_batch(y: Tensor) -> BatchLoss:
    one = torch.ones((), dtype=y.dtype)
    return lambda out: (F.huber_loss(out, y, reduction="sum"), aten.huber_loss_backward.default(one, out, y, 1, 1.0))


def _smooth_l1_batch(y: Tensor) -> BatchLoss:
    one = torch.ones((), dtype=y.dtype)
    return lambda out: (
        F.smooth_l1_loss(out, y, reduction="sum"),
        aten.smooth_l1_loss_backward.default(one, out, y, 1, 1.0),
    )


def _cross_entropy_batch(y: Tensor) -> BatchLoss:
    """Of classes, shape (n,), or probabilities, shape (n, classes)."""

    def loss(out: Tensor) -> tuple[Tensor, Tensor]:
        logs, one = torch.log_softmax(out, 1), torch.ones((), dtype=out.dtype)
        if y.is_floating_point():
            value, grad = F.cross_entropy(out, y), -(one / len(y)) * y
        else:
            value, total = aten.nll_loss_forward.default(logs, y, None, 1, -100)
            grad = aten.nll_loss_backward.default(one, logs, y, None, 1, -100, total)
        return value, log_softmax_backward(grad, logs, 1, out.dtype)

    return loss


def _pointwise(name: str, function: Any, batch: Callable[[Tensor], BatchLoss], *, rooted: bool = False) -> Loss:
    mean = getattr(nn_functions, f"{name}_loss")
    checked = _same_shape(lambda outputs, targets: mean(outputs, targets, MEAN))
    return Loss(name, checked, function, batch, rooted=rooted)


OWN_LOSS = "For another, pass a callable (outputs, targets) -> scalar tensor."
LOSSES = {
    "mse": _pointwise("mse", F.mse_loss, _mse_batch, rooted=True),
    "l1": _pointwise("l1", F.l1_loss, _l1_batch),
    "huber": _pointwise("huber", F.huber_loss, _huber_batch),
    "smooth_l1": _pointwise("smooth_l1", F.smooth_l1_loss, _smooth_l1_batch),
    "cross_entropy": Loss("cross_entropy", _cross_entropy, batch=_cross_entropy_batch, of_classes=True),
}
_POINTWISE = tuple(loss.pointwise for loss in LOSSES.values() if loss.pointwise)
_POINTWISE_MODULES = (nn.MSELoss, nn.L1Loss, nn.HuberLoss, nn.SmoothL1Loss)
