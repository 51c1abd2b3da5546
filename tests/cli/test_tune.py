"""The command that tunes: what it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pycompare import EarlyStopping, RunStore, Split, Tuning, course_data, tune
from pycompare.cli import app

RUN = CliRunner()
SPACE = {"lr": [0.1, 0.01], "hidden": [10, (5, 5)], "activation": ["relu", "tanh"], "optimizer": ["adamw", "sgd"]}
OPTIONS = (
    "--lr 0.1,0.01 --hidden 10,5x5 --activation relu,tanh --optimizer adamw,sgd --order lr,hidden+activation,optimizer"
)


@pytest.fixture(autouse=True)
def _nothing_leaks() -> None:
    """Not asked of a command, which has a process of its own."""


def test_it_is_what_tune_returns(tmp_path: Path) -> None:
    x = course_data().train.tensors
    frame = pd.DataFrame(x[0][:60].numpy()).assign(y=x[1][:60].numpy())
    frame.to_csv(tmp_path / "my.csv", index=False)
    places = f"--data {tmp_path / 'my.csv'} --store {tmp_path / 'runs'} --out {tmp_path / 'out'}"
    result = RUN.invoke(app, ["tune", *OPTIONS.split(), *places.split(), "--epochs", "3", "--seeds", "2"])
    assert result.exit_code == 0, result.output
    data = Split.from_csv(tmp_path / "my.csv")
    order = ["lr", ("hidden", "activation"), "optimizer"]
    expected = tune(SPACE, data, order=order, epochs=3, seeds=2, progress=False)
    read = Tuning.load(tmp_path / "out")
    pd.testing.assert_frame_equal(read.data, expected.data, check_exact=True)
    assert len(RunStore(tmp_path / "runs").runs()) == expected.cost()["runs"]
    assert "run 1/16, lr = 0.1, seed = 123" in result.output
    assert expected.summary()["choice"][1] in result.output


def test_its_other_options() -> None:
    options = "--weight-decay 0,0.1 --order grid --halvings 1 --patience 2 --epochs 4 --seeds 2 --seed 7 --standardize"
    result = RUN.invoke(app, ["tune", *options.split(), "--no-progress"])
    given = {"epochs": 4, "halvings": 1, "early_stopping": EarlyStopping(2), "seeds": 2, "seed": 7}
    made = tune({"weight_decay": [0, 0.1]}, course_data().standardized(), order="grid", progress=False, **given)
    assert result.exit_code == 0, result.output
    assert made._words() in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "must have a list of values to choose from"),
        ("--lr 0.1,x", "--lr must be a number, or several separated by commas; got '0.1,x'"),
        ("--hidden 10,ax5", "--hidden must be widths such as 10 or 50x50, separated by commas; got '10,ax5'"),
        ("--lr 0.1,0.2 --order lr+momentum", "--order must name what `space` has lists of; got 'momentum'"),
        ("--lr 0.1,0.2 --trials 3", "--trials must be given with order='optuna', and only with it"),
        ("--lr 0.1,0.2 --data nowhere.csv", "--data must be"),
    ],
)
def test_errors_are_one_line(options: str, message: str) -> None:
    result = RUN.invoke(app, ["tune", *options.split()])
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.count("\n") == 1
