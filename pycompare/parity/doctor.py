"""What this machine has for parity with R, what is missing, and how to get it."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from pycompare.data.split import course_data
from pycompare.parity.kernels import mkl_kernels
from pycompare.parity.session import RSession, RUnavailable
from pycompare.seeding import torch_manual_seed
from pycompare.threads import torch_threads
from pycompare.training.loop import begin_training
from pycompare.training.losses import find_loss
from pycompare.training.network import MLP
from pycompare.training.options import Options

_R_PACKAGES = ("torch", "mlbench", "ggplot2", "jsonlite", "testthat")
# Prints R's version and those of packages, a line each. R torch without its libraries is not yet installed.
_PRINT_VERSIONS = """
version <- function(package) {
  there <- requireNamespace(package, quietly = TRUE) && (package != "torch" || torch::torch_is_installed())
  if (there) as.character(packageVersion(package)) else ""
}
writeLines(c(as.character(getRversion()), vapply(commandArgs(trailingOnly = TRUE), version, "")))
"""
_PACKAGE = 'in R: install.packages("{0}"); Debian: r-cran-{0}'
_REMEDIES = {
    "numba": "optional, for engine='compiled'; in a checkout: pip install -c constraints.txt '.[fast]'",
    "rpy2": "in a checkout: pip install -c constraints.txt '.[r]'",
    "R": "install R; Debian: apt-get install r-base-core r-base-dev",
    "R torch": 'optional; in R: install.packages("torch"); torch::install_torch()',
    "mlbench": _PACKAGE.format("mlbench"),
    "ggplot2": _PACKAGE.format("ggplot2"),
    "jsonlite": "only to record; " + _PACKAGE.format("jsonlite"),
    "testthat": "only for R's tests; " + _PACKAGE.format("testthat"),
}


def diagnose() -> pd.DataFrame:
    """One row for each thing that parity needs: name, version ("missing" where it is not there), and the remedy.

    The row "engine" has, in their places, who would train the course's sweep now, and why.
    """
    found = {
        "Python": platform.python_version(),
        "pycompare": version("pycompare-rtorch"),
        "torch": version("torch"),
        "MKL kernels": mkl_kernels(),
        "numba": _installed("numba"),
        "rpy2": _installed("rpy2"),
    } | _r_versions()
    rows = [(name, value or "missing", "" if value else _REMEDIES[name]) for name, value in found.items()]
    return pd.DataFrame([*rows, _session_row(found), _engine_row()], columns=["name", "version", "remedy"])


def _engine_row() -> tuple[str, str, str]:
    """Who trains the exercise's network on its data, for as long as the exercise does."""
    data, options = course_data(), Options(30, 16, "adamw", {}, find_loss("mse"))
    with torch_threads(1), torch_manual_seed(123):
        training = begin_training(MLP(4), data.train, data.valid, options)
    return "engine", training.engine.name, training.why


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _r_versions() -> dict[str, str]:
    """The versions that R itself prints, which needs no rpy2."""
    names = ["R", *("R torch" if package == "torch" else package for package in _R_PACKAGES)]
    rscript = shutil.which("Rscript")
    if rscript is None:
        return dict.fromkeys(names, "")
    command = [rscript, "--vanilla", "-e", _PRINT_VERSIONS, *_R_PACKAGES]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(zip(names, printed.splitlines(), strict=True))


def _session_row(found: dict[str, str]) -> tuple[str, str, str]:
    if lacking := [name for name in ("R", "rpy2") if not found[name]]:
        return "RSession", "does not start", f"needs {' and '.join(lacking)}: see there"
    try:
        RSession(backend=None).close()
    except RUnavailable as error:
        return "RSession", "does not start", str(error)
    return "RSession", "starts", ""
