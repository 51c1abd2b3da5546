"""Checks of one argument at the public edge."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pycompare.checks import flag, number, unmasked, whole_number

HIDDEN = np.ma.array([0.1, 0.2], mask=[False, True])


@pytest.mark.parametrize("check", [number, whole_number])
@pytest.mark.parametrize(
    "value",
    [np.ma.masked, np.ma.array(5, mask=True), HIDDEN[1], True, np.bool_(1), "5", None, 5j, [5], Decimal(5), pd.NA],
)
def test_what_is_no_number_is_refused(check: Callable[[str, Any], float], value: Any) -> None:
    with pytest.raises(TypeError, match=r"`lr` must be a (whole )?number; got "):
        check("lr", value)


@pytest.mark.parametrize("check", [number, whole_number])
@pytest.mark.parametrize(
    "value", [5, 5.0, np.float32(5), np.uint8(5), np.array(5), np.ma.array(5), torch.tensor(5.0), Fraction(5)]
)
def test_numbers_become_python_s(check: Callable[[str, Any], float], value: Any) -> None:
    checked = check("lr", value)
    assert checked == 5
    assert type(checked) in (int, float)


@pytest.mark.parametrize("value", [True, np.bool_(True), np.array(True), torch.tensor(True)])
def test_flags_become_python_s(value: Any) -> None:
    assert flag("replace", value) is True


@pytest.mark.parametrize("value", [1, 0.0, "FALSE", None, [True], np.array([True]), np.ma.masked, pd.NA])
def test_what_is_no_flag_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="`replace` must be True or False; got "):
        flag("replace", value)


@pytest.mark.parametrize(
    "values",
    [HIDDEN, np.ma.masked, [1, np.ma.masked], [[HIDDEN]], (HIDDEN,), np.array([1, np.ma.masked], dtype=object)],
)
def test_masked_entries_are_found(values: Any) -> None:
    with pytest.raises(ValueError, match="`X` must be free of masked entries"):
        unmasked("X", values)


@pytest.mark.parametrize("values", [HIDDEN[:1], [1, [2]], pd.Series([1.0]), pd.DataFrame({"a": [1]}), torch.ones(2), 3])
def test_what_has_no_masked_entry_passes(values: Any) -> None:
    assert unmasked("X", values) is values
