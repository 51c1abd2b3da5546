"""Paths of optimizers over the map of one neuron's loss."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from pycompare.checks import float_dtype, number, whole_number
from pycompare.labels import setting_label, value_label
from pycompare.labs.landscape.neuron import (
    MAP_POINTS,
    MAP_RANGE,
    checked_loss,
    checked_points,
    loss_map,
)
from pycompare.training.loop import OptimizerFactory, accepts, make_optimizer, optimizer_factory
from pycompare.training.losses import LossFunction

if TYPE_CHECKING:
    from plotnine import ggplot

Range = tuple[float, float]
_LR = 0.1
_TUPLES = ("start", "betas")  # arguments whose one value is a pair: only a list of pairs is several


@dataclass(frozen=True, eq=False)
class Descents:
    """Paths of a neuron's weight and bias over the map of its loss.

    Attributes:
        data: tidy frame, one row for each path and epoch. A column for each argument that varies (the losses' is
            loss_fn) and, where paths lie on one map, config (the label, "momentum = 0.9"); then epoch (0 is the start),
            weight, bias, and the loss at that point. Numbers that overflow are infinite or NaN.
        losses: the losses by name.
        overlay: the argument whose paths lie on one map; None where there is none.
        rows: the argument that has a row of maps for each value; None where there is none.
        x, y: the points, each of shape (points,).
    """

    data: pd.DataFrame
    losses: dict[str, str | LossFunction]
    overlay: str | None
    rows: str | None
    x: Tensor = field(repr=False)
    y: Tensor = field(repr=False)

    def summary(self) -> pd.DataFrame:
        """One row a path: where it ends, with what loss, and at which epoch it diverged and left the default map.

        Returns:
            The columns of `data` before epoch; weight, bias, loss of the last finite point; diverged_at (the first
            epoch without finite numbers) and left_map_at, both Int64 with NA where there is none.
        """
        starts = self._starts()
        path = (self.data["epoch"] == 0).cumsum()
        window = {name: _around(starts[name]) for name in ("weight", "bias")}
        ends = pd.DataFrame([_end(rows, window) for _, rows in self.data.groupby(path)])
        keys = starts.loc[:, :"epoch"].drop(columns="epoch").reset_index(drop=True)
        return keys.join(ends.astype({"diverged_at": "Int64", "left_map_at": "Int64"}))

    def maps(self, weight: Range | None = None, bias: Range | None = None, n: int = MAP_POINTS) -> pd.DataFrame:
        """The `loss_map` of each loss, one below the other, with its name in loss_fn.

        Arguments:
            weight, bias: (lowest, highest); unless given, from -5 to 8, or further where a start lies outside.
            n: points in each direction.
        """
        starts = self._starts()
        weight, bias = weight or _around(starts["weight"]), bias or _around(starts["bias"])
        x, y, dtype = self.x.numpy(), self.y.numpy(), self.x.dtype
        frames = [
            loss_map(loss, x, y, weight, bias, n, dtype=dtype).assign(loss_fn=name)
            for name, loss in self.losses.items()
        ]
        return pd.concat(frames, ignore_index=True)

    def plot(
        self,
        weight: Range | None = None,
        bias: Range | None = None,
        n: int = MAP_POINTS,
        *,
        colour: str = "shared",
    ) -> ggplot:
        """The paths on the maps: bias to the right, weight upwards, a facet for each loss; lighter is lower.

        Arguments:
            weight, bias, n: as in `maps`. A path that leaves the map is cut at its edge; the caption says when.
            colour: "shared", one log scale for all maps, or "facet", rescaled within each, as the legend then says.
        """
        from pycompare.plots import plot_paths

        starts = self._starts()
        usual = all(starts[name].between(*MAP_RANGE).all() for name in ("weight", "bias"))
        note = "" if usual else f"a start lies off the usual map, {MAP_RANGE[0]:g} to {MAP_RANGE[1]:g}"
        facets = {"columns": self._columns(), "rows": self.rows}
        maps = self.maps(weight, bias, n)
        return plot_paths(maps, self.data, x="bias", y="weight", **facets, colour=colour, note=note)

    def plot_fit(self) -> ggplot:
        """The points, and the line that each path ends with."""
        from pycompare.plots import plot_fit

        points = pd.DataFrame({"x": self.x.numpy(), "y": self.y.numpy()})
        return plot_fit(points, self.summary(), columns=self._columns(), rows=self.rows)

    def animate(self, file: str | PathLike[str], *, fps: int = 15, progress: bool = True) -> Path:
        """Write the paths, epoch by epoch, as a GIF or MP4; arguments and errors as in `animate_paths`."""
        from pycompare.plots.film import animate_paths

        facets = [name for name in (self.rows, self._columns()) if name]
        return animate_paths(
            self.plot(), self.data, file, x="bias", y="weight", facets=facets, fps=fps, progress=progress
        )

    def save(self, folder: str | PathLike[str]) -> list[Path]:
        """Write descents.csv and descents.png into `folder`, as `Comparison.save` does; return their paths."""
        from pycompare.files import save_files

        return save_files(folder, "descents", self.data, self.plot())

    def __repr__(self) -> str:
        varied = " and ".join(name for name in (self.overlay, self.rows) if name) or "one setting"
        losses = ", ".join(self.losses)
        return f"Descents of {losses}, {varied}, {len(self.x)} points\n\n{self.summary().to_string(index=False)}"

    def _repr_png_(self) -> bytes:
        from pycompare.plots import png

        return png(self.plot())

    def _columns(self) -> str | None:
        return "loss_fn" if len(self.losses) > 1 else None

    def _starts(self) -> pd.DataFrame:
        return self.data[self.data["epoch"] == 0]


def descend(
    loss: str | LossFunction = "mse",
    x: Any = None,
    y: Any = None,
    *,
    lr: float = _LR,
    epochs: int = 100,
    start: Range = (6.0, -3.0),
    optimizer: str | OptimizerFactory = "sgd",
    dtype: torch.dtype = torch.float32,
    **optimizer_arguments: Any,
) -> Descents:
    """Fit y = weight x + bias by `epochs` steps of an optimizer, each on all points, and keep the path.

    Arguments:
        loss, x, y, dtype: as in `loss_map`.
        lr: learning rate, 0 or more.
        epochs: 1 or more.
        start: the first (weight, bias).
        optimizer: "sgd", "adam", "adamw", "rmsprop", "adagrad", or a callable (parameters, **arguments) ->
            `torch.optim.Optimizer`.
        optimizer_arguments: momentum, dampening, weight_decay, nesterov, maximize, betas, ...: what it takes.

    Returns:
        `Descents` with one path: data has epoch, weight, bias, loss, and epochs + 1 rows. What diverges holds infinity
            and NaN.

    Raises:
        ValueError, TypeError: before any step, naming argument, value and remedy.

    Mirrors `descend` of r_reference/R, with R torch's bits in float32.

    Example:
        >>> descend(epochs=2).data["loss"].round(4).tolist()
        [53.0783, 34.7295, 22.8912]
    """
    settings = {"loss": loss, "lr": lr, "start": start, "optimizer": optimizer} | optimizer_arguments
    for name, value in settings.items():
        if _is_several(name, value):
            raise TypeError(f"`{name}` must be one value; got {value!r}. Use compare_descents() to compare several.")
    return compare_descents(x=x, y=y, epochs=epochs, dtype=dtype, **settings)


def compare_descents(
    loss: Any = "mse",
    x: Any = None,
    y: Any = None,
    *,
    lr: Any = _LR,
    epochs: int = 100,
    start: Any = (6.0, -3.0),
    optimizer: Any = "sgd",
    dtype: torch.dtype = torch.float32,
    **optimizer_arguments: Any,
) -> Descents:
    """Several paths over the same maps: every argument that is a list makes the comparison.

    A list of losses makes facets. The first other list lays its paths over one another on each map, and a second one
    makes a row of facets for each of its values; first is lr, then start, optimizer, and the others as given.

    Arguments:
        loss, lr, start, optimizer, optimizer_arguments: as in `descend`, or lists of such values (start and betas: a
            list of pairs). At most two lists besides the losses. No two values of a list have one label, which is
            a function's name.
        x, y, epochs, dtype: as in `descend`.

    Returns:
        `Descents`, which can draw, animate, summarise and save itself.

    Raises:
        ValueError, TypeError: before any step, naming argument, value and remedy.

    Example:
        >>> compare_descents(["mse", "l1"], momentum=[0, 0.9], epochs=2).data.columns.tolist()
        ['loss_fn', 'momentum', 'config', 'epoch', 'weight', 'bias', 'loss']
    """
    points = checked_points(x, y, float_dtype("dtype", dtype))
    epochs = whole_number("epochs", epochs, at_least=1)
    settings = {"loss": loss, "lr": lr, "start": start, "optimizer": optimizer} | optimizer_arguments
    varied = {name: _distinct(name, value) for name, value in settings.items() if _is_several(name, value)}
    others = [name for name in varied if name != "loss"]
    if len(others) > 2:
        names = ", ".join(f"`{name}`" for name in others)
        raise ValueError(f"At most two arguments besides `loss` may be lists; got {names}. Fix one of them.")
    overlay, rows = (*others, None, None)[:2]
    choices = [dict(zip(varied, values, strict=True)) for values in itertools.product(*varied.values())]
    starts = [_start(settings | choice, dtype) for choice in choices]  # every error comes before the first step
    frames = []
    for choice, start_of_path in zip(choices, starts, strict=True):
        frame = _walk(*start_of_path, points, epochs)
        columns = {_COLUMNS.get(name, name): _cell(value) for name, value in choice.items()}
        if overlay:
            columns["config"] = setting_label(overlay, choice[overlay])
        for i, (name, value) in enumerate(columns.items()):
            frame.insert(i, name, value)
        frames.append(frame)
    losses = {value_label(one): one for one in varied.get("loss", [loss])}
    return Descents(pd.concat(frames, ignore_index=True), losses, overlay, rows, *points)


def _start(settings: dict[str, Any], dtype: torch.dtype) -> tuple[nn.Linear, torch.optim.Optimizer, LossFunction]:
    """A neuron at its start, its optimizer, and the loss, all checked."""
    arguments = dict(settings)
    loss, start, optimizer = (arguments.pop(name) for name in ("loss", "start", "optimizer"))
    if arguments["lr"] == _LR and not accepts(optimizer_factory(optimizer), "lr"):
        del arguments["lr"]
    if not isinstance(start, (tuple, list)) or len(start) != 2:
        raise TypeError(f"`start` must be a pair (weight, bias); got {start!r}. Pass e.g. (6, -3).")
    line = _line(number("start", start[0]), number("start", start[1]), dtype)
    return line, make_optimizer(line, optimizer, arguments), checked_loss(loss)


def _walk(
    line: nn.Linear, opt: torch.optim.Optimizer, loss: LossFunction, points: tuple[Tensor, Tensor], epochs: int
) -> pd.DataFrame:
    """Take the steps; the point and its loss before each of them and after the last."""
    # Strides (1, 1): of (1, points), BLAS would sum the gradient of the weight in another order than R torch did.
    inputs, targets = (vector[:, None] for vector in points)

    def closure() -> Any:
        line.zero_grad()  # the optimizer's own imports torch._dynamo, which takes a second
        value = loss(line(inputs), targets)
        value.backward()
        return value

    rows = []
    for epoch in range(epochs + 1):
        point = line.weight.item(), line.bias.item()
        with torch.enable_grad():
            value: Any = opt.step(closure) if epoch < epochs else loss(line(inputs), targets)
        rows.append((epoch, *point, value.item()))
    return pd.DataFrame(rows, columns=["epoch", "weight", "bias", "loss"])


def _line(weight: float, bias: float, dtype: torch.dtype) -> nn.Linear:
    """A 1 -> 1 layer at this weight and bias, made without a random draw."""
    line = nn.Linear(1, 1, device="meta")  # to_empty() and skip_init() import sympy, which takes 0.3 s
    line.weight = nn.Parameter(torch.full((1, 1), weight, dtype=dtype, device="cpu"))
    line.bias = nn.Parameter(torch.full((1,), bias, dtype=dtype, device="cpu"))
    return line


def _end(path: pd.DataFrame, window: dict[str, Range]) -> dict[str, object]:
    finite = np.isfinite(path["weight"]) & np.isfinite(path["bias"]) & np.isfinite(path["loss"])
    inside = path["weight"].between(*window["weight"]) & path["bias"].between(*window["bias"])
    last = path[finite].iloc[-1] if finite.any() else path.iloc[0]
    return {name: last[name] for name in ("weight", "bias", "loss")} | {
        "diverged_at": pd.NA if finite.all() else int(path["epoch"][~finite].iloc[0]),
        "left_map_at": pd.NA if inside.all() else int(path["epoch"][~inside].iloc[0]),
    }


def _is_several(name: str, value: Any) -> bool:
    if name in _TUPLES:
        return isinstance(value, list) and all(isinstance(one, (tuple, list)) for one in value)
    return isinstance(value, (list, tuple, range, pd.Series, pd.Index)) or getattr(value, "ndim", 0) > 0


def _distinct(name: str, values: Any) -> list[Any]:
    """The values of a list, of which there is one at least, and no two with one label."""
    if getattr(values, "ndim", 1) != 1:
        raise ValueError(f"`{name}` must be one-dimensional; got {values!r}. Flatten it.")
    listed = [value.item() if getattr(value, "ndim", None) == 0 else value for value in values]
    labels = [value_label(value) for value in listed]
    if not labels or len(set(labels)) < len(labels):
        raise ValueError(
            f"`{name}` must hold distinct values, at least one; got {listed!r}. Drop the duplicate, or give functions"
            " names of their own."
        )
    return listed


def _around(starts: pd.Series[float]) -> Range:
    """The default range of a map, widened by a twentieth beyond starts that lie outside of it."""
    low, high = min(MAP_RANGE[0], starts.min()), max(MAP_RANGE[1], starts.max())
    margin = (high - low) / 20
    return low - margin * (low < MAP_RANGE[0]), high + margin * (high > MAP_RANGE[1])


def _cell(value: Any) -> Any:
    return value if isinstance(value, (int, float, str)) else value_label(value)


_COLUMNS = {"loss": "loss_fn"}
