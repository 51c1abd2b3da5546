"""Schedules: their values, in all engines, in a loop of one's own, and their errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from plotnine import ggplot
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import TensorDataset

from pycompare import (
    MLP,
    SGD,
    AdamW,
    Comparison,
    ConstantRate,
    CosineOneCycle,
    CyclicalDecay,
    CyclicalRate,
    ExponentialRate,
    OneCycle,
    RisingRate,
    Schedule,
    Split,
    StepRate,
    compare_configs,
    torch_manual_seed,
    train_valid,
)
from pycompare.parity.tables.schedules import one_cycle_rates, one_cycle_run
from pycompare.plots import png
from pycompare.threads import torch_threads
from pycompare.training.optim import make_optimizer
from tests.conftest import KERNELS, recorded

with torch_manual_seed(1):
    DATA = TensorDataset(torch.randn(50, 3), torch.randn(50, 1))
SPLIT, EPOCHS, BATCHES = Split(DATA, DATA), 3, 4
STEPS = EPOCHS * BATCHES
SCHEDULES = [
    ConstantRate(0.02),
    StepRate(0.1, every=5),
    ExponentialRate(0.1, 0.9),
    CyclicalRate(0.001, 0.1, half=3, momentum=(0.8, 0.95)),
    CyclicalDecay(0, 0.5, half=3),
    OneCycle(0.1, STEPS),
    CosineOneCycle(0.1, STEPS + 1),
    RisingRate(1e-4, 1, STEPS),
    RisingRate(0, 1, STEPS, mode="linear", momentum=(0.5, 0.9)),
]
TORCH_S = 1e-14  # PyTorch's chained products against our powers: measured 4e-16
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)


def _network() -> MLP:
    with torch_manual_seed(2):
        return MLP(3, (8,))


def _values(network: nn.Module) -> list[np.ndarray]:
    return [parameter.detach().numpy() for parameter in network.parameters()]


def _by_hand(schedule: Schedule, optimizer: str) -> list[np.ndarray]:
    """PyTorch's own loop under the scheduler."""
    network, loss = _network(), nn.MSELoss()
    opt = make_optimizer(network, optimizer, {})
    scheduler = schedule.scheduler(opt)
    with torch_threads(1):
        for _ in range(EPOCHS):
            for x, y in zip(*(tensor.split(16) for tensor in DATA.tensors), strict=True):
                opt.zero_grad()
                loss(network(x), y).backward()
                opt.step()
                scheduler.step()
    return _values(network)


@each_schedule
@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop", "adam"])
def test_all_engines_and_a_loop_of_one_s_own_have_the_same_bits(schedule: Schedule, optimizer: str) -> None:
    expected = _by_hand(schedule, optimizer)
    for engine in ("autograd", "fused", "compiled"):
        network = _network()
        train_valid(network, DATA, DATA, EPOCHS, 16, engine=engine, optimizer=optimizer, schedule=schedule)
        for ours, theirs in zip(_values(network), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.skipif(KERNELS != "recorded", reason="matrix products have other bits than the recording's here")
@pytest.mark.parametrize("engine", ["autograd", "fused", "compiled"])
def test_the_recorded_training(engine: str) -> None:
    pd.testing.assert_frame_equal(one_cycle_run(engine=engine), recorded("one_cycle_run.csv"), check_exact=True)


def test_the_recorded_rates() -> None:
    pd.testing.assert_frame_equal(one_cycle_rates(), recorded("one_cycle_rates.csv"), check_exact=True)


@pytest.mark.parametrize("steps", [4, 7, 100, 440])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.26])
def test_the_cosine_variant_has_the_bits_of_pytorch(steps: int, share: float) -> None:
    opt = AdamW([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = lr_scheduler.OneCycleLR(opt, 0.3, steps, pct_start=share, div_factor=7, final_div_factor=50)
    frame = CosineOneCycle(0.3, steps, pct_start=share, div_factor=7, final_div_factor=50).frame()
    for step in range(steps):
        group = opt.param_groups[0]
        assert (frame["lr"][step], frame["momentum"][step]) == (group["lr"], group["betas"][0])
        opt.step()
        if step < steps - 1:
            theirs.step()


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [
        (StepRate(0.5, every=3, factor=0.2), lambda opt: lr_scheduler.StepLR(opt, 3, 0.2)),
        (ExponentialRate(0.5, 0.9), lambda opt: lr_scheduler.ExponentialLR(opt, 0.9)),
        (
            CyclicalRate(0.1, 0.5, half=4, momentum=(0.8, 0.9)),
            lambda opt: lr_scheduler.CyclicLR(opt, 0.1, 0.5, 4, base_momentum=0.8, max_momentum=0.9),
        ),
    ],
    ids=["step", "exponential", "cyclical"],
)
def test_pytorch_s_own_schedulers_agree(schedule: Schedule, theirs: Callable[[Any], Any]) -> None:
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5, momentum=0.9)
    scheduler, rows = theirs(opt), []
    for _ in range(20):
        rows.append([opt.param_groups[0]["lr"], opt.param_groups[0]["momentum"]])
        opt.step()
        scheduler.step()
    frame = schedule.frame(20)
    for name, column in zip(("lr", "momentum"), np.transpose(rows), strict=True):
        if name in frame:
            np.testing.assert_allclose(frame[name], column, rtol=TORCH_S)


