"""The loss of any network on a plane through its parameters, and the paths of optimizers over it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from pycompare.calls import recorded
from pycompare.checks import whole_number
from pycompare.data.arrays import real_array
from pycompare.data.split import training_set
from pycompare.labs.landscape.directions import (
    SEED,
    Directions,
    Vectors,
    check_directions,
    directions_through,
    finite_rows,
    parameter_vector,
)
from pycompare.labs.landscape.neuron import checked_range
from pycompare.results import PathsResult
from pycompare.threads import torch_threads
from pycompare.training.batches import batched, cast_batches
from pycompare.training.kernels import mkl_kernels
from pycompare.training.losses import LossFunction, find_loss
from pycompare.training.network import checked_module, evaluating, first_parameter

if TYPE_CHECKING:
    from plotnine import ggplot

_BATCH_SIZE = 4096
_MARGIN = 0.15  # of a path's extent, shown around it


@dataclass(frozen=True, eq=False, repr=False)
class Plane(PathsResult):
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
        arguments: what made it, by name.
    """

    paths: pd.DataFrame
    origin: Vectors = field(repr=False)
    directions: Vectors = field(repr=False)
    kind: str
    explained: tuple[float, float] | None
    arguments: dict[str, Any] = field(default_factory=dict, repr=False)
    _name: ClassVar[str] = "plane"

    def summary(self) -> pd.DataFrame:
        """One row: lowest and highest finite loss on the map, where the lowest is, and how many paths there are."""
        known = self.data[np.isfinite(self.data["loss"])].sort_values("loss", kind="stable")
        lowest, highest = (known.reindex(known.index[[i]]).iloc[0] if len(known) else {} for i in (0, -1))
        row = {"lowest_loss": lowest.get("loss"), "a": lowest.get("a"), "b": lowest.get("b")}
        row |= {"highest_loss": highest.get("loss"), "paths": self.paths["config"].nunique()}
        return pd.DataFrame([row])

    def project(self, parameters: Vectors) -> Vectors:
        """The (a, b) of the points of the plane nearest to `parameters`: shape (..., parameters) to (..., 2)."""
        return _project(parameters, self.origin, self.directions)

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

    def _film(self) -> dict[str, Any]:
        if self.paths.empty:
            raise ValueError("`trajectories` must be given to plane() for an animation; got none. Pass some.")
        return {"paths": self._labelled_paths(), "x": "a", "y": "b"}

    def _settings(self) -> dict[str, Any]:
        return {"arguments": self.arguments, "made_with": {"kernels": mkl_kernels()}}

    def _title(self) -> str:
        shares = "" if self.explained is None else f", explaining {self.explained[0]:.1%} and {self.explained[1]:.1%}"
        low, high = self.data["loss"].min(), self.data["loss"].max()
        return f"Plane of {self.origin.size} parameters, directions {self.kind}{shares}: loss {low:g} to {high:g}"

    def _labelled_paths(self) -> pd.DataFrame:
        told = self.paths["explained"].map("{:.0%} in plane".format).astype(str)  # of no paths, too
        shares = told.where(self.paths["explained"].notna(), "no path")
        return self.paths.assign(config=self.paths["config"].astype(str) + " (" + shares + ")")


