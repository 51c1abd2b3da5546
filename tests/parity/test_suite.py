"""`pycompare parity`, with two cheap tables in place of all; test_recorded.py and test_live.py run the rest."""

from __future__ import annotations

import base64
import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from pycompare.cli import app
from pycompare.parity import Budget, RUnavailable, suite
from pycompare.parity.session import reference_folder
from pycompare.parity.tables import course
from pycompare.parity.tables.recorded import recording

CHEAP = tuple(table for table in suite.TABLES if table.name in ("spirals_data", "one_cycle"))
ALL = (*suite.TABLES, *suite.LIVE_ONLY)
# What the exercises are made of.
PARTS = {"circle_sets", "draw_spirals", "relu_layers", "split_data", "with_r_seed", "plot_configs", "plot_rosenbrock"}
COUNTS = "identical in every bit, 0 within their budgets"
COLUMNS = ["function", "runs", "numbers", "lane", "verdict"]


@pytest.fixture(autouse=True)
def _cheap_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(CHEAP) == 2
    monkeypatch.setattr(suite, "TABLES", CHEAP)
    monkeypatch.setattr(suite, "LIVE_ONLY", ())


def no_r(*_: object) -> None:
    raise RUnavailable("R does not start: no R here.")


def parity(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["parity", *arguments])


def miss(difference: float, budget: Budget = suite.SAME_BITS) -> suite.Table:
    """The one-cycle table with one of our rates wrong by `difference`."""

    def ours() -> pd.DataFrame:
        frame = course.one_cycle()
        frame.loc[70, "lr"] += difference
        return frame

    (table,) = (table for table in CHEAP if table.name == "one_cycle")
    return dataclasses.replace(table, ours=ours, kernels=budget)


def test_the_recorded_lane() -> None:
    frame = suite.as_frame(list(suite.run("recorded")))
    assert list(frame) == COLUMNS
    assert frame["function"].tolist() == ["mlbench.spirals, sample", "lr_one_cycle"]
    assert frame["numbers"].tolist() == [4000, 200]
    assert set(frame["lane"]) == {"recorded R torch"}
    assert set(frame["verdict"]) == {"identical bits"}


@pytest.mark.r
@pytest.mark.parametrize(("arguments", "rows"), [((), 2 + 4), (("--lane", "basetorch"), 4)])
def test_the_command_with_r(arguments: tuple[str, ...], rows: int) -> None:
    result = parity(*arguments)
    assert result.exit_code == 0, result.output
    printed = result.stdout.splitlines()
    assert printed[0].split() == COLUMNS
    assert sum(line.endswith("identical bits") for line in printed) == rows
    assert sum("live R with the stand-in" in line or "live R torch" in line for line in printed) == 4
    assert "doctor" not in result.stdout
    assert printed[-1].startswith(f"{rows} tables, ")
    assert printed[-1].endswith("none missed: pycompare computes what R does.")


@pytest.mark.r
def test_what_r_torch_has_not_recorded_is_compared_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "TABLES", ())
    monkeypatch.setattr(suite, "LIVE_ONLY", ALL[-1:])
    assert list(suite.run("recorded")) == []
    *_, result = suite.run("basetorch")
    assert (result.functions, result.runs, len(result.report.data)) == ("loss_map", 4, 4 * 21**2 * 3)
    assert result.passed
    assert not result.has_curves


def test_without_r_the_recorded_rows_and_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "RSession", no_r)
    result = parity()
    assert result.exit_code == 0
    assert sum(line.endswith("identical bits") for line in result.stdout.splitlines()) == 2
    assert "No live R here; `pycompare doctor` tells how to get it." in result.stdout


@pytest.mark.parametrize("lane", ["basetorch", "torch"])
def test_a_lane_that_is_not_to_be_had(lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "RSession", no_r)
    result = parity("--lane", lane)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Error: --lane '{lane}' is not to be had: R does not start: no R here.\n"


@pytest.mark.r
def test_the_lane_torch_without_r_torch(r_session) -> None:
    if r_session.backend == "torch":
        pytest.skip("R torch is installed")
    result = parity("--lane", "torch")
    assert result.exit_code == 2
    assert "Error: --lane 'torch' is not to be had" in result.stderr
    assert 'install.packages("torch")' in result.stderr


def test_an_unknown_lane() -> None:
    result = parity("--lane", "tensorflow")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--lane must be one of recorded, torch, basetorch; got 'tensorflow'" in result.stderr


def test_a_miss_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "TABLES", (CHEAP[0], miss(1e-9)))
    result = parity("--lane", "recorded")
    assert result.exit_code == 1
    verdicts = [line.split("recorded R torch")[1].strip() for line in result.stdout.splitlines()[1:3]]
    assert verdicts[0] == "identical bits"
    assert re.fullmatch(r"\S+e-08 relative: MISSED identical bits", verdicts[1])
    assert (
        result.stdout.splitlines()[-1]
        == "2 tables, 4,200 numbers: 1 identical in every bit, 0 within their budgets, 1 MISSED."
    )


