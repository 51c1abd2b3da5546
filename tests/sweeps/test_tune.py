"""Settings chosen one group after the other: from the runs of compare_configs, in every bit."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pycompare import (
    MLP,
    SGD,
    Comparison,
    EarlyStopping,
    OneCycle,
    RunStore,
    Split,
    Tuning,
    compare_configs,
    tune,
)
from pycompare.plots import plot_group, plot_path
from pycompare.sweeps import runs as running
from pycompare.sweeps import search
from tests.sweeps import killed

X = torch.linspace(-1, 1, 80).reshape(40, 2)
SMALL = Split.from_arrays(X, X.sum(dim=1))
CLASSES = Split.from_arrays(X, (X.sum(dim=1) > 0).long())
SPACE = {"lr": [0.1, 0.01, 0.001], "hidden": [4, (5, 5)], "activation": ["relu", "tanh"], "optimizer": ["adamw", "sgd"]}
ORDER = ["lr", ("hidden", "activation"), "optimizer"]
KILLS = int(os.environ.get("KILLS", "5"))
NEEDS_OPTUNA = pytest.mark.skipif(
    not (os.environ.get("CI") or importlib.util.find_spec("optuna")), reason="optuna is not installed"
)


def choose(space: Any = SPACE, store: Any = None, **arguments: Any) -> Tuning:
    return tune(space, **({"data": SMALL, "epochs": 4, "seeds": 2, "progress": False} | arguments), store=store)


def same(one: Tuning, other: Tuning) -> bool:
    """All but the time: exactly."""
    pd.testing.assert_frame_equal(one.data, other.data, check_exact=True)
    pd.testing.assert_frame_equal(
        one.path.drop(columns="seconds"), other.path.drop(columns="seconds"), check_exact=True
    )
    if one.network is None or other.network is None:
        return one.network is other.network
    theirs = other.network.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.network.state_dict().items())


def best_losses(comparison: Comparison) -> list[float]:
    return comparison.data.groupby(["config", "seed"], sort=False)["valid_loss"].min().tolist()


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each training that begins, how many epochs it goes to."""
    begun: list[int] = []
    begin = running.begin_training

    def counted(*arguments: Any) -> Any:
        begun.append(arguments[-1].epochs)
        return begin(*arguments)

    monkeypatch.setattr(running, "begin_training", counted)
    return begun


CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "stopping": {"early_stopping": EarlyStopping(1), "epochs": 20},
    "restarts": {"early_stopping": EarlyStopping(1), "epochs": 20, "restarts": 1},
    "classes": {"data": CLASSES, "loss": "cross_entropy"},
    "float64": {"dtype": "float64"},
    "seeds": {"seeds": [3, 1, 8]},
}


@pytest.mark.parametrize("call", CALLS)
def test_a_tune_is_compare_configs_by_hand(call: str) -> None:
    given = {"data": SMALL, "epochs": 4, "seeds": 2} | CALLS[call]
    outputs = 2 if "loss" in given else 1
    tuned = choose(order=ORDER, **CALLS[call])
    networks = {
        (hidden, activation): partial(MLP, 2, hidden, outputs, activation=activation)
        for hidden in [(4,), (5, 5)]
        for activation in ["relu", "tanh"]
    }
    by_hand = partial(compare_configs, progress=False, **given)
    lr = by_hand(lr=SPACE["lr"], network=networks[(4,), "relu"])
    losses = np.reshape(best_losses(lr), (3, -1)).mean(axis=1)
    rate = SPACE["lr"][losses.argmin()]
    net = by_hand(lr=rate, network={str(name): make for name, make in networks.items()})
    shape = [*networks][np.reshape(best_losses(net), (4, -1)).mean(axis=1).argmin()]
    last = by_hand(lr=rate, network=networks[shape], optimizer=SPACE["optimizer"], keep_networks=True)
    optimizer = SPACE["optimizer"][np.reshape(best_losses(last), (2, -1)).mean(axis=1).argmin()]
    assert tuned.chosen == {"lr": rate, "hidden": shape[0], "activation": shape[1], "optimizer": optimizer}
    assert tuned.data["best_valid_loss"].tolist() == [loss for made in (lr, net, last) for loss in best_losses(made)]
    first = (tuned.arguments["seeds"])[0]
    theirs = last.networks[f"optimizer = {optimizer}, seed = {first}"].state_dict()
    assert tuned.network is not None
    assert all(torch.equal(value, theirs[name]) for name, value in tuned.network.state_dict().items())


