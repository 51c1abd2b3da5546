from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from pycompare import MLP, AdamW, course_data, torch_manual_seed, train_loop, train_valid, valid_loop
from pycompare.threads import torch_threads
from pycompare.training.loop import r_mean

SPLIT = course_data()
SMALL = TensorDataset(*(tensor[:70] for tensor in SPLIT.train.tensors))


class Rows(Dataset[Any]):
    """A map-style dataset with a mind of its own."""

    def __len__(self) -> int:
        return len(SMALL)

    def __getitem__(self, i: int) -> tuple[Tensor, ...]:
        return SMALL[i]


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch_manual_seed(123):
        yield


def _train(dataset: Dataset[Any], network: nn.Module, **arguments: Any) -> pd.DataFrame:
    return train_valid(network, dataset, SPLIT.valid, epochs=2, batch_size=16, **arguments)


def test_the_frame_has_a_row_an_epoch() -> None:
    frame = _train(SMALL, MLP(4))
    assert frame.columns.tolist() == ["epoch", "train_loss", "valid_loss", "valid_rmse"]
    assert frame["epoch"].tolist() == [1, 2]


@pytest.mark.parametrize("dataset", [Rows(), Subset(SMALL, range(70)), Subset(Rows(), list(range(70)))])
def test_every_kind_of_dataset_gives_the_same_bits(dataset: Dataset[Any]) -> None:
    with torch_manual_seed(5):
        expected = _train(SMALL, MLP(4))
    with torch_manual_seed(5):
        pd.testing.assert_frame_equal(_train(dataset, MLP(4)), expected, check_exact=True)


def _by_hand(network: MLP, epochs: int) -> list[tuple[float, float, float]]:
    """The course's loops written out, all rows of the validation set at once for its true RMSE."""
    opt, rows = AdamW(network.parameters(), lr=0.01), []
    x_valid, y_valid = (tensor.float() for tensor in SPLIT.valid.tensors)
    for _ in range(epochs):
        roots = []
        for x, y in DataLoader(SMALL, 16, generator=torch.Generator()):
            opt.zero_grad()
            loss = F.mse_loss(network(x.float()), y.float())
            loss.backward()
            opt.step()
            roots.append(loss.sqrt().item())
        with torch.no_grad():
            valid = [
                F.mse_loss(network(x), y).sqrt().item()
                for x, y in zip(x_valid.split(16), y_valid.split(16), strict=True)
            ]
            rmse = F.mse_loss(network(x_valid).double(), y_valid.double()).sqrt().item()
        rows.append((math.fsum(roots) / len(roots), math.fsum(valid) / len(valid), rmse))
    return rows


# A batch's MSE is rounded to float32 before the batches are joined, by half an ulp, 6e-8; measured 7e-9.
FLOAT32_ROUNDING = 1e-7
# Two epochs in float32 and in float64 part by float32's rounding: measured 1.2e-7.
FLOAT32_TRAINING = 1e-6


def test_losses_mean_what_the_docstring_says() -> None:
    network = MLP(4)
    with torch_threads(1):
        by_hand = np.array(_by_hand(copy.deepcopy(network), 2))
    frame = _train(SMALL, network, lr=0.01)
    assert np.array_equal(frame[["train_loss", "valid_loss"]], by_hand[:, :2])
    np.testing.assert_allclose(frame["valid_rmse"], by_hand[:, 2], rtol=FLOAT32_ROUNDING)


@pytest.mark.parametrize(
    ("loss", "function"),
    [
        ("l1", F.l1_loss),
        ("huber", F.huber_loss),
        ("smooth_l1", F.smooth_l1_loss),
        (lambda output, target: (output - target).abs().max(), lambda a, b: (a - b).abs().max()),
    ],
)
def test_other_losses_are_plain_means_over_batches(loss: Any, function: Callable[[Tensor, Tensor], Tensor]) -> None:
    network = MLP(4)
    frame = _train(SMALL, network, loss=loss)
    assert "valid_rmse" not in frame
    batches = zip(*(tensor.float().split(16) for tensor in SPLIT.valid.tensors), strict=True)
    with torch.no_grad():
        losses = [function(network(x), y).item() for x, y in batches]
    assert frame["valid_loss"].iloc[-1] == math.fsum(losses) / len(losses)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.float64])
