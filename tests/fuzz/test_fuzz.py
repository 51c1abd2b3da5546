"""Calls with odd arguments: each gives a result or a named error, no warning, no changed global state, and ends.

`make fuzz` runs 10,000 of them, and as processes 100 commands; `make test` a slice. FUZZ_CALLS says how many.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.data import TensorDataset
from typer.testing import CliRunner

import pycompare
from pycompare import (
    MLP,
    ConstantRate,
    OneCycle,
    RRandom,
    Split,
    classification_data,
    compare_configs,
    torch_manual_seed,
    train_valid,
)
from pycompare.data.classification import SETS
from pycompare.labs.landscape import compare_descents, descend, plane
from pycompare.parity import Budget, RError, RSession, compare_trajectories
from tests.conftest import global_state
from tests.fuzz.values import calls

CALLS, SECONDS = int(os.environ.get("FUZZ_CALLS", "300")), 60
NAMED = re.compile(r"`[^`]+`|--[a-z]| must ")
outcomes: dict[str, Counter[str]] = {}

X = np.linspace(-1, 1, 40).reshape(20, 2)
SMALL = Split.from_arrays(X, X.sum(axis=1))
CLASSES = Split.from_arrays(X, (X.sum(axis=1) > 0).astype(int))
SET = TensorDataset(*SMALL.train.tensors)
with torch_manual_seed(1):
    NETWORK = MLP(2, (3,))
SIZE = sum(parameter.numel() for parameter in NETWORK.parameters())
PATH = pd.DataFrame({"step": [1, 2, 3], "x": [0.5, 0.25, 0.125]})
OPTIMIZERS = ["adamw", "adam", "rmsprop", "sgd", "adagrad", torch.optim.NAdam]
LOSSES = ["mse", "l1", "huber", "smooth_l1", "cross_entropy", "bce", torch.nn.MSELoss(), torch.nn.CrossEntropyLoss()]
NETWORKS: list[Any] = [None, lambda: MLP(2), lambda: MLP(2, (), 2), lambda: torch.nn.Linear(3, 1), lambda: NETWORK]
RATES: list[Any] = [0.1, 0.01, 0, 1e-30, [0.1, 0.01], (1, 10), np.array([0.5])]

CONFIGS: dict[str, list[Any]] = {
    "epochs": [1, 2, 1.0],
    "batch_size": [4, 16, 1000, [1, 16], range(3, 5)],
    "lr": RATES,
    "weight_decay": [0, 0.1, [0, 0.5]],
    "beta1": [0, 0.9, [0.5, 0.9]],
    "beta2": [0.99, [0.9, 0.999]],
    "momentum": [0.9, [0, 0.9]],
    "dampening": [0.5, [0, 0.5]],
    "nesterov": [True, [False, True]],
    "schedule": [
        ConstantRate(0.1),
        OneCycle(0.1, 4),
        [None, ConstantRate(1)],
        {"flat": ConstantRate(0.1), "none": None},
    ],
    "data": [SMALL, CLASSES],
    "network": [*NETWORKS, [lambda: MLP(2)], {"a": lambda: MLP(2), "b": lambda: MLP(2, (), 2)}],
    "seed": [1, 0, -5, 2**64 - 1],
    "seeds": [1, 2, [7]],
    "optimizer": [*OPTIMIZERS, ["sgd", "adamw"]],
    "loss": [*LOSSES, ["mse", "l1"], {"a": "mse", "b": "huber"}],
    "device": ["cpu", torch.device("cpu"), "meta"],
    "dtype": ["float32", "float64", torch.float64],
    "n_jobs": [1],
    "engine": ["auto", "autograd", "fused"],
    "threads": [1, 2, None],
    "on_epoch": [None, lambda *_: None],
    "progress": [False, True],
}
SHORT: dict[str, list[Any]] = {
    "data": [SMALL],
    "network": NETWORKS[:2],
    "optimizer": ["sgd", "adamw"],
    "loss": ["mse", "huber"],
    "seed": [1, 0],
    "seeds": [1, 2, [7]],
    "n_jobs": [1],
    "engine": ["auto", "autograd", "fused"],
    "threads": [1, None],
    "progress": [False],
}
LABS: dict[str, dict[str, list[Any]]] = {
    "lr_range_test": {"start": [1e-3], "end": [1, 0], "steps": [1, 9], "mode": ["exp", "linear"], "stop": [None, 2]},
    "compare_batch_sizes": {"sizes": [[4, 9]], "budget": ["epochs", "steps"], "amount": [1, 3], "scale_lr": ["sqrt"]},
    "momentum_test": {"momentum": [0.9, [0.9, 0.5]], "low": [0.5, 0], "lr": [0.1, 1e30], "epochs": [1, 2]},
    "weight_decay_search": {"weight_decay": [None, 0.1, [0, 1]], "schedule": ["1cycle"], "lr": [0.1], "epochs": [1, 2]},
    "weight_decay_restarts": {"weight_decay": [[0, 1]], "middle": [0], "patience": [1], "share": [0], "epochs": [1]},
    "compare_one_cycle": {"max_lr": [0.1, 0], "momentum": [0.9, (0.8, 0.9)], "epochs": [1, 2], "batch_size": [4, 3]},
}
ENOUGH: dict[str, dict[str, Any]] = {
    "lr_range_test": {"steps": 5},
    "compare_batch_sizes": {"sizes": [4], "amount": 1},
    "momentum_test": {"momentum": 0.9, "low": 0, "epochs": 2, "batch_size": 4},
    "weight_decay_search": {"weight_decay": 0.1, "epochs": 2, "batch_size": 4},
    "weight_decay_restarts": {"weight_decay": 0.1, "epochs": 1, "most_epochs": 2, "batch_size": 4},
    "compare_one_cycle": {"max_lr": 0.1, "epochs": 2, "batch_size": 4},
}
TUNE: dict[str, list[Any]] = {name: values for name, values in SHORT.items() if name != "optimizer"} | {
    "space": [
        {"lr": [0.1, 0.01]},
        {"hidden": [1, (2, 2)], "lr": [1e30, 0]},
        {"optimizer": ["sgd", "adam"]},
        {"lr": 1},
    ],
    "order": [None, "grid", "optuna", ["lr"], [("lr", "hidden")]],
    "epochs": [1, 2],
    "halvings": [0, 1],
    "trials": [None, 1],
}
TRAINING: dict[str, list[Any]] = {
    "network": [MLP, torch.nn.Identity],
    "ds_train": [SET, CLASSES.train, []],
    "ds_valid": [SET, torch.utils.data.Subset(SET, [0, 2])],
    "epochs": [1, 2],
    "batch_size": [1, 5, 100],
    "optimizer": OPTIMIZERS,
    "loss": LOSSES,
    "engine": ["auto", "autograd", "fused"],
    "threads": [1, None],
    "on_step": [None, lambda _: None],
    "lr": [0.1, 0, 1e39],
    "momentum": [0, 0.9],
    "betas": [(0.9, 0.99)],
    "nesterov": [True],
}
DESCENT: dict[str, list[Any]] = {
    "loss": ["mse", "l1", torch.nn.HuberLoss(), lambda outputs, targets: (outputs - targets).abs().sum()],
    "x": [X[:, 0], [1, 2, 3]],
    "y": [X[:, 1], [0.5, 1, 2]],
    "lr": [0.1, 0, 10],
    "epochs": [1, 3],
    "start": [(6, -3), (1e30, 0)],
    "optimizer": OPTIMIZERS,
    "dtype": ["float32", torch.float64],
    "threads": [1, None],
    "momentum": [0.9],
    "dampening": [0.5],
    "weight_decay": [0, 2],
    "nesterov": [True],
    "betas": [(0.9, 0.99)],
}
SEVERAL: dict[str, list[Any]] = DESCENT | {"lr": RATES, "momentum": [[0, 0.9]], "loss": [["mse", "l1"], "huber"]}
PLANE: dict[str, list[Any]] = {
    "network": [NETWORK],
    "data": [SMALL, SET, (X, X[:, :1])],
    "directions": ["filter", "pca", (NETWORK, NETWORK), (np.eye(SIZE)[0], np.eye(SIZE)[1]), np.eye(SIZE)[:2]],
    "trajectories": [None, [], np.eye(SIZE), [np.eye(SIZE), np.ones((2, SIZE))], {"a": np.eye(SIZE)}, {1: [], "1": []}],
    "loss": LOSSES,
    "a": [(-1, 1), (1, -1), (0, 1e-300)],
    "b": [(-1, 1)],
    "n": [2, 3],
    "seed": [1],
    "batch_size": [3, 4096],
    "threads": [1, None],
}
TRAJECTORIES: dict[str, list[Any]] = {
    "left": [PATH, PATH.assign(x=[1, 2, 3]), PATH.assign(x=[1j, 2, 3]), PATH.astype("float32"), PATH.iloc[:0]],
    "right": [PATH, PATH.iloc[1:], PATH.assign(x=2**60 + np.arange(3)), PATH.rename(columns={"x": "ulps"})],
    "on": ["step", ["step"], ["step", "x"], "x", [0]],
    "budget": [None, Budget(ulps=3, why="a test")],
    "dtypes": [None, {"x": "float32"}, {"x": "int32"}, {"y": float}],
}
RANDOM: dict[str, list[Any]] = {
    "seed": [1, -1, 2**31 - 1, 0.0],
    "n": [0, 1, 5],
    "a": [0, 2],
    "b": [1, 3],
    "x": [3, [1, 2]],
}
CLASSIFICATION: dict[str, list[Any]] = {
    "name": [*SETS],
    "n": [9, 20.0],
    "n_valid": [9, 50],
    "seed": [1, -1],
    "d": [2, 3],
    "cl": [3],
    "sd": [0, 0.5],
    "sides": [2, [1, 2, 3]],
    "relsize": [(1, 2, 3), (0, 1, 0, 2)],
}
R_CODE = [
    "1 + 1",
    "stop('no')",
    "c(a = 1, NA)",
    "NULL",
    "list(1, 'a')",
    "function(x) x",
    "factor('a')",
]
R_CALL: dict[str, list[Any]] = {
    "code": R_CODE,
    "function": ["sum", "identity", "list", "nowhere"],
    "value": [1, X, PATH],
}
COMMANDS = [
    ["compare", "--lr", "0.1,0.01", "--epochs", "1"],
    ["compare", "--batch-size", "16", "--batch-size", "64", "--epochs", "1"],
    ["rosenbrock", "--steps", "3"],
    ["lab", "landscape", "descend", "--epochs", "2"],
    ["lab", "landscape", "paths", "--lr", "0.1,0.01", "--epochs", "1", "--points", "3"],
    ["lab", "one-cycle", "--epochs", "1", "--seeds", "1"],
    ["tune", "--lr", "0.1,0.01", "--epochs", "1", "--seeds", "1"],
    ["lab", "lr-range", "--steps", "5", "--seeds", "1"],
    ["--version"],
    ["doctor", "--help"],
]
WORDS = [
    *("--lr", "--epochs", "--seed", "--optimizer", "--loss", "--data", "--dtype", "--device", "--momentum", "--start"),
    *("--nesterov", "--no-progress", "--beta", "--steps", "--out", "--film", "--points", "--directions", "--nonsense"),
    *("0", "-1", "nan", "inf", "1e39", "1e400", "", " ", "a", "0.1,,0.2", "sgd", "mse,l1", "spirals", "nowhere.csv"),
    *("/dev/null", "ü", "6,-3", "float64", "meta", "cuda:99", "filter", "x.gif", "true"),
]


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise AssertionError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _outcome(call: Callable[[], Any]) -> str:
    """What came of a call; an AssertionError where it may not."""
    before = global_state()
    with _at_most(SECONDS):
        try:
            call()
            what = "result"
        except (ValueError, TypeError, FileNotFoundError, OverflowError) as error:
            if not NAMED.search(str(error)):
                raise AssertionError(f"no named error: {error!r}") from error
            what = type(error).__name__
        except RError:
            what = "RError"
    assert global_state() == before
    return what


def _fuzz(target: str, strategy: st.SearchStrategy[Any], call: Callable[[Any], Any], share: float = 1 / 15) -> None:
    count = outcomes.setdefault(target, Counter())

    @settings(
        max_examples=max(1, round(CALLS * share)),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def each(arguments: Any) -> None:
        count[_outcome(lambda: call(arguments))] += 1

    each()
    assert count["result"] > 0
    if report := os.environ.get("FUZZ_REPORT"):
        Path(report).write_text(json.dumps(outcomes, indent=1))


def _draw(arguments: dict[str, Any]) -> Any:
    rng = RRandom(arguments.get("seed", 1))
    n = arguments.get("n", 1)
    return [
        rng.runif(n, arguments.get("a", 0), arguments.get("b", 3)),
        rng.rnorm(n, arguments.get("a", 0), arguments.get("b", 1)),
        rng.sample(arguments.get("x", 3)),
    ]


def _train(arguments: dict[str, Any]) -> Any:
    network = arguments.pop("network", MLP)
    with torch_manual_seed(1):
        made = MLP(2, (3,)) if network is MLP else network
    base = {"ds_train": SET, "ds_valid": SET, "epochs": 1, "batch_size": 5}
    return train_valid(made, **(base | arguments))


TARGETS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], Any]]] = {
    "compare_configs": (
        calls(CONFIGS, left_alone=("n_jobs",)),
        lambda a: compare_configs(**({"epochs": 1, "data": SMALL, "lr": [0.1]} | a)),
    ),
    "train_valid": (calls(TRAINING), _train),
    "descend": (calls(DESCENT), lambda a: descend(**({"epochs": 2} | a))),
    "compare_descents": (calls(SEVERAL), lambda a: compare_descents(**({"epochs": 2} | a))),
    **{
        name: (
            calls(SHORT | choices, left_alone=("n_jobs",)),
            lambda a, name=name: getattr(pycompare, name)(**{"data": SMALL, "seeds": 1} | ENOUGH[name] | a),
        )
        for name, choices in LABS.items()
    },
    "tune": (
        calls(TUNE, left_alone=("n_jobs",)),
        lambda a: pycompare.tune(**({"space": {"lr": [0.1, 0.2]}, "data": SMALL, "seeds": 1, "epochs": 1} | a)),
    ),
    "plane": (calls(PLANE), lambda a: plane(**({"network": NETWORK, "data": SMALL, "n": 2} | a))),
    "classification_data": (
        calls(CLASSIFICATION),
        lambda a: classification_data(**({"name": "circle", "n": 20, "n_valid": 20} | a)),
    ),
    "RRandom": (calls(RANDOM), _draw),
    "compare_trajectories": (
        calls(TRAJECTORIES),
        lambda a: compare_trajectories(**({"left": PATH, "right": PATH, "on": "step"} | a)),
    ),
}


@pytest.mark.parametrize("target", TARGETS)
def test_odd_arguments(target: str) -> None:
    _fuzz(target, *TARGETS[target])


def test_odd_things_in_r(r_session: RSession) -> None:
    def ask(arguments: dict[str, Any]) -> None:
        r_session.eval(arguments.get("code", "1"))
        r_session.call(arguments.get("function", "identity"), arguments.get("value", 1))
        assert r_session.eval("1 + 1") == 2

    _fuzz("RSession", calls(R_CALL), ask)


def _command(words: tuple[list[str], list[str]]) -> list[str]:
    command, more = words
    return [*command, *more]


COMMAND_LINES = st.tuples(st.sampled_from(COMMANDS), st.lists(st.sampled_from(WORDS), max_size=4)).map(_command)


def test_odd_command_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pycompare.cli import app

    monkeypatch.chdir(tmp_path)

    def run(words: list[str]) -> None:
        before = random.getstate()
        result = CliRunner().invoke(app, words)
        random.setstate(before)  # rich draws the ids of links, in a process that is the command's own
        assert result.exit_code in (0, 2), f"{words}: {result.exit_code}, {result.exception!r}"
        if result.exit_code == 2:
            raise ValueError(f"`{' '.join(words)}`: {result.stderr[-200:]}")

    _fuzz("command line", COMMAND_LINES, run)


def test_odd_command_lines_as_processes(tmp_path: Path) -> None:
    def run(words: list[str]) -> None:
        command = [sys.executable, "-m", "pycompare", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=SECONDS)
        assert "Traceback" not in done.stderr, f"{words}: {done.stderr[-500:]}"
        assert done.returncode in (0, 2), f"{words}: {done.returncode}, {done.stderr[-500:]}"
        if done.returncode == 2:
            raise ValueError(f"`{' '.join(words)}`")

    _fuzz("command line, as processes", COMMAND_LINES, run, share=1 / 100)
