from __future__ import annotations

import functools
import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.animation
import numpy as np
import pandas as pd
import plotnine as p9
import pytest
from PIL import Image

from pycompare.plots import plot_paths
from pycompare.plots.film import animate_paths
from pycompare.plots.paths import still_layers


def _maps(**columns: list[str]) -> pd.DataFrame:
    """A bowl on a grid of 5 x 5, once for each value of the given column."""
    grid = np.linspace(-2, 2, 5)
    a, b = (axis.ravel() for axis in np.meshgrid(grid, grid, indexing="ij"))
    bowl = pd.DataFrame({"a": a, "b": b, "loss": a**2 + b**2 + 0.1})
    return _crossed(bowl, columns)


def _paths(epochs: int = 3, **columns: list[str]) -> pd.DataFrame:
    """A path that comes down to the middle, once for each combination of values."""
    epoch = np.arange(epochs + 1)
    return _crossed(pd.DataFrame({"epoch": epoch, "a": 1.5 * 0.5**epoch, "b": -(0.7**epoch), "loss": 1.0}), columns)


def _crossed(frame: pd.DataFrame, columns: dict[str, list[str]]) -> pd.DataFrame:
    frames = [
        frame.assign(**dict(zip(columns, values, strict=True))) for values in itertools.product(*columns.values())
    ]
    return pd.concat(frames, ignore_index=True)


def _animate(file: Path | str, paths: pd.DataFrame | None = None, **arguments: Any) -> Path:
    paths = _paths() if paths is None else paths
    plot = plot_paths(_maps(), paths, x="a", y="b") + p9.theme(figure_size=(3, 2))
    return animate_paths(plot, paths, file, x="a", y="b", **arguments)


def _pictures(file: Path) -> list[np.ndarray]:
    with Image.open(file) as film:
        frames = []
        for i in range(film.n_frames):
            film.seek(i)
            frames.append(np.asarray(film.convert("RGB")).astype(int))
        return frames


