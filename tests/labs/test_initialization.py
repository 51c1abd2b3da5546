"""compare_inits: the bits of R's recording and of a plain loop, what it tells of them, and what it refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from pycompare import (
    MLP,
    SGD,
    Adam,
    Comparison,
    InitComparison,
    Split,
    classification_data,
    compare_inits,
    course_data,
    torch_manual_seed,
    torch_threads,
    trunc_normal_,
)
from tests.conftest import KERNELS, recorded

ENGINES = ("autograd", "fused", "compiled")
MEASURES = ["train_loss", "valid_loss", "train_accuracy", "valid_accuracy"]
SAME_WAY = 300  # steps; later the rounding of other kernels may send a run elsewhere
OTHER_KERNELS = 2e-6  # the branch for AVX2 moved the losses of these steps by up to 2.3e-7
SIGMAS = [0.01, 0.5, 3, 10]
INITS = ["xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal"]
short = partial(compare_inits, steps=4, every=2, progress=False)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_recorded_runs(engine: str) -> None:
    theirs = recorded("init_runs.csv")
    how = {"seed": 1, "seeds": 3, "every": 50, "engine": engine, "progress": False}
    ours = pd.concat([compare_inits(sigma=SIGMAS, **how).data, compare_inits(init=INITS, **how).data])
    names = ours["init"].fillna("normal_" + ours["sigma"].map("{:g}".format))
    assert names.tolist() == theirs["init"].tolist()
    if KERNELS == "recorded":
        assert (ours[["seed", "step", *MEASURES]].to_numpy() == theirs[["seed", "step", *MEASURES]].to_numpy()).all()
    first = theirs["step"] <= SAME_WAY
    np.testing.assert_allclose(ours[MEASURES[:2]][first.array], theirs[MEASURES[:2]][first], rtol=OTHER_KERNELS)


@dataclass(frozen=True)
class Case:
    """Arguments of compare_inits, and what a plain loop needs to know to do the same."""

    arguments: dict[str, Any]
    fills: list[Callable[[Tensor], object]]
    make: Callable[[], nn.Module] = lambda: MLP(2, (6, 3), 2)
    optimizer: Callable[..., torch.optim.Optimizer] = lambda *args, **how: torch.optim.SGD(*args, **how, foreach=False)
    data: Callable[[], Split] = lambda: classification_data("circle", 100)
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy
    scales: tuple[float, ...] = ()
    engines: tuple[str, ...] = ENGINES
    steps: int = 30
    every: int = 1
    seed: int = 123
    lr: float = 0.1
    zero_bias: bool = True
    dtype: torch.dtype = torch.float32


def _normal(sigma: float) -> Callable[[Tensor], object]:
    return lambda weight: nn.init.normal_(weight, 0, sigma)


def _dropped() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 9), nn.ReLU(), nn.Dropout(0.4), nn.Linear(9, 2))


HALF = {"sigma": 0.5}
CASES = {
    "another seed": Case({"sigma": [0.1, 2]}, [_normal(0.1), _normal(2)], seed=7, every=10),
    "deep": Case(
        {"init": ["orthogonal", "trunc_normal"], "sigma": 0.3, "network": lambda: MLP(2, (20, 20, 20), 2, "tanh")},
        [nn.init.orthogonal_, lambda weight: trunc_normal_(weight, std=0.3)],
        lambda: MLP(2, (20, 20, 20), 2, "tanh"),
    ),
    "no hidden layer": Case({"sigma": [1.0], "network": lambda: MLP(2, (), 2)}, [_normal(1)], lambda: MLP(2, (), 2)),
    "three classes": Case(
        {"init": ["kaiming_uniform", "xavier_normal"]},
        [partial(nn.init.kaiming_uniform_, nonlinearity="relu"), nn.init.xavier_normal_],
        lambda: MLP(2, (6, 3), 3),
        data=lambda: classification_data("cassini", 70, n_valid=50),
        lr=0.7,
        every=5,
    ),
    "five classes": Case(
        {"init": ["xavier_uniform"]},
        [nn.init.xavier_uniform_],
        lambda: MLP(2, (6, 3), 5),
        data=lambda: classification_data("normals_2d", 90, n_valid=31, cl=5),
    ),
    "scales": Case({"scale": [0.01, 1, 100], "sigma": 0.5}, 3 * [_normal(0.5)], scales=(0.01, 1, 100)),
    "biases stay": Case(
        {"init": [nn.init.ones_, "kaiming_normal"]},
        [nn.init.ones_, partial(nn.init.kaiming_normal_, nonlinearity="relu")],
        zero_bias=False,
    ),
    "sigma 0": Case({"sigma": [0]}, [nn.init.zeros_]),
    "adam": Case({"sigma": [0.5], "optimizer": "adam"}, [_normal(0.5)], optimizer=Adam, lr=0.01),
    "momentum": Case(
        {"sigma": [0.5], "optimizer": partial(SGD, momentum=0.9)},
        [_normal(0.5)],
        optimizer=partial(torch.optim.SGD, foreach=False, momentum=0.9),
        engines=("autograd",),
    ),
    "dropout": Case({"sigma": [0.5], "network": _dropped}, [_normal(0.5)], _dropped, engines=("autograd",)),
    "double": Case({"sigma": [0.5, 1]}, [_normal(0.5), _normal(1)], dtype=torch.float64),
    "regression": Case(
        {"sigma": [1.0], "loss": "mse"},
        [_normal(1)],
        lambda: MLP(4, (6, 3), 1),
        data=lambda: course_data().standardized(),
        loss=lambda outputs, targets: F.mse_loss(outputs, targets).sqrt(),
        lr=0.01,
    ),
    "diverged": Case({"sigma": [0.5]}, [_normal(0.5)], lr=1e30),
}


def _plain_loop(case: Case, fill: Callable[[Tensor], object], scale: float) -> list[list[float]]:
    """What R's recording does, in PyTorch: train and validation loss, then the shares of right classes."""
    split = case.data()
    train, valid = ([_cast(one, case.dtype) for one in data.tensors] for data in (split.train, split.valid))
    if case.scales:
        train[0], valid[0] = train[0] * scale, valid[0] * scale
    with torch_threads(1), torch_manual_seed(case.seed):
        network = _drawn(case, fill)
        opt = case.optimizer(network.parameters(), lr=case.lr)
        rows = []
        for step in range(case.steps + 1):
            if step % case.every == 0:
                rows.append(_measured(case, network, train, valid))
            opt.zero_grad()
            value = case.loss(network.train()(train[0]), train[1])
            (value.square() if case.arguments.get("loss") == "mse" else value).backward()
            opt.step()
    return rows


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _drawn(case: Case, fill: Callable[[Tensor], object]) -> nn.Module:
    network = case.make()
    for layer in network:
        if isinstance(layer, nn.Linear):
            with torch.no_grad():
                fill(layer.weight)
                if case.zero_bias:
                    layer.bias.zero_()
    return network.to(case.dtype)


