from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from pycompare import MLP, Split, compare_configs, spirals_data, torch_manual_seed
from pycompare.labs.landscape import PathComparison, Plane, compare_paths, plane

Make = Callable[[], nn.Module]

X = np.linspace(-1, 1, 60).reshape(30, 2)
SMALL = Split.from_arrays(X, X.sum(axis=1))

# The mean of one batch is multiplied by its rows and divided by them again, which is exact in float32 only; our
# coordinates times directions and numpy's are summed in another order: measured at most 5e-16 of a loss
# or a share, and 2e-15 of a coordinate, in double.
ROUNDING = 1e-14
# Sums over batches, or parameters that are rounded once more, in float32: measured at most 1.3e-7 relative.
ROUNDING_FLOAT = 1e-6


def _convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(48, 5),
        nn.LayerNorm(5),
        nn.Linear(5, 2, bias=False),
    )


def _tied() -> nn.Module:
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    network[2].weight = network[0].weight
    return network


class _Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.GRU(2, 3, batch_first=True)
        self.head = nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cells(x)[0][:, -1])


# A network, and the shapes of a row's inputs and targets.
NETWORKS: dict[str, tuple[Make, tuple[int, ...], tuple[int, ...]]] = {
    "perceptron": (lambda: MLP(4), (4,), (1,)),
    "convolutions": (_convolutions, (1, 6, 6), (2,)),
    "tied weights": (_tied, (2,), (2,)),
    "recurrent": (_Recurrent, (5, 2), (1,)),
    "image norm": (lambda: nn.Sequential(nn.Conv2d(1, 3, 3), nn.LayerNorm((3, 4, 4))), (1, 6, 6), (3, 4, 4)),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose1d(2, 3, 2), nn.PReLU(3), nn.GroupNorm(3, 3)), (2, 3), (3, 4)),
}


def _network(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    """A network that has seen some data, in training mode, with 50 rows for it."""
    make, inputs, targets = NETWORKS[name]
    with torch_manual_seed(3):
        network = make().to(dtype)
        data = torch.randn(50, *inputs, dtype=dtype), torch.randn(50, *targets, dtype=dtype)
        with torch.no_grad():
            network(3 + 2 * data[0])
    return network, data


def _vector(network: nn.Module) -> np.ndarray:
    return parameters_to_vector(network.parameters()).detach().double().numpy()


def _loss(
    network: nn.Module,
    data: tuple[Tensor, Tensor],
    parameters: np.ndarray | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = F.mse_loss,
) -> float:
    """The loss of the network, or of a copy with other parameters, all rows at once."""
    network = copy.deepcopy(network).eval()
    if parameters is not None:
        dtype = next(network.parameters()).dtype
        vector_to_parameters(torch.from_numpy(parameters).to(dtype), network.parameters())
    with torch.no_grad():
        return loss(network(data[0]), data[1]).item()


def _scattered(network: nn.Module, points: int = 6, *, by: float = 0.1, seed: int = 0) -> np.ndarray:
    return _vector(network) + by * np.random.default_rng(seed).normal(size=(points, len(_vector(network))))


def _directions(kind: str, network: nn.Module) -> dict[str, Any]:
    """What `plane` takes for planes of each kind."""
    trajectories = {"one": _scattered(network), "two": _scattered(network, 3, by=0.3, seed=1)}
    directions = tuple(_scattered(network, 2, by=1, seed=2)) if kind == "given" else kind
    return {"directions": directions, "trajectories": trajectories}


@pytest.fixture(params=["filter", "pca", "given"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("name", NETWORKS)
def test_the_loss_at_the_origin_is_the_network_s(name: str) -> None:
    network, data = _network(name, torch.float32)
    ours = plane(network, data, n=3)
    assert ours.data.loc[(ours.data["a"] == 0) & (ours.data["b"] == 0), "loss"].tolist() == [_loss(network, data)]
    assert ours.origin.tolist() == _vector(network).tolist()


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, ROUNDING_FLOAT), (torch.float64, ROUNDING)], ids=str)
@pytest.mark.parametrize("batch_size", [1, 7, 25, 49, 4096])
def test_batches_do_not_change_the_mean(batch_size: int, dtype: torch.dtype, rounding: float) -> None:
    network, data = _network("convolutions", dtype)
    ours, whole = (plane(network, data, n=3, batch_size=size).data["loss"] for size in (batch_size, 50))
    np.testing.assert_allclose(ours, whole, rtol=rounding)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_point_is_a_direct_evaluation(name: str, kind: str) -> None:
    network, data = _network(name)
    ours = plane(network, data, n=4, **_directions(kind, network))
    first, second = ours.directions
    direct = [
        _loss(network, data, _vector(network) + a * first + b * second) for a, b in ours.data[["a", "b"]].to_numpy()
    ]
    assert ours.kind == kind
    np.testing.assert_allclose(ours.data["loss"], direct, rtol=ROUNDING)
    assert np.ptp(direct) > 1e-3


