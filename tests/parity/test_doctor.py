"""`pycompare doctor`."""

from __future__ import annotations

import platform

import pytest
import torch
from typer.testing import CliRunner

from pycompare import compare_configs
from pycompare.cli import app
from pycompare.parity import RUnavailable, doctor, mkl_kernels

NAMES = [
    "Python",
    "pycompare",
    "torch",
    "MKL kernels",
    "numba",
    "rpy2",
    "R",
    "R torch",
    "mlbench",
    "ggplot2",
    "jsonlite",
]


@pytest.fixture
def _no_r(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*_: object, **__: object) -> None:
        raise RUnavailable("R does not start: no R here.")

    monkeypatch.setattr(doctor, "RSession", unavailable)
    monkeypatch.setattr("shutil.which", lambda _: None)


@pytest.mark.r
def test_with_r_the_versions_are_those_in_use() -> None:
    rows = doctor.diagnose().set_index("name")
    assert rows.index.tolist() == [*NAMES, "testthat", "RSession", "engine"]
    assert rows.loc[["Python", "torch", "MKL kernels"], "version"].tolist() == [
        platform.python_version(),
        torch.__version__,
        mkl_kernels(),
    ]
    assert rows.loc["R", "version"].count(".") == 2
    assert rows.loc["RSession"].tolist() == ["starts", ""]
    rows = rows.drop(index="engine")
    assert (rows["remedy"] == "").equals(~rows["version"].isin(["missing", "does not start"]))


@pytest.mark.r
def test_r_says_the_versions_of_its_packages(r_session) -> None:
    rows = doctor.diagnose().set_index("name")["version"]
    for package in ("mlbench", "ggplot2"):
        assert rows[package] == r_session.eval(f"as.character(packageVersion('{package}'))")


@pytest.mark.usefixtures("_no_r")
def test_without_r_all_that_is_missing_has_a_remedy() -> None:
    rows = doctor.diagnose().set_index("name")
    assert rows.loc["R"].tolist() == ["missing", "install R; Debian: apt-get install r-base-core r-base-dev"]
    for package in ("R torch", "mlbench", "ggplot2"):
        assert rows.loc[package, "version"] == "missing"
        assert "install" in rows.loc[package, "remedy"]
    assert rows.loc["RSession"].tolist() == ["does not start", "needs R: see there"]


@pytest.mark.parametrize(("r", "lacking"), [("4.2.2", "rpy2"), ("", "R and rpy2")])
def test_without_rpy2_it_says_how_to_install_it(r: str, lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version", _version_of_all_but_rpy2)
    monkeypatch.setattr(doctor, "_r_versions", lambda: dict.fromkeys(NAMES[6:], r))
    rows = doctor.diagnose().set_index("name")
    assert rows.loc["rpy2"].tolist() == ["missing", "in a checkout: pip install -c constraints.txt '.[r]'"]
    assert rows.loc["RSession"].tolist() == ["does not start", f"needs {lacking}: see there"]


@pytest.mark.usefixtures("_no_r")
def test_it_says_who_trains_here_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    made_with = compare_configs(30, lr=[0.1], progress=False).made_with
    assert doctor.diagnose().set_index("name").loc["engine"].tolist() == [made_with["engine"], made_with["why"]]
    monkeypatch.setattr("pycompare.training.engines.covers.has_numba", lambda: False)
    engine, why = doctor.diagnose().set_index("name").loc["engine"]
    assert (engine, "numba" in why) == ("fused", True)


@pytest.mark.r
def test_what_keeps_r_from_starting_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RUnavailable("R does not start: libR.so is broken.")

    monkeypatch.setattr(doctor, "RSession", broken)
    assert doctor.diagnose().set_index("name").loc["RSession", "remedy"] == "R does not start: libR.so is broken."


def _version_of_all_but_rpy2(name: str) -> str:
    if name == "rpy2":
        raise doctor.PackageNotFoundError(name)
    return "1.0"


@pytest.mark.usefixtures("_no_r")
def test_the_command_prints_the_table_in_short_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version", _version_of_all_but_rpy2)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    printed = result.output.splitlines()
    assert max(map(len, printed)) <= 80
    assert [line.split("  ")[0] for line in printed if not line.startswith(" ")] == [
        *NAMES,
        "testthat",
        "RSession",
        "engine",
    ]
    assert "    in a checkout: pip install -c constraints.txt '.[r]'" in printed
