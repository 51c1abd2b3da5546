"""The loss of any network on a plane through its parameters, and the paths of optimizers over it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from pycompare.checks import whole_number
from pycompare.data.split import Split
from pycompare.labs.landscape.neuron import checked_range
from pycompare.seeding import torch_manual_seed
from pycompare.training.batches import cast_batches, cast_dataset, split_batches
from pycompare.training.losses import LossFunction, check_loss, loss_function

if TYPE_CHECKING:
    from plotnine import ggplot

Vectors = np.ndarray[Any, np.dtype[np.float64]]
_BATCH_SIZE = 4096
_MARGIN = 0.15  # of a path's extent, shown around it


@dataclass(frozen=True, eq=False)
class Plane:
    """The loss on the plane origin + a directions[0] + b directions[1] of a network's parameter space.

    Attributes:
        data: tidy frame a, b, loss: a grid, all values of b for the lowest a first.
        paths: config, epoch, a, b (where the recorded parameters project to), loss (at the parameters themselves),
            explained (the share of the path's squared distances from the origin that lies in the plane, NaN for a path
            that stays there); no rows without trajectories. Parameters that are not finite have NaN.
        origin: the network's parameters, shape (parameters,).
        directions: shape (2, parameters).
        kind: "filter", "pca" or "given".
        explained: for "pca" the share of all squared distances that each direction explains.
    """

    data: pd.DataFrame
    paths: pd.DataFrame
    origin: Vectors = field(repr=False)
    directions: Vectors = field(repr=False)
    kind: str
    explained: tuple[float, float] | None

    def project(self, parameters: Vectors) -> Vectors:
        """The (a, b) of the points of the plane nearest to `parameters`: shape (..., parameters) to (..., 2)."""
        return np.asarray((parameters - self.origin) @ np.linalg.pinv(self.directions))

    def parameters(self, coordinates: Vectors) -> Vectors:
        """The parameters at `coordinates`: shape (..., 2) to (..., parameters)."""
        return self.origin + np.asarray(coordinates) @ self.directions

    def plot(self, *, colour: str = "shared") -> ggplot:
        """The map of the loss with the paths on it; lighter is lower. The legend has the share of each in the plane."""
        from plotnine import labs

        from pycompare.plots import plot_paths

        shares = [""] * 2 if self.explained is None else [f" ({share:.0%} explained)" for share in self.explained]
        names = [f"{_AXES[self.kind]} {i}{share}" for i, share in enumerate(shares, start=1)]
        plot = plot_paths(self.data, self._labelled_paths(), x="a", y="b", colour=colour)
        return plot + labs(x=names[0], y=names[1])

    def animate(self, file: str | PathLike[str], *, fps: int = 10, progress: bool = True) -> Path:
        """Write the paths, epoch by epoch, as a GIF or MP4; arguments and errors as in `animate_paths`."""
        from pycompare.plots.film import animate_paths

        if self.paths.empty:
            raise ValueError("`trajectories` must be given to plane() for an animation; got none. Pass some.")
        return animate_paths(self.plot(), self._labelled_paths(), file, x="a", y="b", fps=fps, progress=progress)

    def save(self, folder: str | PathLike[str]) -> list[Path]:
        """Write plane.csv (`data`) and plane.png into `folder`, as `Comparison.save` does; return their paths."""
        from pycompare.files import save_files

        return save_files(folder, "plane", self.data, self.plot())

    def __repr__(self) -> str:
        low, high = self.data["loss"].min(), self.data["loss"].max()
        shares = "" if self.explained is None else f", explaining {self.explained[0]:.1%} and {self.explained[1]:.1%}"
        return f"Plane of {self.origin.size} parameters, directions {self.kind}{shares}: loss {low:g} to {high:g}"

    def _repr_png_(self) -> bytes:
        from pycompare.plots import png

        return png(self.plot())

    def _labelled_paths(self) -> pd.DataFrame:
        shares = self.paths["explained"].map("{:.0%} in plane".format).where(self.paths["explained"].notna(), "no path")
        return self.paths.assign(config=self.paths["config"].astype(str) + " (" + shares + ")")


def plane(
    network: nn.Module,
    data: Any,
    *,
    directions: str | tuple[Any, Any] = "filter",
    trajectories: Any = None,
    loss: str | LossFunction = "mse",
    a: tuple[float, float] | None = None,
    b: tuple[float, float] | None = None,
    n: int = 41,
    seed: int = 123,
    batch_size: int = _BATCH_SIZE,
) -> Plane:
    """The loss of `network`, which is left as it was, on a plane through its parameters.

    The loss is that of the network in evaluation mode, with its buffers as they are.

    Arguments:
        network: any module. Its parameters are the plane's origin.
        data: a `Split` (its training set counts), a map-style dataset of pairs, or a pair (inputs, targets).
        directions: one of
            "filter": two random directions, normal, each filter (row of a weight) scaled to the norm of the network's;
                0 for biases and for the weights of normalisation layers, as published.
            "pca": the two principal directions of the displacements from the network in `trajectories`, each of length
                1, the largest component positive.
            (p, q): each a module like `network`, towards whose parameters the direction leads (it is at 1 on the axis,
                so that the plane goes through three networks), or a direction itself, a vector of all parameters.
        trajectories: recorded parameters to be projected, and for "pca" to be analysed: an array of shape (points,
            parameters), each row as `torch.nn.utils.parameters_to_vector` makes it, or several of them by name.
        loss: as in `train_loop`; its plain mean over rows (no root for "mse").
        a, b: (lowest, highest) of each coordinate; unless given, around the paths or, without them, around the network.
        n: points of the grid in each direction, 2 or more.
        seed: of the random directions.
        batch_size: rows evaluated at a time.

    Returns:
        A `Plane`; its `data` has columns a, b, loss and n^2 rows.

    Raises:
        ValueError, TypeError: an argument is out of range or of the wrong kind.

    Source: Li, Xu, Taylor, Studer and Goldstein (2018), "Visualizing the Loss Landscape of Neural Nets".
    """
    n = whole_number("n", n, at_least=2)
    measured = _Loss(network, data, check_loss(loss), whole_number("batch_size", batch_size, at_least=1))
    paths = _checked_trajectories(trajectories, measured.origin.size)
    explained = None
    if isinstance(check_directions(directions), tuple):
        kind, axes = "given", np.stack([_direction(one, measured.origin) for one in directions])
        if np.linalg.matrix_rank(axes) < 2:
            raise ValueError("`directions` must not lie on one line; got two that do. Pass others.")
    elif directions == "pca":
        kind, (axes, explained) = "pca", _principal_directions(paths, measured.origin)
    else:
        kind, axes = "filter", _filter_directions(network, seed)
    made = Plane(pd.DataFrame(), pd.DataFrame(), measured.origin, axes, kind, explained)
    frame = pd.concat([_path(made, measured, name, points) for name, points in paths.items()] or [_NO_PATHS])
    default = (-0.5, 1.5) if kind == "given" else (-1.0, 1.0)
    grid = measured.on_grid(
        axes, *(_span(name, bounds, frame[name], default, n) for name, bounds in (("a", a), ("b", b)))
    )
    return replace(made, data=grid, paths=frame.reset_index(drop=True))


def network_loss(network: nn.Module, data: Any, loss: str | LossFunction) -> float:
    """The loss of `network` as it is, in evaluation mode."""
    return _Loss(network, data, loss, _BATCH_SIZE).here()


class _Loss:
    """The loss of a copy of `network`, at any parameters."""

    def __init__(self, network: nn.Module, data: Any, loss: str | LossFunction, batch_size: int) -> None:
        if not isinstance(network, nn.Module):
            raise TypeError(f"`network` must be a torch.nn.Module; got {network!r}. Pass one, such as MLP(4).")
        self._network = copy.deepcopy(network).eval()
        self._parameters = list(self._network.parameters())
        if not self._parameters:
            raise ValueError(f"`network` must have parameters; got {network!r}. Pass a module with layers.")
        self._at_origin = [parameter.detach().clone() for parameter in self._parameters]
        self._function = loss_function(loss)
        like = self._parameters[0]
        dataset = cast_dataset("data", _checked_dataset(data), like)
        self._batches = list(cast_batches(split_batches(dataset, batch_size), like))
        if not all(part.isfinite().all() for batch in self._batches for part in batch):
            raise ValueError("`data` must be finite; got NaN or infinity. Drop such rows.")
        self.origin = parameter_vector(network)

    @torch.no_grad()
    def on_grid(self, directions: Vectors, a: Vectors, b: Vectors) -> pd.DataFrame:
        """The loss at all pairs of a and b."""
        first, second = (self._split(direction) for direction in directions)
        losses = []
        for i in a:
            row = [torch.add(origin, d, alpha=i) for origin, d in zip(self._at_origin, first, strict=True)]
            for j in b:
                for parameter, start, d in zip(self._parameters, row, second, strict=True):
                    torch.add(start, d, alpha=j, out=parameter)
                losses.append(self.here())
        return pd.DataFrame({"a": np.repeat(a, len(b)), "b": np.tile(b, len(a)), "loss": losses})

    @torch.no_grad()
    def at(self, vector: Vectors) -> float:
        """The loss at the parameters `vector`."""
        for parameter, values in zip(self._parameters, self._split(vector), strict=True):
            parameter.copy_(values)
        return self.here()

    @torch.no_grad()
    def here(self) -> float:
        """The loss at the parameters of the copy."""
        values = [self._function(self._network(x), y).item() for x, y in self._batches]
        if len(values) == 1:
            return float(values[0])
        return float(np.average(values, weights=[len(y) for _, y in self._batches]))

    def _split(self, vector: Vectors) -> list[Tensor]:
        parts = torch.from_numpy(vector).split([parameter.numel() for parameter in self._parameters])
        return [part.view(like.shape).to(like) for part, like in zip(parts, self._parameters, strict=True)]


def check_directions(directions: Any) -> Any:
    """`directions` itself, or one clear error where it is none of the three kinds."""
    if directions in ("filter", "pca") or (isinstance(directions, tuple) and len(directions) == 2):
        return directions
    raise ValueError(
        f"`directions` must be 'filter', 'pca' or a pair; got {directions!r}. Pass two networks for a pair."
    )


def _filter_directions(network: nn.Module, seed: int) -> Vectors:
    """Two random directions with the norms of the network's filters."""
    with torch_manual_seed(seed):
        return np.stack([np.concatenate(list(_filter_direction(network))) for _ in range(2)])


