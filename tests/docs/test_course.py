"""The pages of docs/course/: every block and row runs in both languages, and what the pages say of it is computed."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from pycompare.parity import RError, RSession, mkl_kernels
from pycompare.parity.pages import Outcome, as_text, pairs, renewed, rows, run_page
from pycompare.parity.pytest_plugin import open_session
from pycompare.parity.session import reference_folder
from pycompare.parity.suite import TABLES
from pycompare.parity.tables.recorded import recording

COURSE = Path(__file__).parents[2] / "docs" / "course"
RENEW = SimpleNamespace(**runpy.run_path(str(COURSE / "renew.py")))
PAGES = [*RENEW.PAGES, RENEW.DICTIONARY]
EXERCISE = COURSE / "exercise.md"
TWINS = {path.stem: path for path in sorted((reference_folder() / "R").glob("*.R"))}
PYTHON_NAMES = {"nn_mlp": "class MLP(", "nn_dropout_mlp": "class DropoutMLP(", "with_r_seed": "RRandom("}
# What of R torch a line uses: its functions, and the methods and fields of what they return.
TORCH_NAME = re.compile(
    r"\b(?:torch|nnf?|optim|lr|with|dataset|tensor|dataloader|as)_\w+|coro::loop|\$[a-z_]+(?=\()"
    r"|\$(?:grad|shape|weight|bias|parameters|children|modules|param_groups|betas|lr)\b"
)


@pytest.fixture(scope="module")
def session() -> Iterator[RSession | None]:
    """R, or None where it is not to be had: then the pages' Python runs alone."""
    try:
        opened = open_session()
    except pytest.skip.Exception:
        yield None
        return
    with opened:
        yield opened


@pytest.fixture(scope="module")
def outcomes() -> dict[Path, list[Outcome]]:
    """What the pages gave, for the totals."""
    return {}


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def check(page: Path, session: RSession | None) -> list[Outcome]:
    """The sides are as near as they must be; where the bits are the recording's, the page says what they give."""
    text, found = read(page), run_page(page, session)
    assert [f"{page.name}:{one.pair.line}: {one.verdict}" for one in found if not one.passed] == []
    if mkl_kernels() == "recorded":
        shown = [
            frame for one in found[: len(list(pairs(text)))] for frame in (one.ours, one.shown) if frame is not None
        ]
        assert [as_text(frame) for frame in shown if f"```text\n{as_text(frame)}\n```" not in text] == []
        if session and session.backend == "basetorch":
            assert renewed(text, found) == text
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_says_what_its_code_gives(
    page: Path, session: RSession | None, outcomes: dict[Path, list[Outcome]]
) -> None:
    outcomes[page] = check(page, session)


def test_the_start_page_has_the_totals(session: RSession | None, outcomes: dict[Path, list[Outcome]]) -> None:
    if session is None or session.backend != "basetorch" or outcomes.keys() != set(PAGES):
        pytest.skip("needs all pages, run with the stand-in")
    index = read(COURSE / "index.md")
    assert RENEW.index_text(index, outcomes) == index


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_nothing_on_the_page_is_left_out(page: Path) -> None:
    text = read(page)
    fences = re.findall(r"^```(\w*)\n", text, flags=re.MULTILINE)
    found = list(pairs(text))
    assert fences == ["r", "", "text", "", "python", "", "text", ""] * len(found)
    assert text.count("\n<!-- pair") == text.count("\n**Verdict.** ") == len(found)
    assert len(list(rows(text))) == len(re.findall(r"(?m)^\| `", text))


@pytest.mark.parametrize("name", TWINS)
def test_every_function_in_r_stands_on_a_page_beside_its_translation(name: str) -> None:
    lines = read(TWINS[name]).splitlines()
    code = "\n".join(line for line in lines if not line.startswith("#'")).strip()
    beside = [pair.python for page in PAGES for pair in pairs(read(page)) if code in pair.r]
    assert any(PYTHON_NAMES.get(name, f"def {name}(") in python for python in beside)


