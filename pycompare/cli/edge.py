"""What all commands share: texts to arguments, results to files and the terminal, errors to one line."""

from __future__ import annotations

import errno
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from pycompare.checks import one_of

if TYPE_CHECKING:
    from pycompare.data.split import Split

Numbers = list[str] | None
SEVERAL = "NUMBER[,...]"  # how help texts show that an option takes a list
NAMES = "NAME[,...]"

# What `compare_configs` varies, as options.
LearningRate = Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Learning rate. [default: 0.01]")]
BatchSize = Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Rows a step. [default: 16]")]
WeightDecay = Annotated[Numbers, typer.Option(metavar=SEVERAL, help="AdamW's decay. [default: 0.01]")]
Beta1 = Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Share of the old momentum. [default: 0.9]")]
Beta2 = Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Share of the old squared gradients. [default: 0.999]")]

Data = Annotated[
    str,
    typer.Option(
        help="friedman3 (the course's), spirals, digits, mnist, 300 rows of another set of `classification_data`, such"
        " as circles or smiley, or a CSV file with a header; - reads standard input."
    ),
]
Standardize = Annotated[bool, typer.Option(help="Give inputs mean 0 and deviation 1.")]
Formats = Annotated[str, typer.Option(metavar="NAME[,...]", help="Of the picture in --out: png, pdf, svg.")]
Target = Annotated[
    str | None, typer.Option(help="The target's column in the CSV file; classes may be text. [default: the last]")
]
_IN_PYTHON = {"For another, pass a callable.*": "Choose one of these.", ", or a callable that takes it": ""}
_OTHER_NAMES = {"folder": "--out", "file": "--film"}  # what the library calls what these options give


class Saveable(Protocol):
    """A result."""

    def save(self, folder: Path, formats: Sequence[str]) -> list[Path]:
        """Write numbers and plot; return the paths."""


def report(result: Saveable, out: Path | None, formats: str, film: Path | None = None) -> None:
    """Save a result where a folder, or a film, is asked for, and print it.

    In this order: who reads may have left, and what took long must not be lost with them.
    """
    saved = result.save(out, formats.split(",")) if out is not None else []
    if film is not None:
        saved.append(result.animate(film))  # type: ignore[attr-defined]
    say(str(result))
    if saved:
        say("\nSaved " + ", ".join(str(path) for path in saved))
    else:
        say("\nNothing was saved; --out FOLDER keeps the numbers and the plot.")


def say(text: str) -> None:
    """Print, or end with one line where the text has nowhere to go."""
    try:
        typer.echo(text)
    except OSError as cause:
        if cause.errno == errno.EPIPE:
            raise
        raise OSError(f"The results cannot be printed ({cause.strerror}). What was to be saved, is.") from cause


@contextmanager
def keeping_what_was_done(out: Path | None, name: str) -> Iterator[None]:
    """Save the frame that a training hands over when it is interrupted, as `name`.partial.csv, and say so."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        done = getattr(error, "partial", None)
        if done is not None and len(done):
            typer.echo(_kept(done, out, name), err=True)
        raise


def _kept(done: Any, out: Path | None, name: str) -> str:
    runs = done["config"].nunique()
    unit = "epochs" if "epoch" in done else "rows"
    told = f"\nInterrupted. {len(done)} {unit} were done, of {runs} run{'s' if runs > 1 else ''}"
    if out is None:
        return f"{told}; --out FOLDER would have kept them."
    from pycompare.files import save_files

    (path,) = save_files(out, {f"{name}.partial.csv": done.to_csv(index=False).encode()})
    return f"{told}. Saved {path}"


def check_out(out: Path | None, formats: str) -> None:
    """Fail before any training where the results could not be written."""
    for kind in formats.split(","):
        one_of("formats", kind, ("png", "pdf", "svg"), "Separate them by commas.")
    if out is not None:
        from pycompare.files import check_writable

        check_writable(out)


def check_film(film: Path | None) -> None:
    """Fail before any training where the film could not be written."""
    if film is not None:
        from pycompare.plots.film import film_writer

        film_writer(film)


def prepared(data: str, target: str | None, standardize: bool) -> Split:
    """As `split`, its inputs standardized where that is asked for."""
    both = split(data, target)
    return both.standardized() if standardize else both


def split(data: str, target: str | None = None, *, rows: int | None = None) -> Split:
    """The training and validation set of a name or of a CSV file; "-" is what stands on stdin.

    `rows` is how many rows sets of `classification_data` have to train on, unless as many as `named_sets` says.
    """
    from pycompare.data.named import ROWS, named_sets
    from pycompare.data.split import Split
    from pycompare.files import expanded

    named = named_sets(rows or ROWS)
    if data in named:
        if target is not None:
            raise ValueError(
                f"`target` must be left out with {data}, which is no file; got {target!r}. Name a CSV file."
            )
        return named[data]()
    if data != "-" and not expanded(data).exists():
        raise FileNotFoundError(
            f"`data` must be {', '.join(named)} or a CSV file; got {data!r}, which is not there. Check the spelling."
        )
    return Split.from_csv(data, target=target)


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


def one_varies(options: dict[str, Numbers]) -> dict[str, Any]:
    """The `numbers` of the options that were given, of which exactly one has several."""
    return check_lists(given(options), options, most=1)


def one_at_least(settings: dict[str, Any]) -> dict[str, Any]:
    """`settings` where one of them has several values; else the first of the numbers among them is a list of one."""
    first = next((name for name, value in settings.items() if isinstance(value, float)), None)
    if first is None or any(isinstance(value, list) for value in settings.values()):
        return settings
    return settings | {first: [settings[first]]}


def check_lists(settings: dict[str, Any], options: Iterable[str], most: int) -> dict[str, Any]:
    """`settings` themselves, one to `most` of which are lists; or one clear error with all `options` that may be."""
    several = [f"`{name}`" for name, values in settings.items() if isinstance(values, list)]
    if not 1 <= len(several) <= most:
        count, some = ("Exactly one", "one") if most == 1 else ("One or two", "one or two")
        raise ValueError(
            f"{count} of {', '.join(f'`{name}`' for name in options)} must have several values;"
            f" got {' and '.join(several) or 'none'}. Give {some} of them several, such as --lr 0.1,0.2."
        )
    return settings


def listed(name: str, *texts: str) -> list[Any]:
    """The numbers that the option was given, one or several."""
    values = numbers(name, list(texts))
    return values if isinstance(values, list) else [values]


def names(text: str) -> Any:
    """The name that the option was given, or the list of them."""
    several = [name.strip() for name in text.split(",")]
    return several if len(several) > 1 else several[0]


@contextmanager
def one_line_errors(context: typer.Context) -> Iterator[None]:
    """Turn what the public functions say of bad input into one line and exit code 2, and Ctrl-C into 130."""
    try:
        yield
    except BrokenPipeError:
        raise  # typer ends quietly where nobody reads any more
    except (ValueError, TypeError, OSError) as error:
        typer.echo(f"Error: {_in_options(str(error), context)}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _in_options(message: str, context: typer.Context) -> str:
    """`message` with this command's options in place of arguments, --lr for `lr`, and no advice that it cannot take."""
    for advice, instead in _IN_PYTHON.items():
        message = re.sub(advice, instead, message)
    options = {str(parameter.name): parameter.opts[0] for parameter in context.command.params}
    options |= {name: option for name, option in _OTHER_NAMES.items() if option in options.values()} | options
    return re.sub(r"`(\w+)`", lambda found: options.get(found[1], found[0]), message)
