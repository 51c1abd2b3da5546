"""compare_dropout: the bits of R's recording and of a plain loop, what it tells and keeps, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from pycompare import (
    AdamW,
    DropoutComparison,
    Split,
    classification_data,
    compare_dropout,
    mc_dropout,
    torch_manual_seed,
    torch_threads,
)
from pycompare.parity.suite import DROPPED_KERNELS
from tests.conftest import KERNELS, recorded

METRICS = ["train_loss", "valid_loss", "train_error", "valid_error"]
WAVES = classification_data("waveform", 120, n_valid=90)
CIRCLES = classification_data("circles", 50, n_valid=31, cl=4)
SMALL: dict[str, Any] = {"data": WAVES, "hidden": (12, 7), "epochs": 3, "progress": False}


def _compared(p: Any = (0.0, 0.5), input_p: Any = 0.2, **arguments: Any) -> DropoutComparison:
    return compare_dropout(p, input_p, **(SMALL | arguments))


def _plain_loop(
    p: float,
    input_p: float,
    *,
    data: Split = WAVES,
    hidden: tuple[int, ...] = (12, 7),
    sigma: float = 0.1,
    epochs: int = 3,
    batch_size: int = 50,
    lr: float = 3e-4,
    weight_decay: float = 0.01,
    seed: int = 123,
) -> list[list[float]]:
    """What a user would write, with R torch's AdamW: `METRICS` before the first step and after each epoch."""
    (x, k), (xv, kv) = data.train.tensors, data.valid.tensors
    with torch_threads(1), torch_manual_seed(seed):
        network = _plain_network([x.shape[1], *hidden, int(max(k.max(), kv.max())) + 1], p, input_p)
        for layer in network:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0, sigma)
                nn.init.zeros_(layer.bias)
        optimizer = AdamW(network.parameters(), lr=lr, weight_decay=weight_decay)
        rows = [_evaluated(network, x, k, xv, kv)]
        for _ in range(epochs):
            network.train()
            for inputs, classes in zip(x.split(batch_size), k.split(batch_size), strict=True):
                optimizer.zero_grad()
                F.cross_entropy(network(inputs), classes).backward()
                optimizer.step()
            rows.append(_evaluated(network, x, k, xv, kv))
    return rows


def _plain_network(widths: list[int], p: float, input_p: float) -> nn.Sequential:
    modules: list[nn.Module] = [nn.Dropout(input_p)] if p else []
    for i in range(1, len(widths) - 1):
        modules += [nn.Linear(widths[i - 1], widths[i]), nn.ReLU()] + ([nn.Dropout(p)] if p else [])
    return nn.Sequential(*modules, nn.Linear(*widths[-2:]))


@torch.no_grad()
def _evaluated(network: nn.Module, x: Tensor, k: Tensor, xv: Tensor, kv: Tensor) -> list[float]:
    network.eval()
    train, valid = network(x), network(xv)
    losses = F.cross_entropy(train, k).item(), F.cross_entropy(valid, kv).item()
    errors = (100 * np.mean((s.argmax(1) != classes).numpy()) for s, classes in ((train, k), (valid, kv)))
    return [*losses, *map(float, errors)]


def _assert_recorded(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    allowed = 0 if KERNELS == "recorded" else DROPPED_KERNELS.atol
    np.testing.assert_allclose(ours.loc[ours["epoch"] > 0, METRICS], theirs[METRICS], rtol=0, atol=allowed)


@pytest.mark.parametrize("engine", ["auto", "autograd"])
def test_the_recorded_runs(engine: str) -> None:
    waves = classification_data("waveform", 400, n_valid=200)
    ours = compare_dropout([0.5, 0], data=waves, hidden=(100, 100), epochs=10, engine=engine, progress=False)
    _assert_recorded(ours.data, recorded("dropout_runs.csv"))


@pytest.mark.parametrize("engine", ["fused", "compiled"])
def test_the_recorded_run_without_dropout_on_the_other_engines(engine: str) -> None:
    waves = classification_data("waveform", 400, n_valid=200)
    ours = compare_dropout([0], data=waves, hidden=(100, 100), epochs=10, engine=engine, progress=False)
    assert ours.made_with["engine"] == engine
    _assert_recorded(ours.data, recorded("dropout_runs.csv").query("not dropout"))


@pytest.mark.parametrize("engine", ["auto", "autograd"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"seed": 7},
        {"hidden": (33,)},
        {"hidden": (5, 19, 8)},
        {"hidden": ()},
        {"batch_size": 7},
        {"batch_size": 500},
        {"lr": 0.01, "weight_decay": 0.3},
        {"lr": 0, "sigma": 3},
        {"data": CIRCLES, "sigma": 0.5, "lr": 0.01, "epochs": 5},
    ],
    ids=str,
)
def test_runs_are_those_of_a_plain_loop(arguments: dict[str, Any], engine: str) -> None:
    ours = _compared([0, 0.3, 0.9], 0.1, engine=engine, **arguments).data
    theirs = [row for p in (0, 0.3, 0.9) for row in _plain_loop(p, 0.1, **arguments)]
    assert ours[METRICS].to_numpy().tolist() == theirs


