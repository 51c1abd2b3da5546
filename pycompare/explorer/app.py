"""The server of the page: on this machine only, and for who knows its token only."""

from __future__ import annotations

import html
import os
import secrets
import socket
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycompare.checks import whole_number
from pycompare.explorer.page import page
from pycompare.explorer.session import Question, Visitor
from pycompare.explorer.tab import Tab
from pycompare.explorer.warm import warming_up
from pycompare.files import cache_folder

if TYPE_CHECKING:
    from shiny import App, Inputs, Outputs, Session
    from starlette.types import ASGIApp, Receive, Scope, Send

PORT = 8217  # unless another is asked for, or this one is taken
_HOST = "127.0.0.1"
_WWW = Path(__file__).parent / "www"
_REFUSED = "This page is for who has its link: take the one that pycompare explore has printed.\n"


def explorer_app(tabs: Sequence[Tab[Any]]) -> App:
    """The page as a Shiny app, without a guard."""
    from shiny import App, reactive

    def server(input: Inputs, output: Outputs, session: Session) -> None:  # noqa: ARG001
        visitor = Visitor(tabs, session.send_custom_message)
        session.on_ended(visitor.leave)

        @reactive.effect
        @reactive.event(input.ask)
        def _ask() -> None:
            asked: Any = input.ask()
            visitor.ask(Question(asked["number"], asked["tab"], tuple(asked["shown"]), asked["released"]))

        @reactive.effect
        @reactive.event(input.upload)
        async def _upload() -> None:
            await visitor.upload(input.upload()["name"], input.upload()["content"])

        @reactive.effect
        @reactive.event(input.report)
        def _report() -> None:
            visitor.report(input.report()["tab"], input.report()["shown"])

    return App(page(tabs), server, static_assets=_WWW)


class Guarded:
    """An ASGI app below a path that begins with a token; who does not know it is refused all: pages, scripts, sockets.

    The token is a part of the path, not a cookie: a browser would send that to other ports of this machine, too, where
    others' servers may listen.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._prefix = app, f"/{token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        path = scope.get("path", "")
        known = secrets.compare_digest(path[: len(self._prefix) + 1].encode(), f"{self._prefix}/".encode())
        if scope["type"] == "lifespan" or known:
            await self._app({**scope, "root_path": self._prefix}, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSED.encode()})


def serve(
    tabs: Sequence[Tab[Any]],
    *,
    port: int | None = None,
    state: str = "",
    browser: bool = True,
    tell: Callable[[str], object] = print,
) -> None:
    """Serve the page until Ctrl-C.

    Arguments:
        tabs: of the page.
        port: where to listen; unless given 8217 or, where that is taken, any.
        state: the part of a URL after "?", or a whole URL: what the page shows at first.
        browser: whether to open it in the browser.
        tell: is called with the URL.

    Raises:
        ValueError: the port is taken, or out of range.
    """
    import uvicorn

    listening = _listen(port)
    token = secrets.token_urlsafe(24)
    url = f"http://{_HOST}:{listening.getsockname()[1]}/{token}/{_query(state)}"
    app = Guarded(explorer_app(tabs), token)
    config = uvicorn.Config(app, log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=1)
    tell(url)
    with warming_up():
        if browser:
            _open(url)
        uvicorn.Server(config).run([listening])


def _listen(port: int | None) -> socket.socket:
    """A socket that listens already: who opens the URL too early waits."""
    asked = PORT if port is None else whole_number("port", port, at_least=0, at_most=65535)
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sends at once on sockets that say so; else 40 ms late
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, asked))
    except OSError as cause:
        if port is not None:
            listening.close()
            raise ValueError(f"`port` must be free; got {port}: {cause.strerror}. Choose another.") from cause
        listening.bind((_HOST, 0))
    listening.listen()
    return listening


def _query(state: str) -> str:
    """The state of a URL, or of its part after "?", with the question mark; of an empty text nothing."""
    query = state.rpartition("?")[2]
    return f"?{query}" if query else ""


def _open(url: str) -> None:
    """Open the browser by a file that only this user can read: the words of a command are seen by all others."""
    file = cache_folder() / "explore.html"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:  # noqa: PTH123
            opened.write(f'<meta http-equiv="refresh" content="0; url={html.escape(url)}">')
    except OSError:
        return  # the URL has been told
    webbrowser.open(file.as_uri())
