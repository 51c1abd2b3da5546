from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from pycompare import MLP, Snapshots, Split, compare_configs, decision_boundary, torch_manual_seed, train_valid

ROUNDING = 1e-12  # our softmax and numpy's, both of the same float32 logits in double: measured 2e-16 relative
X = torch.rand(40, 2, generator=torch.Generator().manual_seed(1)).double() * 4 - 1
CLASSES = (X[:, 0] > 1).long() + (X[:, 1] > 2).long()
VALUES = X.sum(1)
BINARY = Split(TensorDataset(X, (CLASSES > 0).double()[:, None]), TensorDataset(X, (CLASSES > 0).double()[:, None]))


def _made(outputs: int = 3) -> nn.Module:
    """A network with modules that act differently in training."""
    with torch_manual_seed(3):
        return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, outputs))


def _outputs(network: nn.Module, cells: pd.DataFrame) -> np.ndarray:
    with torch.no_grad():
        rows = torch.tensor(cells[["x", "y"]].to_numpy(), dtype=torch.float32)
        return copy.deepcopy(network).eval()(rows).double().numpy()


def test_logits_of_each_class_become_probabilities() -> None:
    network = _made()
    data = decision_boundary(network, (X, CLASSES), grid=9).data
    assert data.columns.tolist() == ["x", "y", "class", "probability", "margin"]
    logits = _outputs(network, data)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert data["class"].tolist() == logits.argmax(axis=1).tolist()
    np.testing.assert_allclose(data["probability"], shares.max(axis=1), rtol=ROUNDING)
    ordered = np.sort(logits, axis=1)
    assert data["margin"].tolist() == (ordered[:, -1] - ordered[:, -2]).tolist()


@pytest.mark.parametrize(
    ("targets", "loss"),
    [((CLASSES > 0).double()[:, None], "bce"), ((CLASSES > 0), None), ((CLASSES > 0).int(), nn.BCEWithLogitsLoss())],
)
def test_a_single_logit_becomes_a_probability(targets: Tensor, loss: Any) -> None:
    network = _made(1)
    boundary = decision_boundary(network, (X, targets), loss=loss, grid=9)
    logit = _outputs(network, boundary.data)[:, 0]
    assert boundary.data["class"].tolist() == (logit > 0).astype(int).tolist()
    np.testing.assert_allclose(boundary.data["probability"], 1 / (1 + np.exp(-np.abs(logit))), rtol=ROUNDING)
    assert boundary.points["class"].tolist() == targets.reshape(-1).long().tolist()


@pytest.mark.parametrize("loss", [None, "mse", nn.L1Loss()])
def test_a_single_number_is_a_value(loss: Any) -> None:
    network = _made(1)
    boundary = decision_boundary(network, TensorDataset(X, VALUES[:, None]), loss=loss, grid=9)
    assert boundary.data.columns.tolist() == ["x", "y", "value"]
    assert boundary.data["value"].tolist() == _outputs(network, boundary.data)[:, 0].tolist()
    assert boundary.points["value"].tolist() == VALUES.tolist()
    distance = _outputs(network, boundary.points)[:, 0] - VALUES.numpy()
    np.testing.assert_allclose(boundary.summary()["rmse"], np.sqrt(np.mean(distance**2)), rtol=ROUNDING)


def test_outputs_without_a_second_axis() -> None:
    network = nn.Sequential(_made(1), nn.Flatten(0))
    flat, column = (decision_boundary(one, (X, VALUES), grid=4).data for one in (network, network[0]))
    assert flat.equals(column)