@torch.no_grad()
def _measured(case: Case, network: nn.Module, *sets: list[Tensor]) -> list[float]:
    outputs = [network.eval()(x) for x, _ in sets]
    losses = [case.loss(out, y).item() for out, (_, y) in zip(outputs, sets, strict=True)]
    of_classes = not sets[0][1].is_floating_point()
    right = [int((out.argmax(1) == y).sum()) / len(y) for out, (_, y) in zip(outputs, sets, strict=True) if of_classes]
    return [value if math.isfinite(value) else math.nan for value in losses] + right


@pytest.mark.parametrize(("name", "engine"), [(name, one) for name, case in CASES.items() for one in case.engines])
def test_the_bits_of_a_plain_loop(name: str, engine: str) -> None:
    case = CASES[name]
    how = {"steps": case.steps, "every": case.every, "seed": case.seed, "lr": case.lr, "dtype": case.dtype}
    result = compare_inits(
        **case.arguments, **how, data=case.data(), zero_bias=case.zero_bias, engine=engine, progress=False
    )
    assert result.made_with["engine"] == engine
    scales = case.scales or len(case.fills) * (1,)
    rows = [_plain_loop(case, fill, scale) for fill, scale in zip(case.fills, scales, strict=True)]
    told = [measure for measure in MEASURES if measure in result.data]
    np.testing.assert_array_equal(result.data[told].to_numpy(), np.concatenate(rows))
    runs = result.data.groupby("config", sort=False)
    assert [run["step"].tolist() for _, run in runs] == len(rows) * [[*range(0, case.steps + 1, case.every)]]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_seed_is_a_run_of_its_own(n_jobs: int) -> None:
    several = short(init=INITS[:2], seeds=[5, 2**62, 0], n_jobs=n_jobs)
    alone = pd.concat([short(init=[init], seed=seed).data for init in INITS[:2] for seed in (5, 2**62, 0)])
    pd.testing.assert_frame_equal(several.data, alone.reset_index(drop=True), check_exact=True)
    assert [*several.networks] == [f"init = {init}, seed = {seed}" for init in INITS[:2] for seed in (5, 2**62, 0)]


