"""Every table that was recorded with real R torch, computed again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from pycompare import spirals_data
from pycompare.parity.suite import SAME_BITS, TABLES, Table
from pycompare.parity.tables.recorded import recording
from tests.conftest import KERNELS, RECORDED, recorded


def test_every_recorded_file_is_what_the_manifest_says() -> None:
    listed = json.loads((RECORDED / "manifest.json").read_text())["files"]
    assert {path.name for path in RECORDED.glob("*.csv")} == set(listed)
    assert {name: len(recorded(name)) for name in listed} == {name: entry["rows"] for name, entry in listed.items()}


def test_every_recorded_file_is_a_table_or_an_input() -> None:
    tables = {table.name for table in TABLES if recording(table.name).parent == RECORDED}
    assert {path.stem for path in RECORDED.glob("*.csv")} == tables | {"toy_xy"}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_table(table: Table) -> None:
    ours, theirs = table.ours(), recorded(f"{table.name}.csv")
    table.compare(ours, theirs, SAME_BITS if KERNELS == "recorded" else table.kernels).assert_within()
    assert list(ours) == list(theirs)
    if KERNELS == "recorded":
        numbers = theirs.select_dtypes("number").columns
        assert np.array_equal(ours[numbers], theirs[numbers], equal_nan=True)


@pytest.mark.parametrize(
    ("name", "runs", "rows"),
    [("course_sweeps", 26, 780), ("spirals_lr", 3, 90), ("optimizers", 10, 100), ("rosenbrock", 10, 5000)],
)
def test_all_runs_are_covered(name: str, runs: int, rows: int) -> None:
    (table,) = (table for table in TABLES if table.name == name)
    theirs = recorded(f"{name}.csv")
    assert (theirs.groupby(list(table.on[:-1])).ngroups, len(theirs)) == (runs, rows)


def test_the_spirals_split_is_the_recorded_one() -> None:
    theirs = recorded("spirals_data.csv")
    split = spirals_data()
    for part, flag in ((split.train, 1), (split.valid, 0)):
        x, y = part.tensors
        rows = theirs.loc[theirs["train"] == flag, ["x1", "x2", "class"]].to_numpy()
        ours = torch.hstack([x, y + 1]).numpy()
        assert np.array_equal(ours[np.lexsort(ours.T)], rows[np.lexsort(rows.T)])
        assert flag or np.array_equal(ours, rows), "validation rows stand in the order of the data"
