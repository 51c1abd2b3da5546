"""Calls as code: what is written is run, and gives the arguments back."""

from __future__ import annotations

import random
import struct
import subprocess
from typing import Any

import numpy as np
import pytest

from pycompare.snippets import command_line, python_call, r_call

TEXTS = [
    "",
    "relu",
    "it's",
    'say "so"',
    "both ' and \"",
    "a\\b",
    "line\nbreak\ttab",
    "größer ≥ 1",
    "$HOME `x`; rm",
    "-1",
]
NUMBERS = [0, 1, -3, 0.1, -0.0, 1e-4, 100000, 2**53, 1e300, 5e-324, 0.1 + 0.2, 1 / 3, 1.7976931348623157e308]
LISTS = [[], [0.1], [0.1, 0.01], ["a", "b"], [True, False]]


def random_doubles(count: int) -> list[float]:
    draw = random.Random(1)
    bits = (struct.unpack("<d", draw.randbytes(8))[0] for _ in range(count))
    short = (draw.randrange(10**6) / 10 ** draw.randrange(12) for _ in range(count))
    long = (draw.random() * 10 ** draw.randrange(-20, 20) for _ in range(count))
    return [x for x in [*bits, *short, *long] if x == x]


def shell_words(arguments: dict[str, Any]) -> list[str]:
    """What a shell makes of the options."""
    line = command_line("printf '%s\\0'", arguments)
    return subprocess.run(["sh", "-c", line], capture_output=True, check=True).stdout.decode().split("\0")[:-1]


def called_in_python(arguments: dict[str, Any]) -> dict[str, Any]:
    return eval(python_call("dict", arguments))


def same(left: Any, right: Any) -> bool:
    return repr(left) == repr(right)


@pytest.mark.parametrize("value", [*TEXTS, *NUMBERS, *LISTS, None, True, (1,), (1, "a"), {"a b": [1, {"c": None}]}])
def test_python_gives_the_value_back(value: Any) -> None:
    assert same(called_in_python({"value": value}), {"value": value})


def test_python_gives_every_double_back() -> None:
    doubles = [*random_doubles(1000), float("inf"), float("-inf"), float("nan")]
    assert same(called_in_python({"x": doubles})["x"], doubles)


@pytest.mark.parametrize(
    ("value", "plain"),
    [(np.float64(0.1), 0.1), (np.int32(3), 3), (np.bool_(True), True), (np.array([1.5, 2.0]), [1.5, 2.0])],
)
def test_what_numpy_has_for_a_number_is_written_as_one(value: Any, plain: Any) -> None:
    assert same(called_in_python({"x": value}), {"x": plain})
    assert r_call("f", {"x": value}) == r_call("f", {"x": plain})
    assert command_line("c", {"x": value}) == command_line("c", {"x": plain})


def test_a_long_call_has_a_line_for_each_argument() -> None:
    arguments = {f"argument_{i}": [0.1] * 5 for i in range(4)}
    written = python_call("dict", arguments)
    assert len(written.splitlines()) == 6
    assert eval(written) == arguments
    assert len(command_line("pycompare compare", arguments).splitlines()) == 5


@pytest.mark.parametrize("text", TEXTS)
def test_a_shell_gives_the_text_back(text: str) -> None:
    assert shell_words({"out": text}) == ["--out", text]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"lr": [0.1, 1e-3]}, ["--lr", "0.1,0.001"]),
        ({"batch_size": (1, 2)}, ["--batch-size", "1,2"]),
        ({"activation": ["relu", "tanh"]}, ["--activation", "relu,tanh"]),
        ({"standardize": True, "progress": False, "store": None}, ["--standardize", "--no-progress"]),
        ({f"a{i}": "x y" for i in range(20)}, [word for i in range(20) for word in (f"--a{i}", "x y")]),
    ],
)
def test_a_shell_gives_the_options(arguments: dict[str, Any], expected: list[str]) -> None:
    assert shell_words(arguments) == expected


def test_a_command_gives_every_double_back() -> None:
    doubles = random_doubles(100)
    _, given = shell_words({"lr": doubles})
    assert [float(number) for number in given.split(",")] == doubles


@pytest.mark.parametrize("text", TEXTS)
def test_r_gives_the_text_back(r_session, text: str) -> None:
    assert r_session.eval(r_call("identity", {"x": text})) == text


def test_r_gives_every_double_back(r_session) -> None:
    doubles = [*random_doubles(3000), *(float(number) for number in NUMBERS)]
    written = r_call("identity", {"x": doubles})
    assert same(np.asarray(r_session.eval(written)).tolist(), doubles)


@pytest.mark.parametrize(
    ("value", "in_r"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        ([True, False], "as.logical(1:0)"),
        ([0.1, 2], "c(1 / 10, 2)"),
        (["a", "b"], "strsplit('ab', '')[[1]]"),
        ([1, "a"], "list(1, 'a')"),
        ([], "list()"),
        (float("-inf"), "-1 / 0"),
        ({"a b": 1, "if": [1, 2], "x`": "y"}, "setNames(list(1, 1:2 + 0, 'y'), c('a b', 'if', 'x`'))"),
    ],
)
def test_r_has_the_value(r_session, value: Any, in_r: str) -> None:
    assert r_session.eval(f"identical({r_call('identity', {'x': value})}, {in_r})")


def test_numbers_are_written_in_few_digits() -> None:
    assert r_call("f", {"lr": [0.1, 1e-05, 30, 1e20]}) == "f(lr = c(0.1, 1e-05, 30, 1e+20))"


@pytest.mark.parametrize("write", [python_call, r_call, command_line])
@pytest.mark.parametrize("value", [lambda x: x, object(), {1, 2}, [object()], 1j])
def test_what_is_no_code_is_an_error_that_names_it(write: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"`schedule` must be something that can be written as code; got "):
        write("f", {"lr": 0.1, "schedule": value})


@pytest.mark.parametrize(
    ("write", "value"), [(command_line, ["a,b"]), (command_line, [(1, 2)]), (r_call, 2**53 + 1), (r_call, "a\0b")]
)
def test_what_the_other_language_cannot_hold_is_an_error(write: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="`x` must be"):
        write("f", {"x": value})
