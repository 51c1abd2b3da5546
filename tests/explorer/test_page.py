"""The page in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from pycompare import Split, classification_data, compare_configs, decision_boundary
from pycompare.data.named import ROWS
from pycompare.explorer.controls import Slider
from pycompare.explorer.session import LARGEST_FILE
from pycompare.explorer.tab import all_controls
from pycompare.explorer.tabs import TABS
from tests.browser.chromium import axe_violations, console_errors, html_errors, open_page, requested_hosts
from tests.explorer.conftest import Served

LIMIT = 60  # seconds
SETTLED = "return typeof explorer !== 'undefined' && explorer.asked > 0 && explorer.drawn === explorer.asked"


@pytest.fixture
def opened(browser, served: Served) -> Callable[..., None]:
    """Opens the page in a state, and waits until it is drawn; after the test its console and its hosts are checked."""

    def open_state(query: dict[str, Any] | None = None, **screen: Any) -> None:
        open_page(browser, f"{served.url}?{urlencode(query or {}, doseq=True)}", **screen)
        settle(browser)

    yield open_state
    assert console_errors(browser) == []
    assert requested_hosts(browser) == {"127.0.0.1"}


def settle(browser) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, LIMIT, 0.02).until(lambda page: page.execute_script(SETTLED))


def put(browser, selector: str, value: str, *events: str) -> None:
    """Set a control to a value, as a hand does, and wait for the answer."""
    script = "const [at, value, events] = arguments; const control = document.querySelector(at); control.value = value;"
    script += "for (const event of events) control.dispatchEvent(new Event(event, { bubbles: true }));"
    browser.execute_script(script, f"section:not([hidden]) {selector}", value, events or ("input", "change"))
    settle(browser)


def click(browser, selector: str) -> None:
    browser.execute_script("document.querySelector(arguments[0]).click()", f"section:not([hidden]) {selector}")
    settle(browser)


def rows(browser) -> list[dict[str, str]]:
    """The table on the page, by its header."""
    script = "return all(arguments[0], section()).map(row => [...row.children].map(cell => cell.textContent.trim()))"
    (head,) = browser.execute_script(script, "thead tr")
    return [dict(zip(head, row, strict=True)) for row in browser.execute_script(script, "tbody tr")]


def curves(browser) -> list[list[float]]:
    """The curves as they are drawn."""
    return browser.execute_script("return one('[data-figure=curves]').data.map(line => [...line.y])")


SLIDERS = [
    pytest.param(tab.name, one, id=f"{tab.name}-{one.name}")
    for tab in TABS
    for one in all_controls(tab)
    if isinstance(one, Slider)
]


NEEDED = {"dampening": {"momentum": "0.9"}}  # settings without which a slider changes nothing


@pytest.mark.parametrize(("tab", "slider"), SLIDERS)
def test_every_slider_moves(browser, opened, tab: str, slider: Slider) -> None:
    opened({"tab": tab} | NEEDED.get(slider.name, {}))
    before = rows(browser)[0]
    at = abs(slider.stops.index(slider.default) - 1)
    put(browser, f"[data-slides={tab}-{slider.name}]", str(at))
    after = rows(browser)[0]
    assert after[slider.name] == slider.stops[at] != before[slider.name]
    assert f"{slider.name}={slider.stops[at]}" in browser.current_url
    assert after != before | {slider.name: slider.stops[at]}  # the numbers moved, too


def test_the_numbers_are_those_of_compare_configs(browser, opened) -> None:
    opened({"epochs": "5"})
    put(browser, "[data-slides=sweep-lr]", "24")
    lr = browser.execute_script("return one('#sweep-lr').value")
    direct = compare_configs(5, lr=[float(lr)])
    (shown,), (row,) = rows(browser), direct.summary().to_dict("records")
    assert (float(shown["last"]), float(shown["best"])) == (row["last_valid_loss"], row["best_valid_loss"])
    assert (int(shown["best epoch"]), shown["diverged at epoch"]) == (row["best_epoch"], "")
    assert curves(browser) == [direct.data["valid_loss"].tolist()]


def test_what_is_pinned_stays_and_can_be_let_go(browser, opened) -> None:
    opened({"epochs": "3"})
    click(browser, "[data-pin]")
    put(browser, "#sweep-lr", "0.1", "change")
    both = compare_configs(3, lr=[0.01, 0.1]).data.groupby("config", sort=False)["valid_loss"].apply(list).tolist()
    assert curves(browser) == both
    assert [row["shown"] for row in rows(browser)] == ["lr = 0.01 \N{MULTIPLICATION SIGN}", "lr = 0.1"]
    lines = browser.execute_script("return one('[data-figure=curves]').data.map(({ line }) => line.color + line.dash)")
    assert len({*lines}) == 2
    browser.refresh()  # the URL holds all of it
    settle(browser)
    assert curves(browser) == both
    click(browser, "tbody button")
    assert curves(browser) == both[1:]


def test_the_decision_boundary_beside_the_curves(browser, opened) -> None:
    opened({"data": "circles", "epochs": "3"})
    split = classification_data("circles", ROWS)
    made = compare_configs(3, lr=[0.01], data=split, loss="cross_entropy", keep_networks=True)
    boundary = decision_boundary(*made.networks.values(), split, loss="cross_entropy", grid=61)
    drawn = browser.execute_script("return answer.drawn[0].plane")
    assert drawn["probability"] == boundary.data["probability"].tolist()
    z = browser.execute_script("return one('[data-figure=plane]').data[0].z.map(row => row.map(Math.floor))")
    assert [list(column) for column in zip(*z, strict=True)] == [
        group.tolist() for _, group in boundary.data.groupby("x")["class"]
    ]
    put(browser, "[data-control=data]", "friedman3", "change")
    assert browser.execute_script("return one('[data-figure=plane]').hidden")


def test_a_run_that_diverges_says_when(browser, opened) -> None:
    opened({"lr": "1e30", "epochs": "3"})
    assert rows(browser)[0]["diverged at epoch"] == "1"
    assert "diverged" in browser.execute_script("return one('[data-figure=curves]').layout.title.text")
    assert browser.execute_script("return one('[data-copy=r]').disabled")


def test_an_error_names_its_control_and_goes_away(browser, opened) -> None:
    opened({"epochs": "2"})
    put(browser, "#sweep-lr", "much", "change")
    error = browser.execute_script("return one('[data-error]').textContent")
    assert error.startswith("`lr` must be a number; got 'much'")
    assert browser.execute_script("return one('[aria-invalid=true]').id") == "sweep-lr"
    put(browser, "#sweep-lr", "0.1", "change")
    assert browser.execute_script("return one('[data-error]').textContent") == ""


def test_code_is_copied(browser, opened, served: Served) -> None:
    origin = re.match(r"http://[^/]+", served.url)[0]
    permissions = {"origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.execute_cdp_cmd("Browser.grantPermissions", permissions)
    opened({"lr": "0.05", "epochs": "2"})
    for language in ("python", "r", "command"):
        browser.execute_script("one('#said').textContent = ''")
        click(browser, f"[data-copy={language}]")
        copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
        assert copied == browser.execute_script("return answer.code[arguments[0]].text", language)
        assert copied == browser.execute_script("return one('[data-code]').textContent")


def test_a_report_is_saved(browser, opened) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    opened({"epochs": "2", "pin": ["epochs=2&lr=0.1"]})
    browser.execute_script(
        "HTMLAnchorElement.prototype.click = function () { window.saved = [this.download, this.href] }"
    )
    click(browser, "[data-report]")
    WebDriverWait(browser, LIMIT).until(lambda page: page.execute_script("return window.saved"))
    read = "fetch(saved[1]).then(page => page.text()).then(arguments[0])"
    report = browser.execute_async_script(read)
    assert browser.execute_script("return saved[0]") == "sweep.html"
    assert report.index("compare_configs(epochs=2, lr=[0.1])") < report.index("compare_configs(epochs=2, lr=[0.01])")


def upload(browser, file: Path) -> str:
    """Choose a file, and return the error, or the text that stands for it, once it is there."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.execute_script("one('[data-error]').textContent = ''")
    browser.find_element(By.CSS_SELECTOR, "[data-upload]").send_keys(str(file))
    said = "return one('[data-error]').textContent || (texts().data?.startsWith(FILE) && texts().data)"
    return WebDriverWait(browser, LIMIT).until(lambda page: page.execute_script(said))