def _filter_direction(network: nn.Module) -> Iterator[Vectors]:
    normalising = [module for module in network.modules() if isinstance(module, _NORMALISATION)]
    still = {id(parameter) for module in normalising for parameter in module.parameters()}
    for parameter in network.parameters():
        weights = parameter.detach().double().cpu()
        random = torch.randn(weights.shape, dtype=torch.float64, device="cpu")
        if weights.ndim < 2 or id(parameter) in still:
            yield np.zeros(weights.numel())
            continue
        norms, lengths = (tensor.flatten(1).norm(dim=1) for tensor in (weights, random))
        yield (random.flatten(1) * (norms / lengths)[:, None]).flatten().numpy()


def _principal_directions(paths: Mapping[str, Vectors], origin: Vectors) -> tuple[Vectors, tuple[float, float]]:
    """The first two right singular vectors of the displacements, and the shares of squared length they explain."""
    points = np.concatenate([*paths.values(), np.empty((0, origin.size))])
    displacements = points[_finite_rows(points)] - origin
    if len(displacements) < 2 or origin.size < 2 or not displacements.any():
        raise ValueError(
            "`trajectories` must hold at least two finite points, not all of them the network's, for directions='pca';"
            f" got {len(displacements)}. Record the parameters of a training."
        )
    _, lengths, vectors = np.linalg.svd(displacements, full_matrices=False)
    vectors = vectors[:2] * np.sign(np.take_along_axis(vectors[:2], np.abs(vectors[:2]).argmax(axis=1)[:, None], 1))
    shares = lengths[:2] ** 2 / (lengths**2).sum()
    return vectors, (float(shares[0]), float(shares[1]))


