"""What compare_configs returns: saved, read back, with its networks, and with advice where all diverged."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from pycompare import Comparison, Split, compare_configs, course_data
from pycompare.sweeps.advice import input_size
from pycompare.training.losses import find_loss

SMALL = Split.from_arrays(torch.linspace(-1, 1, 30)[:, None], torch.linspace(-1, 1, 30) ** 2)
compare = partial(compare_configs, epochs=2, data=SMALL)


def _own_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets).abs().mean()


SWEEPS: dict[str, dict[str, Any]] = {
    "rates": {"lr": [0.1, 1 / 3, 0.1 + 0.2]},
    "whole numbers": {"batch_size": [3, 16]},
    "floats that are whole": {"weight_decay": [0, 1.0]},
    "diverged": {"lr": [1e30, 0.1]},
    "all diverged": {"lr": [1e30, 1e31]},
    "no rmse": {"beta1": [0.5, 0.9], "loss": "l1", "dtype": "float64", "engine": "autograd"},
}


@pytest.mark.parametrize("name", SWEEPS)
def test_what_is_saved_is_read_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    saved = compare(**SWEEPS[name])
    saved.save(tmp_path / "one", ())
    loaded = Comparison.load(tmp_path / "one")
    pd.testing.assert_frame_equal(loaded.data, saved.data, check_exact=True)
    pd.testing.assert_frame_equal(loaded.summary(), saved.summary(), check_exact=True)
    assert (loaded.parameter, loaded.values, loaded.arguments) == (saved.parameter, saved.values, saved.arguments)
    assert [*map(type, loaded.values)] == [*map(type, saved.values)]
    assert {key: type(value) for key, value in loaded.arguments.items()} == {
        key: type(value) for key, value in saved.arguments.items()
    }
    assert loaded.input_size == saved.input_size
    assert repr(loaded) == repr(saved)
    loaded.save(tmp_path / "two", ())
    for file in ("comparison.csv", "settings.json"):
        assert (tmp_path / "two" / file).read_bytes() == (tmp_path / "one" / file).read_bytes()


def test_functions_come_back_as_their_names(tmp_path: Path) -> None:
    compare(lr=[0.1, 0.2], loss=_own_loss).save(tmp_path, ())
    loaded = Comparison.load(tmp_path)
    assert loaded.arguments["loss"].endswith("._own_loss")
    loaded.plot().draw()


def test_the_settings_say_what_made_it(tmp_path: Path) -> None:
    compare(lr=[0.1, 0.2]).save(tmp_path, ())
    told = json.loads((tmp_path / "settings.json").read_text())["comparison"]
    made = told["made_with"]
    assert (made["engine"], made["threads"], made["data"]) == ("fused", 1, repr(SMALL))
    assert made["network"] == "MLP(1, hidden=(50, 50), out_features=1)"
    assert made["kernels"] in ("recorded", "other")
    assert told["arguments"]["epochs"] == 2


def _edit(**changes: Any) -> Any:
    def edit(folder: Path) -> None:
        file = folder / "settings.json"
        settings = json.loads(file.read_text())
        settings["comparison"].update(changes)
        file.write_text(json.dumps(settings))

    return edit


BROKEN: dict[str, tuple[Any, type[Exception], str]] = {
    "no data": (lambda folder: (folder / "comparison.csv").unlink(), FileNotFoundError, "hold comparison.csv"),
    "no settings": (lambda folder: (folder / "settings.json").unlink(), FileNotFoundError, "hold settings.json"),
    "foreign settings": (
        lambda folder: (folder / "settings.json").write_text("{}"),
        ValueError,
        "has no settings of a comparison",
    ),
    "no JSON": (
        lambda folder: (folder / "settings.json").write_text("#"),
        ValueError,
        "has no settings of a comparison",
    ),
    "foreign data": (
        lambda folder: (folder / "comparison.csv").write_text("a,b\n1,2\n"),
        ValueError,
        "lacks columns or settings",
    ),
    "empty data": (lambda folder: (folder / "comparison.csv").write_text(""), ValueError, "cannot be read"),
    "binary data": (lambda folder: (folder / "comparison.csv").write_bytes(b"\xff\xfe\x00"), ValueError, "cannot"),
    "newer": (_edit(layout=2, versions={"pycompare": "9.9"}), ValueError, "this version of pycompare .* by 9.9"),
    "other layout": (_edit(layout="two"), ValueError, "has no settings of a comparison"),
    "other parameter": (_edit(parameter="momentum"), ValueError, "lacks columns or settings"),
    "values of a kind": (_edit(values=3), ValueError, "lacks columns or settings"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_save_did_not_write_is_one_clear_error(name: str, tmp_path: Path) -> None:
    compare(lr=[0.1, 0.2]).save(tmp_path, ())
    spoil, error, message = BROKEN[name]
    spoil(tmp_path)
    with pytest.raises(error, match=f"^`folder` must .*{message}"):
        Comparison.load(tmp_path)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("engine", ["autograd", "fused"])
def test_the_trained_networks_are_kept_where_asked(n_jobs: int, engine: str) -> None:
    comparison = compare(lr=[0.1, 0.01, 0.2], n_jobs=n_jobs, engine=engine, keep_networks=True)
    assert [*comparison.networks] == ["lr = 0.1", "lr = 0.01", "lr = 0.2"]
    x, y = (part.float() for part in SMALL.valid.tensors)
    for config, network in comparison.networks.items():
        last = comparison.data[comparison.data["config"] == config].iloc[-1]
        assert not network.training
        with torch.no_grad():
            assert find_loss("mse").function(network(x), y).sqrt().item() == pytest.approx(last["valid_rmse"], rel=1e-6)


def test_networks_are_not_kept_unasked() -> None:
    assert compare(lr=[0.1, 0.2]).networks == {}


def test_kept_networks_have_parameters_of_their_own() -> None:
    first, second = compare(lr=[0.1, 0.2], keep_networks=True).networks.values()
    assert isinstance(first, nn.Module)
    assert not {id(p) for p in first.parameters()} & {id(p) for p in second.parameters()}


@pytest.mark.parametrize(
    ("parameter", "values", "size", "advice"),
    [
        ("lr", (1.0, 0.1), 1.0, "Try a smaller lr, such as 0.01."),
        ("batch_size", (4, 8), 1.0, "Try a smaller lr, such as 0.03."),
        ("weight_decay", (4.0, 8.0), 1.0, "Try a smaller lr, such as 0.03, or a smaller weight_decay."),
        ("lr", (0.0, 1.0), 1.0, ""),
    ],
)
def test_which_way_to_go(parameter: str, values: tuple[float, ...], size: float, advice: str) -> None:
    assert Comparison(pd.DataFrame(), parameter, values, {"lr": 0.3}, input_size=size)._advice() == advice


def test_sgd_on_the_course_data_tells_that_the_inputs_are_unscaled() -> None:
    comparison = compare_configs(1, lr=[0.1, 0.01], optimizer="sgd")
    told = "The inputs are unscaled: the root mean square of one column is 1100, where 1 is usual."
    for text in (repr(comparison), comparison.plot().data["text"].iloc[0].replace("\n", " ")):
        assert "Every run diverged" in text
        assert told in text
        assert "Split.standardized()" in text
    assert "diverged." not in repr(compare(lr=[1e30, 0.1])), "one run went well"


@pytest.mark.parametrize(
    ("inputs", "size"),
    [([[3.0, 0.0], [4.0, 1.0]], 12.5**0.5), ([[1.0], [-1.0]], 1.0), ([1.0, -1.0], 1.0), ([[[2.0]], [[-2.0]]], 2.0)],
)
def test_the_size_of_inputs(inputs: list[Any], size: float) -> None:
    assert input_size(torch.tensor(inputs)) == size


def test_the_size_of_the_course_s_inputs() -> None:
    assert input_size(course_data().train.tensors[0]) > 1000
