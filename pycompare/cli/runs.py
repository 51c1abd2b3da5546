"""Runs that a store keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycompare.cli.edge import one_line_errors, say
from pycompare.cli.process import quick_imports

if TYPE_CHECKING:
    import pandas as pd

    from pycompare.sweeps.store.store import RunStore

runs = typer.Typer(no_args_is_help=True, help="List, show, remove and export the runs that a store keeps.")
Folder = Annotated[Path, typer.Argument(help="The store: the folder that --store, or RunStore, was given.")]
Name = Annotated[str, typer.Argument(help="The run's name, or the beginning of it.", metavar="RUN")]


@runs.command(name="list")
def list_runs(context: typer.Context, folder: Folder) -> None:
    """Print a row for each run: what tells it from the others, and where it ended.

    Example: `pycompare runs list runs/`
    """
    with one_line_errors(context):
        store = _store(folder)
        finished, begun = store.runs(), store.unfinished()
        say(_shown(finished) if len(finished) else "No run is finished.")
        say(f"\n{len(finished)} runs; {len(begun)} more were begun and not finished.")


@runs.command()
def show(context: typer.Context, folder: Folder, run: Name) -> None:
    """Print the settings of a run, its versions, and its rows."""
    with one_line_errors(context):
        store = _store(folder)
        told = store.settings(run)
        rows = store.frame(told["run"]).drop(columns=["run", *told["settings"]], errors="ignore")
        say(f"{json.dumps(told, indent=2)}\n\n{rows.to_string(index=False)}")


@runs.command()
def rm(context: typer.Context, folder: Folder, names: Annotated[list[str], typer.Argument(metavar="RUN...")]) -> None:
    """Delete runs, finished or not, by their names or the beginning of them."""
    with one_line_errors(context):
        for name in names:
            say(f"Removed {_store(folder).remove(name)}")


@runs.command()
def export(
    context: typer.Context,
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="Where to: a .csv or a .parquet file.")],
) -> None:
    """Write the rows of all runs, with their settings, into one file.

    Example: `pycompare runs export runs/ all.csv`
    """
    with one_line_errors(context):
        if file.suffix not in (".csv", ".parquet"):
            raise ValueError(f"`file` must end in .csv or .parquet; got {str(file)!r}. Rename it.")
        from pycompare.files import check_writable_file, write_whole

        check_writable_file(file)
        rows = _store(folder).frame()
        content = rows.to_csv(index=False).encode() if file.suffix == ".csv" else rows.to_parquet(index=False)
        write_whole(file, content)
        say(f"Saved {len(rows)} rows in {file}")


def _store(folder: Path) -> RunStore:
    with quick_imports():
        from pycompare.sweeps.store.store import RunStore
    return RunStore(folder)


def _shown(frame: pd.DataFrame) -> str:
    """Without the columns that tell nothing: the same for all of several runs."""
    told = [name for name in frame if name in ("run", "done", "best") or len({*frame[name].astype(str)}) > 1]
    return frame[told].to_string(index=False)
