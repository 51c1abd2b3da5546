"""The losses: of each, one record of what training, its checks and its engines need to know."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pycompare.checks import one_of
from pycompare.labels import value_label
from pycompare.training.torch_private import MEAN, log_softmax_backward, nn_functions

LossFunction = Callable[[Tensor, Tensor], Tensor]
# From the outputs of one batch: the loss (its sum, for a pointwise one), and the gradient of its mean.
BatchLoss = Callable[[Tensor], tuple[Tensor, Tensor]]
aten = torch.ops.aten
_NO_CLASS = -1  # the names ignore none


@dataclass(frozen=True)
class Loss:
    """A loss, and what is to be known of it.

    Attributes:
        given: what the user named it by: a name, or a callable.
        function: the mean over a batch, of outputs and targets, which refuses what does not fit together.
        checked: makes a function like `function` of a callable of the same kind.
        pointwise: of outputs, targets and `reduction`, where any two numbers can be compared.
        batch: from a batch's targets what `Fused` calls; None where only autograd can train.
        rooted: its root is reported, and beside it that of the whole validation set.
        of_classes: targets may be indices of classes.
        of_shares: targets are from 0 to 1, the outputs their logits.
    """

    given: str | LossFunction
    function: LossFunction
    checked: Callable[[LossFunction], LossFunction]
    pointwise: Callable[..., Tensor] | None = None
    batch: Callable[[Tensor], BatchLoss] | None = None
    rooted: bool = False
    of_classes: bool = False
    of_shares: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to a worker as what the user named."""
        return find_loss, (self.given,)

    def fits(self, targets: Tensor, width: int) -> bool:
        """Whether a network with `width` outputs can be trained on `targets` as they are."""
        if self.of_shares and not _are_shares(targets).all():
            return False
        if not self.of_classes or _are_probabilities(targets, width):
            return targets.shape == (len(targets), width) and (not self.of_classes or targets.is_floating_point())
        return targets.numel() == len(targets) and bool(_known_classes(targets.reshape(-1), width).all())

    def check_varies(self, outputs: Tensor, targets: Tensor) -> None:
        """Refuse a callable that gives one number whatever the outputs: it would train nothing, and look trained."""
        if self.checked is not _scalar:  # PyTorch's own
            return
        with torch.no_grad():
            ramp = torch.ones_like(outputs).cumsum(-1)  # not the same for all classes
            others = (outputs, outputs + ramp, ramp - 10 * outputs, 100 * outputs - ramp)
            values = {float(self.function(other, targets)) for other in others}
        if len(values) == 1 and math.isfinite(value := values.pop()):
            raise ValueError(
                f"`loss` must depend on the network's outputs; got {value_label(self.given)}, which returns {value!r}"
                " whatever they are. Compute it from its first argument."
            )

    def right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """For each row whose class is known whether the largest output is at it; for losses of classes."""
        if targets.shape == outputs.shape and outputs.shape[-1] > 1:
            return outputs.argmax(-1) == targets.argmax(-1)
        classes = targets.reshape(-1)
        known = classes != getattr(self.given, "ignore_index", _NO_CLASS)
        return (outputs.argmax(-1) == classes)[known]

    def cast(self, targets: Tensor, width: int, dtype: torch.dtype) -> Tensor:
        """`targets` as `batch` takes them: numbers of `dtype`, or indices of classes, shape (n,)."""
        if self.of_classes and not _are_probabilities(targets, width):
            return targets.reshape(-1).long()
        return targets.to(dtype)


def find_loss(loss: str | LossFunction) -> Loss:
    """The loss that a name, or a callable (outputs, targets) -> scalar tensor, stands for.

    PyTorch's own are known by what they are: they get the checks of their name, and a default network that fits.
    """
    if not callable(loss):
        return LOSSES[one_of("loss", loss, LOSSES, OWN_LOSS)]
    name = next((name for twin, name in _TWINS if loss is twin or type(loss) is twin), None)
    if name is None:
        _check_takes_two(loss)
        return Loss(loss, _scalar(loss), _scalar)
    known = LOSSES[name]
    function = _scalar(known.checked(loss))
    return replace(known, given=loss, function=function, pointwise=None, batch=None, rooted=False)


def _check_takes_two(loss: LossFunction) -> None:
    try:
        inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).bind(None, None)
    except TypeError as cause:
        raise TypeError(
            f"`loss` must take (outputs, targets); got {value_label(loss)}, which does not: {cause}. Wrap it."
        ) from cause
    except ValueError:
        return  # a builtin does not tell


