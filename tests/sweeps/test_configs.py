from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pycompare import (
    MLP,
    Comparison,
    ConstantRate,
    Split,
    compare_configs,
    course_data,
    digits_data,
    spirals_data,
    torch_manual_seed,
    train_valid,
)
from pycompare.labels import cell

X = np.linspace(-1, 1, 60).reshape(30, 2)
SMALL = Split.from_arrays(X, X.sum(axis=1))


def _compare(**arguments: Any) -> Comparison:
    return compare_configs(**({"epochs": 2, "data": SMALL} | arguments))


def test_the_frame_is_tidy_and_in_the_order_of_the_list() -> None:
    comparison = _compare(lr=[0.1, 1e-4, 1])
    frame = comparison.data
    assert frame.columns.tolist() == ["config", "lr", "epoch", "train_loss", "valid_loss", "valid_rmse"]
    assert frame["config"].tolist() == ["lr = 0.1"] * 2 + ["lr = 1e-04"] * 2 + ["lr = 1"] * 2
    assert frame["lr"].tolist() == [0.1, 0.1, 1e-4, 1e-4, 1, 1]
    assert frame["epoch"].tolist() == [1, 2] * 3
    assert (comparison.parameter, comparison.values) == ("lr", (0.1, 1e-4, 1.0))


def test_the_other_arguments_are_kept() -> None:
    arguments = _compare(beta1=[0.5, 0.9], lr=0.2, seed=7).arguments
    assert arguments == {
        "epochs": 2,
        "seed": 7,
        "optimizer": "adamw",
        "loss": "mse",
        "dtype": "float32",
        "device": "cpu",
        "batch_size": 16,
        "lr": 0.2,
        "weight_decay": 0.01,
        "beta2": 0.999,
    }


@pytest.mark.parametrize(
    ("parameter", "value", "arguments"),
    [
        ("lr", 0.05, {"lr": 0.05}),
        ("weight_decay", 0.3, {"weight_decay": 0.3}),
        ("beta1", 0.5, {"betas": (0.5, 0.999)}),
        ("beta2", 0.9, {"betas": (0.9, 0.9)}),
        ("batch_size", 5, {}),
    ],
)
def test_each_parameter_reaches_the_optimiser(parameter: str, value: float, arguments: dict[str, Any]) -> None:
    ours = _compare(**{parameter: [value]}).data.drop(columns=["config", parameter])
    with torch_manual_seed(123):
        settings = {"lr": 0.01} | arguments
        batch_size = int(value) if parameter == "batch_size" else 16
        expected = train_valid(MLP(2), SMALL.train, SMALL.valid, 2, batch_size, **settings)
    pd.testing.assert_frame_equal(ours, expected, check_exact=True)


@pytest.mark.parametrize(
    "values",
    [
        [0.1, 0.2],
        (0.1, 0.2),
        np.array([0.1, 0.2]),
        pd.Series([0.1, 0.2], index=[5, 6]),
        torch.tensor([0.1, 0.2], dtype=torch.float64),
    ],
)
def test_a_list_may_be_any_sequence(values: Any) -> None:
    assert _compare(lr=values).values == (0.1, 0.2)


def test_a_range_of_batch_sizes_stays_whole() -> None:
    comparison = _compare(batch_size=range(4, 13, 4))
    assert comparison.values == (4, 8, 12)
    assert comparison.data["batch_size"].dtype == np.int64


def test_every_run_is_one_random_scope_that_covers_network_and_training() -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 1))

    ours = _compare(lr=[0.1, 0.2], network=network, seed=5).data
    for lr, run in ours.groupby("lr"):
        with torch_manual_seed(5):
            expected = train_valid(network(), SMALL.train, SMALL.valid, 2, 16, lr=lr)
        assert np.array_equal(run["valid_loss"], expected["valid_loss"])


