"""The command line: arguments to the public functions, and their results to files and the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

if TYPE_CHECKING:
    from pycompare.data import Split
    from pycompare.parity.suite import Result

app = typer.Typer(
    name="pycompare",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Compare optimizer settings on one small network, with the same bits as R torch.",
)

_SEVERAL = "One number, or several: repeat the option or separate them by commas."
Numbers = list[str] | None


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """The options of `pycompare` itself."""
    if version:
        from importlib.metadata import version as installed_version

        typer.echo(f"pycompare {installed_version('pycompare-rtorch')}")
        raise typer.Exit


@app.command()
def compare(
    lr: Annotated[Numbers, typer.Option(help=f"Learning rate. {_SEVERAL} [default: 0.01]")] = None,
    batch_size: Annotated[Numbers, typer.Option(help=f"Rows a step. {_SEVERAL} [default: 16]")] = None,
    weight_decay: Annotated[Numbers, typer.Option(help=f"AdamW's decay. {_SEVERAL} [default: 0.01]")] = None,
    beta1: Annotated[Numbers, typer.Option(help=f"Momentum. {_SEVERAL} [default: 0.9]")] = None,
    beta2: Annotated[Numbers, typer.Option(help=f"Adaptive step size. {_SEVERAL} [default: 0.999]")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 30,
    data: Annotated[
        str,
        typer.Option(help="friedman3 (the course's), spirals, or a CSV file: header, numbers, last column the target."),
    ] = "friedman3",
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    optimizer: Annotated[str, typer.Option(help="adamw, adam, rmsprop, sgd or adagrad.")] = "adamw",
    loss: Annotated[str, typer.Option(help="mse, l1, huber, smooth_l1 or cross_entropy.")] = "mse",
    dtype: Annotated[str, typer.Option(help="float32 (R torch's bits) or float64.")] = "float32",
    device: Annotated[str, typer.Option(help="Where to train, such as cpu or cuda.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Folder for comparison.csv and comparison.png.")] = None,
    n_jobs: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores.")] = 1,
    progress: Annotated[bool, typer.Option(help="Show a bar on a terminal.")] = True,
) -> None:
    """Train one network once for each value of **one** parameter, and compare the validation curves.

    Exactly one of lr, batch-size, weight-decay, beta1, beta2 takes several values.

    Example: `pycompare compare --lr 1,0.1,0.01,0.001 --out out/`
    """
    options = {"lr": lr, "batch_size": batch_size, "weight_decay": weight_decay, "beta1": beta1, "beta2": beta2}
    with _one_line_errors():
        settings = {name: _numbers(name, texts) for name, texts in options.items() if texts}
        from pycompare.configs import compare_configs

        _check_out(out)
        comparison = compare_configs(
            epochs,
            **settings,
            data=_split(data),
            seed=seed,
            optimizer=optimizer,
            loss=loss,
            dtype=dtype,
            device=device,
            n_jobs=n_jobs,
            progress=progress,
        )
        _report(comparison, out)


@app.command()
def rosenbrock(
    steps: Annotated[int, typer.Option(help="How many steps.")] = 500,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    beta: Annotated[float, typer.Option(help="Share of the old momentum, in [0, 1).")] = 0.9,
    out: Annotated[Path | None, typer.Option(help="Folder for trajectory.csv and trajectory.png.")] = None,
) -> None:
    """Walk down the Rosenbrock function by gradient descent with momentum, from (-1, 2).

    Example: `pycompare rosenbrock --steps 500 --lr 0.01 --beta 0.9 --out out/`
    """
    with _one_line_errors():
        from pycompare.rosenbrock import optimize_rosenbrock

        _check_out(out)
        _report(optimize_rosenbrock(steps, lr, beta), out)


@app.command()
def parity(
    lane: Annotated[
        str | None, typer.Option(help="recorded, basetorch (live R with the stand-in) or torch (live R torch).")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the table, with overlay plots, to this file.")] = None,
) -> None:
    """Run every ported function on both sides, R's and ours, and print how far they are apart.

    Without --lane, all that is to be had here. Exit code 1 on any miss, 2 where the lane asked for is not to be had.
    """
    with _one_line_errors():
        from tqdm import tqdm

        from pycompare.parity import RUnavailable, suite

        _check_out(html.parent if html else None)
        try:
            results = list(tqdm(suite.run(lane), unit=" tables", disable=None))
        except RUnavailable as error:
            raise ValueError(f"`lane` {lane!r} is not to be had: {error}") from error
        typer.echo(suite.as_frame(results).to_string(index=False))
        if lane is None and not any(result.lane.startswith("live") for result in results):
            typer.echo("\nNo live R here; `pycompare doctor` tells how to get it.")
        if html is not None:
            _write_parity_report(results, html)
    sys.exit(0 if all(result.passed for result in results) else 1)


@app.command()
def doctor() -> None:
    """Print the versions that parity with R depends on, what is missing, and how to get it."""
    from pycompare.parity.doctor import diagnose

    typer.echo(diagnose().to_string(index=False))


def _write_parity_report(results: list[Result], path: Path) -> None:
    from pycompare.files import write_whole
    from pycompare.parity.suite import as_frame
    from pycompare.report import html_report

    plots = (
        (f"{result.functions}: {result.lane}, {result.verdict}", result.report.plot())
        for result in results
        if result.has_curves
    )
    introduction = "Every ported function, computed by R and by pycompare, compared number by number."
    write_whole(path, html_report("Parity with R torch", introduction, as_frame(results), plots).encode())
    typer.echo(f"\nSaved {path}")


class _Saveable(Protocol):
    def save(self, folder: Path) -> list[Path]: ...


def _report(result: _Saveable, out: Path | None) -> None:
    typer.echo(result)
    if out is None:
        typer.echo("\nNothing was saved; --out FOLDER keeps the numbers and the plot.")
    else:
        typer.echo("\nSaved " + ", ".join(str(path) for path in result.save(out)))


def _check_out(out: Path | None) -> None:
    """Fail before any training where the results could not be written."""
    if out is not None:
        from pycompare.files import check_writable

        check_writable(out)


def _split(data: str) -> Split:
    from pycompare.data import Split, course_data, spirals_data

    if data == "friedman3":
        return course_data()
    if data == "spirals":
        return spirals_data()
    if not Path(data).is_file():
        raise FileNotFoundError(
            f"`data` must be friedman3, spirals or a CSV file; got {data!r}, which is not there. Check the spelling."
        )
    return Split.from_csv(data)


def _numbers(name: str, texts: list[str]) -> Any:
    """The number that the option was given, or the list of them."""
    try:
        values = [float(text) for text in ",".join(texts).split(",")]
    except ValueError:
        raise ValueError(
            f"`{name}` must be a number, or several separated by commas; got {','.join(texts)!r}. Write e.g. 0.1,0.01."
        ) from None
    return values if len(values) > 1 else values[0]


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn what the public functions say of bad input into one line and exit code 2."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
