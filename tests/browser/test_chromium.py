"""The browser of the tests: what it is to notice, it notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.chromium import (
    axe_violations,
    console_errors,
    html_errors,
    open_page,
    requested_hosts,
    screenshot,
)

GOOD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Good</title></head>
<body><main><h1>Good</h1><p>All is well.</p></main></body></html>
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def shown(browser, page: Path, body: str = "") -> None:
    page.write_text(GOOD.replace("</main>", f"{body}</main>"), encoding="utf-8")
    open_page(browser, page)


def test_a_good_page_has_no_faults(browser, page: Path) -> None:
    shown(browser, page)
    assert browser.title == "Good"
    assert (console_errors(browser), requested_hosts(browser), axe_violations(browser)) == ([], set(), [])
    assert html_errors(page) == []


def test_an_error_in_the_console_is_told_once(browser, page: Path) -> None:
    shown(browser, page, "<script>console.error('so it went')</script>")
    assert "so it went" in console_errors(browser)[0]
    assert console_errors(browser) == []


def test_requests_are_told_though_nobody_answers(browser, page: Path) -> None:
    shown(browser, page, '<img src="https://example.com/a.png" alt="none">')
    assert requested_hosts(browser) == {"example.com"}
    assert "ERR_NAME_NOT_RESOLVED" in console_errors(browser)[0]


def test_faults_of_accessibility_are_told(browser, page: Path) -> None:
    shown(browser, page, '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><p style="color: #aaa">faint</p>')
    assert [told.split(":")[0] for told in axe_violations(browser)] == ["serious", "critical"]
    assert len(axe_violations(browser, impacts=("serious",))) == 1


def test_breaches_of_the_standard_are_told(page: Path) -> None:
    page.write_text(GOOD.replace("<p>", "<ul><p>").replace("</p>", "</p></ul>"), encoding="utf-8")
    assert any("element-permitted" in told for told in html_errors(page))


def test_screens_are_light_or_dark_wide_or_narrow(browser, page: Path) -> None:
    shown(browser, page)
    dark = "return matchMedia('(prefers-color-scheme: dark)').matches"
    assert not browser.execute_script(dark)
    open_page(browser, page, width=390, dark=True, grey=True)
    assert browser.execute_script(dark)
    assert browser.execute_script("return innerWidth") == 390
    assert screenshot(browser, page.with_suffix(".png")).read_bytes().startswith(b"\x89PNG")


def test_without_it_tests_are_skipped_or_where_it_is_required_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.browser import chromium

    monkeypatch.setattr(chromium, "HERE", Path("nowhere"))
    monkeypatch.delenv("PYCOMPARE_REQUIRE_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"axe-core is not installed\. Run tests/browser/install\.sh"):
        chromium._node_file("axe-core/axe.min.js")
    monkeypatch.setenv("PYCOMPARE_REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception, match="PYCOMPARE_REQUIRE_BROWSER=1, and no-such-browser is not inst"):
        chromium._program("no-such-browser")
