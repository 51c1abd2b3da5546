"""What to do when every run of a comparison has diverged."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pycompare.labels import r_number

_USUAL_SIZE = 10.0  # above it, inputs are called unscaled: steps that suit one column are too long for another


def input_size(inputs: Tensor) -> float:
    """The largest root mean square of a column of inputs: 1 where they are standardised."""
    columns = inputs.double().reshape(len(inputs), -1)
    return float(columns.square().mean(dim=0).sqrt().max()) if columns.numel() else 0.0


def divergence_advice(parameter: str, values: tuple[Any, ...], lr: float, size: float) -> str:
    """Which way to go, for runs over `values` of `parameter` (at this `lr`, if another), on inputs of this size."""
    least = min(values) if parameter == "lr" else lr
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
