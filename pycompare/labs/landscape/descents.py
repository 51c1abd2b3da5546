"""Paths of optimizers over the map of one neuron's loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
import torch
from torch import Tensor, nn

from pycompare.calls import recorded
from pycompare.checks import number, whole_number
from pycompare.divergence import first_failure, is_finite
from pycompare.labels import setting_label, value_label
from pycompare.labs.landscape.neuron import (
    MAP_POINTS,
    MAP_RANGE,
    checked_loss,
    checked_points,
    loss_map,
)
from pycompare.results import PathsResult
from pycompare.sweeps.vary import Numbers, is_several, named, vary
from pycompare.threads import check_stop, torch_threads
from pycompare.training.kernels import mkl_kernels
from pycompare.training.losses import LossFunction
from pycompare.training.optim import OptimizerFactory, accepts, make_optimizer, optimizer_factory
from pycompare.training.options import checked_dtype

if TYPE_CHECKING:
    from plotnine import ggplot

Range = tuple[float, float]
_LR = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class Descents(PathsResult):
    """Paths of a neuron's weight and bias over the map of its loss.

    Attributes:
        data: tidy frame, one row for each path and epoch. A column for each argument that varies (the losses' is
            loss_fn) and, where paths lie on one map, config (the label, "momentum = 0.9"); then epoch (0 is the start),
            weight, bias, and the loss at that point. Numbers that overflow are infinite or NaN.
        losses: the losses by name.
        overlay: the argument whose paths lie on one map; None where there is none.
        rows: the argument that has a row of maps for each value; None where there is none.
        x, y: the points, each of shape (points,).
        arguments: what made it, by name.
    """

    losses: dict[str, str | LossFunction]
    overlay: str | None
    rows: str | None
    x: Tensor = field(repr=False)
    y: Tensor = field(repr=False)
    arguments: dict[str, Any] = field(default_factory=dict, repr=False)
    _name: ClassVar[str] = "descents"

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

    def _film(self) -> dict[str, Any]:
        facets = [name for name in (self.rows, self._columns()) if name]
        return {"paths": self.data, "x": "bias", "y": "weight", "facets": facets}

    def _settings(self) -> dict[str, Any]:
        return {"arguments": self.arguments, "made_with": {"kernels": mkl_kernels()}}

    def _title(self) -> str:
        varied = " and ".join(name for name in (self.overlay, self.rows) if name) or "one setting"
        return f"Descents of {', '.join(self.losses)}, {varied}, {len(self.x)} points"

    def _columns(self) -> str | None:
        return "loss_fn" if len(self.losses) > 1 else None

    def _starts(self) -> pd.DataFrame:
        return self.data[self.data["epoch"] == 0]


@recorded
def descend(
    loss: str | LossFunction = "mse",
    x: Any = None,
    y: Any = None,
    *,
    lr: float = _LR,
    epochs: int = 100,
    start: Range = (6.0, -3.0),
    optimizer: str | OptimizerFactory = "sgd",
    dtype: torch.dtype | str = torch.float32,
    threads: int | None = 1,
    **optimizer_arguments: Any,
) -> Descents:
    """Fit y = weight x + bias by `epochs` steps of an optimizer, each on all points, and keep the path.

    Arguments:
        loss, x, y, dtype, threads: as in `loss_map`.
        lr: learning rate, 0 or more.
        epochs: 1 or more.
        start: the first (weight, bias).
        optimizer: "sgd", "adam", "adamw", "rmsprop", "adagrad", or a callable
            `(parameters, **arguments) -> torch.optim.Optimizer`.
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
        if is_several(name, value):
            raise TypeError(f"`{name}` must be one value; got {value!r}. Use compare_descents() to compare several.")
    return compare_descents(x=x, y=y, epochs=epochs, dtype=dtype, threads=threads, **settings)


