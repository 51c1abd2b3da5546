"""How far apart two trajectories are."""

import contextlib
import dataclasses
import math
from decimal import Decimal

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from pycompare.parity import Budget, ParityReport, compare_trajectories, ulp_distance
from pycompare.plots import plot_parity

TINY = 5e-324


def descent(steps=40, epsilon=1e-8, beta1=0.9, beta2=0.99):
    """Adam on x^2 + 1000 y^2, in plain Python: a trajectory that shows every change of the method."""
    at, m, v, rows = [1.0, 1.0], [0.0, 0.0], [0.0, 0.0], []
    for step in range(1, steps + 1):
        for i, curvature in enumerate((2.0, 2000.0)):
            slope = curvature * at[i]
            m[i] = beta1 * m[i] + (1 - beta1) * slope
            v[i] = beta2 * v[i] + (1 - beta2) * slope * slope
            scale = math.sqrt(v[i] / (1 - beta2**step)) + epsilon
            at[i] -= 0.1 * m[i] / (1 - beta1**step) / scale
        rows.append((step, *at))
    return pd.DataFrame(rows, columns=["step", "x", "y"])


PATH = descent()


@pytest.mark.parametrize(
    ("a", "b", "dtype", "expected"),
    [
        (1.0, 1.0, None, 0),
        (1.0, math.nextafter(1.0, 2.0), None, 1),
        (-1.0, math.nextafter(-1.0, 0.0), None, 1),
        (0.0, -0.0, None, 0),
        (TINY, -TINY, None, 2),
        (1.0, 2.0, None, 2**52),
        (1.0, 1.0 + 2**-23, "float32", 1),
        (1.0, 1.0 + 2**-23, None, 2**29),
        (np.float32(1), np.float32(1 + 2**-23), None, 1),
        (np.float32(1), 1.0 + 2**-23, None, 2**29),
        (math.nan, math.nan, None, 0),
        (math.nan, 1.0, None, math.inf),
        (math.inf, math.inf, None, 0),
        (math.inf, np.finfo(float).max, None, math.inf),
        (math.inf, -math.inf, None, math.inf),
        (3, 3, None, 0),
    ],
)
def test_ulp_distance(a, b, dtype, expected):
    assert ulp_distance(a, b, dtype) == expected
    assert ulp_distance(b, a, dtype) == expected


@given(st.floats(-1e300, 1e300), st.integers(0, 50))
def test_ulp_distance_counts_steps(start, steps):
    end = start
    for _ in range(steps):
        end = math.nextafter(end, math.inf)
    assert ulp_distance(start, end) == steps


def test_ulp_distance_of_arrays():
    a = np.array([[1.0, np.nan], [0.0, 2.0]])
    np.testing.assert_array_equal(ulp_distance(a, a + 0.0, None), np.zeros((2, 2)))
    np.testing.assert_array_equal(ulp_distance(a, 2.0), [[2.0**52, np.inf], [2.0**62, 0.0]])


@pytest.mark.parametrize(("value", "dtype"), [(0.1, "float32"), (1e300, "float32"), (2**53 + 1, None)])
def test_rounding_never_hides_a_difference(value, dtype):
    with pytest.raises(ValueError, match=r"`a` must hold float.* values"):
        ulp_distance(value, 1.0, dtype)


@pytest.mark.parametrize("name", ["rtol", "atol", "ulps"])
@pytest.mark.parametrize("part", [-1, math.nan, math.inf])
def test_budgets_are_checked(name, part):
    with pytest.raises(ValueError, match=f"`{name}` must be (finite|at least 0); got {part}"):
        Budget(**{name: part}, why="a reason")


@pytest.mark.parametrize(
    ("parts", "message"), [({"why": " "}, "`why` must"), ({"ulps": 0.5, "why": "x"}, "whole number")]
)
def test_budgets_need_a_reason_and_whole_ulps(parts, message):
    with pytest.raises(ValueError, match=message):
        Budget(**parts)


def test_budgets_and_reports_are_frozen():
    budget = Budget(why="exact")
    with pytest.raises(dataclasses.FrozenInstanceError):
        budget.rtol = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        compare_trajectories(PATH, PATH, on="step").budget = budget