def test_float64_starts_from_the_float32_weights() -> None:
    made: list[nn.Module] = []

    def network() -> nn.Module:
        made.append(MLP(2))
        return made[-1]

    _compare(lr=[0.0], weight_decay=0.0, network=network, dtype="float64")
    with torch_manual_seed(123):
        expected = MLP(2)
    for ours, theirs in zip(made[-1].parameters(), expected.parameters(), strict=True):
        assert ours.dtype == torch.float64
        assert torch.equal(ours, theirs.double())


@pytest.mark.parametrize(
    ("arguments", "width"),
    [
        ({"data": spirals_data()}, (2, 1)),
        ({"data": spirals_data(), "loss": "cross_entropy"}, (2, 2)),
        ({"data": digits_data(n=20, n_valid=2), "loss": "cross_entropy"}, (64, 10)),
        ({}, (4, 1)),
    ],
)
def test_the_default_network_has_the_data_s_width(
    arguments: dict[str, Any], width: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(MLP, "__init__", _spy(MLP.__init__, seen))
    compare_configs(epochs=1, lr=[0.01], **arguments)
    assert set(seen) == {width}


def _spy(init: Callable[..., None], seen: list[tuple[int, int]]) -> Callable[..., None]:
    def spied(self: MLP, in_features: int, *, out_features: int, **others: Any) -> None:
        seen.append((in_features, out_features))
        init(self, in_features, out_features=out_features, **others)

    return spied


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adagrad", torch.optim.AdamW])
def test_other_optimizers_take_what_they_know(optimizer: Any) -> None:
    assert np.isfinite(_compare(lr=[0.01], optimizer=optimizer).data["valid_loss"]).all()


def test_a_run_that_diverges_breaks_nothing() -> None:
    comparison = compare_configs(epochs=3, lr=[1e30, 0.1], data=SMALL)
    diverged = comparison.data[comparison.data["lr"] == 1e30]
    assert diverged[["train_loss", "valid_loss", "valid_rmse"]].iloc[1:].isna().all(axis=None)
    assert not np.isinf(comparison.data.select_dtypes("number")).any(axis=None)
    summary = comparison.summary()
    assert summary["config"].tolist() == ["lr = 1e+30", "lr = 0.1"]
    assert summary["diverged_at"].tolist() == [1, pd.NA]
    assert summary["best_epoch"].isna().tolist() == [True, False]
    comparison.plot().draw()


def test_the_summary_of_the_readme_s_sweep() -> None:
    comparison = compare_configs(epochs=3, lr=[0.1, 0.01])
    summary = comparison.summary()
    for _, row in summary.iterrows():
        run = comparison.data.query("config == @row.config")
        assert row["last_valid_loss"] == run["valid_loss"].iloc[-1]
        assert row["best_valid_loss"] == run["valid_loss"].min()
        assert row["best_epoch"] == run["epoch"].iloc[run["valid_loss"].argmin()]


def test_the_repr_is_readable() -> None:
    text = repr(_compare(lr=[0.1, 0.2]))
    assert text.startswith("Comparison of lr over [0.1, 0.2]\nepochs=2, seed=123, ")
    assert "lr = 0.2" in text


def test_a_comparison_is_frozen() -> None:
    comparison = _compare(lr=[0.1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        comparison.parameter = "beta1"


def test_notebooks_show_the_plot() -> None:
    assert _compare(lr=[0.1, 0.2])._repr_mimebundle_()[0]["image/png"].startswith(b"\x89PNG")


def test_saving_keeps_every_bit(tmp_path: Path) -> None:
    comparison = _compare(lr=[0.1, 0.2])
    paths = comparison.save(tmp_path / "new" / "out")
    assert [path.name for path in paths] == ["comparison.csv", "comparison.png", "settings.json"]
    assert sorted((tmp_path / "new" / "out").iterdir()) == paths
    pd.testing.assert_frame_equal(pd.read_csv(paths[0]), comparison.data, check_exact=True)


@pytest.mark.parametrize("shown", [True, False])
def test_progress_is_a_line_a_run_when_not_on_a_terminal(shown: bool, capfd: pytest.CaptureFixture[str]) -> None:
    _compare(lr=[0.1, 0.2], progress=shown)
    out, err = capfd.readouterr()
    assert (out, len(err.splitlines())) == ("", 2 if shown else 0)


def _no_run(*_: Any, **__: Any) -> None:
    raise AssertionError("training started before the arguments were checked")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "One or two of `batch_size`, .* must be a list; got none. Give one"),
        (
            {"lr": [0.1], "beta1": [0.9], "loss": ["mse"]},
            ValueError,
            "One or two of .* must be a list; got `lr`, `beta1` and `loss`",
        ),
        ({"momentum": [0.9], "optimizer": ["sgd", "adam"]}, ValueError, "`momentum` must keep its default .* 'adam'"),
        ({"lr": [0.1], "momentum": 0.9}, ValueError, "`momentum` must keep its default with optimizer 'adamw'"),
        ({"lr": [0.1], "optimizer": ["sgd", "rmspro"]}, ValueError, "got 'rmspro'. Did you mean 'rmsprop'?"),
        ({"loss": ["mse", "huberr"]}, ValueError, "got 'huberr'. Did you mean 'huber'?"),
        ({"optimizer": []}, ValueError, "`optimizer` must be a one-dimensional list with at least one value"),
        ({"network": {}}, ValueError, "`network` must be a one-dimensional list with at least one value"),
        (
            {"network": [MLP, lambda: MLP(4), lambda: MLP(5)]},
            ValueError,
            "hold distinct .* or name them",
        ),
        ({"network": {"a": MLP(4)}}, TypeError, "`network` must be a callable that makes a fresh"),
        ({"nesterov": [False, True], "optimizer": "sgd"}, ValueError, "`nesterov` must be False without momentum"),
        ({"momentum": [-0.5], "optimizer": "sgd"}, ValueError, "`momentum` must be at least 0; got -0.5"),
        ({"nesterov": [1], "optimizer": "sgd"}, TypeError, "`nesterov` must be True or False; got 1"),
        ({"lr": [0.1], "schedule": [ConstantRate(1)]}, ValueError, "`lr` must be one value under a schedule that sets"),
        ({"lr": []}, ValueError, r"`lr` must be a one-dimensional list with at least one value; got \[\]"),
        ({"lr": np.ones((1, 2))}, ValueError, "`lr` must be a one-dimensional list"),
        ({"lr": ["0.1", "0.2"]}, TypeError, "`lr` must be a number; got '0.1'"),
        ({"lr": [True, False]}, TypeError, "`lr` must be a number; got True"),
        ({"lr": {0.1, 0.2}, "beta1": [0.5]}, TypeError, "`lr` must be a number; got {0"),
        ({"lr": [0.1, 0.2, 0.1]}, ValueError, "`lr` must hold distinct values; got `lr = 0.1` more than once"),
        ({"lr": "0.1,0.2"}, TypeError, "`lr` must be a number; got '0.1,0.2'"),
        ({"lr": [[0.1], [0.1, 0.2]]}, TypeError, r"`lr` must be a number; got \[0.1\]"),
        ({"lr": [-0.0, 0.0]}, ValueError, "`lr` must hold distinct values; got `lr = 0`"),
        ({"epochs": [1, 2]}, TypeError, r"`epochs` must be a whole number; got \[1, 2\]"),
        ({"lr": [0.1], "device": "meta"}, ValueError, "`device` must be usable here; got 'meta'"),
        ({"lr": [0.1], "device": 3.5}, ValueError, "`device` must be usable here; got 3.5"),
        ({"lr": [0.1], "dtype": np.ones(2)}, ValueError, "`dtype` must be one of float32, float64"),
        ({"lr": [0.1], "epochs": [1, 2]}, TypeError, r"`epochs` must be a whole number; got \[1, 2\]"),
        ({"lr": [0.1], "epochs": 0}, ValueError, "`epochs` must be at least 1; got 0"),
        ({"lr": [0.1, -0.1]}, ValueError, "`lr` must be at least 0; got -0.1"),
        ({"lr": [0.1, math.nan]}, ValueError, "`lr` must be finite; got nan"),
        ({"lr": [0.1], "beta1": 1}, ValueError, "`beta1` must be less than 1; got 1"),
        ({"lr": [0.1], "beta2": -0.1}, ValueError, "`beta2` must be at least 0; got -0.1"),
        ({"lr": [0.1], "weight_decay": -1}, ValueError, "`weight_decay` must be at least 0; got -1"),
        ({"batch_size": [16, 0]}, ValueError, "`batch_size` must be at least 1; got 0"),
        ({"batch_size": [2.5]}, ValueError, "`batch_size` must be a whole number; got 2.5"),
        ({"lr": [0.1], "seed": 1.5}, ValueError, "`seed` must be a whole number; got 1.5"),
        ({"lr": [0.1], "optimizer": "lion"}, ValueError, "`optimizer` must be one of"),
        ({"beta1": [0.5], "optimizer": "sgd"}, ValueError, "`beta1` must keep its default with optimizer 'sgd'"),
        ({"lr": [0.1], "beta2": 0.9, "optimizer": "sgd"}, ValueError, "`beta2` must keep its default with"),
        ({"lr": [0.1], "loss": "mae"}, ValueError, "`loss` must be one of"),
        ({"lr": [0.1], "dtype": "float16"}, ValueError, "`dtype` must be one of float32, float64; got 'float16'"),
        ({"lr": [0.1], "device": "gpu"}, ValueError, "`device` must be usable here; got 'gpu'"),
        ({"lr": [0.1], "data": (X, X)}, TypeError, r"`data` must be a Split; got tuple. Use Split.from_arrays"),
        ({"lr": [0.1], "network": nn.Identity()}, TypeError, "`network` must be a callable that makes a fresh"),
        ({"lr": [0.1], "network": "MLP"}, TypeError, "`network` must be a callable"),
    ],
)
def test_bad_input_is_one_clear_error_before_any_training(
    arguments: dict[str, Any], error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycompare.sweeps.runs.begin_training", _no_run)
    with pytest.raises(error, match=message):
        compare_configs(**arguments)


def test_a_network_is_needed_for_rows_that_are_no_vectors() -> None:
    split = Split.from_arrays(np.ones((10, 2, 2)), np.ones(10))
    with pytest.raises(ValueError, match=r"`network` must be given for rows of shape \(2, 2\)"):
        compare_configs(lr=[0.1], data=split)
    network = lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 1))  # noqa: E731
    assert len(compare_configs(epochs=1, lr=[0.1], data=split, network=network).data) == 1


