"""R in a process of its own."""

import contextlib
import doctest
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pycompare.parity import RError, RSession, RSessionDied, RTimeout, RUnavailable, RWarning, session

NA_REAL = np.array([0x7FF00000000007A2], dtype=np.uint64).view(np.float64)


@pytest.fixture(scope="module")
def r(r_session):
    """Plain R; without R, `r_session` skips or fails the test."""
    with RSession(backend=None) as opened:
        opened.eval("id <- function(x) x; same <- function(x, code) identical(x, eval(parse(text = code)))")
        yield opened


@pytest.fixture
def own_r(r):
    with RSession(backend=None) as opened:
        yield opened


def group_is_gone(pid, seconds=2.0):
    """Whether no process of an R session is left, within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        states = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
        if not [row for row in states.splitlines() if row.split()[0] == str(pid) and "Z" not in row.split()[1]]:
            return True
        time.sleep(0.05)
    return False


def run_script(tmp_path, code, **kwargs):
    script = tmp_path / "script.py"
    script.write_text(code)
    env = os.environ | {"PYTHONPATH": str(Path(session.__file__).parents[2])}
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=env, **kwargs)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (3, "3L"),
        (2**31 - 1, ".Machine$integer.max"),
        (-(2**31), "-2147483648"),
        (2**53, "2^53"),
        (0.1, "0.1"),
        (-0.0, "-0"),
        (float("nan"), "NaN"),
        (NA_REAL, "NA_real_"),
        (1 + 2j, "complex(real = 1, imaginary = 2)"),
        ("aé☃", '"a\\u00e9\\u2603"'),
        (b"\x01\xff", "as.raw(c(1, 255))"),
        (pd.NA, "NA"),
        ([1, "a", [None]], 'list(1L, "a", list(NULL))'),
        ({"a": 1, "b": {"c": [0.5]}}, "list(a = 1L, b = list(c = list(0.5)))"),
        ([], "list()"),
        (np.array([], dtype=np.float64), "numeric(0)"),
        (np.array([1, 2**40]), "c(1, 2^40)"),
        (np.float32([0.1]), "0.10000000149011612"),
        (np.array(["x", None], dtype=object), 'c("x", NA)'),
        (np.arange(6).reshape(2, 3), "matrix(0:5, 2, byrow = TRUE)"),
        (np.arange(24.0).reshape(2, 3, 4), "aperm(array(as.numeric(0:23), 4:2))"),
        (pd.Series([1.0, 2.0], index=["a", "b"]), "c(a = 1, b = 2)"),
        (pd.Series([1, pd.NA], dtype="Int64"), "c(1L, NA)"),
        (pd.Series([True, pd.NA], dtype="boolean"), "c(TRUE, NA)"),
        (pd.Series([0.5, pd.NA], dtype="Float64"), "c(0.5, NA)"),
        (pd.Categorical(["u", None, "v"], ["v", "u"]), 'factor(c("u", NA, "v"), c("v", "u"))'),
        (pd.Categorical(["u"], ["v", "u"], ordered=True), 'factor("u", c("v", "u"), ordered = TRUE)'),
        (pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}), 'data.frame(x = 1:2, y = c("a", "b"))'),
        (pd.DataFrame({"x": [0.5]}, index=["row"]), 'data.frame(x = 0.5, row.names = "row")'),
        (pd.DataFrame({"x": [0.5, 1.5]}, index=[5, 9]), "data.frame(x = c(0.5, 1.5), row.names = c(5L, 9L))"),
    ],
    ids=str,
)
def test_what_r_gets(r, value, code):
    assert r.call("same", value, code) is True


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("NULL", None),
        ("TRUE", True),
        ("2L", 2),
        ("0.1 + 0.2", 0.1 + 0.2),
        ("'\\u00e9'", "é"),
        ("NA", pd.NA),
        ("NA_character_", pd.NA),
        ("1i", 1j),
        ("as.raw(1:2)", b"\x01\x02"),
        ("list()", []),
        ("list(a = 1, b = list(2L, 'x'))", {"a": 1.0, "b": [2, "x"]}),
        ("list(1, a = 2)", [1.0, 2.0]),
        ("setNames(list(), character())", {}),
        ("f <- function(x) x", None),
        ("", None),
    ],
)
def test_scalars_and_lists_from_r(r, code, expected):
    value = r.eval(code)
    assert value is pd.NA if expected is pd.NA else value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("1:3", np.array([1, 2, 3])),
        ("c(0.5, NA, NaN)", np.array([0.5, np.nan, np.nan])),
        ("integer()", np.array([], dtype=np.int64)),
        ("c('a', 'b')", np.array(["a", "b"], dtype=object)),
        ("c(TRUE, FALSE)", np.array([True, False])),
        ("matrix(1:6, 2)", np.array([[1, 3, 5], [2, 4, 6]])),
        ("matrix(numeric(), 0, 2)", np.empty((0, 2))),
        ("array(1:8, c(2, 2, 2))", np.arange(1, 9).reshape(2, 2, 2, order="F")),
    ],
)
def test_arrays_from_r(r, code, expected):
    value = r.eval(code)
    assert value.dtype == expected.dtype
    np.testing.assert_array_equal(value, expected, strict=True)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("c(1L, NA)", pd.array([1, pd.NA], dtype="Int64")),
        ("c(NA, TRUE)", pd.array([pd.NA, True], dtype="boolean")),
        ("c('a', NA)", pd.array(["a", pd.NA], dtype="string")),
        ("factor(c('b', NA), c('b', 'a'))", pd.Categorical(["b", None], ["b", "a"])),
        ("addNA(factor(c('b', NA)))", pd.Categorical(["b", None], ["b"])),
        ("factor(c('b', NA, 'a'), c(NA, 'b', 'a'), exclude = NULL)", pd.Categorical(["b", None, "a"], ["b", "a"])),
        ("structure(list(), class = 'data.frame')", pd.DataFrame(columns=pd.Index([], dtype=object))),
        ("c(a = 1, b = 2)", pd.Series([1.0, 2.0], index=["a", "b"])),
        ("c(a = 1L, b = NA)", pd.Series([1, pd.NA], index=["a", "b"], dtype="Int64")),
        ("table(c('u', 'v', 'u'))", pd.Series([2, 1], index=["u", "v"])),
        ("matrix(1:2, 1, dimnames = list('r', c('a', 'b')))", pd.DataFrame({"a": [1], "b": [2]}, index=["r"])),
        (
            "matrix(c(1L, NA), 1, dimnames = list('r', NULL))",
            pd.DataFrame({0: [1], 1: [pd.NA]}, index=["r"], dtype="Int64"),
        ),
        (
            "data.frame(x = 1:2, x = c('a', 'b'), check.names = FALSE)",
            pd.DataFrame([[1, "a"], [2, "b"]], columns=list("xx")),
        ),
        ("data.frame(x = 1:3)[2:3, , drop = FALSE]", pd.DataFrame({"x": [2, 3]}, index=[2, 3])),
        ("data.frame(x = numeric())", pd.DataFrame({"x": np.array([], dtype=np.float64)})),
        (
            "data.frame(f = factor('u'), s = NA_character_)",
            pd.DataFrame({"f": pd.Categorical(["u"]), "s": pd.array([pd.NA], dtype="string")}),
        ),
    ],
)
def test_pandas_from_r(r, code, expected):
    value = r.eval(code)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(value, expected)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(value, expected)
    else:
        pd.testing.assert_extension_array_equal(value, expected)


def test_doubles_keep_every_bit(r):
    bits = np.random.default_rng(1).integers(0, 2**64, size=100_000, dtype=np.uint64)
    assert np.array_equal(r.call("id", bits.view(np.float64)).view(np.uint64), bits)


def test_frames_return_as_they_were(r):
    frame = pd.DataFrame(
        {"n": [1, 2], "x": [0.1, np.nan], "t": ["é", ""], "b": [True, False], "c": pd.Categorical(["u", "v"])}
    )
    pd.testing.assert_frame_equal(r.call("id", frame), frame)


@pytest.mark.parametrize(
    "code",
    [
        "mean",
        "new.env()",
        "y ~ x",
        "list(a = list(1, mean))",
        "ts(1:3)",
        "structure(1, class = c('hms', 'difftime'), units = 'secs')",
        "structure(0.5, class = 'Date')",
        "structure(Inf, class = c('POSIXct', 'POSIXt'))",
        "structure(1e10, class = c('POSIXct', 'POSIXt'))",
        "structure(5L, levels = 'a', class = 'factor')",
        "structure(1L, levels = c('a', 'a'), class = 'factor')",
        "structure(list(1, 2), class = 'data.frame')",
        "structure(list(a = 1), class = 'data.frame')",
        "structure(1:3, class = 'data.frame')",
        "x <- NULL; for (i in 1:201) x <- list(x); x",
        "x <- NULL; for (i in 1:5000) x <- list(x); x",
    ],
)
def test_values_without_python_form_are_refused(r, code):
    with pytest.raises(TypeError, match="must have a Python form"):
        r.eval(code)
    assert r.eval("1") == 1.0


def test_refusal_says_where(r):
    with pytest.raises(TypeError, match=r"an R function at `\$a\[\[2\]\]`"):
        r.eval("list(a = list(1, mean))")


AS_BYTES = r"x <- 'caf\xe9'; Encoding(x) <- 'bytes';"


@pytest.mark.parametrize(
    "code", ["x", "factor(x)", "list(1, x)", "y <- 1:2; names(y) <- c('a', x); y", "y <- list(1); names(y) <- x; y"]
)
def test_text_that_is_no_text_is_refused(r, code):
    with pytest.raises(ValueError, match=r"R's text must be UTF-8; got b'caf\\xe9'. Convert it in R: iconv"):
        r.eval(f"{AS_BYTES} {code}")
    assert r.eval("1") == 1.0


def test_warnings_that_are_no_text_arrive(r):
    with pytest.warns(RWarning, match="caf<e9>"):
        assert r.eval(r"warning('caf\xe9'); 1") == 1.0


def test_columns_as_long_as_their_frame_only(r):
    with pytest.raises(TypeError, match=r"columns must be as long as its row names; got \['b'\]"):
        r.eval("structure(list(a = 1:2, b = 1), class = 'data.frame', row.names = 1:2)")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("as.Date(c('2024-02-29', NA))", np.array(["2024-02-29", "NaT"], dtype="M8[D]")),
        ("structure(c(-1L, NA), class = 'Date')", np.array(["1969-12-31", "NaT"], dtype="M8[D]")),
        ("as.Date('2024-02-29')", np.datetime64("2024-02-29")),
        (
            "as.POSIXct(c('1960-01-01 00:00:00.25', NA), tz = 'UTC')",
            np.array(["1960-01-01T00:00:00.25", "NaT"], dtype="M8[ns]"),
        ),
        ("as.POSIXct('2024-07-01 12:00', tz = 'Asia/Tokyo')", np.datetime64("2024-07-01T03:00", "ns")),
        ("as.difftime(c(1.5, NA), units = 'mins')", np.array([90 * 10**9, "NaT"], dtype="m8[ns]")),
        ("as.difftime(-2, units = 'weeks')", np.timedelta64(-14 * 86400 * 10**9, "ns")),
        ("as.Date(c('2024-01-03', '2024-01-01')) - as.Date('2024-01-01')", np.array([172800 * 10**9, 0], "m8[ns]")),
    ],
)
def test_dates_and_times_from_r(r, code, expected):
    value = r.eval(code)
    assert value.dtype == expected.dtype
    np.testing.assert_array_equal(value, expected)


def test_dates_and_times_in_frames_from_r(r):
    frame = r.eval("data.frame(d = as.Date(c('2024-01-01', NA)), t = as.difftime(1:2, units = 'hours'))")
    assert frame["d"].tolist() == [pd.Timestamp("2024-01-01"), pd.NaT]
    assert frame["t"].tolist() == [pd.Timedelta("1h"), pd.Timedelta("2h")]


class Code(str):
    """A text of a class that the R process cannot import."""

    def __format__(self, _):
        return "not what it holds"


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


MASKED = np.ma.array([1.0, 2.0], mask=[False, True])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda r: r.eval(b"1"), TypeError, "`code` must be text; got b'1'"),
        (lambda r: r.eval(["1"]), TypeError, r"`code` must be text; got \['1'\]"),
        (lambda r: r.eval(None), TypeError, "`code` must be text; got None"),
        (lambda r: r.eval("1 + 1 \0 + 40"), ValueError, "`code` must be free of NUL characters"),
        (lambda r: r.eval("'\ud800'"), ValueError, "`code` must be Unicode; got the lone surrogate"),
        (lambda r: r.call("nchar", "\ud800"), ValueError, "text must be Unicode; got the lone surrogate"),
        (lambda r: r.call("list", {"\ud800": 1}), ValueError, "text must be Unicode"),
        (lambda r: r.call("list", **{"\ud800": 1}), ValueError, "an argument's name must be Unicode"),
        (lambda r: r.call("list", **{"a\0b": 1}), ValueError, "an argument's name must be free of NUL"),
        (lambda r: r.call("list", **{"": 1}), ValueError, "`kwargs` must have names; got an empty one"),
        (lambda r: r.call(None), TypeError, "`name` must be text; got None"),
        (lambda r: r.call(b"sum"), TypeError, "`name` must be text; got b'sum'"),
        (lambda r: r.call("length", nested(201)), ValueError, "nested at most 200 levels deep"),
        (lambda r: r.call("length", nested(5000)), ValueError, "nested at most 200 levels deep"),
        (lambda r: r.call("sum", MASKED), ValueError, "`value` must be free of masked entries; got 1 masked"),
        (lambda r: r.call("sum", np.ma.masked), ValueError, "`value` must be free of masked entries"),
        (lambda r: r.call("sum", [MASKED]), ValueError, "`value` must be free of masked entries"),
        (lambda r: r.eval("1", timeout="1"), TypeError, "`timeout` must be a number; got '1'"),
        (lambda r: r.eval("1", timeout=True), TypeError, "`timeout` must be a number; got True"),
    ],
)
def test_a_wrong_argument_leaves_the_session_as_it_was(r, call, error, message):
    r.eval("kept <- 7")
    with pytest.raises(error, match=message):
        call(r)
    assert r.eval("kept") == 7.0


@pytest.mark.parametrize("timeout", [3e6, 1e300, np.float64(9)])
def test_long_timeouts(r, timeout):
    assert r.eval("1", timeout=timeout) == 1.0


def test_texts_of_other_classes_are_what_they_hold(r):
    assert r.eval(Code("1 + 1")) == 2.0
    assert r.call("id", [Code("a"), "b"]) == ["a", "b"]


@pytest.mark.parametrize("levels", [1, 200])
def test_lists_within_lists_return(r, levels):
    assert r.call("id", nested(levels)) == nested(levels)


@pytest.mark.parametrize("key", [".arg1", ".arg2", "a`b", "a\\b", "a\nb", "list", "é"])
def test_arguments_may_have_any_name(r, key):
    assert r.call("setdiff", np.array([1.0, 2.0]), **{"y": 2.0}) == 1.0
    value = r.call("list", "first", "second", **{key: "named"})
    assert value == ["first", "second", "named"]
    assert r.call("names", r.call("list", **{key: 1})) == key


def test_calls_take_names_and_packages(r):
    assert r.call("stats::quantile", np.array([1.0, 2.0, 4.0]), probs=0.5, names=False) == 2.0
    assert r.call("sum", 1.0, float("nan"), **{"na.rm": True}) == 1.0


@pytest.mark.parametrize("name", ["", "f(1)", "1 + 1", "a::b::c", "quit()#"])
def test_calls_need_a_name(r, name):
    with pytest.raises(ValueError, match="`name` must be the name of an R function"):
        r.call(name)


def test_source_runs_a_file(r, tmp_path):
    file = tmp_path / "it's é.R"
    file.write_text("sourced <- 'é'\n", encoding="utf-8")
    r.source(file)
    assert r.eval("sourced") == "é"


def test_source_needs_the_file(r, tmp_path):
    with pytest.raises(FileNotFoundError, match="`path` must be an R file"):
        r.source(tmp_path / "none.R")


def test_errors_tell_message_call_and_traceback(r):
    with pytest.raises(RError) as caught:
        r.eval("inner <- function(x) stop('no ', x)\nouter_one <- function(x) inner(x)\nouter_one(3)")
    error = caught.value
    assert (error.message, error.call) == ("no 3", "inner(x)")
    assert error.traceback == ("outer_one(3)", "inner(x)", 'stop("no ", x)')
    assert "2. inner(x)" in str(error)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 +", "unexpected end of input"),
        ("nowhere", "object 'nowhere' not found"),
        ("h <- function() h(); h()", "infinite recursion|C stack usage"),
        ("stop(structure(class = c('own', 'error', 'condition'), list(message = 'mine', call = NULL)))", "mine"),
        ("no_such_package::f()", "no package called"),
    ],
)
def test_sessions_outlive_errors(r, code, message):
    with pytest.raises(RError, match=message):
        r.eval(code)
    assert r.eval("1") == 1.0


def test_output_messages_and_warnings_arrive(r, capsys):
    with pytest.warns(RWarning, match="careful"):
        assert r.eval("cat('printed é\\n'); message('told'); system('echo shell'); warning('careful'); 5") == 5.0
    assert capsys.readouterr() == ("printed é\n", "told\n")


def test_r_asks_nobody(r, capsys):
    assert r.eval("readline('name? ')") == ""
    assert r.eval("interactive()") is False


def test_the_profile_is_not_read(r, tmp_path, monkeypatch):
    (tmp_path / ".Rprofile").write_text("options(digits = 3)\n")
    monkeypatch.chdir(tmp_path)
    with RSession(backend=None) as own:
        assert own.eval("getOption('digits')") == 7


@pytest.mark.parametrize("code", ["repeat {}", "Sys.sleep(60)", "repeat cat('x\\n')"])
def test_timeouts_kill_and_close(r, code, capsys):
    with RSession(backend=None) as own:
        start = time.monotonic()
        with pytest.raises(RTimeout, match=r"longer than 0.3 s"):
            own.eval(code, timeout=0.3)
        assert time.monotonic() - start < 1
        assert group_is_gone(own.pid)
        with pytest.raises(RSessionDied, match="ended with RTimeout"):
            own.eval("1")


def test_the_sessions_timeout_is_the_default(r):
    with RSession(backend=None, timeout=0.3) as own:
        assert own.eval("Sys.sleep(0.5); 1", timeout=5) == 1.0
        with pytest.raises(RTimeout):
            own.eval("Sys.sleep(5)")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_timeouts_are_checked(r, timeout):
    with pytest.raises(ValueError, match="`timeout` must be finite"):
        r.eval("1", timeout=timeout)


@pytest.mark.parametrize("code", ["repeat {}", "system('sleep 60')"])
def test_a_killed_child_is_noticed(own_r, code):
    threading.Timer(0.3, os.kill, (own_r.pid, signal.SIGKILL)).start()
    start = time.monotonic()
    with pytest.raises(RSessionDied, match="exit status -9"):
        own_r.eval(code)
    assert time.monotonic() - start < 2
    assert group_is_gone(own_r.pid)
    with RSession(backend=None) as new:
        assert new.eval("1") == 1.0


@pytest.mark.parametrize("code", ["quit(status = 3)", "tools::pskill(Sys.getpid(), 11); Sys.sleep(9)"])
def test_a_child_that_ends_is_noticed(own_r, code):
    with pytest.raises(RSessionDied, match=r"exit status (3|-11)"):
        own_r.eval(code)
    assert own_r.closed


@pytest.mark.parametrize("code", ["1", "tools::pskill(Sys.getpid(), 9)"])
def test_what_r_started_ends_with_it(own_r, code):
    own_r.eval("system('sleep 60', wait = FALSE)")
    with contextlib.suppress(RSessionDied):
        own_r.eval(code)
    own_r.close()
    assert group_is_gone(own_r.pid)


def interrupted(r, code, folder):
    """Seconds until Ctrl-C, pressed while `code` runs, is raised."""
    begun, pressed = folder / "begun", []

    def press():
        while not begun.exists():
            time.sleep(0.05)
        time.sleep(0.3)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        r.eval(f"file.create('{begun}'); {code}")
    return time.monotonic() - pressed[0]


@pytest.mark.parametrize("code", ["repeat {}", "Sys.sleep(60)"])
def test_ctrl_c_interrupts_r(own_r, code, tmp_path):
    own_r.eval("x <- 7")
    assert interrupted(own_r, code, tmp_path) < 1
    assert own_r.eval("x") == 7.0


@pytest.mark.parametrize("code", ["system('sleep 60')", "repeat tryCatch(repeat {}, interrupt = identity)"])
def test_ctrl_c_kills_where_r_does_not_yield(own_r, code, tmp_path):
    assert interrupted(own_r, code, tmp_path) < 1
    assert own_r.closed
    assert group_is_gone(own_r.pid)


def test_ctrl_c_while_r_starts_is_quiet(tmp_path):
    code = """
