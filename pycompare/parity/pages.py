"""Pages of Markdown that say the same in R and in Python: both are run, what they give is shown, compared and judged.

A page has pairs of code blocks. What stands in the comment is TOML, and may be left out (`Settings`):

    <!-- pair
    recorded = "course_sweeps"
    -->
    ::::{tab-set}
    :::{tab-item} R
    ```r
    ...
    ```
    :::
    :::{tab-item} Python
    ```python
    ...
    ```
    :::
    ::::

The last line of each block is its value. Outputs and verdicts are written by `renewed`. Table rows of four cells that
begin with code are a dictionary: the first two cells are run, R's and Python's, and the last one is written.
"""

from __future__ import annotations

import ast
import contextlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pycompare.parity.compare import Budget, ParityReport, compare_trajectories
from pycompare.parity.kernels import mkl_kernels
from pycompare.parity.session import RSession
from pycompare.parity.suite import SAME_BITS, TABLES
from pycompare.parity.tables.recorded import recording
from pycompare.seeding import torch_manual_seed
from pycompare.threads import torch_threads

_CODE = r"```{language}\n(?P<{language}>.*?)```"
_PAIR = re.compile(
    r"^<!-- pair(?P<settings>.*?)-->\n+::::\{tab-set\}\n.*?"
    + _CODE.format(language="r")
    + r".*?"
    + _CODE.format(language="python")
    + r".*?^::::\n(?:\n\*\*Verdict\.\*\* [^\n]*\n)?",
    re.DOTALL | re.MULTILINE,
)
_CELL = re.compile(r"`([^`]+)`")
_NEEDS = "real R torch only"  # begins the last cell of a row that the stand-in cannot run
_DIGITS = "{:.9g}".format  # tell any two float32 apart
_MOST_ROWS = 8
_SHOWN_AT_ENDS = 3


@dataclass(frozen=True)
class Settings:
    """How a pair is compared.

    Attributes:
        recorded: the table that real R torch recorded of it; without one, what R gives now is shown.
        where: which rows of it, as `DataFrame.query` reads.
        on: the columns whose values name a row; without them its position does.
        budget: what Python and live R may be apart; identical bits unless it says otherwise.
        short: a text of R's block and what the stand-in runs in its place, to compute some of the rows only.
    """

    recorded: str | None = None
    where: str | None = None
    on: tuple[str, ...] = ()
    budget: Budget = SAME_BITS
    short: tuple[str, str] | None = None

    @classmethod
    def of(cls, text: str) -> Settings:
        """Those in the TOML of a comment."""
        given = tomllib.loads(text)
        if "budget" in given:
            given["budget"] = Budget(**given["budget"])
        for name in {"on", "short"} & given.keys():
            given[name] = tuple(given[name])
        return cls(**given)


@dataclass(frozen=True)
class Pair:
    """The same in R and in Python, where it stands on a page, how it is compared, and what must be attached for R's."""

    r: str
    python: str
    line: int
    settings: Settings
    runs_on: tuple[str, ...] = ("torch", "basetorch")


@dataclass(frozen=True)
class Outcome:
    """What a pair gave.

    Attributes:
        ours: Python's value, as a frame.
        live: Python beside R as it ran now; None without R.
        theirs: R's value, as a frame; None without R.
        recorded: Python beside what real R torch recorded; None where it recorded nothing.
        backend: what R had, "torch" or "basetorch"; None without R.
    """

    pair: Pair
    ours: pd.DataFrame
    theirs: pd.DataFrame | None
    live: ParityReport | None
    recorded: ParityReport | None
    backend: str | None

    @property
    def passed(self) -> bool:
        """Whether the sides are as near as they must be."""
        return all(report.is_within(report.budget or SAME_BITS) for report in (self.live, self.recorded) if report)

    @property
    def shown(self) -> pd.DataFrame | None:
        """What stands as R's output: what was recorded, else R's value."""
        frame = recorded_frame(self.pair.settings, self.ours)
        return self.theirs if frame is None else frame

    @property
    def verdict(self) -> str:
        """How far apart the sides are, in words."""
        words = [f"{distance(self.recorded)} real R torch: {_count(self.recorded)}."] if self.recorded else []
        if self.live:
            why = "" if self.live.identical else f": {(self.live.budget or SAME_BITS).why}"
            words.append(f"{distance(self.live)} {_name(self.backend)}, run on {_count(self.live)}{why}.")
        return " ".join(words)


