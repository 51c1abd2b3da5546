"""What a report says of one result."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from pycompare.calls import Call
from pycompare.reports.commands import NoCommandError, shell_command
from pycompare.reports.report import Code, Data, Picture, Report, Section, Table, Words

_HEAD = 5  # rows of the data that are shown
_ELSEWHERE = {"layout", "made_with", "versions", "told", "call", "pictures", "path", "runs", "layers"}
_SETTING = re.compile(r"\w+=")  # how a line of a title begins that tells what stands in the table of settings
_KERNELS = {"recorded": "with the bits of R's recordings", "other": "with other bits than R's recordings"}
_NO_PICTURE = 'No picture of it was saved: save(folder, formats=("png",)) keeps one.'


@dataclass(frozen=True)
class Told:
    """One result, as its laboratory made it or as it was read from a folder.

    Attributes:
        name: of its files.
        title, words: what it says, a line or more each.
        summary, data: its frames.
        settings: what made it, as `settings.json` has it.
        picture: None where none was saved.
        call: None where it is not known.
    """

    name: str
    title: str
    words: str
    summary: pd.DataFrame
    data: pd.DataFrame
    settings: Mapping[str, Any]
    picture: Picture | None
    call: Call | None


def report_of(told: Told) -> Report:
    """A report of one result."""
    return Report(_heading(told), tuple(_sections(told, level=2)))


def report_of_all(title: str, results: Iterable[Told]) -> Report:
    """A report of several results, a chapter each."""
    chapters = [(Section(_heading(told)), *_sections(told, level=3)) for told in results]
    return Report(title, tuple(section for chapter in chapters for section in chapter))


def _heading(told: Told) -> str:
    """The first sentence of the title."""
    return told.title.splitlines()[0].partition(". ")[0]


def _sections(told: Told, level: int) -> Iterator[Section]:
    code = Code("python", python_code(told.call)) if told.call else None
    again = None if told.call and told.call.missing else code
    picture = replace(told.picture, code=again) if told.picture else Words(_NO_PICTURE)
    yield Section("Picture", (picture,), level)
    further = told.title.partition("\n\n")[0].removeprefix(_heading(told)).lstrip(". ").splitlines()
    said = "\n".join([*(line for line in further if not _SETTING.match(line)), told.words]).strip()
    if said:
        yield Section("In words", (Words(said),), level)
    yield Section("Summary", (Table(f"Summary of {told.name}", told.summary),), level)
    yield Section("Settings", (_pairs("Arguments, also those left at their defaults", _flat(told.settings)),), level)
    yield Section(
        "Made with", (_pairs("Data, network, engine, kernels and versions", _environment(told.settings)),), level
    )
    yield Section("Data", tuple(_data(told)), level)
    yield Section("Make it again", tuple(_reproduction(code, told.call)), level)


def _data(told: Told) -> Iterator[Table | Data]:
    name, shown = f"{told.name}.csv", min(_HEAD, len(told.data))
    yield Table(f"The first {shown} of {len(told.data):,} rows of {name}", told.data.head(_HEAD))
    yield Data(name, told.data.to_csv(index=False).encode())


def _reproduction(code: Code | None, call: Call | None) -> Iterator[Words | Code]:
    if code is None or call is None:
        yield Words("What made it is not known: it was recorded in a loop of one's own, or saved by an older version.")
        return
    yield code
    if call.missing:
        yield Words("To be supplied, as they cannot be written as code: " + _listed(call.missing) + ".")
    try:
        yield Code("sh", shell_command(call))
    except NoCommandError as reason:
        yield Words(str(reason))


def python_code(call: Call) -> str:
    """What makes the result, and shows it."""
    return "\n".join([*call.imports, "", f"result = {call}", "result"])


def _listed(missing: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({what})" for name, what in missing.items())


def _flat(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in settings.items():
        if name in _ELSEWHERE or value in (None, "None", "", [], {}):
            continue
        rows += _flat(value) if isinstance(value, Mapping) else [(name, value)]
    return rows


def _environment(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    made_with = settings.get("made_with", {})
    kernels = {"kernels": _KERNELS.get(made_with["kernels"])} if "kernels" in made_with else {}
    return [*(made_with | kernels | settings.get("versions", {})).items()]


def _pairs(caption: str, rows: list[tuple[str, Any]]) -> Table:
    return Table(caption, pd.DataFrame(rows, columns=["name", "value"], dtype=object))
