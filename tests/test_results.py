"""What all results can: tell, summarise, draw and save themselves."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from inspect import isabstract
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image
from plotnine import ggplot
from torch import nn

import pycompare
from pycompare import (
    Comparison,
    Discipline,
    GradientRecord,
    GradientRecorder,
    activation_statistics,
    compare_batch_sizes,
    compare_configs,
    compare_dropout,
    compare_gradients,
    compare_inits,
    decision_boundary,
    discipline,
    lr_range_test,
    mc_dropout,
    momentum_test,
    optimize_rosenbrock,
    torch_manual_seed,
    tune,
    weight_decay_search,
)
from pycompare.labs.landscape import compare_descents, compare_paths, descend, plane
from pycompare.parity import compare_trajectories
from pycompare.results import PathsResult, Result
from pycompare.training.network import MLP

PATH = pd.DataFrame({"step": [1, 2], "x": [0.5, 0.25]})


def _network() -> MLP:
    with torch_manual_seed(1):
        return MLP(2)


def _gradient_record() -> GradientRecord:
    network = _network()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    with GradientRecorder(network, optimizer) as recorder:
        for _ in range(2):
            network(torch.ones(1, 2)).sum().backward()
            optimizer.step()
    return recorder.result()


RESULTS: dict[str, Callable[[], Result]] = {
    "comparison": lambda: compare_configs(2, lr=[0.1, 0.2]),
    "batch_sizes": lambda: compare_batch_sizes([16, 64], "steps", 3, progress=False),
    "trajectory": lambda: optimize_rosenbrock(3, 0.1, 0.9),
    "descents": lambda: compare_descents(momentum=[0, 0.9], epochs=3),
    "plane": lambda: plane(_network(), ([[0.0, 1.0], [1.0, 1.0]], [[1.0], [2.0]]), n=3),
    "paths": lambda: compare_paths(epochs=2, lr=[0.1, 0.2], n=3),
    "init_comparison": lambda: compare_inits(sigma=[0.1, 0.5], steps=2, progress=False),
    "dropout_comparison": lambda: compare_dropout(hidden=(3,), epochs=1, progress=False),
    "activation_statistics": lambda: activation_statistics(width=[3, 4], depth=2, init="kaiming_normal"),
    "gradients": _gradient_record,
    "gradient_comparison": lambda: compare_gradients(optimizer=["sgd", "adam"], epochs=20),
    "boundary": lambda: decision_boundary({0: _network(), 1: _network()}, ([[0.0, 1.0], [1.0, 1.0]], [0, 1]), grid=3),
    "lr_range_test": lambda: lr_range_test(steps=10),
    "discipline": lambda: discipline(epochs=4, seeds=2, momentum=0.9, weight_decay=0.01, batch_size=64),
    "momentum_test": lambda: momentum_test([0.95, 0.9], epochs=1, seeds=2),
    "weight_decay_search": lambda: weight_decay_search(epochs=1, seeds=2),
    "tuning": lambda: tune({"lr": [0.1, 0.2]}, epochs=2, progress=False),
    "mc_dropout": lambda: mc_dropout(nn.Sequential(nn.Dropout(), _network()), [[0.0, 1.0]], [1], passes=[1, 4]),
    "parity": lambda: compare_trajectories(PATH, PATH.assign(x=[0.5, 0.75]), on="step"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result(name: str, tmp_path: Path) -> None:
    result = RESULTS[name]()
    assert result.summary().to_string(index=False) in repr(result)
    assert isinstance(result.plot(), ggplot)
    csv, png, settings, *parts = result.save(tmp_path / "new")
    assert (csv.name, png.name, settings.name) == (f"{name}.csv", f"{name}.png", "settings.json")
    assert bool(parts) == isinstance(result, Discipline)
    read = pd.read_csv(csv)
    pd.testing.assert_frame_equal(
        read, pd.read_csv(io.StringIO(result.data.to_csv(index=False))), check_exact=True, check_dtype=True
    )
    assert png.read_bytes().startswith(b"\x89PNG")
    told = json.loads(settings.read_text())[name]
    assert {*told["versions"]} == {"python", "pycompare", "torch", "numpy", "pandas"}
    assert told["arguments"]


@pytest.mark.parametrize("formats", [(), ("png",), ["pdf", "svg"], ("svg", "png", "svg")])
def test_pictures_of_every_kind(formats: list[str], tmp_path: Path) -> None:
    _, *pictures, _ = RESULTS["trajectory"]().save(tmp_path, formats)
    assert [path.suffix for path in pictures] == [f".{kind}" for kind in dict.fromkeys(formats)]
    starts = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}
    assert all(path.read_bytes().startswith(starts[path.suffix]) for path in pictures)


@pytest.mark.parametrize(
    ("formats", "error", "message"),
    [
        (("gif",), ValueError, "`formats` must be one of png, pdf, svg; got 'gif'"),
        ("png", TypeError, "`formats` must be a list of formats; got 'png'"),
        (None, TypeError, "`formats` must be a list of formats; got None"),
    ],
)
def test_other_formats_are_refused(formats: Any, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        RESULTS["trajectory"]().save(tmp_path, formats)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", RESULTS)
def test_the_data_is_there_before_anything_is_drawn(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = RESULTS[name]()

    def fails(self: Result, kind: str) -> bytes:
        raise RuntimeError("no picture")

    monkeypatch.setattr(Result, "_drawn", fails)
    with pytest.raises(RuntimeError, match="no picture"):
        result.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"{name}.csv", "settings.json"])


def test_results_share_the_settings_of_a_folder(tmp_path: Path) -> None:
    for name in ("trajectory", "parity"):
        RESULTS[name]().save(tmp_path, ())
    assert {*json.loads((tmp_path / "settings.json").read_text())} == {"trajectory", "parity"}


@pytest.mark.parametrize("content", ["", "no JSON", "[1]", '{"name": "another program\'s"}'])
def test_a_settings_file_of_another_program_is_no_obstacle(content: str, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(content)
    RESULTS["trajectory"]().save(tmp_path, ())
    assert "trajectory" in json.loads((tmp_path / "settings.json").read_text())


def _own_function(x: Any, y: Any) -> Any:
    return x**2 + y**2


def test_what_json_cannot_hold_is_text(tmp_path: Path) -> None:
    result = optimize_rosenbrock(2, 0.1, 0.5, function=_own_function)
    arguments = json.loads(result.save(tmp_path, ())[-1].read_text())["trajectory"]["arguments"]
    assert arguments["function"].endswith("._own_function")
    assert arguments["lr"] == 0.1


# A shell inside a notebook inherits the notebook's backend, which its environment may lack.
@pytest.mark.parametrize("backend", ["module://matplotlib_inline_is_not_here", "no_backend", "agg"])
def test_pictures_do_not_depend_on_the_backend(backend: str, tmp_path: Path) -> None:
    code = (
        "import os; from pycompare import optimize_rosenbrock as o;"
        f" o(3, 0.1, 0.9).save({str(tmp_path)!r}); print(os.environ['MPLBACKEND'])"
    )
    environment = os.environ | {"MPLBACKEND": backend}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == backend
    assert (tmp_path / "trajectory.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", RESULTS)
def test_a_notebook_shows_the_picture_at_the_size_of_the_plot_and_the_summary_below(name: str) -> None:
    result = RESULTS[name]()
    bundle, metadata = result._repr_mimebundle_()
    shown = result.plot()._repr_mimebundle_()
    width, height = (metadata["image/png"][side] for side in ("width", "height"))
    assert metadata["image/png"] == shown[1]["image/png"]
    with Image.open(io.BytesIO(bundle["image/png"])) as picture:
        assert picture.size == (2 * width, 2 * height)
    assert bundle["text/plain"] == repr(result)
    assert f'width="{width}" height="{height}"' in bundle["text/html"]
    assert bundle["text/html"].index("<img") < bundle["text/html"].index("<table")


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        ({"include": {"image/png"}}, {"image/png"}),
        ({"exclude": {"image/png"}}, {"text/html", "text/plain"}),
    ],
)
def test_a_notebook_may_ask_for_less(asked: dict[str, Any], kinds: set[str]) -> None:
    assert {*RESULTS["trajectory"]()._repr_mimebundle_(**asked)[0]} == kinds


def test_every_result_of_the_package_is_here() -> None:
    def below(kind: type) -> set[type]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    for name in dir(pycompare):
        getattr(pycompare, name)  # loaded when first used
    ours = {kind for kind in below(Result) if kind.__module__.startswith("pycompare.") and not isabstract(kind)}
    assert {type(make()) for make in RESULTS.values()} == ours


def test_films_have_one_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = []
    monkeypatch.setattr("pycompare.plots.film.animate_paths", lambda *_, **options: speeds.append(options.get("fps")))
    for result in (descend(epochs=2), RESULTS["paths"]()):
        assert isinstance(result, PathsResult)
        result.animate(tmp_path / "film.gif")
    assert speeds == [None, None]


def test_a_tilde_is_the_home_folder_for_saving_and_for_reading_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("comparison", "parity"):
        RESULTS[name]().save("~/both", formats=())
    assert {"comparison", "parity"} <= set(json.loads((tmp_path / "both" / "settings.json").read_text()))
    saved = Comparison.load("~/both")
    pd.testing.assert_frame_equal(saved.data, RESULTS["comparison"]().data, check_exact=True)
