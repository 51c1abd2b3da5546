"""compare_batch_sizes: whose bits it has, what a budget is, that runs by turns do not meet, and what it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import TensorDataset

from pycompare import (
    MLP,
    AdamW,
    BatchSizes,
    Split,
    classification_data,
    compare_batch_sizes,
    compare_configs,
    course_data,
    torch_manual_seed,
    torch_threads,
)
from pycompare.seeding import RandomStream
from pycompare.training import budgets
from pycompare.training.engines.fused import Fused
from pycompare.training.loop import Training

CIRCLES = classification_data("circles", 50, n_valid=31)
COURSE = course_data()
SMALL = Split(*(TensorDataset(part.tensors[0][:50], part.tensors[1][:50]) for part in (COURSE.train, COURSE.valid)))
DONE = ["epoch", "step", "samples"]
LOSSES = ["train_loss", "valid_loss"]


def _compared(sizes: Any = (7, 20), budget: str = "steps", amount: float = 12, **arguments: Any) -> BatchSizes:
    return compare_batch_sizes([*sizes], budget, amount, **{"data": SMALL, "progress": False} | arguments)


def _dropping() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 1))


def _weights(network: nn.Module) -> list[list[float]]:
    return [parameter.reshape(-1).tolist() for parameter in network.parameters()]


@pytest.mark.parametrize("engine", ["auto", "autograd", "fused", "compiled"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"weight_decay": 0.3},
        {"optimizer": "rmsprop", "lr": 0.001, "weight_decay": 0.01},
        {"dtype": "float64"},
        {"seeds": 2},
    ],
    ids=str,
)
def test_equal_epochs_are_those_of_the_course(engine: str, arguments: dict[str, Any]) -> None:
    told: dict[str, Any] = {"engine": engine, "keep_networks": True, "progress": False} | arguments
    ours = compare_batch_sizes([16, 100, 900], "epochs", 3, **told)
    theirs = compare_configs(3, batch_size=[16, 100, 900], **told)
    assert list(map(_weights, ours.networks.values())) == list(map(_weights, theirs.networks.values()))
    if engine != "auto":
        assert ours.made_with["engine"] == engine


def _plain_loop(size: int, points: list[int], lr: float = 0.01, seed: int = 123) -> list[list[float]]:
    """What a user would write, with R torch's AdamW: losses of the whole sets at the start and after so many steps."""
    x, y, xv, yv = (tensor.float() for tensor in (*COURSE.train.tensors, *COURSE.valid.tensors))
    with torch_threads(1), torch_manual_seed(seed):
        network = MLP(4)
        opt, rows, step = AdamW(network.parameters(), lr=lr), [], 0
        while True:
            for inputs, targets in zip(x.split(size), y.split(size), strict=True):
                if step in points:
                    with torch.no_grad():
                        rows.append([mse_loss(network(a), b).sqrt().item() for a, b in ((x, y), (xv, yv))])
                if step == points[-1]:
                    return rows
                opt.zero_grad()
                mse_loss(network(inputs), targets).backward()
                opt.step()
                step += 1


@pytest.mark.parametrize("engine", ["autograd", "fused", "compiled"])
@pytest.mark.parametrize("size", [16, 64, 1000])
def test_losses_are_those_of_a_plain_loop(engine: str, size: int) -> None:
    ours = compare_batch_sizes([size], "steps", 50, evaluations=4, engine=engine, seeds=[3, 4], progress=False).data
    points = [0, 12, 25, 37, 50]
    assert ours["step"].tolist() == points * 2
    assert ours[LOSSES].to_numpy().tolist() == [row for seed in (3, 4) for row in _plain_loop(size, points, seed=seed)]


