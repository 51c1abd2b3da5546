"""One visitor: the newest question is answered, stale ones are not, and files are read or refused."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pycompare.explorer import session
from pycompare.explorer.session import Question, Visitor, labels
from pycompare.explorer.tab import Answer, Uploads
from pycompare.explorer.tabs import TABS
from pycompare.threads import check_stop

LIMIT = 60  # seconds


class Slow:
    """A tab that computes until it is let go, or stopped; other settings at once."""

    name, title, caption = "slow", "Slow", "Slow"
    controls = TABS[0].controls

    def __init__(self) -> None:
        self.began, self.let_go, self.computed = threading.Event(), threading.Event(), []

    def settings(self, **values: Any) -> Any:
        return values["seed"]

    def figures(self) -> list[Any]:
        return []

    def compute(self, settings: Any, uploads: Uploads) -> Answer:
        self.computed.append(settings)
        self.began.set()
        while settings == 1 and not self.let_go.wait(0.01):
            check_stop()
        if settings == 3:
            raise RuntimeError("a fault of ours")
        return Answer({"seed": settings}, {}, None)  # type: ignore[arg-type]

    def together(self, answers: Sequence[Answer]) -> dict[str, Any]:
        return {}

    def python(self, shown: Sequence[Any], answers: Sequence[Answer]) -> str:
        return ""

    r = command = python


def question(number: int, *, seed: int, released: bool = True, tab: str = "slow") -> Question:
    return Question(number, tab, ({"seed": str(seed)},), released)


def visited(tab: Any, visit: Callable[[Visitor], Any]) -> list[dict[str, Any]]:
    """What a visitor is sent, until nothing more comes."""
    sent: list[dict[str, Any]] = []

    async def send(kind: str, message: dict[str, Any]) -> None:
        sent.append({"kind": kind} | message)

    async def run() -> None:
        visitor = Visitor([tab], send)
        async with asyncio.timeout(LIMIT):
            await visit(visitor)
            if visitor._task:
                await visitor._task

    asyncio.run(run())
    return sent


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, LIMIT)


def test_while_dragging_the_first_and_the_last_are_answered() -> None:
    slow = Slow()

    async def drag(visitor: Visitor) -> None:
        visitor.ask(question(1, seed=1, released=False))
        await until(slow.began)
        for number in range(2, 100):
            visitor.ask(question(number, seed=number + 10, released=False))
        slow.let_go.set()

    assert [told["number"] for told in visited(slow, drag)] == [1, 99]
    assert slow.computed == [1, 109]


def test_a_release_stops_what_is_stale() -> None:
    slow = Slow()

    async def release(visitor: Visitor) -> None:
        visitor.ask(question(1, seed=1, released=False))
        await until(slow.began)
        visitor.ask(question(2, seed=2))

    assert [told["number"] for told in visited(slow, release)] == [2]


def test_a_release_at_what_is_computed_does_not_begin_again() -> None:
    slow = Slow()

    async def release(visitor: Visitor) -> None:
        visitor.ask(question(1, seed=1, released=False))
        await until(slow.began)
        visitor.ask(question(2, seed=1))
        slow.let_go.set()

    assert [told["number"] for told in visited(slow, release)] == [1, 2]
    assert slow.computed == [1]


def test_who_leaves_is_computed_for_no_longer() -> None:
    slow = Slow()

    async def leave(visitor: Visitor) -> None:
        visitor.ask(question(1, seed=1))
        await until(slow.began)
        visitor.leave()

    assert visited(slow, leave) == []


def test_a_training_is_stopped_in_the_middle() -> None:
    async def leave(visitor: Visitor) -> None:
        visitor.ask(Question(1, "sweep", ({"epochs": "2000", "batch_size": "1", "hidden": "1000,1000"},), True))
        await asyncio.sleep(0.2)
        visitor.leave()

    assert visited(TABS[0], leave) == []


def test_a_fault_of_ours_is_told_and_the_next_question_answered(capsys: pytest.CaptureFixture[str]) -> None:
    slow = Slow()

    async def ask(visitor: Visitor) -> None:
        visitor.ask(question(1, seed=3))
        await visitor._task  # type: ignore[misc]
        visitor.ask(question(2, seed=4))

    first, second = visited(slow, ask)
    assert first["error"] == "pycompare failed: RuntimeError: a fault of ours"
    assert second["drawn"] == [{"seed": 4}]
    assert "a fault of ours" in capsys.readouterr().err


def test_answers_are_kept_but_not_all_of_them() -> None:
    slow, seeds = Slow(), [*range(10, 50), 10, 49]

    async def ask(visitor: Visitor) -> None:
        for seed in seeds:
            visitor.ask(question(seed, seed=seed))
            await visitor._task  # type: ignore[misc]

    visited(slow, ask)
    assert slow.computed == [*range(10, 50), 10]


def test_labels_tell_what_differs() -> None:
    assert labels(TABS[0], [{"lr": "0.1"}]) == ["these settings"]
    assert labels(TABS[0], [{"lr": "0.1"}, {"seed": "7"}]) == ["lr = 0.1, seed = 123", "lr = 0.01, seed = 7"]


FILES = {
    "text": (b"Once upon a time\nthere was no number.\n", "at least two columns"),
    "one column": (b"x\n1\n2\n", "at least two columns"),
    "NaN": (b"x,y\n1,2\n,3\n4,5\n", "none in column 'x', row 2"),
    "words": (b"x,y\n1,2\nten,3\n", "text in column 'x', row 2"),
    "a picture": (b"\x89PNG\r\n\x1a\n\xff\xfe", "must be UTF-8 text"),
    "empty": (b"", "is empty"),
    "a single row": (b"x,y\n1,2\n", "must leave rows for both sets"),
    "too large": (b"x,y\n" + b"1,2\n" * (session.LARGEST_FILE // 4), "must have 10 MB at most"),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_taken(content: bytes, message: str) -> None:
    async def upload(visitor: Visitor) -> None:
        await visitor.upload("own.csv", base64.b64encode(content).decode())
        visitor.ask(Question(1, "sweep", ({"data": "file:own.csv"},), True))

    refused, answer = visited(TABS[0], upload)
    assert refused["kind"] == "uploaded"
    assert message in refused["error"]
    assert answer["error"].startswith("`data` must be here; got 'own.csv'")


def test_a_file_is_trained_on_and_one_of_its_name_takes_its_place() -> None:
    rows = [f"{i},{i % 5}\n" for i in range(30)]
    first, second = ("x,y\n" + "".join(part) for part in (rows, rows[::-1]))
    asked = Question(1, "sweep", ({"data": "file:own.csv", "epochs": "1"},), True)

    async def upload(visitor: Visitor) -> None:
        for content in (first, second):
            await visitor.upload("own.csv", base64.b64encode(content.encode()).decode())
            visitor.ask(asked)
            await visitor._task  # type: ignore[misc]

    told = visited(TABS[0], upload)
    assert told[0] == {"kind": "uploaded", "name": "own.csv"}
    assert told[1]["drawn"] != told[3]["drawn"]
