"""Gradient descent with momentum on the Rosenbrock function, written out step by step as in the exercise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
import torch
from torch import Tensor

from pycompare.calls import recorded
from pycompare.checks import number, whole_number
from pycompare.results import Result
from pycompare.threads import check_stop
from pycompare.training.kernels import mkl_kernels
from pycompare.training.options import checked_dtype

if TYPE_CHECKING:
    from plotnine import ggplot

Surface = Callable[[Any, Any], Any]


def rosenbrock(x: Any, y: Any) -> Any:
    """The exercise's Rosenbrock function, (1 - x)^2 + 2 (y - x^2)^2, elementwise; its minimum is 0 at (1, 1).

    Takes and returns tensors, arrays or numbers. Mirrors the exercise's `rosenbrock`; the textbook's has 100 for 2.
    """
    return (1 - x) ** 2 + 2 * (y - x**2) ** 2


def optim_step(
    x: Tensor,
    y: Tensor,
    lr: float,
    x_momentum: Tensor,
    y_momentum: Tensor,
    beta: float,
    *,
    function: Surface = rosenbrock,
) -> Tensor:
    """Update point and momentum in place by one step of gradient descent:

        m <- beta m + (1 - beta) g;  p <- p - lr m

    This equals `torch.optim.SGD(lr * (1 - beta), momentum=beta)`.

    Arguments:
        x, y: the point: scalar leaf tensors that require gradients. Their gradients stay in `.grad`, to which the next
            step adds: zero them between two steps, as in the exercise.
        lr: learning rate, 0 or more.
        x_momentum, y_momentum: the momentum: scalar tensors of the same dtype.
        beta: share of the old momentum, in [0, 1).
        function: differentiable, of two tensors.

    Returns:
        The value at the point before the step, detached.

    Mirrors the exercise's `optim_step(x, y, lr, x_momentum, y_momentum, beta)`. Float32 has R's bits. Float64 is
    computed in true double, while R torch rounds the left scalars 1 - beta and lr to float32 first.
    """
    for name, point in (("x", x), ("y", y)):
        if not point.requires_grad:
            raise ValueError(f"`{name}` must require gradients; got {point!r}. Make it with requires_grad=True.")
    lr, beta = number("lr", lr, at_least=0), number("beta", beta, at_least=0, below=1)
    with torch.enable_grad():
        value: Tensor = function(x, y)
        value.backward()
    with torch.no_grad():
        for point, momentum in ((x, x_momentum), (y, y_momentum)):
            gradient = torch.zeros_like(point) if point.grad is None else point.grad
            momentum.mul_(beta).add_((1 - beta) * gradient)
            point.sub_(lr * momentum)
    return value.detach()


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Result):
    """The path of an optimiser over a surface.

    Attributes:
        data: tidy frame, one row a step, row 0 the start: step, x, y, value (of the function at x, y), x_momentum,
            y_momentum.
        lr, beta: the arguments of the steps.
        function: the surface.
        arguments: all of `optimize_rosenbrock`, by name.
    """

    lr: float
    beta: float
    function: Surface
    arguments: dict[str, Any] = field(default_factory=dict, repr=False)
    _name: ClassVar[str] = "trajectory"

    def summary(self) -> pd.DataFrame:
        """The start and the last step, as in `data`."""
        return self.data.iloc[[0, -1]].reset_index(drop=True)

    def plot(self) -> ggplot:
        """The path in red over the surface's filled contours; darker is lower."""
        from pycompare.plots import plot_trajectory

        if self.function is rosenbrock:
            return plot_trajectory(self.data, self.function)
        return plot_trajectory(self.data, self._on_tensors, title="Optimization Path")

    def _on_tensors(self, x: Any, y: Any) -> Any:
        return self.function(torch.from_numpy(x), torch.from_numpy(y)).numpy()

    def _settings(self) -> dict[str, Any]:
        return {"arguments": self.arguments, "made_with": {"kernels": mkl_kernels()}}

    def _title(self) -> str:
        first, last = self.data.iloc[0], self.data.iloc[-1]
        return (
            f"Trajectory of {len(self.data) - 1} steps, lr={self.lr!r}, beta={self.beta!r}:"
            f" value {first['value']:g} -> {last['value']:g} at ({last['x']:g}, {last['y']:g})"
        )


@recorded
def optimize_rosenbrock(
    steps: int,
    lr: float,
    beta: float,
    *,
    start: tuple[float, float] = (-1.0, 2.0),
    function: Surface = rosenbrock,
    dtype: torch.dtype | str = torch.float32,
) -> Trajectory:
    """Take `steps` steps of `optim_step` from `start`, momentum 0.

    Arguments:
        steps: 1 or more.
        lr: learning rate, 0 or more.
        beta: share of the old momentum, in [0, 1).
        start: the first point (x, y).
        function: a differentiable surface; to be drawn, it must work elementwise on tensors.
        dtype: "float32", as R torch, or "float64".

    Returns:
        A `Trajectory` of steps + 1 rows. Where the path diverges its rows hold infinity and NaN.

    Raises:
        ValueError, TypeError: an argument is out of range or of the wrong kind.

    Mirrors the exercise's `optimize_rosenbrock(steps, lr, beta)`; unlike R's, the frame has the start, the values and
    the momentum, and the last point once.
    """
    steps = whole_number("steps", steps, at_least=1)
    lr, beta = number("lr", lr, at_least=0), number("beta", beta, at_least=0, below=1)
    dtype = checked_dtype(dtype)
    x, y = (
        torch.tensor(number("start", value), dtype=dtype, device="cpu", requires_grad=True) for value in _pair(start)
    )
    x_momentum, y_momentum = (torch.zeros_like(x, requires_grad=False) for _ in range(2))

    def state() -> list[float]:
        with torch.no_grad():
            return [tensor.item() for tensor in (x, y, function(x, y), x_momentum, y_momentum)]

    rows = [state()]
    for _ in range(steps):
        check_stop()
        optim_step(x, y, lr, x_momentum, y_momentum, beta, function=function)
        x.grad = y.grad = None
        rows.append(state())
    data = pd.DataFrame(rows, columns=["x", "y", "value", "x_momentum", "y_momentum"])
    data.insert(0, "step", range(steps + 1))
    arguments = {"steps": steps, "lr": lr, "beta": beta, "start": start, "function": function, "dtype": dtype}
    return Trajectory(data, lr, beta, function, arguments)


def _pair(start: tuple[float, float]) -> tuple[float, float]:
    if not isinstance(start, (tuple, list)) or len(start) != 2:
        raise ValueError(f"`start` must be a pair (x, y); got {start!r}. Pass e.g. (-1, 2).")
    return start[0], start[1]