@pytest.mark.parametrize(
    ("budget", "allowed"),
    [
        (Budget(why="t"), False),
        (Budget(ulps=2**29 - 1, why="t"), False),
        (Budget(ulps=2**29, why="t"), True),
        (Budget(atol=2.0**-23, why="t"), True),
        (Budget(atol=2.0**-24, why="t"), False),
        (Budget(rtol=2.0**-23, why="t"), True),
        (Budget(rtol=2.0**-24, why="t"), False),
    ],
    ids=str,
)
def test_one_part_of_a_budget_is_enough(budget, allowed):
    left, right = pd.DataFrame({"step": [1], "x": [1.0]}), pd.DataFrame({"step": [1], "x": [1.0 + 2**-23]})
    report = compare_trajectories(left, right, on="step", budget=budget)
    with contextlib.nullcontext() if allowed else pytest.raises(AssertionError, match="1 numbers are beyond"):
        report.assert_within()


def test_identical_trajectories():
    path = PATH.assign(x=PATH["x"].where(PATH["step"] != 3))
    report = compare_trajectories(path, path.copy(), on="step")
    report.assert_within()
    assert report.identical
    assert report.summary()["rows"].tolist() == [40, 40]
    assert report.summary()["first_difference"].tolist() == ["", ""]


@pytest.mark.parametrize(
    ("planted", "step"),
    [
        (descent(epsilon=1e-7), 1),
        (descent(beta1=0.99, beta2=0.9), 2),
        (PATH.assign(y=PATH["y"].astype(np.float32)), 1),
        (PATH.assign(y=PATH["y"].shift(fill_value=1.0)), 1),
        (PATH.assign(y=PATH["y"].where(PATH["step"] != 17, np.nextafter(PATH["y"], 9))), 17),
        (PATH.assign(y=PATH["y"].where(PATH["step"] != 21)), 21),
    ],
    ids=["epsilon", "swapped betas", "float32", "off by one row", "one ulp", "NaN"],
)
def test_planted_errors_are_found_where_they_start(planted, step):
    report = compare_trajectories(PATH, planted, on="step")
    assert not report.identical
    assert report.summary().set_index("column").loc["y", "first_difference"] == f"step={step}"
    with pytest.raises(AssertionError, match=f"first at step={step}:"):
        report.assert_within()


def test_the_message_shows_the_surroundings_in_full():
    right = PATH.assign(y=PATH["y"].where(PATH["step"] != 17, np.nextafter(PATH["y"], 9)))
    with pytest.raises(AssertionError) as caught:
        compare_trajectories(PATH, right, on="step").assert_within(Budget(why="the same statements"))
    message = str(caught.value)
    assert "Budget(rtol=0, atol=0, ulps=0, why='the same statements')" in message
    for step in range(15, 20):
        assert repr(float(PATH["y"][step - 1])) in message
    assert repr(float(right["y"][16])) in message


def test_the_first_difference_is_the_earliest_row():
    right = PATH.assign(x=PATH["x"].where(PATH["step"] != 9), y=PATH["y"].where(PATH["step"] != 4))
    with pytest.raises(AssertionError, match="`y` first at step=4:"):
        compare_trajectories(PATH, right, on="step").assert_within()


def test_summary_holds_the_largest_distances():
    left = pd.DataFrame({"step": [1, 2, 3], "x": [1.0, 4.0, 0.0]})
    right = pd.DataFrame({"step": [1, 2, 3], "x": [1.0, 5.0, TINY]})
    (row,) = compare_trajectories(left, right, on="step").summary().to_dict("records")
    expected = {"rows": 3, "identical": False, "ulps": 2.0**50, "absolute": 1.0, "relative": 1.0}
    assert row == {"column": "x", "first_difference": "step=2"} | expected


@pytest.mark.parametrize(
    ("left_steps", "right_steps"), [([1, 2], [1, 2, 3]), ([1, 2, 3], [1, 3]), ([1, 2], [3]), ([], [1])]
)
def test_missing_and_extra_rows_are_differences(left_steps, right_steps):
    rows = PATH.set_index("step")
    left, right = rows.loc[left_steps].reset_index(), rows.loc[right_steps].reset_index()
    report = compare_trajectories(left, right, on="step")
    assert not report.identical
    assert set(report.only_left["step"]) == set(left_steps) - set(right_steps)
    assert set(report.only_right["step"]) == set(right_steps) - set(left_steps)
    assert "only in" in repr(report)
    with pytest.raises(AssertionError, match="only in"):
        report.assert_within(Budget(atol=1e9, why="rows cannot be made up for"))


