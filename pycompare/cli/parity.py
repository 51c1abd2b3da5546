"""Parity with R: the comparison, and what this machine has for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycompare.cli.edge import check_out, one_line_errors

if TYPE_CHECKING:
    from pycompare.parity.suite import TableResult


def parity(
    lane: Annotated[
        str | None, typer.Option(help="recorded, basetorch (live R with the stand-in) or torch (live R torch).")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the table, with overlay plots, to this file.")] = None,
) -> None:
    """Run every ported function on both sides, R's and ours, and print how far they are apart.

    Without --lane, all that is to be had here. Exit code 1 on any miss, 2 where the lane asked for is not to be had.
    """
    with one_line_errors():
        from tqdm import tqdm

        from pycompare.parity import RUnavailable, suite

        check_out(html.parent if html else None)
        try:
            results = list(tqdm(suite.run(lane), unit=" tables", disable=None))
        except RUnavailable as error:
            raise ValueError(f"`lane` {lane!r} is not to be had: {error}") from error
        typer.echo(suite.as_frame(results).to_string(index=False))
        typer.echo(f"\n{suite.totals(results)}")
        if lane is None and not any(result.lane.startswith("live") for result in results):
            typer.echo("\nNo live R here; `pycompare doctor` tells how to get it.")
        if html is not None:
            _write_parity_report(results, html)
    sys.exit(0 if all(result.passed for result in results) else 1)


def doctor() -> None:
    """Print the versions that parity with R depends on, what is missing, and how to get it."""
    from pycompare.parity.doctor import diagnose

    typer.echo(diagnose().to_string(index=False))


def _write_parity_report(results: list[TableResult], path: Path) -> None:
    from pycompare.files import write_whole
    from pycompare.parity.suite import as_frame
    from pycompare.reports.report import html_report

    plots = (
        (f"{result.functions}: {result.lane}, {result.verdict}", result.plot())
        for result in results
        if result.has_curves
    )
    introduction = "Every ported function, computed by R and by pycompare, compared number by number."
    write_whole(path, html_report("Parity with R torch", introduction, as_frame(results), plots).encode())
    typer.echo(f"\nSaved {path}")
