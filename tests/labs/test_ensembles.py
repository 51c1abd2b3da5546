from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from pycompare import mc_dropout, torch_manual_seed
from pycompare.labs.ensembles import ensembles_of

# A standard deviation of 64 means is itself off by 9 % (1 / sqrt(2 * 63)), the mean of 60 of them by less: measured
# 0.03 at most in 18 draws.
SPREAD = 0.1
X = torch.randn(20, 8, generator=torch.Generator().manual_seed(1))
CLASSES = torch.arange(20) % 3


class _Own(nn.Dropout):
    """A dropout of a user's own."""


class _Outer(nn.Module):
    """A sequence as a row of 8 numbers, or of 4 pairs, seen by the first layer."""

    def __init__(self, inner: nn.Module, shape: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.inner, self.shape, self.head = inner, shape, nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.inner(x.reshape(-1, *self.shape))
        return self.head((inner[0] if isinstance(inner, tuple) else inner).flatten(1))


class _Attention(nn.MultiheadAttention):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x, x, x)


def _mlp(dropout: nn.Module | None = None) -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), dropout or nn.Dropout(0.5), nn.Linear(16, 3))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "Dropout": _mlp,
    "a subclass": lambda: _mlp(_Own(0.5)),
    "in place": lambda: _mlp(nn.Dropout(0.5, inplace=True)),
    "nested": lambda: nn.Sequential(nn.Sequential(nn.Sequential(nn.Dropout(0.3))), nn.Linear(8, 3)),
    "AlphaDropout": lambda: _mlp(nn.AlphaDropout(0.5)),
    "FeatureAlphaDropout": lambda: _Outer(nn.FeatureAlphaDropout(0.5), (4, 2), 8),
    "Dropout1d": lambda: _Outer(nn.Dropout1d(0.5), (4, 2), 8),
    "Dropout2d": lambda: _Outer(nn.Dropout2d(0.5), (4, 2, 1), 8),
    "LSTM": lambda: _Outer(nn.LSTM(2, 5, num_layers=2, dropout=0.5, batch_first=True), (4, 2), 20),
    "attention": lambda: _Outer(_Attention(2, 1, dropout=0.5, batch_first=True), (4, 2), 8),
    "transformer": lambda: _Outer(nn.TransformerEncoderLayer(2, 1, 8, dropout=0.5, batch_first=True), (4, 2), 8),
}


def _made(make: str | Callable[[], nn.Module] = "Dropout") -> nn.Module:
    with torch_manual_seed(5):
        return NETWORKS[make]() if isinstance(make, str) else make()


def _passes(network: nn.Module, count: int, seed: int = 123) -> list[Tensor]:
    """Single passes in training mode, which the network of no batch norm may have."""
    with torch_manual_seed(seed), torch.no_grad():
        return [network.train()(X) for _ in range(count)]


@pytest.mark.parametrize("name", NETWORKS)
def test_all_kinds_of_dropout_are_active_and_nothing_else(name: str) -> None:
    network = _made(name)
    for i, module in enumerate(network.modules()):
        module.training = i % 2 == 0
    modes = [module.training for module in network.modules()]
    state = {key: value.clone() for key, value in network.state_dict().items()}
    result = mc_dropout(network, X, passes=[1, 2])
    assert not torch.equal(result.logits[1], result.logits[0])
    assert not torch.equal(result.logits[1], result.logits[2])
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    with torch.no_grad():
        assert torch.equal(result.logits[0], network.eval()(X))


def test_batch_norm_is_in_evaluation_mode() -> None:
    result = mc_dropout(_made(lambda: _mlp(nn.Dropout(0))), X, passes=[1, 7])
    assert torch.equal(result.logits[1], result.logits[0])