@pytest.mark.parametrize("labels", ["category", "string", "object"])
def test_keys_match_by_value(labels):
    left = pd.DataFrame({"config": ["b", "a", "b"], "step": [1, 1, 2], "x": [0.1, 0.2, 0.3]})
    right = left[::-1].astype({"config": labels, "step": "float64"})
    assert compare_trajectories(left, right, on=["config", "step"]).identical


def test_float32_values_held_as_doubles():
    left = pd.DataFrame({"step": [1], "x": np.float32([0.1])})
    right = left.assign(x=np.nextafter(left["x"], np.float32(1)).astype(np.float64))
    assert compare_trajectories(left, right, on="step", dtypes={"x": "float32"}).data["ulps"].tolist() == [1.0]
    assert compare_trajectories(left, right, on="step").data["ulps"].tolist() == [2.0**29]


@pytest.mark.parametrize(
    "values", [pd.array([1, pd.NA], dtype="Int64"), pd.array([0.5, pd.NA], dtype="Float64"), [True, False]]
)
def test_columns_of_any_kind_of_number(values):
    frame = pd.DataFrame({"step": [1, 2], "x": values})
    assert compare_trajectories(frame, frame, on="step").identical


@pytest.mark.parametrize(
    ("left", "right", "options", "error", "message"),
    [
        (PATH, PATH.drop(columns="y"), {}, ValueError, r"same columns; got \['y'\]"),
        (PATH, PATH, {"on": "epoch"}, ValueError, r"name columns; got \['epoch'\]"),
        (PATH, PATH, {"dtypes": {"z": "float32"}}, ValueError, r"name columns .*; got \['z'\]"),
        (PATH, PATH, {"on": ["step", "x", "y"]}, ValueError, "must leave columns to compare"),
        (PATH, PATH, {"dtypes": {"x": "float32"}}, ValueError, "must hold float32 values"),
        (PATH.assign(step=1), PATH, {}, ValueError, "`left` must have each key once"),
        (PATH, PATH.assign(step=np.nan), {}, ValueError, "`right` must have a value for every key"),
        (PATH.assign(x="a"), PATH, {}, TypeError, "`left` must hold numbers in `x`"),
        (PATH[:0], PATH[:0], {}, ValueError, "must have rows"),
    ],
)
def test_what_cannot_be_compared_is_refused(left, right, options, error, message):
    with pytest.raises(error, match=message):
        compare_trajectories(left, right, **{"on": "step"} | options)


def test_the_plot_draws_curves_and_distance():
    runs = pd.concat([PATH.assign(config="a"), descent(beta1=0.8).assign(config="b")])
    other = runs.assign(y=runs["y"].where(runs["step"] != 5))
    report = compare_trajectories(runs, other, on=["config", "step"])
    plot = report.plot()
    drawn = plot.data
    assert isinstance(report, ParityReport)
    assert len(drawn) == 3 * len(report.data)
    assert drawn["line"].nunique() == 6
    assert list(drawn["panel"].cat.categories) == ["x", "y", "distance of x in ulps", "distance of y in ulps"]
    assert drawn.loc[drawn["side"] == "distance", "number"].tolist() == report.data["ulps"].tolist()
    assert (plot.mapping["x"], plot.mapping["y"], plot.labels.x) == ("step", "number", "step")
    plot.draw()


def test_the_plot_takes_a_frame():
    data = compare_trajectories(PATH, PATH, on="step").data
    assert plot_parity(data, step="step").data["line"].unique().tolist() == ["left", "right", "ulps"]


BIG = 2**60


def of(values, dtype=None):
    return pd.DataFrame({"s": range(len(values)), "x": pd.Series(values, dtype=dtype)})


@pytest.mark.parametrize("types", [("int64", "int64"), ("int64", "uint64"), ("Int64", "int64"), ("UInt64", "Int64")])
@pytest.mark.parametrize(("a", "b"), [(BIG, BIG + 1), (2**53, 2**53 + 1), (BIG, BIG + 2**40), (2**63 - 1, 2**62)])
def test_whole_numbers_are_compared_exactly(a, b, types):
    left, right = of([a, 7], types[0]), of([b, 7], types[1])
    assert compare_trajectories(left, of([a, 7], types[1]), on="s").identical
    report = compare_trajectories(left, right, on="s")
    assert report.data["absolute"].tolist() == [float(abs(a - b)), 0]
    assert report.data["ulps"].tolist() == [max(1, ulp_distance(float(a), float(b))), 0]
    assert not report.identical
    with pytest.raises(AssertionError, match=f"{a}.* {b}"):
        report.assert_within()