def test_a_list_of_input_p() -> None:
    ours = _compared(0.4, [0, 0.2, 0.8]).data
    assert ours["config"].unique().tolist() == ["input_p = 0", "input_p = 0.2", "input_p = 0.8"]
    assert ours["input_p"].unique().tolist() == [0, 0.2, 0.8]
    assert ours[METRICS].to_numpy().tolist() == [row for p in (0, 0.2, 0.8) for row in _plain_loop(0.4, p)]


@pytest.mark.parametrize(
    ("seed", "seeds", "expected"), [(4, None, [4]), (4, 3, [4, 5, 6]), (123, [9, 2], [9, 2])], ids=str
)
def test_seeds_repeat_every_run(seed: int, seeds: Any, expected: list[int]) -> None:
    ours = _compared(seed=seed, seeds=seeds)
    assert ours.data["seed"].tolist() == [one for _ in range(2) for one in expected for _ in range(4)]
    assert list(ours.networks) == [f"p = {p}, seed = {one}" for p in (0, 0.5) for one in expected]
    theirs = [row for p in (0, 0.5) for one in expected for row in _plain_loop(p, 0.2, seed=one)]
    assert ours.data[METRICS].to_numpy().tolist() == theirs


def test_two_jobs_give_the_same_bits() -> None:
    alone, together = (_compared(seeds=2, n_jobs=n) for n in (1, 2))
    pd.testing.assert_frame_equal(alone.data, together.data, check_exact=True)


def test_the_frame() -> None:
    data = _compared().data
    assert data.columns.tolist() == ["config", "p", "seed", "epoch", *METRICS]
    assert data["epoch"].tolist() == [0, 1, 2, 3] * 2
    (without, start) = (data[data["config"] == config].iloc[0] for config in ("p = 0", "p = 0.5"))
    assert without[METRICS].equals(start[METRICS])


def test_the_summary_is_of_the_end() -> None:
    comparison = _compared(seeds=3)
    ends = comparison.data.query("epoch == 3").groupby("config")[METRICS].mean()
    summary = comparison.summary().set_index("config")
    assert summary[METRICS].equals(ends)
    assert summary[["seeds", "failed"]].to_numpy().tolist() == [[3, 0], [3, 0]]


def test_runs_that_diverge_are_missing_and_counted() -> None:
    comparison = _compared(lr=1e38)
    assert comparison.data.query("epoch == 3")["valid_loss"].isna().all()
    assert comparison.summary()["failed"].tolist() == [1, 1]


@pytest.mark.parametrize("metric", METRICS)
def test_the_plot_has_the_means_over_seeds(metric: str, draw: Any) -> None:
    comparison = _compared(seeds=2)
    assert {"p = 0", "p = 0.5"} <= {*draw(comparison.plot(metric)).words}
    means = comparison.data.groupby(["config", "epoch"])[metric].mean()
    assert comparison.plot(metric).data["mean"].tolist() == means.tolist()


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    comparison = _compared()
    comparison.save(tmp_path, formats=())
    again = DropoutComparison.load(tmp_path)
    assert isinstance(again, DropoutComparison)
    pd.testing.assert_frame_equal(again.data, comparison.data, check_exact=True)
    assert repr(again) == repr(comparison)
    told = json.loads((tmp_path / "settings.json").read_text())["dropout_comparison"]["arguments"]
    assert told == comparison.arguments
    assert told["hidden"] == [12, 7]


