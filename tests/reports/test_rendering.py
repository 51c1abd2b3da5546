"""A report as HTML, Markdown and a notebook."""

from __future__ import annotations

import base64
import re

import nbformat
import pandas as pd
import pytest

from pycompare.reports.html import html_page
from pycompare.reports.markdown import markdown_page
from pycompare.reports.notebook import notebook
from pycompare.reports.report import Code, Data, Picture, Report, Section, Table, Words, cells

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAMAAAADCAAAAABzQ+pjAAAADElEQVR4nGNgwAQAABUAAZt5Zk4AAAAASUVORK5CYII=")
NONE = "\N{EN DASH}"
CSV = b"x\n1\n"
TABLE = pd.DataFrame({"function": ["a <b> | *c*", "d"], "runs": [1, 26]})
DRAWS = Code("python", "1 < 2")
REPORT = Report(
    "R & <we>",
    (
        Section("One", (Picture(PNG, "png", "What is *seen*", code=DRAWS), Words("Why <so>.\n\n- a\n- b\nEnd."))),
        Section("Two", (Table("Of <what>", TABLE), Data("all.csv", CSV)), level=3),
        Section("Three", (DRAWS, Code("sh", "ls && ls"), Picture(b"<svg/>", "svg", "drawn", "Above it"))),
    ),
)


def test_a_page_escapes_and_has_all_parts() -> None:
    page = html_page(REPORT)
    assert "<h1>R &amp; &lt;we&gt;</h1>" in page
    assert "<p>Why &lt;so&gt;.</p>\n<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<p>End.</p>" in page
    assert '<th scope="row">a &lt;b&gt; | *c*</th><td>1</td></tr>\n<tr><th scope="row">d</th><td>26</td>' in page
    assert '<code class="sh">ls &amp;&amp; ls</code>' in page
    pictures = re.findall(r'<img src="data:([^;]+);base64,([^"]+)" alt="([^"]+)"([^>]*)>', page)
    assert [(kind, base64.b64decode(content), alt, size) for kind, content, alt, size in pictures] == [
        ("image/png", PNG, "What is *seen*", " width=2 height=2"),
        ("image/svg+xml", b"<svg/>", "drawn", ""),
    ]
    assert f'download="all.csv" href="data:text/csv;base64,{base64.b64encode(CSV).decode()}"' in page
    assert re.findall(r'href="#(\w+)">(\w+)', page) == re.findall(r'<h2 id="(\w+)">(\w+)', page)


def test_markdown_escapes_and_has_its_files_beside_it() -> None:
    page, files = markdown_page(REPORT, "a b_files")
    assert page.startswith(
        "# R & \\<we\\>\n\n## One\n\n![What is \\*seen\\*](<a b_files/1-picture.png>)\n\nWhy \\<so\\>."
    )
    assert "\n\n- a\n- b\n\nEnd.\n\n### Two\n\n" in page
    assert "| function | runs |\n| --- | --- |\n| a \\<b\\> \\| \\*c\\* | 1 |\n| d | 26 |" in page
    assert "```sh\nls && ls\n```" in page
    assert files == {"1-picture.png": PNG, "2-all.csv": CSV, "3-picture.svg": b"<svg/>"}
    assert re.findall(r"\(<a b_files/([^>]+)>\)", page) == [*files]


def test_a_notebook_has_the_picture_for_output_of_its_code() -> None:
    made = nbformat.reads(notebook(REPORT), 4)
    nbformat.validate(made)
    (code,) = (cell for cell in made.cells if cell.cell_type == "code")
    assert code.source == DRAWS.text
    (output,) = code.outputs
    assert base64.b64decode(output.data["image/png"]) == PNG
    assert not any("1 < 2" in cell.source for cell in made.cells if cell is not code)
    attached = [name for cell in made.cells for name in cell.get("attachments", {})]
    assert attached == ["all.csv", "picture.svg"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1 + 0.2, "0.3"),
        (1e-7, "1e-07"),
        (3, "3"),
        (True, "True"),
        (float("nan"), NONE),
        (pd.NA, NONE),
        ([1, 0.5], "1, 0.5"),
    ],
)
def test_numbers_in_tables_have_six_digits(value: object, shown: str) -> None:
    assert cells(pd.DataFrame({"x": pd.Series([value], dtype=object)})) == [[shown]]