def test_the_grid_runs_through_all_y_of_the_lowest_x_around_the_points() -> None:
    data = decision_boundary(_made(), (X, CLASSES), grid=3).data
    low, high = (np.asarray(end) for end in (X.min(0).values, X.max(0).values))
    (x_low, y_low), (x_high, y_high) = low - 0.05 * (high - low), high + 0.05 * (high - low)
    np.testing.assert_allclose(data["x"], np.repeat([x_low, (x_low + x_high) / 2, x_high], 3), rtol=1e-15)
    np.testing.assert_allclose(data["y"], np.tile([y_low, (y_low + y_high) / 2, y_high], 3), rtol=1e-15)
    data = decision_boundary(_made(), (X, CLASSES), grid=2, x=(-1, 2), y=(0, 5)).data
    assert data[["x", "y"]].to_numpy().tolist() == [[-1, 0], [-1, 5], [2, 0], [2, 5]]


def test_a_split_gives_its_training_set_and_one_point_gets_room() -> None:
    split = Split(TensorDataset(X[:1], CLASSES[:1, None]), TensorDataset(X[1:], CLASSES[1:, None]))
    boundary = decision_boundary(_made(), split, grid=2)
    assert boundary.points[["x", "y"]].to_numpy().tolist() == X[:1].tolist()
    assert (boundary.data["x"].iloc[-1] - boundary.data["x"].iloc[0]) == 2


def test_many_cells_are_evaluated_in_parts() -> None:
    sizes = []
    network = _made(1)
    network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    data = decision_boundary(network, (X, VALUES), grid=150).data
    assert len(sizes) > 1
    assert max(sizes) < sum(sizes) == 150**2 + 40
    np.testing.assert_allclose(data["value"], _outputs(network, data)[:, 0], rtol=1e-5, atol=1e-6)  # float32 products


def test_a_first_layer_may_work_in_place() -> None:
    networks = {
        name: nn.Sequential(nn.ReLU(inplace), _made()).double() for name, inplace in (("a", True), ("b", False))
    }
    frames = [
        frame.drop(columns="config")
        for _, frame in decision_boundary(networks, (X, CLASSES), grid=4).data.groupby("config")
    ]
    assert frames[0].equals(frames[1].reset_index(drop=True))
    assert frames[0]["x"].min() < 0


def test_networks_are_left_as_they_were() -> None:
    network = _made()
    for i, module in enumerate(network.modules()):
        module.training = i % 2 == 0
    modes, state = [module.training for module in network.modules()], copy.deepcopy(network.state_dict())
    decision_boundary({"a": network, "b": network}, (X, CLASSES), grid=3)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in network.parameters())


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["lr = 1", "lr = 2"], ["config"]),
        ([0, 5], ["epoch"]),
        ([("lr = 1", 0), ("lr = 1", 1), ("lr = 2", 0), ("lr = 2", 1)], ["config", "epoch"]),
    ],
)
def test_several_networks_have_columns_and_facets(names: list[Any], columns: list[str], draw: Any) -> None:
    boundary = decision_boundary({name: _made() for name in names}, (X, CLASSES), grid=5)
    keys = boundary.data[columns].drop_duplicates().to_numpy().tolist()
    assert keys == [list(name) if isinstance(name, tuple) else [name] for name in names]
    assert len(boundary.data) == 25 * len(names)
    assert boundary.summary()[columns].to_numpy().tolist() == keys
    shown = {
        word
        for column in columns
        for word in boundary.data[column].map(lambda v: f"epoch = {v}" if isinstance(v, int) else v)
    }
    assert shown <= {*draw(boundary.plot()).words}


def test_of_many_epochs_some_are_drawn_and_the_caption_says_so(draw: Any) -> None:
    boundary = decision_boundary({epoch: _made() for epoch in range(11)}, (X, CLASSES), grid=4)
    words = draw(boundary.plot()).words
    assert [word for word in words if word.startswith("epoch")] == [f"epoch = {i}" for i in (0, 2, 4, 6, 8, 10)]
    assert "5 epochs between these are not shown." in words


def test_the_summary_has_the_share_of_right_classes() -> None:
    network = _made()
    boundary = decision_boundary(network, (X, CLASSES), grid=2)
    right = _outputs(network, boundary.points).argmax(axis=1) == CLASSES.numpy()
    assert boundary.summary().to_dict("records") == [{"points": 40, "accuracy": right.mean()}]


