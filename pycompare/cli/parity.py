"""Parity with R: the comparison, and what this machine has for it."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycompare.cli.edge import one_line_errors, say
from pycompare.cli.process import quick_imports

if TYPE_CHECKING:
    import pandas as pd

    from pycompare.parity.suite import TableResult

_WIDTH = 80  # of a terminal


def parity(
    context: typer.Context,
    lane: Annotated[
        str | None, typer.Option(help="recorded, basetorch (live R with the stand-in) or torch (live R torch).")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the table, with overlay plots, to this file.")] = None,
) -> None:
    """Run every ported function on both sides, R's and ours, and print how far they are apart.

    Without --lane, all that is to be had here. Exit code 1 on any miss, 2 where the lane asked for is not to be had.

    Example: `pycompare parity --lane recorded --html parity.html`
    """
    with one_line_errors(context):
        if html is not None:
            from pycompare.reports.writing import check_report_file

            check_report_file(html, name="html")
        with quick_imports():
            from pycompare.parity import suite
        results = _results(lane)
        if html is not None:
            _write_parity_report(results, html)
        say(f"{suite.as_frame(results).to_string(index=False)}\n\n{suite.totals(results)}")
        if lane is None and not any(result.lane.startswith("live") for result in results):
            say("\nNo live R here; `pycompare doctor` tells how to get it.")
        if html is not None:
            say(f"\nSaved {html}")
    sys.exit(0 if all(result.passed for result in results) else 1)


def doctor(context: typer.Context) -> None:
    """Print the versions that parity with R depends on, what is missing, and how to get it."""
    with one_line_errors(context):
        with quick_imports():
            from pycompare.parity.doctor import diagnose
        say(_in_short_lines(diagnose()))


def _results(lane: str | None) -> list[TableResult]:
    from pycompare.parity import RUnavailable, suite
    from pycompare.progress import progress_bar

    results = []
    try:
        with progress_bar(None, unit="table") as bar:
            for result in suite.run(lane):
                results.append(result)
                bar.update()
    except RUnavailable as error:
        raise ValueError(f"`lane` {lane!r} is not to be had: {error}") from error
    return results


def _in_short_lines(rows: pd.DataFrame) -> str:
    """A line for each name and version; below it, indented, what to do where something is missing."""
    width = rows["name"].str.len().max()
    lines = []
    for name, version, remedy in rows.itertuples(index=False):
        lines.append(f"{name:<{width}}  {version}")
        lines += textwrap.wrap(
            remedy,
            _WIDTH,
            initial_indent="    ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def _write_parity_report(results: list[TableResult], path: Path) -> None:
    from pycompare.parity.suite import as_report
    from pycompare.reports.writing import write_report

    write_report(as_report(results), path)
