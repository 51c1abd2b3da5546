"""The paths of one network's training under several settings, on one plane."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import nn

from pycompare.checks import whole_number
from pycompare.data.split import course_data
from pycompare.labs.landscape.planes import Plane, Vectors, check_directions, network_loss, parameter_vector, plane
from pycompare.sweeps.configs import Comparison, compare_configs

if TYPE_CHECKING:
    from plotnine import ggplot


@dataclass(frozen=True, eq=False)
class PathComparison:
    """The paths of one network trained under several settings, on one plane.

    Attributes:
        data: tidy frame config, epoch (0 is the start), a, b, loss (of the training set, in evaluation mode, buffers
            included), explained (see `Plane`).
        plane: the map, through the common start.
        start: a copy of the network at the common start.
        trajectories: the parameters by config, each of shape (epochs + 1, parameters).
        comparison: the curves, as `compare_configs` returns them.
    """

    data: pd.DataFrame
    plane: Plane
    start: nn.Module
    trajectories: dict[str, Vectors] = field(repr=False)
    comparison: Comparison

    def summary(self) -> pd.DataFrame:
        """One row a config: its last training loss, and the share of its path that the plane explains."""
        last = self.data.groupby("config", sort=False).tail(1)
        return last[["config", "epoch", "loss", "explained"]].reset_index(drop=True)

    def plot(self, *, colour: str = "shared") -> ggplot:
        """All paths on the one map; the legend has the share of each that the plane explains."""
        return self.plane.plot(colour=colour)

    def animate(self, file: str | PathLike[str], *, fps: int = 10, progress: bool = True) -> Path:
        """Write the paths, epoch by epoch, as a GIF or MP4; arguments and errors as in `animate_paths`."""
        return self.plane.animate(file, fps=fps, progress=progress)

    def save(self, folder: str | PathLike[str]) -> list[Path]:
        """Write paths.csv and paths.png into `folder`, as `Comparison.save` does; return their paths."""
        from pycompare.files import save_files

        return save_files(folder, "paths", self.data, self.plot())

    def __repr__(self) -> str:
        return f"Paths of {self.comparison.parameter}\n{self.plane!r}\n\n{self.summary().to_string(index=False)}"

    def _repr_png_(self) -> bytes:
        from pycompare.plots import png

        return png(self.plot())


def compare_paths(
    *, directions: str | tuple[Any, Any] = "pca", n: int = 41, **compare_configs_arguments: Any
) -> PathComparison:
    """Train one network under several settings, as `compare_configs` does, and lay its paths on one plane.

    All paths have one start, which is the plane's origin. How much of each the plane explains stands in the legend: of
    a path with a small share, the map shows little.

    Arguments:
        directions, n: as in `plane`; the principal directions are those of all paths together.
        compare_configs_arguments: as in `compare_configs`, except n_jobs and on_epoch.

    Returns:
        A `PathComparison`; its `data` has columns config, epoch, a, b, loss, explained.

    Raises:
        ValueError, TypeError: before any training where an argument of `compare_configs` is wrong.
    """
    data, loss = compare_configs_arguments.get("data") or course_data(), compare_configs_arguments.get("loss", "mse")
    recorded: dict[str, list[Vectors]] = {}
    losses: list[float] = []
    start: list[nn.Module] = []

    def record(config: str, _: int, network: nn.Module) -> None:
        if not start:
            start.append(copy.deepcopy(network))
        recorded.setdefault(config, []).append(parameter_vector(network))
        losses.append(network_loss(network, data, loss))

    n = whole_number("n", n, at_least=2)
    check_directions(directions)
    for name in compare_configs_arguments.keys() & {"n_jobs", "on_epoch"}:
        raise TypeError(f"`{name}` must be left out here; got {compare_configs_arguments[name]!r}. Paths need both.")
    comparison = compare_configs(**compare_configs_arguments, on_epoch=record)
    trajectories = {config: np.stack(points) for config, points in recorded.items()}
    if not any(np.isfinite(points[1:]).all(axis=1).any() for points in trajectories.values()):
        raise ValueError(
            f"`{comparison.parameter}` and the other settings must let at least one run finish an epoch; got"
            " parameters that overflow in all of them. Choose a smaller learning rate."
        )
    made = plane(start[0], data, directions=directions, trajectories=trajectories, loss=loss, n=n)
    frame = made.paths.assign(loss=np.where(np.isfinite(losses), losses, np.nan))
    return PathComparison(frame, replace(made, paths=frame), start[0], trajectories, comparison)
