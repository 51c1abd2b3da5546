"""The problem of one neuron, y = weight x + bias, and the map of its loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pycompare.checks import number, one_of, whole_number
from pycompare.data.arrays import real_array
from pycompare.threads import torch_threads
from pycompare.training.losses import LOSSES, OWN_LOSS, Loss, LossFunction, find_loss
from pycompare.training.options import checked_dtype

MAP_RANGE = (-5.0, 8.0)
MAP_POINTS = 101
_BLOCK = 2**16  # in numbers: a block of lines over all points stays in the processor's cache
FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]


def toy_problem(seed: int = 20240215, n: int = 50) -> tuple[FloatArray, FloatArray]:
    """Points around the parabola 0.75 x^2 + x + 2, which a line has to fit.

    Arguments:
        seed: of numpy's legacy generator, from 0 to 2^32 - 1.
        n: how many points, 2 or more.

    Returns:
        x, standard normal, and y, with normal noise of standard deviation 0.3: each float32, shape (n,).

    Source: Baumstarck (2024), "Visualizing Gradient Descent Parameters in Torch", whose points the defaults give.
    """
    n = whole_number("n", n, at_least=2)
    rng = np.random.RandomState(whole_number("seed", seed, at_least=0, at_most=2**32 - 1))
    x = rng.randn(n).astype(np.float32)
    y = 0.75 * x**2 + 1.0 * x + 2.0 + 0.3 * rng.randn(n)
    return x, y.astype(np.float32)


def loss_map(
    loss: str | LossFunction = "mse",
    x: Any = None,
    y: Any = None,
    weight: tuple[float, float] = MAP_RANGE,
    bias: tuple[float, float] = MAP_RANGE,
    n: int = MAP_POINTS,
    *,
    dtype: torch.dtype | str = torch.float32,
    threads: int | None = 1,
) -> pd.DataFrame:
    """The loss of the lines y = weight x + bias on a grid of n x n weights and biases.

    Arguments:
        loss: "mse", "l1", "huber", "smooth_l1", or a callable (outputs, targets) -> scalar tensor, both of shape
            (points, 1), which `torch.func.vmap` must be able to map.
        x, y: the points, as many of each; `toy_problem()` unless given.
        weight, bias: (lowest, highest) of the grid.
        n: points of the grid in each direction, 2 or more.
        dtype: "float32", as R torch, or "float64".
        threads: of torch, as in `train_valid`.

    Returns:
        Columns weight, bias, loss; n^2 rows, all biases of the lowest weight first. The losses have the bits that the
            loop over single lines has. Blocks bound the memory, so that n = 2001 and a million points are no problem.

    Raises:
        ValueError, TypeError: an argument is out of range or of the wrong kind.

    Mirrors `loss_map` of r_reference/R.

    Example:
        >>> loss_map("l1", n=3).head(2)
           weight  bias      loss
        0    -5.0  -5.0  6.999237
        1    -5.0   1.5  3.874653
    """
    inputs, targets = checked_points(x, y, checked_dtype(dtype))
    losses_of = _losses_of(checked_loss(loss), targets)
    n = whole_number("n", n, at_least=2)
    weights, biases = (_grid(name, bounds, n) for name, bounds in (("weight", weight), ("bias", bias)))
    rows = max(1, _BLOCK // (n * len(inputs)))
    columns = max(1, min(n, _BLOCK // len(inputs)))
    with torch_threads(threads), torch.no_grad():
        row_blocks, column_blocks = (
            torch.from_numpy(values).to(inputs.dtype).split(size)
            for values, size in ((weights, rows), (biases, columns))
        )
        blocks = [
            torch.cat([losses_of((w[:, None] * inputs)[:, None, :] + b[:, None]) for b in column_blocks], dim=1)
            for w in row_blocks
        ]
    losses = torch.cat(blocks).double().numpy()
    return pd.DataFrame({"weight": np.repeat(weights, n), "bias": np.tile(biases, n), "loss": losses.ravel()})


def checked_loss(loss: str | LossFunction) -> Loss:
    """The loss that a name, or a callable, stands for: one of numbers, not of classes."""
    if not callable(loss):
        one_of("loss", loss, [name for name, known in LOSSES.items() if known.pointwise], OWN_LOSS)
    return find_loss(loss)


def checked_points(x: Any, y: Any, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The points as two tensors of shape (points,): the toy problem's, where neither is given."""
    if (x is None) != (y is None):
        raise ValueError("`x` and `y` must be given together; got one of them. Pass both, or neither.")
    given = toy_problem() if x is None else (x, y)
    inputs, targets = (_vector(name, values, dtype) for name, values in zip("xy", given, strict=True))
    if len(inputs) != len(targets):
        raise ValueError(
            f"`x` and `y` must have the same length; got {len(inputs)} and {len(targets)}. Pass one y for each x."
        )
    return inputs, targets


def checked_range(name: str, bounds: Any) -> tuple[float, float]:
    """`bounds` as two floats, the lower first."""
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise TypeError(f"`{name}` must be a pair (lowest, highest); got {bounds!r}. Pass e.g. (-5, 8).")
    low, high = (number(name, bound) for bound in bounds)
    if low >= high:
        raise ValueError(f"`{name}` must go from a lower to a higher number; got {bounds!r}. Swap or widen them.")
    return low, high


def _losses_of(loss: Loss, targets: Tensor) -> Callable[[Tensor], Tensor]:
    """A function of outputs, shape (weights, biases, points), that gives the losses, shape (weights, biases)."""
    if loss.pointwise:
        pointwise = loss.pointwise
        return lambda outputs: pointwise(outputs, targets.expand_as(outputs), reduction="none").mean(-1)
    column = targets[:, None]
    mapped = torch.func.vmap(lambda outputs: loss.function(outputs[:, None], column))
    return lambda outputs: mapped(outputs.flatten(0, 1)).view(outputs.shape[:2])


def _grid(name: str, bounds: Any, n: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    low, high = checked_range(name, bounds)
    return low + (high - low) * np.arange(n) / (n - 1)


def _vector(name: str, values: Any, dtype: torch.dtype) -> Tensor:
    vector = torch.from_numpy(real_array(name, values)).to(dtype)
    if vector.ndim != 1 or len(vector) == 0:
        raise ValueError(
            f"`{name}` must be a vector of at least one number; got shape {tuple(vector.shape)}."
            " Flatten it, or pass more."
        )
    if not vector.isfinite().all():
        raise ValueError(f"`{name}` must be finite; got {vector[~vector.isfinite()][0].item()!r}. Drop such points.")
    return vector
