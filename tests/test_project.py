"""What several files of the repository say must agree, and what they name must exist."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PATH = re.compile(r"(?<![\w/.-])(?:tests|docs|pycompare|r_reference|benchmarks|parity|training)/[\w/.-]*\w")


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def pinned(package: str) -> str:
    (version,) = re.findall(rf"(?m)^{package}==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"))
    return version


def bounds(package: str) -> tuple[str, list[int]]:
    """The oldest version that pyproject.toml allows, and the parts of the first one above."""
    (requirement,) = (text for text in PROJECT["dependencies"] if text.startswith(f"{package}>="))
    oldest, above = re.fullmatch(rf"{package}>=([\d.]+),<([\d.]+)", requirement).groups()
    return oldest, [int(part) for part in above.split(".")]


def test_the_hosted_matrix_has_every_python_and_both_ends_of_torch() -> None:
    matrix = load(".github/workflows/ci.yml")["jobs"]["without-r"]["strategy"]["matrix"]
    prefix = "Programming Language :: Python :: "
    pythons = [text.removeprefix(prefix) for text in PROJECT["classifiers"] if text.startswith(prefix)]
    assert matrix["python"] == pythons
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    oldest, (major, minor) = bounds("torch")
    assert matrix["torch"] == [f"{major}.{minor - 1}.*"]
    assert [(lane["python"], lane["torch"]) for lane in matrix["include"]] == [(pythons[0], f"{oldest}.0")]


def test_one_hosted_lane_requires_r_and_the_others_leave_it_out() -> None:
    lanes = {
        name: (job.get("env", {}).get("PYCOMPARE_REQUIRE_R"), job["steps"][-1]["run"])
        for name, job in load(".github/workflows/ci.yml")["jobs"].items()
    }
    assert lanes == {"without-r": (None, "make test WITHOUT_R=1"), "with-r": ("1", "make test")}


def test_pre_commit_has_the_pinned_ruff() -> None:
    (repository,) = load(".pre-commit-config.yaml")["repos"]
    assert repository["rev"] == f"v{pinned('ruff')}"


def test_the_citation_is_of_this_version() -> None:
    citation = load("CITATION.cff")
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert citation["abstract"] == f"{PROJECT['description']}."
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]


def test_the_issue_form_asks_for_what_a_difference_needs() -> None:
    fields = {field["id"]: field for field in load(".github/ISSUE_TEMPLATE/bits-differ.yml")["body"] if "id" in field}
    required = {name for name, field in fields.items() if field.get("validations", {}).get("required")}
    assert required == {"doctor", "python", "r", "ours", "theirs", "r-version", "backend"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = [ROOT / path for path in PATH.findall(text) if not path.startswith(("parity/", "training/"))]
    named += [ROOT / "pycompare" / path for path in PATH.findall(text) if path.startswith(("parity/", "training/"))]
    words = re.sub(r"```.*?```", "", text, flags=re.DOTALL)  # in code `[i](x)` is no link
    named += [page.parent / link for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", words)]
    assert [str(path) for path in named if not path.exists()] == []


def test_no_page_installs_from_an_index_that_does_not_have_the_package() -> None:
    assert [page.name for page in PAGES if "install 'pycompare-rtorch" in page.read_text(encoding="utf-8")] == []


def test_make_demo_says_what_it_does_in_short_lines() -> None:
    steps = subprocess.run(
        ["make", "-n", "-W", "pyproject.toml", "demo"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    said = re.findall(r"^echo '(.*)'$", steps, flags=re.MULTILINE)
    assert {line.split()[0] for line in said} >= {"Making", "Installing", "Installed.", "Training"}
    assert max(map(len, said)) < 80