def test_the_grid_runs_through_all_b_of_the_lowest_a_first() -> None:
    network, data = _network("tied weights")
    frame = plane(network, data, a=(-1, 1), b=(0, 3), n=3).data
    assert frame.columns.tolist() == ["a", "b", "loss"]
    assert frame["a"].tolist() == [-1, -1, -1, 0, 0, 0, 1, 1, 1]
    assert frame["b"].tolist() == [0, 1.5, 3] * 3


def test_the_map_lies_around_the_paths_or_the_network() -> None:
    network, data = _network("tied weights")
    alone, around = (plane(network, data, n=3, trajectories=paths) for paths in (None, 5 + _scattered(network)))
    for name in ("a", "b"):
        assert alone.data[name].min() < 0 < alone.data[name].max()
        assert around.data[name].min() < min(0, around.paths[name].min())
        assert around.data[name].max() > max(0, around.paths[name].max())


def _parts(network: nn.Module, directions: np.ndarray) -> Iterator[tuple[nn.Module, str, Tensor, np.ndarray]]:
    """Each parameter with the layer that it belongs to, its name there, and both directions in its shape."""
    start = 0
    for full_name, parameter in network.named_parameters():
        layer, _, name = full_name.rpartition(".")
        both = directions[:, start : start + parameter.numel()].reshape(2, *parameter.shape)
        yield network.get_submodule(layer), name, parameter.detach(), both
        start += parameter.numel()


def _norms(rows: np.ndarray) -> np.ndarray:
    return np.linalg.norm(rows.reshape(len(rows), -1), axis=1)


@pytest.mark.parametrize("name", NETWORKS)
def test_random_directions_have_the_norms_of_the_network_s_filters(name: str) -> None:
    network, data = _network(name)
    ours = plane(network, data, n=2)
    filters = 0
    for layer, part, parameter, both in _parts(network, ours.directions):
        if "bias" in part or "Norm" in type(layer).__name__:
            assert (both == 0).all(), f"{part} of {layer}"
        elif parameter.ndim >= 2:
            filters += len(parameter)
            for direction in both:
                np.testing.assert_allclose(_norms(direction), _norms(parameter.numpy()), rtol=ROUNDING)
    assert filters > 0
    first, second = ours.directions
    assert abs(first @ second) < 0.9 * np.linalg.norm(first) * np.linalg.norm(second)


def test_random_directions_are_the_seed_s() -> None:
    network, data = _network("perceptron")
    one, again, other = (plane(network, data, n=2, seed=seed).directions.tolist() for seed in (5, 5, 6))
    assert one == again
    assert one != other


def test_a_network_s_units_do_not_matter() -> None:
    """Filter normalisation: rescaling a ReLU network, which leaves its function, leaves its map."""
    with torch_manual_seed(3):
        network = nn.Sequential(nn.Linear(2, 8, bias=False), nn.ReLU(), nn.Linear(8, 1, bias=False)).double()
    scaled = copy.deepcopy(network)
    with torch.no_grad():
        scaled[0].weight.mul_(16)
        scaled[2].weight.div_(16)
    data = (X, X.sum(axis=1, keepdims=True))
    pd.testing.assert_frame_equal(plane(network, data, n=5).data, plane(scaled, data, n=5).data, check_exact=True)


@pytest.mark.parametrize("several", [False, True])
def test_principal_directions_are_those_of_numpy_s_svd(several: bool) -> None:
    network, data = _network("convolutions")
    paths = {"one": _scattered(network, 9), "two": _scattered(network, 4, by=0.3, seed=1)}
    displacements = np.vstack([*paths.values()] if several else [paths["one"]]) - _vector(network)
    _, values, rows = np.linalg.svd(displacements, full_matrices=False)
    ours = plane(network, data, n=2, directions="pca", trajectories=paths if several else paths["one"])
    np.testing.assert_allclose(ours.explained, (values**2 / (values**2).sum())[:2], rtol=ROUNDING)
    np.testing.assert_allclose(np.linalg.norm(ours.directions, axis=1), 1, rtol=ROUNDING)
    largest = np.abs(ours.directions).argmax(axis=1)
    assert (ours.directions[[0, 1], largest] > 0).all()
    signs = np.sign(rows[[0, 1], largest])
    np.testing.assert_allclose(ours.directions, signs[:, None] * rows[:2], rtol=0, atol=ROUNDING)


def test_only_principal_directions_explain_all_paths(kind: str) -> None:
    network, data = _network("perceptron")
    assert (plane(network, data, n=2, **_directions(kind, network)).explained is None) == (kind != "pca")


def _descent(network: nn.Module, steps: int = 5) -> np.ndarray:
    """The parameters before and after each step of SGD on the line y = 2 x + 1."""
    network = copy.deepcopy(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.2)
    path = [_vector(network)]
    for _ in range(steps):
        optimizer.zero_grad()
        x = torch.linspace(-1, 2, 7, dtype=torch.float64)[:, None]
        F.mse_loss(network(x), 2 * x + 1).backward()
        optimizer.step()
        path.append(_vector(network))
    return np.stack(path)


