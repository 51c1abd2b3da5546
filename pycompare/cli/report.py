"""Saved results as one document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pycompare.cli.edge import one_line_errors, say
from pycompare.cli.process import quick_imports


def report(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="What --out, or save, was given; the folders in it, too.")],
    out: Annotated[Path | None, typer.Option(help="A .html, .md or .ipynb file. [default: FOLDER/report.html]")] = None,
) -> None:
    """Make one document of all saved results: settings, data, tables, pictures, and the code that makes them again.

    Example: `pycompare report out/ --out report.html`
    """
    with one_line_errors(context):
        with quick_imports():
            from pycompare.reports.writing import check_report_file, write_report
            from pycompare.results import folder_report
        file = folder / "report.html" if out is None else out
        check_report_file(file, name="out")
        say(f"Saved {write_report(folder_report(folder), file)}")
