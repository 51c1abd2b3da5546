from __future__ import annotations

import inspect
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import pycompare
from pycompare import MLP, Split, classification_data, compare_configs, decision_boundary, spirals_data
from pycompare.cli import app
from pycompare.data.classification import SETS
from pycompare.data.named import ROWS
from pycompare.explorer.sweep import Sweep, compared
from pycompare.explorer.sweep_settings import ACTIVATIONS, DEFAULTS, PLANE_SETS, VARIED
from pycompare.explorer.tab import Answer, NoCounterpartError, settings_of
from pycompare.parity import Budget, RSession, compare_trajectories
from pycompare.parity.suite import source_exercises
from pycompare.training import network

TAB = Sweep()
CSV = "x,z,class\n" + "".join(f"{i / 10},{i * i % 7},{'ab'[i % 2]}\n" for i in range(40))

STABLE = Budget(rtol=2e-11, why="sums of products in another order, as in tests/parity/test_live.py")


def answered(*texts: dict[str, str], uploads: Any = None) -> tuple[list[Any], list[Answer]]:
    settings = [settings_of(TAB, one) for one in texts]
    return settings, [TAB.compute(one, uploads or {}) for one in settings]


def test_names_are_those_of_the_modules_that_the_page_does_not_wait_for() -> None:
    assert tuple(network.ACTIVATIONS) == ACTIVATIONS
    plane = {name for name, draw in SETS.items() if draw(8, rng=1).x.shape[1] == 2}
    assert {*PLANE_SETS, "spirals"} == plane


def test_defaults_are_those_of_compare_configs() -> None:
    signature = inspect.signature(compare_configs).parameters
    names = ("epochs", "seed", *VARIED)
    assert {name: getattr(DEFAULTS, name) for name in names} == {name: signature[name].default for name in names}
    assert (DEFAULTS.hidden, DEFAULTS.activation) == tuple(
        inspect.signature(MLP).parameters[name].default for name in ("hidden", "activation")
    )


def test_the_numbers_are_those_of_compare_configs() -> None:
    _, (answer,) = answered({"lr": "0.2", "epochs": "4", "beta2": "0.9"})
    direct = compare_configs(4, lr=[0.2], beta2=0.9)
    row = direct.summary().iloc[0]
    assert answer.drawn["valid_loss"] == direct.data["valid_loss"].tolist()
    assert float(answer.cells["last"]) == row["last_valid_loss"]
    assert float(answer.cells["best"]) == row["best_valid_loss"]
    assert (answer.cells["best epoch"], answer.cells["diverged at epoch"]) == (str(row["best_epoch"]), "")


def test_the_plane_is_that_of_decision_boundary() -> None:
    _, (answer,) = answered({"data": "circles", "hidden": "8", "epochs": "2"})
    split = classification_data("circles", ROWS)
    made = compare_configs(
        2, lr=[0.01], data=split, loss="cross_entropy", network=lambda: MLP(2, (8,), 2), keep_networks=True
    )
    boundary = decision_boundary(*made.networks.values(), split, loss="cross_entropy", grid=61)
    assert answer.drawn["plane"]["class"] == boundary.data["class"].tolist()
    assert answer.drawn["plane"]["probability"] == boundary.data["probability"].tolist()
    assert answer.drawn["plane"]["accuracy"] == boundary.fit["accuracy"].iloc[0]


def test_a_training_that_diverges() -> None:
    settings, answers = answered({"data": "circles", "lr": "1e30", "epochs": "3"})
    (answer,) = answers
    assert answer.cells["diverged at epoch"] == "1"
    assert answer.drawn["valid_loss"] == [None] * 3
    assert {*answer.drawn["plane"]["class"]} == {None}
    assert TAB.together(answers)["limits"] is None
    assert "--lr 1e+30" in TAB.command(settings, answers)


def test_the_axis_is_that_of_the_plot() -> None:
    texts = ({"batch_size": "32"}, {"batch_size": "64"})
    _, answers = answered(*texts)
    told = TAB.together(answers)
    plot = compare_configs(batch_size=[32, 64]).plot()
    assert told["limits"] == tuple(plot.scales.get_scales("y").limits)
    assert told["y"] == plot.labels.y
    assert told["note"] in plot.labels.caption.replace("\n", " ")