def test_a_network_that_is_not_fresh_is_refused() -> None:
    with torch_manual_seed(1):
        same = MLP(2)
    with pytest.raises(
        ValueError, match=r"`network` must make a fresh network each time; .* returns the same parameters"
    ):
        _compare(lr=[0.1, 0.2], network=lambda: same)
    with pytest.raises(TypeError, match=r"`network` must make a torch.nn.Module; got None"):
        _compare(lr=[0.1, 0.2], network=lambda: None)


def test_an_infinite_loss_is_a_divergence() -> None:
    frame = _compare(lr=[0.1], loss=lambda outputs, _: outputs.sum() * 0 + math.inf).data
    assert frame[["train_loss", "valid_loss"]].isna().all(axis=None)


def test_a_network_that_would_broadcast_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"`network` must return outputs of the targets' shape \(16, 1\); got \(16, 3\)"
    ):
        compare_configs(lr=[0.1], data=course_data(), network=lambda: MLP(4, out_features=3))


def test_an_interrupted_comparison_leaves_no_random_state_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pycompare.sweeps.runs.begin_training", interrupt)
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt) as caught:
        _compare(lr=[0.1])
    assert torch.equal(torch.get_rng_state(), before), caught


_LOSSES = ["mse", "l1"]


@pytest.mark.parametrize(
    ("lists", "fixed"),
    [
        ({"lr": [0.1, 0.01], "optimizer": ["adamw", "sgd"]}, {}),
        ({"momentum": [0.0, 0.9], "nesterov": [False]}, {"optimizer": "sgd"}),
        ({"dampening": [0.0, 0.5], "loss": _LOSSES}, {"optimizer": "sgd", "momentum": 0.5}),
        ({"batch_size": [4, 30], "schedule": [ConstantRate(0.1), ConstantRate(0.2)]}, {}),
        ({"network": ["small", "large"], "loss": _LOSSES}, {}),
        ({"momentum": [0.0, 0.9]}, {"optimizer": "rmsprop"}),
        ({"loss": _LOSSES}, {}),
    ],
)
def test_every_run_of_one_or_two_lists_is_the_training_with_its_values(
    lists: dict[str, list[Any]], fixed: dict[str, Any]
) -> None:
    makers: dict[str, Callable[[], nn.Module]] = {"small": lambda: MLP(2, (3,)), "large": lambda: MLP(2, (9, 9))}
    given: dict[str, Any] = lists | ({"network": makers} if "network" in lists else {})
    comparison = _compare(**given, **fixed)
    told = (comparison.parameter, comparison.values, comparison.rows, comparison.row_values)
    (first, values), *second = lists.items()
    expected = (first, values), *second, (None, ())
    assert told == tuple(part for name, some in expected[:2] for part in (name, tuple(map(cell, some))))
    runs = comparison.data.groupby([*lists], sort=False)
    for choice, (_, run) in zip(itertools.product(*lists.values()), runs, strict=True):
        settings = {"batch_size": 16, "lr": 0.01, "weight_decay": 0.01} | fixed | dict(zip(lists, choice, strict=True))
        make = makers[settings.pop("network")] if "network" in settings else lambda: MLP(2)
        with torch_manual_seed(123):
            theirs = train_valid(make(), SMALL.train, SMALL.valid, 2, **settings)
        assert np.array_equal(run[["train_loss", "valid_loss"]], theirs[["train_loss", "valid_loss"]])


