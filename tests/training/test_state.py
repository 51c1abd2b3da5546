"""A training that goes on where it was stored has the bits of one that was never interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pycompare import MLP, EarlyStopping, OneCycle, Split, StepRate, torch_manual_seed, torch_threads
from pycompare.sweeps.store.record import Record, from_file, to_bytes
from pycompare.training.loop import Training, begin_training
from pycompare.training.losses import find_loss
from pycompare.training.monitoring import EachEpoch, GradientNorms, Monitoring, WholeSets
from pycompare.training.options import Options
from pycompare.training.state import flattened, rebuilt, resume, take_state
from pycompare.training.stopping import weights

EPOCHS, ROWS, BATCH = 6, 23, 5
OPTIMIZERS = {
    "adamw": ("adamw", {"lr": 0.02, "weight_decay": 0.1}),
    "adamw_amsgrad": ("adamw", {"amsgrad": True}),
    "adam": ("adam", {"weight_decay": 0.1}),
    "rmsprop": ("rmsprop", {}),
    "rmsprop_all": ("rmsprop", {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    "sgd": ("sgd", {"lr": 0.01}),
    "sgd_all": ("sgd", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "sgd_dampened": ("sgd", {"lr": 0.01, "momentum": 0.9, "dampening": 0.5}),
}
AUTOGRAD_ONLY = {
    "adagrad": ("adagrad", {"lr": 0.02}),
    "nadam": (torch.optim.NAdam, {"lr": 0.02}),  # keeps float32 numbers whatever the parameters
    "asgd": (torch.optim.ASGD, {"lr": 0.02, "t0": 10}),
}
STEPS = EPOCHS * -(-ROWS // BATCH)
SCHEDULES = {"none": None, "one_cycle": OneCycle(0.05, steps=STEPS), "steps": StepRate(0.05, every=7, factor=0.5)}
DTYPES = [torch.float32, torch.float64]


class Unused(nn.Module):
    """A part without a gradient: no flat buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(2, 1), nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x)


NETWORKS = {
    "dropout": lambda: nn.Sequential(nn.Linear(2, 9), nn.Dropout(0.3), nn.ReLU(), nn.Linear(9, 1)),
    "batch_norm": lambda: nn.Sequential(nn.Linear(2, 9), nn.BatchNorm1d(9), nn.Linear(9, 1)),
    "unused": Unused,
    "mlp": lambda: MLP(2, (7, 3), activation="tanh"),
}


def begin(options: Options, network: str, dtype: torch.dtype, monitoring: Monitoring) -> Training:
    generator = torch.Generator().manual_seed(4)
    x, y = torch.randn(2 * ROWS, 2, generator=generator), torch.randn(2 * ROWS, generator=generator)
    split = Split.from_arrays(x, y, train=0.5)
    made = NETWORKS[network]().to(dtype)
    return begin_training(made, *monitoring.sets(split, torch.empty(0, dtype=dtype), BATCH), options)


def rows_of(training: Training, monitoring: Monitoring, stop: int = EPOCHS) -> list[Any]:
    rows = []
    for epoch, told in training.up_to_plateau(monitoring.epochs(training)):
        rows += told
        if epoch == stop:
            break
    return rows


def everything(training: Training) -> list[Any]:
    training.engine.publish_state()
    state = [part for kept in training.opt.state.values() for part in kept.values()]
    return [*weights(training.network).values(), *state]


def same(ours: list[Any], theirs: list[Any]) -> bool:
    pairs = zip(ours, theirs, strict=True)
    return all(torch.equal(a, b) if isinstance(a, Tensor) else a == b for a, b in pairs)


