"""Gradients, values and updates of every parameter while a network trains, in any loop."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from pycompare.checks import whole_number
from pycompare.results import Result
from pycompare.training.kernels import mkl_kernels
from pycompare.training.network import checked_module
from pycompare.training.torch_private import foreach_copy_, foreach_norm, foreach_sub_

if TYPE_CHECKING:
    from plotnine import ggplot

Closure = Callable[[], Any]
_NORMS = ("gradient", "value", "update")


@dataclass(frozen=True, eq=False, repr=False)
class GradientRecord(Result):
    """What a `GradientRecorder` saw.

    Attributes:
        data: tidy frame, one row for each recorded step and parameter: step (from 1), parameter (its name), the 2-norms
            gradient (NaN where there is none), value (before the step) and update (of its change by the step), ratio
            (update / value; infinite where only the value is 0), and loss (NaN unless it was told).
        arguments: what made it, by name.
    """

    arguments: dict[str, Any] = field(default_factory=dict, repr=False)
    _name: ClassVar[str] = "gradients"

    def summary(self) -> pd.DataFrame:
        """One row a parameter: the gradient's norm at the first and the last step, and medians over all steps."""
        by_parameter = self.data.groupby("parameter", sort=False)
        ends = by_parameter["gradient"].agg(
            first_gradient=lambda norms: norms.iloc[0], last_gradient=lambda norms: norms.iloc[-1]
        )
        medians = by_parameter[["gradient", "value", "update", "ratio"]].median().add_prefix("median_")
        table: pd.DataFrame = ends.join(medians).reset_index()
        return table

    def plot(self, statistics: Sequence[str] = ("gradient", "ratio")) -> ggplot:
        """A line for each parameter by step, on logarithmic axes, a panel for each statistic.

        Arguments:
            statistics: some of "gradient", "value", "update", "ratio", "loss".
        """
        from pycompare.plots import plot_gradients

        return plot_gradients(self.data, statistics=statistics)

    def _settings(self) -> dict[str, Any]:
        return {"arguments": self.arguments, "made_with": {"kernels": mkl_kernels()}}

    def _title(self) -> str:
        count, steps = self.data["parameter"].nunique(), self.data["step"].nunique()
        return f"Gradients of {count} parameters at {steps} steps"


class _Row(NamedTuple):
    step: int
    loss: float
    norms: Tensor  # of all gradients, all values, all updates


