"""The runs of a store, on the command line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pycompare import RunStore
from pycompare.cli import app

RUN = CliRunner()


@pytest.fixture(autouse=True)
def _nothing_leaks() -> None:
    """Not asked of a command, which has a process of its own."""


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    folder = tmp_path / "runs"
    result = RUN.invoke(app, ["compare", "--lr", "0.1,0.01", "--epochs", "2", "--store", str(folder)])
    assert result.exit_code == 0, result.output
    return RunStore(folder)


def call(*arguments: object) -> tuple[int, str]:
    result = RUN.invoke(app, ["runs", *map(str, arguments)])
    return result.exit_code, result.output


def test_list_tells_what_differs(store: RunStore) -> None:
    code, printed = call("list", store.folder)
    assert code == 0
    assert printed.splitlines()[0].split()[:3] == ["run", "lr", "done"]
    for run in store.runs()["run"]:
        assert run in printed
    assert printed.endswith("2 runs; 0 more were begun and not finished.\n")
    assert "adamw" not in printed


def test_show_prints_settings_and_rows(store: RunStore) -> None:
    run = store.runs()["run"][0]
    code, printed = call("show", store.folder, run[:8])
    assert code == 0
    assert f'"run": "{run}"' in printed
    assert "valid_loss" in printed
    assert str(store.frame(run)["valid_loss"].iloc[0])[:6] in printed


def test_rm_removes(store: RunStore) -> None:
    first, second = store.runs()["run"]
    assert call("rm", store.folder, first, second[:10]) == (0, f"Removed {first}\nRemoved {second}\n")
    assert call("list", store.folder)[1].startswith("No run is finished.")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_export_writes_all_rows(suffix: str, store: RunStore, tmp_path: Path) -> None:
    file = tmp_path / f"all{suffix}"
    assert call("export", store.folder, file) == (0, f"Saved 4 rows in {file}\n")
    read = pd.read_csv(file) if suffix == ".csv" else pd.read_parquet(file)
    assert read["valid_loss"].tolist() == store.frame()["valid_loss"].tolist()
    assert set(read["run"]) == set(store.runs()["run"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "nowhere"], "`store` must be a folder of runs; got 'nowhere', where there is none. Check the path."),
        (["show", "STORE", "zzz"], "must be the name of one run, or the beginning of it; got 'zzz', as 0 begin."),
        (["rm", "STORE", ""], "must be the name of one run, or the beginning of it; got '', as 2 begin."),
        (["export", "STORE", "all.txt"], "must end in .csv or .parquet; got 'all.txt'. Rename it."),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str, store: RunStore) -> None:
    code, printed = call(*(str(store.folder) if part == "STORE" else part for part in arguments))
    assert code == 2
    assert message in printed
    assert printed.count("\n") == 1
