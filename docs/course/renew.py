"""Renews what is computed of the pages beside this file: outputs, verdicts, the totals of index.md, exercise.ipynb.

`python docs/course/renew.py` needs R. tests/docs/test_course.py fails where a page is not what this makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from pycompare.parity import RSession
from pycompare.parity.pages import Outcome, renewed, run_page
from pycompare.parity.session import reference_folder

HERE = Path(__file__).resolve().parent
PAGES = [
    HERE / f"{name}.md" for name in ("optimizer", "rosenbrock", "initialization", "landscape", "dropout", "schedules")
]
DICTIONARY = HERE / "dictionary.md"
_TOTALS = re.compile(r"(?<=<!-- totals -->\n).*?(?=<!-- end of totals -->)", re.DOTALL)
_SOLUTION = re.compile(r"^:::\{dropdown\} Solution\n(.*?)^:::\n", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"(?:<!-- recorded: (?P<recorded>[^\n]*) -->\n)?```python\n(?P<code>.*?)\n```\n", re.DOTALL)


def index_text(text: str, outcomes: Mapping[Path, list[Outcome]]) -> str:
    """The start page with the totals of all pages."""
    return _TOTALS.sub(lambda _: totals(outcomes), text)


def totals(outcomes: Mapping[Path, list[Outcome]]) -> str:
    """A table of what was compared on each page, and what that comes to."""
    rows = [_total(_title(page), page.name, outcomes[page]) for page in (*PAGES, DICTIONARY)]
    every = [outcome for page in outcomes.values() for outcome in page]
    recorded = [outcome.recorded for outcome in every if outcome.recorded]
    identical = sum(len(report.data) for report in recorded if report.identical)
    functions = len(list((reference_folder() / "R").glob("*.R")))
    alone = sum(outcome.live is None for outcome in every)
    return (
        "\n| page | run in both languages | numbers recorded by R torch | in all bits equal | numbers of R now |\n"
        "|---|---|---|---|---|\n" + "".join(rows) + f"\nAll {functions} functions of `r_reference/R/` are translated."
        f" {identical:,} of {sum(len(report.data) for report in recorded):,} recorded numbers are equal in every bit."
        f" {alone} rows of the dictionary need real R torch, and ran in Python alone.\n\n"
    )


def notebook(text: str) -> NotebookNode:
    """The exercise as a notebook, its solutions folded."""
    cells = []
    for part, solution in _parts(text):
        cells += _cells(part, solution)
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return new_notebook(cells=cells, metadata=kernel)


def _total(title: str, name: str, outcomes: list[Outcome]) -> str:
    recorded = [outcome.recorded.data for outcome in outcomes if outcome.recorded]
    equal = sum(len(o.recorded.data) for o in outcomes if o.recorded and o.recorded.identical)
    live = [outcome.live.data for outcome in outcomes if outcome.live]
    return f"| [{title}]({name}) | {len(live)} | {sum(map(len, recorded)):,} | {equal:,} | {sum(map(len, live)):,} |\n"


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").split("\n")[0].removeprefix("# ")


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text by turns outside and inside of solutions."""
    for number, part in enumerate(_SOLUTION.split(text)):
        yield part, number % 2 == 1


def _cells(text: str, solution: bool) -> Iterator[NotebookNode]:
    """Text and code of a part; those of a solution can be unfolded."""
    end = 0
    for match in _BLOCK.finditer(text):
        yield from _markdown(text[end : match.start()], solution)
        folded = {"tags": ["hide-cell"], "jupyter": {"source_hidden": True, "outputs_hidden": True}} if solution else {}
        recorded = {"recorded": match["recorded"]} if match["recorded"] else {}
        yield new_code_cell(match["code"], metadata=folded | recorded)
        end = match.end()
    yield from _markdown(text[end:], solution)


def _markdown(text: str, solution: bool) -> Iterator[NotebookNode]:
    if text := text.strip():
        folded = f"<details>\n<summary>Solution</summary>\n\n{text}\n\n</details>"
        yield new_markdown_cell(folded if solution else text)


if __name__ == "__main__":
    outcomes = {}
    with RSession("basetorch") as session:
        for page in (*PAGES, DICTIONARY):
            outcomes[page] = run_page(page, session)
            page.write_text(renewed(page.read_text(encoding="utf-8"), outcomes[page]), encoding="utf-8")
    index = HERE / "index.md"
    index.write_text(index_text(index.read_text(encoding="utf-8"), outcomes), encoding="utf-8")
    exercise = (HERE / "exercise.md").read_text(encoding="utf-8")
    nbformat.write(notebook(exercise), HERE / "exercise.ipynb")
