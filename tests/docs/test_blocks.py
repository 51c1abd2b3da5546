"""Every fenced block of the documentation runs, or says why not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pycompare.parity import RError

ROOT = Path(__file__).parents[2]
COURSE = ROOT / "docs" / "course"  # its blocks are run, and compared, in a test of its own
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted({*(ROOT / "docs").rglob("*.md")} - {*COURSE.rglob("*.md")}),
]
FENCE = re.compile(r"\s*(?P<marks>`{3,}|~{3,})(?P<info>.*)")
NO_CODE = ("{include}", "{toctree}")
TYPOS = [
    ("docs/store.md", "python", "mkdtemp()", "mkdtmp()", NameError),
    pytest.param("docs/tutorial.md", "R", "compare_configs", "compare_confgis", RError, marks=pytest.mark.r),
    ("README.md", "sh", "make demo", "make dmeo", AssertionError),
    ("docs/labs/one-cycle.md", "sh", "--max-lr", "--mxa-lr", AssertionError),
]


@pytest.fixture(scope="module")
def sybil(request: pytest.FixtureRequest) -> Any:
    """What collects the pages: conftest.py's at the root."""
    plugins = request.config.pluginmanager.get_plugins()
    (root,) = (plugin for plugin in plugins if getattr(plugin, "__file__", None) == str(ROOT / "conftest.py"))
    return root.PAGES


def blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, language and code of every fenced block."""
    lines = text.splitlines(keepends=True)
    start, marks, language = 0, "", ""
    for number, match in enumerate(map(FENCE.match, lines), 1):
        if match and not marks:
            start, marks, language = number, match["marks"], match["info"].strip()
        elif match and match["marks"].startswith(marks) and not match["info"].strip():
            yield start, language, "".join(lines[start : number - 1])
            marks = ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_run_or_skipped_with_a_reason(sybil: Any, page: Path) -> None:
    examples = list(sybil.parse(page).examples())
    found = {example.line - above for example in examples for above in (0, 1)}  # a doctest begins below the fence
    code = [block for block in blocks(page.read_text(encoding="utf-8")) if not block[1].startswith(NO_CODE)]
    assert [(line, language) for line, language, _ in code if line not in found] == []
    skips = [example.parsed for example in examples if isinstance(example.parsed, tuple)]
    assert [action for action, reason in skips if not reason] == []


@pytest.mark.parametrize(("page", "language", "word", "typo", "error"), TYPOS)
def test_a_typo_in_a_block_is_found(
    sybil: Any, tmp_path: Path, page: str, language: str, word: str, typo: str, error: type[Exception]
) -> None:
    code = next(code for _, name, code in blocks((ROOT / page).read_text()) if name == language and word in code)
    copy = tmp_path / "copy.md"
    copy.write_text(f"```{language}\n{code.replace(word, typo)}```\n")
    (example,) = sybil.parse(copy).examples()
    with pytest.raises(error):
        example.evaluate()
