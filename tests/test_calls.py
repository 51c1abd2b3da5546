"""The call that made a result or data: its code gives the same again, and what cannot be written is named."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import pycompare
from pycompare import (
    EarlyStopping,
    OneCycle,
    Split,
    classification_data,
    compare_configs,
    compare_one_cycle,
    course_data,
    decision_boundary,
    digits_data,
    optimize_rosenbrock,
    spirals_data,
)
from pycompare.calls import Call
from pycompare.labs.landscape import descend
from pycompare.results import Result
from pycompare.training.network import MLP


def made_again(call: Call) -> Any:
    names: dict[str, Any] = {}
    exec("\n".join([*call.imports, f"result = {call}"]), names)
    return names["result"]


RESULTS = {
    "numbers": lambda: compare_configs(2, lr=[0.1, 1e-3]),
    "positions": lambda: compare_configs(1, 8, [0.1, 0.2], 0.02),
    "a schedule": lambda: compare_configs(1, schedule=[None, OneCycle(0.05, steps=44)]),
    "early stopping": lambda: compare_configs(2, lr=[0.1, 0.2], early_stopping=EarlyStopping(1)),
    "spirals": lambda: compare_configs(1, lr=[0.1, 0.2], data=spirals_data(), loss="bce"),
    "standardized": lambda: compare_configs(1, lr=[0.1, 0.2], data=course_data(seed=2).standardized(targets=True)),
    "numpy": lambda: compare_configs(1, lr=list(np.logspace(-3, -1, 3)), dtype=torch.float64, progress=False),
    "a network": lambda: compare_configs(1, lr=[0.1, 0.2], network=partial(MLP, 4, hidden=(5,), activation="tanh")),
    "a call within": lambda: compare_one_cycle(0.1, epochs=1, seeds=[1, 2]),
    "a deeper package": lambda: descend(epochs=3, momentum=0.9),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_call_makes_the_same_bits_again(name: str) -> None:
    result: Result = RESULTS[name]()
    assert result.call is not None
    assert result.call.missing == {}
    pd.testing.assert_frame_equal(made_again(result.call).data, result.data, check_exact=True)


DATA = {
    "course": lambda: course_data(7),
    "spirals": spirals_data,
    "digits": digits_data,
    "classes": lambda: classification_data("smiley", 20, n_valid=10, sd1=0.2),
    "arrays": lambda: Split.from_arrays([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]], [1, 2, 3], train=0.5),
}


@pytest.mark.parametrize("name", DATA)
def test_data_know_what_made_them(name: str) -> None:
    split = DATA[name]()
    again = made_again(split.call)
    for ours, theirs in ((split.train, again.train), (split.valid, again.valid)):
        assert all(torch.equal(a, b) for a, b in zip(ours.tensors, theirs.tensors, strict=True))


def test_what_the_numbers_do_not_depend_on_is_left_out() -> None:
    result = compare_configs(1, lr=[0.1, 0.2], progress=False, n_jobs=1, keep_networks=True, seed=123)
    assert str(result.call) == "compare_configs(epochs=1, lr=[0.1, 0.2])"


def own_surface(x: Any, y: Any) -> Any:
    return x**2 + y**2


def own_network(width: int) -> MLP:
    return MLP(width)


@pytest.mark.parametrize(
    ("make", "missing"),
    [
        (lambda: optimize_rosenbrock(2, 0.1, 0.5, function=own_surface), {"function": "own_surface"}),
        (
            lambda: decision_boundary(MLP(2), (np.zeros((2, 2)), [0, 1]), grid=3),
            {"network": "a MLP", "data": "a tuple"},
        ),
        (
            lambda: compare_configs(1, lr=[0.1, 0.2], network=partial(own_network, 4)),
            {"network": "a partial"},
        ),
        (
            lambda: compare_configs(1, lr=[0.1, 0.2], data=Split(course_data().train, course_data().valid)),
            {"data": "a Split"},
        ),
        (
            lambda: compare_configs(1, lr=[0.1, 0.2], data=Split.from_arrays(np.arange(200.0), np.ones(200))),
            {"data": "a Split"},
        ),
    ],
)
def test_what_cannot_be_written_is_named(make: Any, missing: dict[str, str]) -> None:
    with pycompare.torch_manual_seed(1):
        call = make().call
    assert call.missing == missing
    assert all(f"{name}={name}" in str(call) for name in missing)


def test_arguments_are_written_before_the_call_may_change_them() -> None:
    seen = [0.1, 0.2]
    result = compare_configs(1, lr=seen, on_epoch=lambda *_: seen.clear())
    assert str(result.call) == "compare_configs(epochs=1, lr=[0.1, 0.2])"


def test_errors_of_a_call_stay_what_they_are() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'beta'"):
        optimize_rosenbrock(2, 0.1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="`lr` must be a number"):
        compare_configs(1, lr=["a", {}])  # type: ignore[list-item]


def test_results_can_be_copied_and_calls_read_back() -> None:
    call = optimize_rosenbrock(2, 0.1, 0.5).call
    assert copy.deepcopy(call) == call


@pytest.mark.parametrize("name", pycompare.__all__)
def test_functions_that_return_results_know_their_calls(name: str) -> None:
    function = getattr(pycompare, name)
    returned = str(getattr(function, "__annotations__", {}).get("return", ""))
    results = {kind.__name__ for kind in _below(Result)} | {"Split"}
    if returned in results and not isinstance(function, type):
        assert hasattr(function, "__wrapped__")


def _below(kind: type) -> set[type]:
    return {kind}.union(*map(_below, kind.__subclasses__()))