@recorded
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
    seed: int = SEED,
    batch_size: int = _BATCH_SIZE,
    threads: int | None = 1,
) -> Plane:
    """The loss of `network`, which is left as it was, on a plane through its parameters.

    The loss is that of the network in evaluation mode, with its buffers as they are.

    Arguments:
        network: any module. Its parameters are the plane's origin.
        data: a `Split` (its training set counts), a map-style dataset of pairs, or a pair (inputs, targets).
        directions: one of three.

            - "filter": two random directions, normal, each filter (row of a weight) scaled to the norm of the
              network's; 0 for biases and for the weights of normalisation layers, as published.
            - "pca": the two principal directions of the displacements from the network in `trajectories`, each of
              length 1, the largest component positive.
            - (p, q): each a module like `network`, towards whose parameters the direction leads (it is at 1 on the
              axis, so that the plane goes through three networks), or a direction itself, a vector of all parameters;
              or an array of shape (2, parameters), such as `directions` of another plane.
        trajectories: recorded parameters to be projected, and for "pca" to be analysed: an array of shape (points,
            parameters), each row as `torch.nn.utils.parameters_to_vector` makes it, or several of them by name.
        loss: as in `train_loop`; its plain mean over rows (no root for "mse").
        a, b: (lowest, highest) of each coordinate; unless given, around the paths or, without them, around the network.
        n: points of the grid in each direction, 2 or more.
        seed: of the random directions.
        batch_size: rows evaluated at a time.
        threads: of torch, as in `train_valid`.

    Returns:
        A `Plane`; its `data` has columns a, b, loss and n^2 rows.

    Raises:
        ValueError, TypeError: an argument is out of range or of the wrong kind.

    Source: Li, Xu, Taylor, Studer and Goldstein (2018), "Visualizing the Loss Landscape of Neural Nets".
    """
    n = whole_number("n", n, at_least=2)
    directions = check_directions(directions)
    with torch_threads(threads):
        measured = NetworkLoss(network, data, loss, batch_size)
        paths = _checked_trajectories(trajectories, measured.origin.size)
        axes = directions_through(network, directions, paths, seed)
        losses = {name: measured.along(points) for name, points in paths.items()}
        made = lay_plane(measured, axes, paths, losses, a, b, n)
    arguments = {"directions": made.kind, "loss": loss, "a": a, "b": b, "n": n, "seed": seed, "threads": threads}
    return replace(made, arguments=arguments | {"batch_size": batch_size, "network": str(network)})


def lay_plane(
    measured: NetworkLoss,
    directions: Directions,
    paths: Mapping[str, Vectors],
    losses: Mapping[str, Sequence[float]],
    a: Any,
    b: Any,
    n: int,
) -> Plane:
    """The plane of these directions, with paths whose losses are known."""
    origin, axes = measured.origin, directions.axes
    frames = [_path(origin, axes, points).assign(config=name, loss=losses[name]) for name, points in paths.items()]
    placed = pd.concat(frames or [_NO_PATHS], ignore_index=True)[list(_NO_PATHS)]
    placed.loc[placed["a"].isna(), "loss"] = np.nan
    default = (-0.5, 1.5) if directions.kind == "given" else (-1.0, 1.0)
    spans = (_span(name, bounds, placed[name], default, n) for name, bounds in (("a", a), ("b", b)))
    return Plane(measured.on_grid(axes, *spans), placed, origin, axes, directions.kind, directions.explained)


