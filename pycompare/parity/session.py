"""R in a process of its own.

R torch and PyTorch cannot be loaded into one process, so R runs in a child that never imports torch (`child.py`).
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import weakref
from collections.abc import Iterator
from itertools import count
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pycompare.checks import number
from pycompare.files import expanded
from pycompare.parity.convert import Node, from_node, plain_text, to_node

Backend = Literal["auto", "torch", "basetorch"]

START_SECONDS = 60.0  # 0.5 s are usual; a cold network disk may take long
GRACE_SECONDS = 0.5  # for R to obey an interrupt: Ctrl-C is to be over within a second
LEAVE_SECONDS = 2.0  # for R's exit hooks
LONGEST_WAIT = 86400.0  # at a time: poll() counts milliseconds in 32 bits

R_ITSELF = "Install R (Debian: r-base-core r-base-dev r-cran-mlbench r-cran-ggplot2)."
RPY2 = "In a checkout of pycompare: `pip install -c constraints.txt '.[r]'`; R 4.2 needs rpy2==3.6.4, as it says."
R_NAME = re.compile(r"((?:[A-Za-z][\w.]*):::?)?([A-Za-z.][\w.]*)")


class RUnavailable(RuntimeError):  # noqa: N818 (the names say what happened)
    """R or rpy2 is missing or does not start; the message says what to install."""


class RSessionDied(RuntimeError):  # noqa: N818
    """The R process is gone: it crashed, was killed, or its session was closed. A new session works."""


class RTimeout(RuntimeError):  # noqa: N818
    """R took longer than `timeout`; its process was killed and its session closed."""


class RWarning(UserWarning):
    """A warning raised in R."""


class RError(RuntimeError):
    """An error raised in R: its `message`, the `call` that raised it and R's `traceback`, innermost call last."""

    def __init__(self, message: str, call: str | None = None, traceback: tuple[str, ...] = ()) -> None:
        super().__init__(message, call, traceback)
        self.message, self.call, self.traceback = message, call, traceback

    def __str__(self) -> str:
        where = f"\nR call: {self.call}" if self.call else ""
        calls = "".join(f"\n  {i}. {call}" for i, call in enumerate(self.traceback, start=1))
        return self.message + where + (f"\nR traceback, innermost call last:{calls}" if calls else "")