def _differ(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two pictures differ by more than the rounding of colours to one palette."""
    return np.abs(one - other).max(axis=2) > 50


def test_a_film_has_a_picture_an_epoch(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "paths.gif"
    assert _animate(str(file), fps=5) == file
    assert [*file.parent.iterdir()] == [file]
    pictures = _pictures(file)
    assert len(pictures) == 4
    assert all(_differ(before, after).any() for before, after in itertools.pairwise(pictures))
    with Image.open(file) as film:
        durations = [film.seek(i) or film.info["duration"] for i in range(4)]
    assert durations[:3] == [200, 200, 200]
    assert durations[3] > 200, "the last picture stays"
    assert capfd.readouterr() == ("", ""), "there is no bar but on a terminal"


def test_a_film_starts_with_the_starts(tmp_path: Path) -> None:
    paths = {epochs: _paths(epochs) for epochs in (6, 3)}
    long, short = (_pictures(_animate(tmp_path / f"{epochs}.gif", paths[epochs])) for epochs in paths)
    assert not _differ(long[0], short[0]).any(), "the first picture does not know how long the paths will be"
    assert _differ(long[-1], short[-1]).any()


def test_long_paths_are_thinned_out_and_shown_to_their_end(tmp_path: Path) -> None:
    time = np.linspace(-1, 1, 252)
    paths = _paths(251).assign(a=1.5 * time, b=np.cos(9 * time))
    thinned = _pictures(_animate(tmp_path / "thinned.gif", paths))
    at_once = _pictures(_animate(tmp_path / "at_once.gif", paths.assign(epoch=[0] + 251 * [1])))
    assert 60 <= len(thinned) <= 121
    assert len(at_once) == 2
    assert _differ(thinned[-1], at_once[0]).any()
    assert not _differ(thinned[-1], at_once[1]).any()


@pytest.mark.parametrize(
    ("columns", "facets"),
    [
        ({"loss_fn": ["mse", "l1"]}, ["loss_fn"]),
        ({"config": ["lr = 1", "lr = 2"], "momentum": ["0", "0.9"], "loss_fn": ["mse", "l1"]}, ["momentum", "loss_fn"]),
    ],
)
def test_several_paths_and_maps(columns: dict[str, list[str]], facets: list[str], tmp_path: Path) -> None:
    paths, rows = _paths(**columns), "momentum" if "momentum" in columns else None
    plot = plot_paths(_maps(loss_fn=columns["loss_fn"]), paths, x="a", y="b", columns="loss_fn", rows=rows)
    pictures = _pictures(animate_paths(plot, paths, tmp_path / "paths.gif", x="a", y="b", facets=facets))
    assert len(pictures) == 4
    for row in np.array_split(_differ(pictures[-1], pictures[0]), len(facets), axis=0):
        assert all(panel.any() for panel in np.array_split(row, 2, axis=1)), "paths grow on every map"


def test_a_path_that_diverges_is_filmed_as_far_as_it_goes(tmp_path: Path) -> None:
    paths = _paths(4)
    paths.loc[3:, "a"] = [1e30, np.nan]
    assert len(_pictures(_animate(tmp_path / "paths.gif", paths))) == 4


@pytest.mark.parametrize(
    ("step", "call", "error", "old"),
    [
        ("grab_frame", 0, KeyboardInterrupt, None),
        ("grab_frame", 2, KeyboardInterrupt, b"old"),
        ("grab_frame", 2, OSError("disk full"), None),
        ("finish", 0, KeyboardInterrupt, None),
        ("finish", 0, OSError("disk full"), b"old"),
    ],
)
def test_a_film_that_fails_leaves_nothing_behind(
    step: str, call: int, error: Any, old: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "paths.gif"
    if old is not None:
        file.write_bytes(old)
    calls = itertools.count()

    def failing(real: Callable[..., None], self: matplotlib.animation.PillowWriter, *rest: Any, **named: Any) -> None:
        if next(calls) < call:
            return real(self, *rest, **named)
        Path(self.outfile).write_bytes(b"half a film")
        raise error

    for kind in [kind for kind in _kinds(matplotlib.animation.PillowWriter) if step in vars(kind)]:
        monkeypatch.setattr(kind, step, functools.partialmethod(functools.partial(failing, getattr(kind, step))))
    with pytest.raises(error if isinstance(error, type) else (type(error), ValueError)):
        _animate(file)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == ({} if old is None else {file: old})


def _kinds(kind: type) -> list[type]:
    """A class and all classes made from it."""
    return [kind, *itertools.chain.from_iterable(_kinds(child) for child in kind.__subclasses__())]


@pytest.mark.parametrize("name", ["paths.png", "paths", "paths.gif.txt", ".gif"])
def test_another_ending_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"`file` must end in .gif or .mp4; got '{name}'"):
        _animate(tmp_path / "new" / name)
    assert [*tmp_path.iterdir()] == []


def test_a_film_is_written_over_an_old_one_and_its_ending_may_be_in_capitals(tmp_path: Path) -> None:
    file = tmp_path / "paths.GIF"
    file.write_bytes(b"old")
    _animate(file, progress=False)
    assert len(_pictures(file)) == 4
    assert [*tmp_path.iterdir()] == [file]


def test_a_missing_ffmpeg_is_named_before_anything_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"`file` .*ffmpeg; got 'paths.mp4'. Install ffmpeg, or write a .gif"):
        _animate(tmp_path / "new" / "paths.mp4")
    assert [*tmp_path.iterdir()] == []


def test_an_ffmpeg_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs, films = tmp_path / "bin", tmp_path / "films"
    programs.mkdir()
    films.mkdir()
    (programs / "ffmpeg").write_text('#!/bin/sh\nfor last; do :; done\necho half > "$last"\ncat > /dev/null\nexit 1\n')
    (programs / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    with pytest.raises(subprocess.CalledProcessError, match="ffmpeg"):
        _animate(films / "paths.mp4")
    assert [*films.iterdir()] == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda folder: _animate(folder / "a.gif", fps=0), ValueError, "`fps` must be at least 1; got 0"),
        (lambda folder: _animate(folder / "a.gif", fps=1.5), ValueError, "`fps` must be a whole number; got 1.5"),
        (lambda folder: _animate(folder / "a.gif", fps="5"), TypeError, "`fps` must be a whole number; got '5'"),
        (lambda folder: _animate(Path("/proc/a.gif")), ValueError, "`file` must"),
        (lambda folder: _animate(Path(__file__) / "a.gif"), ValueError, "`file` must"),
    ],
)
def test_bad_arguments(call: Callable[[Path], object], error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        call(tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_a_further_still_layer_stays_still() -> None:
    plot = plot_paths(_maps(), _paths(), x="a", y="b")
    more = plot + p9.geom_point(p9.aes("a", "b"), data=_maps(), inherit_aes=False)
    assert still_layers(more) == still_layers(plot) | {len(more.layers)}
    assert len(still_layers(plot)) < len(plot.layers)
