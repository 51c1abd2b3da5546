"""What networks of two inputs say about every point of the plane, and how that changes in training."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn, softmax

from pycompare.calls import recorded
from pycompare.checks import whole_number
from pycompare.data.split import check_set, training_set
from pycompare.labs.classes import checked_classes, class_logits
from pycompare.labs.landscape.neuron import checked_range
from pycompare.results import Result
from pycompare.threads import torch_threads
from pycompare.training.kernels import mkl_kernels
from pycompare.training.loop import Step
from pycompare.training.losses import Loss, LossFunction, find_loss
from pycompare.training.network import evaluating, first_parameter, outputs_for

if TYPE_CHECKING:
    from plotnine import ggplot

Range = tuple[float, float]
_ROWS = 2**14  # at a time
_MARGIN = 0.05  # of the points' extent, shown around them


@dataclass(frozen=True, eq=False, repr=False)
class Boundary(Result):
    """What networks say about the points of a grid.

    Attributes:
        data: tidy frame, all values of y for the lowest x first, with columns config and epoch where several networks
            are given, then x, y, and for a classifier class (from 0), probability (of that class), margin (by how much
            its logit leads the next), for a regression value. Of outputs that are not finite: missing.
        points: x, y, and class or value of the data.
        fit: a row for each network: how many points, and accuracy (share of right classes) or rmse.
        arguments: what made it, by name.
    """

    points: pd.DataFrame
    fit: pd.DataFrame
    arguments: dict[str, Any] = field(default_factory=dict)
    _name: ClassVar[str] = "boundary"

    def summary(self) -> pd.DataFrame:
        """One row a network: config and epoch where there are several, points, accuracy or rmse on them."""
        return self.fit

    def plot(self) -> ggplot:
        """Classes as colours, fuller where more probable, or values as shades; the points on top; a facet a network."""
        from pycompare.plots import plot_boundary

        return plot_boundary(self.data, self.points)

    def animate(self, file: str | PathLike[str], **options: Any) -> Path:
        """Write the networks, epoch by epoch, as a GIF or MP4; `fps` and `progress` are those of `animate_boundary`."""
        from pycompare.plots.film import animate_boundary

        if "epoch" not in self.data:
            raise ValueError("`network` must be given for several epochs for a film; got no epochs. Use Snapshots().")
        return animate_boundary(self.data, self.points, file, **options)

    def _settings(self) -> dict[str, Any]:
        return {"arguments": self.arguments, "made_with": {"kernels": mkl_kernels()}}

    def _title(self) -> str:
        kind = "Decision boundaries" if "class" in self.data else "Values"
        networks = f"{len(self.fit)} network{'s' * (len(self.fit) > 1)}"
        return f"{kind} of {networks}, {len(self.points)} points"


class Snapshots(dict[Any, nn.Module]):
    """Copies of networks in training, by epoch, or by config and epoch: what `decision_boundary` draws and films.

    Example:
        >>> from pycompare import compare_configs, spirals_data
        >>> kept = Snapshots()
        >>> _ = compare_configs(2, lr=[0.1, 0.01], data=spirals_data(), loss="bce", on_epoch=kept.on_epoch)
        >>> list(kept)[:4]
        [('lr = 0.1', 0), ('lr = 0.1', 1), ('lr = 0.1', 2), ('lr = 0.01', 0)]
    """

    def on_epoch(self, config: str, epoch: int, network: nn.Module) -> None:
        """Keep the network at every epoch: for `compare_configs(on_epoch=)`."""
        self._keep((config, epoch), network)

    def on_step(self, step: Step) -> None:
        """Keep the network before an epoch's first step: for `train_valid(on_step=)`, which does not show the last."""
        if step.epoch - 1 not in self:
            self._keep(step.epoch - 1, step.network)

    def _keep(self, key: Any, network: nn.Module) -> None:
        self[key] = copy.deepcopy(network)
        self[key].zero_grad()


@recorded
def decision_boundary(
    network: nn.Module | Mapping[Any, nn.Module],
    data: Any,
    *,
    loss: str | LossFunction | None = None,
    grid: int = 101,
    x: Range | None = None,
    y: Range | None = None,
    threads: int | None = 1,
) -> Boundary:
    """What a network of two inputs, in evaluation mode, says about every point of a grid.

    Logits become probabilities by softmax, a single one by sigmoid. No network is changed: all their modules come back
    in the mode in which they came.

    Arguments:
        network: a module, or several by config (a text), by epoch (a whole number), or by both (config, epoch), such as
            `Snapshots` or `comparison.networks`.
        data: a `Split` (its training set is drawn), a `TensorDataset`, or a pair (inputs, targets): two inputs a row.
        loss: with which it was trained, as in `train_loop`, which tells classes from values: "cross_entropy" and "bce"
            have classes. Unless given, several outputs are logits; a single one is of classes where the targets are of
            an integer type, and else a value.
        grid: points in each direction, 2 or more.
        x, y: (lowest, highest) of the first and of the second input; unless given, around the data.
        threads: of torch, as in `train_valid`.

    Returns:
        `Boundary`; its `data` has grid^2 rows for each network.

    Raises:
        ValueError, TypeError: network and data do not fit together, or an argument is out of range.

    Example:
        >>> network = nn.Linear(2, 3)
        >>> decision_boundary(network, (np.eye(2), [0, 2]), grid=2).data.columns.tolist()
        ['x', 'y', 'class', 'probability', 'margin']
    """
    networks = _by_labels(network)
    inputs, targets = checked_points(data)
    n = whole_number("grid", grid, at_least=2)
    xs, ys = (_axis(name, bounds, column, n) for name, bounds, column in zip("xy", (x, y), inputs.T, strict=True))
    cells = pd.DataFrame({"x": np.repeat(xs, n), "y": np.tile(ys, n)})
    rows = torch.cat([torch.tensor(cells.to_numpy()), inputs])
    known = find_loss(loss) if loss is not None else None
    frames, fits = [], []
    with torch_threads(threads):
        for labels, module in networks:
            outputs = _outputs(module, rows)
            read = _as_classes if _are_classes(outputs, targets, known) else _as_values
            said, wanted, fit = read(outputs[: len(cells)], outputs[len(cells) :], targets)
            frames.append(pd.concat([pd.DataFrame(labels, cells.index), cells, said], axis=1))
            fits.append(labels | {"points": len(inputs)} | fit)
    points = pd.concat([pd.DataFrame(inputs.numpy(), columns=["x", "y"]), wanted], axis=1)
    arguments = {"loss": loss, "grid": n, "x": x, "y": y, "threads": threads, "networks": len(networks)}
    return Boundary(pd.concat(frames, ignore_index=True), points, pd.DataFrame(fits), arguments)