def test_means_are_those_of_passes_added_up_one_by_one() -> None:
    network = _made("nested")
    result = mc_dropout(network, X, CLASSES, passes=[1, 3, 7], ensembles=2, seed=9)
    passes = _passes(network, 7, seed=9)
    for size in (1, 3, 7):
        total = torch.zeros(20, 3)
        for outputs in passes[:size]:
            total = total + outputs
        assert torch.equal(result.logits[size], total / size)
    errors = [100 * (sum(passes[i : i + 3]).argmax(1) != CLASSES).double().mean().item() for i in (0, 3)]
    row = result.data.set_index("passes").loc[3]
    assert row["ensembles"] == 2
    assert row["error"] == pytest.approx(np.mean(errors), rel=1e-15)
    assert row["standard_error"] == pytest.approx(abs(errors[0] - errors[1]) / 2, rel=1e-14)


@pytest.mark.parametrize("first", [nn.Dropout, nn.ReLU])
def test_a_first_layer_may_work_in_place(first: type[nn.Module]) -> None:
    several, again = (
        _made(lambda inplace=inplace: nn.Sequential(first(inplace=inplace), nn.Dropout(), nn.Linear(8, 3)))
        for inplace in (True, False)
    )
    given = X.clone()
    ours, theirs = (mc_dropout(network, given, passes=5).logits for network in (several, again))
    assert torch.equal(ours[5], theirs[5])
    assert torch.equal(given, X)


def test_plain_evaluation_comes_first_and_sizes_ascend() -> None:
    data = mc_dropout(_made(), X, CLASSES, passes=[100, 1, 10], ensembles=20).data
    assert data["passes"].tolist() == [0, 1, 10, 100]
    assert data["ensembles"].tolist() == [1, 20, 10, 1]
    assert data["standard_error"].isna().tolist() == [True, False, False, True]
    assert data["error"].between(0, 100).all()


def test_entropy_is_that_of_the_mean_probabilities() -> None:
    network = _made("nested")
    result = mc_dropout(network, X, passes=4)
    mean = sum(outputs.softmax(1) for outputs in _passes(network, 4)).double().numpy() / 4
    np.testing.assert_allclose(result.probabilities[4], mean, rtol=1e-6)  # sums in float32
    expected = -(mean * np.log(mean)).sum(axis=1).mean()
    assert result.data["entropy"].iloc[-1] == pytest.approx(expected, rel=1e-6)


def test_without_targets_there_is_no_error_but_all_else() -> None:
    with_targets, without = (mc_dropout(_made(), X, y, passes=[2, 4]) for y in (CLASSES, None))
    assert without.data[["error", "standard_error"]].isna().all(axis=None)
    assert without.data["entropy"].tolist() == with_targets.data["entropy"].tolist()


@pytest.mark.parametrize("y", [CLASSES.tolist(), CLASSES[:, None].double(), pd.Series(CLASSES.numpy())], ids=type)
def test_targets_of_any_kind(y: Any) -> None:
    ours, theirs = (mc_dropout(_made(), X, given, passes=3).data for given in (y, CLASSES))
    assert ours.equals(theirs)


def test_a_single_logit_is_of_class_1() -> None:
    network = _made(lambda: nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 1)))
    y = torch.arange(20) % 2
    result = mc_dropout(network, X, y, passes=5)
    wrong = (result.logits[5][:, 0] > 0).long() != y
    assert result.data["error"].iloc[-1] == 100 * wrong.double().mean().item()
    assert result.probabilities[5].shape == (20, 2)


def test_tokens_stay_whole_numbers() -> None:
    network = _made(lambda: nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Dropout(0.5), nn.Linear(6, 2)))
    assert mc_dropout(network, torch.tensor([[0, 4], [1, 2]]), passes=2).logits[2].shape == (2, 2)


def test_a_double_network_gets_doubles() -> None:
    assert mc_dropout(_made("nested").double(), X.numpy(), passes=2).logits[2].dtype == torch.float64


@pytest.mark.parametrize("size", [4, 16, 64])
def test_mean_logits_converge_as_one_over_the_root_of_passes(size: int) -> None:
    network = _made("nested")
    with torch_manual_seed(1), torch.no_grad():
        _, single, several, _ = ensembles_of(network, X, [1, size, 64 * size], 64)
    spreads = [torch.stack(one.logits).std(0).mean().item() for one in (single, several)]
    assert len(several.logits) == 64
    assert abs(spreads[1] / spreads[0] * math.sqrt(size) - 1) < SPREAD


