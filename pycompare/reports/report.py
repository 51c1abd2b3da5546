"""A report before it is a page: titles, and below them words, tables, pictures, code and data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

_NONE = "\N{EN DASH}"
_DIGITS = 6  # of numbers in tables; the data have all of them


@dataclass(frozen=True)
class Words:
    """Paragraphs, a line each; lines that begin with "- " are a list."""

    text: str

    def blocks(self) -> Iterator[str | list[str]]:
        """The paragraphs, and the lists as lists of their items."""
        lines = [line for line in self.text.splitlines() if line.strip()]
        for listed, group in groupby(lines, lambda line: line.startswith("- ")):
            if listed:
                yield [line.removeprefix("- ") for line in group]
            else:
                yield from group


@dataclass(frozen=True)
class Table:
    """A frame, shown without its index; `caption` says of what. The first column names the row."""

    caption: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Code:
    """Code in a `language`: "python" or "sh"."""

    language: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A picture of this `kind`, "png" or "svg".

    Attributes:
        alt: what it shows, for who cannot see it.
        caption: above it; none unless given.
        code: Python that draws it again, where there is some.
    """

    content: bytes
    kind: str
    alt: str
    caption: str = ""
    code: Code | None = None

    @property
    def type(self) -> str:
        """Its MIME type."""
        return "image/svg+xml" if self.kind == "svg" else "image/png"


@dataclass(frozen=True)
class Data:
    """A whole CSV file, called `name`."""

    name: str
    content: bytes


Part = Words | Table | Picture | Code | Data


@dataclass(frozen=True)
class Section:
    """A title and what stands below it; the title's `level` is 2, or 3 where it is within one of level 2."""

    title: str
    parts: tuple[Part, ...] = ()
    level: int = 2


@dataclass(frozen=True)
class Report:
    """Sections under one title."""

    title: str
    sections: tuple[Section, ...]


def cells(frame: pd.DataFrame) -> list[list[str]]:
    """The cells of a table as texts, row by row: numbers of six digits, a dash where there is none."""
    return [[_cell(value) for value in row] for row in frame.astype(object).to_numpy().tolist()]


def _cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_cell, value))
    if value is None or value is pd.NA or value != value or value in ("nan", "<NA>"):
        return _NONE
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value)