class NetworkLoss:
    """The loss of a copy of `network` in evaluation mode, at any parameters."""

    def __init__(self, network: nn.Module, data: Any, loss: str | LossFunction, batch_size: int = _BATCH_SIZE) -> None:
        self._network = copy.deepcopy(checked_module(network)).eval()
        self._parameters = list(self._network.parameters())
        like = first_parameter(self._network)
        self._at_origin = [parameter.detach().clone() for parameter in self._parameters]
        self._function = find_loss(loss).function
        batch_size = whole_number("batch_size", batch_size, at_least=1)
        self._batches = list(cast_batches(batched("data", training_set(data), like, batch_size).batches, like))
        if not all(part.isfinite().all() for batch in self._batches for part in batch):
            raise ValueError("`data` must be finite; got NaN or infinity. Drop such rows.")
        self.origin = parameter_vector(network)
        if not np.isfinite(self.origin).all():
            raise ValueError("`network` must have finite parameters; got NaN or infinity. Use a smaller rate.")

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
                losses.append(self._of(self._network))
        return pd.DataFrame({"a": np.repeat(a, len(b)), "b": np.tile(b, len(a)), "loss": losses})

    @torch.no_grad()
    def along(self, points: Vectors) -> list[float]:
        """The loss at each of the parameters `points` that are finite, and at the origin in place of the others."""
        losses = []
        for vector in _known(points, self.origin):
            for parameter, values in zip(self._parameters, self._split(vector), strict=True):
                parameter.copy_(values)
            losses.append(self._of(self._network))
        return losses

    @torch.no_grad()
    def of(self, network: nn.Module) -> float:
        """The loss of another network like this one, as it is, with its buffers; its modules' modes come back."""
        with evaluating(network):
            return self._of(network)

    def _of(self, network: nn.Module) -> float:
        values = [self._function(network(x), y).item() for x, y in self._batches]
        if len(values) == 1:
            return float(values[0])
        return float(np.average(values, weights=[len(y) for _, y in self._batches]))

    def _split(self, vector: Vectors) -> list[Tensor]:
        parts = torch.from_numpy(vector).split([parameter.numel() for parameter in self._parameters])
        return [part.view(like.shape).to(like) for part, like in zip(parts, self._parameters, strict=True)]


def _path(origin: Vectors, axes: Vectors, points: Vectors) -> pd.DataFrame:
    """One trajectory on the plane: epoch, a, b, explained."""
    known = _known(points, origin)
    coordinates = _project(known, origin, axes)
    distances, missed = (known - origin) ** 2, (known - (origin + coordinates @ axes)) ** 2
    total = distances.sum()
    frame = pd.DataFrame(coordinates, columns=["a", "b"])
    frame[~finite_rows(points)] = np.nan
    return frame.assign(epoch=range(len(points)), explained=1 - missed.sum() / total if total > 0 else np.nan)


def _project(parameters: Vectors, origin: Vectors, axes: Vectors) -> Vectors:
    return np.asarray((parameters - origin) @ np.linalg.pinv(axes))


def _known(points: Vectors, origin: Vectors) -> Vectors:
    """`points`, with the origin in place of those that are not finite."""
    return np.where(finite_rows(points)[:, None], points, origin)


def _checked_trajectories(trajectories: Any, size: int) -> dict[str, Vectors]:
    if trajectories is None or (isinstance(trajectories, (list, tuple)) and not trajectories):
        return {}
    if not isinstance(trajectories, Mapping):
        is_list = isinstance(trajectories, (list, tuple))
        several = is_list and real_array("trajectories", trajectories[0]).ndim == 2
        listed = trajectories if several else [trajectories]
        trajectories = {f"path {i}": points for i, points in enumerate(listed, start=1)}
    checked = {str(name): real_array("trajectories", points) for name, points in trajectories.items()}
    if len(checked) < len(trajectories):
        raise ValueError(f"`trajectories` must have distinct names as texts; got {list(trajectories)}. Rename one.")
    for name, points in checked.items():
        if points.ndim != 2 or points.shape[1] != size:
            raise ValueError(
                f"`trajectories` must have shape (points, {size}), a column for each parameter; got {points.shape} for"
                f" {name!r}. Stack torch.nn.utils.parameters_to_vector(network.parameters())."
            )
    return checked


def _span(name: str, bounds: Any, path: pd.Series[float], default: tuple[float, float], n: int) -> Vectors:
    """The grid of one coordinate: as given, around the paths and the origin, or the default."""
    if bounds is not None:
        return np.linspace(*checked_range(name, bounds), n)
    low, high = min(0.0, path.min()), max(0.0, path.max())
    if not high > low:
        return np.linspace(*default, n)
    margin = _MARGIN * (high - low)
    return np.linspace(low - margin, high + margin, n)


_AXES = {"filter": "random direction", "pca": "principal direction", "given": "direction"}
_NO_PATHS = pd.DataFrame({name: [] for name in ("config", "epoch", "a", "b", "loss", "explained")}, dtype=float)