def test_the_recorded_tables_are_all_on_the_pages() -> None:
    """But those of random draws and initialisers, which the dictionary has, and of other optimizers."""
    shown = {pair.settings.recorded for page in PAGES for pair in pairs(read(page))}
    assert {table.name for table in TABLES} - shown == {"torch_random", "inits", "one_cycle", "optimizers"}


def test_the_dictionary_has_all_of_torch_that_the_code_in_r_uses() -> None:
    code = "\n".join(map(read, (*TWINS.values(), reference_folder() / "recorded_labs" / "record.R")))
    code = "\n".join(line.split("# ")[0] for line in code.splitlines() if not line.startswith("#"))
    entries = {name for row in rows(read(RENEW.DICTIONARY)) for name in TORCH_NAME.findall(row.r)}
    entries |= {name for pair in pairs(read(RENEW.DICTIONARY)) for name in TORCH_NAME.findall(pair.r)}
    defined = set(re.findall(r"(\w+) <- ", code))
    assert sorted(set(TORCH_NAME.findall(code)) - entries - defined) == []


@pytest.fixture
def short_page(tmp_path: Path) -> Path:
    """The beginnings of a page and of the dictionary."""
    text, dictionary = (read(COURSE / name).split("\n## ") for name in ("rosenbrock.md", "dictionary.md"))
    page = tmp_path / "page.md"
    page.write_text("\n## ".join([*text[:2], *dictionary[1:5], ""]), encoding="utf-8")
    return page


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(1 - x)^2 + 2 *", "(1 - x)^2 + 3 *"),  # in R
        ("(y - x^2)^2", "(y - z^2)^2"),
        ("(1 - x) ** 2 + 2 *", "(1 - x) ** 2 + 3 *"),  # in Python
        ("(y - x**2)", "(y - z**2)"),
        ("```text\n6 9 2\n", "```text\n6 9 3\n"),  # in what they gave
        ("**Identical bits** with", "At most 1e-07 relative from"),
        ("`x[1:2]`", "`x[1:3]`"),  # in the dictionary
        ("`m[0:2, 2]`", "`m[0:2, 1]`"),
        ("`x.sqrt()`", "`x.sqr()`"),
        (" equal |", " at most 1e-07 absolute |"),
    ],
)
def test_a_typo_is_found(right: str, wrong: str, short_page: Path, session: RSession | None) -> None:
    if session is None:
        pytest.skip("needs R")
    check(short_page, session)
    text = read(short_page)
    assert right in text
    short_page.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises((AssertionError, RError, NameError, AttributeError)):
        check(short_page, session)


def test_the_notebook_is_the_exercise() -> None:
    stored = nbformat.read(COURSE / "exercise.ipynb", as_version=4)
    nbformat.validate(stored)
    assert stored == RENEW.notebook(read(EXERCISE))
    assert sum(cell["cell_type"] == "code" for cell in stored.cells) == read(EXERCISE).count("```python\n")
    folded = [cell for cell in stored.cells if "hide-cell" in cell["metadata"].get("tags", ())]
    assert len(folded) == read(EXERCISE).count("```python\n") - 1  # all but the example


def test_the_solutions_run_and_give_the_recorded_numbers(tmp_path: Path) -> None:
    """Each cell with a recording is followed by one that keeps its numbers."""
    book, names = RENEW.notebook(read(EXERCISE)), {}
    for cell in list(book.cells):
        if recorded := cell["metadata"].get("recorded"):
            names[recorded] = tmp_path / f"{len(names)}.csv"
            keep = f"getattr(_, 'data', _).to_csv({str(names[recorded])!r}, index=False)"
            book.cells.insert(book.cells.index(cell) + 1, new_code_cell(keep))
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert len(names) == 6
    for recorded, path in names.items():
        table, where = recorded.split(", ", maxsplit=1)
        theirs, ours = pd.read_csv(recording(table)).query(where), pd.read_csv(path)
        budget = next(one.kernels for one in TABLES if one.name == table)
        for column in set(ours) & set(theirs) - {"epoch", "step"}:
            left, right = ours[column].to_numpy(), theirs[column].to_numpy()
            assert np.array_equal(left, right) or (
                mkl_kernels() != "recorded" and np.allclose(left, right, rtol=budget.rtol, atol=budget.atol)
            )