def test_a_file_of_ones_own(browser, opened, tmp_path: Path) -> None:
    opened({"epochs": "2"})
    file = tmp_path / "own file.csv"
    file.write_text("x,y\n" + "".join(f"{i},{i % 7}.5\n" for i in range(40)))
    assert upload(browser, file) == "file:own file.csv"
    settle(browser)
    direct = compare_configs(2, lr=[0.01], data=Split.from_csv(file))
    assert curves(browser) == [direct.data["valid_loss"].tolist()]
    assert "own file.csv" in browser.execute_script("return answer.code.python.text")


def test_files_that_are_refused(browser, opened, tmp_path: Path) -> None:
    opened({"epochs": "2"})
    before = curves(browser)
    file = tmp_path / "own.csv"
    file.write_text("x,y\n1,2\nNaN,3\n")
    assert "none in column 'x', row 2" in upload(browser, file)
    with file.open("wb") as opened_file:
        opened_file.truncate(10 * LARGEST_FILE)
    assert upload(browser, file) == "The file must have 10 MB at most; own.csv has 100. Take some of its rows."
    assert curves(browser) == before


@pytest.mark.parametrize("screen", [{}, {"width": 390}, {"dark": True}], ids=json.dumps)
@pytest.mark.parametrize("query", [{}, {"data": "circles", "pin": ["data=circles&lr=0.1"]}], ids=json.dumps)
def test_all_can_use_it(browser, opened, query: dict[str, Any], screen: dict[str, Any]) -> None:
    opened(query | {"epochs": "2"}, **screen)
    assert axe_violations(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_the_keyboard_moves_a_slider(browser, opened) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    opened({"epochs": "2"})
    browser.find_element(By.CSS_SELECTOR, "[data-slides=sweep-lr]").send_keys(Keys.ARROW_RIGHT)
    settle(browser)
    assert rows(browser)[0]["lr"] == "0.015"
    assert browser.execute_script("return one('[data-slides=sweep-lr]').getAttribute('aria-valuetext')") == "0.015"
    assert "last" in browser.execute_script("return one('#said').textContent")


def test_the_document_keeps_the_standard(tmp_path: Path) -> None:
    from pycompare.explorer.page import page

    file = tmp_path / "page.html"
    file.write_text(page(TABS).render(lib_prefix="lib/")["html"])
    assert html_errors(file) == []
