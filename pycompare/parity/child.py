"""R's side of an `RSession`: the process that holds R, and the only file that imports rpy2.

`session.py` starts this file by its path, not through multiprocessing, which would run the user's script again. It
imports nothing of pycompare, and so never torch, whose libraries cannot share a process with those of R torch.

Requests come as `(code, {name: node})`; answers go back as tuples whose first item says what they are. A node is a
value on its way, `(kind, data, attributes)`; `convert.py` describes it.
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

Node = tuple[str, Any, dict[str, Any]]

ATTRIBUTES = ("names", "dim", "dimnames", "levels", "class", "row.names", "units")
MOST_LEVELS = 200  # of lists within lists, as in convert.py: beyond, Python's limit of recursion would end this process
WORDS = {"CLOSXP": "function", "BUILTINSXP": "function", "ENVSXP": "environment", "LANGSXP": "call", "SYMSXP": "symbol"}

# Returns list("value", value, visible, warnings), list("error", message, call, traceback, warnings) or
# list("interrupted"). A data frame in a call would fill the traceback: arguments are passed by name, lines cut.
RUN = """
function(code, variables) {
  frame <- if (length(variables)) list2env(variables, parent = globalenv()) else globalenv()
  warnings <- character()
  traceback <- character()
  depth <- NA
  readable <- function(x) iconv(enc2utf8(x), "UTF-8", "UTF-8", sub = "byte")
  first_line <- function(call) {
    if (is.null(call)) character() else substr(readable(deparse(call, nlines = 1L)[1L]), 1L, 200L)
  }
  keep_warning <- function(w) {
    if (length(warnings) < 50L) warnings <<- c(warnings, readable(conditionMessage(w)))
    tryInvokeRestart("muffleWarning")
  }
  keep_calls <- function(e) {
    if (is.na(depth)) return()
    calls <- head(sys.calls(), -1L)[-seq_len(depth + 2L)]
    lines <- vapply(tail(calls, 50L), first_line, "")
    traceback <<- lines[!grepl("^(\\\\.handleSimpleError|h)\\\\(", lines)]
  }
  evaluate <- function(parsed) {
    depth <<- sys.nframe()
    eval(parsed, frame)
  }
  tryCatch({
    parsed <- parse(text = code, keep.source = FALSE, encoding = "UTF-8")
    result <- withCallingHandlers(withVisible(evaluate(parsed)), warning = keep_warning, error = keep_calls)
    list("value", result$value, result$visible, warnings)
  },
  error = function(e) list("error", readable(conditionMessage(e)), first_line(conditionCall(e)), traceback, warnings),
  interrupt = function(i) list("interrupted"))
}
"""

# names() would ask an object's class.
NAMES = """
function(x) {
  names <- attr(x, "names", exact = TRUE)
  if (is.null(names)) NULL else iconv(enc2utf8(names), "UTF-8", "UTF-8", sub = "byte")
}
"""

# Text crosses as zero-terminated UTF-8, which R writes and reads a hundred times faster than one string at a time.
TEXT_TO_BYTES = """
function(x) {
  attributes(x) <- NULL
  missing <- is.na(x)
  list(writeBin(enc2utf8(x), raw(), useBytes = TRUE), if (any(missing)) missing)
}
"""
BYTES_TO_TEXT = """
function(bytes, count, missing) {
  x <- readBin(bytes, "character", count)
  Encoding(x) <- "UTF-8"
  if (!is.null(missing)) x[missing] <- NA_character_
  x
}
"""


class NoPythonFormError(TypeError):
    """An R value that does not cross to Python."""


class R:
    """R within this process, spoken to in nodes."""

    def __init__(self) -> None:
        ri: Any = import_module("rpy2.rinterface")
        # A profile could change the numbers (options, attached packages); the environment files name the libraries.
        ri.embedded.set_initoptions(("rpy2", "--quiet", "--no-save", "--no-restore", "--no-init-file"))
        ri.initr(interactive=False, _c_stack_limit=0)  # 0 keeps R's own limit, without which deep recursion crashes
        ri.evalr('if (!l10n_info()$`UTF-8`) invisible(Sys.setlocale("LC_CTYPE", "C.UTF-8"))')
        self._ri = ri
        self._callbacks: Any = import_module("rpy2.rinterface_lib.callbacks")
        self._run, self._text_to_bytes, self._bytes_to_text = map(ri.evalr, (RUN, TEXT_TO_BYTES, BYTES_TO_TEXT))
        self._attributes, self._set_attributes = ri.baseenv["attributes"], ri.baseenv["attributes<-"]
        self._names = ri.evalr(NAMES)
        self._vectors = {
            "logical": ri.BoolSexpVector,
            "integer": ri.IntSexpVector,
            "double": ri.FloatSexpVector,
            "raw": ri.ByteSexpVector,
        }
        self._kinds = {ri.RTYPES.LGLSXP: "logical", ri.RTYPES.INTSXP: "integer", ri.RTYPES.REALSXP: "double"}

    def print_to(self, write: Callable[[str, str], None]) -> None:
        """Hand what R prints to `write(stream, text)`."""
        self._callbacks.consolewrite_print = lambda text: write("stdout", text)
        self._callbacks.consolewrite_warnerror = lambda text: write("stderr", text)
        self._callbacks.showmessage = lambda text: write("stderr", text)
        self._callbacks.consoleread = lambda _: ""  # no wait for input that cannot come

    def interrupt(self, pending: bool) -> None:
        """Ask R to interrupt what it evaluates, or withdraw the request."""
        self._ri.openrlib.rlib.R_interrupts_pending = int(pending)

    def run(self, code: str, variables: dict[str, Node]) -> tuple[Any, ...]:
        """Evaluate `code`, which sees `variables`; return the answer for the other side."""
        names = {"names": text_node(list(variables))}
        try:
            answer = self._run(self._ri.StrSexpVector([code]), self.to_r(("list", list(variables.values()), names)))
            what, *parts = answer
            if what[0] == "value":
                return self._value_answer(*parts)
        except self._ri.embedded.RRuntimeError as error:  # of a conversion, such as text beyond 2 GiB
            return "error", [str(error)], [], [], []
        return what[0], *map(list, parts)

    def _value_answer(self, value: Any, visible: Any, warnings: Any) -> tuple[Any, ...]:
        try:
            return "value", self.from_r(value), list(warnings)
        except NoPythonFormError as error:
            if visible[0]:
                return "no python form", str(error), list(warnings)
            return "value", ("NULL", None, {}), list(warnings)  # an assignment, which R would not print either

    def from_r(self, value: Any, path: str = "", level: int = 0) -> Node:
        """Return an R object as a node; `path` says where in the result it lies, within `level` lists."""
        ri = self._ri
        if level > MOST_LEVELS:
            raise NoPythonFormError(f"a list nested more than {MOST_LEVELS} levels deep")
        data: Any
        if value.typeof == ri.RTYPES.NILSXP:
            return "NULL", None, {}
        if value.typeof == ri.RTYPES.VECSXP:
            kind, data = "list", self._items(value, path, level)
        elif value.typeof == ri.RTYPES.STRSXP:
            content, missing = self._text_to_bytes(value)
            kind = "character"
            where = None if missing is ri.NULL else np.array(missing, dtype=bool)
            data = (np.array(content).tobytes(), len(value), where)
        elif value.typeof == ri.RTYPES.RAWSXP:
            kind, data = "raw", np.array(value).tobytes(order="F")
        elif value.typeof == ri.RTYPES.CPLXSXP:
            kind, data = "complex", np.array(list(value), dtype=complex)
        elif value.typeof in self._kinds:
            kind, data = self._kinds[value.typeof], np.array(value).ravel(order="F")
        else:
            word = WORDS.get(value.typeof.name, value.typeof.name)
            raise NoPythonFormError(f"an R {word}" + (f" at `{path}`" if path else ""))
        return kind, data, self._kept_attributes(value, level)

    def _items(self, value: Any, path: str, level: int) -> list[Node]:
        names = self._names(value)
        labels = [f"[[{i + 1}]]" for i in range(len(value))] if names is self._ri.NULL else [f"${n}" for n in names]
        return [self.from_r(item, path + label, level + 1) for item, label in zip(value, labels, strict=True)]

    def _kept_attributes(self, value: Any, level: int) -> dict[str, Node]:
        found = self._attributes(value)
        if found is self._ri.NULL:
            return {}
        pairs = zip(found.names, found, strict=True)
        return {name: self.from_r(attribute, level=level + 1) for name, attribute in pairs if name in ATTRIBUTES}

    def to_r(self, node: Node) -> Any:
        """Return a node as an R object."""
        kind, data, attributes = node
        value: Any
        if kind == "NULL":
            return self._ri.NULL
        if kind == "list":
            value = self._ri.ListSexpVector([self.to_r(item) for item in data])
        elif kind == "character":
            value = self._text(*data)
        elif kind == "complex":
            value = self._ri.ComplexSexpVector(data.tolist())
        else:
            value = self._vectors[kind].from_memoryview(memoryview(data))
        if not attributes:
            return value
        named = self._ri.ListSexpVector([self.to_r(item) for item in attributes.values()])
        named.names = self._ri.StrSexpVector(list(attributes))
        return self._set_attributes(value, named)

    def _text(self, content: bytes, count: int, missing: Any) -> Any:
        where = self._ri.NULL if missing is None else self.to_r(("logical", missing.astype(np.int32), {}))
        data = self._ri.ByteSexpVector.from_memoryview(memoryview(content))
        return self._bytes_to_text(data, self._ri.IntSexpVector([count]), where)

    def end(self) -> None:
        """Run R's exit hooks and close its devices."""
        self.print_to(lambda *_: None)
        self._ri.endr(0)


