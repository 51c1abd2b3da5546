"""Python values as nodes and back, without R."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from pycompare.parity.convert import from_node, to_node

R_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
SCALARS = st.none() | st.booleans() | st.integers(-(2**31) + 1, 2**31 - 1) | st.floats(allow_nan=False) | R_TEXT
VALUES = st.recursive(
    SCALARS, lambda items: st.lists(items) | st.dictionaries(R_TEXT.filter(bool), items), max_leaves=20
)


@given(VALUES)
def test_nested_values_return_as_they_were(value):
    assert from_node(to_node(value)) == value


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=4, min_side=0)))
def test_arrays_return_bit_for_bit(array):
    returned = from_node(to_node(array))
    assert returned.shape == array.shape
    assert returned.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.float32([0.1, 2]), np.array([0.10000000149011612, 2.0])),
        (np.int8([-1, 2]), np.array([-1, 2])),
        (np.array([1, 2**40]), np.array([1.0, 2.0**40])),
        (np.array([-(2**31), 0]), np.array([-(2.0**31), 0.0])),
        (np.array(["a", "b"]), np.array(["a", "b"], dtype=object)),
        (np.array([True, False]), np.array([True, False])),
        (np.array([1 + 2j, 3]), np.array([1 + 2j, 3])),
        (np.array(["a", None], dtype=object), pd.array(["a", pd.NA], dtype="string")),
        (np.array([True, None], dtype=object), pd.array([True, pd.NA], dtype="boolean")),
        (pd.Series([1, pd.NA], dtype="Int64"), pd.array([1, pd.NA], dtype="Int64")),
        (pd.Series([0.5, pd.NA], dtype="Float64"), np.array([0.5, np.nan])),
        (pd.Series(["a", None]), pd.array(["a", pd.NA], dtype="string")),
        (pd.Series([1.0, 2.0], index=["x", "y"]), pd.Series([1.0, 2.0], index=["x", "y"])),
        (pd.Series([1, 2], index=[7, 8]), pd.Series([1, 2], index=["7", "8"])),
        (pd.Index([1, 2]), np.array([1, 2])),
        (pd.arrays.SparseArray([0.0, 2.0]), np.array([0.0, 2.0])),
        (np.ma.array([1.0, 2.0]), np.array([1.0, 2.0])),
        (pd.Categorical(["b", None], ["b", "a"], ordered=True), pd.Categorical(["b", None], ["b", "a"], ordered=True)),
        (np.array([], dtype=np.float64), np.array([], dtype=np.float64)),
        (pd.DataFrame({"x": [0.5]}, index=["r"]), pd.DataFrame({"x": [0.5]}, index=["r"])),
        (pd.DataFrame({"x": [1, 2, 3]})[::2], pd.DataFrame({"x": [1, 3]}, index=[0, 2])),
        (pd.DataFrame({"x": [], "y": []}), pd.DataFrame({"x": [], "y": []})),
        (pd.DataFrame(index=range(3)), pd.DataFrame(index=range(3), columns=pd.Index([], dtype=object))),
    ],
    ids=str,
)
def test_what_returns(values, expected):
    returned = from_node(to_node(values))
    assert type(returned) is type(expected)
    check = {pd.Series: pd.testing.assert_series_equal, pd.DataFrame: pd.testing.assert_frame_equal}
    exact = {np.ndarray: np.testing.assert_array_equal, pd.Categorical: pd.testing.assert_extension_array_equal}
    (check | exact).get(type(expected), pd.testing.assert_extension_array_equal)(returned, expected)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (2**53 + 1, ValueError, "got 9007199254740993"),
        (-(2**70), ValueError, "within 2\\^53"),
        (np.array([2**63], dtype=np.uint64), ValueError, "got 9223372036854775808"),
        ("a\0b", ValueError, "NUL"),
        (np.array(["a\0b"], dtype=object), ValueError, "NUL"),
        ({1: 2}, TypeError, "keys must be text for R; got 1"),
        ({1, 2}, TypeError, "got set"),
        (len, TypeError, "got builtin_function_or_method"),
        (pd.Timestamp("2020-01-01"), TypeError, "got Timestamp"),
        (np.array(["2020-01-01"], dtype="M8[D]"), TypeError, "got dtype datetime64"),
        (np.longdouble(1), TypeError, "got dtype float128"),
        (np.array([1, "a"], dtype=object), TypeError, "got 1"),
        (pd.DataFrame([[1]]), TypeError, "column names must be text"),
        (pd.DataFrame({"a": [1, 2]}, index=["x", "x"]), ValueError, "unique"),
        (pd.Series([1], index=pd.MultiIndex.from_tuples([(1, 2)])), ValueError, "one level"),
    ],
    ids=str,
)
def test_what_r_cannot_hold_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        to_node(value)