def test_more_evaluations_change_no_bit() -> None:
    every, some = (compare_inits(sigma=[0.5], steps=60, every=n, progress=False).data for n in (1, 20))
    pd.testing.assert_frame_equal(every[every["step"] % 20 == 0].reset_index(drop=True), some, check_exact=True)


def test_the_frame() -> None:
    data = short(init=["normal", nn.init.ones_], sigma=0.5, seeds=2).data
    assert data.columns.tolist() == ["config", "init", "seed", "step", *np.array(MEASURES)[[0, 2, 1, 3]]]
    assert data[["init", "seed", "step"]].to_numpy().tolist() == [
        [init, seed, step] for init in ("normal", "ones_") for seed in (123, 124) for step in (0, 2, 4)
    ]


def test_kept_networks_are_the_trained_ones() -> None:
    split = classification_data("circle", 100)
    result = short(scale=[1, 10], seeds=2)
    for (_, run), (label, network) in zip(
        result.data.groupby(["config", "seed"], sort=False), result.networks.items(), strict=True
    ):
        x, y = split.train.tensors
        with torch.no_grad(), torch_threads(1):
            outputs = network(x * run["scale"].iloc[0])
        assert F.cross_entropy(outputs, y).item() == run["train_loss"].iloc[-1]
        assert label == f"{run['config'].iloc[0]}, seed = {run['seed'].iloc[0]}"
        assert not network.training


def _diverging(weight: Tensor) -> None:
    weight.fill_(1e30)


def test_the_summary() -> None:
    summary = short(init=[_diverging, "xavier_normal"], seeds=2).summary()
    data = short(init=["xavier_normal"], seeds=2).data
    assert summary[["config", "seeds", "failed"]].to_numpy().tolist() == [
        ["init = _diverging", 2, 1.0],
        ["init = xavier_normal", 2, 0.0],
    ]
    assert summary["log_classes"].tolist() == 2 * [math.log(2)]
    assert summary["start_loss"][1] == data[data["step"] == 0]["train_loss"].mean()
    ends = data[data["step"] == 4][MEASURES].mean()
    assert summary.loc[1, MEASURES].tolist() == ends.tolist()
    assert summary.loc[0, MEASURES].isna().all()


def test_a_network_s_outputs_are_its_classes() -> None:
    wide = short(sigma=[0.0], network=lambda: nn.Sequential(nn.Linear(2, 7), nn.LogSoftmax(1)))
    assert wide.classes == 7
    assert wide.summary()["start_loss"].tolist() == pytest.approx([math.log(7)])
    columns = short(sigma=[0.0], loss="l1", data=course_data()).summary().columns.tolist()
    assert columns == ["config", "seeds", "failed", "start_loss", "train_loss", "valid_loss"]


def test_steps_to_a_loss() -> None:
    data = pd.DataFrame(
        {
            "config": 4 * ["sigma = 1"] + 4 * ["sigma = 2"],
            "sigma": 4 * [1] + 4 * [2],
            "seed": [1, 1, 2, 2, 1, 1, 2, 2],
            "step": 4 * [0, 50],
            "train_loss": [0.9, 0.5, 0.4, 0.6, 0.9, 0.51, 0.9, math.nan],
            "valid_loss": 8 * [0.5],
        }
    )
    result = InitComparison(data, "sigma", (1, 2), {})
    steps = result.steps_to(0.5)
    assert steps.columns.tolist() == ["config", "seed", "step"]
    assert steps["step"].tolist() == [50, 0, pd.NA, pd.NA]
    assert steps["step"].dtype == "Int64"
    assert result.steps_to(0.5, metric="valid_loss")["step"].tolist() == [0, 0, 0, 0]
    for arguments, error in (
        ((None,), "`loss` must be a number"),
        ((0.5, "valid_accuracy"), "`metric` must be one of"),
    ):
        with pytest.raises((ValueError, TypeError), match=error):
            result.steps_to(arguments[0], **dict(zip(["metric"], arguments[1:], strict=False)))