def test_cross_entropy_takes_class_indices(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x, classes = torch.randn(40, 3), torch.randint(0, 4, (40,))
    dataset = TensorDataset(x, classes.to(dtype).reshape(shape))
    network = MLP(3, out_features=4)
    frame = train_valid(network, dataset, dataset, 1, 40, loss="cross_entropy", lr=0.0)
    assert frame["valid_loss"].item() == F.cross_entropy(network(x), classes).item()


def test_cross_entropy_takes_probabilities() -> None:
    x, target = torch.randn(8, 3), torch.rand(8, 2).softmax(dim=1)
    dataset = TensorDataset(x, target)
    network = MLP(3, out_features=2)
    frame = train_valid(network, dataset, dataset, 1, 8, loss="cross_entropy", lr=0.0)
    assert frame["valid_loss"].item() == F.cross_entropy(network(x), target).item()


def test_dropout_alone_advances_torch_s_generator() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    twin = copy.deepcopy(network)
    with torch_manual_seed(7):
        frame = _train(Rows(), network)
        after = torch.get_rng_state()
    with torch_manual_seed(7):
        expected = _train(SMALL, twin)
        assert torch.equal(torch.get_rng_state(), after)
    pd.testing.assert_frame_equal(frame, expected, check_exact=True)
    before = torch.get_rng_state()
    _train(Rows(), MLP(4, hidden=()).requires_grad_())
    with torch_manual_seed(0):
        plain = MLP(4)
    torch.set_rng_state(before)
    _train(Rows(), plain)
    assert torch.equal(torch.get_rng_state(), before)


class Reversed(TensorDataset):
    def __getitem__(self, i: int) -> tuple[Tensor, ...]:
        return super().__getitem__(len(self) - 1 - i)


def test_a_dataset_with_a_mind_of_its_own_is_asked_for_its_rows() -> None:
    with torch_manual_seed(5):
        expected = _train(TensorDataset(*(tensor.flip(0) for tensor in SMALL.tensors)), MLP(4))
    with torch_manual_seed(5):
        pd.testing.assert_frame_equal(_train(Reversed(*SMALL.tensors), MLP(4)), expected, check_exact=True)


@pytest.mark.parametrize("indices", [np.arange(50, dtype=np.uint8), [np.int64(i) for i in range(50)], torch.arange(50)])
def test_a_subset_is_the_rows_that_its_indices_name(indices: Any) -> None:
    with torch_manual_seed(5):
        expected = _train(TensorDataset(*(tensor[:50] for tensor in SMALL.tensors)), MLP(4))
    with torch_manual_seed(5):
        pd.testing.assert_frame_equal(_train(Subset(SMALL, indices), MLP(4)), expected, check_exact=True)


def test_whole_number_targets_are_cast() -> None:
    x, y = torch.ones(6, 4), torch.arange(6).reshape(6, 1)
    with torch_manual_seed(5):
        expected = _train(TensorDataset(x, y.float()), MLP(4), loss="huber")
    with torch_manual_seed(5):
        pd.testing.assert_frame_equal(_train(TensorDataset(x, y), MLP(4), loss="huber"), expected, check_exact=True)


def test_batches_may_be_arrays_and_gradients_switched_off() -> None:
    network = MLP(4)
    batch = tuple(tensor.numpy() for tensor in SMALL.tensors)
    with torch.no_grad():
        assert train_loop(copy.deepcopy(network), [batch], AdamW(network.parameters())) > 0


@pytest.mark.parametrize("arguments", [{}, {"num_workers": 1}, {"shuffle": True}, {"shuffle": True, "num_workers": 1}])
def test_a_user_s_loader_does_not_advance_torch_s_generator(arguments: dict[str, Any]) -> None:
    network = MLP(4)
    loader = DataLoader(SMALL, 16, **arguments)
    before = torch.get_rng_state()
    train_loop(network, loader, AdamW(network.parameters()))
    valid_loop(network, loader)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_shuffling_loader_shuffles_anew_in_every_epoch() -> None:
    network = MLP(4)
    loader = DataLoader(SMALL, 16, shuffle=True)
    opt = AdamW(network.parameters(), lr=0.0, weight_decay=0.0)
    assert train_loop(network, loader, opt) != train_loop(network, loader, opt)


def test_modes_are_r_s() -> None:
    network = nn.Sequential(nn.Linear(4, 1), nn.Dropout())
    batches = [SMALL.tensors]
    train_loop(network, batches, AdamW(network.parameters()))
    assert network.training
    valid_loop(network, batches)
    assert not network.training


def test_valid_loop_is_the_last_row_of_train_valid() -> None:
    network = MLP(4)
    frame = _train(SMALL, network)
    assert valid_loop(network, DataLoader(SPLIT.valid, 16)) == frame["valid_loss"].iloc[-1]


def test_float64_networks_train_in_float64() -> None:
    network = MLP(4)
    wide = _train(SMALL, copy.deepcopy(network).double())
    narrow = _train(SMALL, network)
    assert not np.array_equal(wide["valid_loss"], narrow["valid_loss"])
    np.testing.assert_allclose(wide["valid_loss"], narrow["valid_loss"], rtol=FLOAT32_TRAINING)


def test_an_optimizer_may_be_a_factory() -> None:
    with torch_manual_seed(5):
        stock = _train(SMALL, MLP(4), optimizer=torch.optim.NAdam, lr=0.01)
    with torch_manual_seed(5):
        named = _train(SMALL, MLP(4), optimizer=lambda p, **kw: torch.optim.NAdam(p, **kw), lr=0.01)
    pd.testing.assert_frame_equal(stock, named, check_exact=True)


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([1.0, 2.0, 4.0], 7 / 3),
        ([1.0, math.inf], math.inf),
        ([0.1] * 10, 0.1),
        ([1e308] * 4, 1e308),
        ([1e19, 1.0, -1e19], 2 / 3),
    ],
)
def test_r_s_mean(values: list[float], mean: float) -> None:
    """What R's mean() gives; the last sum needs its long double, and its second pass."""
    assert r_mean(np.array(values)) == mean