import os, signal, threading
from pycompare.parity import RSession
threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    RSession(backend=None)
except KeyboardInterrupt:
    print("interrupted")
"""
    script = run_script(tmp_path, code, stderr=subprocess.PIPE)
    assert script.communicate(timeout=30) == ("interrupted\n", "")


def test_a_killed_parent_leaves_no_child(r, tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    code = f"""
import tempfile
tempfile.tempdir = {str(folder)!r}
from pycompare.parity import RSession
r = RSession(backend=None)
r.eval("writeLines('x', tempfile())")
print(r.pid, flush=True)
r.eval("repeat {{}}")
"""
    parent = run_script(tmp_path, code)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    assert group_is_gone(child)
    assert list(folder.iterdir()) == []


def test_a_script_needs_no_guard_and_no_close(r, tmp_path):
    code = """
from pycompare.parity import RSession
print("started")
r = RSession(backend=None)
print(r.pid, r.eval("1 + 1"))
"""
    script = run_script(tmp_path, code)
    output = script.communicate(timeout=30)[0].split()
    assert (output[0], output[2], script.returncode) == ("started", "2.0", 0)
    assert group_is_gone(int(output[1]))


def test_the_child_has_no_torch(r, tmp_path):
    child = Path(session.__file__).with_name("child.py")
    code = f"""