class RSession:
    """R in a child process, to be closed by `with`, by `close()` or with Python's end.

    What R prints goes to `sys.stdout`, its messages to `sys.stderr`, its warnings become `RWarning`. The user's R
    profile is not read. Sessions may be used from any thread, one call at a time. They need a Unix system.

    Ctrl-C interrupts R and raises KeyboardInterrupt; where R does not yield within half a second (compiled code,
    `system()`), it is killed and the session closed. Values cross with full precision:

    ======================================  ==============================================================
    Python                                  R
    ======================================  ==============================================================
    None, pd.NA, bool, str, bytes           NULL, NA, logical, character, raw
    int                                     integer; beyond 32 bits double, up to 2^53
    float, complex; nan                     double, complex; NaN
    list, tuple; dict with text keys        list; named list
    array of one dimension, of more         vector; matrix or array
    Series; its index unless the default    vector; its names
    Categorical                             factor
    DataFrame; its index                    data.frame; its row names
    ======================================  ==============================================================

    Back come the same, but: a vector of one element without names as a scalar, whole numbers as int64, `NA_real_` as
    nan, a vector with NA as pandas' Int64, boolean or string, a matrix with dimnames as a DataFrame, a list as a dict
    where every element has a name of its own, the values of a factor's level NA as missing ones. Dates and times come,
    but do not go: Date as datetime64[D], POSIXct as datetime64[ns] in UTC, difftime as timedelta64[ns]; within a
    DataFrame in pandas' units. Names of an array's dimensions beyond two, the class of a list and the time zone are
    lost; an index 1, 2, ... comes back as pandas' default. Lists may be nested 200 levels deep. Functions,
    environments, calls and vectors of other classes have no Python form: a TypeError says so, unless R would not print
    the value: `f <- function(x) x` gives None.

    What cannot be sent (masked entries, text with NUL or lone surrogates, ...) is an error before R hears of it: the
    session and its variables stay.

    Arguments:
        backend: what the exercises' R code finds as torch: R torch where installed, else its stand-in ("auto"), or one
            of the two ("torch", "basetorch"); None leaves R plain. Default "auto".
        timeout: seconds that a call may take before `RTimeout`, unless it says otherwise; default no limit.

    Raises:
        RUnavailable: R or rpy2 is missing, or R torch with `backend="torch"`.

    Example:
        >>> with RSession(backend=None) as r:  # doctest: +SKIP
        ...     r.call("stats::sd", np.array([1.0, 2.0, 3.0]))
        1.0
    """

    def __init__(self, backend: Backend | None = "auto", *, timeout: float | None = None) -> None:
        if backend not in ("auto", "torch", "basetorch", None):
            raise ValueError(f"`backend` must be 'auto', 'torch', 'basetorch' or None; got {backend!r}. Choose one.")
        self.timeout = _checked_timeout(timeout)
        self.backend = backend
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._closed_because: str | None = None
        self._process, self._connection, folder = _start()
        self._end = weakref.finalize(self, _end, self._process, self._connection, folder, self._owner)
        self._await_start()
        if backend is not None:
            self.backend = _attach_backend(self, backend)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RSession({self._closed_because or f'process {self.pid}'})"

    @property
    def pid(self) -> int:
        """The process id of the R process."""
        return self._process.pid

    @property
    def closed(self) -> bool:
        """Whether the session is over."""
        return self._closed_because is not None

    def close(self) -> None:
        """End R, waiting for a call that another thread is in. Closing twice is harmless."""
        with self._lock:
            self._close("was closed")

    def eval(self, code: str, *, timeout: float | None = None) -> Any:
        """Evaluate R code in the global environment and return its last value.

        Raises:
            RError: the code raised an error.
            RTimeout: it took longer than `timeout` seconds (default: the session's).
            RSessionDied: R crashed, was killed, or is closed.
            TypeError: the value has no Python form.
        """
        return self._request(plain_text("`code`", code), {}, timeout)

    def call(self, name: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Call the R function `name`, such as "sd" or "stats::sd"; return its value. Raises as `eval` does.

        An R argument that is itself called `timeout` can only be given by position.
        """
        if not R_NAME.fullmatch(plain_text("`name`", name)):
            raise ValueError(f"`name` must be the name of an R function; got {name!r}. For other code use eval().")
        keys = [_argument_name(key) for key in kwargs]
        free = (variable for i in count(1) if (variable := f".arg{i}") not in keys)
        variables = {variable: to_node(value) for variable, value in zip(free, args, strict=False)}
        given = [f"`{variable}`" for variable in variables] + [f"{_quoted(key)} = {_quoted(key)}" for key in keys]
        variables |= {key: to_node(value) for key, value in zip(keys, kwargs.values(), strict=True)}
        return self._request(f"{name}({', '.join(given)})", variables, timeout)

    def source(self, path: str | os.PathLike[str], *, timeout: float | None = None) -> None:
        """Run an R file (UTF-8) in the global environment. Raises as `eval` does, or FileNotFoundError."""
        file = expanded(path).resolve()
        if not file.is_file():
            raise FileNotFoundError(f"`path` must be an R file; got {os.fspath(path)!r}, which is none. Check it.")
        code = '{source(path, keep.source = FALSE, encoding = "UTF-8"); NULL}'
        self._request(code, {"path": to_node(str(file))}, timeout)

    def _request(self, code: str, variables: dict[str, Node], timeout: float | None) -> Any:
        limit = self.timeout if timeout is None else _checked_timeout(timeout)
        request = ForkingPickler.dumps((code, variables))  # before R hears of it: what fails here leaves it as it is
        with self._lock:
            self._check_open()
            with self._killing_on_failure():
                self._send(request)
                answer, interrupted = self._answer(limit)
        if interrupted or answer[0] == "interrupted":
            raise KeyboardInterrupt
        return _value(answer)

    def _send(self, request: Any) -> None:
        try:
            self._connection.send_bytes(request)
        except OSError:
            raise self._died() from None

    def _answer(self, limit: float | None) -> tuple[tuple[Any, ...], bool]:
        """Return R's answer, and whether Ctrl-C came before it; show what R prints meanwhile."""
        deadline = None if limit is None else time.monotonic() + limit
        interrupted = False
        while True:
            try:
                ready = self._ready_before(deadline)
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted, deadline = True, time.monotonic() + GRACE_SECONDS
                os.kill(self.pid, signal.SIGINT)
                continue
            if not ready:
                raise KeyboardInterrupt if interrupted else RTimeout(f"R took longer than {limit:g} s and was killed.")
            try:
                answer = self._receive()
            except RSessionDied:
                if interrupted:
                    raise KeyboardInterrupt from None
                raise
            if answer[0] != "print":
                return answer, interrupted
            print(answer[2], end="", file=getattr(sys, answer[1]), flush=True)

    def _ready_before(self, deadline: float | None) -> bool:
        if deadline is None:
            return self._connection.poll(None)
        while (left := deadline - time.monotonic()) > 0:  # R that prints without end is always ready
            if self._connection.poll(min(left, LONGEST_WAIT)):
                return True
        return False

    def _died(self) -> RSessionDied:
        _kill(self._process)
        return RSessionDied(f"R died during the call (exit status {self._process.returncode}). Open a new RSession.")

    @contextlib.contextmanager
    def _killing_on_failure(self) -> Iterator[None]:
        """Kill R where the exchange with it breaks off midway: what it says next would answer something else."""
        try:
            yield
        except BaseException as error:
            _kill(self._process)
            self._close(f"ended with {type(error).__name__}")
            raise

    def _await_start(self) -> None:
        """Wait until R is there. Ctrl-C kills it: what starts R in its process would answer with a traceback."""
        try:
            with self._killing_on_failure():
                if not self._ready_before(time.monotonic() + START_SECONDS):
                    raise RTimeout(f"R took longer than {START_SECONDS:g} s.")
                answer = self._receive()
                if answer[0] == "unavailable":
                    raise RUnavailable(f"R does not start: {answer[1]}. {remedy(answer[1])}")
        except (RSessionDied, RTimeout) as error:
            raise RUnavailable(f"R does not start: {error} {remedy('')}") from None

    def _receive(self) -> tuple[Any, ...]:
        try:
            answer: tuple[Any, ...] = self._connection.recv()
        except (EOFError, OSError):
            raise self._died() from None
        return answer

    def _check_open(self) -> None:
        if os.getpid() != self._owner:
            raise RSessionDied("This RSession belongs to the process that this one is a fork of. Open a new RSession.")
        if self._closed_because:
            raise RSessionDied(f"This RSession {self._closed_because}. Open a new RSession.")

    def _close(self, because: str) -> None:
        self._closed_because = self._closed_because or because
        self._end()


def remedy(reason: str) -> str:
    """What to install, of R and the rpy2 that speaks to it, where R does not start for `reason`."""
    only_rpy2 = "No module named 'rpy2" in reason and shutil.which("R")
    return RPY2 if only_rpy2 else f"{R_ITSELF} {RPY2}"


def _checked_timeout(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    seconds = number("timeout", timeout)
    if seconds <= 0:
        raise ValueError(f"`timeout` must be finite and above 0, in seconds; got {timeout!r}. Use None for no limit.")
    return seconds


def _argument_name(key: str) -> str:
    if not key:
        raise ValueError("`kwargs` must have names; got an empty one. Pass the value by position.")
    return plain_text("an argument's name", key)


def _quoted(name: str) -> str:
    """`name` as R code spells it, whatever its characters."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _value(answer: tuple[Any, ...]) -> Any:
    """Return the value in an answer, or raise its error. Passes on R's warnings."""
    what, *parts, notes = answer
    for note in notes:
        warnings.warn(note, RWarning, stacklevel=4)
    if what == "error":
        message, call, traceback = parts
        raise RError(message[0], call[0] if call else None, tuple(traceback))
    if what == "no python form":
        raise TypeError(f"R's value must have a Python form; got {parts[0]}. Return its parts, or assign it in R.")
    return from_node(parts[0])


def _start() -> tuple["subprocess.Popen[bytes]", Connection, str]:
    """Start the R process; return it, our end of the line to it and the folder for its temporary files."""
    folder = tempfile.mkdtemp(prefix="pycompare-r-")
    ours, theirs = Pipe()
    line = theirs.fileno()
    child = Path(__file__).with_name("child.py")
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", str(child), str(line), str(os.getpid()), folder],
            stdin=subprocess.DEVNULL,
            pass_fds=(line,),
            start_new_session=True,  # Ctrl-C in a terminal is for this process, which passes it on
            env=os.environ | {"TMPDIR": folder},
        )
    finally:
        theirs.close()
    return process, ours, folder


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the R process and all that R started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end(process: "subprocess.Popen[bytes]", connection: Connection, folder: str, owner: int) -> None:
    """Ask R to leave, see that it does, and remove its temporary files."""
    if os.getpid() != owner:  # a fork's copy of the session
        return
    try:
        with contextlib.suppress(OSError):
            connection.send(None)
            connection.poll(LEAVE_SECONDS)  # until the line breaks; process.wait() would free its id, needed in _kill()
    finally:
        connection.close()
        _kill(process)
        shutil.rmtree(folder, ignore_errors=True)


def reference_folder() -> Path:
    """The folder of the exercises in R: in the checkout, or within the installed package."""
    package = Path(__file__).parents[1]
    checkout = package.parent / "r_reference"
    return checkout if checkout.is_dir() else package / "r_reference"


def _attach_backend(session: RSession, backend: Backend) -> Backend:
    """Attach R torch or its stand-in in R, as `backend` says; return which."""
    try:
        if backend != "auto":
            session.eval(f'options(pycompare.backend = "{backend}")')
        session.source(reference_folder() / "attach.R")
        found: Backend = session.eval("torch_backend()")
    except RError as error:
        session.close()
        raise RUnavailable(f"`backend` {backend!r} is not to be had: {error.message}") from None
    return found