@pytest.mark.parametrize(
    ("size", "budget", "amount", "evaluations", "expected"),
    [
        (7, "epochs", 2, 30, [(0, 0, 0), (1, 8, 50), (2, 16, 100)]),
        (20, "epochs", 4, 2, [(0, 0, 0), (2, 6, 100), (4, 12, 200)]),
        (50, "epochs", 5, 3, [(0, 0, 0), (1, 1, 50), (3, 3, 150), (5, 5, 250)]),
        (60, "epochs", 1, 1, [(0, 0, 0), (1, 1, 50)]),
        (20, "steps", 4, 9, [(0, 0, 0), (0.4, 1, 20), (0.8, 2, 40), (1, 3, 50), (1.4, 4, 70)]),
        (7, "steps", 20, 2, [(0, 0, 0), (64 / 50, 10, 64), (128 / 50, 20, 128)]),
        (60, "steps", 3, 1, [(0, 0, 0), (3, 3, 150)]),
    ],
)
def test_what_is_evaluated_when(
    size: int, budget: str, amount: int, evaluations: int, expected: list[tuple[float, int, int]]
) -> None:
    data = _compared([size], budget, amount, evaluations=evaluations).data
    assert [tuple(row) for row in data[DONE].to_numpy().tolist()] == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [0.01, 0.01, 0.01]),
        ({"scale_lr": "linear"}, [0.01, 0.04, 0.16]),
        ({"scale_lr": "sqrt"}, [0.01, 0.02, 0.04]),
        ({"scale_lr": "linear", "reference_size": 16, "lr": 0.1}, [0.025, 0.1, 0.4]),
        ({"scale_lr": "sqrt", "reference_size": 64, "lr": 0.1}, [0.025, 0.05, 0.1]),
    ],
    ids=str,
)
def test_the_rate_follows_the_size(arguments: dict[str, Any], expected: list[float]) -> None:
    told: dict[str, Any] = {"data": COURSE, "evaluations": 1} | arguments
    data = _compared([4, 16, 64], "steps", 5, **told).data
    assert data.groupby("batch_size")["lr"].first().tolist() == expected
    alone = [
        _compared([n], "steps", 5, **told | {"scale_lr": "fixed", "lr": lr}).data
        for n, lr in zip((4, 16, 64), expected, strict=True)
    ]
    assert data[LOSSES].to_numpy().tolist() == pd.concat(alone)[LOSSES].to_numpy().tolist()


@pytest.mark.parametrize("engine", ["autograd", "fused"])
def test_two_jobs_give_the_same_bits(engine: str) -> None:
    alone, together = (_compared(seeds=2, n_jobs=n, engine=engine).data.drop(columns="seconds") for n in (1, 2))
    pd.testing.assert_frame_equal(alone, together, check_exact=True)


def test_losses_of_classes_have_accuracies() -> None:
    compared = _compared(data=CIRCLES, loss="cross_entropy", keep_networks=True)
    assert compared.data.columns.tolist()[-4:] == ["train_loss", "train_accuracy", "valid_loss", "valid_accuracy"]
    x, y = CIRCLES.valid.tensors
    network = compared.networks["batch_size = 20, seed = 123"]
    assert compared.data["valid_accuracy"].iloc[-1] == (network(x).argmax(1) == y).double().mean().item()


# Turns. A run's seconds are the machine's, so where turns end is only known with a clock of our own.


class _Machine:
    """A clock that only work moves: so many seconds a step, of each batch size, and an hour an evaluation."""

    def __init__(self, patch: pytest.MonkeyPatch, seconds_a_step: dict[int, float]) -> None:
        self.now, self.turns, self._costs = 0.0, [], seconds_a_step
        take, validate = Training.take_steps, Fused.validate

        def take_steps(training: Training, start: int, stop: int) -> None:
            size = training.options.batch_size
            self.turns.append((size, stop - start))
            self.now += (stop - start) * self._costs[size]
            take(training, start, stop)

        def evaluate(engine: Fused) -> Any:
            self.now += 3600
            return validate(engine)

        patch.setattr(Training, "take_steps", take_steps)
        patch.setattr(Fused, "validate", evaluate)
        patch.setattr(budgets, "perf_counter", lambda: self.now)


def test_seconds_are_of_training_alone_and_exceeded_by_a_step_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = {2: 0.0007, 7: 0.001, 50: 0.03}
    _Machine(monkeypatch, costs)
    data = _compared(costs, "seconds", 1, evaluations=4, seeds=2, engine="fused").data
    planned = np.tile([0, 0.25, 0.5, 0.75, 1], 6)
    over = data["seconds"].to_numpy() - planned
    assert (over > -1e-9).all()
    assert (over < data["batch_size"].map(costs)).all()
    np.testing.assert_allclose(data["step"] * data["batch_size"].map(costs), data["seconds"], rtol=1e-9)


def test_runs_take_turns_in_short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = {2: 0.0005, 7: 0.001}
    machine = _Machine(monkeypatch, costs)
    _compared(costs, "seconds", 1, evaluations=2, engine="fused")
    ahead, slice_seconds = [0.0], 0.01
    for size, steps in machine.turns:
        ahead.append(ahead[-1] + steps * costs[size] * (1 if size == 2 else -1))
    assert max(map(abs, ahead)) < slice_seconds + 2 * max(costs.values())
    assert len(machine.turns) >= 2 * 100


