"""An argument that is a list makes the comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pycompare.checks import number
from pycompare.sweeps.vary import vary


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ([0.1, 0.2], [0.1, 0.2]),
        ((0.1,), [0.1]),
        (range(2), [0.0, 1.0]),
        (np.array([0.5, 0.25]), [0.5, 0.25]),
        (pd.Series([1, 2], index=[5, 6]), [1.0, 2.0]),
        (pd.Index([3]), [3.0]),
    ],
)
def test_a_list_of_any_kind_varies(value: Any, values: list[float]) -> None:
    variation = vary({"lr": value, "beta1": 0.9}, {"lr": number, "beta1": number})
    assert variation.varied == {"lr": values}
    assert variation.fixed == {"beta1": 0.9}


@pytest.mark.parametrize("value", [0.1, np.float32(0.5), np.array(0.25), "adam", (6, -3)])
def test_one_value_does_not(value: Any) -> None:
    assert vary({"start": value}).varied == {}


def test_a_pair_is_one_value_and_a_list_of_pairs_several() -> None:
    assert vary({"betas": (0.9, 0.99)}).fixed == {"betas": (0.9, 0.99)}
    assert vary({"betas": [(0.9, 0.99), (0.5, 0.9)]}).labels("betas") == ["betas = (0.9, 0.99)", "betas = (0.5, 0.9)"]


def test_choices_are_all_combinations_the_last_changing_fastest() -> None:
    choices = vary({"a": [1, 2], "b": 3, "c": ["x", "y"]}).choices()
    assert [tuple(choice.items()) for choice in choices] == [(("a", a), ("c", c)) for a in (1, 2) for c in ("x", "y")]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"`lr` must be a one-dimensional list with at least one value; got \[\]"),
        (np.ones((2, 2)), "`lr` must be a one-dimensional list"),
        ([0.1, 0.2, 0.1], "`lr` must hold distinct values; got `lr = 0.1` more than once"),
        ([0.1, 0.1 + 1e-17], "`lr` must hold distinct values"),
        ([0.1, float("nan")], "`lr` must be finite"),
    ],
)
def test_bad_lists(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        vary({"lr": value}, {"lr": number})


def test_what_to_do_about_duplicates_names_the_argument() -> None:
    with pytest.raises(ValueError, match=r'or name them: lr=\{"one": \.\.\., "other": \.\.\.\}\.'):
        vary({"lr": [0.1, 0.1]}, {"lr": number})
