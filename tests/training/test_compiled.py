"""Compiled code has the bits of the fused engine; what it does not cover, or does not agree on, is left to that."""

from __future__ import annotations

import copy
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import TensorDataset

from pycompare import MLP, Comparison, Split, compare_configs, torch_manual_seed, train_valid
from pycompare.parity.suite import TABLES
from pycompare.threads import torch_threads
from pycompare.training import loop
from pycompare.training.batches import BatchLosses, OnLoss, SetRates
from pycompare.training.engines import covers, engine
from pycompare.training.engines.compiled import agreement, codes, machine_code, torch_symbols, trainer
from pycompare.training.engines.fused import Fused
from pycompare.training.losses import find_loss
from pycompare.training.options import Options
from tests.conftest import KERNELS, recorded
from tests.training import test_fused, test_steps

LOSSES = [*test_fused.LOSSES, "bce"]
X = torch.linspace(-1, 1, 60).reshape(30, 2)
DATA = TensorDataset(X, X.sum(dim=1, keepdim=True))
SMALL = Split.from_arrays(X, X.sum(dim=1))


def _chain(*modules: nn.Module) -> nn.Module:
    with torch_manual_seed(1):
        return nn.Sequential(nn.Linear(2, 3), *modules, nn.Linear(3, 1))


def _options(engine: str, epochs: int = 2, batch_size: int = 16, loss: str = "mse", **arguments: Any) -> Options:
    optimizer = arguments.pop("optimizer", "adamw")
    return Options(epochs, batch_size, optimizer, arguments, find_loss(loss), engine)


def _begun(network: nn.Module, data: Any, options: Options) -> loop.Training:
    with torch_threads(1):
        return loop.begin_training(copy.deepcopy(network), data[0], data[1], options)


def _who(network: nn.Module, options: Options) -> tuple[str, str]:
    """Which engine would train, and why."""
    training = _begun(network, (DATA, DATA), options)
    return training.engine.name, training.why


def _everything(network: nn.Module, data: Any, options: Options) -> dict[str, Any]:
    """Curves, and all tensors that a training leaves."""
    training = _begun(network, data, options)
    assert training.engine.name == options.engine
    with torch_threads(1):
        rows = [row for _, rows in training.epochs() for row in rows]
    parameters, flat = list(training.network.parameters()), training.engine.flat  # type: ignore[attr-defined]
    tensors = {str(i): tensor for i, p in enumerate(parameters) for tensor in (p.detach(), p.grad)}
    return {"curves": torch.tensor([list(row.values()) for row in rows]), **tensors, **flat.state}


def _assert_same(network: nn.Module, data: Any, **options: Any) -> None:
    ours, theirs = (_everything(network, data, _options(engine, **options)) for engine in ("compiled", "fused"))
    assert ours.keys() == theirs.keys()
    different = [name for name in ours if not agreement._equal(ours[name], theirs[name])]
    assert not different


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.data())
def test_bits_are_those_of_the_fused_engine(data: st.DataObject) -> None:
    draw = data.draw
    width, loss = draw(test_fused.WIDTHS), draw(st.sampled_from(LOSSES))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    with torch_manual_seed(draw(st.integers(0, 9))):
        network = draw(test_fused.networks(width)).to(dtype)
        assume(loss != "cross_entropy" or covers.linear_layers(network)[-1].out_features > 1)
        sets = [draw(test_fused.datasets(network, width, loss)) for _ in range(2)]
    if loss == "bce":
        sets = [TensorDataset(x, y.sigmoid() if y.is_floating_point() else y) for x, y in (d.tensors for d in sets)]
    for module in network.modules():
        if isinstance(module, nn.GELU) and dtype == torch.float32:
            module.approximate = "tanh"
    optimizer, arguments = draw(st.sampled_from(test_fused.OPTIMIZERS))
    lr, batch_size = draw(st.sampled_from([1e-3, 0.05, 5.0, 1e39])), draw(st.integers(1, 21))
    _assert_same(network, sets, optimizer=optimizer, epochs=3, batch_size=batch_size, loss=loss, lr=lr, **arguments)


