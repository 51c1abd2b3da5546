"""Faults planted into correct trajectories are found, and the step where they begin is named."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from pycompare import AdamW, Split, compare_configs, course_data, optimize_rosenbrock
from pycompare.parity import Budget, compare_trajectories
from pycompare.parity.suite import IN_DOUBLE, SAME_BITS, TABLES
from pycompare.parity.tables import course, descents, draws

FIRST_STEPS, SWEEPS = (
    table for name in ("course_first_steps", "course_sweeps") for table in TABLES if table.name == name
)


class EpsilonBeforeCorrection(AdamW):
    """Adds epsilon to the root before the bias correction divides it."""

    def _adam_step(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        correction = math.sqrt(1 - group["betas"][1] ** (int(state.get("step", 0)) + 1))
        super()._adam_step(parameter, grad, state, group | {"eps": group["eps"] / correction})


class EpsilonWithinRoot(AdamW):
    """Adds epsilon to the second moment, under the root."""

    def _adam_step(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        before = parameter.clone()
        super()._adam_step(parameter, grad, state, group | {"eps": 0.0})
        beta1, beta2 = group["betas"]
        second = state["exp_avg_sq"] / (1 - beta2 ** state["step"]) + group["eps"]
        rate = group["lr"] / (1 - beta1 ** state["step"])
        parameter.copy_(before - rate * state["exp_avg"] / second.sqrt())


class SwappedBetas(AdamW):
    """Takes each of the two for the other."""

    def _adam_step(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        super()._adam_step(parameter, grad, state, group | {"betas": group["betas"][::-1]})


class RateInFloat32(AdamW):
    """Rounds the learning rate to float32."""

    def _adam_step(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        super()._adam_step(parameter, grad, state, group | {"lr": float(np.float32(group["lr"]))})


def moment_in_float32(at: int) -> type[AdamW]:
    """An optimiser that rounds the first moment to float32 once, before step `at`."""

    class MomentInFloat32(AdamW):
        def _adam_step(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
            if state.get("step") == at - 1:
                state["exp_avg"].copy_(state["exp_avg"].float())
            super()._adam_step(parameter, grad, state, group)

    return MomentInFloat32


def begins_at(place: str, ours: pd.DataFrame, planted: pd.DataFrame, on: tuple[str, ...], budget: Budget) -> None:
    """Both sides agree until the fault; the message names its place."""
    compare_trajectories(ours, ours, on=on, budget=budget).assert_within()
    with pytest.raises(AssertionError, match=f" first at .*{place}:\n"):
        compare_trajectories(ours, planted, on=on, budget=budget).assert_within()


@pytest.mark.parametrize(
    ("mutant", "step"),
    [
        (EpsilonBeforeCorrection, 1),
        (EpsilonWithinRoot, 1),
        (SwappedBetas, 2),
        (RateInFloat32, 1),
        (moment_in_float32(at=4), 4),
    ],
)
def test_faults_of_the_optimizer_in_the_parameters(
    mutant: type[AdamW], step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = course.course_first_steps(dtype=torch.float64)
    monkeypatch.setattr(course, "AdamW", mutant)
    planted = course.course_first_steps(dtype=torch.float64)
    begins_at(f"step={step}", ours, planted, FIRST_STEPS.on, FIRST_STEPS.stand_in)


@pytest.mark.parametrize(
    ("mutant", "epoch"),
    [
        (EpsilonBeforeCorrection, 1),
        (EpsilonWithinRoot, 1),
        (SwappedBetas, 1),
        (RateInFloat32, 1),
        (moment_in_float32(at=45), 2),  # an epoch has 44 steps
    ],
)
def test_faults_of_the_optimizer_in_the_curves(mutant: type[AdamW], epoch: int) -> None:
    ours, planted = (_curve(optimizer=optimizer, dtype="float64") for optimizer in (AdamW, mutant))
    begins_at(f"epoch={epoch}", ours, planted, ("config", "epoch"), IN_DOUBLE)


@pytest.mark.parametrize("mutant", [EpsilonBeforeCorrection, EpsilonWithinRoot, SwappedBetas])
def test_faults_of_the_optimizer_in_float32_curves(mutant: type[AdamW]) -> None:
    ours, planted = (_curve(optimizer=optimizer) for optimizer in (AdamW, mutant))
    begins_at("epoch=1", ours, planted, ("config", "epoch"), SAME_BITS)


def _curve(**arguments: Any) -> pd.DataFrame:
    data = compare_configs(2, lr=[0.01], **arguments, progress=False).data
    return data[["config", "epoch", "valid_loss"]]


@pytest.mark.parametrize("budget", [SWEEPS.kernels, SWEEPS.stand_in])
@pytest.mark.parametrize("part", ["train", "valid"])
def test_data_off_by_one_row(part: str, budget: Budget) -> None:
    split = course_data()
    x, y = getattr(split, part).tensors
    moved = torch.utils.data.TensorDataset(x, y.roll(1, 0))
    planted = Split(**{"train": split.train, "valid": split.valid} | {part: moved})
    begins_at("epoch=1", _curve(data=split), _curve(data=planted), ("config", "epoch"), budget)


def test_drawn_data_off_by_one_row() -> None:
    ours = draws.spirals_table().reset_index(names="row")
    planted = ours.assign(x2=ours["x2"].shift(-1, fill_value=0.0))
    begins_at("row=0", ours, planted, ("row",), SAME_BITS)


def test_r_s_rounding_of_left_scalars_in_rosenbrock() -> None:
    """In R torch's double, lr and 1 - beta are rounded to float32: not what the stand-in computes."""
    in_double, as_r_torch = (
        descents.rosenbrock_runs(20, dtype).query("dtype == 'double'") for dtype in (torch.float64, torch.float32)
    )
    begins_at("step=1", in_double, as_r_torch, ("dtype", "lr", "beta", "step"), SAME_BITS)


@pytest.mark.parametrize(
    "change",
    [lambda value: float(np.float32(value)), lambda value: math.nextafter(value, math.inf), lambda value: math.nan],
    ids=["float32", "one ulp", "NaN"],
)
def test_one_number_among_a_thousand(change: Callable[[float], float]) -> None:
    ours = optimize_rosenbrock(500, 0.01, 0.9, dtype=torch.float64).data
    planted = ours.copy()
    planted.loc[317, "y"] = change(planted.loc[317, "y"])
    begins_at("step=317", ours, planted, ("step",), SAME_BITS)
