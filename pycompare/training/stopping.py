"""When a training ends before its last epoch, and which weights it is left with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pycompare.checks import number, whole_number

Epoch = tuple[int, list[dict[str, Any]]]  # how many are done, and the rows that tell of the last one
_LOSSES = ("train_loss", "valid_loss")


@dataclass(frozen=True)
class EarlyStopping:
    """End a training on a plateau, with the best weights.

    The training ends after `patience` epochs in a row none of which was better, by more than `min_delta`, than the last
    that was; and at once after an epoch whose losses are not all finite. The network then has the weights of the epoch
    with the best value: the first of them, where several have it. Where none was finite it stays as it is.

    Arguments:
        patience: in epochs, 1 or more; default 10.
        min_delta: 0 or more, in the unit of `on`; default 0.
        on: a column of the rows that the training tells: one of losses, of which smaller is better, or an accuracy, of
            which larger is; default "valid_loss".

    Mirrors `luz_callback_early_stopping(monitor, min_delta, patience)`, which keeps the last weights.

    Source: Prechelt (1998), Early stopping - but when?

    Example:
        >>> EarlyStopping(patience=3, on="valid_accuracy")
        EarlyStopping(patience=3, min_delta=0.0, on='valid_accuracy')
    """

    patience: int = 10
    min_delta: float = 0.0
    on: str = "valid_loss"

    def __post_init__(self) -> None:
        object.__setattr__(self, "patience", whole_number("patience", self.patience, at_least=1))
        object.__setattr__(self, "min_delta", number("min_delta", self.min_delta, at_least=0))
        if not isinstance(self.on, str):
            raise TypeError(f"`on` must be the name of a column; got {self.on!r}. Pass e.g. 'valid_loss'.")

    def better(self, value: float, than: float, by: float = 0.0) -> bool:
        """Whether `value` is better than another one by more than `by`; any is better than NaN."""
        gain = value - than if self.on.endswith("accuracy") else than - value
        return gain > by or (math.isnan(than) and not math.isnan(value))


@dataclass
class Best:
    """The best epoch of a training so far, and how long it has not become better.

    Attributes:
        stopping: the rule; None to note the best valid_loss, and never to end.
        epoch, value: of the best; before the first finite value 0 and NaN.
        beaten: the value that an epoch must better by `min_delta`.
        waited: for how many epochs none has.
        diverged: whether a loss was not finite.
        weights: the best, by the names of parameters and buffers.
    """

    stopping: EarlyStopping | None = None
    epoch: int = 0
    value: float = math.nan
    beaten: float = math.nan
    waited: int = 0
    diverged: bool = False
    weights: dict[str, Tensor] = field(default_factory=dict)

    def up_to_plateau(self, epochs: Iterable[Epoch], network: nn.Module) -> Iterator[Epoch]:
        """`epochs`, noted, until the training is to end."""
        if self.ended:  # when it was interrupted
            return
        for epoch, rows in epochs:
            if rows:
                self._note(epoch, rows[-1], network)
            yield epoch, rows
            if self.ended:
                return

    @property
    def ended(self) -> bool:
        """Whether the training is to end."""
        return self.stopping is not None and (self.diverged or self.waited >= self.stopping.patience)

    def restore(self, network: nn.Module) -> None:
        """Give `network` its best weights, where there are any."""
        put_weights(network, self.weights)

    def _note(self, epoch: int, row: dict[str, Any], network: nn.Module) -> None:
        rule = self.stopping or EarlyStopping()
        value = row.get(rule.on, math.nan)
        self.diverged = not all(math.isfinite(row.get(name, 0.0)) for name in (*_LOSSES, rule.on))
        if self.diverged:
            return
        if rule.better(value, self.value):
            self.epoch, self.value, self.weights = epoch, value, weights(network)
        if rule.better(value, self.beaten, rule.min_delta):
            self.beaten, self.waited = value, 0
        else:
            self.waited += 1


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Copies of parameters and buffers, by name."""
    return {name: tensor.detach().clone() for name, tensor in _named(network)}


@torch.no_grad()
def put_weights(network: nn.Module, kept: dict[str, Tensor]) -> None:
    """Copy what `weights` returned back, in place; what it does not name stays."""
    for name, tensor in _named(network):
        if name in kept:
            tensor.copy_(kept[name])


def _named(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()