SHOWN = {
    "one": ({"lr": "0.05"},),
    "two rates": ({"lr": "0.1", "seed": "7"}, {"lr": "0.001", "seed": "7"}),
    "twice the same": ({"beta1": "0.5"}, {"beta1": "0.5"}),
    "decay": ({"weight_decay": "0"}, {"weight_decay": "0.2"}),
    "several differ": ({"lr": "0.1"}, {"batch_size": "64"}, {"hidden": "20", "activation": "tanh"}),
    "spirals": ({"data": "spirals"},),
    "circles": ({"data": "circles", "beta2": "0.9"}, {"data": "circles", "beta2": "0.99"}),
    "three classes": ({"data": "cassini", "hidden": "8,8", "activation": "gelu"},),
    "a file": ({"data": "file:own.csv", "batch_size": "8"},),
}
EPOCHS = {"epochs": "3"}


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Split]:
    monkeypatch.chdir(tmp_path)
    Path("own.csv").write_text(CSV)
    return {"own.csv": Split.from_csv("own.csv")}


def shown_frame(answers: list[Answer]) -> list[list[float | None]]:
    """Each curve once, in order."""
    curves = [answer.drawn["valid_loss"] for answer in answers]
    return [curve for i, curve in enumerate(curves) if curve not in curves[:i]]


@pytest.mark.parametrize("texts", SHOWN.values(), ids=SHOWN)
def test_python_gives_what_is_shown(texts, own_file: dict[str, Split]) -> None:
    settings, answers = answered(*(one | EPOCHS for one in texts), uploads=own_file)
    made: dict[str, Any] = {}
    exec(TAB.python(settings, answers), made)
    comparisons = made.get("comparisons") or [made["comparison"]]
    runs = [run for one in comparisons for _, run in one.data.groupby("config", sort=False)]
    assert [run["valid_loss"].tolist() for run in runs] == shown_frame(answers)


@pytest.mark.parametrize("texts", SHOWN.values(), ids=SHOWN)
def test_commands_give_what_is_shown(texts, own_file: dict[str, Split], tmp_path: Path) -> None:
    settings, answers = answered(*(one | EPOCHS for one in texts), uploads=own_file)
    curves = []
    commands = TAB.command(settings, answers).replace("\\\n", "").splitlines()
    for i, command in enumerate(commands):
        program, *arguments = shlex.split(command)
        assert program == "pycompare"
        result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / str(i)), "--no-progress"])
        assert result.exit_code == 0, result.output
        data = pd.read_csv(tmp_path / str(i) / "comparison.csv")
        curves += [run["valid_loss"].tolist() for _, run in data.groupby("config", sort=False)]
    assert curves == shown_frame(answers)


@pytest.mark.parametrize("name", ["one", "decay", "twice the same"])
def test_r_gives_what_is_shown_in_double(name: str, r_session: RSession, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, answers = answered(*(one | EPOCHS for one in SHOWN[name]))
    with RSession("basetorch") as session:
        source_exercises(session)
        theirs = session.eval(f"({TAB.r(settings, answers)})$data[, c('config', 'epoch', 'valid_loss')]")
    monkeypatch.setattr(pycompare, "compare_configs", partial(compare_configs, dtype="float64"))
    made: dict[str, Any] = {}
    exec(TAB.python(settings, answers), made)
    ours = made["comparison"].data[["config", "epoch", "valid_loss"]]
    compare_trajectories(ours, theirs, on=["config", "epoch"], budget=STABLE).assert_within()


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({"data": "circles"}, "its data only"),
        ({"hidden": "20"}, "one network"),
        ({"activation": "tanh"}, "one network"),
        ({"seed": "1"}, "one seed"),
        ({"lr": "1e30"}, "diverges"),
    ],
)
def test_what_r_cannot(texts: dict[str, str], reason: str) -> None:
    with pytest.raises(NoCounterpartError, match=reason):
        TAB.r(*answered(texts | {"epochs": "1"}))


def test_spirals_are_the_courses() -> None:
    split = compared(settings_of(TAB, {"data": "spirals", "epochs": "1"}), {}).made_with["data"]
    assert split == repr(spirals_data())
