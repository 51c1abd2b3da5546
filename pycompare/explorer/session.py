"""One visitor of the page: what it asked for last, the files it uploaded, and what was computed for it."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
import traceback
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pycompare.explorer.controls import Slider
from pycompare.explorer.tab import Answer, NoCounterpartError, Tab, all_controls, settings_of

if TYPE_CHECKING:
    from pycompare.data.split import Split

Texts = Mapping[str, str]
Send = Callable[[str, dict[str, Any]], Awaitable[None]]
LARGEST_FILE = 10_000_000  # bytes; one message to the server takes 16 MiB, and base64 a third more than the file
_KEPT = 32  # answers, pinned ones among them
_LANGUAGES = ("python", "r", "command")


@dataclass(frozen=True)
class Question:
    """What is on the page.

    Attributes:
        number: counts the page's questions.
        tab: its name.
        shown: the texts of its controls: of what is pinned, then of the form.
        released: whether it is to be answered at once: no slider is held any more.
    """

    number: int
    tab: str
    shown: tuple[Texts, ...]
    released: bool


class Visitor:
    """Answers the newest of a page's questions, one at a time, in a thread.

    While a slider is dragged, questions come faster than answers: what is being computed is shown, then what was asked
    last; nothing in between. When it is released, what is being computed for another setting is stopped.
    """

    def __init__(self, tabs: Sequence[Tab[Any]], send: Send) -> None:
        self._tabs = {tab.name: tab for tab in tabs}
        self._send = send
        self._uploads: dict[str, Split] = {}
        self._answers: OrderedDict[Any, Answer] = OrderedDict()
        self._waiting: Question | None = None
        self._asked: Question | None = None
        self._stop = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._reports: set[asyncio.Task[None]] = set()
        self._left = False

    def ask(self, question: Question) -> None:
        """Answer this next, by the message "answer"."""
        self._waiting = question
        if question.released and not (self._asked and self._asked.shown == question.shown):
            self._stop.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._answer_the_newest())

    async def upload(self, name: str, content: str) -> None:
        """Take a CSV file, its bytes in base64; tell what it holds by the message "uploaded"."""
        try:
            self._uploads[name] = await asyncio.to_thread(_read_file, name, content)
        except (ValueError, TypeError, OSError) as error:
            await self._tell("uploaded", {"error": str(error)})
        else:
            self._answers.clear()  # a file of this name may have been another
            await self._tell("uploaded", {"name": name})

    def report(self, tab: str, shown: Sequence[Texts]) -> None:
        """Send what is shown as one document in HTML, by the message "report"; questions are answered meanwhile."""
        task = asyncio.create_task(self._send_report(tab, shown))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    def leave(self) -> None:
        """Stop what is being computed: nobody waits for it any more."""
        self._waiting, self._left = None, True
        self._stop.set()

    async def _tell(self, kind: str, message: dict[str, Any]) -> None:
        if not self._left:
            await self._send(kind, message)

    async def _send_report(self, tab: str, shown: Sequence[Texts]) -> None:
        try:
            page = await asyncio.to_thread(self._report, self._tabs[tab], shown)
        except (ValueError, TypeError, OSError) as error:
            await self._tell("report", {"error": str(error)})
        else:
            await self._tell("report", {"name": f"{tab}.html", "html": page})

    async def _answer_the_newest(self) -> None:
        while question := self._waiting:
            self._asked, self._waiting, self._stop = question, None, threading.Event()
            answer = await asyncio.to_thread(self._answer, question, self._stop)
            if answer:
                await self._tell("answer", {"number": question.number, "tab": question.tab} | answer)
        self._asked = None

    def _answer(self, question: Question, stop: threading.Event) -> dict[str, Any] | None:
        """What is to be drawn and told, or an error; None where it was stopped."""
        from pycompare.threads import StoppedError, stoppable

        try:
            with stoppable(stop):
                return self._told(self._tabs[question.tab], question.shown)
        except StoppedError:
            return None
        except (ValueError, TypeError, OSError, KeyError) as error:
            return {"error": str(error)}
        except Exception as error:
            traceback.print_exc()  # a fault of ours; the page and the other visitors go on
            return {"error": f"pycompare failed: {type(error).__name__}: {error}"}

    def _told(self, tab: Tab[Any], shown: Sequence[Texts]) -> dict[str, Any]:
        settings = [settings_of(tab, texts) for texts in shown]
        answers = [self._computed(tab, one) for one in settings]
        return {
            "drawn": [answer.drawn for answer in answers],
            "together": tab.together(answers),
            "labels": labels(tab, shown),
            "rows": [answer.cells | _cells(tab, texts) for texts, answer in zip(shown, answers, strict=True)],
            "code": {language: _code(tab, language, settings, answers) for language in _LANGUAGES},
        }

    def _report(self, tab: Tab[Any], shown: Sequence[Texts]) -> str:
        from pycompare.reports.html import html_page
        from pycompare.reports.told import report_of_all

        settings = dict.fromkeys(settings_of(tab, texts) for texts in shown)
        chapters = [chapter for one in settings for chapter in self._computed(tab, one).result._chapters()]
        return html_page(report_of_all(tab.title, chapters))

    def _computed(self, tab: Tab[Any], settings: Any) -> Answer:
        key = (tab.name, settings)
        if key not in self._answers:
            self._answers[key] = tab.compute(settings, self._uploads)
        self._answers.move_to_end(key)
        while len(self._answers) > _KEPT:
            self._answers.popitem(last=False)
        return self._answers[key]


def labels(tab: Tab[Any], shown: Sequence[Texts]) -> list[str]:
    """What tells each of those shown from the others."""
    full = [{one.name: texts.get(one.name, one.default) for one in all_controls(tab)} for texts in shown]
    varied = [name for name in full[0] if len({texts[name] for texts in full}) > 1]
    return [", ".join(f"{name} = {texts[name]}" for name in varied) or "these settings" for texts in full]


def _code(tab: Tab[Any], language: str, shown: Sequence[Any], answers: Sequence[Answer]) -> dict[str, str]:
    try:
        return {"text": getattr(tab, language)(shown, answers)}
    except NoCounterpartError as reason:
        return {"reason": str(reason)}


def _cells(tab: Tab[Any], texts: Texts) -> dict[str, str]:
    return {one.name: texts.get(one.name, one.default) for one in all_controls(tab) if isinstance(one, Slider)}


class _Named(io.BytesIO):
    """A file that errors call by its name."""

    name = ""


def _read_file(name: str, content: str) -> Split:
    from pycompare.data.split import Split

    if len(content) > LARGEST_FILE * 4 // 3 + 4:
        raise ValueError(f"`data` must have {LARGEST_FILE // 1_000_000} MB at most; got more. Take some rows.")
    file = _Named(base64.b64decode(content))
    file.name = name
    return Split.from_csv(file)
