from __future__ import annotations

import inspect
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pycompare import AdamW, RRandom, Split, classification_data, compare_configs, mlbench, torch_manual_seed
from pycompare.data.classification import SETS, circles
from pycompare.parity.session import reference_folder
from tests.conftest import KERNELS

LABS = reference_folder() / "recorded_labs"
OTHER_KERNELS = 2e-3  # relative, as for the course's curves: parity/suite.py


def test_both_sets_come_from_one_stream() -> None:
    split, rng = classification_data("circle", 30, n_valid=50, seed=5, d=3), RRandom(5)
    for part, n in ((split.train, 30), (split.valid, 50)):
        x, classes = mlbench.circle(n, 3, rng=rng)
        assert np.array_equal(part.tensors[0], x.astype(np.float32))
        assert np.array_equal(part.tensors[1], classes - 1)
        assert (part.tensors[0].dtype, part.tensors[1].dtype) == (torch.float32, torch.int64)


def test_waveform_s_two_sets_are_the_rows_of_one() -> None:
    split = classification_data("waveform", 400, n_valid=200)
    x, classes = mlbench.waveform(600, rng=123)
    assert np.array_equal(torch.cat([split.train.tensors[0], split.valid.tensors[0]]), x.astype(np.float32))
    assert np.array_equal(torch.cat([split.train.tensors[1], split.valid.tensors[1]]), classes - 1)


def _chain(widths: list[int], fill: Callable[[Tensor], object]) -> nn.Sequential:
    """A chain of linear layers and ReLUs, whose weights are filled after all were made, as in record.R."""
    layers = [part for pair in pairwise(widths) for part in (nn.Linear(*pair), nn.ReLU())][:-1]
    for layer in layers[::2]:
        fill(layer.weight)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


@torch.no_grad()
def _measured(network: nn.Module, split: Split) -> list[float]:
    """The losses on both sets, then the shares of right classes."""
    scores = [(network(x), y) for x, y in (split.train.tensors, split.valid.tensors)]
    losses = [F.cross_entropy(outputs, y).item() for outputs, y in scores]
    return losses + [float((outputs.argmax(1) == y).double().mean()) for outputs, y in scores]


def _assert_recorded(ours: list[list[float]], theirs: pd.DataFrame) -> None:
    if KERNELS == "recorded":
        assert ours == theirs.to_numpy().tolist()
    np.testing.assert_allclose(ours, theirs, rtol=OTHER_KERNELS)


def test_the_circles_of_the_initialisation_runs_are_r_torch_s() -> None:
    recorded = pd.read_csv(LABS / "init_runs.csv").query("step == 0 and init == 'kaiming_normal'")
    split, ours = classification_data("circle", 100), []
    for seed in recorded["seed"]:
        with torch_manual_seed(seed):
            network = _chain([2, 6, 3, 2], lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"))
        ours.append(_measured(network, split))
    _assert_recorded(ours, recorded.iloc[:, 3:])


def test_the_waves_of_the_dropout_runs_are_r_torch_s() -> None:
    recorded = pd.read_csv(LABS / "dropout_runs.csv").query("not dropout")
    split, ours = classification_data("waveform", 400, n_valid=200), []
    with torch_manual_seed(123):
        network = _chain([21, 100, 100, 3], lambda w: nn.init.normal_(w, 0, 0.1))
    optimizer = AdamW(network.parameters(), lr=3e-4, weight_decay=0.01)
    for _ in recorded["epoch"]:
        for i in range(0, 400, 50):
            x, y = split.train[i : i + 50]
            optimizer.zero_grad()
            F.cross_entropy(network(x), y).backward()
            optimizer.step()
        train_loss, valid_loss, *right = _measured(network, split)
        ours.append([train_loss, valid_loss, *(100 * (1 - share) for share in right)])
    theirs = recorded.iloc[:, 2:]
    np.testing.assert_allclose(ours, theirs, rtol=OTHER_KERNELS)
    if KERNELS == "recorded":
        assert [row[:2] for row in ours] == theirs.iloc[:, :2].to_numpy().tolist()


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_trained_on(name: str) -> None:
    split = classification_data(name, 24, n_valid=16)
    assert split.train.tensors[1].min() == 0
    comparison = compare_configs(1, lr=[0.1], data=split, loss="cross_entropy", progress=False)
    assert np.isfinite(comparison.data["valid_loss"]).all()


def test_the_rings_have_the_radii_of_their_classes() -> None:
    x, classes = circles(200, 3, 0, rng=4)
    assert np.allclose(np.hypot(*x.T), classes)
    assert np.unique(classes).tolist() == [1, 2, 3]


def test_the_docstring_names_every_set() -> None:
    told = inspect.getdoc(classification_data) or ""
    assert [name for name in SETS if name not in told.split("n:")[0]] == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: classification_data("ring", 5), ValueError, "`name` must be one of cassini, circle, circles, cuboids"),
        (lambda: classification_data(None, 5), ValueError, "`name` must be one of .*; got None. Choose one of these"),
        (lambda: classification_data("circle", 0), ValueError, "`n` must be at least 1; got 0"),
        (lambda: classification_data("circle", 5, n_valid=0), ValueError, "`n_valid` must be at least 1; got 0"),
        (lambda: classification_data("circle", 5, seed=2**31), ValueError, "`seed` must lie between"),
        (lambda: classification_data("circle", 5, d=1), ValueError, "`d` must be at least 2; got 1"),
        (lambda: classification_data("normals_2d", 5, sd=1e300), ValueError, "`train's inputs` must be finite; row 0"),
        (
            lambda: classification_data("spirals", 5, noise=1),
            TypeError,
            "`noise` must be an argument of the set; 'spirals' takes cycles, sd. Leave it out.",
        ),
        (lambda: classification_data("waveform", 5, sd=1), TypeError, "`sd` must .*; 'waveform' takes none"),
        (lambda: classification_data("circle", 5, rng=1), TypeError, "`rng` must be an argument of the set"),
        (lambda: circles(5, sd=-1, rng=1), ValueError, "`sd` must be at least 0; got -1"),
        (lambda: circles(5, 0, rng=1), ValueError, "`cl` must be at least 1; got 0"),
    ],
)
def test_what_is_refused(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
