from __future__ import annotations

import copy
import importlib.util
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import TensorDataset

from pycompare import (
    SGD,
    Adam,
    GradientComparison,
    RMSprop,
    Split,
    classification_data,
    compare_gradients,
    course_data,
    initialise,
    torch_manual_seed,
    torch_threads,
)
from pycompare.labs.gradient_runs import small_network, xor_points
from pycompare.plots import plot_gradient_map, plot_network
from tests.conftest import KERNELS, recorded

INITS, OPTIMIZERS = ["xavier_uniform", "kaiming_uniform", "normal"], ["sgd", "momentum", "rmsprop", "adam"]
NUMBERS = ["gradient", "value", "update", "ratio", "loss"]
ENGINES = [
    "autograd",
    "fused",
    pytest.param(
        "compiled", marks=pytest.mark.skipif(not importlib.util.find_spec("numba"), reason="numba is not installed")
    ),
]
TWINS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": SGD,
    "momentum": partial(SGD, momentum=0.9),
    "rmsprop": RMSprop,
    "adam": Adam,
}
RINGS, CLOUDS = classification_data("circles", 70, n_valid=30), classification_data("normals_2d", 70, n_valid=30, cl=5)
COURSE = course_data()

quick = partial(compare_gradients, progress=False)


@pytest.fixture(scope="module")
def study() -> GradientComparison:
    return quick(["xavier_uniform", "normal"], ["sgd", "adam"], epochs=30, seeds=2)


def _compiled_covers(engine: str) -> None:
    if engine == "compiled" and torch.backends.cpu.get_cpu_capability() != "AVX2":
        pytest.skip("compiled code does not cover sigmoids here")


@pytest.mark.skipif(KERNELS != "recorded", reason="products have other bits here than where R torch ran")
@pytest.mark.parametrize("engine", ENGINES)
def test_every_recorded_norm(engine: str) -> None:
    _compiled_covers(engine)
    theirs = recorded("gradient_norms.csv")
    ours = quick(INITS, OPTIMIZERS, engine=engine)
    assert ours.made_with["engine"] == engine
    expected = theirs.assign(step=theirs["step"] + 1, init=theirs["init"].replace("normal_0.5", "normal"))
    pd.testing.assert_frame_equal(ours.data[list(expected)], expected, check_exact=True)


CASES: dict[str, dict[str, Any]] = {
    "the mean squared error of the course's data": {"data": COURSE, "optimizer": ["sgd", "momentum"], "lr": 1e-3},
    "three layers": {"network": lambda: small_network(2, (7, 3), 1), "optimizer": ["rmsprop"], "seed": 5},
    "classes": {"data": CLOUDS, "loss": "cross_entropy", "optimizer": ["adam"], "batch_size": 16, "every": 7},
    "logits": {"data": RINGS, "loss": "bce", "optimizer": ["adam", "momentum"], "batch_size": 33, "every": 4},
    "a layer without biases": {
        "network": lambda: nn.Sequential(nn.Linear(2, 5, bias=False), nn.Tanh(), nn.Linear(5, 1)),
        "optimizer": ["sgd"],
        "lr": 0.3,
        "every": 3,
    },
    "one column a class": {"data": CLOUDS, "optimizer": ["rmsprop"], "batch_size": 9, "every": 13},
}


def _by_hand(name: str, arguments: dict[str, Any]) -> list[list[Any]]:
    """A plain loop of PyTorch, whose optimizers are those of `TWINS`."""
    loss, lr = arguments.get("loss", "mse"), arguments.get("lr", 0.02)
    x, y = (tensor.clone() for tensor in arguments.get("data", xor_points()).train.tensors)
    x, rows = x.float(), []
    if loss == "bce":
        y, function = y[:, None].float(), F.binary_cross_entropy_with_logits
    elif loss == "cross_entropy":
        function = F.cross_entropy
    else:
        y, function = (F.one_hot(y) if y.ndim == 1 else y).float(), F.mse_loss
    width = 5 if loss == "cross_entropy" else y.shape[1]
    make = arguments.get("network", partial(small_network, x.shape[1], (4,), width, logits=loss != "mse"))
    with torch_manual_seed(arguments.get("seed", 123)), torch_threads(1):
        network = initialise(make(), "xavier_uniform", zero_bias=False)
        opt, step = TWINS[name](network.parameters(), lr=lr), 0
        for _ in range(6):
            for part, targets in zip(*(one.split(arguments.get("batch_size", 64)) for one in (x, y)), strict=True):
                step += 1
                opt.zero_grad()
                value = function(network(part), targets)
                value.backward()
                before = copy.deepcopy(network)
                opt.step()
                if (step - 1) % arguments.get("every", 10) == 0:
                    for (key, p), old in zip(network.named_parameters(), before.parameters(), strict=True):
                        norm, update = old.norm().item(), (old - p).norm().item()
                        rows.append([name, step, key, p.grad.norm().item(), norm, update, update / norm, value.item()])
    return rows


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_the_bits_of_a_plain_loop(case: str, engine: str) -> None:
    _compiled_covers(engine)
    arguments = CASES[case]
    ours = quick(**arguments, epochs=6, engine=engine)
    expected = [row for name in arguments["optimizer"] for row in _by_hand(name, arguments)]
    assert ours.data[["optimizer", "step", "parameter", *NUMBERS]].to_numpy().tolist() == expected