@torch_threads(1)
def check(
    path: Path,
    optimizer: Any,
    *,
    engine: str = "autograd",
    then: str | None = None,
    network: str = "mlp",
    schedule: str = "none",
    dtype: torch.dtype = torch.float32,
    after: int = 2,
    monitoring: Monitoring | None = None,
    early_stopping: EarlyStopping | None = None,
) -> None:
    """Train without an interruption; then up to `after`, store, and go on, on the engine `then`, in another process's
    place: with other weights and another generator."""
    told = monitoring or EachEpoch()
    name, arguments = optimizer
    first, second = (
        Options(
            EPOCHS, BATCH, name, arguments, find_loss("mse"), one, 1, SCHEDULES[schedule], early_stopping=early_stopping
        )
        for one in (engine, then or engine)
    )
    with torch_manual_seed(3):
        whole = begin(first, network, dtype, told)
        rows = rows_of(whole, told)
    with torch_manual_seed(3):
        begun = begin(first, network, dtype, told)
        before = rows_of(begun, told, after)
        (path / "run").write_bytes(to_bytes(Record(take_state(begun, after), before, "", "")))
    with torch_manual_seed(99):
        kept = from_file(path / "run")
        resumed = resume(begin(second, network, dtype, told), kept.state)
        after_it = rows_of(resumed, told)
    assert kept.rows + after_it == rows
    assert same(everything(resumed), everything(whole))
    if whole.best and resumed.best:
        assert (resumed.best.epoch, resumed.best.waited) == (whole.best.epoch, whole.best.waited)
        ours, theirs = (dict(sorted(one.best.weights.items())) for one in (resumed, whole))
        assert same([*ours.values()], [*theirs.values()])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("engine", ["autograd", "fused"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(optimizer: str, engine: str, schedule: str, dtype: torch.dtype, tmp_path: Path) -> None:
    if schedule == "one_cycle" and "momentum" not in OPTIMIZERS[optimizer][1] and "adam" not in optimizer:
        schedule = "steps"  # nothing to cycle
    check(tmp_path, OPTIMIZERS[optimizer], engine=engine, schedule=schedule, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("schedule", ["none", "one_cycle"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_in_machine_code(optimizer: str, schedule: str, dtype: torch.dtype, tmp_path: Path) -> None:
    if "momentum" not in OPTIMIZERS[optimizer][1] and "adam" not in optimizer:
        schedule = "steps"
    check(tmp_path, OPTIMIZERS[optimizer], engine="compiled", schedule=schedule, dtype=dtype)


@pytest.mark.parametrize(
    ("engine", "then"),
    [(a, b) for a in ("autograd", "fused", "compiled") for b in ("autograd", "fused", "compiled") if a != b],
)
@pytest.mark.parametrize("optimizer", ["adamw_amsgrad", "rmsprop_all", "sgd_all"])
def test_one_engine_goes_on_where_another_was(optimizer: str, engine: str, then: str, tmp_path: Path) -> None:
    check(tmp_path, OPTIMIZERS[optimizer], engine=engine, then=then)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd_all", *AUTOGRAD_ONLY])
def test_networks_that_autograd_alone_trains(optimizer: str, network: str, dtype: torch.dtype, tmp_path: Path) -> None:
    check(tmp_path, (OPTIMIZERS | AUTOGRAD_ONLY)[optimizer], network=network, dtype=dtype)


@pytest.mark.parametrize("after", range(1, EPOCHS + 1))
@pytest.mark.parametrize("network", ["dropout", "mlp"])
def test_after_each_epoch(network: str, after: int, tmp_path: Path) -> None:
    check(tmp_path, OPTIMIZERS["adamw"], network=network, after=after)


@pytest.mark.parametrize("after", [1, 2, 5])
@pytest.mark.parametrize("monitoring", [WholeSets(), WholeSets(3, "step"), GradientNorms(4, 5, 6)], ids=repr)
@pytest.mark.parametrize("engine", ["autograd", "fused"])
def test_what_laboratories_are_told(engine: str, monitoring: Monitoring, after: int, tmp_path: Path) -> None:
    check(tmp_path, OPTIMIZERS["adamw"], engine=engine, after=after, monitoring=monitoring)


@pytest.mark.parametrize("after", [1, 3])
@pytest.mark.parametrize("patience", [1, 2, 9])
def test_early_stopping_goes_on_counting(patience: int, after: int, tmp_path: Path) -> None:
    rule = EarlyStopping(patience)
    check(tmp_path, ("sgd", {"lr": 0.3, "momentum": 0.9}), after=after, early_stopping=rule)


@pytest.mark.parametrize(
    "value",
    [
        {"state": {0: {"step": 3, "lr": (0.1, 1e-300), "none": None, "on": True}}, "groups": [[], [float("inf")]]},
        {},
        [],
        "text",
    ],
    ids=str,
)
def test_any_nested_state_comes_back(value: Any) -> None:
    assert rebuilt(flattened(value, {}), {}) == value


def test_tensors_come_back_in_their_dtype() -> None:
    tensors: dict[str, Tensor] = {}
    value = [torch.tensor(1.5, dtype=torch.float64), torch.arange(3)]
    back = rebuilt(flattened(value, tensors), tensors)
    assert [(one.dtype, one.tolist()) for one in back] == [(torch.float64, 1.5), (torch.int64, [0, 1, 2])]


def test_a_state_that_json_cannot_hold_is_one_clear_error() -> None:
    with pytest.raises(TypeError, match=r"`optimizer` must have a state of tensors, numbers and texts"):
        flattened({"state": object()}, {})
