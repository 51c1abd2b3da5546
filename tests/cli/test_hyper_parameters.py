"""The commands of the disciplined hyper-parameters: what they write, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from pycompare import (
    Split,
    compare_batch_sizes,
    compare_one_cycle,
    discipline,
    lr_range_test,
    spirals_data,
)
from pycompare.cli import app

RUN = CliRunner()


@pytest.fixture(autouse=True)
def _nothing_leaks() -> None:
    """Not asked of a command, which has a process of its own: rich draws from `random` to print an error."""


def test_batch_sizes_are_what_compare_batch_sizes_returns(tmp_path: Path) -> None:
    options = "--sizes 8,50 --budget steps --amount 40 --lr 0.02 --scale-lr sqrt --optimizer sgd --loss cross_entropy"
    options += " --data spirals --seed 5 --seeds 2 --engine fused --n-jobs 2"
    result = RUN.invoke(app, ["lab", "batch-size", *options.split(), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    settings = {"lr": 0.02, "scale_lr": "sqrt", "optimizer": "sgd", "loss": "cross_entropy", "engine": "fused"}
    expected = compare_batch_sizes([8, 50], "steps", 40, data=spirals_data(), seed=5, seeds=2, **settings)
    assert "Comparison of batch_size over [8, 50]\nbudget='steps', amount=40, lr=0.02" in result.output
    written = pd.read_csv(tmp_path / "batch_sizes.csv")
    pd.testing.assert_frame_equal(
        written.drop(columns="seconds"), expected.data.drop(columns="seconds"), check_exact=True
    )
    assert (tmp_path / "batch_sizes.png").read_bytes().startswith(b"\x89PNG")


SHARED = "--data spirals --loss cross_entropy --seed 5 --seeds 2"


@pytest.mark.parametrize(
    ("options", "file", "compute"),
    [
        (
            "lr-range --start 0.001 --end 1 --steps 20 --of valid --mode linear --optimizer sgd --batch-size 8",
            "lr_range_test",
            lambda data, seeds: lr_range_test(
                None,
                data,
                0.001,
                1,
                20,
                mode="linear",
                loss="valid",
                optimizer="sgd",
                batch_size=8,
                loss_function="cross_entropy",
                **seeds,
            ),
        ),
        (
            "lr-range --steps 20 --cycle-momentum 0.8,0.9",
            "lr_range_test",
            lambda data, seeds: lr_range_test(
                None, data, steps=20, cycle_momentum=(0.8, 0.9), loss_function="cross_entropy", **seeds
            ),
        ),
        (
            "one-cycle --max-lr 0.3 --momentum 0.8,0.9 --epochs 2 --batch-size 32 --optimizer adamw",
            "comparison",
            lambda data, seeds: compare_one_cycle(
                0.3,
                (0.8, 0.9),
                data=data,
                epochs=2,
                batch_size=32,
                optimizer="adamw",
                loss="cross_entropy",
                **seeds,
            ),
        ),
    ],
)
def test_a_command_writes_what_its_function_returns(options: str, file: str, compute: Any, tmp_path: Path) -> None:
    result = RUN.invoke(app, ["lab", *options.split(), *SHARED.split(), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    expected = compute(spirals_data().standardized(), {"seed": 5, "seeds": 2})
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / f"{file}.csv"), expected.data, check_exact=True)
    assert (tmp_path / f"{file}.png").read_bytes().startswith(b"\x89PNG")


def test_the_whole_recipe_writes_every_step(tmp_path: Path) -> None:
    data = Path(tmp_path / "data.csv")
    data.write_text("a,b\n" + "\n".join(f"{i},{i % 7}" for i in range(60)))
    options = f"--epochs 4 --data {data} --seeds 2 --out {tmp_path / 'out'} --formats svg"
    result = RUN.invoke(app, ["lab", "discipline", *options.split()])
    assert result.exit_code == 0, result.output
    expected = discipline(None, Split.from_csv(data).standardized(), epochs=4, seeds=2)
    assert "- one cycle: mean losses at the end: 1cycle" in result.output
    written = pd.read_csv(tmp_path / "out" / "comparison.csv")
    pd.testing.assert_frame_equal(written, expected.parts["one cycle"].data, check_exact=True)
    assert len([*(tmp_path / "out").glob("*.svg")]) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("batch-size --sizes 4,x", "--sizes must be a number, or several separated by commas; got '4,x'"),
        ("batch-size --sizes 4,4", "--sizes must hold distinct values"),
        ("batch-size --sizes 0,4", "--sizes must be at least 1; got 0"),
        ("batch-size --budget minutes", "--budget must be one of epochs, steps, seconds; got 'minutes'"),
        ("batch-size --amount 0", "--amount must be at least 1; got 0"),
        ("batch-size --budget seconds --n-jobs 2", "--n-jobs must be 1 with budget 'seconds'; got 2"),
        ("batch-size --scale-lr cubic", "--scale-lr must be one of fixed, linear, sqrt; got 'cubic'"),
        ("batch-size --formats gif", "--formats must be one of png, pdf, svg"),
        ("lr-range --start 1 --end 0.1", "--start must be at most --end; got 1.0 and 0.1"),
        ("lr-range --cycle-momentum 0.9", "`momentum` must be a pair (smallest, largest)"),
        ("lr-range --of test", "--of must be one of train, valid; got 'test'"),
        ("lr-range --steps 0", "--steps must be at least"),
        ("one-cycle --momentum 0.9,0.8", "`momentum[0]` must be at most"),
        ("one-cycle --epochs 0", "--epochs must be at least 1; got 0"),
        ("discipline --epochs 3", "--epochs must be at least 4; got 3"),
        ("discipline --optimizer sdg", "--optimizer must be one of adamw, adam, rmsprop, sgd, adagrad; got 'sdg'"),
        ("discipline --epoch-seconds -1", "--epoch-seconds must be at least 0"),
    ],
)
def test_bad_options_are_refused_in_one_line(options: str, message: str) -> None:
    result = RUN.invoke(app, ["lab", *options.split()])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {message}")
    assert result.stderr.count("\n") == 1
