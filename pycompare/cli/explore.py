"""The live explorer."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from typing import Annotated

import typer

from pycompare.cli.edge import one_line_errors
from pycompare.cli.process import quick_imports


def explore(
    context: typer.Context,
    state: Annotated[str, typer.Argument(metavar="[URL]", help="Of a page to show again, or what follows its ?.")] = "",
    port: Annotated[int | None, typer.Option(help="Where to listen. [default: 8217, or any if that is taken]")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Move a slider and see the curves, on a page in the browser: for this user of this machine only.

    Example: `pycompare explore`
    """
    with one_line_errors(context):
        if find_spec("shiny") is None:
            raise ValueError(
                "Shiny is not installed: in a checkout, pip install -c constraints.txt '.[explore]' brings it."
            )
        with quick_imports():
            from pycompare.explorer.app import serve
            from pycompare.explorer.tabs import TABS
        with suppress(KeyboardInterrupt):  # as it is meant to end
            serve(TABS, port=port, state=state, browser=browser, tell=_tell)


def _tell(url: str) -> None:
    typer.echo(f"The explorer is at {url}\nCtrl-C ends it.")