def test_two_lists_name_runs_by_both_and_curves_by_the_first(tmp_path: Path) -> None:
    comparison = _compare(lr=[0.1, 0.01], momentum=[0, 0.9], optimizer="sgd", keep_networks=True)
    assert comparison.data.columns[:4].tolist() == ["config", "lr", "momentum", "epoch"]
    assert [*comparison.networks][:2] == ["lr = 0.1, momentum = 0", "lr = 0.1, momentum = 0.9"]
    assert comparison.summary()[["config", "momentum"]].to_numpy().tolist()[:2] == [["lr = 0.1", 0], ["lr = 0.1", 0.9]]
    comparison.save(tmp_path, ())
    again = Comparison.load(tmp_path)
    assert (again.rows, again.row_values) == ("momentum", (0.0, 0.9))
    pd.testing.assert_frame_equal(again.data, comparison.data, check_exact=True)


def test_values_of_a_dictionary_have_its_names() -> None:
    schedules = {"flat": ConstantRate(0.1), "none": None}
    named = _compare(schedule=schedules, weight_decay={"low": 0.01})
    assert (named.parameter, named.values) == ("weight_decay", ("low",))
    assert (named.rows, named.row_values) == ("schedule", ("flat", "none"))
    by_value = _compare(schedule=[*schedules.values()], weight_decay=[0.01])
    assert named.data["valid_loss"].tolist() == by_value.data["valid_loss"].tolist()


def test_folders_of_older_versions_have_one_list(tmp_path: Path) -> None:
    _compare(lr=[0.1]).save(tmp_path, ())
    settings = json.loads((tmp_path / "settings.json").read_text())
    del settings["comparison"]["rows"], settings["comparison"]["row_values"]
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert Comparison.load(tmp_path).rows is None


def test_rates_with_names_are_drawn_and_printed() -> None:
    comparison = _compare(lr={"low": 0.01, "huge": 1e30})
    assert "lr = low" in repr(comparison)
    assert comparison.plot() is not None
    assert comparison.plot_final() is not None
