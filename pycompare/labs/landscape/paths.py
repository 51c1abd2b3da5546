"""The paths of one network's training under several settings, on one plane."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from torch import nn

from pycompare.calls import recorded
from pycompare.checks import whole_number
from pycompare.data.split import Split, course_data
from pycompare.labs.landscape.directions import Vectors, check_directions, directions_through, parameter_vector
from pycompare.labs.landscape.planes import NetworkLoss, Plane, lay_plane
from pycompare.results import PathsResult
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.configs import compare_configs
from pycompare.sweeps.vary import is_several
from pycompare.threads import torch_threads

if TYPE_CHECKING:
    from plotnine import ggplot


@dataclass(frozen=True, eq=False, repr=False)
class PathComparison(PathsResult):
    """The paths of one network trained under several settings, on one plane.

    Attributes:
        data: tidy frame config, epoch (0 is the start), a, b, loss (of the training set, in evaluation mode, buffers
            included), explained (see `Plane`).
        plane: the map, through the common start.
        start: a copy of the network at the common start.
        trajectories: the parameters by config, each of shape (epochs + 1, parameters).
        comparison: the curves, as `compare_configs` returns them.
    """

    plane: Plane
    start: nn.Module
    trajectories: dict[str, Vectors] = field(repr=False)
    comparison: Comparison
    _name: ClassVar[str] = "paths"

    def summary(self) -> pd.DataFrame:
        """One row a config: its last training loss, and the share of its path that the plane explains."""
        last = self.data.groupby("config", sort=False).tail(1)
        return last[["config", "epoch", "loss", "explained"]].reset_index(drop=True)

    def plot(self, *, colour: str = "shared") -> ggplot:
        """All paths on the one map; the legend has the share of each that the plane explains."""
        return self.plane.plot(colour=colour)

    def _film(self) -> dict[str, Any]:
        return self.plane._film()

    def _settings(self) -> dict[str, Any]:
        told, plane = self.comparison._settings(), self.plane
        points = round(len(plane.data) ** 0.5)
        varied = {told["parameter"]: told["values"], "directions": plane.kind, "n": points}
        return {"arguments": varied | told["arguments"], "made_with": told["made_with"]}

    def _title(self) -> str:
        return f"Paths of {self.comparison.parameter}\n{self.plane!r}"


@recorded
def compare_paths(
    *,
    directions: str | tuple[Any, Any] = "pca",
    n: int = 41,
    data: Split | None = None,
    threads: int | None = 1,
    **compare_configs_arguments: Any,
) -> PathComparison:
    """Train one network under several settings, as `compare_configs` does, and lay its paths on one plane.

    All paths have one start, which is the plane's origin. How much of each the plane explains stands in the legend: of
    a path with a small share, the map shows little.

    Arguments:
        directions, n: as in `plane`; the principal directions are those of all paths together.
        data, threads: as in `compare_configs`.
        compare_configs_arguments: as in `compare_configs`, except n_jobs, on_epoch and store.

    Returns:
        A `PathComparison`; its `data` has columns config, epoch, a, b, loss, explained.

    Raises:
        ValueError, TypeError: before any training where an argument of `compare_configs` is wrong.
    """
    n = whole_number("n", n, at_least=2)
    directions = check_directions(directions)
    for name in compare_configs_arguments.keys() & {"n_jobs", "on_epoch", "store"}:
        raise TypeError(
            f"`{name}` must be left out here; got {compare_configs_arguments[name]!r}. A path is what is seen of a"
            " training, epoch by epoch."
        )
    for name in ("network", "loss"):
        given = compare_configs_arguments.get(name)
        if is_several(name, given) or isinstance(given, dict):
            raise TypeError(f"`{name}` must be one here, as paths lie on one map; got several. Fix it.")
    split = course_data() if data is None else data
    recorder = _Recorder(split, compare_configs_arguments.get("loss", "mse"))
    with torch_threads(threads):
        comparison = compare_configs(**compare_configs_arguments, data=split, threads=threads, on_epoch=recorder)
        trajectories = {config: np.stack(points) for config, points in recorder.points.items()}
        if not any(np.isfinite(points[1:]).all(axis=1).any() for points in trajectories.values()):
            raise ValueError(
                f"`{comparison.parameter}` and the other settings must let at least one run finish an epoch; got"
                " parameters that overflow in all of them. Choose a smaller learning rate."
            )
        axes = directions_through(recorder.start, directions, trajectories)
        made = lay_plane(recorder.measured, axes, trajectories, recorder.losses, None, None, n)
    return PathComparison(made.paths, made, recorder.start, trajectories, comparison)


class _Recorder:
    """Keeps the first network, and of each its parameters and its loss on the training set, at every epoch."""

    start: nn.Module
    measured: NetworkLoss

    def __init__(self, split: Split, loss: Any) -> None:
        self._split, self._loss = split, loss
        self.points: dict[str, list[Vectors]] = {}
        self.losses: dict[str, list[float]] = {}

    def __call__(self, config: str, _: int, network: nn.Module) -> None:
        if not self.points:
            self.start, self.measured = copy.deepcopy(network), NetworkLoss(network, self._split, self._loss)
        loss = self.measured.of(network)
        self.points.setdefault(config, []).append(parameter_vector(network))
        self.losses.setdefault(config, []).append(loss if np.isfinite(loss) else np.nan)
