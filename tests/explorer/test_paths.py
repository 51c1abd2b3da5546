"""The tabs that show paths: their numbers, and their code run."""

from __future__ import annotations

import inspect
import shlex
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import pycompare
import pycompare.labs.landscape as public
from pycompare import optimize_rosenbrock, rosenbrock
from pycompare.cli import app
from pycompare.explorer import landscape
from pycompare.explorer.landscape import Landscape
from pycompare.explorer.rosenbrock import Rosenbrock
from pycompare.explorer.tab import Answer, NoCounterpartError, settings_of
from pycompare.labs.landscape import descend, loss_map
from pycompare.labs.landscape.descents import Descents
from pycompare.parity import Budget, RSession
from pycompare.parity.suite import reference_folder, source_exercises
from pycompare.threads import StoppedError, stoppable
from pycompare.training.losses import LOSSES
from pycompare.training.optim import OPTIMIZERS

LANDSCAPE, ROSENBROCK = Landscape(), Rosenbrock()
STABLE = Budget(rtol=2e-11, why="sums in another order, as in tests/parity/test_live.py")
Walk = list[list[float | None]]


def answered(tab: Any, *texts: dict[str, str]) -> tuple[list[Any], list[Answer]]:
    settings = [settings_of(tab, one) for one in texts]
    return settings, [tab.compute(one, {}) for one in settings]


def shown_paths(answers: list[Answer]) -> list[Walk]:
    """Each path once, in order: x, y and the value."""
    paths = [[answer.drawn[name] for name in ("x", "y", "value")] for answer in answers]
    return [path for i, path in enumerate(paths) if path not in paths[:i]]


def paths_of(data: pd.DataFrame, columns: list[str], when: str) -> list[Walk]:
    """The paths of a frame, or of several below one another."""
    parts = data.groupby((data[when] == 0).cumsum())
    return [[part[name].tolist() for name in columns] for _, part in parts]


def test_names_are_those_of_the_modules_that_the_page_does_not_wait_for() -> None:
    assert [name for name, loss in LOSSES.items() if loss.pointwise] == [*landscape._LOSSES]
    assert {*landscape._OPTIMIZERS} == {*OPTIMIZERS}


def test_defaults_are_those_of_descend() -> None:
    signature = inspect.signature(descend).parameters
    known = {name: value for name, value in landscape._DEFAULTS.items() if name in signature}
    assert known == {name: signature[name].default for name in known}
    assert {*landscape._DEFAULTS} - {*known} == {"momentum", "dampening", "weight_decay", "nesterov"}
    assert descend(momentum=0, dampening=0, weight_decay=0, nesterov=False).data.equals(descend().data)


def test_a_descent() -> None:
    _, (answer,) = answered(LANDSCAPE, {"momentum": "0.9", "lr": "0.05", "weight": "1.5", "loss": "l1"})
    direct = descend("l1", momentum=0.9, lr=0.05, start=(1.5, -3.0))
    assert shown_paths([answer]) == paths_of(direct.data, ["bias", "weight", "loss"], "epoch")
    (row,) = direct.summary().to_dict("records")
    assert [float(answer.cells[f"last {name}"]) for name in ("weight", "bias", "loss")] == [
        row[name] for name in ("weight", "bias", "loss")
    ]
    assert answer.cells["diverged at epoch"] == ""


def test_the_map_is_that_of_the_forms_loss_and_holds_all_starts() -> None:
    _, answers = answered(LANDSCAPE, {"weight": "20", "epochs": "1"}, {"loss": "l1", "epochs": "1"})
    told = LANDSCAPE.together(answers)
    direct = loss_map("l1", weight=(told["y"][0], told["y"][-1]), bias=(told["x"][0], told["x"][-1]), n=61)
    assert [one for row in told["z"] for one in row] == direct["loss"].tolist()
    assert told["y"][0] == -5 < 20 < told["y"][-1]
    assert "paths of other losses" in told["note"]


