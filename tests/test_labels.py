from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from pycompare.labels import call_label, r_number

# What R 4.2.2 prints for paste(<key>).
PASTED = {
    1e-4: "1e-04",
    1e-5: "1e-05",
    100: "100",
    1e5: "1e+05",
    123456: "123456",
    0.1 + 0.2: "0.3",
    1 / 3: "0.333333333333333",
    1e15: "1e+15",
    0.00012345: "0.00012345",
    1e-15: "1e-15",
    1234567.1: "1234567.1",
    2**53: "9007199254740992",
    1 - 1e-17: "1",
    99999.5: "99999.5",
    1e22: "1e+22",
    1e5 + 0.1: "100000.1",
    150000: "150000",
    -0.5: "-0.5",
    0: "0",
    1e100: "1e+100",
    -1e-7: "-1e-07",
}


@pytest.mark.parametrize(("value", "text"), PASTED.items())
def test_numbers_as_paste_writes_them(value: float, text: str) -> None:
    assert r_number(value) == text


def own_network() -> object:
    return None


@pytest.mark.parametrize(
    ("make", "label"),
    [
        (own_network, "own_network"),
        (lambda: None, "<lambda>"),
        (partial(own_network), "own_network()"),
        (partial(dict, 4, widths=(50, 50), make=own_network), "dict(4, widths=(50, 50), make=own_network)"),
    ],
)
def test_what_calls_a_function_reads_as_the_call(make: Callable[..., object], label: str) -> None:
    assert call_label(make) == label