def _diverged(part: str) -> nn.Module:
    """A network whose outputs are not finite, everywhere or where x > 1."""
    network = nn.Linear(2, 3)
    with torch.no_grad():
        network.weight.fill_(math.nan if part == "all" else 0.0)
        if part == "some":
            network.weight[0, 0] = 3e38
    return network


def test_outputs_that_are_not_finite_are_missing(draw: Any) -> None:
    with torch_manual_seed(1):
        some, every = _diverged("some"), _diverged("all")
    data = decision_boundary(some, (X, CLASSES), grid=5, x=(0, 4)).data
    assert data["class"].isna().tolist() == (data["x"] > 1.13).tolist()
    assert data[["probability", "margin"]].isna().all(axis=1).tolist() == data["class"].isna().tolist()
    words = draw(decision_boundary({"a": some, "b": every}, (X, CLASSES), grid=5).plot()).words
    assert {"a", "b", "Grey: outputs that are not finite."} <= {*words}
    words = draw(decision_boundary(every, (X, CLASSES), grid=5).plot()).words
    assert any(word.startswith("There is no finite output to draw.") for word in words)


@pytest.mark.parametrize(
    ("outputs", "targets", "loss", "words"),
    [
        (3, CLASSES, None, {"class", "0", "1", "2", "probability"}),
        (1, CLASSES > 0, None, {"class", "0", "1", "probability"}),
        (9, torch.arange(40) % 9, None, {"class", "8", "probability"}),
        (1, VALUES, None, {"value"}),
    ],
)
def test_the_picture_has_a_legend_of_all_classes(
    outputs: int, targets: Tensor, loss: Any, words: set[str], draw: Any
) -> None:
    assert words <= {*draw(decision_boundary(_made(outputs), (X, targets), loss=loss, grid=21).plot()).words}


def test_one_class_has_no_border(draw: Any) -> None:
    network = _made()
    with torch.no_grad():
        network[-1].bias[2] += 100
    boundary = decision_boundary(network, (X, CLASSES), grid=5)
    assert boundary.data["class"].unique().tolist() == [2]
    assert "probability" in draw(boundary.plot()).words


def test_wide_axes_are_drawn_without_a_warning(draw: Any) -> None:
    assert "value" in draw(decision_boundary(_made(1), (X * 1e7, VALUES), grid=5).plot()).words


def test_borders_lie_where_two_classes_are_equal() -> None:
    with torch_manual_seed(1), torch.no_grad():
        network = nn.Linear(2, 2)
        network.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.5]]))
        network.bias.copy_(torch.tensor([0.0, -1.0]))
    plot = decision_boundary(network, (X, CLASSES > 0), grid=11).plot()
    (border,) = (layer._data for layer in plot.layers if type(layer.geom).__name__ == "geom_path")
    np.testing.assert_allclose(border["x"] + 0.5 * border["y"], 1, atol=1e-6)  # logits in float32


def test_snapshots_of_a_sweep_become_a_film(tmp_path: Path) -> None:
    kept = Snapshots()
    comparison = compare_configs(
        3, lr=[0.1, 0.01], data=BINARY, loss="bce", on_epoch=kept.on_epoch, keep_networks=True, progress=False
    )
    assert list(kept) == [(config, epoch) for config in ("lr = 0.1", "lr = 0.01") for epoch in range(4)]
    boundary = decision_boundary(kept, BINARY, loss="bce", grid=7)
    last = boundary.data[boundary.data["epoch"] == 3].drop(columns="epoch").reset_index(drop=True)
    assert last.equals(decision_boundary(comparison.networks, BINARY, loss="bce", grid=7).data)
    file = boundary.animate(tmp_path / "boundary.gif", progress=False)
    with Image.open(file) as film:
        assert film.n_frames == 4
        assert [*tmp_path.iterdir()] == [file]


