"""The documentation as a site: built without a warning, whole, and at home in a browser."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sphinx.util.inventory import InventoryFile

import pycompare
from pycompare import mlbench, parity
from pycompare.labs import landscape
from tests.browser.chromium import axe_violations, console_errors, open_page, requested_hosts

DOCS = Path(__file__).parents[2] / "docs"
PUBLIC = (pycompare, parity, landscape, mlbench)
BROWSED = ["index", "tutorial", "course/optimizer", "labs/dropout", "performance", "api/exercise"]
HOST = re.compile(r"(?!localhost|\d)[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}")  # a name that all can resolve


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make docs` builds."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(folder / "doctrees")]
    built = subprocess.run([*command, str(DOCS), str(folder / "html")], capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return folder / "html"


class Page(HTMLParser):
    """The anchors of a page, and what it links and loads."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors, self.links, self.loaded = {""}, [], []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.anchors |= {told.get("id") or "", (told.get("name") or "") if tag == "a" else ""}
        if tag == "a" and told.get("href"):
            self.links.append(told["href"])
        else:
            self.loaded += [told[name] for name in ("src", "href") if told.get(name)]


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in site.rglob("*.html") if "_static" not in file.parts}


def test_every_page_of_the_documentation_is_there(pages: dict[Path, Page], site: Path) -> None:
    sources = [
        file.relative_to(DOCS).with_suffix(".html") for kind in ("md", "rst") for file in DOCS.rglob(f"*.{kind}")
    ]
    assert {site / source for source in sources} <= pages.keys()


def test_links_and_pictures_are_there(pages: dict[Path, Page]) -> None:
    anchors = {file: page.anchors for file, page in pages.items()}
    links = [
        (file.name, url.geturl(), (file.parent / unquote(url.path)).resolve() if url.path else file, url.fragment)
        for file, page in pages.items()
        for url in map(urlsplit, page.links + page.loaded)
        if not url.scheme
    ]
    assert links
    assert [link for link in links if not link[2].is_file() or link[3] not in anchors.get(link[2], {""})] == []


def test_no_page_loads_anything_from_elsewhere(pages: dict[Path, Page]) -> None:
    urls = [url for page in pages.values() for url in page.loaded]
    assert urls
    assert [url for url in urls if urlsplit(url).netloc] == []


def test_links_to_others_are_https_and_name_public_hosts(pages: dict[Path, Page]) -> None:
    urls = {url for page in pages.values() for url in map(urlsplit, page.links) if url.scheme}
    assert urls
    assert [url.geturl() for url in urls if url.scheme != "https" or not HOST.fullmatch(url.netloc)] == []


def test_every_public_name_is_documented(site: Path) -> None:
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    documented = {
        name.rpartition(".")[2] for kind, names in inventory.items() if kind.startswith("py:") for name in names
    }
    assert {name for module in PUBLIC for name in module.__all__} - documented == set()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
@pytest.mark.parametrize(
    "name", ["index", "tutorial", "course/optimizer", "labs/dropout", "performance", "api/exercise"]
)
def test_a_page_in_a_browser(browser, site: Path, name: str, width: int, dark: bool) -> None:
    open_page(browser, site / f"{name}.html", width=width, dark=dark)
    assert (console_errors(browser), requested_hosts(browser), axe_violations(browser)) == ([], set(), [])
    assert browser.execute_script("return document.documentElement.scrollWidth") == width  # wide parts scroll in a box
