"""The command line: arguments to the public functions, and their results to files and the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from pycompare.cli.course import compare, rosenbrock
from pycompare.cli.explore import explore
from pycompare.cli.hyper_parameters import hyper_parameters
from pycompare.cli.labs import lab
from pycompare.cli.parity import doctor, parity
from pycompare.cli.process import run_command
from pycompare.cli.report import report
from pycompare.cli.runs import runs
from pycompare.cli.tune import tune

app = typer.Typer(
    name="pycompare",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Compare optimizer settings on one small network, with the same bits as R torch.",
)
app.command()(compare)
app.command()(rosenbrock)
app.command()(tune)
app.command()(explore)
lab.add_typer(hyper_parameters)
app.add_typer(lab, name="lab")
app.add_typer(runs, name="runs")
app.command()(report)
app.command()(parity)
app.command()(doctor)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """The options of `pycompare` itself."""
    if version:
        from importlib.metadata import version as installed_version

        typer.echo(f"pycompare {installed_version('pycompare-rtorch')}")
        raise typer.Exit


def main() -> None:
    """`pycompare`, as a process of its own."""
    run_command(app)