@pytest.mark.parametrize(
    ("budget", "passed", "words"),
    [
        (Budget(rtol=1e-6, why="t"), True, "within rtol 1e-06"),
        (Budget(atol=1e-8, ulps=4, why="t"), True, "within atol 1e-08, ulps 4"),
        (Budget(rtol=1e-9, why="t"), False, "MISSED rtol 1e-09"),
    ],
)
def test_with_other_kernels_the_budget_counts(
    budget: Budget, passed: bool, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "TABLES", (miss(1e-9, budget),))
    monkeypatch.setattr(suite, "mkl_kernels", lambda: "other")
    (result,) = suite.run("recorded")
    assert result.passed is passed
    assert result.verdict.endswith(words)


STEP32 = 2.0**-25  # of float32 values from 0.25 to 0.5


def of_float32(ours: list[float], theirs: list[float], **fields: Any) -> suite.TableResult:
    frames = [pd.DataFrame({"step": range(len(values)), "x": values}) for values in (ours, theirs)]
    table = suite.Table("t", "f", ("step",), lambda: frames[0], **fields)
    return suite.TableResult("f", "recorded R torch", table.compare(*frames, suite.SAME_BITS, float32=table.float32))


@pytest.mark.parametrize(
    ("ours", "fields", "words"),
    [
        ([0.25 + 3 * STEP32], {"float32": ("x",)}, "3 ulps, 3.6e-07 relative: MISSED identical bits"),
        ([0.25 + 3 * STEP32], {}, "3.6e-07 relative: MISSED identical bits"),
        ([0.25 + STEP32 / 2], {"float32": ("x",)}, "6.0e-08 relative: MISSED identical bits"),
        ([0.25 + 2.0**-54], {}, "1 ulps, 2.2e-16 relative: MISSED identical bits"),
        ([0.25], {"float32": ("x",)}, "identical bits"),
    ],
)
def test_float32_values_are_counted_in_float32_s_ulps(ours: list[float], fields: dict[str, Any], words: str) -> None:
    assert of_float32(ours, [0.25], **fields).verdict == words


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_tables_say_which_columns_hold_float32_values(table: suite.Table) -> None:
    recorded = recording(table.name)
    frame = pd.read_csv(recorded) if recorded.exists() else table.ours()
    numbers = frame.drop(columns=[*table.on], errors="ignore").select_dtypes("float")
    single = [name for name in numbers if np.array_equal(numbers[name], numbers[name].astype("f4"), equal_nan=True)]
    assert set(single) == set(table.float32) & set(numbers)


def test_totals_are_a_line_with_a_verdict() -> None:
    results = [of_float32([1.0], [1.0]), of_float32([1.0], [1.0]), of_float32([1.0, 2.0], [1.0, 2.5])]
    assert suite.totals(results[:2]) == (
        f"2 tables, 2 numbers: 2 {COUNTS}, none missed: pycompare computes what R does."
    )
    assert suite.totals(results) == f"3 tables, 4 numbers: 2 {COUNTS}, 1 MISSED."


def test_the_report_s_plots_say_r_and_pycompare() -> None:
    result = of_float32([1.0, 2.0], [1.0, 2.5])
    assert list(result.plot().data["side"].cat.categories) == ["pycompare", "R", "distance"]


def test_a_missing_row_is_a_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    table = dataclasses.replace(miss(0.0), ours=lambda: course.one_cycle().iloc[:-1])
    monkeypatch.setattr(suite, "TABLES", (table,))
    (result,) = suite.run("recorded")
    assert not result.passed
    assert result.verdict == "0 ulps, 0.0e+00 relative, 1 rows on one side only: MISSED identical bits"


def test_html_is_one_file_with_table_and_plots(tmp_path: Path) -> None:
    page = tmp_path / "parity.html"
    assert parity("--lane", "recorded", "--html", str(page)).exit_code == 0
    assert "pycompare parity --lane recorded --html again.html" in page.read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    assert text.count("<td>identical bits</td>") == 2
    assert "<figcaption>lr_one_cycle: recorded R torch, identical bits</figcaption>" in text
    (picture,) = re.findall(r'<img src="data:image/png;base64,([^"]+)"', text)
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert not re.search(r"(src|href)=\"(?!data:|#)|url\(|@import|<script", text)


def test_html_that_cannot_be_written_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "run", lambda lane: pytest.fail("ran"))
    (tmp_path / "file").touch()
    result = parity("--html", str(tmp_path / "file" / "parity.html"))
    assert result.exit_code == 2
    assert "must be in a folder that can be written" in result.stderr


def test_every_exercise_in_r_is_in_a_table() -> None:
    exercises = {path.stem for path in (reference_folder() / "R").glob("*.R")}
    assert exercises > PARTS
    named = {name for table in ALL for name in table.functions.split(", ")}
    assert exercises - PARTS <= named
