"""The two directions of a plane through a network's parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pycompare.data.arrays import real_array
from pycompare.seeding import torch_manual_seed

Vectors = np.ndarray[Any, np.dtype[np.float64]]
SEED = 123


@dataclass(frozen=True)
class Directions:
    """The two directions of a plane: `kind`, `axes` (the plane's `directions`) and `explained` as in `Plane`."""

    kind: str
    axes: Vectors
    explained: tuple[float, float] | None = None


def directions_through(
    network: nn.Module, directions: Any, paths: Mapping[str, Vectors], seed: int = SEED
) -> Directions:
    """The directions that `plane` describes, through the parameters of `network`."""
    origin = parameter_vector(network)
    if isinstance(directions, tuple):
        axes = np.stack([_direction(one, origin) for one in directions])
        if np.linalg.matrix_rank(axes) < 2:
            raise ValueError("`directions` must not lie on one line; got two that do. Pass others.")
        return Directions("given", axes)
    if directions == "pca":
        return Directions("pca", *_principal_directions(paths, origin))
    return Directions("filter", _filter_directions(network, seed))


def check_directions(directions: Any) -> Any:
    """A name, or a pair, of what was given; one clear error where it is none of the three kinds."""
    if isinstance(directions, str) and directions in ("filter", "pca"):
        return directions
    is_pair = isinstance(directions, (tuple, list, np.ndarray, Tensor)) and getattr(directions, "ndim", 1) > 0
    if is_pair and len(directions) == 2:
        return tuple(directions)
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
    displacements = points[finite_rows(points)] - origin
    if len(displacements) < 2 or origin.size < 2 or not displacements.any():
        raise ValueError(
            "`trajectories` must hold at least two finite points, not all of them the network's, for directions='pca';"
            f" got {len(displacements)}. Record the parameters of a training."
        )
    _, lengths, vectors = np.linalg.svd(displacements, full_matrices=False)
    vectors = vectors[:2] * np.sign(np.take_along_axis(vectors[:2], np.abs(vectors[:2]).argmax(axis=1)[:, None], 1))
    shares = lengths[:2] ** 2 / (lengths**2).sum()
    return vectors, (float(shares[0]), float(shares[1]))


def _direction(one: Any, origin: Vectors) -> Vectors:
    if isinstance(one, nn.Module):
        end = parameter_vector(one)
        vector = end - origin if end.shape == origin.shape else end
    else:
        vector = real_array("directions", one)
    if vector.shape != origin.shape or not np.isfinite(vector).all() or not vector.any():
        raise ValueError(
            f"`directions` must hold networks of other parameters, or vectors of {origin.size} finite numbers, not all"
            f" 0; got shape {vector.shape}. Pass modules like `network`."
        )
    return vector


def finite_rows(points: Vectors) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """For each of `points` whether all its numbers are finite."""
    return np.asarray(np.isfinite(points).all(axis=1))


def parameter_vector(network: nn.Module) -> Vectors:
    """All parameters, as `torch.nn.utils.parameters_to_vector` orders them."""
    return np.concatenate([p.detach().double().cpu().flatten().numpy() for p in network.parameters()] or [np.empty(0)])


_NORMALISATION = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
    *(nn.GroupNorm, nn.LayerNorm, nn.RMSNorm),
)
