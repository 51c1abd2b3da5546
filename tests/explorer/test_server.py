"""The server as others on the machine meet it, and many visitors at once."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pycompare import compare_configs
from pycompare.explorer.app import _listen, _query
from tests.explorer.conftest import Served, serving

SESSIONS = 20
FILE_ROWS, BYTES_A_ROW = 200_000, 16  # of two columns, in double


@pytest.fixture(autouse=True)
def _random_state() -> Iterator[None]:
    """The client draws what its pings say from Python's generator."""
    state = random.getstate()
    yield
    random.setstate(state)


def socket_of(url: str) -> str:
    return url.replace("http:", "ws:") + "websocket/"


def test_who_knows_the_token_gets_the_page(served: Served) -> None:
    page = urlopen(served.url).read().decode()
    assert "<title>pycompare</title>" in page
    assert b"plotly" in urlopen(served.url + "plotly.min.js").read()


@pytest.mark.parametrize("path", ["/", "/plotly.min.js", "/wrong/", "/wrong/explorer.js", "/websocket/"])
def test_who_does_not_is_refused(served: Served, path: str) -> None:
    with pytest.raises(HTTPError, match="403") as refused:
        urlopen(f"http://{urlsplit(served.url).netloc}{path}")
    assert refused.value.read().decode().startswith("This page is for who has its link")


@pytest.mark.parametrize("change", [lambda url: url.replace(urlsplit(url).path, "/"), lambda url: url[:-2] + "x/"])
def test_sockets_are_refused_too(served: Served, change: Any) -> None:
    async def knock() -> None:
        async with connect(socket_of(change(served.url))):
            pass

    with pytest.raises(InvalidStatus, match="403"):
        asyncio.run(knock())


def test_only_this_machine_is_listened_to(served: Served) -> None:
    port = urlsplit(served.url).port
    table = Path("/proc/net/tcp")
    if not table.exists():
        pytest.skip("no table of sockets here")
    listening = [line.split()[1] for line in table.read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert [address for address in listening if int(address.split(":")[1], 16) == port] == [f"0100007F:{port:04X}"]


async def told(connection: ClientConnection, kind: str) -> Any:
    """The next message of this kind."""
    async for message in connection:
        if answer := json.loads(message).get("custom", {}).get(kind):
            return answer
    raise AssertionError("no answer")


async def visit(url: str, lr: str, gate: asyncio.Barrier) -> list[float]:
    """The curve that a visitor gets who asks when all are there."""
    async with connect(socket_of(url)) as connection:
        await connection.send(json.dumps({"method": "init", "data": {}}))
        await gate.wait()
        asked = {"number": 1, "tab": "sweep", "shown": [{"lr": lr, "epochs": "3"}], "released": True}
        await connection.send(json.dumps({"method": "update", "data": {"ask": asked}}))
        curve: list[float] = (await told(connection, "answer"))["drawn"][0]["valid_loss"]
        return curve


def test_twenty_visitors_each_see_their_own(served: Served) -> None:
    rates = [repr((i + 1) / 1000) for i in range(SESSIONS)]

    async def visit_all() -> list[list[float]]:
        gate = asyncio.Barrier(SESSIONS)
        async with asyncio.timeout(120):
            return await asyncio.gather(*(visit(served.url, lr, gate) for lr in rates))

    expected = compare_configs(3, lr=[float(lr) for lr in rates], progress=False).data
    assert asyncio.run(visit_all()) == [run["valid_loss"].tolist() for _, run in expected.groupby("config", sort=False)]


async def upload(url: str, content: str) -> None:
    """A visit that leaves a file behind, if anything does."""
    async with connect(socket_of(url)) as connection:
        await connection.send(json.dumps({"method": "init", "data": {}}))
        file = {"name": "own.csv", "content": content}
        await connection.send(json.dumps({"method": "update", "data": {"upload": file}}))
        assert await told(connection, "uploaded") == {"name": "own.csv"}


def test_memory_returns_when_visitors_have_left(served: Served) -> None:
    status = Path(f"/proc/{served.process.pid}/status")
    if not status.exists():
        pytest.skip("no word on a process's memory here")
    content = base64.b64encode(b"x,y\n" + b"1,2\n" * FILE_ROWS).decode()

    async def visits() -> int:
        for _ in range(SESSIONS):
            await upload(served.url, content)
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) * 1024

    # The first ones load what all need. Measured from then on: 13 MB more at most after 20 visits, of 64 MB in files.
    _, before, after = (asyncio.run(visits()) for _ in range(3))
    assert after - before < SESSIONS * FILE_ROWS * BYTES_A_ROW / 2


def test_a_message_beyond_all_bounds_ends_its_session_only(served: Served) -> None:
    with pytest.raises(ConnectionClosed):
        asyncio.run(upload(served.url, "x" * 17 * 2**20))
    assert "<title>pycompare</title>" in urlopen(served.url).read().decode()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_when_told(sign: signal.Signals) -> None:
    with serving() as one:
        urlopen(one.url).read()
        one.process.send_signal(sign)
        code = one.process.wait(timeout=30)
    assert code == (0 if sign is signal.SIGINT else -sign)


@pytest.mark.parametrize("state", ["lr=0.1&pin=", "http://127.0.0.1:1/token/?lr=0.1&pin="])
def test_a_url_of_another_day_opens_its_state(state: str) -> None:
    assert _query(state) == "?lr=0.1&pin="
    assert _query("") == ""


def test_a_port_that_is_taken() -> None:
    with _listen(0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ValueError, match=f"`port` must be free; got {port}"):
            _listen(port)
    with pytest.raises(ValueError, match="`port` must be at most 65535"):
        _listen(65536)


def test_the_usual_port_is_left_to_who_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setattr("pycompare.explorer.app.PORT", other.getsockname()[1])
        with _listen(None) as listening:
            assert listening.getsockname()[1] != other.getsockname()[1]