@pytest.mark.parametrize("arguments", [{"sigma": SIGMAS, "seeds": 2}, {"init": [_diverging, "orthogonal"]}])
def test_what_is_saved_is_read_back(arguments: dict[str, Any], tmp_path: Path) -> None:
    saved = short(**arguments)
    assert [path.name for path in saved.save(tmp_path)] == [
        "init_comparison.csv",
        "init_comparison.png",
        "settings.json",
    ]
    loaded = InitComparison.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.data, saved.data, check_exact=True)
    pd.testing.assert_frame_equal(loaded.summary(), saved.summary(), check_exact=True)
    assert (loaded.arguments["steps"], loaded.arguments["seeds"]) == (4, saved.arguments["seeds"])
    told = json.loads((tmp_path / "settings.json").read_text())["init_comparison"]
    assert (told["classes"], told["parameter"], told["made_with"]["engine"]) == (2, saved.parameter, "fused")
    assert told["arguments"]["zero_bias"] is True
    with pytest.raises(FileNotFoundError, match=r"must hold comparison\.csv"):
        Comparison.load(tmp_path)


def test_other_results_are_refused(tmp_path: Path) -> None:
    short(sigma=[0.5]).save(tmp_path, ())
    settings = tmp_path / "settings.json"
    settings.write_text(settings.read_text().replace('"classes": 2', '"classes": "two"'))
    with pytest.raises(ValueError, match="lacks columns or settings"):
        InitComparison.load(tmp_path)


def _data(targets: Any) -> Split:
    return Split.from_arrays(np.ones((len(targets), 2)), np.array(targets))


@dataclass(frozen=True)
class Bad:
    """Arguments that are refused, and how."""

    error: type[Exception]
    message: str
    arguments: dict[str, Any] = field(default_factory=dict)


SHARED = MLP(2, (), 2)
BAD = [
    Bad(ValueError, "Exactly one of `sigma`, `init`, `scale` must be a list; got none"),
    Bad(ValueError, "got `sigma` and `init`", {"sigma": [1, 2], "init": ["normal"]}),
    Bad(ValueError, "`sigma` must be at least 0; got -1", {"sigma": [0.1, -1]}),
    Bad(ValueError, "`sigma` must be finite; got inf", {"sigma": [math.inf]}),
    Bad(TypeError, "`sigma` must be a number; got 'a'", {"sigma": ["a"]}),
    Bad(ValueError, "`sigma` must be left out unless `init` is normal", {"sigma": 1, "init": ["orthogonal"]}),
    Bad(ValueError, "`sigma` must be left out", {"sigma": [1, 2], "init": "xavier_normal"}),
    Bad(ValueError, "`sigma` must be greater than 0 for 'trunc_normal'", {"sigma": [0], "init": "trunc_normal"}),
    Bad(ValueError, "`init` must be one of xavier_uniform, .*normal.*; got 'he'", {"init": ["normal", "he"]}),
    Bad(ValueError, "`init` must hold distinct values", {"init": ["normal", "normal"]}),
    Bad(ValueError, "`scale` must be at least 0; got -1", {"scale": [-1]}),
    Bad(ValueError, "`steps` must be at least 1; got 0", {"sigma": [1], "steps": 0}),
    Bad(ValueError, r"`every` must divide steps \(=4\); got 3", {"sigma": [1], "every": 3}),
    Bad(ValueError, "`lr` must be at least 0; got -0.1", {"sigma": [1], "lr": -0.1}),
    Bad(ValueError, "`seeds` must be at least 1; got 0", {"sigma": [1], "seeds": 0}),
    Bad(TypeError, "`zero_bias` must be True or False", {"sigma": [1], "zero_bias": 0}),
    Bad(TypeError, "`data` must be a Split", {"sigma": [1], "data": "circle"}),
    Bad(ValueError, "`data` must have classes 0, 1, ..., .*; got -1", {"sigma": [1], "data": _data([0, 1, -1])}),
    Bad(ValueError, "`data` must have classes .*; got 7", {"sigma": [1], "data": _data([0, 1, 7])}),
    Bad(
        ValueError,
        "`targets` must be class indices from 0 to 1; got 2",
        {"sigma": [1], "network": lambda: MLP(2, (), 2)},
    ),
    Bad(ValueError, "`network` must have a weight of two or", {"sigma": [1], "network": nn.ReLU}),
    Bad(ValueError, "`network` must make a fresh network", {"sigma": [1], "network": lambda: SHARED}),
    Bad(ValueError, "`network` must take batches", {"sigma": [1], "network": lambda: MLP(3, (), 3)}),
    Bad(ValueError, "`optimizer` must be one of", {"sigma": [1], "optimizer": "newton"}),
    Bad(ValueError, "`loss` must be one of", {"sigma": [1], "loss": "hinge"}),
    Bad(ValueError, "`dtype` must be one of float32, float64", {"sigma": [1], "dtype": "float16"}),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.message)