@pytest.mark.parametrize("hidden", [(), (300,), (64, 64)])
def test_bits_of_larger_networks(hidden: tuple[int, ...]) -> None:
    with torch_manual_seed(2):
        x, network = torch.randn(5000, 10), MLP(10, hidden)
    data = TensorDataset(x, x.sum(1, keepdim=True))
    _assert_same(network, (data, data), batch_size=4097, lr=0.01)


@pytest.mark.parametrize("name", ["course_sweeps", "spirals_lr", "optimizers"])
def test_recorded_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def start(*arguments: Any) -> Any:
        begun.append(engine.start_engine(*arguments))
        return begun[-1]

    monkeypatch.setattr(loop, "start_engine", start)
    monkeypatch.setattr(engine, "_pays", lambda *_: True)
    (table,) = (table for table in TABLES if table.name == name)
    ours, theirs = table.ours(), recorded(f"{name}.csv")
    assert {trainer.name for trainer, _ in begun} <= {"compiled", "autograd"}
    assert [why for trainer, why in begun if trainer.name == "autograd"] == [
        "'fused' does not cover the optimizer Adagrad, its groups or its past steps"
    ] * (name == "optimizers")
    if KERNELS == "recorded":
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True, check_dtype=False)


_SCRIPT = """
import sys
from pycompare import compare_configs
curves = [compare_configs(2, lr=[0.1, 0.01], engine=engine) for engine in ("compiled", "fused")]
assert curves[0].data.equals(curves[1].data)
assert (curves[0].made_with["engine"], curves[0].made_with["why"]) == ("compiled", "asked for")
assert "numba" not in sys.modules
"""


@pytest.mark.parametrize("branch", ["", "AVX2"])
def test_another_process_has_the_same_bits_from_the_disk_without_numba(branch: str) -> None:
    environment = os.environ | ({"MKL_CBWR": branch} if branch else {})
    subprocess.run([sys.executable, "-c", _SCRIPT], env=environment, check=True)


def test_n_jobs_2() -> None:
    sweeps = [compare_configs(2, lr=[0.1, 0.01], n_jobs=n, engine="compiled") for n in (1, 2)]
    assert sweeps[0].data.equals(sweeps[1].data)
    assert sweeps[1].made_with["engine"] == "compiled"


FALLBACKS: dict[str, tuple[str, Any, nn.Module, str, str]] = {
    "no numba": (
        "pycompare.training.engines.covers.has_numba",
        lambda: False,
        nn.ReLU(),
        "mse",
        r"without numba, .*'.\[fast\]'",
    ),
    "system": ("platform.machine", lambda: "aarch64", nn.ReLU(), "mse", "other systems than Linux on x86-64"),
    "no MKL": ("torch.backends.mkl.is_available", lambda: False, nn.ReLU(), "mse", "a PyTorch without MKL"),
    "processor": ("torch.backends.cpu.get_cpu_capability", lambda: "DEFAULT", nn.ReLU(), "mse", "without AVX2"),
    "AVX-512": ("torch.backends.cpu.get_cpu_capability", lambda: "AVX512", nn.Sigmoid(), "mse", "by AVX-512"),
    "AVX-512, loss": ("torch.backends.cpu.get_cpu_capability", lambda: "AVX512", nn.ReLU(), "bce", "by AVX-512"),
    "symbol": (
        "pycompare.training.engines.covers.missing_symbols",
        lambda: ("sgemm_",),
        nn.ReLU(),
        "mse",
        "a PyTorch that does not export sgemm_",
    ),
    "GELU": ("os.altsep", os.altsep, nn.GELU(), "mse", r"GELU\(approximate='none'\) of float32"),
}


