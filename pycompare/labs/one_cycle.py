"""compare_one_cycle: one training under the one-cycle policy, beside constant learning rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike
from typing import Any

from pycompare.calls import recorded
from pycompare.checks import number, whole_number
from pycompare.data.split import Split
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.configs import checked_split, compare_configs, standardized_course
from pycompare.sweeps.momentum import momentum_arguments
from pycompare.sweeps.runs import NetworkFactory
from pycompare.sweeps.store.store import RunStore
from pycompare.training.losses import LossFunction
from pycompare.training.optim import OptimizerFactory
from pycompare.training.schedules import ConstantRate, CosineOneCycle, OneCycle, Schedule, checked_momentum
from pycompare.training.stopping import EarlyStopping

_HELD = {"constant": 1, "constant, a third": 3, "constant, a tenth": 10}  # the lower bounds that Smith's report names


@recorded
def compare_one_cycle(
    max_lr: float,
    momentum: float | tuple[float, float] = (0.85, 0.95),
    *,
    epochs: int = 30,
    batch_size: int = 16,
    data: Split | None = None,
    network: NetworkFactory | None = None,
    optimizer: str | OptimizerFactory = "sgd",
    loss: str | LossFunction = "mse",
    weight_decay: float = 0.0,
    seed: int = 123,
    seeds: int | Sequence[int] | None = 5,
    n_jobs: int | None = 1,
    engine: str = "auto",
    threads: int | None = 1,
    early_stopping: EarlyStopping | None = None,
    store: RunStore | str | PathLike[str] | None = None,
    progress: bool = False,
) -> Comparison:
    """Train under 1cycle, Smith's and R torch's, and at constant rates: `max_lr`, a third and a tenth of it.

    Arguments:
        max_lr: the largest learning rate, above 0.
        momentum: (smallest, largest): 1cycle moves it against the rate, constant rates have the largest. One number is
            for all. For optimizers with betas, beta1.
        epochs, batch_size: 1 or more; 4 steps in all at least.
        data: training and validation set; `course_data().standardized()` unless given.
        optimizer: as in `train_valid`; one that has a momentum, or betas.
        network, loss, weight_decay, seed, seeds, n_jobs, engine, threads, early_stopping, store, progress: as in
            `compare_configs`.

    Returns:
        A `Comparison` over schedule: "1cycle" (`OneCycle`), "cosine 1cycle" (`CosineOneCycle`), "constant", "constant,
        a third", "constant, a tenth".

    Raises:
        ValueError, TypeError: before the first step, naming argument, value and remedy.

    Example:
        >>> compare_one_cycle(0.1, epochs=2, seeds=2).summary()["config"].tolist()[:2]
        ['schedule = 1cycle', 'schedule = cosine 1cycle']
    """
    split, rate = checked_split(data, standardized_course), number("max_lr", max_lr, at_least=0)
    epochs, batch_size = whole_number("epochs", epochs, at_least=1), whole_number("batch_size", batch_size, at_least=1)
    cycled = checked_momentum(momentum) if isinstance(momentum, (tuple, list)) else None
    largest = cycled[1] if cycled else number("momentum", momentum, at_least=0, below=1)
    name = "momentum" if "momentum" in momentum_arguments(optimizer, {}, largest) else "beta1"
    steps = epochs * math.ceil(len(split.train) / batch_size)
    schedules: dict[str, Schedule] = {
        "1cycle": OneCycle(rate, steps, momentum=cycled),
        "cosine 1cycle": CosineOneCycle(rate, steps, momentum=cycled),
        **{held: ConstantRate(float(f"{rate / share:.2g}")) for held, share in _HELD.items()},
    }
    of_momentum: dict[str, Any] = {name: largest}
    return compare_configs(
        epochs,
        batch_size,
        weight_decay=weight_decay,
        schedule=schedules,
        data=split,
        network=network,
        optimizer=optimizer,
        loss=loss,
        seed=seed,
        seeds=seeds,
        n_jobs=n_jobs,
        engine=engine,
        threads=threads,
        early_stopping=early_stopping,
        store=store,
        progress=progress,
        **of_momentum,
    )