def test_the_frames_tell_what_was_tried_and_why() -> None:
    tuned = choose(order=ORDER, seeds=6)
    groups = ["lr", "hidden + activation", "optimizer"]
    assert tuned.path["group"].tolist() == groups == [*tuned.plots()]
    assert tuned.path["candidates"].tolist() == [3, 4, 2]
    assert tuned.path["runs"].tolist() == [18, 18, 6]  # what a group takes over is not trained again
    assert tuned.path["epochs"].tolist() == [72, 72, 24]
    assert tuned.cost() == {"runs": 42, "epochs": 168, "seconds": tuned.path["seconds"].sum()}
    for row in tuned.path.itertuples():
        runs = tuned.data[tuned.data["group"] == row.group]
        means = runs.groupby("config")["best_valid_loss"].mean().sort_values()
        assert (row.choice, row.runner_up) == tuple(means.index[:2])
        assert (row.mean, row.runner_up_mean) == tuple(means[:2])
        assert set(runs["config"][runs["kept"]]) == {row.choice}
        losses = {config: one["best_valid_loss"].to_numpy() for config, one in runs.groupby("config")}
        below = (losses[row.choice] < losses[row.runner_up]).sum()
        assert row.exceeds_noise == (row.p < 0.05)
        assert below < 6 or row.p == 2 / 2**6
    assert "The difference" in repr(tuned)


def test_a_grid_is_all_combinations() -> None:
    tuned = choose({"lr": [0.1, 0.01], "weight_decay": [0, 0.5]}, order="grid")
    by_hand = compare_configs(
        4, lr=[0.1, 0.01], weight_decay=[0, 0.5], data=SMALL, network=partial(MLP, 2), seeds=2, progress=False
    )
    losses = by_hand.data.groupby(["config", "weight_decay", "seed"], sort=False)["valid_loss"].min()
    assert tuned.data["best_valid_loss"].tolist() == losses.tolist()
    assert tuned.data["config"][0] == "lr = 0.1, weight_decay = 0"


def network(width: int = 3, *, deep: bool = False) -> nn.Module:
    layers = [nn.Linear(2, width), nn.ReLU(), *([nn.Linear(width, width), nn.ReLU()] if deep else [])]
    return nn.Sequential(*layers, nn.Linear(width, 1))


def any_arguments(**given: Any) -> nn.Module:
    return network(given["anything"])


SPACES: dict[str, tuple[Any, Any]] = {
    "own network": ({"width": [2, 4], "deep": [True, False]}, network),
    "any arguments": ({"anything": [2, 4]}, any_arguments),
    "named": ({"optimizer": {"plain": "sgd", "momentum": partial(SGD, momentum=0.9)}}, None),
    "schedules": ({"schedule": [None, OneCycle(0.1, steps=12)]}, None),
    "fixed": ({"lr": [0.1, 0.2], "optimizer": "sgd", "hidden": [(3,)], "momentum": 0.5}, None),
    "linear": ({"hidden": [(), [3]]}, None),
}


@pytest.mark.parametrize("name", SPACES)
def test_what_a_space_may_hold(name: str, tmp_path: Path) -> None:
    space, make = SPACES[name]
    tuned = choose(space, network=make)
    assert same(choose(space, network=make, store=tmp_path), tuned)
    assert {*tuned.chosen} == {key for key, values in space.items() if isinstance(values, (list, dict))}


@pytest.mark.parametrize("call", [{}, {"halvings": 2}, {"order": "grid"}, CALLS["restarts"], {"n_jobs": 2}])
def test_a_store_changes_nothing_and_nothing_is_trained_twice(
    call: dict[str, Any], tmp_path: Path, trained: list[int]
) -> None:
    alone = choose(**call)
    assert same(choose(store=tmp_path, **call), alone)
    trained.clear()
    assert same(choose(store=tmp_path, **(call | {"n_jobs": 1})), alone)
    assert trained == []
    assert tuned_weights_are_stored(alone, RunStore(tmp_path))


