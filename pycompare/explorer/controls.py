"""The controls of a form: what each is called, which values it takes, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pycompare.checks import number, one_of, whole_number
from pycompare.labels import r_number

if TYPE_CHECKING:
    from htmltools import Tag

FILE = "file:"  # before the name of an uploaded file
Read = Callable[[str, str], Any]  # of a name and a text: the value, or one clear error


@dataclass(frozen=True)
class Control:
    """A line of text.

    Attributes:
        name: of the setting, in the URL, and in errors.
        label: what stands beside it.
        default: the text it begins with.
        read: of `name` and a text, the setting's value, or one clear error.
        hint: what else is to be known of it.
    """

    name: str
    label: str
    default: str
    read: Read
    hint: str = ""

    def value(self, text: str) -> Any:
        """The setting that `text` stands for, or one clear error."""
        return self.read(self.name, text)

    def draw(self, prefix: str) -> Tag:
        """The control with its label; `prefix` keeps ids of several tabs apart."""
        from htmltools import tags

        key = f"{prefix}-{self.name}"
        hint = [tags.small(self.hint, id=f"{key}-hint")] if self.hint else []
        return tags.div(tags.label(self.label, for_=key), *self._inputs(key), *hint, class_="control")

    def _inputs(self, key: str) -> list[Tag]:
        from htmltools import tags

        told = {"data-control": self.name, "data-default": self.default, "spellcheck": "false"}
        if self.hint:
            told["aria-describedby"] = f"{key}-hint"
        return [tags.input(id=key, type="text", value=self.default, **told)]


@dataclass(frozen=True)
class Slider(Control):
    """A slider over some values, beside a line of text that takes others, too.

    Attributes:
        stops: the texts of these values, in order.
    """

    stops: tuple[str, ...] = ()

    def _inputs(self, key: str) -> list[Tag]:
        from htmltools import tags

        at = self.stops.index(self.default)
        slider = tags.input(
            {"data-slides": key, "data-stops": " ".join(self.stops), "aria-label": f"{self.label}, slider"},
            {"aria-valuetext": self.default},
            type="range",
            min="0",
            max=str(len(self.stops) - 1),
            step="1",
            value=str(at),
        )
        return [*super()._inputs(key), slider]


@dataclass(frozen=True)
class Choice(Control):
    """One of several.

    Attributes:
        options: the text of each, and what the page calls it.
    """

    options: tuple[tuple[str, str], ...] = ()

    def _inputs(self, key: str) -> list[Tag]:
        from htmltools import tags

        options = [
            tags.option(shown, {"selected": ""} if text == self.default else {}, value=text)
            for text, shown in self.options
        ]
        return [tags.select(*options, {"data-control": self.name, "data-default": self.default}, id=key)]


@dataclass(frozen=True)
class DataChoice(Choice):
    """A set by name, or a CSV file that is uploaded: its text is "file:" and its name."""

    @classmethod
    def of(cls, name: str, label: str, default: str, options: Sequence[tuple[str, str]]) -> DataChoice:
        """A choice of these names, and files."""
        named = [text for text, _ in options]

        def read(name: str, text: str) -> str:
            return text if text.startswith(FILE) else _chosen(named, name, text)

        return cls(name, label, default, read, "", tuple(options))

    def _inputs(self, key: str) -> list[Tag]:
        from htmltools import tags

        file = tags.input({"data-upload": key}, id=f"{key}-file", type="file", accept=".csv,text/csv,text/plain")
        return [*super()._inputs(key), tags.label("or a CSV file, its target last", for_=f"{key}-file"), file]


def choice(name: str, label: str, default: str, options: Sequence[tuple[str, str]], hint: str = "") -> Choice:
    """A `Choice` that takes its options only."""
    texts = [text for text, _ in options]
    read = partial(_chosen, texts)
    return Choice(name, label, default, read, hint, tuple(options))


def real(*, at_least: float | None = None, below: float | None = None) -> Read:
    """Reads a number of a range, as `checks.number`."""

    def read(name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"`{name}` must be a number; got {text!r}. Write e.g. 0.01.") from None
        return number(name, value, at_least=at_least, below=below)

    return read


def whole(*, at_least: int, at_most: int | None = None) -> Read:
    """Reads a whole number of a range, as `checks.whole_number`."""
    a_number = real()
    return lambda name, text: whole_number(name, a_number(name, text), at_least=at_least, at_most=at_most)


def wholes(*, at_least: int, at_most: int, most: int) -> Read:
    """Reads a tuple of `most` whole numbers at most, separated by commas; of an empty text ()."""
    one = whole(at_least=at_least, at_most=at_most)

    def read(name: str, text: str) -> tuple[int, ...]:
        parts = text.split(",") if text.strip() else []
        if len(parts) > most:
            raise ValueError(f"`{name}` must have {most} numbers at most; got {len(parts)}. Leave some out.")
        return tuple(one(name, part.strip()) for part in parts)

    return read


def decades(first: int, last: int, digits: Sequence[str] = ("1", "2", "5")) -> tuple[str, ...]:
    """Stops from 10^first to 10^last, with `digits` in each decade.

    Example:
        >>> decades(-2, 0)
        ('0.01', '0.02', '0.05', '0.1', '0.2', '0.5', '1')
    """
    texts = [r_number(float(f"{digit}e{exponent}")) for exponent in range(first, last) for digit in digits]
    return (*texts, r_number(float(f"1e{last}")))


def _chosen(texts: Sequence[str], name: str, text: str) -> str:
    return str(one_of(name, text, texts, "Choose one of these."))