def test_a_descent_that_diverges() -> None:
    _, (answer,) = answered(LANDSCAPE, {"lr": "5"})
    assert (answer.cells["diverged at epoch"], answer.cells["left the map at epoch"]) == ("19", "1")
    assert answer.drawn["value"][-1] is None


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"optimizer": "adam", "momentum": "0.9"}, "`momentum` must be an argument of the optimizer"),
        ({"nesterov": "yes"}, "`nesterov` must be False without momentum"),
        ({"nesterov": "maybe"}, "`nesterov` must be one of no, yes"),
        ({"epochs": "1e6"}, "`epochs` must be at most 1000"),
        ({"weight": "inf"}, "`weight` must be finite"),
    ],
)
def test_what_does_not_fit_is_said(texts: dict[str, str], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        answered(LANDSCAPE, texts)


DESCENTS = {
    "as it opens": ({},),
    "two momenta": ({"momentum": "0.9"}, {}),
    "twice the same": ({"lr": "0.3"}, {"lr": "0.3"}),
    "two starts": ({"weight": "-4", "bias": "7.5"}, {}),
    "two losses": ({"loss": "l1"}, {"loss": "huber"}),
    "optimizers": ({"optimizer": "adam"}, {"optimizer": "rmsprop"}, {"optimizer": "sgd"}),
    "several differ": ({"momentum": "0.5", "nesterov": "yes"}, {"lr": "0.2"}, {"momentum": "0.9", "dampening": "0.5"}),
    "Nesterov or not": ({"momentum": "0.5", "nesterov": "yes"}, {"momentum": "0.5"}),
    "lengths": ({"epochs": "5"}, {"epochs": "7", "weight_decay": "0.1"}),
}
SHORT = {"epochs": "20"}


@pytest.mark.parametrize("texts", DESCENTS.values(), ids=DESCENTS)
def test_python_gives_the_descents(texts: Any) -> None:
    settings, answers = answered(LANDSCAPE, *(SHORT | one for one in texts))
    made: dict[str, Any] = {}
    exec(LANDSCAPE.python(settings, answers), made)
    descents = made["descents"] if isinstance(made["descents"], list) else [made["descents"]]
    data = pd.concat([one.data for one in descents])
    assert paths_of(data, ["bias", "weight", "loss"], "epoch") == shown_paths(answers)


@pytest.mark.parametrize("texts", DESCENTS.values(), ids=DESCENTS)
def test_commands_give_the_descents(texts: Any, tmp_path: Path) -> None:
    settings, answers = answered(LANDSCAPE, *(SHORT | one for one in texts))
    data = pd.concat(ran(LANDSCAPE.command(settings, answers), tmp_path, "descents.csv"))
    assert paths_of(data, ["bias", "weight", "loss"], "epoch") == shown_paths(answers)


def ran(commands: str, folder: Path, file: str) -> list[pd.DataFrame]:
    """What each of the commands has saved."""
    frames = []
    for i, command in enumerate(commands.replace("\\\n", "").splitlines()):
        program, *arguments = shlex.split(command)
        assert program == "pycompare"
        result = CliRunner().invoke(app, [*arguments, "--out", str(folder / str(i))])
        assert result.exit_code == 0, result.output
        frames.append(pd.read_csv(folder / str(i) / file))
    return frames


def in_r(code: str, result: str) -> Any:
    """What `code` has under the name `result`, in the stand-in, run beside the folder r_reference."""
    with RSession("basetorch") as session:
        source_exercises(session)
        session.eval(f"setwd('{reference_folder().parent}')")
        session.eval(f"{code}\ninvisible(NULL)")
        return session.eval(result)


@pytest.mark.parametrize("name", ["as it opens", "two momenta", "several differ", "two losses"])
def test_r_gives_the_descents_in_double(name: str, r_session: RSession, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, answers = answered(LANDSCAPE, *(SHORT | one for one in DESCENTS[name]))
    together = "do.call(rbind, if (is.data.frame(descents)) list(descents) else descents)"
    theirs = in_r(LANDSCAPE.r(settings, answers), together)
    for function in ("descend", "compare_descents"):
        monkeypatch.setattr(public, function, partial(getattr(public, function), dtype="float64"))
    made: dict[str, Any] = {}
    exec(LANDSCAPE.python(settings, answers), made)
    ours = [made["descents"]] if isinstance(made["descents"], Descents) else made["descents"]
    frame = pd.concat([one.data for one in ours])
    for column in ("weight", "bias", "loss"):
        assert theirs[column].to_numpy() == pytest.approx(frame[column].to_numpy(), rel=STABLE.rtol)


def test_r_has_sgd_only() -> None:
    with pytest.raises(NoCounterpartError, match="SGD only"):
        LANDSCAPE.r(*answered(LANDSCAPE, {}, {"optimizer": "adam"}))


VALLEYS = {
    "as it opens": ({"steps": "30"},),
    "two": ({"steps": "30", "beta": "0.5"}, {"steps": "20", "lr": "0.01"}),
    "twice the same": ({"steps": "30"}, {"steps": "30"}),
}
ELSEWHERE = ({"x": "0.5", "steps": "9"}, {"steps": "9"})


def test_a_path_on_rosenbrocks_function() -> None:
    _, (answer,) = answered(ROSENBROCK, {"lr": "0.02", "beta": "0.5", "steps": "40", "x": "0.5"})
    direct = optimize_rosenbrock(40, 0.02, 0.5, start=(0.5, 2.0))
    assert shown_paths([answer]) == paths_of(direct.data, ["x", "y", "value"], "step")
    assert float(answer.cells["last value"]) == direct.data["value"].iloc[-1]
    told = ROSENBROCK.together([answer])
    assert told["z"] == [[rosenbrock(x, y) for x in told["x"]] for y in told["y"]]


def test_a_path_on_rosenbrocks_function_that_diverges() -> None:
    _, (answer,) = answered(ROSENBROCK, {"x": "7"})
    values = optimize_rosenbrock(100, 0.05, 0.9, start=(7, 2)).data["value"]
    assert answer.cells["diverged at step"] == str(values[~values.abs().lt(float("inf"))].index[0])
    assert answer.cells["last value"] in ("", "inf")


@pytest.mark.parametrize("texts", [*VALLEYS.values(), ELSEWHERE], ids=[*VALLEYS, "elsewhere"])
def test_python_gives_the_trajectories(texts: Any) -> None:
    settings, answers = answered(ROSENBROCK, *texts)
    made: dict[str, Any] = {}
    exec(ROSENBROCK.python(settings, answers), made)
    several = made["trajectories"] if isinstance(made["trajectories"], list) else [made["trajectories"]]
    assert paths_of(pd.concat([one.data for one in several]), ["x", "y", "value"], "step") == shown_paths(answers)


@pytest.mark.parametrize("texts", VALLEYS.values(), ids=VALLEYS)
def test_commands_give_the_trajectories(texts: Any, tmp_path: Path) -> None:
    settings, answers = answered(ROSENBROCK, *texts)
    data = pd.concat(ran(ROSENBROCK.command(settings, answers), tmp_path, "trajectory.csv"))
    assert paths_of(data, ["x", "y", "value"], "step") == shown_paths(answers)


@pytest.mark.parametrize("name", ["as it opens", "two"])
def test_r_gives_the_trajectories_in_double(name: str, r_session: RSession, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, answers = answered(ROSENBROCK, *VALLEYS[name])
    points = "function(plot) plot$layers[[length(plot$layers)]]$data[, c('x', 'y')]"
    several = "if (inherits(trajectories, 'ggplot')) list(trajectories) else trajectories"
    theirs = in_r(ROSENBROCK.r(settings, answers), f"do.call(rbind, lapply({several}, {points}))")
    monkeypatch.setattr(pycompare, "optimize_rosenbrock", partial(optimize_rosenbrock, dtype="float64"))
    made: dict[str, Any] = {}
    exec(ROSENBROCK.python(settings, answers), made)
    ours = made["trajectories"] if isinstance(made["trajectories"], list) else [made["trajectories"]]
    # R's has no start, and the last point twice.
    frame = pd.concat([pd.concat([one.data.iloc[1:], one.data.iloc[-1:]]) for one in ours])
    for column in ("x", "y"):
        assert theirs[column].to_numpy() == pytest.approx(frame[column].to_numpy(), rel=STABLE.rtol)


@pytest.mark.parametrize("language", ["r", "command"])
def test_others_start_where_the_course_does(language: str) -> None:
    with pytest.raises(NoCounterpartError, match=r"starts at \(-1, 2\)"):
        getattr(ROSENBROCK, language)(*answered(ROSENBROCK, *ELSEWHERE))


@pytest.mark.parametrize("walk", [descend, partial(optimize_rosenbrock, 10, 0.1, 0.5)])
def test_a_path_is_stopped_between_two_steps(walk: Callable[[], Any]) -> None:
    stop = threading.Event()
    stop.set()
    with stoppable(stop), pytest.raises(StoppedError):
        walk()
