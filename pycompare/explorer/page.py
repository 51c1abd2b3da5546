"""The page, drawn from what the tabs say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pycompare.explorer.session import LARGEST_FILE
from pycompare.explorer.tab import Tab

if TYPE_CHECKING:
    from htmltools import Tag
    from shiny.ui._page import PageHtmlDocument

_CODE = {"python": "Copy as Python", "r": "Copy as R", "command": "Copy as command"}


def page(tabs: Sequence[Tab[Any]]) -> PageHtmlDocument:
    """The whole document, into which Shiny puts its own scripts."""
    from htmltools import HTML, tags
    from shiny.ui import page_html

    scripts = ["plotly.min.js", "explorer.js", *(f"{tab.name}.js" for tab in tabs)]
    document = tags.html(
        tags.head(
            tags.meta(charset="utf-8"),
            HTML('<meta name="shiny-dependency-placeholder" content="">'),
            tags.title("pycompare"),
            tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
            tags.meta(name="referrer", content="no-referrer"),  # the URL has the token
            tags.link(rel="icon", href="data:,"),
            tags.link(rel="stylesheet", href="explorer.css"),
            *(tags.script(src=name, defer="") for name in scripts),
        ),
        tags.body(
            tags.header(tags.h1("pycompare"), tags.nav(*(_tab_button(tab) for tab in tabs), aria_label="Tabs")),
            tags.main(*(_section(tab) for tab in tabs)),
            tags.p(id="said", role="status", aria_live="polite"),
        ),
        lang="en",
    )
    return page_html(f"<!doctype html>\n{document}")


def _tab_button(tab: Tab[Any]) -> Tag:
    from htmltools import tags

    return tags.button(tab.title, {"data-tab": tab.name}, type="button")


def _section(tab: Tab[Any]) -> Tag:
    from htmltools import tags

    groups = [
        tags.fieldset(tags.legend(title), *(control.draw(tab.name) for control in controls))
        for title, controls in tab.controls.items()
    ]
    buttons = [
        tags.button("Pin", {"data-pin": ""}, type="button"),
        tags.button("Reset", {"data-reset": ""}, type="button"),
    ]
    return tags.section(
        tags.form(*groups, tags.div(*buttons, class_="buttons"), {"data-limit": str(LARGEST_FILE)}, autocomplete="off"),
        tags.div(
            tags.p({"data-error": ""}, role="alert"),
            tags.div(*tab.figures(), class_="figures", tabindex="0", role="group", aria_label="Pictures"),
            tags.div(
                tags.table(tags.caption(tab.caption), tags.thead(), tags.tbody()),
                class_="wide",
                tabindex="0",
                role="group",
                aria_label=tab.caption,
            ),
            tags.div(
                *(_copy_button(tab, language) for language in _CODE),
                tags.button("Save report", {"data-report": ""}, type="button"),
                class_="buttons",
            ),
            tags.details(tags.summary("Code"), tags.pre({"data-code": ""}, tabindex="0")),
            class_="shown",
        ),
        {"data-section": tab.name, "hidden": ""},
        aria_label=tab.title,
    )


def _copy_button(tab: Tab[Any], language: str) -> Tag:
    from htmltools import tags

    key = f"{tab.name}-{language}-reason"
    button = tags.button(_CODE[language], {"data-copy": language}, type="button", aria_describedby=key)
    return tags.span(button, tags.small(id=key), class_="copy")