def test_the_seed_decides_and_nothing_else() -> None:
    first, again, other = (mc_dropout(_made(), X, passes=2, seed=seed).logits[2] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_modes_come_back_after_an_error() -> None:
    class Failing(nn.Dropout):
        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                raise KeyError("on purpose")
            return x

    network = _made(lambda: _mlp(Failing())).train()
    with pytest.raises(KeyError, match="on purpose"):
        mc_dropout(network, X, passes=1)
    assert all(module.training for module in network.modules())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"network": nn.Linear(8, 3)}, ValueError, r"`network` must have dropout, .*; got Linear\(in_features=8"),
        ({"network": nn.LSTM(8, 3)}, ValueError, "`network` must have dropout"),
        ({"network": nn.Dropout()}, ValueError, "`network` must have parameters"),
        ({"network": "net"}, TypeError, "`network` must be a torch.nn.Module; got 'net'"),
        ({"X": X[:, :3]}, ValueError, r"`network` must take batches as the data's, of shape \(20, 3\)"),
        ({"X": X[0]}, ValueError, r"`X` must have a row for each observation; got shape \(8,\)"),
        ({"X": X[:0]}, ValueError, r"`X` must have a row for each observation; got shape \(0, 8\)"),
        ({"X": X / 0}, ValueError, "`X` must be finite"),
        ({"X": [["a"]]}, TypeError, "`X` must hold numbers only"),
        ({"y": CLASSES[:5]}, ValueError, r"`y` must be a class for each of 20 rows; got shape \(5,\)"),
        ({"y": CLASSES + 1}, ValueError, "`y` must be classes from 0 to 2, .*; got 3. Number the classes from 0."),
        ({"y": CLASSES / 2}, ValueError, "`y` must be classes from 0 to 2, .*; got 0.5"),
        ({"passes": []}, ValueError, "`passes` must be a one-dimensional list with at least one value"),
        ({"passes": [10, 0]}, ValueError, "`passes` must be at least 1; got 0"),
        ({"passes": 2.5}, ValueError, "`passes` must be a whole number; got 2.5"),
        ({"passes": [3, 3]}, ValueError, "`passes` must hold distinct values"),
        ({"ensembles": 0}, ValueError, "`ensembles` must be at least 1; got 0"),
        ({"seed": 0.5}, ValueError, "`seed` must be a whole number"),
        ({"threads": 0}, ValueError, "`threads` must be at least 1"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    given = {"network": _made("nested"), "X": X, "y": CLASSES} | arguments
    with pytest.raises(error, match=message):
        mc_dropout(**given)


def test_outputs_that_are_no_logits() -> None:
    network = _made(lambda: nn.Sequential(nn.Dropout(), nn.Linear(8, 6), nn.Unflatten(1, (2, 3))))
    with pytest.raises(ValueError, match=r"`network` must return logits .*; got \(20, 2, 3\)"):
        mc_dropout(network, X, passes=1)


def test_the_plot_has_a_band_where_there_are_several_ensembles(draw: Any) -> None:
    result = mc_dropout(_made(), X, CLASSES, passes=[1, 10, 100])
    assert {"1", "10", "100", "dropout active", "plain evaluation"} <= {*draw(result.plot()).words}
    (band,) = (layer for layer in result.plot().layers if type(layer.geom).__name__ == "geom_ribbon")
    band = band._data
    assert band["passes"].tolist() == [1, 10]
    row = result.data.iloc[1]
    assert band["high"].iloc[0] - band["low"].iloc[0] == pytest.approx(2 * row["standard_error"])


@pytest.mark.parametrize(("y", "words"), [(None, "Without targets"), (CLASSES, "dropout active")])
def test_a_plot_of_one_size_or_without_targets(y: Any, words: str, draw: Any) -> None:
    assert any(words in word for word in draw(mc_dropout(_made(), X, y, passes=3).plot()).words)


def test_a_result_is_printed() -> None:
    result = mc_dropout(_made(), X, CLASSES, passes=[1, 4])
    assert repr(result).startswith("Monte Carlo dropout of 20 rows, 4 passes\n\n passes  ensembles")