@pytest.mark.parametrize(("steps", "annihilation"), [(4, 0.1), (10, 0.0), (101, 0.1), (440, 0.3), (1000, 0.99)])
def test_smith_s_policy(steps: int, annihilation: float) -> None:
    frame = OneCycle(0.8, steps, annihilation=annihilation).frame()
    lr, momentum = frame["lr"].to_numpy(), frame["momentum"].to_numpy()
    peak = int(lr.argmax())
    cycle = lr[: 2 * peak + 1]
    assert (lr[0], lr[peak], lr[2 * peak]) == (0.08, 0.8, 0.08)
    assert (momentum[0], momentum[peak], momentum[2 * peak]) == (0.95, 0.85, 0.95)
    np.testing.assert_allclose(np.diff(cycle[: peak + 1]), 0.72 / peak, rtol=1e-12)
    np.testing.assert_allclose(cycle, cycle[::-1], rtol=1e-12)
    after = lr[2 * peak :]
    assert (np.diff(after) < 0).all()
    assert (momentum[2 * peak :] == 0.95).all()
    assert len(after) - 1 <= annihilation * (steps - 1) + 1
    assert len(after) == 1 or lr[-1] == 0.0008


def test_weight_decay_moves_and_the_rate_stays() -> None:
    opt = AdamW([torch.zeros(1, requires_grad=True)], lr=0.125)
    scheduler, seen = CyclicalDecay(0, 1, half=2).scheduler(opt), []
    for _ in range(5):
        seen.append((opt.param_groups[0]["lr"], opt.param_groups[0]["weight_decay"]))
        opt.step()
        scheduler.step()
    assert seen == [(0.125, decay) for decay in (0.0, 0.5, 1.0, 0.5, 0.0)]
    assert scheduler.get_last_lr() == [0.125]


def test_all_groups_are_set() -> None:
    groups = [{"params": [torch.zeros(1, requires_grad=True)]} for _ in range(2)]
    opt = SGD(groups, lr=1.0)
    scheduler = OneCycle(0.5, 10).scheduler(opt)
    opt.step()
    scheduler.step()
    assert {(group["lr"], group["momentum"]) for group in opt.param_groups} == {
        tuple(OneCycle(0.5, 10).frame()[["lr", "momentum"]].iloc[1])
    }


@dataclass(frozen=True)
class Warmup(Schedule):
    steps: int

    def settings(self, step: int) -> dict[str, float]:
        return {"lr": 0.1 * min(1.0, (step + 1) / self.steps)}


