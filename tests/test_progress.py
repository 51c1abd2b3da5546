from __future__ import annotations

import io
import sys
from types import ModuleType, SimpleNamespace

import pytest

from pycompare import progress
from pycompare.progress import progress_bar


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, show: bool = True) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar(3, unit="epoch", show=show, description="first") as bar:
        for description in ("run 1/2", "run 2/2"):
            bar.set_description(description)
            bar.update()
    return stream.getvalue()


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _shown(monkeypatch, _Terminal())
    assert "first:   0%" in shown
    assert "run 2/2:" in shown


def test_elsewhere_there_is_a_line_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _shown(monkeypatch, io.StringIO()) == "run 1/2\nrun 2/2\n"


@pytest.mark.parametrize("stream", [io.StringIO(), _Terminal()])
def test_not_asked_for_it_writes_nothing(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _shown(monkeypatch, stream, show=False) == ""


def test_without_stderr_it_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with progress_bar(3, unit="epoch") as bar:
        bar.set_description("run 1/2")


def _in_a_notebook(monkeypatch: pytest.MonkeyPatch, *, widgets: bool) -> None:
    ipython = ModuleType("IPython")
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr(progress, "find_spec", lambda _: object() if widgets else None)


def test_a_notebook_shows_a_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    _in_a_notebook(monkeypatch, widgets=True)
    assert progress._tqdm().__module__ == "tqdm.notebook"


def test_a_notebook_without_widgets_has_lines_and_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    _in_a_notebook(monkeypatch, widgets=False)
    assert _shown(monkeypatch, io.StringIO()) == "run 1/2\nrun 2/2\n"