def test_a_slow_phase_of_the_machine_hits_all_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = {2: 0.001, 7: 0.001}
    machine = _Machine(monkeypatch, costs)
    take = Training.take_steps

    def slowly(training: Training, start: int, stop: int) -> None:
        """Ten times as slow from the first fifth of both runs to their middle, whoever has a turn."""
        phase = 0.4 < machine.now % 3600 < 1
        machine._costs = dict.fromkeys(costs, 0.01 if phase else 0.001)
        take(training, start, stop)

    monkeypatch.setattr(Training, "take_steps", slowly)
    steps = _compared(costs, "seconds", 1, evaluations=1, engine="fused").data.groupby("batch_size")["step"].max()
    assert steps.max() < 0.9 * 1000
    assert steps.max() - steps.min() <= 0.03 * 1000


@pytest.mark.parametrize("seeds", [1, 2])
def test_runs_by_turns_have_the_bits_of_runs_alone(seeds: int) -> None:
    told: dict[str, Any] = {"network": _dropping, "keep_networks": True, "seeds": seeds}
    together = _compared([3, 8], "seconds", 0.1, evaluations=3, **told)
    steps = together.data.groupby(["batch_size", "seed"])["step"].max()
    assert steps.min() > 1
    for (size, seed), count in steps.items():
        alone = _compared([size], "steps", count, **told | {"seeds": [seed]})
        label = f"batch_size = {size}, seed = {seed}"
        assert _weights(alone.networks[label]) == _weights(together.networks[label])


def test_streams_of_random_numbers_are_kept_apart() -> None:
    streams = {seed: RandomStream(seed) for seed in (1, 2)}
    drawn: dict[int, list[float]] = {1: [], 2: []}
    for seed in (1, 2, 2, 1, 2, 1):
        with streams[seed].scope():
            drawn[seed].append(torch.rand(()).item())
    for seed, numbers in drawn.items():
        with torch_manual_seed(seed):
            assert numbers == [torch.rand(()).item() for _ in range(3)]


def test_all_runs_of_a_budget_of_seconds_have_one_engine() -> None:
    assert compare_batch_sizes([4, 700], "seconds", 0.05, progress=False).made_with["engine"] == "compiled"


def test_what_was_done_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "take_steps", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        _compared(budget="seconds", amount=0.1)
    assert caught.value.partial["step"].tolist() == [0, 0]  # type: ignore[attr-defined]


# What is told.


def test_the_frame() -> None:
    data = _compared(evaluations=2, seeds=2).data
    assert data.columns.tolist() == ["config", "batch_size", "lr", "seed", *DONE, "seconds", *LOSSES]
    assert data["config"].unique().tolist() == ["batch_size = 7", "batch_size = 20"]
    assert data["seed"].tolist() == [123] * 3 + [124] * 3 + [123] * 3 + [124] * 3
    assert (data.groupby(["config", "seed"])["seconds"].diff().dropna() > 0).all()


def test_the_summary_has_the_end_and_the_best() -> None:
    compared = _compared(amount=60, evaluations=6, seeds=3, lr=0.3)
    (_, small), _ = compared.data.groupby("batch_size")
    best = small.loc[small.groupby("seed")["valid_loss"].idxmin()]
    row = compared.summary().iloc[0]
    assert row[["config", "seeds", "failed", "step"]].tolist() == ["batch_size = 7", 3, 0, 60]
    assert row["valid_loss"] == small.query("step == 60")["valid_loss"].mean()
    assert row["best_valid_loss"] == best["valid_loss"].mean()
    for name in (*DONE, "seconds"):
        assert row[f"best_{name}"] == best[name].mean()
    assert best["step"].min() < 60


def test_runs_that_diverge_are_counted_and_left_out() -> None:
    compared = _compared([1, 10**6], amount=50, optimizer="sgd", lr=1e-9, scale_lr="linear")
    good, failed = compared.summary()[["failed", "best_valid_loss"]].to_numpy()
    assert good[0] == 0
    assert failed[0] == 1
    assert math.isnan(failed[1])