def test_networks_are_kept_in_evaluation_mode_and_serve_mc_dropout() -> None:
    comparison = _compared()
    network = comparison.networks["p = 0.5, seed = 123"]
    assert not any(module.training for module in network.modules())
    rows, classes = WAVES.valid.tensors
    plain = mc_dropout(network, rows, classes, passes=[2]).data.iloc[0]
    assert plain["error"] == comparison.data["valid_error"].iloc[-1]


def test_the_digits_are_the_default() -> None:
    made = compare_dropout(hidden=(3,), epochs=1, progress=False).made_with
    assert made["data"].startswith("Split(1000 train + 797 valid rows")


def _with_targets(targets: Tensor) -> Split:
    part = TensorDataset(WAVES.train.tensors[0], targets)
    return Split(part, part)


K = WAVES.train.tensors[1]


@pytest.mark.parametrize("targets", [K.int(), K.double(), K[:, None], K > 0], ids=["int", "double", "column", "bool"])
def test_classes_of_any_kind(targets: Tensor) -> None:
    ours, theirs = (_compared(data=_with_targets(given)).data for given in (targets, targets.reshape(-1).long()))
    assert ours.equals(theirs)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"p": 0.5}, ValueError, "Exactly one of `p`, `input_p` must be a list; got none"),
        ({"input_p": [0, 0.1]}, ValueError, "Exactly one of .* got `p` and `input_p`"),
        ({"p": 0, "input_p": [0, 0.1]}, ValueError, "`p` must be above 0 where `input_p` is a list"),
        ({"p": []}, ValueError, "`p` must be a one-dimensional list with at least one value"),
        ({"p": [0, 1]}, ValueError, "`p` must be less than 1; got 1"),
        ({"p": [0, -0.1]}, ValueError, "`p` must be at least 0; got -0.1"),
        ({"p": [0, float("nan")]}, ValueError, "`p` must be finite; got nan"),
        ({"p": [0, "a"]}, TypeError, "`p` must be a number; got 'a'"),
        ({"p": [0.5, 0.5]}, ValueError, "`p` must hold distinct values"),
        ({"p": 0.5, "input_p": [0, 1.5]}, ValueError, "`input_p` must be less than 1; got 1.5"),
        ({"hidden": 5}, TypeError, "`hidden` must be a list of widths; got 5"),
        ({"hidden": (5, 0)}, ValueError, "`hidden` must be at least 1; got 0"),
        ({"hidden": (2.5,)}, ValueError, "`hidden` must be a whole number; got 2.5"),
        ({"hidden": "ab"}, TypeError, "`hidden` must be a whole number; got 'a'"),
        ({"sigma": -1}, ValueError, "`sigma` must be at least 0; got -1"),
        ({"epochs": 0}, ValueError, "`epochs` must be at least 1; got 0"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1; got 0"),
        ({"lr": -1}, ValueError, "`lr` must be at least 0; got -1"),
        ({"weight_decay": -1}, ValueError, "`weight_decay` must be at least 0; got -1"),
        ({"seeds": 0}, ValueError, "`seeds` must be at least 1; got 0"),
        ({"n_jobs": 0}, ValueError, "`n_jobs` must be 1 or more"),
        ({"engine": "fused"}, ValueError, "`engine` must be 'auto' or 'autograd' here; got 'fused', .* Dropout"),
        ({"progress": 3}, TypeError, "`progress` must be True or False; got 3"),
        ({"data": K}, TypeError, "`data` must be a Split; got Tensor"),
        ({"data": _with_targets(K - 1)}, ValueError, "`data` must have classes 0, 1, .*; got -1"),
        ({"data": _with_targets(K + 500)}, ValueError, "`data` must have classes 0, 1, .*; got 50"),
        ({"data": _with_targets(K / 2)}, ValueError, "`data` must have classes 0, 1, .*; got 0.5"),
        (
            {"data": Split(*[TensorDataset(torch.zeros(9, 2, 2), torch.arange(9))] * 2)},
            ValueError,
            r"`data` must have inputs of shape \(rows, columns\); got \(9, 2, 2\). Flatten each row.",
        ),
    ],
)
def test_bad_arguments(
    arguments: dict[str, Any], error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if arguments.get("engine") is None:
        monkeypatch.setattr("pycompare.labs.dropout.train_all", lambda *_, **__: pytest.fail("trained first"))
    with pytest.raises(error, match=message):
        _compared(**arguments)
