"""Losses by name, PyTorch's own by what they are, and a user's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pycompare import MLP, Split, compare_configs, spirals_data
from pycompare.training.losses import LOSSES, find_loss

SPIRALS = spirals_data()
TWINS: dict[str, tuple[Callable[..., Tensor], Callable[[], nn.Module]]] = {
    "mse": (F.mse_loss, nn.MSELoss),
    "l1": (F.l1_loss, nn.L1Loss),
    "huber": (F.huber_loss, nn.HuberLoss),
    "smooth_l1": (F.smooth_l1_loss, nn.SmoothL1Loss),
    "cross_entropy": (F.cross_entropy, nn.CrossEntropyLoss),
    "bce": (F.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss),
}


def _curves(loss: Any, data: Split = SPIRALS, **arguments: Any) -> pd.DataFrame:
    return compare_configs(2, lr=[0.1, 0.01], data=data, loss=loss, **arguments).data


def test_every_name_has_its_twins() -> None:
    assert TWINS.keys() == LOSSES.keys()


@pytest.mark.parametrize("name", TWINS)
def test_pytorch_s_own_are_known_by_what_they_are(name: str) -> None:
    function, module = TWINS[name]
    expected = _curves(name)
    for loss in (function, module()):
        curves = _curves(loss)
        columns = ["train_loss", "valid_loss"] if name != "mse" else []
        pd.testing.assert_frame_equal(curves[["config", *columns]], expected[["config", *columns]], check_exact=True)
        assert curves["valid_loss"].gt(0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("network", [lambda: MLP(2), lambda: MLP(2, (), 1), lambda: MLP(2, (7,), 1, "tanh")])
def test_bce_is_fused_in_every_bit(network: Callable[[], nn.Module], dtype: str) -> None:
    first, second = (_curves("bce", network=network, dtype=dtype, engine=engine) for engine in ("fused", "autograd"))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_bce_of_a_plain_loop() -> None:
    outputs, targets = torch.tensor([[0.5], [-2.0]]), torch.tensor([[1], [0]])
    assert find_loss("bce").function(outputs, targets) == nn.BCEWithLogitsLoss()(outputs, targets.float())


@pytest.mark.parametrize(
    "loss", [nn.CrossEntropyLoss(), nn.CrossEntropyLoss(torch.tensor([1.0, 2.0])), F.cross_entropy]
)
def test_cross_entropy_gets_a_network_with_an_output_for_each_class(loss: Any) -> None:
    seen: list[int] = []
    compare_configs(1, lr=[0.1], data=SPIRALS, loss=loss, on_epoch=lambda _, __, net: seen.append(net[-1].out_features))
    assert seen == [2, 2]


@pytest.mark.parametrize("loss", ["cross_entropy", nn.CrossEntropyLoss()])
def test_one_output_is_not_enough_for_classes(loss: Any) -> None:
    with pytest.raises(ValueError, match=r"`network` must end with .* got one, whose loss is"):
        _curves(loss, network=lambda: MLP(2))


def _split(targets: Any) -> Split:
    return Split.from_arrays(np.ones((len(targets), 2)), targets)


@pytest.mark.parametrize(
    ("loss", "targets", "message"),
    [
        (
            "cross_entropy",
            [0, 1, 1e11],
            r"`data` must have classes 0, 1, ..., .* got 1000000",
        ),
        ("cross_entropy", [0, 1, -1], "`data` must have classes 0, 1, ..., .* got -1.0"),
        (
            nn.CrossEntropyLoss(),
            [0, 1, 0.5],
            "`data` must have classes 0, 1, ..., .* got 0.5",
        ),
        ("bce", [0, 1, 2], "`targets` must lie between 0 and 1; got 2.0"),
        (nn.BCEWithLogitsLoss(), [0, 1, -1], "`targets` must lie between 0 and 1; got -1.0"),
        (nn.MSELoss(reduction="none"), [0, 1, 2, 3], "`loss` must return a scalar tensor"),
        (lambda outputs, _: torch.zeros(()), [0, 1, 2], "`loss` must depend on the network's outputs; got <lambda>"),
        (lambda outputs, _: (0 * outputs).sum() + 3, [0, 1, 2], "`loss` must depend .* which returns 3.0 whatever"),
        (np.array(["mse", "l2"]), [0, 1, 2], "`loss` must be one of mse, "),
        (["mes"], [0, 1, 2], "`loss` must be one of mse, .* Did you mean 'mse'?"),
    ],
)
def test_what_cannot_be_trained_is_refused(loss: Any, targets: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare_configs(1, lr=[0.1], data=_split(targets), loss=loss)


def test_a_loss_that_has_overflowed_is_no_constant() -> None:
    frame = _curves(lambda outputs, _: outputs.sum() * 0 + math.inf)
    assert frame["valid_loss"].isna().all()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: MLP(3), r"`network` must take batches as the data's, of shape \(16, 2\) and torch.float32; .*mat1"),
        (lambda: nn.Sequential(nn.Linear(2, 4), nn.Linear(5, 1)), "`network` must take batches as the data's"),
        (lambda: nn.Sequential(nn.Conv1d(1, 1, 1), nn.Flatten()), "`network` must take batches as the data's"),
        (lambda: MLP(2, out_features=3), r"`network` must return outputs of the targets' shape \(16, 1\)"),
    ],
)
def test_a_network_that_does_not_fit_is_one_clear_error(network: Callable[[], nn.Module], message: str) -> None:
    for engine in ("auto", "autograd"):
        with pytest.raises(ValueError, match=message) as caught:
            _curves("mse", network=network, engine=engine)
        assert caught.value.partial.empty, "before any epoch"