@pytest.mark.parametrize(
    ("bias", "directions"), [(False, "filter"), (True, "pca"), (True, ([1.0, 2.0], [0.0, 1.0]))], ids=str
)
def test_two_parameters_are_a_plane(bias: bool, directions: Any) -> None:
    with torch_manual_seed(2):
        layers = [nn.Linear(1, 1)] if bias else [nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)]
    network = nn.Sequential(*layers).double()
    path = _descent(network)
    ours = plane(network, (X[:, :1], X[:, 1:]), n=2, directions=directions, trajectories=path)
    np.testing.assert_allclose(ours.parameters(ours.project(path)), path, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(ours.project(path), ours.paths[["a", "b"]], rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(ours.paths["explained"], 1, rtol=ROUNDING)


def test_a_path_is_its_projection_and_an_orthogonal_rest(kind: str) -> None:
    network, data = _network("convolutions")
    arguments = _directions(kind, network)
    ours = plane(network, data, n=2, **arguments)
    for name, path in arguments["trajectories"].items():
        coordinates = ours.project(path)
        rest = path - ours.parameters(coordinates)
        scale = np.linalg.norm(path - _vector(network)) * np.linalg.norm(ours.directions)
        assert np.abs(rest @ ours.directions.T).max() < ROUNDING * scale
        assert np.linalg.norm(rest) > 0.1
        np.testing.assert_allclose(ours.project(ours.parameters(coordinates)), coordinates, rtol=0, atol=ROUNDING)
        shown = ours.paths[ours.paths["config"] == name]
        np.testing.assert_allclose(shown[["a", "b"]], coordinates, rtol=0, atol=ROUNDING)
        explained = 1 - (rest**2).sum() / ((path - _vector(network)) ** 2).sum()
        np.testing.assert_allclose(shown["explained"], explained, rtol=ROUNDING)


def test_coordinates_may_have_any_shape() -> None:
    network, data = _network("perceptron")
    ours = plane(network, data, n=2)
    coordinates = np.arange(12.0).reshape(2, 3, 2)
    parameters = ours.parameters(coordinates)
    assert parameters.shape == (2, 3, len(ours.origin))
    np.testing.assert_allclose(ours.project(parameters), coordinates, rtol=0, atol=ROUNDING)
    assert ours.parameters(np.zeros(2)).tolist() == ours.origin.tolist()
    assert ours.project(ours.origin).tolist() == [0, 0]


def test_the_frame_of_the_paths() -> None:
    network, data = _network("perceptron")
    paths = {"b": _scattered(network, 3), "a": _scattered(network, 2, seed=1), "still": _vector(network)[None]}
    paths["b"][2, 0] = math.inf
    ours = plane(network, data, n=2, trajectories=paths).paths
    assert ours.columns.tolist() == ["config", "epoch", "a", "b", "loss", "explained"]
    assert ours["config"].tolist() == ["b", "b", "b", "a", "a", "still"]
    assert ours["epoch"].tolist() == [0, 1, 2, 0, 1, 0]
    finite = [0, 1, 3, 4, 5]
    direct = [_loss(network, data, row) for row in np.vstack([*paths.values()])[finite]]
    np.testing.assert_allclose(ours.loc[finite, "loss"], direct, rtol=ROUNDING)
    assert ours.loc[2, ["a", "b", "loss"]].isna().all()
    assert ours["explained"].isna().tolist() == [False] * 5 + [True]
    assert ours["explained"].dropna().between(0, 1).all()


@pytest.mark.parametrize(
    "kind_of_paths",
    [
        torch.stack,
        lambda rows: torch.stack(rows).detach(),
        lambda rows: [row.detach() for row in rows],
        lambda rows: {"path 1": torch.stack(rows).detach().numpy()},
    ],
    ids=["rows as they are made", "detached", "list", "by name"],
)
def test_trajectories_may_be_of_any_kind(kind_of_paths: Callable[[Any], Any]) -> None:
    network, data = _network("tied weights")
    rows = [step + parameters_to_vector(network.parameters()) for step in range(3)]
    ours = plane(network, data, n=2, trajectories=kind_of_paths(rows)).paths
    theirs = plane(network, data, n=2, trajectories=np.stack([step + _vector(network) for step in range(3)])).paths
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_without_trajectories_there_are_no_paths(draw: Any) -> None:
    network, data = _network("perceptron")
    ours = plane(network, data, n=4)
    assert len(ours.paths) == 0
    assert ours.paths.columns.tolist() == ["config", "epoch", "a", "b", "loss", "explained"]
    assert draw(ours.plot()).x == (ours.data["a"].min(), ours.data["a"].max())


def test_a_plane_goes_through_three_networks() -> None:
    networks = []
    for seed in (1, 2, 3):
        with torch_manual_seed(seed):
            networks.append(MLP(4).double())
    data = _network("perceptron")[1]
    ours = plane(networks[0], data, directions=(networks[1], networks[2]), a=(0, 1), b=(0, 1), n=2)
    at_origin, at_second, at_first, _ = ours.data["loss"]
    np.testing.assert_allclose(
        [at_origin, at_first, at_second], [_loss(network, data) for network in networks], rtol=ROUNDING
    )
    np.testing.assert_allclose(ours.directions, [_vector(other) - ours.origin for other in networks[1:]], rtol=ROUNDING)


def test_a_direction_may_be_a_vector() -> None:
    network, data = _network("tied weights")
    first, second = np.ones(8), np.arange(8.0)
    ours = plane(network, data, n=2, directions=(torch.from_numpy(first), second.tolist()))
    assert ours.directions.tolist() == [first.tolist(), second.tolist()]


def _state(network: nn.Module) -> list[Any]:
    """All that a caller can see of a network."""
    named = [*network.named_parameters(), *network.named_buffers()]
    tensors = [(name, id(tensor), tensor.tolist(), tensor.dtype, tensor.requires_grad) for name, tensor in named]
    gradients = [(id(parameter.grad), parameter.grad.tolist()) for parameter in network.parameters()]
    return [tensors, gradients, [module.training for module in network.modules()]]


def _give_gradients(network: nn.Module, data: tuple[Tensor, Tensor]) -> None:
    with torch_manual_seed(1):
        F.mse_loss(network(data[0]), data[1]).backward()


def _broken(outputs: Tensor, targets: Tensor) -> Tensor:
    raise ArithmeticError


@pytest.mark.parametrize("loss", ["mse", _broken])
def test_the_network_is_left_as_it_was(kind: str, loss: Any) -> None:
    network, data = _network("convolutions")
    _give_gradients(network, data)
    network[0].weight.requires_grad_(False)
    network[1].eval()
    before = _state(network)
    arguments = _directions(kind, network)
    if loss is _broken:
        with pytest.raises(ArithmeticError):
            plane(network, data, n=2, loss=loss, **arguments)
    else:
        plane(network, data, n=2, loss=loss, **arguments)
    assert _state(network) == before


def test_the_other_networks_are_left_as_they_were() -> None:
    (network, data), (other, _), (third, _) = (_network("convolutions") for _ in range(3))
    with torch.no_grad():
        other[0].weight.add_(1)
        third[0].weight.mul_(2)
    for changed in (other, third):
        _give_gradients(changed, data)
    before = [_state(other), _state(third)]
    plane(network, data, n=2, directions=(other, third))
    assert [_state(other), _state(third)] == before


class _Rows(torch.utils.data.Dataset):
    """A map-style dataset of pairs, without tensors to be looked at."""

    def __init__(self, data: tuple[Tensor, Tensor]) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data[0])

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.data[0][i], self.data[1][i]


@pytest.mark.parametrize(
    "kind_of_data",
    [
        lambda data: SMALL,
        lambda data: SMALL.train,
        _Rows,
        lambda data: data,
        lambda data: [*data],
        lambda data: tuple(part.numpy() for part in data),
        lambda data: tuple(part.double() for part in data),
        lambda data: tuple(part.tolist() for part in data),
        lambda data: tuple(pd.DataFrame(part.numpy()) for part in data),
    ],
    ids=["Split", "TensorDataset", "dataset", "pair", "list of two", "arrays", "doubles", "lists", "frames"],
)
def test_data_may_be_of_any_kind(kind_of_data: Callable[[Any], Any]) -> None:
    with torch_manual_seed(1):
        network = MLP(2)
    data = SMALL.train.tensors
    pd.testing.assert_frame_equal(
        plane(network, kind_of_data(data), n=3).data, plane(network, data, n=3).data, check_exact=True
    )


@pytest.mark.parametrize(
    ("loss", "function"),
    [
        ("mse", F.mse_loss),
        ("l1", F.l1_loss),
        ("huber", F.huber_loss),
        ("smooth_l1", F.smooth_l1_loss),
        ("cross_entropy", F.cross_entropy),
        (nn.HuberLoss(delta=0.2), nn.HuberLoss(delta=0.2)),
    ],
)
def test_the_loss_is_the_plain_mean(loss: Any, function: Any) -> None:
    network, (inputs, targets) = _network("tied weights")
    data = inputs, targets.argmax(dim=1) if loss == "cross_entropy" else targets
    ours = plane(network, data, n=3, loss=loss)
    assert ours.data["loss"].iloc[4] == _loss(network, data, loss=function)


def test_a_plane_is_saved_and_filmed(tmp_path: Path) -> None:
    network, data = _network("perceptron")
    ours = plane(network, data, n=3, **_directions("pca", network))
    paths = ours.save(tmp_path / "new" / "out")
    assert [path.name for path in paths] == ["plane.csv", "plane.png", "settings.json"]
    assert sorted((tmp_path / "new" / "out").iterdir()) == paths
    pd.testing.assert_frame_equal(pd.read_csv(paths[0]), ours.data, check_exact=True)
    assert paths[1].read_bytes().startswith(b"\x89PNG")
    with Image.open(ours.animate(tmp_path / "plane.gif")) as film:
        assert film.n_frames == 6


def test_the_repr_of_a_plane() -> None:
    network, data = _network("convolutions")
    ours = plane(network, data, n=3, directions="pca", trajectories=_scattered(network))
    assert repr(ours).startswith(f"Plane of {len(ours.origin)} parameters, directions pca, explaining ")
    assert f"loss {ours.data['loss'].min():g} to {ours.data['loss'].max():g}" in repr(ours)


@pytest.mark.parametrize(
    ("kind_of_plane", "axis"),
    [("filter", "random direction 1"), ("pca", "principal direction 1 ("), ("given", "direction 1")],
)
def test_the_axes_are_named_after_the_directions(kind_of_plane: str, axis: str, draw: Any) -> None:
    network, data = _network("perceptron")
    ours = plane(network, data, n=4, **_directions(kind_of_plane, network))
    plot = ours.plot()
    assert (plot.mapping["x"], plot.mapping["y"], plot.mapping["color"]) == ("a", "b", "config")
    assert plot.labels.x.startswith(axis)
    assert plot.labels.y == plot.labels.x.replace("1", "2", 1) or kind_of_plane == "pca"
    shares = ours.paths.groupby("config")["explained"].first()
    labels = [f"{name} ({shares[name]:.0%} in plane)" for name in ("one", "two")]
    assert draw(plot).those(*labels) == labels


def test_a_map_on_which_every_loss_overflows_is_drawn(draw: Any) -> None:
    network, data = _network("perceptron", torch.float32)
    ours = plane(network, data, n=3, a=(1e20, 2e20), b=(1e20, 2e20))
    assert not np.isfinite(ours.data["loss"]).any()
    draw(ours.plot())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"loss": "hinge"},
            ValueError,
            "`loss` must be one of mse, .*bce; got 'hinge'",
        ),
        ({"loss": lambda outputs, targets: outputs}, ValueError, "`loss` must return a scalar tensor; got"),
        ({"loss": lambda outputs, targets: 3.0}, ValueError, "`loss` must return a scalar tensor; got 3.0"),
        ({"n": 1}, ValueError, "`n` must be at least 2; got 1"),
        ({"n": 2.5}, ValueError, "`n` must be a whole number; got 2.5"),
        ({"n": [3, 5]}, TypeError, r"`n` must be a whole number; got \[3, 5\]"),
        ({"a": (1, 0)}, ValueError, r"`a` must go from a lower to a higher number; got \(1, 0\)"),
        ({"b": (1, 1)}, ValueError, r"`b` must go from a lower to a higher number; got \(1, 1\)"),
        ({"b": 3}, TypeError, r"`b` must be a pair \(lowest, highest\); got 3"),
        ({"a": (0, math.nan)}, ValueError, "`a` must be finite; got nan"),
        ({"seed": 1.5}, ValueError, "`seed` must be a whole number; got 1.5"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1; got 0"),
        ({"directions": "random"}, ValueError, "`directions` must be 'filter', 'pca' or a pair; got 'random'"),
        ({"directions": ("a", "b")}, (TypeError, ValueError), "`directions` must"),
        ({"directions": (np.ones(3),)}, ValueError, "`directions` must be 'filter', 'pca' or a pair; got"),
        (
            {"directions": (np.ones(4), np.ones(3))},
            ValueError,
            r"`directions` must .*vectors of 3 .*; got shape \(4,\)",
        ),
        ({"directions": (np.ones(3), np.zeros(3))}, ValueError, "`directions` must hold .* not all 0"),
        ({"directions": (np.ones(3), np.full(3, math.nan))}, ValueError, "`directions` must hold .* finite numbers"),
        ({"directions": (np.ones(3), nn.Linear(5, 1))}, ValueError, r"`directions` must hold .*; got shape \(6,\)"),
        ({"directions": "pca"}, ValueError, "`trajectories` must hold at least two finite points.*directions='pca'"),
        (
            {"directions": "pca", "trajectories": np.full((3, 3), math.nan)},
            ValueError,
            "`trajectories` must hold at least two finite points",
        ),
        ({"trajectories": np.ones((3, 4))}, ValueError, r"`trajectories` must have shape \(points, 3\).*got \(3, 4\)"),
        ({"trajectories": np.ones(3)}, ValueError, r"`trajectories` must have shape \(points, 3\).*; got \(3,\)"),
        (
            {"trajectories": {"a": np.ones((2, 3)), "b": np.ones((2, 4))}},
            ValueError,
            r"`trajectories` must have shape \(points, 3\).*; got \(2, 4\) for 'b'",
        ),
        ({"data": "abc"}, TypeError, r"`data` must be a Split, a dataset or a pair \(inputs, targets\); got str"),
        ({"data": None}, TypeError, "`data` must be a Split, a dataset or a pair .*; got NoneType"),
        ({"data": (X[:0], X[:0, :1])}, ValueError, "`data` must have at least one row; got none"),
        ({"data": (X, X[:4, :1])}, ValueError, "`data` must have one target for each input; got 30 and 4"),
        ({"data": (X, X)}, ValueError, r"`network` must return outputs of the targets' shape \(30, 2\); got \(30, 1\)"),
        ({"data": (X * math.nan, X[:, :1])}, ValueError, "`data` must be finite"),
        ({"data": (X, X[:, :1] * math.nan)}, ValueError, "`data` must be finite"),
        ({"directions": ([1, 0, 0], [2, 0, 0])}, ValueError, "`directions` must not lie on one line"),
        ({"network": nn.Identity()}, ValueError, r"`network` must have parameters; got Identity\(\)"),
        ({"network": "MLP"}, TypeError, "`network` must be a torch.nn.Module; got"),
    ],
)
def test_bad_arguments(
    arguments: dict[str, Any], error: type[Exception] | tuple[type[Exception], ...], message: str
) -> None:
    with torch_manual_seed(1):
        network = nn.Linear(2, 1)
    with torch_manual_seed(1), pytest.raises(error, match=message):
        plane(**({"network": network, "data": SMALL, "n": 2} | arguments))