def _scalar(function: LossFunction) -> LossFunction:
    """`function`, refusing what is not one number."""

    def checked(outputs: Tensor, targets: Tensor) -> Tensor:
        value = function(outputs, targets)
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise ValueError(f"`loss` must return a scalar tensor; got {value!r}. Reduce it, as by .mean().")
        return value.reshape(())

    return checked


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


def _of_shares(function: LossFunction) -> LossFunction:
    """`function` of logits, and of targets of the same shape from 0 to 1."""

    def checked(outputs: Tensor, targets: Tensor) -> Tensor:
        if not _are_shares(targets).all():
            wrong = targets[~_are_shares(targets)][0].item()
            raise ValueError(f"`targets` must lie between 0 and 1; got {wrong!r}. Code the two classes as 0 and 1.")
        return function(outputs, targets)

    return _same_shape(checked)


def _of_classes(function: LossFunction) -> LossFunction:
    """`function` of logits (n, classes), and of class indices, (n,) or (n, 1), or probabilities (n, classes)."""

    def checked(outputs: Tensor, targets: Tensor) -> Tensor:
        if targets.shape == outputs.shape and outputs.shape[-1] > 1:
            return function(outputs, targets.to(outputs.dtype))
        if outputs.ndim != 2 or targets.numel() != len(outputs):
            raise ValueError(
                f"`network` must return one logit for each class, shape (n, classes); got {tuple(outputs.shape)} for"
                f" targets {tuple(targets.shape)}. Change the network's last layer."
            )
        classes = targets.reshape(-1)
        known = _known_classes(classes, outputs.shape[1]) | (classes == getattr(function, "ignore_index", 0))
        if not known.all():
            raise ValueError(
                f"`targets` must be class indices from 0 to {outputs.shape[1] - 1}; got {classes[~known][0].item()!r}."
                " Number the classes from 0, and give the network one output for each."
            )
        return function(outputs, classes.long())

    return checked


def _are_shares(targets: Tensor) -> Tensor:
    return (targets >= 0) & (targets <= 1)


def _are_probabilities(targets: Tensor, width: int) -> bool:
    """Whether `targets`, for `width` classes, are a probability for each class rather than its index."""
    return width > 1 and targets.shape[1:] == (width,)


def _known_classes(classes: Tensor, width: int) -> Tensor:
    return (classes >= 0) & (classes < width) & (classes == classes.double().floor())


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


def _bce_batch(y: Tensor) -> BatchLoss:
    n = y.numel()
    return lambda out: (
        F.binary_cross_entropy_with_logits(out, y, reduction="sum"),
        torch.sigmoid(out).sub_(y).div_(n),
    )


def _pointwise(name: str, function: Any, batch: Callable[[Tensor], BatchLoss], *, rooted: bool = False) -> Loss:
    mean = getattr(nn_functions, f"{name}_loss")
    checked = _same_shape(lambda outputs, targets: mean(outputs, targets, MEAN))
    return Loss(name, checked, _same_shape, function, batch, rooted=rooted)


OWN_LOSS = "For another, pass a callable (outputs, targets) -> scalar tensor."
LOSSES = {
    "mse": _pointwise("mse", F.mse_loss, _mse_batch, rooted=True),
    "l1": _pointwise("l1", F.l1_loss, _l1_batch),
    "huber": _pointwise("huber", F.huber_loss, _huber_batch),
    "smooth_l1": _pointwise("smooth_l1", F.smooth_l1_loss, _smooth_l1_batch),
    "cross_entropy": Loss(
        "cross_entropy", _of_classes(F.cross_entropy), _of_classes, batch=_cross_entropy_batch, of_classes=True
    ),
    "bce": Loss("bce", _of_shares(F.binary_cross_entropy_with_logits), _of_shares, batch=_bce_batch, of_shares=True),
}
_TWINS: list[tuple[object, str]] = [
    *((F.mse_loss, "mse"), (nn.MSELoss, "mse"), (F.l1_loss, "l1"), (nn.L1Loss, "l1")),
    *(
        (F.huber_loss, "huber"),
        (nn.HuberLoss, "huber"),
        (F.smooth_l1_loss, "smooth_l1"),
        (nn.SmoothL1Loss, "smooth_l1"),
    ),
    *((F.cross_entropy, "cross_entropy"), (nn.CrossEntropyLoss, "cross_entropy")),
    *((F.binary_cross_entropy_with_logits, "bce"), (nn.BCEWithLogitsLoss, "bce")),
]