def test_columns_and_what_the_runs_end_with(study: GradientComparison) -> None:
    keys = ["config", "init", "optimizer", "seed"]
    assert list(study.data) == [*keys, "step", "parameter", *NUMBERS]
    assert study.data["config"].unique().tolist() == [
        f"init = {init}, optimizer = {optimizer}"
        for init in ("xavier_uniform", "normal")
        for optimizer in ("sgd", "adam")
    ]
    assert study.data["step"].unique().tolist() == [1, 11, 21]
    assert study.runs[keys].to_numpy().tolist() == study.data[keys].drop_duplicates().to_numpy().tolist()
    assert study.layers == {"0": (2, 4), "2": (4, 1)}
    run, norms = study.runs.iloc[1], study.data.query("seed == 124 and config == @study.runs.config[1]")
    network = study.networks["init = xavier_uniform, optimizer = sgd, seed = 124"]
    x, y = xor_points().train.tensors
    with torch.no_grad(), torch_threads(1):
        assert run["train_loss"] == run["valid_loss"] == F.mse_loss(network(x), y).item()
        assert run["valid_accuracy"] == ((network(x) > 0.5) == (y == 1)).double().mean().item()
    whole = (norms["gradient"] ** 2).groupby(norms["step"]).sum() ** 0.5
    told = run[["start_gradient", "peak_gradient", "end_gradient", "peak_step"]].tolist()
    assert told == [whole.iloc[0], whole.max(), whole.iloc[-1], whole.idxmax()]
    assert repr(study).startswith("Gradients of 4 parameters in 8 trainings\nepochs=30, batch_size=64, lr=0.02")


@pytest.mark.parametrize(
    ("data", "loss", "right"),
    [
        (RINGS, "mse", lambda out, k: (out[:, 0] > 0.5) == (k == 1)),
        (RINGS, "bce", lambda out, k: (out[:, 0] > 0) == (k == 1)),
        (CLOUDS, "mse", lambda out, k: out.argmax(1) == k),
        (CLOUDS, "cross_entropy", lambda out, k: out.argmax(1) == k),
    ],
)
def test_accuracy(data: Split, loss: str, right: Callable[..., Any]) -> None:
    made = quick(optimizer=["adam"], data=data, loss=loss, epochs=3)
    ((_, network),) = made.networks.items()
    for name, (x, classes) in (("train", data.train.tensors), ("valid", data.valid.tensors)):
        with torch.no_grad(), torch_threads(1):
            expected = right(network(x), classes).double().mean().item()
        assert made.runs[f"{name}_accuracy"].tolist() == [expected]


def test_numbers_have_no_accuracy() -> None:
    assert (
        quick(optimizer=["sgd"], data=COURSE, epochs=1).runs[["train_accuracy", "valid_accuracy"]].isna().all(axis=None)
    )


def _dead() -> nn.Module:
    """No input reaches the output, whose bias alone learns."""
    network = small_network(2, (3,), 1)
    nn.init.constant_(network[0].bias, -100.0)
    return network


@pytest.mark.parametrize(
    ("arguments", "zero", "lasting"),
    [
        ({"network": _dead, "optimizer": ["adam"], "epochs": 400}, True, False),
        ({"optimizer": ["sgd"], "lr": 0.0, "epochs": 5}, False, True),
        ({"optimizer": ["adam"], "epochs": 400}, False, False),
        ({"optimizer": ["sgd"], "data": COURSE, "network": partial(nn.Linear, 4, 1), "epochs": 30}, False, True),
    ],
    ids=["dead units", "no step", "a good run", "divergence"],
)
def test_zero_and_lasting_gradients(arguments: dict[str, Any], zero: bool, lasting: bool) -> None:
    made = quick(**arguments)
    assert made.runs[["zero_gradient", "lasting_gradient"]].to_numpy().tolist() == [[zero, lasting]]
    summary = made.summary()
    assert summary[["zero_gradient", "lasting_gradient"]].to_numpy().tolist() == [[zero, lasting]]
    assert (summary["failed"] == 1).tolist() == [arguments.get("data") is COURSE]