@pytest.mark.parametrize("case", FALLBACKS)
def test_fallbacks(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target, value, module, loss, reason = FALLBACKS[case]
    monkeypatch.setattr(target, value)
    monkeypatch.setattr(engine, "_pays", lambda *_: True)
    data = TensorDataset(X, DATA.tensors[1].sigmoid())
    message = f"`engine` must be 'auto', 'fused' or 'autograd' here; got 'compiled', which does not cover .*{reason}"
    with pytest.raises(ValueError, match=message):
        train_valid(_chain(module), data, data, 1, 16, loss=loss, engine="compiled")
    auto = _begun(_chain(module), (data, data), _options("auto", loss=loss))
    assert auto.engine.name == "fused"
    assert auto.why.startswith("'compiled' does not cover ")


def test_more_than_one_thread_is_left_to_fused() -> None:
    with pytest.raises(ValueError, match="got 'compiled', which does not cover more than one torch thread"):
        train_valid(_chain(), DATA, DATA, 1, 16, engine="compiled", threads=2)


def test_what_fused_does_not_cover() -> None:
    with pytest.raises(ValueError, match="got 'compiled', which does not cover a module of type Dropout"):
        train_valid(_chain(nn.Dropout()), DATA, DATA, 1, 16, engine="compiled")


def test_this_build_exports_all() -> None:
    assert torch_symbols.missing_symbols() == ()


def _root_code() -> int:
    return trainer._root_code(trainer._flushes())


def test_roots_are_torch_s() -> None:
    x = np.arange(-(2**31), 2**31, 16_411).astype(np.int32)[: 2**18 - 512].view(np.float32)
    ours = torch.from_numpy(trainer.roots(machine_code.kernel(torch.float32), _root_code(), x))
    assert agreement._equal(ours, torch.from_numpy(x).sqrt())


def test_roots_of_threads_that_flush() -> None:
    before = _root_code()
    torch.set_flush_denormal(True)
    try:
        assert (trainer._flushes(), _root_code()) == (True, codes.LIBRARY)
    finally:
        torch.set_flush_denormal(False)
    assert (trainer._flushes(), _root_code()) == (False, before)


def test_roots_with_other_bits_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    right = machine_code.kernel(torch.float32)

    def other(*arguments: int) -> None:
        size, settings, target = (arguments[i] for i in (6, 13, 16))
        right(*arguments)
        if ctypes.c_double.from_address(settings + 8 * codes.ROOT).value != codes.LIBRARY:
            (ctypes.c_float * size).from_address(target)[1] *= 2

    monkeypatch.setattr(trainer, "kernel", lambda _: other)
    assert trainer._root_code.__wrapped__(flushes=False) == codes.LIBRARY


class _Other(Fused):
    def train(self, on_step: OnLoss | None = None, set_rates: SetRates | None = None) -> BatchLosses:
        told = super().train(on_step, set_rates)
        return replace(told, losses=torch.nextafter(told.losses, told.losses + 1))


@pytest.mark.parametrize("asked", ["compiled", "auto"])
def test_one_other_bit_leaves_the_training_to_fused(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_pays", lambda *_: True)
    monkeypatch.setattr(agreement, "_agreements", {})
    monkeypatch.setattr(agreement, "Fused", _Other)
    assert _who(_chain(), _options(asked)) == ("fused", "compiled code has other bits here")


def test_agreement_is_asked_once_a_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "_agreements", {})
    assert _who(_chain(), _options("compiled", lr=0.1))[0] == "compiled"
    monkeypatch.setattr(agreement, "Fused", _Other)
    assert _who(_chain(), _options("compiled", lr=0.2))[0] == "compiled"
    assert _who(_chain(), _options("compiled", batch_size=15))[0] == "fused"
    assert _who(_chain(nn.Tanh()), _options("compiled"))[0] == "fused"


def test_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (_options("auto", epochs=epochs, batch_size=3) for epochs in (1, 200))
    assert _who(_chain(), few)[0] == "fused"
    assert _who(_chain(), many) == ("compiled", "it is fastest here")
    monkeypatch.setattr(machine_code, "_loaded", {})
    assert _who(_chain(), _options("auto", epochs=20, batch_size=3))[0] == "fused"
    assert _who(_chain(), many)[0] == "compiled"


SWEEPS: dict[str, tuple[dict[str, Any], str]] = {  # of 44 steps a run, at batch size 16
    "one run": ({"lr": [0.1]}, "fused"),
    "three that share a check": ({"lr": [0.1, 0.01, 0.001]}, "compiled"),
    "three shapes of batches": ({"batch_size": [16, 17, 18]}, "fused"),
    "one long run among short ones": ({"batch_size": [4, 64]}, "compiled, fused"),
}


@pytest.mark.parametrize("case", SWEEPS)
def test_auto_weighs_the_runs_of_a_sweep_that_share_a_check(case: str) -> None:
    machine_code.kernel(torch.float32)
    settings, engines = SWEEPS[case]
    assert compare_configs(1, **settings).made_with["engine"] == engines


def test_auto_compiles_for_a_long_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    long = _options("auto", epochs=engine._STEPS_TO_COMPILE // len(X) + 1, batch_size=1)
    stored = machine_code._stored(torch.float32)
    monkeypatch.setattr(machine_code, "_loaded", {})
    monkeypatch.setattr(machine_code, "_stored", lambda _: None)
    compiled: list[torch.dtype] = []
    monkeypatch.setattr(machine_code, "_compiled", lambda dtype: compiled.append(dtype) or stored)
    assert _who(_chain(), _options("auto", epochs=1000))[0] == "fused"
    assert not compiled
    assert _who(_chain(), long) == ("compiled", "it is fastest here")
    assert compiled == [torch.float32]


def test_auto_does_not_compile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine_code, "_loaded", {})
    monkeypatch.setattr(machine_code, "_compiled", None)
    for folder in (tmp_path, tmp_path / "missing", "/dev/null"):
        monkeypatch.setenv("PYCOMPARE_CACHE", str(folder))
        assert _who(_chain(), _options("auto", epochs=1000))[0] == "fused"


def test_a_damaged_file_is_as_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = machine_code._path(torch.float32).read_bytes()
    monkeypatch.setenv("PYCOMPARE_CACHE", str(tmp_path))
    for content in (b"", whole[:-1], whole[:5000] + b"x" + whole[5001:], b"\n" + whole):
        machine_code._path(torch.float32).write_bytes(content)
        assert not machine_code.is_stored(torch.float32)
    machine_code._path(torch.float32).write_bytes(whole)
    assert machine_code.is_stored(torch.float32)


def test_a_folder_that_cannot_be_written_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = machine_code._stored(torch.float32)
    assert stored
    monkeypatch.setenv("PYCOMPARE_CACHE", "/dev/null/cache")
    machine_code._store(machine_code._path(torch.float32), stored[1])
    assert machine_code._stored(torch.float32) is None
    monkeypatch.setattr(machine_code, "_loaded", {})
    monkeypatch.setattr(machine_code, "_compiled", lambda _: stored)
    train_valid(_chain(), DATA, DATA, 1, 16, engine="compiled")


@pytest.mark.parametrize("optimizer", sorted(test_steps.OPTIMIZERS.keys() - {"adagrad"}))
def test_a_step_shows_what_a_loop_of_one_s_own_has(optimizer: str) -> None:
    test_steps.test_a_step_shows_what_a_loop_of_one_s_own_has("compiled", optimizer)


def test_watching_changes_no_bit() -> None:
    test_steps.test_watching_changes_no_bit("compiled")


@pytest.mark.parametrize("steer", [test_steps._decay, test_steps._new_groups, test_steps._clip, test_steps._shrink])
def test_what_a_step_changes_holds_from_then_on(steer: Any) -> None:
    test_steps.test_what_a_step_changes_holds_from_then_on(steer, "compiled")


def test_what_changes_between_epochs_is_seen() -> None:
    curves = []
    for name in ("compiled", "fused"):
        training = _begun(_chain(nn.ReLU()), (DATA, DATA), _options(name, epochs=6, optimizer="sgd"))
        for _, (row,) in training.epochs():
            training.opt.param_groups[0].update(lr=0.1 * row["epoch"], momentum=0.9 if row["epoch"] > 2 else 0.0)
            curves.append(row)
    assert curves[:6] == curves[6:]


def test_epochs_that_nobody_watches_come_a_hundred_at_once_at_most() -> None:
    training = replace(_begun(_chain(), (DATA, DATA), _options("compiled", epochs=350)), watched=False)
    assert training.engine.stride > loop._MOST
    ends = [0, *(epoch for epoch, _ in training.epochs())]
    assert (ends[1], max(b - a for a, b in pairwise(ends))) == (100, 100)


def test_an_interruption_ends_a_large_epoch() -> None:
    with torch_manual_seed(1):
        data = TensorDataset(torch.rand(400_000, 2), torch.rand(400_000, 1))
        training = _begun(MLP(2, (256, 256)), (data, DATA), _options("compiled", epochs=1))
    sent = []

    def interrupt() -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(0.5, interrupt).start()
    with pytest.raises(KeyboardInterrupt), torch_threads(1):
        list(training.epochs())
    assert time.perf_counter() - sent[0] < 0.5, "0.2 s on a machine of one's own, where the epoch takes 5 s"


LARGE = Split.from_arrays(torch.rand(20_000, 2, generator=torch.Generator().manual_seed(1)), torch.zeros(20_000))


def _sweep(n_jobs: int, **arguments: Any) -> Comparison:
    settings = {"epochs": 3, "lr": [0.1, 0.01, 1e30, 0.001], "engine": "compiled", "data": SMALL} | arguments
    return compare_configs(**settings, n_jobs=n_jobs, progress=False)


@pytest.mark.parametrize("arguments", [{}, {"lr": 0.1, "batch_size": [1, 5, 16]}, {"seed": 4, "dtype": "float64"}])
def test_runs_on_threads_have_the_bits_of_runs_in_turn(arguments: dict[str, Any]) -> None:
    before = threading.active_count()
    one, three = (_sweep(n_jobs, **arguments) for n_jobs in (1, 3))
    pd.testing.assert_frame_equal(one.data, three.data, check_exact=True)
    assert threading.active_count() == before


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_an_interruption_ends_runs_on_threads(n_jobs: int) -> None:
    sent = []

    def interrupt() -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    before = threading.active_count()
    threading.Timer(1, interrupt).start()
    with pytest.raises(KeyboardInterrupt) as caught:
        _sweep(n_jobs, epochs=10_000, data=LARGE)
    assert time.perf_counter() - sent[0] < 1, "0.2 s on a machine of one's own"
    assert set(caught.value.partial["epoch"]) if n_jobs == 1 else caught.value.partial.empty  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_an_error_on_another_thread_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    home = threading.current_thread()

    class Failing(trainer.Compiled):
        def epochs(self, count: int) -> tuple[BatchLosses, BatchLosses]:
            if threading.current_thread() is not home:
                raise MemoryError("elsewhere")
            return super().epochs(count)

    monkeypatch.setattr(trainer, "Compiled", Failing)
    started = time.perf_counter()
    with pytest.raises(MemoryError, match="elsewhere"):
        _sweep(2, epochs=10_000, data=LARGE)
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("watched", [False, True])
def test_rates_of_each_step(optimizer: str, watched: bool) -> None:
    """Learning rate, momentum (or beta1) and weight decay of every step are the same for all engines."""
    told = {}
    for name in ("autograd", "fused", "compiled"):
        training = _begun(_chain(nn.Tanh()), (DATA, DATA), _options(name, batch_size=4, optimizer=optimizer))
        group = training.opt.param_groups[0]

        def set_rates(i: int, group: dict[str, Any] = group) -> None:
            momentum = {"betas": (0.9 - 0.1 * i, 0.999)} if "betas" in group else {"momentum": 0.1 * i}
            group.update(lr=0.01 * (i + 1), weight_decay=0.1 * i, **momentum)

        with torch_threads(1):
            losses = [training.engine.train(bool if watched else None, set_rates).losses for _ in range(3)]
            training.engine.publish()
        told[name] = torch.cat([*losses, *(p.detach().flatten() for p in training.network.parameters())])
    assert torch.equal(told["compiled"], told["fused"])
    assert torch.equal(told["autograd"], told["fused"])