def _path(plane: Plane, measured: _Loss, name: str, points: Vectors) -> pd.DataFrame:
    """One trajectory on the plane."""
    finite = _finite_rows(points)
    known = np.where(finite[:, None], points, plane.origin)
    coordinates = plane.project(known)
    distances, missed = (known - plane.origin) ** 2, (known - plane.parameters(coordinates)) ** 2
    total = distances.sum()
    frame = pd.DataFrame(coordinates, columns=["a", "b"])
    frame["loss"] = [measured.at(vector) for vector in known]
    frame[~finite] = np.nan
    frame.insert(0, "epoch", range(len(points)))
    frame.insert(0, "config", name)
    return frame.assign(explained=1 - missed.sum() / total if total > 0 else np.nan)


def _direction(one: Any, origin: Vectors) -> Vectors:
    if isinstance(one, nn.Module):
        end = parameter_vector(one)
        vector = end - origin if end.shape == origin.shape else end
    else:
        vector = _array("directions", one)
    if vector.shape != origin.shape or not np.isfinite(vector).all() or not vector.any():
        raise ValueError(
            f"`directions` must hold networks of other parameters, or vectors of {origin.size} finite numbers, not all"
            f" 0; got shape {vector.shape}. Pass modules like `network`."
        )
    return vector