def test_a_schedule_of_one_s_own() -> None:
    seen = []
    train_valid(
        _network(), DATA, DATA, 2, 16, schedule=Warmup(6), on_step=lambda s: seen.append(s.opt.param_groups[0]["lr"])
    )
    assert seen == [0.1 * min(1.0, (step + 1) / 6) for step in range(2 * BATCHES)]


def _steps(schedule: Schedule, calls: str) -> None:
    """Steps of an optimizer (o) and of the scheduler (s)."""
    opt = AdamW([torch.zeros(1, requires_grad=True)])
    scheduler = schedule.scheduler(opt)
    for call in calls:
        (opt if call == "o" else scheduler).step()


@pytest.mark.parametrize(
    ("schedule", "calls", "message"),
    [
        (OneCycle(0.1, 4), "osososos" + "o", "`steps` must be the steps of the whole training; got 4 in OneCycle"),
        (OneCycle(0.1, 4), "osososos" + "s", "`steps` must be the steps of the whole training; got 4"),
        (CosineOneCycle(0.1, 4), "osososos" + "o", "got 4 in CosineOneCycle"),
        (OneCycle(0.1, 9), "osoo", "must be stepped after each step of the optimizer under OneCycle"),
        (CosineOneCycle(0.1, 9), "oo", "got two steps of the optimizer in a row"),
    ],
)
def test_steps_that_do_not_fit(schedule: Schedule, calls: str, message: str) -> None:
    _steps(schedule, calls[:-1])
    with pytest.raises(ValueError, match=message):
        _steps(schedule, calls)


