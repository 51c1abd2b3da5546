"""Settings chosen one group after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pycompare.cli.edge import (
    NAMES,
    SEVERAL,
    BatchSize,
    Beta1,
    Beta2,
    Data,
    Formats,
    LearningRate,
    Numbers,
    Standardize,
    Target,
    WeightDecay,
    check_out,
    given,
    keeping_what_was_done,
    names,
    one_line_errors,
    prepared,
    report,
)
from pycompare.cli.process import quick_imports


def tune(
    context: typer.Context,
    lr: LearningRate = None,
    batch_size: BatchSize = None,
    weight_decay: WeightDecay = None,
    beta1: Beta1 = None,
    beta2: Beta2 = None,
    momentum: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Share of the last step, of sgd, rmsprop.")] = None,
    hidden: Annotated[
        str | None, typer.Option(metavar="WIDTHS[,...]", help="Widths of hidden layers: 10, or 50x50 for two.")
    ] = None,
    activation: Annotated[str | None, typer.Option(metavar=NAMES, help="relu, tanh, sigmoid, gelu ...")] = None,
    optimizer: Annotated[str, typer.Option(metavar=NAMES, help="adamw, adam, rmsprop, sgd, adagrad.")] = "adamw",
    order: Annotated[
        str | None,
        typer.Option(help="Groups, such as lr,hidden+activation,optimizer; or grid; or optuna. [default: one by one]"),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Combinations that Optuna may ask for.")] = None,
    halvings: Annotated[int, typer.Option(help="How often the worse half is left behind early.")] = 0,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 30,
    patience: Annotated[int | None, typer.Option(help="End a run so many epochs after its best one.")] = None,
    data: Data = "friedman3",
    target: Target = None,
    standardize: Standardize = False,
    loss: Annotated[str, typer.Option(help="mse, l1, huber, smooth_l1, cross_entropy, bce (with logits).")] = "mse",
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    seeds: Annotated[int, typer.Option(help="Repeat every run under so many seeds from --seed on.")] = 3,
    n_jobs: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores. The bits are the same.")] = 1,
    store: Annotated[Path | None, typer.Option(help="Folder of runs: those in it are not trained again.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tuning.csv and tuning.png.")] = None,
    formats: Formats = "png",
    progress: Annotated[bool, typer.Option(help="Show a bar on a terminal, elsewhere a line a run; on stderr.")] = True,
) -> None:
    """Choose among values of **several** parameters, one group after the other, by the mean best validation loss.

    What has several values, separated by commas, is chosen. With --store, the same command again trains only what is
    missing, and goes on where it was killed.

    Example: `pycompare tune --lr 0.1,0.01 --hidden 10,50x50 --order lr,hidden --store runs/ --out out/`
    """
    options = {"lr": lr, "batch_size": batch_size, "weight_decay": weight_decay, "beta1": beta1, "beta2": beta2}
    with one_line_errors(context):
        space: dict[str, Any] = given(options | {"momentum": momentum})
        space |= {} if hidden is None else {"hidden": _widths(hidden)}
        space |= {} if activation is None else {"activation": names(activation)}
        space |= {"optimizer": names(optimizer)}
        check_out(out, formats)
        with quick_imports():
            from pycompare.sweeps.tune import tune as choose
            from pycompare.training.stopping import EarlyStopping

        settings: dict[str, Any] = {"epochs": epochs, "halvings": halvings, "trials": trials, "loss": loss}
        settings |= {"seed": seed, "seeds": seeds, "n_jobs": n_jobs, "store": store, "progress": progress}
        settings |= {"early_stopping": None if patience is None else EarlyStopping(patience)}
        with keeping_what_was_done(out, "tuning"):
            made = choose(space, prepared(data, target, standardize), order=_groups(order), **settings)
        report(made, out, formats)


def _groups(order: str | None) -> Any:
    """The groups that the option names: lr,hidden+activation."""
    if order in (None, "grid", "optuna"):
        return order
    return [tuple(name.strip() for name in group.split("+")) for group in order.split(",")]


def _widths(text: str) -> list[tuple[int, ...]]:
    """The widths that the option was given: 10,50x50."""
    try:
        return [tuple(int(width) for width in one.split("x")) for one in text.split(",")]
    except ValueError:
        raise ValueError(f"`hidden` must be widths such as 10 or 50x50, separated by commas; got {text!r}.") from None