def run_page(page: Path, session: RSession | None = None) -> list[Outcome]:
    """Run all pairs of a page, then the rows of its dictionary: each language in one namespace, in the page's folder.

    R's global environment is emptied first. torch has one thread, and its random numbers go on afterwards as before.

    Raises:
        ValueError: a block has no value, or its settings are none.
        RError, or any error of Python's: a block fails; a note says on which line it begins.
    """
    text, namespace = page.read_text(encoding="utf-8"), {"__name__": page.stem}
    if session:
        session.eval("rm(list = ls(globalenv()), envir = globalenv())")
        session.call("setwd", str(page.parent.resolve()))
    with contextlib.chdir(page.parent), torch_threads(1), torch_manual_seed(0):
        return [_run(pair, page, namespace, session) for pair in (*pairs(text), *rows(text))]


def pairs(text: str) -> Iterator[Pair]:
    """The pairs of a page."""
    for match in _PAIR.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Pair(match["r"], match["python"], line, Settings.of(match["settings"]))


def rows(text: str) -> Iterator[Pair]:
    """The rows of a page's dictionary, each with what a comment above its table says."""
    budget = SAME_BITS
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("<!-- rows"):
            budget = Settings.of(line.removeprefix("<!-- rows").removesuffix("-->")).budget
        if cells := _row(line):
            r, python = ("\n".join(_CELL.findall(cell)) for cell in cells[:2])
            runs_on = ("torch",) if cells[3].startswith(_NEEDS) else ("torch", "basetorch")
            yield Pair(r, python, number, Settings(budget=budget), runs_on)


def renewed(text: str, outcomes: list[Outcome]) -> str:
    """The page with the outputs and verdicts of `outcomes`, which are those of a run with R."""
    results = iter(outcomes)
    text = _PAIR.sub(lambda match: _pair_text(match, next(results)), text)
    return "\n".join(_row_text(line, next(results)) if _row(line) else line for line in text.split("\n"))


def recorded_frame(settings: Settings, ours: pd.DataFrame) -> pd.DataFrame | None:
    """What real R torch recorded of a pair, with the columns of `ours`."""
    if settings.recorded is None:
        return None
    frame = pd.read_csv(recording(settings.recorded))
    chosen = frame.query(settings.where) if settings.where else frame
    return chosen[list(ours.columns)].reset_index(drop=True)


def as_frame(value: Any) -> pd.DataFrame:
    """A value of a block: a frame as it is, numbers as the column `value`, along rows first."""
    if isinstance(value, pd.DataFrame):
        return value.reset_index(drop=True)
    array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"a block must end in numbers or in a frame of them; got {value!r}. Add a line that gives some."
        )
    return pd.DataFrame({"value": array.ravel()})


def as_text(frame: pd.DataFrame) -> str:
    """The frame with 9 digits; of a long one its first and last rows."""
    if list(frame.columns) == ["value"] and len(frame) <= _MOST_ROWS:
        return " ".join(_DIGITS(value) for value in frame["value"])
    short = len(frame) <= _MOST_ROWS
    ends = frame if short else pd.concat([frame.head(_SHOWN_AT_ENDS), frame.tail(_SHOWN_AT_ENDS)])
    is_number = {name: name in ends.select_dtypes(["number"]) for name in ends}
    texts = pd.DataFrame({name: ends[name].map(_DIGITS if is_number[name] else str) for name in ends})
    lines = texts.to_string(index=False).split("\n")
    if not short:
        lines.insert(_SHOWN_AT_ENDS + 1, f"... {len(frame)} rows")
    return "\n".join(line.rstrip() for line in lines)


def distance(report: ParityReport) -> str:
    """The largest distance in words, rounded up to a power of ten, of the kind that the budget limits."""
    if report.identical:
        return "**Identical bits** with"
    kind = "absolute" if report.budget and report.budget.atol else "relative"
    largest = report.data[kind].max()
    return f"At most {10.0 ** np.ceil(np.log10(largest)):.0e} {kind} from" if largest > 0 else "Other rows than"


def _run(pair: Pair, page: Path, namespace: dict[str, Any], session: RSession | None) -> Outcome:
    where = f"{page.name}, the pair in line {pair.line}"
    try:
        ours = as_frame(_run_python(pair, page, namespace))
        theirs = as_frame(_run_r(pair, session)) if session and session.backend in pair.runs_on else None
        recorded = recorded_frame(pair.settings, ours)
        return Outcome(
            pair,
            ours,
            theirs,
            live=None if theirs is None else _live(ours, theirs, pair.settings),
            recorded=None if recorded is None else _compared(ours, recorded, pair.settings, _kernels(pair.settings)),
            backend=session.backend if session else None,
        )
    except Exception as error:
        error.add_note(where)
        raise


