"""`pycompare lab batch-size`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pycompare import compare_batch_sizes, spirals_data
from pycompare.cli import app

RUN = CliRunner()


@pytest.fixture(autouse=True)
def _nothing_leaks() -> None:
    """Not asked of a command, which has a process of its own: rich draws from `random` to print an error."""


def test_it_writes_what_compare_batch_sizes_returns(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--sizes 4,x", "--sizes must be a number, or several separated by commas; got '4,x'"),
        ("--sizes 4,4", "--sizes must hold distinct values"),
        ("--sizes 0,4", "--sizes must be at least 1; got 0"),
        ("--budget minutes", "--budget must be one of epochs, steps, seconds; got 'minutes'"),
        ("--amount 0", "--amount must be at least 1; got 0"),
        ("--budget seconds --n-jobs 2", "--n-jobs must be 1 with budget 'seconds'; got 2"),
        ("--scale-lr cubic", "--scale-lr must be one of fixed, linear, sqrt; got 'cubic'"),
        ("--formats gif", "--formats must be one of png, pdf, svg"),
    ],
)
def test_bad_options_are_refused_in_one_line(options: str, message: str) -> None:
    result = RUN.invoke(app, ["lab", "batch-size", *options.split()])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {message}")
    assert result.stderr.count("\n") == 1
