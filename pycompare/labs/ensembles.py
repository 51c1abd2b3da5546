"""Dropout at prediction: means over passes in which it stays active."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn, softmax

from pycompare.calls import recorded
from pycompare.checks import whole_number
from pycompare.data.arrays import real_array
from pycompare.labs.classes import checked_classes, class_logits
from pycompare.results import Result
from pycompare.seeding import torch_manual_seed
from pycompare.sweeps.vary import Numbers, vary
from pycompare.threads import torch_threads
from pycompare.training.kernels import mkl_kernels
from pycompare.training.network import evaluating, first_parameter, outputs_for
from pycompare.training.torch_private import DropoutModule

if TYPE_CHECKING:
    from plotnine import ggplot

# PyTorch's modules that drop by their own mode: a transformer's layer in evaluation mode passes its dropout by.
_DROPPING = (DropoutModule, nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer)


@dataclass(frozen=True, eq=False, repr=False)
class MCDropout(Result):
    """Predictions of ensembles of passes with dropout, beside those of plain evaluation.

    Attributes:
        data: tidy frame, one row for each ensemble size: passes (0 is plain evaluation), ensembles (how many disjoint
            ones there were), error (mean over them, percent of wrong classes; NaN without targets), standard_error (of
            that mean; NaN of a single ensemble), entropy (in nats, mean over rows and ensembles).
        logits: mean logits of the first ensemble of each size, and at 0 those of plain evaluation: shape (rows,
            outputs), on the CPU.
        probabilities: the means of the probabilities in the same passes, shape (rows, classes).
        arguments: what made it, by name.
    """

    logits: dict[int, Tensor] = field(repr=False)
    probabilities: dict[int, Tensor] = field(repr=False)
    arguments: dict[str, Any] = field(default_factory=dict, repr=False)
    _name: ClassVar[str] = "mc_dropout"

    def summary(self) -> pd.DataFrame:
        """All of `data`: a row for plain evaluation, and one for each ensemble size."""
        return self.data

    def plot(self) -> ggplot:
        """The error by ensemble size, with a band of one standard error, and the line of plain evaluation."""
        from pycompare.plots import plot_ensembles

        return plot_ensembles(self.data)

    def _settings(self) -> dict[str, Any]:
        return {"arguments": self.arguments, "made_with": {"kernels": mkl_kernels()}}

    def _title(self) -> str:
        return f"Monte Carlo dropout of {len(self.logits[0])} rows, {max(self.logits)} passes"


@recorded
def mc_dropout(
    network: nn.Module,
    X: Any,
    y: Any = None,
    *,
    passes: Numbers = (1, 10, 100, 1000),
    ensembles: int = 20,
    seed: int = 123,
    threads: int | None = 1,
) -> MCDropout:
    """Average the logits of passes in which dropout stays active and all else, as batch norm, is in evaluation mode.

    The class predicted by an ensemble of n passes is that of the largest mean logit. Its predictive entropy is that of
    the mean probabilities: -sum_k p_k log p_k, p = (1/n) sum_i softmax(logits_i).

    As many passes are made as the largest ensemble has, each of all rows. Ensembles of each size are consecutive passes
    of these: disjoint, `ensembles` of them or as many as there are passes for. So the largest size has one, without a
    standard error: a size is given two and more by a larger one in `passes`.

    Arguments:
        network: a classifier of any kind, trained: its outputs are logits, one for each class, or a single one of class
            1 against 0. All modules come back in the mode in which they came. What counts as dropout are PyTorch's
            dropout modules, those made from them, and recurrent or attention modules with `dropout` above 0; not
            `F.dropout` in a module's own `forward`.
        X: inputs of all rows, an array or a tensor, cast to the dtype and device of the network's first parameter;
            a tensor of whole numbers, such as tokens, stays one.
        y: classes from 0, one for each row; without them there is no error.
        passes: the size of the ensembles, 1 or more, or a list of sizes.
        ensembles: of each size at most, 1 or more.
        seed: of torch's generator, which goes on afterwards as if nothing had been drawn.
        threads: of torch, as in `train_valid`.

    Returns:
        `MCDropout`; its `data` has a row for plain evaluation (passes = 0), and one for each size, in ascending order.

    Raises:
        ValueError, TypeError: before any pass, where the network has no dropout, does not take `X`, or something is out
            of range.

    Mirrors `mc_dropout` of r_reference/R: logits are added up pass by pass, then divided, which gives R torch's bits.
    Source: Gal and Ghahramani (2016), "Dropout as a Bayesian Approximation".

    Example:
        >>> network = nn.Sequential(nn.Dropout(0.2), nn.Linear(2, 3))
        >>> mc_dropout(network, np.eye(2), [0, 1], passes=[1, 10]).data["ensembles"].tolist()
        [1, 10, 1]
    """
    sizes = _checked_sizes(passes)
    ensembles = whole_number("ensembles", ensembles, at_least=1)
    inputs = _checked_inputs(network, X)
    with torch_threads(threads), torch.no_grad(), torch_manual_seed(seed, inputs.device):
        with evaluating(network):
            width = class_logits(outputs_for(network, inputs.clone())).shape[1]
        classes = None if y is None else checked_classes("y", y, len(inputs), width)
        means = ensembles_of(network, inputs, sizes, ensembles)
    arguments = {"passes": sizes, "ensembles": ensembles, "seed": seed, "threads": threads, "network": str(network)}
    return MCDropout(
        pd.DataFrame([mean.row(classes) for mean in means]),
        {mean.size: mean.logits[0] for mean in means},
        {mean.size: mean.probabilities[0] for mean in means},
        arguments,
    )


def ensembles_of(network: nn.Module, inputs: Tensor, sizes: Sequence[int], most: int) -> list[Ensembles]:
    """Plain evaluation as size 0, then up to `most` ensembles of each of the ascending `sizes`, all of the same passes.

    Draws from torch's generator as it stands.
    """
    plain, *several = [Ensembles(0, 1), *(Ensembles(size, min(most, sizes[-1] // size)) for size in sizes)]
    with evaluating(network):
        plain.add(*_with_probabilities(network(inputs.clone())))  # a first layer may work in place
    with dropping(network):
        for _ in range(sizes[-1]):
            outputs = _with_probabilities(network(inputs.clone()))
            for one in several:
                one.add(*outputs)
    return [plain, *several]


@contextmanager
def dropping(network: nn.Module) -> Iterator[None]:
    """Put dropout into training mode, all else into evaluation mode; after the scope each module is as it came."""
    with evaluating(network):
        for module in network.modules():
            module.training = _drops(module)
        yield


def _drops(module: nn.Module) -> bool:
    """Whether `module` drops by its own mode; `dropout` is 0 in recurrent and attention modules that do not."""
    return isinstance(module, _DROPPING) and getattr(module, "dropout", 1) != 0


class Ensembles:
    """Disjoint ensembles of one size: the means of their logits and probabilities; size 0 is plain evaluation."""

    def __init__(self, size: int, most: int) -> None:
        self.size, self._most, self._passes = size, most, 0
        self.logits: list[Tensor] = []
        self.probabilities: list[Tensor] = []

    def add(self, logits: Tensor, probabilities: Tensor) -> None:
        """Add a pass, unless there are ensembles enough."""
        if self._passes == 0:
            if len(self.logits) == self._most:
                return
            self._logits, self._probabilities = torch.zeros_like(logits), torch.zeros_like(probabilities)
        self._passes += 1
        self._logits += logits
        self._probabilities += probabilities
        if self._passes >= self.size:
            self.logits.append((self._logits / self._passes).cpu())
            self.probabilities.append((self._probabilities / self._passes).cpu())
            self._passes = 0

    def row(self, classes: Tensor | None) -> dict[str, float]:
        """The row of `MCDropout.data`."""
        errors = pd.Series([_error(logits, classes) for logits in self.logits])
        return {
            "passes": self.size,
            "ensembles": len(errors),
            "error": errors.mean(),
            "standard_error": float(errors.std() / math.sqrt(len(errors))),
            "entropy": float(np.mean([_entropy(probabilities) for probabilities in self.probabilities])),
        }


def _error(logits: Tensor, classes: Tensor | None) -> float:
    """Percent of rows whose largest logit is not that of their class; NaN where classes are not known."""
    if classes is None:
        return math.nan
    return 100 * float((class_logits(logits).argmax(1) != classes).double().mean())


def _entropy(probabilities: Tensor) -> float:
    """The mean over rows of the entropy in nats."""
    return float(torch.special.entr(probabilities).sum(1).mean())


def _with_probabilities(outputs: Tensor) -> tuple[Tensor, Tensor]:
    return outputs, softmax(class_logits(outputs), 1)


def _checked_sizes(passes: Numbers) -> list[int]:
    variation = vary({"passes": passes}, {"passes": partial(whole_number, at_least=1)})
    return sorted((variation.fixed | choice)["passes"] for choice in variation.choices())


def _checked_inputs(network: nn.Module, X: Any) -> Tensor:
    """All rows, as the network's first parameter; whole numbers of a tensor stay, as tokens are."""
    like = first_parameter(network)
    if not any(map(_drops, network.modules())):
        raise ValueError(
            f"`network` must have dropout, as a module such as nn.Dropout; got {network!r}. Put one between its layers."
        )
    whole = isinstance(X, Tensor) and not X.is_floating_point()
    inputs = X if whole else torch.from_numpy(real_array("X", X)).to(like.dtype)
    if inputs.ndim < 2 or len(inputs) == 0:
        raise ValueError(f"`X` must have a row for each observation; got shape {tuple(inputs.shape)}. Pass a matrix.")
    if not inputs.isfinite().all():
        raise ValueError("`X` must be finite; got NaN or infinity. Drop or impute such rows.")
    return inputs.to(like.device)