def _run_python(pair: Pair, page: Path, namespace: dict[str, Any]) -> Any:
    """The value of the last line, which must be an expression."""
    body = ast.parse(pair.python).body
    last = body.pop()
    if not isinstance(last, ast.Expr):
        raise ValueError(f"a block must end in a value; got {ast.unparse(last)!r}. Add a line that shows what it does.")
    exec(compile(ast.Module(body, []), page.name, "exec", dont_inherit=True), namespace)
    return eval(compile(ast.Expression(last.value), page.name, "eval", dont_inherit=True), namespace)


def _run_r(pair: Pair, session: RSession) -> Any:
    """R's value, a tensor as its array."""
    code = pair.r
    if session.backend == "basetorch" and pair.settings.short:
        whole, part = pair.settings.short
        if whole not in code:
            raise ValueError(f"`short` must begin with a text of R's block; got {whole!r}. Copy it from there.")
        code = code.replace(whole, part)
    session.eval(f".value <- {{\n{code}\n}}\nNULL")
    return session.eval("if (inherits(.value, 'torch_tensor')) as_array(.value$detach()) else .value")


def _live(ours: pd.DataFrame, theirs: pd.DataFrame, settings: Settings) -> ParityReport:
    """Python beside live R; where R's run was short, the rows that it has."""
    if settings.short:
        ours = ours.merge(theirs[list(settings.on)].drop_duplicates(), on=list(settings.on))
    return _compared(ours, theirs, settings, settings.budget)


def _compared(ours: pd.DataFrame, theirs: pd.DataFrame, settings: Settings, budget: Budget) -> ParityReport:
    """Both sides as doubles, by the columns that name a row and all that hold no numbers."""
    sides = [_by_row(frame, settings.on) for frame in (ours, theirs)]
    keys = [*(settings.on or ["row"]), *sides[0].select_dtypes(exclude=["number", "bool"])]
    doubles = [frame.astype({name: float for name in frame if name not in keys}) for frame in sides]
    return compare_trajectories(*doubles, on=list(dict.fromkeys(keys)), budget=budget)


def _by_row(frame: pd.DataFrame, on: tuple[str, ...]) -> pd.DataFrame:
    return frame if on else frame.reset_index(names="row")


def _kernels(settings: Settings) -> Budget:
    """What this machine's matrix products may be from the recording's."""
    (table,) = (table for table in TABLES if table.name == settings.recorded)
    return SAME_BITS if mkl_kernels() == "recorded" else table.kernels


def _count(report: ParityReport | None) -> str:
    numbers = len(report.data) if report else 0
    return f"{numbers:,} number{'s' if numbers != 1 else ''}"


def _name(backend: str | None) -> str:
    return "R on the stand-in" if backend == "basetorch" else "R torch on this machine"


def _pair_text(match: re.Match[str], outcome: Outcome) -> str:
    source = "Recorded by real R torch:" if outcome.recorded else f"From {_name(outcome.backend)}:"
    shown = outcome.ours if outcome.shown is None else outcome.shown
    return (
        f"<!-- pair{match['settings']}-->\n::::{{tab-set}}\n"
        f":::{{tab-item}} R\n```r\n{match['r']}```\n\n{source}\n\n```text\n{as_text(shown)}\n```\n:::\n"
        f":::{{tab-item}} Python\n```python\n{match['python']}```\n\n"
        f"Output:\n\n```text\n{as_text(outcome.ours)}\n```\n:::\n"
        f"::::\n\n**Verdict.** {outcome.verdict}\n"
    )


def _row(line: str) -> list[str] | None:
    """The cells of a row of a dictionary: its first two hold code."""
    cells = [cell.strip() for cell in re.split(r" \|(?= )", line.strip().strip("|"))]
    is_row = line.startswith("| `") and len(cells) == 4 and all(_CELL.match(cell) for cell in cells[:2])
    return cells if is_row else None


def _row_text(line: str, outcome: Outcome) -> str:
    if outcome.live is None:
        return line
    cells = _row(line) or []
    cells[3] = "equal" if outcome.live.identical else distance(outcome.live).lower().removesuffix(" from")
    return f"| {' | '.join(cells)} |"