import runpy, sys
runpy.run_path({str(child)!r})["R"]()
print(sorted({{"torch", "pandas", "pycompare"}} & set(sys.modules)), "rpy2" in sys.modules)
"""
    assert run_script(tmp_path, code).communicate(timeout=30)[0] == "[] True\n"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_the_child_of_a_process_with_torch_has_none(r, tmp_path):
    code = """
import torch
from pathlib import Path
from pycompare.parity import RSession
with RSession(backend=None) as r:
    libraries = Path(f"/proc/{r.pid}/maps").read_text()
    print("libR.so" in libraries, "torch" in libraries)
"""
    assert run_script(tmp_path, code).communicate(timeout=60)[0] == "True False\n"


def test_threads_share_a_session(r):
    results = []
    threads = [threading.Thread(target=lambda i=i: results.append(r.call("id", i) == i)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


def test_a_session_outlives_the_thread_that_opened_it(r):
    opened = []
    thread = threading.Thread(target=lambda: opened.append(RSession(backend=None)))
    thread.start()
    thread.join()
    time.sleep(0.5)
    with opened[0] as own:
        assert own.eval("1") == 1.0


def test_a_fork_leaves_the_session_alone(own_r):
    pid = os.fork()
    if pid == 0:
        try:
            own_r.eval("1")
        except RSessionDied:
            own_r.close()
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert own_r.eval("1") == 1.0


def test_closed_sessions_leave_nothing(r, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    descriptors = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with RSession(backend=None) as own:
            own.eval("writeLines('x', tempfile())")
        own.close()
        assert group_is_gone(own.pid)
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/dev/fd").iterdir())) == descriptors


def test_a_closed_session_says_so(own_r):
    own_r.close()
    with pytest.raises(RSessionDied, match="was closed"):
        own_r.eval("1")


def test_without_rpy2_the_error_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "rpy2.py").write_text("raise ModuleNotFoundError(\"No module named 'rpy2'\")\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RUnavailable, match=r"No module named 'rpy2'. In a checkout .*constraints.*rpy2==3.6.4"):
        RSession(backend=None)


@pytest.mark.parametrize("variables", [{"PATH": "/nowhere"}, {"R_HOME": "/nowhere"}])
def test_without_r_the_error_says_what_to_install(r, monkeypatch, variables):
    for name in ("R_HOME", *variables):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RUnavailable, match="Install R"):
        RSession(backend=None)


def test_backends_are_checked():
    with pytest.raises(ValueError, match="`backend` must be 'auto'"):
        RSession(backend="tensorflow")


@pytest.mark.parametrize("backend", ["auto", "basetorch"])
def test_backends_are_attached(r, backend, capsys):
    with RSession(backend=backend) as own:
        assert own.backend in ("torch", "basetorch")
        assert own.eval("(torch_tensor(2) * 3)$item()") == 6.0


def test_the_example_in_the_docstring_runs(r):
    (example,) = doctest.DocTestParser().get_examples(RSession.__doc__)
    example.options = {}
    test = doctest.DocTest([example], {"RSession": RSession, "np": np}, "RSession", None, None, None)
    assert doctest.DocTestRunner().run(test) == (0, 1)