def test_a_run_is_that_run_wherever_it_runs() -> None:
    alone, beside = (quick(optimizer=OPTIMIZERS[:2], epochs=5, seeds=2, n_jobs=n) for n in (1, 2))
    pd.testing.assert_frame_equal(alone.data, beside.data, check_exact=True)
    pd.testing.assert_frame_equal(alone.runs, beside.runs, check_exact=True)


def test_callables_are_called_by_their_names() -> None:
    def ones(weight: torch.Tensor) -> None:
        nn.init.ones_(weight)

    made = quick([ones, "normal"], torch.optim.NAdam, sigma=0.0, epochs=1)
    assert made.data[["init", "optimizer"]].drop_duplicates().to_numpy().tolist() == [
        ["ones", "NAdam"],
        ["normal", "NAdam"],
    ]
    weights = made.data[made.data["parameter"] == "0.weight"]
    assert weights["value"].tolist() == [torch.ones(8).norm().item(), 0.0]
    assert np.isnan(weights["ratio"].iloc[1]), "what is 0 and stays 0 has no ratio"


def test_saved_and_loaded(study: GradientComparison, tmp_path: Path) -> None:
    assert [path.name for path in study.save(tmp_path)] == [
        *("gradient_comparison.csv", "gradient_comparison.png", "settings.json")
    ]
    back = GradientComparison.load(tmp_path)
    pd.testing.assert_frame_equal(back.data, study.data, check_exact=True)
    pd.testing.assert_frame_equal(back.runs, study.runs, check_exact=True)
    assert (back.layers, back.arguments["epochs"], back.networks) == (study.layers, 30, {})
    back.plot_network().draw()
    numbers = quick(optimizer=["sgd"], data=COURSE, lr=10.0, epochs=30)
    numbers.save(tmp_path, formats=())
    pd.testing.assert_frame_equal(GradientComparison.load(tmp_path).runs, numbers.runs, check_exact=True)


NOT_TRAINED = [
    ({}, ValueError, "`init` or `optimizer` must be a list, or both; got xavier_uniform and sgd"),
    ({"init": ["he"]}, ValueError, "`init` must be one of xavier_uniform, .*; got 'he'"),
    ({"optimizer": ["sgd", "sdg"]}, ValueError, "`optimizer` must be one of .*momentum; got 'sdg'"),
    ({"optimizer": ["sgd", "sgd"]}, ValueError, "`optimizer` must hold distinct values"),
    ({"optimizer": []}, ValueError, "`optimizer` must be a one-dimensional list"),
    ({"init": ["normal"], "network": nn.ReLU}, ValueError, "`network` must have a weight of two or more dimensions"),
    ({"init": ["normal"], "network": nn.Linear(2, 1)}, TypeError, "`network` must be a callable"),
    ({"init": ["normal"], "sigma": -1}, ValueError, "`sigma` must be at least 0; got -1"),
    ({"init": ["normal"], "lr": -0.1}, ValueError, "`lr` must be at least 0; got -0.1"),
    ({"init": ["normal"], "every": 0}, ValueError, "`every` must be at least 1; got 0"),
    ({"init": ["normal"], "epochs": 0}, ValueError, "`epochs` must be at least 1; got 0"),
    ({"init": ["normal"], "loss": "mae"}, ValueError, "`loss` must be one of"),
    ({"init": ["normal"], "data": "xor"}, TypeError, "`data` must be a Split; got str"),
    ({"init": ["normal"], "n_jobs": 0}, ValueError, "`n_jobs` must be 1 or more"),
]


def _classes(*targets: float) -> Split:
    data = TensorDataset(torch.ones(len(targets), 2), torch.tensor(targets))
    return Split(data, data)


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("wrong", [-1, 0.5, 8])  # 8 rows in all
def test_labels_out_of_range(loss: str, wrong: float) -> None:
    with pytest.raises(ValueError, match=f"`data` must have classes 0, 1, .*; got {wrong}"):
        quick(optimizer=["sgd"], data=_classes(0, 1, 1, wrong), loss=loss)


def test_a_class_without_an_output() -> None:
    with pytest.raises(ValueError, match="`targets` must be class indices from 0 to 1; got 2"):
        quick(optimizer=["sgd"], data=_classes(0, 1, 2), loss="cross_entropy", network=partial(nn.Linear, 2, 2))


