"""Reports of every result, as files and in a browser; their code makes the same bits again."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from typer.testing import CliRunner

from pycompare import compare_configs
from pycompare.cli import app
from pycompare.parity.tables.course import SWEEPS
from pycompare.results import Result, folder_report
from tests.browser.chromium import axe_violations, console_errors, html_errors, open_page, requested_hosts
from tests.test_results import RESULTS

ELSEWHERE = re.compile(r"(src|href)=\"(?!data:|#)|url\(|@import|<script")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every result's report in three formats, and every result, saved; each picture is drawn once."""
    folder = tmp_path_factory.mktemp("reports")
    drawn: dict[int, bytes] = {}
    draw = Result._drawn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Result, "_drawn", lambda self, kind: drawn.setdefault(id(self), draw(self, kind)))
        for name, make in RESULTS.items():
            result = make()
            for suffix in ("html", "md", "ipynb"):
                assert result.report(folder / f"{name}.{suffix}") == folder / f"{name}.{suffix}"
            result.save(folder / "saved" / name)
            result.data.to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_has_a_report_in_three_formats(name: str, reports: Path) -> None:
    page = (reports / f"{name}.html").read_text(encoding="utf-8")
    assert not ELSEWHERE.search(page)
    assert "<h2" in page
    markdown = (reports / f"{name}.md").read_text(encoding="utf-8")
    beside = re.findall(r"\(<([^>]+)>\)", markdown)
    assert {reports / file for file in beside} == {*(reports / f"{name}_files").iterdir()}
    data = [(reports / file).read_bytes() for file in beside if file.endswith(f"{name}.csv")]
    assert (reports / f"{name}.csv").read_bytes() in data
    nbformat.validate(nbformat.read(reports / f"{name}.ipynb", 4))
    for text in (page, markdown):
        assert "Make it again" in text
        assert "versions" in text


@pytest.fixture(scope="module")
def all_results(reports: Path) -> Path:
    page = reports / "all.html"
    told = CliRunner().invoke(app, ["report", str(reports / "saved"), "--out", str(page)])
    assert told.stdout.strip() == f"Saved {page}", told.output
    return page


def test_a_folder_has_a_report_of_all_results_in_it(all_results: Path) -> None:
    page = all_results.read_text(encoding="utf-8")
    saved = [*json.loads((all_results.parent / "saved/discipline/settings.json").read_text())]
    assert len(re.findall("<h2", page)) == len(RESULTS) - 1 + len(saved)
    assert page.count("<img ") == page.count("<h2")
    assert not ELSEWHERE.search(page)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_browser_shows_all_pictures_and_finds_no_faults(browser, all_results: Path, width: int, dark: bool) -> None:
    open_page(browser, all_results, width=width, dark=dark)
    assert browser.execute_script("return [...document.images].every(image => image.naturalWidth > 0)")
    assert browser.execute_script("return document.images.length") >= len(RESULTS)
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    assert (console_errors(browser), requested_hosts(browser), axe_violations(browser)) == ([], set(), [])


@pytest.mark.parametrize("name", ["comparison", "discipline", "all"])
def test_pages_keep_the_standard(name: str, reports: Path, all_results: Path) -> None:
    assert html_errors(reports / f"{name}.html") == []


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """The course's sweeps, a few epochs of each."""
    return {name: compare_configs(2, **arguments, progress=False) for name, arguments in SWEEPS.items()}


@pytest.mark.parametrize("name", SWEEPS)
def test_the_code_in_a_report_makes_the_same_bits_again(
    name: str, course: dict[str, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = course[name].report("report.md").read_text(encoding="utf-8")
    python, command = (re.search(rf"```{kind}\n(.*?)\n```", page, re.DOTALL)[1] for kind in ("python", "sh"))
    names: dict[str, Any] = {}
    exec(python, names)
    pd.testing.assert_frame_equal(names["result"].data, course[name].data, check_exact=True)
    told = CliRunner().invoke(app, [*shlex.split(command)[1:], "--formats", "svg"])
    assert told.exit_code == 0, told.output
    assert Path("again/comparison.csv").read_bytes() == course[name].data.to_csv(index=False).encode()


def test_a_report_of_what_was_saved_says_what_one_of_the_result_does(course: dict[str, Result], tmp_path: Path) -> None:
    result = course["lr"]
    result.save(tmp_path / "saved")
    result.report(tmp_path / "made.html")
    told = CliRunner().invoke(app, ["report", str(tmp_path / "saved")])
    assert told.exit_code == 0, told.output
    assert (tmp_path / "saved" / "report.html").read_bytes() == (tmp_path / "made.html").read_bytes()


def test_what_cannot_be_written_is_to_be_supplied(reports: Path) -> None:
    text = (reports / "boundary.md").read_text(encoding="utf-8")
    assert "To be supplied, as they cannot be written as code: network (a dict)." in text
    assert r"No command does what decision\_boundary does." in text


def test_an_older_folder_has_a_report(tmp_path: Path) -> None:
    RESULTS["trajectory"]().save(tmp_path, ())
    settings = json.loads((tmp_path / "settings.json").read_text())
    for name in ("told", "call", "pictures"):
        del settings["trajectory"][name]
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    report = folder_report(tmp_path)
    assert report.title == "trajectory"
    assert "No picture of it was saved" in str(report)
    assert "What made it is not known" in str(report)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("report.pdf", r"`file` must end in .html, .md or .ipynb; got '.*report.pdf'. Rename it."),
        ("report", r"`file` must end in .html, .md or .ipynb; got"),
        ("taken.html", r"`file` must be a file; got '.*taken.html', which is a folder"),
        ("a_file/report.html", r"`file` must be in a folder that can be written; got"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_anything_is_drawn(
    file: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken.html").mkdir()
    (tmp_path / "a_file").touch()
    monkeypatch.setattr(Result, "_drawn", lambda *_: pytest.fail("drawn"))
    with pytest.raises(ValueError, match=message):
        RESULTS["trajectory"]().report(tmp_path / file)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "folder must hold what save() wrote; got"),
        (["."], "where no result is"),
        ([".", "--out", "report.pdf"], "--out must end in .html, .md or .ipynb; got 'report.pdf'. Rename it."),
    ],
)
def test_a_command_that_cannot_report_ends_with_one_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["report", *arguments])
    assert told.exit_code == 2
    assert message in told.stderr
    assert told.stderr.count("\n") == 1


@pytest.fixture
def _kernel_finds_us(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    return


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("_kernel_finds_us")
def test_a_notebook_is_executed_and_its_page_shows_picture_and_summary(
    browser, course: dict[str, Result], tmp_path: Path
) -> None:
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    made = nbformat.read(course["lr"].report(tmp_path / "report.ipynb"), 4)
    (code,) = (cell for cell in made.cells if cell.cell_type == "code")
    code.outputs = []
    NotebookClient(made, timeout=300, kernel_name="python3").execute()
    page = tmp_path / "page.html"
    page.write_text(HTMLExporter(template_name="basic").from_notebook_node(made)[0], encoding="utf-8")
    open_page(browser, page)
    shown = browser.execute_script("return [...document.images].map(image => [image.naturalWidth, image.width])")
    assert shown
    assert all(dots == 2 * width > 0 for dots, width in shown)
    text = browser.execute_script("return document.body.innerText")
    summary = course["lr"].summary()
    assert all(str(config) in text for config in summary["config"])
    assert all(f"{loss:.6f}" in text for loss in summary["last_valid_loss"])
    assert requested_hosts(browser) == set()