def test_a_bad_colour() -> None:
    network, data = _network("perceptron")
    with pytest.raises(ValueError, match="`colour` must be one of shared, facet; got 'rainbow'"):
        plane(network, data, n=2).plot(colour="rainbow")


def _paths(**arguments: Any) -> PathComparison:
    return compare_paths(**({"n": 3, "epochs": 3, "data": SMALL, "lr": [0.1, 0.01]} | arguments))


def _normalised() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 6), nn.LayerNorm(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 1))


TRAININGS: dict[str, dict[str, Any]] = {
    "default": {},
    "dropout": {"network": _normalised},
    "batch norm": {"network": lambda: nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6), nn.Linear(6, 1))},
    "double": {"dtype": "float64"},
    "divergence": {"lr": [1e30, 0.1]},
    "classes": {"loss": "cross_entropy", "data": spirals_data(), "epochs": 1},
    "sgd": {"optimizer": "sgd", "batch_size": [16, 4], "lr": 0.01, "seed": 5},
}


@pytest.mark.parametrize("name", TRAININGS)
def test_the_curves_are_those_of_compare_configs(name: str) -> None:
    ours = _paths(**TRAININGS[name]).comparison
    theirs = compare_configs(**({"epochs": 3, "data": SMALL, "lr": [0.1, 0.01]} | TRAININGS[name]))
    pd.testing.assert_frame_equal(ours.data, theirs.data, check_exact=True)
    assert (ours.parameter, ours.values, ours.arguments) == (theirs.parameter, theirs.values, theirs.arguments)


