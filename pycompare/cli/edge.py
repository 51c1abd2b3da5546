"""What all commands share: texts to arguments, results to files and the terminal, errors to one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

if TYPE_CHECKING:
    from pycompare.data.split import Split

Numbers = list[str] | None
SEVERAL = "One number, or several: repeat the option or separate them by commas."

# What `compare_configs` varies, as options.
LearningRate = Annotated[Numbers, typer.Option(help=f"Learning rate. {SEVERAL} [default: 0.01]")]
BatchSize = Annotated[Numbers, typer.Option(help=f"Rows a step. {SEVERAL} [default: 16]")]
WeightDecay = Annotated[Numbers, typer.Option(help=f"AdamW's decay. {SEVERAL} [default: 0.01]")]
Beta1 = Annotated[Numbers, typer.Option(help=f"Momentum. {SEVERAL} [default: 0.9]")]
Beta2 = Annotated[Numbers, typer.Option(help=f"Adaptive step size. {SEVERAL} [default: 0.999]")]


class Saveable(Protocol):
    """A result."""

    def save(self, folder: Path) -> list[Path]:
        """Write numbers and plot; return the paths."""


def report(result: Saveable, out: Path | None) -> None:
    """Print a result and save it, where a folder is given."""
    typer.echo(result)
    if out is None:
        typer.echo("\nNothing was saved; --out FOLDER keeps the numbers and the plot.")
    else:
        typer.echo("\nSaved " + ", ".join(str(path) for path in result.save(out)))


def check_out(out: Path | None) -> None:
    """Fail before any training where the results could not be written."""
    if out is not None:
        from pycompare.files import check_writable

        check_writable(out)


def split(data: str) -> Split:
    """The training and validation set of a name, or of a file."""
    from pycompare.data.split import Split, course_data, spirals_data

    if data == "friedman3":
        return course_data()
    if data == "spirals":
        return spirals_data()
    if not Path(data).is_file():
        raise FileNotFoundError(
            f"`data` must be friedman3, spirals or a CSV file; got {data!r}, which is not there. Check the spelling."
        )
    return Split.from_csv(data)


def numbers(name: str, texts: list[str]) -> Any:
    """The number that the option was given, or the list of them."""
    try:
        values = [float(text) for text in ",".join(texts).split(",")]
    except ValueError:
        raise ValueError(
            f"`{name}` must be a number, or several separated by commas; got {','.join(texts)!r}. Write e.g. 0.1,0.01."
        ) from None
    return values if len(values) > 1 else values[0]


def given(options: dict[str, Numbers]) -> dict[str, Any]:
    """The `numbers` of the options that were given."""
    return {name: numbers(name, texts) for name, texts in options.items() if texts}


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what the public functions say of bad input into one line and exit code 2."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
