"""The sets that commands and the explorer know by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pycompare.data.classification import SETS, classification_data
from pycompare.data.digits import digits_data
from pycompare.data.split import Split, course_data, spirals_data

ROWS = 300  # of the training sets of `classification_data`


def named_sets(rows: int = ROWS) -> dict[str, Callable[[], Split]]:
    """What makes each set, by its name; `rows` is how many those of `classification_data` have to train on."""
    named: dict[str, Callable[[], Split]] = {name: partial(classification_data, name, rows) for name in SETS}
    named |= {"friedman3": course_data, "spirals": spirals_data, "digits": digits_data}
    return named | {"mnist": partial(digits_data, "mnist")}