@recorded
def compare_descents(
    loss: str | LossFunction | Sequence[str | LossFunction] = "mse",
    x: Any = None,
    y: Any = None,
    *,
    lr: Numbers = _LR,
    epochs: int = 100,
    start: Range | list[Range] = (6.0, -3.0),
    optimizer: str | OptimizerFactory | Sequence[str | OptimizerFactory] = "sgd",
    dtype: torch.dtype | str = torch.float32,
    threads: int | None = 1,
    **optimizer_arguments: Any,
) -> Descents:
    """Several paths over the same maps: every argument that is a list makes the comparison.

    A list of losses makes facets. The first other list lays its paths over one another on each map, and a second one
    makes a row of facets for each of its values; first is lr, then start, optimizer, and the others as given.

    Arguments:
        loss, lr, start, optimizer, optimizer_arguments: as in `descend`, or lists of such values (start and betas: a
            list of pairs). At most two lists besides the losses. No two values of a list have one label, which is
            a function's name.
        x, y, epochs, dtype, threads: as in `descend`.

    Returns:
        `Descents`, which can draw, animate, summarise and save itself.

    Raises:
        ValueError, TypeError: before any step, naming argument, value and remedy.

    Example:
        >>> compare_descents(["mse", "l1"], momentum=[0, 0.9], epochs=2).data.columns.tolist()
        ['loss_fn', 'momentum', 'config', 'epoch', 'weight', 'bias', 'loss']
    """
    dtype = checked_dtype(dtype)
    points = checked_points(x, y, dtype)
    epochs = whole_number("epochs", epochs, at_least=1)
    variation = vary({"loss": loss, "lr": lr, "start": start, "optimizer": optimizer} | optimizer_arguments)
    others = [name for name in variation.varied if name != "loss"]
    if len(others) > 2:
        raise ValueError(f"At most two arguments besides `loss` may be lists; got {named(others)}. Fix one of them.")
    overlay, rows = (*others, None, None)[:2]
    starts = [
        _start(variation.fixed | choice, dtype) for choice in variation.choices()
    ]  # every error comes before the first step
    frames = []
    with torch_threads(threads):
        for cells, start_of_path in zip(variation.cells(), starts, strict=True):
            columns = {_COLUMNS.get(name, name): value for name, value in cells.items()}
            if overlay:
                columns["config"] = setting_label(overlay, cells[overlay])
            frame = _walk(*start_of_path, points, epochs)
            frames.append(frame.assign(**columns)[[*columns, *frame]])
    names = variation.told("loss") if "loss" in variation.varied else [value_label(loss)]
    losses = dict(zip(names, variation.values("loss"), strict=True))
    arguments = {"epochs": epochs, "dtype": str(dtype).removeprefix("torch."), "threads": threads}
    return Descents(
        pd.concat(frames, ignore_index=True),
        losses,
        overlay,
        rows,
        *points,
        variation.varied | variation.fixed | arguments,
    )


def _start(settings: dict[str, Any], dtype: torch.dtype) -> tuple[nn.Linear, torch.optim.Optimizer, LossFunction]:
    """A neuron at its start, its optimizer, and the loss, all checked."""
    arguments = dict(settings)
    loss, start, optimizer = (arguments.pop(name) for name in ("loss", "start", "optimizer"))
    if arguments["lr"] == _LR and not accepts(optimizer_factory(optimizer), "lr"):
        del arguments["lr"]
    if not isinstance(start, (tuple, list)) or len(start) != 2:
        raise TypeError(f"`start` must be a pair (weight, bias); got {start!r}. Pass e.g. (6, -3).")
    line = _line(number("start", start[0]), number("start", start[1]), dtype)
    return line, make_optimizer(line, optimizer, arguments), checked_loss(loss).function


def _walk(
    line: nn.Linear, opt: torch.optim.Optimizer, loss: LossFunction, points: tuple[Tensor, Tensor], epochs: int
) -> pd.DataFrame:
    """Take the steps; the point and its loss before each of them and after the last."""
    # Strides (1, 1): of (1, points), BLAS would sum the gradient of the weight in another order than R torch did.
    inputs, targets = (vector[:, None] for vector in points)

    def closure() -> Any:
        line.zero_grad()  # the optimizer's own imports a compiler, which takes a second
        value = loss(line(inputs), targets)
        value.backward()
        return value

    rows = []
    for epoch in range(epochs + 1):
        check_stop()
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
    finite = is_finite(path[["weight", "bias", "loss"]])
    inside = path["weight"].between(*window["weight"]) & path["bias"].between(*window["bias"])
    last = path[finite].iloc[-1] if finite.any() else path.iloc[0]
    return {name: last[name] for name in ("weight", "bias", "loss")} | {
        "diverged_at": first_failure(path["epoch"], finite),
        "left_map_at": first_failure(path["epoch"], inside),
    }


def _around(starts: pd.Series[float]) -> Range:
    """The default range of a map, widened by a twentieth beyond starts that lie outside of it."""
    low, high = min(MAP_RANGE[0], starts.min()), max(MAP_RANGE[1], starts.max())
    margin = (high - low) / 20
    return low - margin * (low < MAP_RANGE[0]), high + margin * (high > MAP_RANGE[1])


_COLUMNS = {"loss": "loss_fn"}