def tuned_weights_are_stored(tuned: Tuning, store: RunStore) -> bool:
    assert tuned.network is not None
    ours = tuned.network.state_dict()
    kept = [store.weights(run, which) for run in store.runs()["run"] for which in ("best", "last")]
    alike = [one for one in kept if {n: w.shape for n, w in one.items()} == {n: w.shape for n, w in ours.items()}]
    return any(all(torch.equal(weight, ours[name]) for name, weight in one.items()) for one in alike)


@pytest.mark.parametrize("store", [False, True])
def test_halving_leaves_the_worse_half_behind(store: bool, tmp_path: Path, trained: list[int]) -> None:
    rates = [10.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6]
    tuned = choose({"lr": rates}, epochs=9, halvings=2, store=tmp_path if store else None)
    fields = rates
    for epochs in (3, 5, 9):
        made = compare_configs(epochs, lr=fields, data=SMALL, network=partial(MLP, 2), seeds=2, progress=False)
        mean = dict(zip(fields, np.reshape(best_losses(made), (len(fields), 2)).mean(axis=1), strict=True))
        reached = tuned.data[tuned.data["lr"].isin(fields)]
        assert (reached["epochs"] >= epochs).all()
        fields = [rate for rate in fields if rate in sorted(fields, key=mean.get)[: -(-len(fields) // 2)]]
    assert tuned.data.groupby("lr", sort=False)["epochs"].first().value_counts().to_dict() == {3: 3, 5: 2, 9: 2}
    assert tuned.path["choice"].tolist() == [f"lr = {min(mean, key=mean.get):g}"]
    assert tuned.path[["runs", "epochs"]].to_numpy().tolist() == [[14, 2 * (3 * 3 + 2 * 5 + 2 * 9)]]


def test_diverged_candidates_come_last() -> None:
    tuned = choose({"lr": [1e30, 0.001, 1e20], "optimizer": ["sgd"]}, order=["lr", "optimizer"])
    assert tuned.chosen["lr"] == 0.001
    assert tuned.data["best_valid_loss"].isna().tolist() == [True, True, False, False, True, True, False, False]
    assert "lr = 0.001, of 3: " in repr(tuned)
    assert "under all others every run diverged." in repr(tuned)
    assert tuned.path["runner_up"].tolist()[1] == ""
    drawn = plot_group(tuned.data[tuned.data["group"] == "lr"])
    assert drawn.data["config"].cat.categories.tolist()[::2] == [
        "lr = 1e+20 (2 runs diverged)",
        "lr = 1e+30 (2 runs diverged)",
    ]
    assert "2 candidates whose runs all diverged" in tuned.plot().labels.caption


def test_when_all_diverge_it_says_so_and_hands_over_the_runs() -> None:
    with pytest.raises(ValueError, match=r"`space` must have a value under which a run does not diverge.*lr did") as e:
        choose({"optimizer": ["sgd", "adamw"], "lr": [1e30, 1e20]}, order=["lr", "optimizer"])
    assert e.value.partial["lr"].tolist() == [1e30, 1e30, 1e20, 1e20]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupted_tune_hands_over_the_runs_that_were_done(n_jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    note, calls = search.Search._note, []

    def interrupted(self: Any, *arguments: Any) -> None:
        note(self, *arguments)
        calls.append(arguments)
        if len(calls) == 8:
            raise KeyboardInterrupt

    whole = choose(order=ORDER)
    monkeypatch.setattr(search.Search, "_note", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        choose(order=ORDER, n_jobs=n_jobs)
    done = caught.value.partial
    assert done["group"].tolist()[:6] == ["lr"] * 6
    assert len(done) >= 10  # of the second group two are known, and two are done
    keys = ["group", "config", "seed"]
    told = whole.data.merge(done, on=[name for name in done if name != "kept"])
    assert len(told) == len(done.drop_duplicates(keys)) == len(done)


def test_progress_is_a_line_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    choose({"lr": [0.1, 0.01], "activation": ["relu", "tanh"]}, progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("run 1/8, lr = 0.1, seed = 123: best so far 0.")
    assert len(lines) == 6  # two runs of the second group are known
    assert lines[-1].startswith("run 8/8, activation = tanh, seed = 124")


def test_a_tuning_is_read_back(tmp_path: Path) -> None:
    tuned = choose(order=ORDER, early_stopping=EarlyStopping(2), epochs=9)
    tuned.save(tmp_path, ())
    read = Tuning.load(tmp_path)
    pd.testing.assert_frame_equal(read.data, tuned.data, check_exact=True)
    pd.testing.assert_frame_equal(read.path, tuned.path, check_exact=True)
    assert read.network is None
    assert (read.chosen["lr"], read.arguments["order"][1]) == (tuned.chosen["lr"], ["hidden", "activation"])
    assert read.summary().equals(tuned.summary())
    (tmp_path / "settings.json").write_text('{"tuning": {"layout": 1}}')
    with pytest.raises(
        ValueError, match=r"`folder` must hold what save\(\) wrote; got .*lacks settings. Save it again"
    ):
        Tuning.load(tmp_path)


@NEEDS_OPTUNA
def test_optuna_asks_for_what_is_trained(tmp_path: Path, trained: list[int]) -> None:
    search = {"order": "optuna", "trials": 12, "store": tmp_path}
    tuned = choose(**search)
    assert 1 < tuned.data["config"].nunique() <= 12
    grid = choose(order="grid", store=tmp_path).data.set_index(["config", "seed"])["best_valid_loss"]
    asked = tuned.data.set_index(["config", "seed"])["best_valid_loss"]
    assert asked.tolist() == grid[asked.index].tolist()
    assert tuned.path["mean"][0] == asked.groupby("config").mean().min()
    trained.clear()
    assert same(choose(**search), tuned)
    assert trained == []


@NEEDS_OPTUNA
def test_optuna_speaks_as_before_afterwards() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    choose(order="optuna", trials=1)
    assert optuna.logging.get_verbosity() == optuna.logging.ERROR
    optuna.logging.set_verbosity(optuna.logging.INFO)


def test_without_optuna_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"`order` must be another than 'optuna' without Optuna.*\[optuna\]"):
        choose(order="optuna", trials=3)


def no_keywords(width: int, /) -> nn.Module:
    return network(width)


def unnamed(p: Any, lr: float) -> torch.optim.Optimizer:
    return SGD(p, lr)


ERRORS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"space": {}}, ValueError, r"`space` must have a list of values to choose from; got \{\}"),
    ({"space": {"lr": 0.1}}, ValueError, "`space` must have a list of values"),
    ({"space": [0.1]}, TypeError, r"`space` must be a dictionary of lists; got \[0.1\]"),
    ({"space": {"lr": []}}, ValueError, "`lr` must be a one-dimensional list with at least one value"),
    ({"space": {"lrr": [1]}}, ValueError, "`space` must name settings.*got 'lrr'. Did you mean 'lr'"),
    ({"space": {"hiden": [1]}}, ValueError, "got 'hiden'. Did you mean 'hidden'"),
    ({"space": {"loss": ["mse", "l1"]}}, ValueError, "`space` must name settings.*got 'loss'"),
    ({"space": {"width": [1]}, "network": no_keywords}, ValueError, "`space` must name settings.*got 'width'"),
    ({"space": {"loss": [1]}, "network": any_arguments}, ValueError, "`space` must name settings.*got 'loss'"),
    ({"space": {"lr": [0.1, -1]}}, ValueError, "`lr` must be at least 0; got -1"),
    ({"space": {"lr": [0.1, 0.1]}}, ValueError, "`lr` must hold distinct values"),
    ({"space": {"hidden": [0]}}, ValueError, "`hidden` must be at least 1; got 0"),
    ({"space": {"activation": ["tan"]}}, ValueError, "`activation` must be one of .* Did you mean 'tanh'"),
    ({"space": {"optimizer": ["adamv"]}}, ValueError, "`optimizer` must be one of .*Did you mean 'adam'"),
    ({"space": {"momentum": [0, 0.9]}}, ValueError, "`momentum` must keep its default with optimizer 'adamw'"),
    ({"space": {"lr": [1, 2], "schedule": OneCycle(0.1, 12)}}, ValueError, "`lr` must be one value under a schedule"),
    ({"order": ["lr"]}, ValueError, "`order` must name every list of `space`; 'hidden' is missing"),
    ({"order": ["lr", "lr"]}, ValueError, "`order` must name each list once; got 'lr' again"),
    ({"order": ["beta1"]}, ValueError, "`order` must name what `space` has lists of; got 'beta1'.*It has lr, hidden"),
    ({"order": "gird"}, ValueError, "`order` must be a list of names and tuples of names, 'grid'.*Did you mean 'grid'"),
    ({"order": 3}, ValueError, "`order` must be a list of names"),
    ({"order": ["lr", 0.5]}, ValueError, r"`order` must be a list of names and tuples of names.*got \['lr', 0.5\]"),
    ({"order": "optuna"}, ValueError, "`trials` must be given with order='optuna', and only with it; got None"),
    ({"trials": 3}, ValueError, "`trials` must be given with order='optuna', and only with it; got 3 with None"),
    ({"halvings": -1}, ValueError, "`halvings` must be at least 0"),
    ({"loss": ["mse", "l1"]}, ValueError, "`loss` must be"),
    ({"seeds": 0}, ValueError, "`seeds` must be at least 1"),
    ({"epochs": 0}, ValueError, "`epochs` must be at least 1"),
    ({"restarts": 1}, ValueError, "`restarts` must be 0 without early stopping"),
    ({"n_jobs": 0}, ValueError, "`n_jobs` must be 1 or more"),
    ({"progress": 1}, TypeError, "`progress` must be True or False"),
    ({"data": 3}, TypeError, "`data` must be a Split"),
    ({"network": dict}, TypeError, "`network` must be a callable whose arguments can be seen"),
    ({"network": MLP(2)}, TypeError, "`network` must be a callable that makes a fresh network"),
    ({"space": {"lr": [1]}, "network": lambda: None}, TypeError, "`network` must make a torch.nn.Module"),
    (
        {"space": {"optimizer": [lambda p, lr, weight_decay, betas: SGD(p, lr)]}, "store": "runs"},
        ValueError,
        "`optimizer` must have a name by which it is found again, to be stored.*Define it with def",
    ),
    (
        {"space": {"optimizer": ["sgd"], "activation": ["relu", lambda: Local()]}, "store": "runs"},
        ValueError,
        "`network` must have a name by which it is found again",
    ),
]


def _local() -> type[nn.Module]:
    class Inner(nn.ReLU):
        pass

    return Inner


Local = _local()


@pytest.mark.parametrize(("given", "error", "message"), ERRORS)
def test_errors_come_before_any_training(
    given: dict[str, Any], error: type[Exception], message: str, trained: list[int], tmp_path: Path
) -> None:
    if "store" in given:
        given = given | {"store": tmp_path / given["store"]}
    with pytest.raises(error, match=message):
        choose(**given)
    assert trained == []


@pytest.mark.parametrize("plot", [plot_group, plot_path])
def test_an_empty_picture_has_words(plot: Any) -> None:
    rows = pd.DataFrame({"group": "lr", "config": ["a"], "seed": 1, "best_valid_loss": [np.nan], "kept": True})
    assert "Every run diverged" in plot(rows).data["text"][0]


def test_the_best_of_many_candidates_are_drawn() -> None:
    losses = [float(i) for i in range(30, 0, -1)]
    configs = [f"lr = {loss:g}" for loss in losses]
    rows = pd.DataFrame({"group": "lr", "config": configs, "seed": 1, "best_valid_loss": losses})
    rows["kept"] = rows["best_valid_loss"] == 1
    assert sorted(plot_group(rows).data["best_valid_loss"]) == [float(i) for i in range(1, 21)]
    path = plot_path(rows)
    assert path.data["best_valid_loss"].max() < 10
    assert "21 candidates with 10 times the lowest mean or more" in path.labels.caption.replace("\n", " ")


def process(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, killed.__file__, folder, "tune"], stdout=subprocess.PIPE, text=True)


def test_killed_at_any_moment_it_resumes_with_the_same_result(tmp_path: Path) -> None:
    moments, whole, folder = random.Random(os.urandom(8)), killed.choose(None), tmp_path / "runs"
    assert whole.cost()["runs"] == 24
    for _ in range(KILLS):
        with process(folder) as child:
            assert child.stdout
            assert child.stdout.readline() == "ready\n"
            time.sleep(moments.random() * 0.5)
            ended = child.poll() == 0
            child.kill()
        if ended:
            assert same(killed.choose(RunStore(folder)), whole)
            shutil.rmtree(folder)
    assert same(killed.choose(RunStore(folder)), whole)
    assert RunStore(folder).unfinished() == []
