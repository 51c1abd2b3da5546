"""What all results can: tell, summarise, draw and save themselves."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from plotnine import ggplot

from pycompare import compare_configs, optimize_rosenbrock, torch_manual_seed
from pycompare.labs.landscape import compare_descents, compare_paths, descend, plane
from pycompare.parity import compare_trajectories
from pycompare.results import PathsResult, Result
from pycompare.training.network import MLP

PATH = pd.DataFrame({"step": [1, 2], "x": [0.5, 0.25]})


def _network() -> MLP:
    with torch_manual_seed(1):
        return MLP(2)


RESULTS: dict[str, Callable[[], Result]] = {
    "comparison": lambda: compare_configs(2, lr=[0.1, 0.2]),
    "trajectory": lambda: optimize_rosenbrock(3, 0.1, 0.9),
    "descents": lambda: compare_descents(momentum=[0, 0.9], epochs=3),
    "plane": lambda: plane(_network(), ([[0.0, 1.0], [1.0, 1.0]], [[1.0], [2.0]]), n=3),
    "paths": lambda: compare_paths(epochs=2, lr=[0.1, 0.2], n=3),
    "parity": lambda: compare_trajectories(PATH, PATH.assign(x=[0.5, 0.75]), on="step"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result(name: str, tmp_path: Path) -> None:
    result = RESULTS[name]()
    assert repr(result).endswith(result.summary().to_string(index=False))
    assert isinstance(result.plot(), ggplot)
    assert result._repr_png_().startswith(b"\x89PNG")
    csv, png = result.save(tmp_path / "new")
    assert (csv.name, png.name) == (f"{name}.csv", f"{name}.png")
    read = pd.read_csv(csv)
    pd.testing.assert_frame_equal(
        read, pd.read_csv(io.StringIO(result.data.to_csv(index=False))), check_exact=True, check_dtype=True
    )
    assert png.read_bytes().startswith(b"\x89PNG")


def test_every_result_of_the_package_is_here() -> None:
    def leaves(kind: type) -> set[type]:
        below = kind.__subclasses__()
        return set().union(*map(leaves, below)) if below else {kind}

    ours = {kind for kind in leaves(Result) if kind.__module__.startswith("pycompare.")}
    assert {type(make()) for make in RESULTS.values()} == ours


def test_films_have_one_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = []
    monkeypatch.setattr("pycompare.plots.film.animate_paths", lambda *_, **options: speeds.append(options.get("fps")))
    for result in (descend(epochs=2), RESULTS["paths"]()):
        assert isinstance(result, PathsResult)
        result.animate(tmp_path / "film.gif")
    assert speeds == [None, None]