def test_what_is_refused(bad: Bad) -> None:
    with pytest.raises(bad.error, match=bad.message):
        short(**{"data": _data([0, 1, 2, 1, 0, 0])} | bad.arguments)


def test_an_interruption_hands_over_what_was_done() -> None:
    seen = []

    def fill(weight: Tensor) -> None:
        seen.append(weight)
        if len(seen) > 9:
            raise KeyboardInterrupt
        weight.fill_(0.1)

    with pytest.raises(KeyboardInterrupt) as error:
        short(init=[fill], seeds=3)
    assert error.value.partial[["seed", "step"]].to_numpy().tolist() == [[123, 0], [123, 2], [123, 4]]


def test_data_and_networks_that_were_passed_are_left_as_they_were() -> None:
    split = classification_data("circle", 30)
    before = [tensor.clone() for data in (split.train, split.valid) for tensor in data.tensors]
    short(scale=[0, 0.5, 2], data=split)
    after = [tensor for data in (split.train, split.valid) for tensor in data.tensors]
    assert all(map(torch.equal, before, after))
    assert isinstance(split.train, TensorDataset)


@pytest.mark.parametrize(
    ("arguments", "scales", "configs"),
    [
        (
            {"scale": [1, 10], "seeds": 2},
            [1, 1, 10, 10],
            [f"scale = {k}, seed = {s}" for k in (1, 10) for s in (123, 124)],
        ),
        ({"sigma": [0.5, 2], "scale": 10}, [10, 10], ["sigma = 0.5", "sigma = 2"]),
    ],
)
def test_boundaries_lie_where_the_data_do(arguments: dict[str, Any], scales: list[float], configs: list[str]) -> None:
    result = short(**arguments)
    boundary = result.boundaries(grid=5)
    assert boundary.summary()["config"].tolist() == configs
    last = result.data.groupby(["config", "seed"], sort=False).tail(1)
    assert boundary.summary()["accuracy"].tolist() == last["train_accuracy"].tolist()
    for scale, (_, cells), network in zip(
        scales, boundary.data.groupby("config", sort=False), result.networks.values(), strict=True
    ):
        assert cells["x"].abs().max() < 1.2
        points = torch.tensor(cells[["x", "y"]].to_numpy(), dtype=torch.float32)
        with torch.no_grad():
            assert network(points * scale).argmax(1).tolist() == cells["class"].tolist()


def test_what_was_read_back_has_no_boundaries(tmp_path: Path) -> None:
    short(sigma=[0.5]).save(tmp_path, ())
    with pytest.raises(ValueError, match=r"`networks` must be there; .* Train again"):
        InitComparison.load(tmp_path).boundaries()


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), lambda outputs, targets: F.cross_entropy(outputs, targets)])
def test_equal_outputs_are_not_taken_for_a_loss_that_ignores_them(loss: Any) -> None:
    start = short(sigma=[0], loss=loss, network=lambda: MLP(2, (6, 3), 2)).data["train_loss"][0]
    assert start == pytest.approx(math.log(2))