def _wide_network() -> nn.Module:
    return MLP(4, out_features=2)


def _run(network: Callable[[], nn.Module] = lambda: MLP(4), **arguments: Any) -> pd.DataFrame:
    settings = {"epochs": 1, "batch_size": 16} | arguments
    return train_valid(network(), SMALL, SMALL, **settings)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: _run(epochs=0), ValueError, "`epochs` must be at least 1; got 0"),
        (lambda: _run(batch_size=2.5), ValueError, "`batch_size` must be a whole number; got 2.5"),
        (lambda: _run(lr=-1), ValueError, "`lr` must be at least 0; got -1"),
        (lambda: _run(lr=math.nan), ValueError, "`lr` must be finite; got nan"),
        (lambda: _run(momentum=0.9), TypeError, "`momentum` must be an argument of the optimizer; 'adamw' does not"),
        (lambda: _run(optimizer="sgd", lr=0.1, betas=(0, 0)), TypeError, "`betas` must be an argument .* It takes lr"),
        (lambda: _run(optimizer="lion"), ValueError, "`optimizer` must be one of adamw, .*; got 'lion'"),
        (lambda: _run(loss="mae"), ValueError, "`loss` must be one of mse, .*; got 'mae'"),
        (lambda: _run(_wide_network), ValueError, r"`network` must return outputs of the targets' shape \(16, 1\)"),
        (lambda: _run(_wide_network, loss=nn.MSELoss()), ValueError, "`network` must return outputs of the targets'"),
        (lambda: _run(_wide_network, loss=F.l1_loss), ValueError, "`network` must return outputs of the targets'"),
        (lambda: _run(loss=lambda a, b: a - b), ValueError, "`loss` must return a scalar tensor; got tensor"),
        (lambda: _run(loss=lambda a, b: 1.0), ValueError, "`loss` must return a scalar tensor; got 1.0"),
        (lambda: _run(optimizer=lambda p: None), TypeError, "`optimizer` must make a torch.optim.Optimizer; got None"),
        (lambda: _run(optimizer=[]), ValueError, r"`optimizer` must be one of .*; got \[\]"),
        (lambda: valid_loop(MLP(4), [SMALL.tensors * 2]), ValueError, "A batch must be a pair .*; got 4 items"),
        (
            lambda: train_valid(MLP(4), SMALL, TensorDataset(*(t[:0] for t in SMALL.tensors)), 1, 16),
            ValueError,
            "`ds_valid` must have at least one row",
        ),
        (lambda: _run(nn.ReLU), ValueError, "`network` must have parameters"),
        (lambda: _run(loss="cross_entropy"), ValueError, "`targets` must be class indices from 0 to 0; got"),
        (lambda: valid_loop(MLP(4), []), ValueError, "`dl_valid` must have at least one batch"),
        (
            lambda: valid_loop(MLP(4), [(torch.ones(3, 4), torch.ones(3, 2))], loss="cross_entropy"),
            ValueError,
            r"`network` must return one logit for each class, shape \(n, classes\); got \(3, 1\)",
        ),
    ],
)
def test_bad_arguments(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_wrong_shape_is_refused_before_anything_is_updated() -> None:
    network = _wide_network()
    before = nn.utils.parameters_to_vector(network.parameters()).clone()
    with pytest.raises(ValueError, match="`network` must return outputs"):
        _train(SMALL, network)
    assert torch.equal(nn.utils.parameters_to_vector(network.parameters()), before)