@pytest.mark.parametrize(("arguments", "error", "message"), NOT_TRAINED)
def test_what_is_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        quick(**arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda study: study.plot("loss"), "`statistic` must be one of gradient, value, update, ratio; got 'loss'"),
        (lambda study: study.plot_network("sgd"), "`config` must be one of .*; got 'sgd'"),
        (
            lambda study: study.plot_network(steps=[1, 2]),
            "`steps` must be recorded steps, from 1 to 21, every 10; got 2",
        ),
        (lambda study: study.animate("a.avi"), "`file` must end in .gif or .mp4; got 'a.avi'"),
    ],
)
def test_what_plots_refuse(study: GradientComparison, call: Callable[..., Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(study)


def _norms(values: list[float], **columns: Any) -> pd.DataFrame:
    """A recording of one parameter at several steps."""
    frame = pd.DataFrame(
        {"init": "a", "optimizer": "b", "config": "c", "seed": 1, "parameter": "weight"}, range(len(values))
    )
    return frame.assign(step=range(1, len(values) + 1), gradient=values, **columns)


def _colours(plot: Any) -> list[tuple[float, ...]]:
    """Of the tiles, in their order of steps."""
    tiles = [
        patch
        for patch in plot.draw().axes[0].collections
        for patch in zip(patch.get_paths(), patch.get_facecolors(), strict=True)
    ]
    return [tuple(colour) for _, colour in sorted(tiles, key=lambda tile: tile[0].vertices[:, 0].min())]


def test_the_map_tells_zero_from_what_is_not_finite() -> None:
    plot = plot_gradient_map(_norms([1e-3, 0.0, math.nan, 1.0]))
    small, zero, missing, large = _colours(plot)
    assert (zero, missing) == ((1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 1.0))
    assert 1 > sum(small[:3]) / 3 > sum(large[:3]) / 3 > 0, "lighter is smaller, in grey, too"
    assert plot.labels.caption == "White: 0; Black: not finite"


def test_many_steps_are_thinned_out_and_seeds_have_a_median() -> None:
    many = plot_gradient_map(_norms([1.0] * 1000)).data
    assert many["step"].tolist() == list(range(1, 1000, 5))
    seeds = pd.concat([_norms([value]).assign(seed=i) for i, value in enumerate([1.0, 5.0, 2.0])])
    plot = plot_gradient_map(seeds)
    assert (plot.data["norm"].tolist(), plot.labels.caption) == ([2.0], "Medians over 3 seeds")


def test_wide_layers_are_shortened() -> None:
    layers, data = {"a": (3, 784), "b": (784, 2)}, _norms([1.0])
    data = pd.concat([data.assign(parameter=f"{name}.{kind}") for name in layers for kind in ("weight", "bias")])
    plot = plot_network(data, layers, facet="step")
    words = [text.get_text() for text in plot.draw().axes[0].texts]
    assert words == ["3", "784", "2", "\u22ee"]
    assert len(plot.data) == 3 * 8 + 8 * 2


@pytest.mark.parametrize(
    ("make", "expected"),
    [(_dead, 3 * 1), (lambda: nn.Sequential(nn.Linear(2, 5, bias=False), nn.Tanh(), nn.Linear(5, 1)), 3 * 16)],
    ids=["only the last bias learns", "a layer without biases"],
)
def test_what_has_no_gradient_has_no_colour(make: Callable[[], nn.Module], expected: int, tmp_path: Path) -> None:
    made = quick(optimizer=["adam"], network=make, epochs=30)
    plot = made.plot_network()
    plot.draw()
    coloured = [layer.data for layer in plot.layers if {"color", "fill"} & {*layer.mapping}]
    assert sum(map(len, coloured)) == expected
    assert (plot.labels.caption == "Dotted or white: 0") == (make is _dead)
    made.animate(tmp_path / "a.gif", progress=False)


def test_pictures_that_are_words(study: GradientComparison) -> None:
    nothing = _norms([0.0, math.nan])
    for plot in (plot_gradient_map(nothing), plot_network(nothing, {"": (2, 2)}, facet="step")):
        assert plot.data["text"].tolist() == ["No 2-norm of the gradient above 0 was recorded."]
    for layers in ({}, {"a": (2, 3), "b": (12, 1)}):
        assert plot_network(study.data, layers, facet="step").data["text"].str.contains("is no chain").all()


def test_a_film_has_a_picture_a_step_and_other_colours_for_other_norms(tmp_path: Path) -> None:
    layers = {"": (2, 2)}
    data = pd.concat([_norms([1e-4, 1.0, 0.0, math.nan]).assign(parameter=name) for name in ("weight", "bias")])
    made = GradientComparison(data, pd.DataFrame(), layers, {})
    with Image.open(made.animate(tmp_path / "a.gif", fps=5, progress=False)) as film:
        assert film.n_frames == 4
        pictures = []
        for i in range(4):
            film.seek(i)
            pictures.append(np.asarray(film.convert("L")).astype(int)[:, : film.width // 2])
    ink = [255 * picture.size - picture.sum() for picture in pictures]
    assert ink[1] > ink[0] > ink[2] > ink[3]
    with pytest.raises(ValueError, match="`network` must be a chain of linear layers"):
        GradientComparison(data, pd.DataFrame(), {}, {}).animate(tmp_path / "b.gif")
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