@pytest.mark.parametrize(
    ("left", "right", "identical"),
    [
        (of([BIG + 1]), of([float(BIG)]), False),
        (of([BIG]), of([float(BIG)]), True),
        (of([BIG, -3]), of([math.nan, -3.0]), False),
        (of([BIG, pd.NA], "Int64"), of([float(BIG), math.nan]), True),
        (of([BIG, 1]), of([math.inf, 1.0]), False),
        (of([True, False]), of([1, 0]), True),
        (of([True, pd.NA], "boolean"), of([True, False]), False),
        (of([True, False], "Sparse[bool]"), of([True, True]), False),
        (of([BIG + 1, 0], "Sparse[int]"), of([BIG, 0]), False),
    ],
    ids=range(9),
)
def test_kinds_of_numbers_mix(left, right, identical):
    assert compare_trajectories(left, right, on="s").identical is identical
    assert compare_trajectories(right, left, on="s").identical is identical


@pytest.mark.parametrize("types", [("int64", "float64"), ("uint64", "int64"), ("int64", "int64")])
def test_keys_beyond_doubles_match_exactly(types):
    keys = zip((2**53 + 1, 2**53), types, strict=True)
    left, right = (pd.DataFrame({"s": pd.Series([key], dtype=kind), "x": [1.0]}) for key, kind in keys)
    assert len(compare_trajectories(left, right, on="s").only_left) == 1


@pytest.mark.parametrize(
    ("left", "right", "parted"),
    [
        ([1 + 2j], [1 - 9j], {"x.im": 11.0}),
        ([1 + 2j], [3 + 2j], {"x.re": 2.0}),
        ([1 + 2j], [1.0], {"x.im": 2.0}),
        ([1.0], [1 + 0j], {}),
        ([BIG + 1], [BIG + 0j], {"x.re": 1.0}),
        ([complex(math.nan, 1)], [complex(math.nan, 1)], {}),
    ],
)
def test_complex_numbers_are_compared_in_both_parts(left, right, parted):
    report = compare_trajectories(of(left), of(right), on="s")
    assert report.data["column"].tolist() == ["x.re", "x.im"]
    distances = report.data.set_index("column")["absolute"]
    assert distances[distances > 0].to_dict() == parted
    assert report.identical is not bool(parted)


def test_float32_parts_held_as_complex_doubles():
    left = of(np.complex64([0.1 + 0.2j]))
    right = of(np.complex128([np.complex64(0.1 + 0.2j) + 2.0**-26 * 1j]))
    report = compare_trajectories(left, right, on="s", dtypes={"x": "float32"})
    assert report.data["ulps"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("key", ["column", "left", "right", "ulps", "absolute", "relative"])
def test_keys_leave_the_report_s_own_names(key):
    frame = of([1.0]).rename(columns={"s": key})
    with pytest.raises(ValueError, match=f"`on` must leave the names of the report's own columns; got .'{key}'."):
        compare_trajectories(frame, frame, on=key)


NUMBERED = pd.DataFrame({0: [1], 1: [0.5]})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"on": None}, TypeError, "`on` must be a column's name or several; got None"),
        ({"on": 0}, TypeError, "`on` must be a column's name or several; got 0"),
        ({"on": [0]}, TypeError, r"`on` must be a column's name or several; got \[0\]"),
        ({"on": []}, ValueError, r"`on` must name at least one column, each once; got \[\]"),
        ({"on": ["s", "s"]}, ValueError, "`on` must name at least one column, each once"),
        ({"left": {}}, TypeError, "`left` must be a pandas DataFrame; got {}"),
        ({"right": of([1.0])["x"]}, TypeError, "`right` must be a pandas DataFrame"),
        ({"left": NUMBERED}, TypeError, "`left` must have text for column names; got 0"),
        ({"right": of([1.0])[["s", "x", "x"]]}, ValueError, r"`right` must have each column once; got \['x'\] again"),
        ({"budget": 1e-3}, TypeError, "`budget` must be a Budget; got 0.001"),
        ({"dtypes": "float32"}, TypeError, "`dtypes` must name a type for each column; got 'float32'"),
        ({"dtypes": {"s": "float32"}}, ValueError, r"`dtypes` must name columns that are compared; got \['s'\]"),
        ({"dtypes": {"x": "int32"}}, ValueError, r"must be one of float16, float32, float64; got 'int32'"),
        ({"dtypes": {"x": "flaot32"}}, ValueError, r"must be one of float16, float32, float64; got 'flaot32'"),
        ({"dtypes": {"x": None}}, ValueError, r"must be one of float16, float32, float64; got None"),
    ],
)
def test_wrong_arguments_are_one_clear_error(options, error, message):
    with pytest.raises(error, match=message):
        compare_trajectories(**{"left": of([1.0]), "right": of([1.0]), "on": "s"} | options)


