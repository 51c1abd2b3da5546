"""The learning-rate range test: R's bits, plain loops, no trace, and the rates it suggests."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from pycompare import MLP, RangeTestResult, RisingRate, Split, lr_range_test, torch_manual_seed
from pycompare.labs.lr_range import CONVERGES, MINIMUM, STEEPEST, VALLEY
from pycompare.parity.tables.schedules import range_test
from pycompare.plots import png
from pycompare.threads import torch_threads
from pycompare.training.optim import make_optimizer
from tests.conftest import KERNELS, recorded

with torch_manual_seed(1):
    X, X_VALID = torch.randn(50, 3), torch.randn(30, 3)
SPLIT = Split(*(TensorDataset(x, x.sum(dim=1, keepdim=True)) for x in (X, X_VALID)))
ENGINES = ("autograd", "fused", "compiled")


def _network() -> nn.Module:
    with torch_manual_seed(2):
        return MLP(3, (8,))


def _bumpy() -> nn.Module:
    """A network with buffers, and draws."""
    with torch_manual_seed(2):
        return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 1))


def _test(network: Any = None, **arguments: Any) -> RangeTestResult:
    settings = {"start": 1e-3, "end": 1, "steps": 10, "stop": None} | arguments
    return lr_range_test(network or _network(), SPLIT, **settings)


def _by_hand(
    network: nn.Module, schedule: RisingRate, *, held_out: bool, optimizer: str, seed: int = 123
) -> list[tuple[float, float]]:
    """PyTorch's own loop."""
    opt, rows = make_optimizer(network, optimizer, {}), []
    batches = list(zip(*(tensor.split(16) for tensor in SPLIT.train.tensors), strict=True))
    x_valid, y_valid = SPLIT.valid.tensors
    scheduler = schedule.scheduler(opt)
    with torch_threads(1), torch_manual_seed(seed):
        for step in range(schedule.steps):
            x, y = batches[step % len(batches)]
            opt.zero_grad()
            loss = nn.functional.mse_loss(network.train()(x), y)
            loss.backward()
            if held_out:
                with torch.no_grad():
                    loss = nn.functional.mse_loss(network.eval()(x_valid), y_valid)
            rows.append((opt.param_groups[0]["lr"], loss.item()))
            opt.step()
            scheduler.step()
    return rows


@pytest.mark.skipif(KERNELS != "recorded", reason="matrix products have other bits than the recording's here")
@pytest.mark.parametrize("engine", ENGINES)
def test_the_recorded_test(engine: str) -> None:
    pd.testing.assert_frame_equal(range_test(engine=engine), recorded("range_test.csv"), check_exact=True)


