"""What the data of a comparison say of its runs: what a constant prediction has, and what to do when all diverged."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pycompare.labels import r_number
from pycompare.training.losses import Loss

_USUAL_SIZE = 10.0  # above it, inputs are called unscaled: steps that suit one column are too long for another


def input_size(inputs: Tensor) -> float:
    """The largest root mean square of a column of inputs: 1 where they are standardised."""
    columns = inputs.double().reshape(len(inputs), -1)
    return float(columns.square().mean(dim=0).sqrt().max()) if columns.numel() else 0.0


def constant_loss(targets: Tensor, loss: Loss) -> float | None:
    """The loss of the best prediction that is the same for all rows; None for a loss that is a callable.

    That is the deviation of the targets for "mse", the entropy of their shares for "cross_entropy" and "bce", and for
    the others the loss of their mean or of their median, whichever is less.
    """
    if callable(loss.given):
        return None
    y = targets.double()
    if loss.of_classes:
        indices = y.numel() == len(y)
        shares = torch.bincount(y.reshape(-1).long()) / len(y) if indices else y.mean(dim=0)
        value = float(torch.special.entr(shares).sum())
    elif loss.of_shares:
        shares = y.mean(dim=0)
        value = float((torch.special.entr(shares) + torch.special.entr(1 - shares)).mean())
    else:
        constants = (y.mean(dim=0), y.median(dim=0).values)
        value = min(float(loss.function(one.expand_as(y), y)) for one in constants)
    return math.sqrt(value) if loss.rooted else value


def divergence_advice(parameter: str, least: float, size: float) -> str:
    """Which way to go, for runs over `parameter` whose smallest lr is `least` (0 where unknown), on inputs so large."""
    unscaled = (
        f"The inputs are unscaled: the root mean square of one column is {_short(size)}, where 1 is usual."
        " Split.standardized() gives every column mean 0 and deviation 1, by those of the training set."
        if size > _USUAL_SIZE
        else ""
    )
    lower = f"a smaller lr, such as {_short(least / 10)}" if least else ""
    also = f", or a smaller {parameter}" if lower and parameter == "weight_decay" else ""
    towards = f"{'Or try' if unscaled else 'Try'} {lower}{also}." if lower else ""
    return "\n".join(part for part in (unscaled, towards) if part)


def _short(value: float) -> str:
    return r_number(float(f"{value:.2g}"))
