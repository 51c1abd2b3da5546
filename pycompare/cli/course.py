"""The course's two exercises."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

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
    Target,
    WeightDecay,
    check_lists,
    check_out,
    given,
    keeping_what_was_done,
    listed,
    names,
    one_at_least,
    one_line_errors,
    report,
    split,
)
from pycompare.cli.process import quick_imports


def compare(
    context: typer.Context,
    lr: LearningRate = None,
    batch_size: BatchSize = None,
    weight_decay: WeightDecay = None,
    beta1: Beta1 = None,
    beta2: Beta2 = None,
    momentum: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Share of the last step, of sgd, rmsprop.")] = None,
    dampening: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="What momentum leaves of a gradient.")] = None,
    nesterov: Annotated[bool, typer.Option("--nesterov", help="Look ahead along the momentum.")] = False,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 30,
    data: Data = "friedman3",
    target: Target = None,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    seeds: Annotated[int | None, typer.Option(help="Repeat every run under so many seeds from --seed on.")] = None,
    optimizer: Annotated[str, typer.Option(metavar=NAMES, help="adamw, adam, rmsprop, sgd, adagrad.")] = "adamw",
    hidden: Annotated[
        str | None, typer.Option(metavar=SEVERAL, help="Widths of hidden layers. [default: 50,50]")
    ] = None,
    activation: Annotated[
        str, typer.Option(help="After each of them: relu, tanh, sigmoid, leaky_relu, gelu, identity.")
    ] = "relu",
    loss: Annotated[
        str, typer.Option(metavar=NAMES, help="mse, l1, huber, smooth_l1, cross_entropy, bce (with logits).")
    ] = "mse",
    dtype: Annotated[str, typer.Option(help="float32 (R torch's bits) or float64.")] = "float32",
    device: Annotated[str, typer.Option(help="Where to train, such as cpu or cuda.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Folder for comparison.csv and comparison.png.")] = None,
    formats: Formats = "png",
    n_jobs: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores. The bits are the same.")] = 1,
    threads: Annotated[int, typer.Option(help="Threads of torch in each run; 1 has R's bits on every machine.")] = 1,
    engine: Annotated[
        str, typer.Option(help="auto, compiled, fused or autograd, which differ in speed only.")
    ] = "auto",
    store: Annotated[Path | None, typer.Option(help="Folder of runs: those in it are not trained again.")] = None,
    progress: Annotated[bool, typer.Option(help="Show a bar on a terminal, elsewhere a line a run; on stderr.")] = True,
) -> None:
    """Train one network once for each value of **one** parameter, and compare the validation curves.

    One of --lr, --batch-size, --weight-decay, --beta1, --beta2, --momentum, --dampening, --optimizer, --loss takes
    several values, separated by commas (or the option is repeated); a second one has a facet for each value. Where only
    one value is given, that is trained alone.
    Ctrl-C keeps what was done until then, as comparison.partial.csv in --out.

    Example: `pycompare compare --lr 1,0.1,0.01,0.001 --out out/`
    """
    options = {"lr": lr, "batch_size": batch_size, "weight_decay": weight_decay, "beta1": beta1, "beta2": beta2}
    options |= {"momentum": momentum, "dampening": dampening}
    with one_line_errors(context):
        named = {"optimizer": names(optimizer), "loss": names(loss)}
        settings = check_lists(one_at_least(given(options) | named), [*options, *named], most=2)
        settings |= {"nesterov": True} if nesterov else {}
        check_out(out, formats)
        with quick_imports():
            from pycompare.sweeps.configs import compare_configs, network_factory
            from pycompare.training.losses import find_loss
            from pycompare.training.network import MLP, checked_widths

            if out is not None:
                import pycompare.plots  # noqa: F401
        sets = split(data, target)
        if hidden is not None or activation != "relu":
            widths = (50, 50) if hidden is None else checked_widths(listed("hidden", hidden))
            first = find_loss(settings["loss"][0] if isinstance(settings["loss"], list) else settings["loss"])
            settings["network"] = network_factory(None, sets, first, widths, partial(MLP, activation=activation))
        with keeping_what_was_done(out, "comparison"):
            comparison = compare_configs(
                epochs,
                **settings,
                data=sets,
                seed=seed,
                seeds=seeds,
                dtype=dtype,
                device=device,
                n_jobs=n_jobs,
                threads=threads,
                engine=engine,
                store=store,
                progress=progress,
            )
        report(comparison, out, formats)


def rosenbrock(
    context: typer.Context,
    steps: Annotated[int, typer.Option(help="How many steps.")] = 500,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    beta: Annotated[float, typer.Option(help="Share of the old momentum, in [0, 1).")] = 0.9,
    out: Annotated[Path | None, typer.Option(help="Folder for trajectory.csv and trajectory.png.")] = None,
    formats: Formats = "png",
) -> None:
    """Walk down the Rosenbrock function by gradient descent with momentum, from (-1, 2).

    Example: `pycompare rosenbrock --steps 500 --lr 0.01 --beta 0.9 --out out/`
    """
    with one_line_errors(context):
        check_out(out, formats)
        with quick_imports():
            from pycompare.labs.rosenbrock import optimize_rosenbrock
        report(optimize_rosenbrock(steps, lr, beta), out, formats)