@pytest.mark.parametrize("momentum", [None, (0.8, 0.95)])
@pytest.mark.parametrize("mode", ["exp", "linear"])
@pytest.mark.parametrize("loss", ["train", "valid"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_losses_are_those_of_a_plain_loop(optimizer: str, loss: str, mode: str, momentum: Any) -> None:
    schedule = RisingRate(1e-3, 1, 10, mode, momentum)
    expected = _by_hand(_network(), schedule, held_out=loss == "valid", optimizer=optimizer)
    for engine in ENGINES:
        ours = _test(optimizer=optimizer, loss=loss, mode=mode, cycle_momentum=momentum, engine=engine).data
        assert list(zip(ours["lr"], ours["loss"], strict=True)) == expected
        assert ("momentum" in ours) == (momentum is not None)


@pytest.mark.parametrize("loss", ["train", "valid"])
def test_dropout_and_buffers_are_those_of_a_plain_loop(loss: str) -> None:
    ours = _test(_bumpy(), loss=loss).data
    expected = _by_hand(_bumpy(), RisingRate(1e-3, 1, 10), held_out=loss == "valid", optimizer="adamw")
    assert list(zip(ours["lr"], ours["loss"], strict=True)) == expected


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("loss", ["train", "valid"])
def test_it_leaves_no_trace(loss: str, training: bool) -> None:
    network = _bumpy()
    network.train(training)
    network[3].eval()
    before = copy.deepcopy(network)
    random = torch.get_rng_state()
    _test(network, loss=loss)
    assert torch.equal(torch.get_rng_state(), random)
    assert [m.training for m in network.modules()] == [m.training for m in before.modules()]
    assert all(p.grad is None for p in network.parameters())
    state, was = network.state_dict(), before.state_dict()
    assert state.keys() == was.keys()
    assert all(torch.equal(state[name], was[name]) for name in state)


def test_a_network_in_double_is_tested_in_double() -> None:
    losses = _test(_network().double()).data["loss"]
    assert (losses != losses.astype(np.float32)).any()


def test_several_seeds_have_networks_of_their_own() -> None:
    ours = _test(lambda: MLP(3, (8,)), seeds=[5, 7]).data
    for seed in (5, 7):
        with torch_manual_seed(seed):
            network = MLP(3, (8,))
        one = _test(network).data
        assert np.array_equal(ours.loc[ours["seed"] == seed, "loss"], one["loss"])
    assert list(ours) == ["seed", "step", "lr", "loss", "smoothed"]
    assert ours["step"].tolist() == [*range(1, 11)] * 2


@pytest.mark.parametrize("engine", ENGINES)
def test_it_stops_where_it_diverges(engine: str) -> None:
    arguments = {"optimizer": "sgd", "start": 1e-3, "end": 1e3, "steps": 60, "engine": engine}
    whole, cut = (_test(**arguments, stop=stop).data for stop in (None, 4))
    assert len(cut) < len(whole) < 60
    assert np.isfinite(whole["loss"][:-1]).all()
    assert not np.isfinite(whole["loss"].iloc[-1])
    assert np.array_equal(cut["loss"], whole["loss"][: len(cut)])
    over = cut["smoothed"] > 4 * cut["smoothed"].cummin()
    assert over.tolist() == [False] * (len(cut) - 1) + [True]


def test_smoothing() -> None:
    data = _test(smoothing=0.5).data
    losses = data["loss"].tolist()
    assert data["smoothed"][0] == losses[0]
    assert data["smoothed"][1] == pytest.approx((losses[0] + 2 * losses[1]) / 3, rel=1e-15)
    assert _test(smoothing=0).data["smoothed"].tolist() == losses


def _result(losses: list[float], rates: Any = None, seed: int = 1) -> pd.DataFrame:
    rates = np.geomspace(1e-4, 10, len(losses)) if rates is None else rates
    return pd.DataFrame({"seed": seed, "step": range(1, len(losses) + 1), "lr": rates}).assign(
        loss=losses, smoothed=losses
    )


def test_the_rates_that_a_curve_suggests() -> None:
    #         lr 1e-4 1e-3 1e-2 0.1  1    10
    frame = _result([8.0, 7.0, 2.0, 1.0, 2.0, 3.0])
    told = RangeTestResult(frame, "exp", {}).suggestions().set_index("rule")["lr"]
    expected = {CONVERGES: 1, "a third of it": 1 / 3, "a quarter of it": 0.25, "a tenth of it": 0.1}
    expected |= {"a twentieth of it": 0.05, STEEPEST: 1e-3, VALLEY: 1e-3, MINIMUM: 0.01}
    assert told.to_dict() == pytest.approx(expected)


def test_their_spread_over_seeds() -> None:
    frames = [_result([8.0, 7.0, 2.0, 1.0, 2.0, 3.0]), _result([8.0, 7.0, 2.0, 1.0, 3.0, 4.0], seed=2)]
    summary = RangeTestResult(pd.concat(frames), "exp", {}).summary().set_index("rule")
    assert summary.loc[CONVERGES].tolist() == pytest.approx([0.55, 0.1, 1])
    assert summary.loc[MINIMUM].tolist() == pytest.approx([0.01] * 3)


@pytest.mark.parametrize(("last", "told"), [(2.0, "In 1 of 2 tests"), (3.0, "")])
def test_it_says_where_no_loss_was_too_large(last: float, told: str) -> None:
    frames = [_result([8.0, 7.0, 2.0, 1.0, 2.0, last]), _result([8.0, 7.0, 2.0, 1.0, 3.0, 4.0], seed=2)]
    assert RangeTestResult(pd.concat(frames), "exp", {})._words()[: len("In 1 of 2 tests")] == told


@pytest.mark.parametrize("arguments", [{}, {"mode": "linear"}, {"seeds": 3}, {"loss": "valid"}, {"steps": 2}], ids=repr)
def test_it_draws_itself(arguments: dict[str, Any]) -> None:
    result = _test((lambda: MLP(3, (8,))) if "seeds" in arguments else None, **arguments)
    assert png(result.plot())
    assert result.plot().labels.y == ("Validation loss" if arguments.get("loss") == "valid" else "Training loss")


def test_words_where_nothing_is_finite() -> None:
    result = _test(optimizer="sgd", start=1e30, end=1e31, stop=None)
    frame = result.data.assign(loss=np.nan, smoothed=np.nan)
    empty = RangeTestResult(frame, "exp", result.arguments)
    assert "No loss is finite" in empty.plot().data["text"][0]
    assert empty.summary().empty


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seeds": 2}, TypeError, "`network` must be a callable for several seeds; got a MLP"),
        ({"loss": "test"}, ValueError, "`loss` must be one of train, valid; got 'test'"),
        ({"start": 2}, ValueError, "`start` must be at most `end`"),
        ({"start": 0}, ValueError, "`start` must be above 0"),
        ({"steps": 1}, ValueError, "`steps` must be at least 2"),
        ({"stop": 0.5}, ValueError, "`stop` must be at least 1"),
        ({"smoothing": 1}, ValueError, "`smoothing` must be less than 1"),
        ({"optimizer": "adagrad", "cycle_momentum": (0.8, 0.9)}, ValueError, "`schedule` must set what Adagrad has"),
        ({"dampening": 0.5}, TypeError, "`dampening` must be an argument of the optimizer"),
    ],
    ids=repr,
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        _test(**arguments)