def _training_loss(
    network: nn.Module, split: Split, function: Callable[[Tensor, Tensor], Tensor] = F.mse_loss
) -> float:
    inputs, targets = split.train.tensors
    dtype = next(network.parameters()).dtype
    targets = targets.flatten().long() if function is F.cross_entropy else targets.to(dtype)
    return _loss(network, (inputs.to(dtype), targets), loss=function)


@pytest.mark.parametrize("name", [name for name in TRAININGS if name != "batch norm"])
def test_the_losses_are_those_of_the_networks_on_the_way(name: str) -> None:
    arguments = {"epochs": 3, "data": SMALL, "lr": [0.1, 0.01]} | TRAININGS[name]
    function = F.cross_entropy if arguments.get("loss") == "cross_entropy" else F.mse_loss
    losses, vectors = [], []

    def look(config: str, epoch: int, network: nn.Module) -> None:
        losses.append([config, epoch, _training_loss(network, arguments["data"], function)])
        vectors.append(_vector(network))

    compare_configs(**arguments, on_epoch=look)
    ours = _paths(**arguments)
    theirs = pd.DataFrame(losses, columns=["config", "epoch", "loss"])
    rounding = ROUNDING if name == "double" else 0
    pd.testing.assert_frame_equal(ours.data[["config", "epoch", "loss"]], theirs, rtol=rounding, atol=0)
    assert np.array_equal(np.vstack([*ours.trajectories.values()]), np.stack(vectors), equal_nan=True)
    assert [*ours.trajectories] == [*dict.fromkeys(theirs["config"])]