def text_node(strings: list[str]) -> Node:
    """Return strings as a character node."""
    return "character", ("".join(text + "\0" for text in strings).encode(), len(strings), None), {}


def leave(folder: str) -> None:
    """End this process and all that R started, and remove R's temporary files."""
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def leave_with_parent(parent: int, folder: str) -> None:
    """Wait until the parent is gone, however it went, then leave, whatever R is doing."""
    # PR_SET_PDEATHSIG would fire when the thread that started this process ends, which may be long before its process.
    while os.getppid() == parent:
        time.sleep(0.2)
    leave(folder)


def pass_interrupts(r: R) -> None:
    """Turn every SIGINT into R's own interrupt from now on."""
    # Python's handlers do not run while R does, but Python's C code announces every signal on this pipe.
    announced, announce = os.pipe()
    os.set_blocking(announce, False)
    signal.set_wakeup_fd(announce)
    signal.signal(signal.SIGINT, lambda *_: None)

    def pass_on() -> None:
        while os.read(announced, 1):
            r.interrupt(True)

    threading.Thread(target=pass_on, daemon=True).start()


def serve(connection: Connection, r: R) -> None:
    """Answer requests until the other side says goodbye with None, or is gone."""
    r.print_to(lambda stream, text: connection.send(("print", stream, text)))
    connection.send(("ready",))
    while True:
        request = connection.recv()
        if request is None:
            return
        r.interrupt(False)
        connection.send(r.run(*request))


def main(descriptor: int, parent: int, folder: str) -> None:
    """Start R and serve it on an inherited socket."""
    connection = Connection(descriptor)
    os.set_inheritable(descriptor, False)  # else a program that R starts would keep the line open after R's death
    threading.Thread(target=leave_with_parent, args=(parent, folder), daemon=True).start()
    try:
        r = R()
    except (ImportError, ValueError, RuntimeError, OSError) as error:
        connection.send(("unavailable", f"{type(error).__name__}: {error}"))
        leave(folder)
    pass_interrupts(r)
    try:
        with contextlib.suppress(EOFError, OSError):
            serve(connection, r)
        r.end()
    finally:
        leave(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
