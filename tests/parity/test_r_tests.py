"""The tests of the R side, which are written in R, and the recording's command line."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from pycompare.parity.session import reference_folder

pytestmark = pytest.mark.r

# A package in the place of R torch: where it is loaded, its S3 methods get what the stand-in's should get.
TORCH = {
    "DESCRIPTION": "Package: torch\nVersion: 0.0.1\n",
    "NAMESPACE": """
        export(torch_is_installed)
        S3method("$", torch_tensor)
        S3method("+", torch_tensor)
        S3method(print, torch_tensor)
    """,
    "R/torch.R": """
        torch_is_installed <- function() Sys.getenv("TORCH_LIBRARIES") == "there"
        print.torch_tensor <- function(...) stop("a method of R torch was called")
        `$.torch_tensor` <- `+.torch_tensor` <- print.torch_tensor
    """,
}
IN_PLACE_OF = "Using basetorch in place of R torch"


def rscript(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["Rscript", *arguments],
        cwd=reference_folder(),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def r_library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library of R packages that holds the package in the place of R torch."""
    package, library = tmp_path_factory.mktemp("torch"), tmp_path_factory.mktemp("library")
    (package / "R").mkdir()
    for file, text in TORCH.items():
        (package / file).write_text(textwrap.dedent(text))
    subprocess.run(["R", "CMD", "INSTALL", "-l", library, package], capture_output=True, timeout=100, check=True)
    return str(library)


def test_the_tests_in_r_pass() -> None:
    result = rscript("tests/run.R")
    counts = re.search(r"\[ FAIL (\d+) \| WARN (\d+) \| SKIP (\d+) \| PASS (\d+) \]", result.stdout)
    assert counts, result.stdout + result.stderr
    fail, warn, _, passed = map(int, counts.groups())
    assert (result.returncode, fail, warn) == (0, 0, 0), result.stdout
    assert passed > 250


def test_nothing_is_recorded_without_r_torch(r_session, tmp_path: Path) -> None:
    if r_session.backend == "torch":
        pytest.skip("R torch is installed")
    result = rscript("record.R", str(tmp_path / "out"))
    assert result.returncode == 1
    assert "The backend must be R torch to record; got basetorch. Install the R package torch." in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_tests_in_r_pass_where_r_torch_is_installed(r_library: str) -> None:
    code = 'options(pycompare.backend = "basetorch"); testthat::test_dir("tests", filter = "attach|autograd|landscape")'
    result = rscript("-e", code, R_LIBS=r_library, TORCH_LIBRARIES="there")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("backend", "libraries", "says", "loaded"),
    [
        ("basetorch", "there", IN_PLACE_OF, False),
        ("auto", "missing", IN_PLACE_OF, False),
        ("auto", "there", "Using R torch 0.0.1", True),
        ("torch", "there", "Using R torch 0.0.1", True),
        ("torch", "missing", 'without R torch; got "torch". Install it with', False),
    ],
)
def test_r_torch_is_loaded_only_where_it_is_used(
    backend: str, libraries: str, says: str, loaded: bool, r_library: str
) -> None:
    code = f"""
        options(pycompare.backend = "{backend}")
        tryCatch(source("attach.R"), error = function(e) message(conditionMessage(e)))
        cat(isNamespaceLoaded("torch"))
    """
    result = rscript("-e", code, R_LIBS=r_library, TORCH_LIBRARIES=libraries)
    assert says in result.stderr
    assert result.stdout == str(loaded).upper()


def test_the_stand_in_is_not_attached_over_a_loaded_r_torch(r_library: str) -> None:
    code = 'loadNamespace("torch"); options(pycompare.backend = "basetorch"); source("attach.R")'
    result = rscript("-e", code, R_LIBS=r_library)
    assert result.returncode == 1
    assert "basetorch must be attached before R torch is loaded. Start a new R session." in result.stderr