def test_the_summary_s_loss_is_the_trained_network_s_with_batch_norm_too() -> None:
    last = {}

    def look(config: str, epoch: int, network: nn.Module) -> None:
        last[config] = _training_loss(network, SMALL)

    compare_configs(3, lr=[0.1, 0.01], data=SMALL, on_epoch=look, **TRAININGS["batch norm"])
    assert _paths(**TRAININGS["batch norm"]).summary()["loss"].tolist() == [*last.values()]


@pytest.mark.parametrize("name", TRAININGS)
def test_every_path_starts_at_the_origin(name: str) -> None:
    ours = _paths(**TRAININGS[name])
    assert ours.data.columns.tolist() == ["config", "epoch", "a", "b", "loss", "explained"]
    start = ours.data.query("epoch == 0")
    assert len(start) == 2
    assert (start[["a", "b"]] == 0).all(axis=None)
    assert start["loss"].iloc[0] == start["loss"].iloc[1]
    assert _vector(ours.start).tolist() == ours.plane.origin.tolist()
    for trajectory in ours.trajectories.values():
        assert trajectory[0].tolist() == ours.plane.origin.tolist()
    assert ours.data["explained"].dropna().between(0, 1).all()
    assert ours.data["explained"].isna().any() == (name == "divergence")
    pd.testing.assert_frame_equal(ours.plane.paths, ours.data)