@pytest.mark.parametrize(
    ("x", "column", "title"),
    [
        (None, "step", "Step"),
        ("epochs", "epoch", "Epoch"),
        ("samples", "samples", "Samples"),
        ("seconds", "seconds", "Seconds of training"),
    ],
)
@pytest.mark.parametrize("log_x", [False, True])
def test_the_plot(x: str | None, column: str, title: str, log_x: bool) -> None:
    compared = _compared(seeds=2, evaluations=4)
    plot = compared.plot("train_loss", x=x, log_x=log_x)
    plot.draw()
    assert plot.labels.x == title
    assert plot.data["config"].unique().tolist() == ["batch_size = 7", "batch_size = 20"]
    by_point = compared.data.groupby(["batch_size", compared.data["step"]])[[column, "train_loss"]].mean()
    expected = by_point[by_point[column] > 0] if log_x else by_point
    np.testing.assert_allclose(plot.data[[column, "mean"]], expected, rtol=1e-14)  # pandas sums groups in two ways


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    compared = _compared(budget="epochs", amount=2, momentum=0.5, optimizer="sgd")
    compared.save(tmp_path, formats=())
    again = BatchSizes.load(tmp_path)
    pd.testing.assert_frame_equal(again.data, compared.data, check_exact=True)
    assert repr(again) == repr(compared)
    told = json.loads((tmp_path / "settings.json").read_text())["batch_sizes"]["arguments"]
    assert told == compared.arguments
    assert (told["budget"], told["amount"], told["momentum"]) == ("epochs", 2, 0.5)
    assert again.plot().data.equals(compared.plot().data)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sizes": []}, ValueError, "`sizes` must be a one-dimensional list with at least one value"),
        ({"sizes": 16}, ValueError, "Exactly one of `sizes` must be a list; got none"),
        ({"sizes": [4, 4]}, ValueError, "`sizes` must hold distinct values"),
        ({"sizes": [4, 0]}, ValueError, "`sizes` must be at least 1; got 0"),
        ({"sizes": [4, 2.5]}, ValueError, "`sizes` must be a whole number; got 2.5"),
        ({"budget": "minutes"}, ValueError, "`budget` must be one of epochs, steps, seconds; got 'minutes'"),
        ({"amount": 0}, ValueError, "`amount` must be at least 1; got 0"),
        ({"amount": 1.5}, ValueError, "`amount` must be a whole number; got 1.5"),
        ({"budget": "epochs", "amount": -1}, ValueError, "`amount` must be at least 1; got -1"),
        ({"budget": "seconds", "amount": 0}, ValueError, "`amount` must be more than 0 seconds; got 0"),
        ({"budget": "seconds", "amount": -1}, ValueError, "`amount` must be at least 0; got -1"),
        ({"budget": "seconds", "amount": "a"}, TypeError, "`amount` must be a number; got 'a'"),
        ({"budget": "seconds", "n_jobs": 2}, ValueError, "`n_jobs` must be 1 with budget 'seconds'; got 2"),
        ({"n_jobs": 0}, ValueError, "`n_jobs` must be 1 or more"),
        ({"scale_lr": "cubic"}, ValueError, "`scale_lr` must be one of fixed, linear, sqrt; got 'cubic'"),
        ({"reference_size": 0}, ValueError, "`reference_size` must be at least 1; got 0"),
        ({"evaluations": 0}, ValueError, "`evaluations` must be at least 1; got 0"),
        ({"lr": -1}, ValueError, "`lr` must be at least 0; got -1"),
        ({"seeds": 0}, ValueError, "`seeds` must be at least 1; got 0"),
        ({"data": 3}, TypeError, "`data` must be a Split; got int"),
        ({"device": "there"}, ValueError, "`device` must be usable here; got 'there'"),
        ({"dtype": "float16"}, ValueError, "`dtype` must be one of float32, float64; got 'float16'"),
        ({"engine": "fast"}, ValueError, "`engine` must be one of auto"),
        ({"keep_networks": 1}, TypeError, "`keep_networks` must be True or False; got 1"),
        ({"progress": 1}, TypeError, "`progress` must be True or False; got 1"),
    ],
)
def test_bad_arguments(
    arguments: dict[str, Any], error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("train_all", "train_interleaved"):
        monkeypatch.setattr(f"pycompare.sweeps.batch_sizes.{name}", lambda *_, **__: pytest.fail("trained first"))
    with pytest.raises(error, match=message):
        compare_batch_sizes(**{"sizes": [4, 16], "budget": "steps", "amount": 3} | arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _compared(alpha=0.5), "`alpha` must be an argument of the optimizer; 'adamw' does not take it"),
        (lambda: _compared().plot(x="time"), "`x` must be one of epochs, steps, samples, seconds; got 'time'"),
        (lambda: _compared().plot("valid_rmse"), "`metric` must be one of train_loss, valid_loss; got 'valid_rmse'"),
    ],
)
def test_what_is_known_later(call: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()
