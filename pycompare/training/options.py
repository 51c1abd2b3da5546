"""What a training is to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from pycompare.checks import one_of, whole_number
from pycompare.threads import checked_threads
from pycompare.training.losses import Loss
from pycompare.training.optim import OptimizerFactory
from pycompare.training.schedules import Schedule, checked_schedule
from pycompare.training.stopping import EarlyStopping

ENGINES = ("auto", "autograd", "fused", "compiled")
_DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Options:
    """The options of a training, as `train_valid` takes them, checked.

    Attributes:
        epochs, batch_size: 1 or more.
        optimizer, arguments: the optimiser and its arguments, which `make_optimizer` checks.
        loss: the loss.
        engine: one of `ENGINES`.
        threads: of torch, or None for as many as it has.
        schedule: what changes of the optimizer from step to step, or None.
        early_stopping: when to end before the last epoch, or None.
        sweep_steps: of all trainings of its sweep that share network, optimizer and batch size; 0 outside of one.
    """

    epochs: int
    batch_size: int
    optimizer: str | OptimizerFactory
    arguments: dict[str, Any]
    loss: Loss
    engine: str = "auto"
    threads: int | None = 1
    schedule: Schedule | None = None
    early_stopping: EarlyStopping | None = None
    sweep_steps: int = 0

    def __post_init__(self) -> None:
        checked = {
            "epochs": whole_number("epochs", self.epochs, at_least=1),
            "batch_size": whole_number("batch_size", self.batch_size, at_least=1),
            "engine": one_of("engine", self.engine, ENGINES),
            "threads": checked_threads(self.threads),
            "schedule": checked_schedule("schedule", self.schedule),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        _check_early_stopping(self.early_stopping, self.loss)


def _check_early_stopping(early_stopping: EarlyStopping | None, loss: Loss) -> None:
    """Refuse what is none, or is about a column that no row will have."""
    if early_stopping is None:
        return
    if not isinstance(early_stopping, EarlyStopping):
        raise TypeError(
            f"`early_stopping` must be an EarlyStopping; got {early_stopping!r}. Pass e.g. EarlyStopping(patience=5)."
        )
    columns = [*("train_loss", "valid_loss"), *(["valid_rmse"] if loss.rooted else [])]
    columns += ["train_accuracy", "valid_accuracy"] if loss.of_classes else []
    one_of("on", early_stopping.on, columns, "These are the columns with this loss.")


def checked_dtype(dtype: torch.dtype | str) -> torch.dtype:
    """The dtype of the name or dtype that was given: float32 or float64."""
    name = str(dtype).removeprefix("torch.") if isinstance(dtype, torch.dtype) else dtype
    return _DTYPES[one_of("dtype", name, _DTYPES, "Use 'float32' for R torch's bits.")]