def test_principal_directions_are_those_of_all_paths_together() -> None:
    ours = _paths()
    displacements = np.vstack([*ours.trajectories.values()]) - ours.plane.origin
    values = np.linalg.svd(displacements, compute_uv=False)
    np.testing.assert_allclose(ours.plane.explained, (values**2 / (values**2).sum())[:2], rtol=ROUNDING)


def test_other_directions() -> None:
    assert _paths(directions="filter").plane.kind == "filter"
    with torch_manual_seed(1):
        others = MLP(2), MLP(2)
    ours = _paths(directions=others).plane
    assert ours.kind == "given"
    np.testing.assert_allclose(ours.parameters(np.eye(2)), [_vector(other) for other in others], rtol=0, atol=ROUNDING)


def test_the_summary_of_paths() -> None:
    ours = _paths(lr=[0.1, 1e30, 0.01])
    summary = ours.summary()
    assert summary["config"].tolist() == ["lr = 0.1", "lr = 1e+30", "lr = 0.01"]
    for _, row in summary.iterrows():
        path = ours.data.query("config == @row.config")
        assert [row["loss"], row["explained"]] == pytest.approx(
            [path["loss"].iloc[-1], path["explained"].iloc[-1]], rel=0, abs=0, nan_ok=True
        )


def test_the_legend_has_the_share_of_each_path_in_the_order_of_the_list(draw: Any) -> None:
    ours = _paths(lr=[0.1, 0.01, 1e30, 0.05])
    plot = ours.plot()
    share = ours.summary().set_index("config")["explained"]
    labels = [f"{config} ({share[config]:.0%} in plane)" for config in ("lr = 0.1", "lr = 0.01", "lr = 0.05")]
    drawn = draw(plot)
    assert drawn.those(*labels) == labels
    assert "lr = 1e+30 (no path): diverged at epoch 1" in drawn.words
    for name, limits in (("a", drawn.x), ("b", drawn.y)):
        assert limits == (ours.plane.data[name].min(), ours.plane.data[name].max())
        assert limits[0] < ours.data[name].min() <= ours.data[name].max() < limits[1]


def test_a_path_that_has_almost_overflowed_is_drawn(draw: Any) -> None:
    ours = _paths(lr=[0.1, 1e6], dtype="float64", n=5)
    assert ours.data["a"].abs().max() > 1e9
    draw(ours.plot())


def test_saving_keeps_every_bit(tmp_path: Path) -> None:
    ours = _paths(lr=[0.1, 1e30])
    paths = ours.save(tmp_path / "new" / "out")
    assert [path.name for path in paths] == ["paths.csv", "paths.png", "settings.json"]
    assert sorted((tmp_path / "new" / "out").iterdir()) == paths
    pd.testing.assert_frame_equal(pd.read_csv(paths[0]), ours.data, check_exact=True)
    assert paths[1].read_bytes().startswith(b"\x89PNG")


def test_the_film_has_a_picture_an_epoch(tmp_path: Path) -> None:
    path = _paths().animate(tmp_path / "paths.gif")
    with Image.open(path) as film:
        assert (film.format, film.n_frames) == ("GIF", 4)


def test_the_repr_of_paths() -> None:
    text = repr(_paths())
    assert text.startswith("Paths of lr\nPlane of 2751 parameters, directions pca, explaining ")
    assert "lr = 0.01" in text


class _Untrained(nn.Linear):
    """A network that must not be used before the arguments were checked."""

    def __init__(self) -> None:
        super().__init__(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("training started before the arguments were checked")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lr": 0.1}, ValueError, "One or two of `batch_size`, .* must be a list; got none"),
        ({"beta1": [0.5, 0.9], "beta2": [0.9]}, ValueError, "must be a list; got `lr`, `beta1` and `beta2`"),
        ({"loss": ["mse", "l1"]}, TypeError, "`loss` must be one here"),
        ({"network": {"a": MLP, "b": MLP}}, TypeError, "`network` must be one here"),
        ({"lr": [0.1, 0.1]}, ValueError, "`lr` must hold distinct values"),
        ({"lr": [0.1, math.nan]}, ValueError, "`lr` must be finite; got nan"),
        ({"epochs": 0}, ValueError, "`epochs` must be at least 1; got 0"),
        (
            {"optimizer": "lion"},
            ValueError,
            "`optimizer` must be one of adamw, adam, rmsprop, sgd, adagrad; got 'lion'",
        ),
        ({"loss": "hinge"}, ValueError, "`loss` must be one of"),
        ({"data": (X, X)}, TypeError, "`data` must be a Split; got tuple"),
        ({"n": 1}, ValueError, "`n` must be at least 2; got 1"),
        ({"directions": "random"}, ValueError, "`directions` must be 'filter', 'pca' or a pair; got 'random'"),
        ({"on_epoch": print}, TypeError, "on_epoch"),
        ({"n_jobs": 2}, (TypeError, ValueError), "n_jobs"),
    ],
)
def test_bad_paths(
    arguments: dict[str, Any], error: type[Exception] | tuple[type[Exception], ...], message: str
) -> None:
    with pytest.raises(error, match=message):
        _paths(**({"network": _Untrained} | arguments))