class GradientRecorder:
    """Records, while it is open, the norms of gradient, value and update of every parameter at steps of an optimizer.

        gradient = |g|;  value = |p|;  update = |p' - p|;  ratio = |p' - p| / |p|

    with p a parameter before the step, p' after it, and g its gradient when the step begins. It hooks onto the
    optimizer, and changes nothing of network, gradients or loop. Where a step gets a closure, gradient and loss are
    those of its first call. Norms are those of `Tensor.norm()`, in its bits.

    Arguments:
        network: any module, on one device. Recorded are those of its parameters that the optimizer holds now.
        optimizer: any `torch.optim.Optimizer`.
        every: the steps recorded are 1, 1 + every, 1 + 2 every, ...; 1 or more.
        last: how many of the recorded steps are kept, the last ones; None keeps all, 12 bytes a step and parameter and
            some 500 a step.

    Raises:
        ValueError, TypeError: an argument is out of range or of the wrong kind, or `optimizer` holds no parameter of
            `network`.

    Mirrors what `gradient_norms` of r_reference/R notes in R torch, with its bits.

    Example:
        >>> from pycompare import AdamW, MLP, torch_manual_seed
        >>> with torch_manual_seed(123):
        ...     network, x = MLP(4), torch.rand(16, 4)
        >>> opt = AdamW(network.parameters(), lr=0.01)
        >>> with GradientRecorder(network, opt) as recorder:
        ...     for _ in range(3):
        ...         opt.zero_grad()
        ...         loss = network(x).square().mean()
        ...         loss.backward()
        ...         recorder.loss(loss)
        ...         opt.step()
        >>> recorder.frame.shape
        (18, 7)
    """

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, *, every: int = 1, last: int | None = None
    ) -> None:
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(f"`optimizer` must be a torch.optim.Optimizer; got {optimizer!r}. Pass e.g. AdamW(...).")
        self._optimizer = optimizer
        held = _held(checked_module(network), optimizer)
        self._names, self._parameters = list(held), list(held.values())
        self._every = whole_number("every", every, at_least=1)
        kept = None if last is None else whole_number("last", last, at_least=1)
        self._arguments = {"network": str(network), "optimizer": str(optimizer), "every": self._every, "last": kept}
        self._rows: deque[_Row] = deque(maxlen=kept)
        self._open: ExitStack | None = None
        self._steps = 0
        self._due = False
        self._loss = math.nan
        self._before: list[Tensor] = []
        self._norms: list[Tensor] = []

    def __enter__(self) -> Self:
        """Hook onto the optimizer. A recorder that was closed goes on counting when it is opened again."""
        if self._open:
            raise RuntimeError("A recorder must be closed before it is opened again. Make another for the inner scope.")
        self._before = [torch.empty_like(parameter) for parameter in self._parameters]
        self._open = ExitStack()
        self._open.enter_context(self._optimizer.register_step_pre_hook(self._before_step))
        self._open.enter_context(self._optimizer.register_step_post_hook(self._after_step))
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the hooks."""
        if self._open:
            self._open.close()
        self._open, self._due = None, False

    def loss(self, value: Tensor | float) -> None:
        """Tell the loss, one number, of the step that is taken next."""
        if not (value.numel() == 1 if isinstance(value, Tensor) else isinstance(value, Real)):
            raise TypeError(f"`value` must be one number; got {value!r}. Pass the mean.")
        self._loss = float(value.detach() if isinstance(value, Tensor) else value)

    @property
    def frame(self) -> pd.DataFrame:
        """What was recorded so far: `GradientRecord.data`."""
        names = self._names
        norms = np.empty((0, len(_NORMS), len(names)))
        if self._rows:
            norms = torch.stack([row.norms for row in self._rows]).double().cpu().numpy().reshape(-1, *norms.shape[1:])
        frame = pd.DataFrame({"step": np.repeat([row.step for row in self._rows], len(names)).astype(int)})
        frame["parameter"] = names * len(norms)
        for i, name in enumerate(_NORMS):
            frame[name] = norms[:, i].ravel()
        frame["ratio"] = frame["update"] / frame["value"]
        frame["loss"] = np.repeat([row.loss for row in self._rows], len(names)).astype(float)
        return frame

    def result(self) -> GradientRecord:
        """What was recorded so far, which can draw, summarise and save itself."""
        return GradientRecord(self.frame, self._arguments)

    def _before_step(self, _: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._due = self._steps % self._every == 0
        if not self._due:
            return None
        with torch.no_grad():
            foreach_copy_(self._before, self._parameters)
            self._look()
        if kwargs.get("closure"):
            return args, kwargs | {"closure": self._seen(kwargs["closure"])}
        if len(args) > 1 and args[1]:  # the first is the optimizer
            return (args[0], self._seen(args[1]), *args[2:]), kwargs
        return None

    def _after_step(self, *_: Any) -> None:
        if self._due:
            with torch.no_grad():
                foreach_sub_(self._before, self._parameters)
                norms = torch.stack([*self._norms, *foreach_norm(self._before)])
            self._rows.append(_Row(self._steps + 1, self._loss, norms))
        self._steps += 1
        self._loss = math.nan

    def _look(self) -> None:
        """Take the norms of gradients and values."""
        gradients, values = [parameter.grad for parameter in self._parameters], self._before
        dense = [gradient for gradient in gradients if gradient is not None and gradient.layout is torch.strided]
        if len(dense) == len(values):
            self._norms = [*foreach_norm([*dense, *values])]
        else:
            none = values[0].new_tensor(math.nan)
            self._norms = [none if one is None else one.norm() for one in (*gradients, *values)]

    def _seen(self, closure: Closure) -> Closure:
        """`closure`, whose first call is looked at."""
        first = True

        def seen() -> Any:
            nonlocal first
            value = closure()
            if first:
                first = False
                with torch.no_grad():
                    self._look()
                self.loss(math.nan if value is None else value)
            return value

        return seen


def _held(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The parameters of `network` that `optimizer` holds, by name."""
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    parameters: dict[str, Tensor] = {
        name: parameter for name, parameter in network.named_parameters() if id(parameter) in held
    }
    if not parameters:
        raise ValueError("`optimizer` must hold parameters of `network`; got none. Make it of network.parameters().")
    if len({parameter.device for parameter in parameters.values()}) > 1:
        raise ValueError("`network` must lie on one device; got several. Record its parts one by one.")
    return parameters
