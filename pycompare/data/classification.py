"""Classification problems as training and validation sets."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import TensorDataset

from pycompare.calls import recorded
from pycompare.checks import number, one_of, whole_number
from pycompare.data import mlbench
from pycompare.data.mlbench.problem import Classification, each, stream
from pycompare.data.rng import RRandom
from pycompare.data.split import Split


def circles(n: int, cl: int = 2, sd: float = 0.1, *, rng: RRandom | int) -> Classification:
    """Rings around each other, one a class: class k has the radius k.

    x = ((k + e) cos a, (k + e) sin a), where k is one of 1, ..., cl, a uniform on (0, 2 pi) and e of N(0, sd).

    Arguments:
        n: observations, 1 or more, each of any class.
        cl: classes, 1 or more.
        sd: standard deviation of the radius, 0 or more.
        rng: the stream to continue, or a seed for `RRandom`.

    mlbench has no such set. Mirrors `k <- sample(cl, n, TRUE); a <- runif(n, 0, 2 * pi); r <- k + rnorm(n, sd = sd)`,
    then `cbind(r * cos(a), r * sin(a))`.
    """
    n, cl = whole_number("n", n, at_least=1), whole_number("cl", cl, at_least=1)
    sd, rng = number("sd", sd, at_least=0), stream(rng)
    classes = rng.sample(cl, n, replace=True)
    angle = rng.runif(n, 0, 2 * math.pi)
    radius = classes + rng.rnorm(n, sd=sd)
    return Classification(np.column_stack([radius * each(math.cos, angle), radius * each(math.sin, angle)]), classes)


_GENERATORS: tuple[Callable[..., Classification], ...] = (
    *(mlbench.cassini, mlbench.circle, circles, mlbench.cuboids, mlbench.hypercube, mlbench.normals_2d),
    *(mlbench.ringnorm, mlbench.shapes, mlbench.simplex, mlbench.smiley, mlbench.spirals, mlbench.threenorm),
    *(mlbench.twonorm, mlbench.waveform, mlbench.xor),
)
SETS = {generate.__name__: generate for generate in _GENERATORS}


@recorded
def classification_data(name: str, n: int, *, n_valid: int = 1000, seed: int = 123, **arguments: Any) -> Split:
    """A training set of `n` rows and then, from the same stream, a validation set of `n_valid` rows.

    Arguments:
        name: of the set: circles (rings around each other), or of mlbench cassini, circle, cuboids, hypercube,
            normals_2d, ringnorm, shapes, simplex, smiley, spirals, threenorm, twonorm, waveform, xor.
        n: for the training set, as the generator takes it.
        n_valid: the same for the validation set.
        seed: of the stream, as `RRandom` takes it.
        arguments: of the generator, such as d or sd; at R's defaults unless given.

    Returns:
        inputs (n, features), float32 as of R torch's `torch_tensor(x, dtype = torch_float())`, and targets (n,), int64:
        R's class minus 1, so 0, 1, ...

    Raises:
        TypeError: the generator does not take one of the arguments.
        ValueError: there is no such set, or an argument is out of range.

    Mirrors `set.seed(seed); train <- mlbench.circle(n); valid <- mlbench.circle(n_valid)`. As `mlbench.waveform` draws
    one row after the other, its 400 and 200 rows are also the first and the last ones of `mlbench.waveform(600)`.

    Example:
        >>> classification_data("circle", 100, d=3)
        Split(100 train + 1000 valid rows, inputs (3,), targets ())
    """
    generate = SETS[one_of("name", name, SETS, "Choose one of these.")]
    _check_arguments(name, generate, arguments)
    rng = RRandom(seed)
    train, valid = (
        _dataset(generate(whole_number(called, rows, at_least=1), **arguments, rng=rng))
        for called, rows in (("n", n), ("n_valid", n_valid))
    )
    return Split(train, valid)


def _check_arguments(name: str, generate: Callable[..., Classification], arguments: Mapping[str, Any]) -> None:
    taken = [argument for argument in inspect.signature(generate).parameters if argument not in ("n", "rng")]
    for argument in arguments:
        if argument not in taken:
            raise TypeError(
                f"`{argument}` must be an argument of the set; {name!r} takes {', '.join(taken) or 'none'}."
                " Leave it out."
            )


def _dataset(drawn: Classification) -> TensorDataset:
    return TensorDataset(torch.from_numpy(drawn.x).float(), torch.from_numpy(drawn.classes - 1))