@pytest.mark.parametrize("engine", ["auto", "autograd"])
def test_on_epoch_is_called_before_the_first_epoch_and_after_each(engine: str) -> None:
    calls, vectors = [], []

    def look(config: str, epoch: int, network: nn.Module) -> None:
        calls.append((config, epoch))
        vectors.append(_vector(network))

    watched = compare_configs(3, lr=[0.1, 0.01], data=SMALL, on_epoch=look, engine=engine)
    assert calls == [(config, epoch) for config in ("lr = 0.1", "lr = 0.01") for epoch in range(4)]
    with torch_manual_seed(123):
        fresh = MLP(2)
    assert vectors[0].tolist() == vectors[4].tolist() == _vector(fresh).tolist()
    assert len(np.unique(np.stack(vectors), axis=0)) == 7
    pd.testing.assert_frame_equal(watched.data, compare_configs(3, lr=[0.1, 0.01], data=SMALL).data, check_exact=True)


def test_on_epoch_sees_a_run_that_diverges_to_its_end() -> None:
    calls = []
    compare_configs(3, lr=[1e30], data=SMALL, on_epoch=lambda config, epoch, network: calls.append(epoch))
    assert calls == [0, 1, 2, 3]


def test_on_epoch_must_be_callable() -> None:
    with pytest.raises(TypeError, match="`on_epoch` must be a callable"):
        compare_configs(lr=[0.1], data=SMALL, on_epoch=3, network=_Untrained)  # type: ignore[arg-type]


def test_a_plane_without_trajectories_has_no_film(tmp_path: Path) -> None:
    network, data = _network("tied weights")
    with pytest.raises(ValueError, match="`trajectories` must be given"):
        plane(network, data, n=2).animate(tmp_path / "a.gif")


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_on_epoch_needs_one_job(n_jobs: int) -> None:
    with pytest.raises(ValueError, match=f"`n_jobs` must be 1 with `on_epoch`; got {n_jobs}"):
        compare_configs(lr=[0.1], data=SMALL, on_epoch=print, n_jobs=n_jobs, network=_Untrained)


@pytest.mark.parametrize("use", [Plane.plot, Plane.__repr__], ids=["plot", "repr"])
def test_a_map_of_one_height(use: Callable[[Plane], object]) -> None:
    network, data = _network("perceptron")
    assert use(plane(network, data, n=3, loss=lambda outputs, targets: outputs.sum() * 0))


def test_the_directions_of_another_plane_are_directions() -> None:
    network, data = _network("perceptron")
    first = plane(network, data, n=3)
    second = plane(network, data, n=3, directions=first.directions, a=(-1, 1), b=(-1, 1))
    np.testing.assert_array_equal(second.directions, first.directions)
    pd.testing.assert_frame_equal(second.data, first.data, check_exact=True)


def test_no_trajectories_in_a_list_are_none() -> None:
    network, data = _network("perceptron")
    assert plane(network, data, n=3, trajectories=[]).paths.empty


def _with_nan(network: nn.Module) -> nn.Module:
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = math.nan
    return network


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda size: {"trajectories": {1: np.zeros((2, size)), "1": np.ones((2, size))}}, "must have distinct names"),
        (lambda size: {"trajectories": [], "directions": "pca"}, "`trajectories` must hold at least two finite points"),
        (lambda size: {"directions": np.array(["pca", "filter", "x"])}, "`directions` must be 'filter', 'pca' or"),
        (lambda size: {"directions": np.zeros((3, size))}, "`directions` must be 'filter', 'pca' or"),
    ],
)
def test_misshapen_arguments(arguments: Callable[[int], dict[str, Any]], message: str) -> None:
    network, data = _network("perceptron")
    size = sum(parameter.numel() for parameter in network.parameters())
    with pytest.raises(ValueError, match=message):
        plane(network, data, n=3, **arguments(size))


def test_a_network_with_nan_has_no_plane() -> None:
    network, data = _network("perceptron")
    with pytest.raises(ValueError, match="`network` must have finite parameters"):
        plane(_with_nan(network), data, n=3)


@pytest.mark.parametrize("data", [np.ones((4, 2)), [1, 2]])
def test_paths_need_a_split(data: Any) -> None:
    with pytest.raises(TypeError, match="`data` must be a Split"):
        compare_paths(epochs=1, lr=[0.1], data=data)


def test_paths_evaluate_each_point_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[None] = []
    forward = nn.Linear.forward
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: calls.append(None) or forward(self, x))
    counted = []
    for epochs in (1, 3):
        calls.clear()
        compare_paths(epochs=epochs, lr=[0.1], n=2, network=lambda: nn.Linear(4, 1), engine="fused")
        counted.append(len(calls))
    assert counted[1] - counted[0] == 2
