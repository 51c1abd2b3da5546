"""What a tab is: see the package's docstring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pycompare.explorer.controls import Control

if TYPE_CHECKING:
    from htmltools import Tag

    from pycompare.data.split import Split
    from pycompare.results import Result

S = TypeVar("S")
Uploads = Mapping[str, "Split"]  # a session's own data, by the name of the file


class NoCounterpartError(Exception):
    """What is on the screen cannot be written in a language; the message is the reason."""


@dataclass(frozen=True)
class Answer:
    """What came of one set of settings.

    Attributes:
        drawn: what the tab's script draws, as JSON can hold it.
        cells: what the table says of it, by the column's name.
        result: the whole of it.
    """

    drawn: dict[str, Any]
    cells: dict[str, str]
    result: Result


class Tab(Protocol[S]):
    """A tab of the page.

    Attributes:
        name: in the URL, and of its script.
        title: on its button.
        controls: one for each field of its settings, in groups with a heading.
        caption: of the table.
    """

    name: str
    title: str
    controls: Mapping[str, Sequence[Control]]
    caption: str

    def settings(self, **values: Any) -> S:
        """The settings, checked together where they depend on each other."""

    def figures(self) -> list[Tag]:
        """The places that its script draws into."""

    def compute(self, settings: S, uploads: Uploads) -> Answer:
        """What the settings give: by a public function, in the calling thread."""

    def together(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """What depends on all that is shown."""

    def python(self, shown: Sequence[S], answers: Sequence[Answer]) -> str:
        """A script that gives what is shown."""

    def command(self, shown: Sequence[S], answers: Sequence[Answer]) -> str:
        """Commands that give what is shown."""

    def r(self, shown: Sequence[S], answers: Sequence[Answer]) -> str:
        """A script for R torch that gives what is shown."""


def all_controls(tab: Tab[S]) -> list[Control]:
    """The controls of all groups."""
    return [control for group in tab.controls.values() for control in group]


def settings_of(tab: Tab[S], texts: Mapping[str, str]) -> S:
    """The settings of texts by name, such as a URL's; the default of what is missing; or one clear error."""
    known = {control.name: control for control in all_controls(tab)}
    for name in texts:
        if name not in known:
            raise ValueError(f"`{name}` must be one of {', '.join(known)}; got it in the URL. Leave it out.")
    return tab.settings(**{name: one.value(texts.get(name, one.default)) for name, one in known.items()})
