"""The tabs Landscape, Rosenbrock and Initialization in a browser."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pycompare import activation_statistics, classification_data, optimize_rosenbrock
from pycompare.labs.landscape import compare_descents, descend
from tests.browser.chromium import axe_violations
from tests.explorer.test_page import LIMIT, click, opened, put, rows, settle

__all__ = ["opened"]  # a fixture

LINES = "return one(arguments[0], section()).data.filter(({ mode }) => mode === 'lines+markers')"
LINES += ".map(line => [...line.x].map((x, i) => [x, line.y[i]]))"
MAP, VALUES = "[data-figure=map]", "[data-figure=values]"


def paths(browser) -> list[list[list[float]]]:
    """The points of each path on the map, as they are drawn."""
    return browser.execute_script(LINES, MAP)


def points(frame: Any, columns: list[str]) -> list[list[float]]:
    return frame[columns].to_numpy().tolist()


def test_the_path_is_that_of_descend(browser, opened) -> None:
    opened({"tab": "landscape"})
    put(browser, "[data-slides=landscape-momentum]", "10")
    direct = descend(momentum=0.9)
    assert paths(browser) == [points(direct.data, ["bias", "weight"])]
    (shown,), (row,) = rows(browser), direct.summary().to_dict("records")
    assert [float(shown[f"last {name}"]) for name in ("weight", "bias", "loss")] == [
        row[name] for name in ("weight", "bias", "loss")
    ]
    drawn = browser.execute_script(f"return [...one('{VALUES}', section()).data[0].y]")
    assert drawn == direct.data["loss"].tolist()


def test_the_map_is_that_of_the_loss(browser, opened) -> None:
    opened({"tab": "landscape", "epochs": "2"})
    z = "return answer.together.z.flat()"
    assert browser.execute_script(z) == descend(epochs=2).maps(n=61)["loss"].tolist()
    put(browser, "#landscape-loss", "l1", "change")
    assert browser.execute_script(z) == descend("l1", epochs=2).maps(n=61)["loss"].tolist()
    level = browser.execute_script("return one('[data-figure=surface]', section()).data[0].z.flat()")
    assert level == browser.execute_script("return answer.together.z.flat().map(Math.log10)")


def test_optimizers_lie_over_one_another(browser, opened) -> None:
    opened({"tab": "landscape", "epochs": "20"})
    click(browser, "[data-pin]")
    put(browser, "#landscape-optimizer", "adam", "change")
    direct = compare_descents(optimizer=["sgd", "adam"], epochs=20).data
    assert paths(browser) == [points(one, ["bias", "weight"]) for _, one in direct.groupby("optimizer", sort=False)]


@pytest.mark.parametrize(("tab", "x", "y"), [("landscape", "bias", "weight"), ("rosenbrock", "x", "y")])
def test_a_click_chooses_the_start(browser, opened, tab: str, x: str, y: str) -> None:
    from selenium.webdriver import ActionChains

    opened({"tab": tab})
    before = paths(browser)[0][0]
    figure = browser.find_element("css selector", f"[data-section={tab}] {MAP}")
    ActionChains(browser).move_to_element_with_offset(figure, 40, -30).click().perform()
    settle(browser)
    start = [float(browser.execute_script(f"return one('#{tab}-{name}').value")) for name in (x, y)]
    assert start != before
    assert paths(browser)[0][0] == pytest.approx(start, rel=1e-6)  # a path is in float32
    assert f"{x}={start[0]:g}" in browser.current_url


def test_typed_numbers_choose_the_start(browser, opened) -> None:
    opened({"tab": "rosenbrock", "steps": "50"})
    put(browser, "#rosenbrock-x", "0.25", "change")
    assert paths(browser) == [points(optimize_rosenbrock(50, 0.05, 0.9, start=(0.25, 2)).data, ["x", "y"])]


def until(browser, script: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, LIMIT, 0.02).until(lambda page: page.execute_script(script))


def test_a_path_is_played_and_pauses(browser, opened) -> None:
    opened({"tab": "landscape", "epochs": "300"})
    click(browser, "[data-play]")
    until(browser, "return one('[data-until]', section()).value > 3")
    assert 1 < len(paths(browser)[0]) < 301
    click(browser, "[data-play]")
    at = int(browser.execute_script("return one('[data-until]', section()).value"))
    assert paths(browser) == [points(descend(epochs=300).data.iloc[: at + 1], ["bias", "weight"])]
    assert browser.execute_script("return one('[data-now]', section()).textContent").startswith(f"Epoch {at}: ")
    put(browser, "[data-until]", "300", "input")
    assert len(paths(browser)[0]) == 301


def test_what_is_played_ends_at_the_end(browser, opened) -> None:
    opened({"tab": "rosenbrock", "steps": "5"})
    click(browser, "[data-play]")
    until(browser, "return one('[data-play]', section()).textContent === 'Play'")
    until(browser, "return one('[data-figure=map]', section()).data[1].x.length === 6")


def test_who_wants_less_motion_goes_step_by_step(browser, opened) -> None:
    opened({"tab": "landscape", "epochs": "10"})
    less = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", less)
    for step in (1, 2):
        click(browser, "[data-play]")
        until(browser, f"return one('[data-figure=map]', section()).data[1].x.length === {step + 1}")
    assert browser.execute_script("return one('[data-play]', section()).textContent") == "Play"
    assert browser.execute_script("return Object.keys(playing).length") == 0


def test_activations_and_boundary_follow_the_sliders(browser, opened) -> None:
    opened({"tab": "initialization", "steps": "10"})
    put(browser, "[data-slides=initialization-depth]", "3")
    data = classification_data("circle", 100).train.tensors[0]
    direct = activation_statistics(init="normal", sigma=0.5, depth=4, width=20, data=data).data
    lines = browser.execute_script("return one('[data-figure=layers]', section()).data.map(({ y }) => [...y])")
    assert lines == [direct["mean"].tolist(), direct["zero"].tolist()]
    z = "return one('[data-figure=plane]', section()).data[0].z.flat()"
    before = browser.execute_script(z)
    put(browser, "[data-slides=initialization-sigma]", "8")
    assert browser.execute_script(z) != before


@pytest.mark.parametrize("screen", [{}, {"width": 390}, {"dark": True}], ids=json.dumps)
@pytest.mark.parametrize(
    "query",
    [
        {"tab": "landscape", "pin": ["optimizer=adam", "lr=1.5"], "loss": "l1"},
        {"tab": "rosenbrock", "x": "7"},
        {"tab": "initialization", "pin": ["sigma=10"], "steps": "5"},
    ],
    ids=json.dumps,
)
def test_all_can_use_it(browser, opened, query: dict[str, Any], screen: dict[str, Any]) -> None:
    opened(query, **screen)
    assert browser.execute_script("return one('[data-error]', section()).textContent") == ""
    assert axe_violations(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