def _array(name: str, values: Any) -> Vectors:
    """Numbers as float64: an array, a tensor, or a list of them."""
    if isinstance(values, (list, tuple)) and values and isinstance(values[0], Tensor):
        values = torch.stack(list(values))
    try:
        return np.array(values.detach().cpu().numpy() if isinstance(values, Tensor) else values, np.float64)
    except (TypeError, ValueError) as cause:
        raise TypeError(f"`{name}` must hold numbers, or networks; got {values!r}. Pass arrays.") from cause


def _checked_trajectories(trajectories: Any, size: int) -> dict[str, Vectors]:
    if trajectories is None:
        return {}
    if not isinstance(trajectories, Mapping):
        several = isinstance(trajectories, Sequence) and np.ndim(trajectories[0]) == 2
        listed = trajectories if several else [trajectories]
        trajectories = {f"path {i}": points for i, points in enumerate(listed, start=1)}
    checked = {str(name): _array("trajectories", points) for name, points in trajectories.items()}
    for name, points in checked.items():
        if points.ndim != 2 or points.shape[1] != size:
            raise ValueError(
                f"`trajectories` must have shape (points, {size}), a column for each parameter; got {points.shape} for"
                f" {name!r}. Stack torch.nn.utils.parameters_to_vector(network.parameters())."
            )
    return checked


def _checked_dataset(data: Any) -> Dataset[Any]:
    if isinstance(data, Split):
        return data.train
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise TypeError(
            f"`data` must be a Split, a dataset or a pair (inputs, targets); got {type(data).__name__}. Pass (X, y)."
        )
    x, y = (part if isinstance(part, Tensor) else torch.from_numpy(np.array(part)) for part in data)
    if len(x) != len(y):
        raise ValueError(f"`data` must have one target for each input; got {len(x)} and {len(y)}. Check their lengths.")
    return TensorDataset(x, y)


def _span(name: str, bounds: Any, path: pd.Series[float], default: tuple[float, float], n: int) -> Vectors:
    """The grid of one coordinate: as given, around the paths and the origin, or the default."""
    if bounds is not None:
        return np.linspace(*checked_range(name, bounds), n)
    low, high = min(0.0, path.min()), max(0.0, path.max())
    if not high > low:
        return np.linspace(*default, n)
    margin = _MARGIN * (high - low)
    return np.linspace(low - margin, high + margin, n)


def _finite_rows(points: Vectors) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(np.isfinite(points).all(axis=1))


def parameter_vector(network: nn.Module) -> Vectors:
    """All parameters, as `torch.nn.utils.parameters_to_vector` orders them."""
    return np.concatenate([p.detach().double().cpu().flatten().numpy() for p in network.parameters()] or [np.empty(0)])


_NORMALISATION = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
_AXES = {"filter": "random direction", "pca": "principal direction", "given": "direction"}
_NO_PATHS = pd.DataFrame({name: [] for name in ("config", "epoch", "a", "b", "loss", "explained")}, dtype=float)
