"""The course's two exercises."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pycompare.cli.edge import (
    BatchSize,
    Beta1,
    Beta2,
    LearningRate,
    WeightDecay,
    check_out,
    given,
    one_line_errors,
    report,
    split,
)


def compare(
    lr: LearningRate = None,
    batch_size: BatchSize = None,
    weight_decay: WeightDecay = None,
    beta1: Beta1 = None,
    beta2: Beta2 = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 30,
    data: Annotated[
        str,
        typer.Option(help="friedman3 (the course's), spirals, or a CSV file: header, numbers, last column the target."),
    ] = "friedman3",
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    optimizer: Annotated[str, typer.Option(help="adamw, adam, rmsprop, sgd or adagrad.")] = "adamw",
    loss: Annotated[str, typer.Option(help="mse, l1, huber, smooth_l1 or cross_entropy.")] = "mse",
    dtype: Annotated[str, typer.Option(help="float32 (R torch's bits) or float64.")] = "float32",
    device: Annotated[str, typer.Option(help="Where to train, such as cpu or cuda.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Folder for comparison.csv and comparison.png.")] = None,
    n_jobs: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores.")] = 1,
    progress: Annotated[bool, typer.Option(help="Show a bar on a terminal.")] = True,
) -> None:
    """Train one network once for each value of **one** parameter, and compare the validation curves.

    Exactly one of lr, batch-size, weight-decay, beta1, beta2 takes several values.

    Example: `pycompare compare --lr 1,0.1,0.01,0.001 --out out/`
    """
    options = {"lr": lr, "batch_size": batch_size, "weight_decay": weight_decay, "beta1": beta1, "beta2": beta2}
    with one_line_errors():
        settings = given(options)
        from pycompare.sweeps.configs import compare_configs

        check_out(out)
        comparison = compare_configs(
            epochs,
            **settings,
            data=split(data),
            seed=seed,
            optimizer=optimizer,
            loss=loss,
            dtype=dtype,
            device=device,
            n_jobs=n_jobs,
            progress=progress,
        )
        report(comparison, out)


def rosenbrock(
    steps: Annotated[int, typer.Option(help="How many steps.")] = 500,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    beta: Annotated[float, typer.Option(help="Share of the old momentum, in [0, 1).")] = 0.9,
    out: Annotated[Path | None, typer.Option(help="Folder for trajectory.csv and trajectory.png.")] = None,
) -> None:
    """Walk down the Rosenbrock function by gradient descent with momentum, from (-1, 2).

    Example: `pycompare rosenbrock --steps 500 --lr 0.01 --beta 0.9 --out out/`
    """
    with one_line_errors():
        from pycompare.labs.rosenbrock import optimize_rosenbrock

        check_out(out)
        report(optimize_rosenbrock(steps, lr, beta), out)
