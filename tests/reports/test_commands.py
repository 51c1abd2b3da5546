"""The commands in reports make the same bits again, and say what they have no option for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from pycompare import (
    EarlyStopping,
    OneCycle,
    Split,
    activation_statistics,
    classification_data,
    compare_batch_sizes,
    compare_configs,
    compare_dropout,
    compare_gradients,
    compare_inits,
    compare_one_cycle,
    course_data,
    decision_boundary,
    discipline,
    lr_range_test,
    momentum_test,
    optimize_rosenbrock,
    spirals_data,
    torch_manual_seed,
    tune,
    weight_decay_restarts,
    weight_decay_search,
)
from pycompare.cli import app
from pycompare.labs.landscape import compare_descents, compare_paths, descend
from pycompare.reports.commands import COMMANDS, NoCommandError, shell_command
from pycompare.results import Result
from pycompare.training.network import MLP

CSV = "x,z,class\n" + "".join(f"{i / 10},{i * i % 7},{'ab'[i % 2]}\n" for i in range(40))
TIMED = ["seconds", "reason"]  # columns of which another run has others


def circles() -> Split:
    return classification_data("circles", 300)


CALLS: dict[str, Callable[[], Result]] = {
    "one rate": lambda: compare_configs(1, 32, [0.1], beta1=0.5),
    "two lists": lambda: compare_configs(1, [32, 64], 0.1, optimizer=["sgd", "adam"], dtype="float64"),
    "momenta": lambda: compare_configs(1, momentum=[0, 0.9], nesterov=None, optimizer="sgd", seeds=2),
    "nesterov": lambda: compare_configs(1, lr=[0.1, 0.01], momentum=0.5, nesterov=True, optimizer="sgd"),
    "classes": lambda: compare_configs(1, lr=[0.1, 0.01], data=circles(), loss="cross_entropy"),
    "a network": lambda: compare_configs(
        1, lr=[0.1, 0.01], network=partial(MLP, 4, activation="tanh", hidden=(5,), out_features=1)
    ),
    "a file": lambda: compare_configs(
        1, batch_size=[8, 16], data=Split.from_csv("own.csv", target="x"), loss=["mse", "l1"]
    ),
    "rosenbrock": lambda: optimize_rosenbrock(5, 0.01, 0.5),
    "descend": lambda: descend("l1", lr=0.2, epochs=3, start=(-3, 6.5), momentum=0.9, nesterov=True),
    "descents": lambda: compare_descents(["mse", "l1"], lr=[0.1, 0.2], momentum=[0, 0.9], epochs=3),
    "paths": lambda: compare_paths(lr=[0.1, 0.2], epochs=2, n=3, data=spirals_data()),
    "inits": lambda: compare_inits(0.1, scale=[1, 2], steps=3, data=classification_data("smiley", 100)),
    "dropout": lambda: compare_dropout([0, 0.5], hidden=[3], epochs=1, data=circles()),
    "one dropout": lambda: compare_dropout(0.5, [0, 0.2], hidden=(3, 4), epochs=1, seeds=2),
    "activations": lambda: activation_statistics(init=["normal", "orthogonal"], sigma=0.1, depth=2, width=3),
    "activations by width": lambda: activation_statistics(init="normal", depth=2, width=[3, 4], activation="tanh"),
    "gradients": lambda: compare_gradients("normal", ["sgd", "adam"], epochs=4, every=2, seeds=2),
    "gradients of one optimizer": lambda: compare_gradients(["normal", "xavier_uniform"], epochs=3),
    "momentum": lambda: momentum_test([0.9, 0.8], low=0.5, epochs=1, seeds=2, data=spirals_data()),
    "one momentum": lambda: momentum_test(0.95, epochs=1, seeds=2, data=circles().standardized(), loss="cross_entropy"),
    "weight decay": lambda: weight_decay_search([0.1, 0], schedule="1cycle", epochs=1, seeds=2),
    "restarts": lambda: weight_decay_restarts([0.1, 0.01], lr=1.0, seeds=2),
    "batch sizes": lambda: compare_batch_sizes([64, 256], "steps", 7, scale_lr="sqrt", seeds=2),
    "range test": lambda: lr_range_test(steps=9, loss="valid", loss_function="l1", cycle_momentum=(0.8, 0.9), seeds=2),
    "one cycle": lambda: compare_one_cycle(0.3, (0.8, 0.9), epochs=1, seeds=2, data=course_data().standardized()),
    "space": lambda: tune({"lr": [0.1, 0.2], "beta1": 0.8, "hidden": [3, (4, 5)], "activation": "tanh"}, epochs=1),
    "a grid": lambda: tune({"lr": [0.1, 0.2], "optimizer": ["sgd", "adam"]}, order="grid", epochs=1, seeds=1),
    "groups": lambda: tune(
        {"lr": [0.1, 0.2], "batch_size": [32, 64], "hidden": [[3], [4]]},
        circles().standardized(),
        order=[("hidden", "lr"), "batch_size"],
        epochs=3,
        early_stopping=EarlyStopping(1),
        halvings=1,
        loss="cross_entropy",
        seeds=5,
    ),
    "discipline": lambda: discipline(epochs=4, epoch_seconds=100, seeds=2),
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.csv").write_text(CSV.replace("a\n", "0\n").replace("b\n", "1\n"))
    monkeypatch.setattr(Result, "_drawn", lambda *_: b"")


def run_again(result: Result) -> None:
    """Run the command of a result's call, which saves into "again"."""
    assert result.call is not None
    program, *arguments = shlex.split(shell_command(result.call).replace("\\\n", ""))
    assert program == "pycompare"
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 0, told.output


