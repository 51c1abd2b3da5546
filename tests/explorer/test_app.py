"""How the explorer starts."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pycompare.cli import app
from pycompare.explorer.app import _WWW, _open
from pycompare.explorer.tabs import TABS

URL = 'http://127.0.0.1:1/token/?a=1&b="'


def test_the_page_waits_for_neither_torch_nor_pandas() -> None:
    code = "import sys; from pycompare.explorer.app import explorer_app; from pycompare.explorer.tabs import TABS;"
    code += "explorer_app(TABS); print({'torch', 'pandas', 'plotnine'} & {*sys.modules})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"


def test_without_the_extra_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["pycompare.cli.explore"], "find_spec", lambda name: None)
    told = CliRunner().invoke(app, ["explore"])
    assert told.exit_code == 2
    assert "pip install -c constraints.txt '.[explore]'" in told.output


def test_the_browser_gets_the_token_from_a_file_that_others_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYCOMPARE_CACHE", str(tmp_path))
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    for _ in range(2):
        _open(URL)
    (file,) = tmp_path.iterdir()
    assert opened == [file.as_uri()] * 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert "http://127.0.0.1:1/token/?a=1&amp;b=&quot;" in file.read_text()


def test_a_browser_that_cannot_be_told_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PYCOMPARE_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("webbrowser.open", pytest.fail)
    _open(URL)


def test_plotly_is_the_file_that_its_source_tells() -> None:
    digest = hashlib.sha256((_WWW / "plotly.min.js").read_bytes()).hexdigest()
    assert f"sha256 {digest}" in (_WWW / "plotly.SOURCE.txt").read_text()


def test_every_tab_has_a_script() -> None:
    assert all(f"draw.{tab.name} = " in (_WWW / f"{tab.name}.js").read_text() for tab in TABS)
