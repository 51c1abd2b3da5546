"""Runs on disk: nothing is trained twice, nothing is lost, and nothing is counted twice."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from pycompare import (
    MLP,
    Comparison,
    EarlyStopping,
    OneCycle,
    RunStore,
    Split,
    compare_configs,
    compare_dropout,
    compare_gradients,
    compare_inits,
    lr_range_test,
    torch_manual_seed,
    train_valid,
)
from pycompare.sweeps import runs as running
from pycompare.sweeps.store.record import LAYOUT, from_file
from tests.sweeps import killed

X = torch.linspace(-1, 1, 80).reshape(40, 2)
SMALL = Split.from_arrays(X, X.sum(dim=1))
KILLS = int(os.environ.get("KILLS", "3"))


def compare(store: Any = None, epochs: int = 3, lr: Any = (0.1, 0.01), **arguments: Any) -> Comparison:
    return compare_configs(epochs, 8, lr, **({"data": SMALL, "progress": False} | arguments), store=store)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


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


def custom_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).abs().mean()


def dropping(p: float = 0.2) -> nn.Module:
    return nn.Sequential(nn.Linear(2, 5), nn.Dropout(p), nn.Linear(5, 1))


CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "seeds": {"seeds": 2},
    "dropout": {"network": dropping},
    "float64": {"dtype": "float64"},
    "own loss": {"loss": custom_loss},
    "own optimizer": {"optimizer": torch.optim.Adam},
    "schedule": {"lr": 0.01, "schedule": [None, OneCycle(0.05, steps=30)]},
    "stopping": {"early_stopping": EarlyStopping(1), "epochs": 30, "lr": [0.5, 0.1]},
    "restarts": {"early_stopping": EarlyStopping(1), "epochs": 30, "lr": [0.5, 0.1], "restarts": 2},
    "side by side": {"n_jobs": 2},
}


@pytest.mark.parametrize("call", CALLS)
def test_a_repeated_call_trains_nothing_and_gives_the_same(call: str, store: RunStore, trained: list[int]) -> None:
    alone = compare(**CALLS[call], keep_networks=True)
    first = compare(store, **CALLS[call], keep_networks=True)
    trained.clear()
    again = compare(store, **(CALLS[call] | {"n_jobs": 1}), keep_networks=True)
    assert trained == []
    for told in (first, again):
        pd.testing.assert_frame_equal(told.data, alone.data, check_exact=True)
        assert told.networks.keys() == alone.networks.keys()
        for name, network in alone.networks.items():
            theirs = told.networks[name].state_dict()
            assert all(torch.equal(value, theirs[key]) for key, value in network.state_dict().items())


def test_only_what_is_missing_is_trained(store: RunStore, trained: list[int]) -> None:
    compare(store, lr=[0.1, 0.01])
    trained.clear()
    compare(store, lr=[0.1, 0.02, 0.01])
    assert len(trained) == 1
    compare_configs(3, [8, 16], lr=0.1, data=SMALL, store=store, progress=False)  # the same run under another label
    assert len(trained) == 2


OTHERS: dict[str, dict[str, Any]] = {
    "weight_decay": {"weight_decay": 0.5},
    "seed": {"seed": 4},
    "optimizer": {"optimizer": "adam"},
    "loss": {"loss": "l1"},
    "dtype": {"dtype": "float64"},
    "data": {"data": Split.from_arrays(X, X.sum(dim=1) + 1e-3)},
    "network": {"network": lambda: MLP(2, (50, 50), activation="tanh")},
    "dropout": {"network": dropping},
    "stopping": {"early_stopping": EarlyStopping(9)},
    "schedule": {"schedule": OneCycle(0.1, steps=30), "lr": 0.01, "weight_decay": [0.1, 0.2]},
}


def test_whatever_changes_the_numbers_is_another_run(store: RunStore, trained: list[int]) -> None:
    for call in ({}, *OTHERS.values()):
        before = len(trained)
        compare(store, **call)
        assert len(trained) == before + 2
    assert len(store.runs()) == 2 * (1 + len(OTHERS))


def test_the_engine_is_none_of_it(store: RunStore, trained: list[int]) -> None:
    compare(store, engine="autograd")
    before = len(trained)
    compare(store, engine="fused")
    assert len(trained) == before


@pytest.mark.parametrize("call", ["plain", "dropout", "own optimizer", "stopping"])
def test_more_epochs_go_on_from_the_last(call: str, store: RunStore) -> None:
    arguments = CALLS[call] | {"epochs": 2}
    compare(store, **arguments)
    stored = {name: from_file(store.weights_file(name)).rows for name in store.runs()["run"]}
    longer = compare(store, **(arguments | {"epochs": 7}), keep_networks=True)
    alone = compare(**(arguments | {"epochs": 7}), keep_networks=True)
    pd.testing.assert_frame_equal(longer.data, alone.data, check_exact=True)
    for name, network in alone.networks.items():
        theirs = longer.networks[name].state_dict()
        assert all(torch.equal(value, theirs[key]) for key, value in network.state_dict().items())
    assert {name: from_file(store.weights_file(name)).rows for name in stored} == stored


class Killed(BaseException):
    pass


@pytest.mark.parametrize("epoch", [1, 4, 5])
@pytest.mark.parametrize("call", ["plain", "dropout", "own optimizer", "stopping", "restarts", "schedule"])
def test_an_interrupted_run_goes_on(
    call: str, epoch: int, store: RunStore, monkeypatch: pytest.MonkeyPatch, trained: list[int]
) -> None:
    arguments = {"epochs": 6} | CALLS[call]
    store = RunStore(store.folder, seconds=0)
    with monkeypatch.context() as patch:
        write = RunStore.write

        def interrupted(self: RunStore, file: Path, content: bytes) -> None:
            write(self, file, content)
            if file.parent.name == "unfinished" and from_file(file).state.done == epoch:
                raise Killed

        patch.setattr(RunStore, "write", interrupted)
        with pytest.raises(Killed):
            compare(store, **arguments)
    assert len(store.unfinished()) == 1
    pd.testing.assert_frame_equal(compare(store, **arguments).data, compare(**arguments).data, check_exact=True)
    assert store.unfinished() == []


CLASSES = Split.from_arrays(X, (X.sum(dim=1) > 0).double())
LABORATORIES: dict[str, Any] = {
    "dropout": lambda store: compare_dropout(
        [0, 0.5], hidden=(5,), data=CLASSES, epochs=2, store=store, progress=False
    ),
    "inits": lambda store: compare_inits([0.1, 0.2], steps=9, data=CLASSES, store=store, progress=False),
    "gradients": lambda store: compare_gradients(
        ["xavier_uniform", "normal"], data=CLASSES, epochs=2, store=store, progress=False
    ),
    "lr_range": lambda store: lr_range_test(data=SMALL, steps=20, store=store),
}


@pytest.mark.parametrize("name", LABORATORIES)
def test_laboratories_take_a_store(name: str, store: RunStore, trained: list[int]) -> None:
    laboratory = LABORATORIES[name]
    alone, first = laboratory(None), laboratory(store)
    trained.clear()
    again = laboratory(store)
    assert trained == []
    pd.testing.assert_frame_equal(first.data, alone.data, check_exact=True)
    pd.testing.assert_frame_equal(again.data, alone.data, check_exact=True)


def process(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, killed.__file__, folder, "compare"], stdout=subprocess.PIPE, text=True)


def done(folder: Path) -> int:
    store = RunStore(folder)
    if not (folder / "store.json").exists():
        return 0
    unfinished = [from_file(store.unfinished_file(name)).state.done for name in store.unfinished()]
    return sum(unfinished) + killed.EPOCHS * len(store.runs())


def test_killed_at_any_moment_nothing_is_lost_and_nothing_counted_twice(tmp_path: Path) -> None:
    moments, before, whole = random.Random(os.urandom(8)), 0, killed.compare(None)
    for _ in range(KILLS):
        with process(tmp_path) as child:
            assert child.stdout
            assert child.stdout.readline() == "ready\n"
            time.sleep(moments.random() * 0.6)
            child.kill()
        assert before <= done(tmp_path) <= 4 * killed.EPOCHS
        before = done(tmp_path)
    ended = killed.compare(RunStore(tmp_path))
    pd.testing.assert_frame_equal(ended.data, whole.data, check_exact=True)
    rows = RunStore(tmp_path).frame()
    assert rows.groupby("run")["epoch"].agg(list).tolist() == [list(range(1, killed.EPOCHS + 1))] * 4
    assert RunStore(tmp_path).unfinished() == []


def test_two_processes_in_one_folder_do_no_harm(tmp_path: Path) -> None:
    with process(tmp_path) as one, process(tmp_path) as other:
        assert (one.wait(), other.wait()) == (0, 0)
    store = RunStore(tmp_path)
    assert not list(tmp_path.rglob("*.safetensors.*"))
    rows = store.compare("lr").data.sort_values(["lr", "epoch"], ignore_index=True)
    alone = killed.compare(None).data.sort_values(["lr", "epoch"], ignore_index=True)
    pd.testing.assert_frame_equal(rows, alone, check_exact=True)
    assert len(store.runs()) == 4


def test_short_runs_are_stored_once(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(RunStore, "write", lambda self, file, content: written.append(file.suffix))
    compare(RunStore(store.folder, seconds=1e6), epochs=9, lr=[0.1])
    assert written == [".json", ".parquet", ".safetensors", ".json"]


def test_frame_runs_and_settings(store: RunStore) -> None:
    told = compare(store, epochs=4, early_stopping=EarlyStopping(9, min_delta=0.1))
    runs = store.runs()
    assert sorted(runs["lr"]) == [0.01, 0.1]
    assert set(runs["early_stopping"]) == {"EarlyStopping(patience=9, min_delta=0.1, on='valid_loss')"}
    assert (set(runs["done"]), set(runs["stopped"])) == ({4}, {False})
    for run in runs.itertuples():
        curve = told.data[told.data["lr"] == run.lr]["valid_loss"]
        assert (run.best, run.best_epoch) == (curve.min(), curve.argmin() + 1)
        rows = store.frame(run.run)
        assert rows["valid_loss"].tolist() == curve.tolist()
        assert rows["lr"].tolist() == [run.lr] * 4
    settings = store.settings(runs["run"][0][:6])
    assert settings["versions"].keys() == {"pycompare", "torch", "kernels"}
    assert len(store.frame()) == 8


def test_weights_are_those_of_the_best_and_of_the_last_epoch(store: RunStore) -> None:
    compare(store, epochs=9, lr=[0.3])
    (run,) = store.runs()["run"]
    assert {path.name for path in store.folder.iterdir()} == {"store.json", "settings", "statistics", "weights"}
    for which, epochs in (("last", 9), ("best", int(store.runs()["best_epoch"][0]))):
        with torch_manual_seed(123):
            network = MLP(2)
            train_valid(network, SMALL.train, SMALL.valid, epochs, 8, lr=0.3, weight_decay=0.01)
        kept = store.weights(run, which)
        assert kept.keys() == network.state_dict().keys()
        assert all(torch.equal(kept[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("arguments", [{}, {"seeds": 2}])
def test_stored_runs_as_a_comparison(arguments: dict[str, Any], store: RunStore) -> None:
    told = compare(store, lr=[0.01, 0.1], **arguments)
    compare(store, lr=[0.01, 0.1], optimizer="adam")
    stored = store.compare("lr", optimizer="adamw")
    pd.testing.assert_frame_equal(stored.data, told.data, check_exact=True)
    assert stored.parameter == "lr"
    assert stored.values == (0.01, 0.1)
    assert stored.arguments["optimizer"] == "adamw"
    pd.testing.assert_frame_equal(stored.summary(), told.summary(), check_exact=True)
    with pytest.raises(ValueError, match=r"they differ in optimizer, too: .*as in compare\('lr', optimizer="):
        store.compare("lr")
    with pytest.raises(ValueError, match="got some that no run has"):
        store.compare("lr", optimizer="sgd")
    with pytest.raises(ValueError, match="`parameter` must be one of run, network"):
        store.compare("nothing")


def test_the_files_have_one_set_of_columns_whatever_the_optimizer(store: RunStore) -> None:
    import pyarrow.parquet as pq

    for optimizer in ("adamw", "adam"):
        compare(store, optimizer=optimizer)
    files = sorted((store.folder / "statistics" / "EachEpoch").glob("*.parquet"))
    assert len({str(pq.read_schema(file)) for file in files}) == 1
    assert {"run", "lr", "seed", "epoch", "valid_loss"} <= {*pq.read_schema(files[0]).names}


def test_removed_runs_are_trained_again(store: RunStore, trained: list[int]) -> None:
    compare(store)
    run = store.runs()["run"][0]
    assert store.remove(run) == run
    assert run not in store.runs()["run"].tolist()
    assert list(store.folder.rglob(f"{run}*")) == []
    trained.clear()
    compare(store)
    assert trained == [3]


def test_the_index_may_be_lost_or_spoilt(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycompare.sweeps.store.store._MISSING", 0)
    compare(store)
    listed = store.runs()
    compare(store, lr=[0.3])
    assert len(store.runs()) == 3
    store.remove(store.runs()["run"][2])
    pd.testing.assert_frame_equal(store.runs(), listed)
    (store.folder / "index.parquet").write_bytes(b"spoilt")
    pd.testing.assert_frame_equal(store.runs(), listed)


def test_a_comparison_leaves_an_index_that_lacks_little(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycompare.sweeps.store.store._MISSING", 2)
    index = store.folder / "index.parquet"
    compare(store)
    assert not index.exists()
    compare(store, lr=[0.3])
    assert len(pd.read_parquet(index)) == 3


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("kind", "ask"),
    [
        ("weights", lambda store, run: store.weights(run)),
        ("weights", lambda store, run: compare(store)),
        ("settings", lambda store, run: store.runs()),
        ("statistics", lambda store, run: store.frame()),
    ],
)
@pytest.mark.parametrize("spoil", [truncate, lambda file: file.write_bytes(b"")], ids=["truncated", "empty"])
def test_a_damaged_file_is_named_and_the_rest_intact(spoil: Any, kind: str, ask: Any, store: RunStore) -> None:
    compare(store)
    run, other = store.runs()["run"]
    (file,) = (store.folder / kind).rglob(f"{run}.*")
    spoil(file)
    with pytest.raises(ValueError, match=rf"`store` must hold whole files of a store; got .*{file.name}.*runs rm"):
        ask(store, run)
    assert len(store.frame(other)) == 3
    store.remove(run)
    pd.testing.assert_frame_equal(compare(store).data, compare().data, check_exact=True)


def test_files_of_others_are_left_alone(store: RunStore) -> None:
    compare(store)
    for kind in (".", "settings", "statistics", "statistics/EachEpoch", "weights"):
        for name in ("notes.txt", ".DS_Store", "a.json", "a.parquet", "a.safetensors"):
            (store.folder / kind / name).write_text("mine")
    assert len(store.runs()) == 2
    assert len(store.frame()) == 6
    compare(store, epochs=5)
    assert (store.folder / "weights" / "a.safetensors").read_text() == "mine"


@pytest.mark.parametrize("file", ["store.json", "settings"])
def test_a_newer_layout_is_refused(file: str, store: RunStore) -> None:
    compare(store)
    path = next((store.folder / file).iterdir()) if file == "settings" else store.folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | {"layout": LAYOUT + 1}))
    with pytest.raises(ValueError, match=r"written by this version of pycompare or an older one; got .*json.*Install"):
        store.runs()
    if file == "store.json":
        with pytest.raises(ValueError, match=r"written by this version of pycompare or an older one"):
            compare(store)


def test_no_store_there(store: RunStore) -> None:
    for ask in (store.runs, store.frame, store.unfinished):
        with pytest.raises(FileNotFoundError, match=r"`store` must be a folder of runs; got .*where there is none"):
            ask()
    assert not store.folder.exists()


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path: Path, trained: list[int]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"`store` must be in a folder that can be written; got .*Name another"):
        compare(tmp_path / "file" / "below")
    assert trained == []


def test_a_full_disk_is_one_clear_error_and_the_rest_intact(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(store, lr=[0.1])
    before = {path: path.read_bytes() for path in store.folder.rglob("*.*") if path.is_file()}

    def full(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[:9])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(ValueError, match=r"`store` .*parquet' \(No space left on device\). Make room") as caught:
            compare(store, lr=[0.1, 0.01])
    assert caught.value.partial["config"].unique().tolist() == ["lr = 0.1", "lr = 0.01"]
    assert {path: path.read_bytes() for path in store.folder.rglob("*.*") if path.is_file()} == before
    assert len(compare(store, lr=[0.1, 0.01]).data) == 6


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"loss": lambda a, b: (a - b).abs().mean()}, "loss"),
        ({"optimizer": lambda p, lr, weight_decay, betas: torch.optim.SGD(p, lr=lr)}, "optimizer"),
    ],
)
def test_what_cannot_be_found_again_is_refused(arguments: dict[str, Any], name: str, store: RunStore) -> None:
    with pytest.raises(ValueError, match=rf"`{name}` must have a name by which it is found again.*Define it with def"):
        compare(store, **arguments)
    assert len(store.runs()) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"folder": 3}, TypeError, "`folder` must be a path; got 3"),
        ({"folder": "runs", "seconds": -1}, ValueError, "`seconds` must be at least 0"),
    ],
)
def test_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        RunStore(**arguments)


def test_a_store_and_on_epoch_exclude_each_other(store: RunStore) -> None:
    with pytest.raises(ValueError, match="`on_epoch` must be None with `store`"):
        compare(store, on_epoch=print)


READERS = {
    "polars": lambda files: sys.modules["polars"].read_parquet(files).to_pandas(),
    "duckdb": lambda files: sys.modules["duckdb"].sql(f"SELECT * FROM '{files}'").df(),
}


@pytest.mark.parametrize("reader", READERS)
def test_others_read_the_frame_from_the_files(reader: str, store: RunStore) -> None:
    pytest.importorskip(reader)
    compare(store, optimizer="adamw")
    compare(store, optimizer="adam")
    theirs = READERS[reader](str(store.folder / "statistics" / "EachEpoch" / "*.parquet"))
    key, ours = ["run", "epoch"], store.frame()
    assert theirs.columns.tolist() == ours.columns.tolist()
    theirs, ours = (one.sort_values(key, ignore_index=True).drop(columns="momentum") for one in (theirs, ours))
    pd.testing.assert_frame_equal(theirs, ours, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("denied", ["settings", "statistics"], ids=["before training", "after it"])
def test_a_folder_that_becomes_read_only_is_one_clear_error(
    denied: str, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(store, lr=[0.1])
    before = store.runs()
    write = Path.open

    def read_only(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if denied in self.parts and mode in ("wb", "xb"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return write(self, mode, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", read_only)
        with pytest.raises(ValueError, match=r"`store` must be a folder .*\(Read-only file system\). Make room"):
            compare(store, lr=[0.1, 0.01])
    pd.testing.assert_frame_equal(store.runs(), before)
    assert len(compare(store, lr=[0.1, 0.01]).data) == 6


def mounted(folder: Path, options: str) -> bool:
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or not mounted(folder, "size=512k"):
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_real_disk_that_is_full_or_read_only(small_disk: Path) -> None:
    store = RunStore(small_disk / "runs")
    with pytest.raises(ValueError, match=r"`store` .*\(No space left on device\). Make room"):
        compare(store, lr=[i / 100 for i in range(1, 30)])
    stored = len(store.runs())
    assert 0 < stored < 29
    assert list(small_disk.rglob("*.lease*")) == []
    assert len(store.frame()) == 3 * stored
    assert mounted(small_disk, "remount,ro")
    with pytest.raises(ValueError, match=r"`store` must be in a folder .*Read-only file system"):
        compare(store, lr=[0.5])
    assert len(store.frame()) == 3 * stored