def test_snapshots_of_one_training_are_those_before_each_epoch() -> None:
    kept, network = Snapshots(), _made(1)
    start = copy.deepcopy(network)
    with torch_manual_seed(1):
        train_valid(network, BINARY.train, BINARY.valid, 3, 16, loss="bce", on_step=kept.on_step)
    assert list(kept) == [0, 1, 2]
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(kept[0].parameters(), start.parameters(), strict=True))
    assert not torch.equal(kept[1][0].weight, kept[2][0].weight)
    assert all(parameter.grad is None for one in kept.values() for parameter in one.parameters())
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_without_epochs_there_is_no_film(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`network` must be given for several epochs for a film; got no epochs"):
        decision_boundary(_made(), (X, CLASSES), grid=2).animate(tmp_path / "a.gif")


def test_a_result_is_printed() -> None:
    boundary = decision_boundary({"a": _made(), "b": _made()}, (X, CLASSES), grid=3)
    assert repr(boundary).startswith("Decision boundaries of 2 networks, 40 points\n\nconfig  points  accuracy")
    assert repr(decision_boundary(_made(1), (X, VALUES), grid=3)).startswith("Values of 1 network, 40 points")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"network": nn.ReLU()}, ValueError, r"`network` must have parameters; got ReLU\(\)"),
        ({"network": "net"}, TypeError, "`network` must be a torch.nn.Module; got 'net'"),
        ({"network": {"a": "net"}}, TypeError, "`network` must be a torch.nn.Module; got 'net'"),
        ({"network": {}}, ValueError, r"`network` must have networks by config, .*; got \[\]"),
        ({"network": {"a": 1, 2: 3}}, ValueError, r"`network` must have networks by config, .*; got \['a', 2\]"),
        ({"network": {0.5: 1}}, TypeError, "`network` must have a text, an epoch or .*; got 0.5. Rename it."),
        ({"network": MLP(4, (), 3)}, ValueError, r"`network` must take batches as the data's, of shape \("),
        ({"network": MLP(2, (), 1)}, ValueError, "`targets` must be classes from 0 to 1, .*; got 2"),
        ({"data": (X, CLASSES + 1)}, ValueError, "`targets` must be classes from 0 to 2, .*; got 3"),
        ({"data": (X, CLASSES - 1)}, ValueError, "`targets` must be classes from 0 to 2, .*; got -1"),
        ({"data": (X, VALUES)}, ValueError, "`targets` must be classes from 0 to 2"),
        ({"data": (X[:, :1], CLASSES)}, ValueError, r"`data` must have two inputs a row, .*; got shape \(40, 1\)"),
        ({"data": (torch.rand(5, 3), CLASSES[:5])}, ValueError, "`data` must have two inputs a row"),
        ({"data": (X, CLASSES[:3])}, ValueError, "`data` must have one target for each input; got 40 and 3"),
        ({"data": (X, X)}, ValueError, r"`data` must have one target a row; got shape \(40, 2\)"),
        ({"data": (X / 0, CLASSES)}, ValueError, "`data's inputs` must be finite"),
        ({"data": X}, TypeError, r"`data` must be a Split, a dataset or a pair \(inputs, targets\); got Tensor"),
        ({"loss": "mse"}, ValueError, r"`network` must return one number a row; got \(3,\). For a classifier pass"),
        ({"loss": "hinge"}, ValueError, "`loss` must be one of mse, .*; got 'hinge'"),
        ({"grid": 1}, ValueError, "`grid` must be at least 2; got 1"),
        ({"x": (1, 0)}, ValueError, r"`x` must go from a lower to a higher number; got \(1, 0\)"),
        ({"y": 3}, TypeError, r"`y` must be a pair \(lowest, highest\); got 3"),
        ({"threads": 0}, ValueError, "`threads` must be at least 1"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    given = {"network": _made(), "data": (X, CLASSES)} | arguments
    with pytest.raises(error, match=message):
        decision_boundary(**given)