@pytest.mark.parametrize(
    "values",
    [
        [Decimal(1)],
        ["1.5"],
        pd.Series([1.5], dtype=object),
        pd.Series([2**70], dtype=object),
        pd.to_datetime(["2020-01-01"]),
        pd.to_timedelta([1], "s"),
        pd.Categorical([1.5]),
        pd.interval_range(0, 1),
        [None],
    ],
    ids=range(9),
)
def test_columns_without_numbers_are_refused(values):
    frame = pd.DataFrame({"s": [1], "x": values})
    with pytest.raises(TypeError, match=r"`left` must hold numbers in `x`; got .*\. Put it in `on`, convert it"):
        compare_trajectories(frame, frame, on="s")


def test_a_part_s_name_that_is_taken_is_refused():
    frame = of([1j]).assign(**{"x.im": 1.0})
    with pytest.raises(ValueError, match=r"must leave \['x.im'\] to the parts of the complex `x`"):
        compare_trajectories(frame, frame, on="s")


@pytest.mark.parametrize(
    ("a", "dtype", "error", "message"),
    [
        (1j, None, TypeError, "`a` must hold real numbers; got complex128"),
        ("1", None, TypeError, "`a` must hold real numbers; got <U1"),
        ([1, None], None, TypeError, "`a` must hold real numbers; got object"),
        (np.ma.array([1.0], mask=[True]), None, ValueError, "`a` must be free of masked entries"),
        (1.0, "int32", ValueError, "`dtype` must be one of float16, float32, float64; got 'int32'"),
        (1.0, "complex64", ValueError, "`dtype` must be one of"),
    ],
)
def test_ulp_distance_refuses_what_has_no_ulps(a, dtype, error, message):
    with pytest.raises(error, match=message):
        ulp_distance(a, 1.0, dtype)


def test_ulps_of_foreign_byte_order():
    values = np.array([1.0, 1 + 2**-23], dtype=">f4")
    assert ulp_distance(values[:1], values[1:]) == ulp_distance(*values.astype("f4")) == 1


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"rtol": "1e-3"}, TypeError, "`rtol` must be a number; got '1e-3'"),
        ({"atol": None}, TypeError, "`atol` must be a number; got None"),
        ({"ulps": True}, TypeError, "`ulps` must be a whole number; got True"),
        ({"why": None}, TypeError, "`why` must be a text; got None"),
    ],
)
def test_budgets_are_made_of_numbers_and_a_text(parts, error, message):
    with pytest.raises(error, match=message):
        Budget(**{"why": "t"} | parts)


@pytest.mark.parametrize("method", ["is_within", "assert_within"])
def test_a_budget_is_no_number(method):
    with pytest.raises(TypeError, match=r"`budget` must be a Budget; got 0\.1"):
        getattr(compare_trajectories(PATH, PATH, on="step"), method)(0.1)


def test_numbers_beyond_doubles_are_drawn():
    compare_trajectories(of([BIG, 2]), of([BIG + 1, 2]), on="s").plot().draw()


def test_the_plot_s_sides_have_the_names_they_are_given():
    data = compare_trajectories(PATH, PATH, on="step").data
    plot = plot_parity(data, step="step", sides=("pycompare", "R"))
    assert list(plot.data["side"].cat.categories) == ["pycompare", "R", "distance"]
    plot.draw()
