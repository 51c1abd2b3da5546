"""A headless Chromium for tests of pages, and what such tests ask of it.

Nothing is fetched: `tests/browser/install.sh` has installed Chromium, its driver, axe-core and html-validate. Without
them a test is skipped with the reason; with PYCOMPARE_REQUIRE_BROWSER=1 it fails.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from pycompare.parity.pytest_plugin import leave_out

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

HERE = Path(__file__).parent
REMEDY = "Run tests/browser/install.sh."
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_AXE = "const done = arguments[arguments.length - 1]; axe.run().then(found => done(found.violations));"


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    """A Chromium of 1280 by 900 points that finds no host but 127.0.0.1, shared by all tests of a process."""
    opened = open_browser()
    yield opened
    opened.quit()


def open_browser(*arguments: str) -> Chrome:
    """A new Chromium, with further `arguments` on its command line; who opens it has to `quit()` it."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = _program(*_CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    fixed = ["--headless=new", "--window-size=1280,900", "--hide-scrollbars", "--disable-dev-shm-usage"]
    resolver = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    for argument in [*fixed, resolver, *(["--no-sandbox"] if _is_root() else []), *arguments]:
        options.add_argument(argument)
    return Chrome(options=options, service=ChromeService(_program("chromedriver")))


def open_page(browser: Chrome, page: str | Path, *, width: int = 1280, dark: bool = False, grey: bool = False) -> None:
    """Open a URL or a file as a screen of this width shows it, after forgetting what earlier pages logged."""
    vision = {"type": "achromatopsia" if grey else "none"}
    media = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.execute_cdp_cmd("Emulation.setEmulatedVisionDeficiency", vision)
    browser.get("about:blank")
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(page.resolve().as_uri() if isinstance(page, Path) else page)


def console_errors(browser: Chrome) -> list[str]:
    """What the console has told since the last call or `open_page` that is an error."""
    return [told["message"] for told in browser.get_log("browser") if told["level"] == "SEVERE"]


def requested_hosts(browser: Chrome) -> set[str]:
    """The hosts that pages asked for anything, answered or not, since the last call or `open_page`."""
    events = [json.loads(told["message"])["message"] for told in browser.get_log("performance")]
    asked = {"Network.requestWillBeSent": lambda told: told["request"]["url"]}
    asked["Network.webSocketCreated"] = lambda told: told["url"]
    urls = [asked[event["method"]](event["params"]) for event in events if event["method"] in asked]
    return {host for url in urls if (host := urlsplit(url).hostname)}


def axe_violations(browser: Chrome, impacts: Sequence[str] = ("serious", "critical")) -> list[str]:
    """What axe-core finds on the open page, of these impacts, with the elements."""
    browser.execute_script(_node_file("axe-core/axe.min.js").read_text(encoding="utf-8"))
    found = [rule for rule in browser.execute_async_script(_AXE) if rule["impact"] in impacts]
    return [f"{rule['impact']}: {rule['help']}: {[node['target'] for node in rule['nodes']]}" for rule in found]


def html_errors(file: Path) -> list[str]:
    """What html-validate finds in a file: breaches of the standard of HTML and of WAI-ARIA."""
    script = _node_file("html-validate/bin/html-validate.mjs")
    config = HERE / ".htmlvalidate.json"
    command = [_program("node"), str(script), f"--config={config}", "--formatter=json", str(file.resolve())]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode in (0, 1), told.stderr
    found: list[dict[str, Any]] = [one for page in json.loads(told.stdout or "[]") for one in page["messages"]]
    return [f"{one['line']}:{one['column']} {one['ruleId']}: {one['message']}" for one in found]


def screenshot(browser: Chrome, file: Path) -> Path:
    """The whole open page as a PNG."""
    picture = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    file.write_bytes(base64.b64decode(picture["data"]))
    return file


@cache
def _program(*names: str) -> str:
    found = next((path for path in map(shutil.which, names) if path), None)
    return found or leave_out("BROWSER", f"{names[0]} is not installed. {REMEDY}")


def _node_file(path: str) -> Path:
    file = HERE / "node_modules" / path
    return file if file.is_file() else leave_out("BROWSER", f"{path.split('/')[0]} is not installed. {REMEDY}")


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