@pytest.mark.parametrize("name", CALLS)
def test_the_command_makes_the_same_bits_again(name: str) -> None:
    result = CALLS[name]()
    result.save("made", ())
    run_again(result)
    for made in Path("made").glob("*.csv"):
        ours, theirs = (
            pd.read_csv(file).drop(columns=TIMED, errors="ignore") for file in (made, Path("again") / made.name)
        )
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_every_command_is_run() -> None:
    assert {name for make in CALLS.values() for name in make.__code__.co_names} >= {*COMMANDS}


REFUSED: dict[str, tuple[Callable[[], Result], str]] = {
    "network": (lambda: compare_configs(1, lr=[0.1, 0.2], network=lambda: MLP(4)), "network=network"),
    "seeds": (lambda: compare_configs(1, lr=[0.1, 0.2], seeds=[3, 5]), "seeds=[3, 5]"),
    "one decay": (lambda: compare_configs(1, weight_decay=[0.1]), "weight_decay=[0.1]"),
    "nesterov": (
        lambda: compare_configs(1, nesterov=[True, False], optimizer="sgd", momentum=0.9),
        "nesterov=[True, False]",
    ),
    "two": (
        lambda: compare_configs(1, lr=[0.1, 0.2], early_stopping=EarlyStopping(1), threads=None),
        "early_stopping=EarlyStopping(patience=1), threads=None",
    ),
    "data": (lambda: compare_configs(1, lr=[0.1, 0.2], data=course_data(seed=2)), "data=course_data(seed=2)"),
    "standardized": (lambda: compare_configs(1, lr=[0.1, 0.2], data=course_data().standardized()), "data="),
    "targets": (lambda: momentum_test(0.9, epochs=1, data=course_data().standardized(targets=True)), "data="),
    "rows": (lambda: compare_inits([1, 2], steps=1, data=circles()), "data=classification_data"),
    "no seeds": (lambda: momentum_test(0.9, epochs=1, seeds=None), "seeds=None"),
    "schedule": (lambda: weight_decay_search(0.1, epochs=1, schedule=OneCycle(0.1, steps=44)), "schedule=OneCycle"),
    "optimizer": (lambda: weight_decay_search(0.1, epochs=1, momentum=0.5), "momentum=0.5"),
    "two lists": (lambda: compare_paths(lr=[0.1, 0.2], beta1=[0.5, 0.6], epochs=1, n=3), "lr=[0.1, 0.2], beta1="),
    "start": (lambda: compare_descents(start=[(1, 2), (3, 4)], epochs=1), "start=[(1, 2), (3, 4)]"),
    "order": (lambda: tune({"hidden": [1, 2], "lr": 0.1}, epochs=1, seeds=1), "space="),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_option_is_named(name: str) -> None:
    make, named = REFUSED[name]
    call = make().call
    assert call is not None
    with pytest.raises(NoCommandError, match=f"{COMMANDS[call.function].words} has no option for .*{re.escape(named)}"):
        shell_command(call)


def test_what_no_command_does_is_told() -> None:
    with torch_manual_seed(1):
        network = MLP(2)
    call = decision_boundary(network, ([[0.0, 1.0], [1.0, 1.0]], [0, 1]), grid=3).call
    assert call is not None
    with pytest.raises(NoCommandError, match="No command does what decision_boundary does"):
        shell_command(call)


def commands(typed: Any, words: str = "pycompare") -> dict[str, Any]:
    """All commands by their names, those below others, too."""
    if not hasattr(typed, "commands"):
        return {words: typed}
    return {
        name: one for word, below in typed.commands.items() for name, one in commands(below, f"{words} {word}").items()
    }


ALL = commands(get_command(app))
WITHOUT_RESULT = {"explore", "report", "parity", "doctor", "runs list", "runs show", "runs rm", "runs export"}


def test_every_command_with_a_result_is_in_the_table() -> None:
    assert {one.words for one in COMMANDS.values()} == {*ALL} - {f"pycompare {name}" for name in WITHOUT_RESULT} - {
        "pycompare lab boundary"  # trains what its function is given
    }


@pytest.mark.parametrize("function", COMMANDS)
def test_commands_have_the_options_that_the_table_names(function: str) -> None:
    one = COMMANDS[function]
    known = {option: parameter for parameter in ALL[one.words].params for option in parameter.opts}
    named = {"data", "target"} if one.rows else set()
    named |= {"out", *one.told} | ({"standardize"} if one.standardizes is not None else set())
    kinds = {kind: getattr(one, kind).split() for kind in ("single", "several", "lists", "pairs", "flags")}
    named |= {one.named.get(name, name) for names in kinds.values() for name in names}
    options = {name: f"--{name.replace('_', '-')}" for name in named}
    assert {*options.values()} <= {*known}
    for name in (*kinds["several"], *kinds["lists"], *kinds["pairs"]):
        assert "," in known[options[one.named.get(name, name)]].metavar
    assert all(known[options[name]].is_flag for name in kinds["flags"])