def test_schedules_without_an_end_may_be_stepped_once_an_epoch() -> None:
    _steps(StepRate(0.1, every=2), "ooosooosooos" * 10)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ConstantRate(-1), ValueError, "`lr` must be at least 0"),
        (lambda: StepRate(0.1, every=0), ValueError, "`every` must be at least 1"),
        (lambda: ExponentialRate(0.1, "x"), TypeError, "`factor` must be a number"),
        (lambda: CyclicalRate(0.2, 0.1, 5), ValueError, "`low` must be at most `high`; got 0.2 and 0.1"),
        (lambda: CyclicalDecay(0, 0.1, 2.5), ValueError, "`half` must be a whole number"),
        (lambda: OneCycle(0.1, 3), ValueError, "`steps` must be at least 4"),
        (lambda: OneCycle(0.1, 9, low=0.2), ValueError, "`low` must be at most `max_lr`"),
        (lambda: OneCycle(0.1, 9, annihilation=1), ValueError, "`annihilation` must be less than 1"),
        (lambda: OneCycle(0.1, 9, momentum=0.9), TypeError, "`momentum` must be a pair"),
        (lambda: OneCycle(0.1, 9, momentum=(0.9, 0.8)), ValueError, r"`momentum\[0\]` must be at most"),
        (lambda: CosineOneCycle(0.1, 10, pct_start=0.1), ValueError, "`pct_start` must be above 1 / steps; got 0.1"),
        (lambda: CosineOneCycle(0.1, 10, div_factor=0.5), ValueError, "`div_factor` must be at least 1"),
        (lambda: RisingRate(0, 1, 10), ValueError, "`start` must be above 0 for mode 'exp'"),
        (lambda: RisingRate(0.1, 1, 10, mode="cubic"), ValueError, "`mode` must be one of exp, linear; got 'cubic'"),
        (lambda: OneCycle(0.1, 9).settings(9), ValueError, r"`step` must be from 0 to 8 in OneCycle\(.*got 9"),
        (lambda: OneCycle(0.1, 9).frame(10), ValueError, "`steps` must be at most 9; got 10"),
        (lambda: ConstantRate(0.1).plot(), ValueError, r"`steps` must be given for ConstantRate\(lr=0.1\)"),
    ],
)
def test_bad_schedules(make: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"schedule": OneCycle(0.1, STEPS - 1)}, ValueError, "12 steps .* got OneCycle.* Pass steps=12"),
        ({"schedule": 0.1}, TypeError, "`schedule` must be a Schedule; got 0.1"),
        ({"schedule": OneCycle(0.1, STEPS), "optimizer": "adagrad"}, ValueError, "must set what Adagrad has"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_step(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    network = _network()
    before = _values(_network())
    with pytest.raises(error, match=message):
        train_valid(network, DATA, DATA, EPOCHS, 16, **arguments)
    assert all(map(np.array_equal, _values(network), before))


def _compare(**arguments: Any) -> Comparison:
    return compare_configs(**({"epochs": EPOCHS, "data": SPLIT, "progress": False} | arguments))


def test_a_list_of_schedules_is_a_comparison() -> None:
    schedules = [None, OneCycle(0.1, STEPS), ConstantRate(0.01)]
    comparison = _compare(schedule=schedules)
    runs = [run for _, run in comparison.data.groupby("config", sort=False)]
    for schedule, run in zip(schedules, runs, strict=True):
        with torch_manual_seed(123):
            expected = train_valid(MLP(3), DATA, DATA, EPOCHS, 16, lr=0.01, schedule=schedule)
        assert np.array_equal(run["valid_loss"], expected["valid_loss"])
        assert set(run["schedule"]) == {str(schedule)}
    assert comparison.values == ("None", "OneCycle(max_lr=0.1, steps=12)", "ConstantRate(lr=0.01)")
    assert np.array_equal(runs[0]["valid_loss"], runs[2]["valid_loss"])
    assert (runs[0]["valid_loss"].to_numpy() != runs[1]["valid_loss"].to_numpy()).all()


def test_it_is_saved_read_back_and_drawn(tmp_path: Any) -> None:
    comparison = _compare(schedule=[ConstantRate(lr) for lr in np.geomspace(1e-4, 0.1, 10).tolist()])
    comparison.save(tmp_path, formats=())
    loaded = Comparison.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.data, comparison.data, check_exact=True)
    assert loaded.values == comparison.values
    for plot in (comparison.plot(), comparison.plot_final()):
        assert png(plot)


def test_one_schedule_for_all_runs_of_a_comparison() -> None:
    comparison = _compare(batch_size=[16, 25], schedule=CyclicalRate(0.001, 0.1, half=3))
    assert comparison.arguments["schedule"] == CyclicalRate(0.001, 0.1, half=3)
    with torch_manual_seed(123):
        expected = train_valid(MLP(3), DATA, DATA, EPOCHS, 25, schedule=CyclicalRate(0.001, 0.1, half=3))
    last = comparison.data[comparison.data["batch_size"] == 25]
    assert np.array_equal(last["valid_loss"], expected["valid_loss"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": [0.1, 0.2], "schedule": ConstantRate(1)}, "`lr` must be one value under a schedule that sets it"),
        ({"beta1": [0.8, 0.9], "schedule": OneCycle(1, STEPS)}, "`beta1` must be one value under a schedule"),
        ({"batch_size": [50, 16], "schedule": OneCycle(1, 4)}, "12 steps .* got OneCycle.*Pass steps=12"),
        ({"schedule": [ConstantRate(1), ConstantRate(1.0)]}, "`schedule` must hold distinct values"),
        ({"lr": [0.1], "schedule": [ConstantRate(1)]}, "`lr` must be one value under a schedule that sets it"),
        ({}, "One or two of .*`schedule`, .* must be a list; got none"),
    ],
)
def test_comparisons_that_make_no_sense(
    arguments: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycompare.sweeps.runs.begin_training", lambda *_: pytest.fail("a run has begun"))
    with pytest.raises(ValueError, match=message):
        _compare(**arguments)


@each_schedule
def test_a_schedule_draws_itself(schedule: Schedule) -> None:
    plot = schedule.plot(STEPS)
    assert isinstance(plot, ggplot)
    frame = schedule.frame(STEPS)
    assert frame["step"].tolist() == list(range(STEPS))
    assert sorted(plot.data["value"]) == sorted(frame.drop(columns="step").to_numpy().ravel())
    assert png(plot)
    assert all(map(math.isfinite, plot.data["value"]))