def _by_labels(network: Any) -> list[tuple[dict[str, Any], nn.Module]]:
    """The networks, each with its columns config and epoch."""
    if not isinstance(network, Mapping):
        return [({}, network)]
    labelled = [(_labels(key), module) for key, module in network.items()]
    if len({tuple(labels) for labels, _ in labelled}) != 1:
        raise ValueError(
            f"`network` must have networks by config, by epoch or by both; got {[*network]}. Name all in one way."
        )
    return labelled


def _labels(key: Any) -> dict[str, Any]:
    match key:
        case str():
            return {"config": key}
        case int():
            return {"epoch": key}
        case (str() as config, int() as epoch):
            return {"config": config, "epoch": epoch}
    raise TypeError(f"`network` must have a text, an epoch or (text, epoch) as a name; got {key!r}. Rename it.")


def checked_points(data: Any) -> tuple[Tensor, Tensor]:
    """Inputs, float64 (n, 2), and targets, (n,), on the CPU; or one clear error."""
    dataset: Any = training_set(data)
    check_set("data", dataset)
    inputs, targets = (tensor.detach().cpu() for tensor in dataset.tensors)
    if inputs.shape[1:] != (2,):
        raise ValueError(
            f"`data` must have two inputs a row, for two axes; got shape {tuple(inputs.shape)}. Pass two columns."
        )
    if targets.numel() != len(inputs):
        raise ValueError(
            f"`data` must have one target a row; got shape {tuple(targets.shape)}. Pass classes or values."
        )
    return inputs.double(), targets.reshape(-1)


def _axis(name: str, bounds: Range | None, column: Tensor, n: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The grid of one input: as given, or around the points."""
    if bounds is not None:
        return np.linspace(*checked_range(name, bounds), n)
    low, high = column.min().item(), column.max().item()
    margin = _MARGIN * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, n)


@torch.no_grad()
def _outputs(network: nn.Module, rows: Tensor) -> Tensor:
    """The outputs in evaluation mode, on the CPU, shape (rows, outputs)."""
    own = rows.to(first_parameter(network), copy=True)  # a first layer may work in place
    with evaluating(network):
        outputs = torch.cat([outputs_for(network, part) for part in own.split(_ROWS)]).cpu()
    return outputs[:, None] if outputs.ndim == 1 else outputs


def _are_classes(outputs: Tensor, targets: Tensor, loss: Loss | None) -> bool:
    if loss is not None:
        return loss.of_classes or loss.of_shares
    return outputs.shape[1:] != (1,) or not targets.is_floating_point()


def _as_classes(
    cells: Tensor, at_points: Tensor, targets: Tensor
) -> tuple[pd.DataFrame, pd.Series[int], dict[str, float]]:
    """What is said about the cells; the classes of the points; and the share of them that is right."""
    logits = class_logits(cells)
    classes = checked_classes("targets", targets, len(targets), logits.shape[1])
    leading, _ = logits.double().topk(2)
    probability = softmax(logits.double(), 1).amax(1)
    said = {"class": logits.argmax(1), "probability": probability, "margin": leading[:, 0] - leading[:, 1]}
    frame = pd.DataFrame({name: column.numpy() for name, column in said.items()}).astype({"class": "Int64"})
    right = (class_logits(at_points).argmax(1) == classes).double().mean().item()
    known = frame[logits.isfinite().all(1).numpy()].reindex(frame.index)
    return known, pd.Series(classes.numpy(), name="class"), {"accuracy": right}


def _as_values(
    cells: Tensor, at_points: Tensor, targets: Tensor
) -> tuple[pd.DataFrame, pd.Series[float], dict[str, float]]:
    """What is said about the cells; the values of the points; and the root of the mean squared distance from them."""
    if cells.shape[1:] != (1,):
        raise ValueError(
            f"`network` must return one number a row; got {tuple(cells.shape[1:])}. For a classifier pass its loss."
        )
    said = cells[:, 0].double()
    rmse = (at_points[:, 0] - targets).double().square().mean().sqrt().item()
    frame = pd.DataFrame({"value": said.where(said.isfinite(), torch.nan).numpy()})
    return frame, pd.Series(targets.double().numpy(), name="value"), {"rmse": rmse}
