"""The classes that a network's outputs stand for, and those that are given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pycompare.data.arrays import real_array


def class_logits(outputs: Tensor) -> Tensor:
    """A logit for each class, shape (n, classes): `outputs` themselves, or 0 beside a single one, of class 1 against 0.

    Softmax of 0 and z is 1 - sigmoid(z) and sigmoid(z).
    """
    if outputs.ndim != 2 or outputs.shape[1] == 0:
        raise ValueError(
            f"`network` must return logits of shape (rows, classes), or (rows, 1); got {tuple(outputs.shape)}."
            " Change its last layer."
        )
    return outputs if outputs.shape[1] > 1 else torch.cat([torch.zeros_like(outputs), outputs], dim=1)


def checked_classes(name: str, values: Any, rows: int, classes: int) -> Tensor:
    """`values`, shape (rows,) or (rows, 1), as indices of this many classes, on the CPU; or one clear error."""
    given = torch.from_numpy(real_array(name, values))
    if given.numel() != rows:
        raise ValueError(f"`{name}` must be a class for each of {rows} rows; got shape {tuple(given.shape)}. Pass one.")
    given = given.reshape(-1)
    known = (given >= 0) & (given < classes) & (given == given.floor())
    if not known.all():
        raise ValueError(
            f"`{name}` must be classes from 0 to {classes - 1}, as the network has logits for; got"
            f" {given[~known][0].item():g}. Number the classes from 0."
        )
    return given.long()
