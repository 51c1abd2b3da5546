"""The laboratories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pycompare.checks import whole_number
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
    check_film,
    check_out,
    given,
    keeping_what_was_done,
    listed,
    names,
    numbers,
    one_line_errors,
    one_varies,
    report,
    split,
)
from pycompare.cli.process import quick_imports

landscape = typer.Typer(no_args_is_help=True, help="How optimizers walk over a map of the loss.")
lab = typer.Typer(no_args_is_help=True, help="Laboratories: compute a frame, draw it.")
lab.add_typer(landscape, name="landscape")

_INITS = "normal, trunc_normal, xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal, orthogonal."
_POINTS = 100  # of a set by name
Film = Annotated[Path | None, typer.Option(help="Also write the paths as an animation: a .gif or .mp4 file.")]


@landscape.command()
def descend(
    context: typer.Context,
    loss: Annotated[str, typer.Option(metavar=NAMES, help="mse, l1, huber, smooth_l1.")] = "mse",
    lr: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Learning rate. [default: 0.1]")] = None,
    momentum: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Share of the last step.")] = None,
    dampening: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="What momentum leaves of a gradient.")] = None,
    weight_decay: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Pull towards 0.")] = None,
    nesterov: Annotated[bool, typer.Option("--nesterov", help="Look ahead along the momentum.")] = False,
    optimizer: Annotated[str, typer.Option(metavar=NAMES, help="sgd, adam, adamw, rmsprop, adagrad.")] = "sgd",
    start: Annotated[str, typer.Option(metavar="WEIGHT,BIAS", help="Where to begin.")] = "6,-3",
    epochs: Annotated[int, typer.Option(help="How many steps.")] = 100,
    out: Annotated[Path | None, typer.Option(help="Folder for descents.csv and descents.png.")] = None,
    formats: Formats = "png",
    film: Film = None,
) -> None:
    """Draw the paths of optimizers over the map of one neuron's loss.

    Several losses make facets; the first other option with several values lays its paths over one another, a second one
    makes rows. Separate values by commas.

    Example: `pycompare lab landscape descend --loss mse,l1 --momentum 0,0.9 --out out/`
    """
    options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
    with one_line_errors(context):
        settings = given(options)
        settings |= {"nesterov": True} if nesterov else {}
        check_out(out, formats)
        check_film(film)
        with quick_imports():
            from pycompare.labs.landscape import compare_descents

        point: Any = tuple(numbers("start", [start])) if "," in start else start
        descents = compare_descents(
            names(loss),
            optimizer=names(optimizer),
            start=point,
            epochs=epochs,
            **settings,
        )
        report(descents, out, formats, film)


@landscape.command()
def paths(
    context: typer.Context,
    lr: LearningRate = None,
    batch_size: BatchSize = None,
    weight_decay: WeightDecay = None,
    beta1: Beta1 = None,
    beta2: Beta2 = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 30,
    data: Data = "friedman3",
    target: Target = None,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    optimizer: Annotated[str, typer.Option(help="adamw, adam, rmsprop, sgd or adagrad.")] = "adamw",
    directions: Annotated[str, typer.Option(help="pca, or filter: random ones.")] = "pca",
    n: Annotated[int, typer.Option("--points", help="Points of the map in each direction.")] = 41,
    out: Annotated[Path | None, typer.Option(help="Folder for paths.csv and paths.png.")] = None,
    formats: Formats = "png",
    film: Film = None,
) -> None:
    """Train one network under several settings, and draw the paths of its parameters on one map of the loss.

    Exactly one of --lr, --batch-size, --weight-decay, --beta1, --beta2 takes several values, separated by commas.

    Example: `pycompare lab landscape paths --lr 0.1,0.03,0.01 --out out/`
    """
    options = {"lr": lr, "batch_size": batch_size, "weight_decay": weight_decay, "beta1": beta1, "beta2": beta2}
    with one_line_errors(context):
        settings = one_varies(options)
        check_out(out, formats)
        check_film(film)
        with quick_imports():
            from pycompare.labs.landscape import compare_paths

        arguments: dict[str, Any] = {
            "epochs": epochs,
            "data": split(data, target),
            "seed": seed,
            "optimizer": optimizer,
        }
        with keeping_what_was_done(out, "comparison"):
            made = compare_paths(directions=directions, n=n, **settings, **arguments)
        report(made, out, formats, film)


@lab.command("init")
def inits(
    context: typer.Context,
    sigma: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Standard deviation of normal weights.")] = None,
    init: Annotated[str, typer.Option(metavar=NAMES, help=_INITS)] = "normal",
    scale: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Factor of the inputs. [default: 1]")] = None,
    data: Annotated[
        str, typer.Option(help="circle, cassini and mlbench's others; or a CSV file with a header.")
    ] = "circle",
    target: Target = None,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    seeds: Annotated[int | None, typer.Option(help="Repeat every run under so many seeds from --seed on.")] = None,
    steps: Annotated[int, typer.Option(help="Of gradient descent, each on all rows.")] = 1000,
    every: Annotated[int, typer.Option(help="Evaluate after every so many steps.")] = 1,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.1,
    optimizer: Annotated[str, typer.Option(help="sgd, adam, adamw, rmsprop or adagrad.")] = "sgd",
    out: Annotated[Path | None, typer.Option(help="Folder for init_comparison.csv and init_comparison.png.")] = None,
    formats: Formats = "png",
    n_jobs: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores. The bits are the same.")] = 1,
    progress: Annotated[bool, typer.Option(help="Show a bar on a terminal, elsewhere a line a run; on stderr.")] = True,
) -> None:
    """Train a small network from several starts.

    Exactly one of --sigma, --init, --scale takes several values, separated by commas.

    Example: `pycompare lab init --sigma 0.01,0.5,10 --seeds 20 --every 50 --out out/`
    """
    with one_line_errors(context):
        settings = given({"sigma": sigma, "scale": scale})
        check_out(out, formats)
        with quick_imports():
            from pycompare.labs.initialization import compare_inits

        arguments: dict[str, Any] = {"seed": seed, "seeds": seeds, "steps": steps, "every": every, "lr": lr}
        arguments |= {
            "data": split(data, target, rows=_POINTS),
            "optimizer": optimizer,
            "n_jobs": n_jobs,
            "progress": progress,
        }
        with keeping_what_was_done(out, "init_comparison"):
            made = compare_inits(init=names(init), **settings, **arguments)
        report(made, out, formats)


@lab.command()
def dropout(
    context: typer.Context,
    p: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Share of hidden units dropped. [default: 0,0.5]")] = None,
    input_p: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Share of inputs dropped. [default: 0.2]")] = None,
    data: Data = "digits",
    target: Target = None,
    hidden: Annotated[str, typer.Option(metavar=SEVERAL, help="Widths of the hidden layers.")] = "800,800",
    sigma: Annotated[float, typer.Option(help="Standard deviation of the initial weights.")] = 0.1,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Rows a step.")] = 50,
    lr: Annotated[float, typer.Option(help="AdamW's learning rate.")] = 3e-4,
    weight_decay: Annotated[float, typer.Option(help="AdamW's decay.")] = 0.01,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights and of dropout.")] = 123,
    seeds: Annotated[int | None, typer.Option(help="Repeat every run under so many seeds from --seed on.")] = None,
    n_jobs: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores. The bits are the same.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for dropout_comparison.csv and .png.")] = None,
    formats: Formats = "png",
) -> None:
    """Train a classifier with several probabilities of dropout, and compare loss and error on both sets.

    Either --p or --input-p takes several values, separated by commas.

    Example: `pycompare lab dropout --p 0,0.5 --hidden 200,200 --epochs 100 --out out/`
    """
    with one_line_errors(context):
        settings = given({"p": p, "input_p": input_p})
        check_out(out, formats)
        with quick_imports():
            from pycompare.labs.dropout import compare_dropout

        settings |= {"sigma": sigma, "epochs": epochs, "batch_size": batch_size, "lr": lr, "weight_decay": weight_decay}
        settings |= {"seed": seed, "seeds": seeds, "n_jobs": n_jobs}
        with keeping_what_was_done(out, "dropout_comparison"):
            made = compare_dropout(hidden=listed("hidden", hidden), data=split(data, target), **settings)
        report(made, out, formats)


@lab.command()
def activations(
    context: typer.Context,
    init: Annotated[
        str | None,
        typer.Option(metavar=NAMES, help=f"{_INITS} [default: normal,xavier_normal,kaiming_normal]"),
    ] = None,
    sigma: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Standard deviation of normal weights.")] = None,
    depth: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Hidden layers. [default: 20]")] = None,
    width: Annotated[Numbers, typer.Option(metavar=SEVERAL, help="Units of each. [default: 100]")] = None,
    activation: Annotated[str, typer.Option(metavar=NAMES, help="relu, tanh, sigmoid, leaky_relu, gelu.")] = "relu",
    seed: Annotated[int, typer.Option(help="Seed of the weights.")] = 123,
    out: Annotated[Path | None, typer.Option(help="Folder for activation_statistics.csv and .png.")] = None,
    formats: Formats = "png",
) -> None:
    """Show how large the activations of a deep network are, layer by layer, before any training.

    One of the options takes several values, separated by commas.

    Example: `pycompare lab activations --init kaiming_normal --width 50,100,200 --out out/`
    """
    with one_line_errors(context):
        settings = given({"sigma": sigma, "depth": depth, "width": width})
        check_out(out, formats)
        with quick_imports():
            from pycompare.labs.activations import activation_statistics

        inits = None if init is None else names(init)
        report(activation_statistics(init=inits, activation=names(activation), seed=seed, **settings), out, formats)


@lab.command()
def gradients(
    context: typer.Context,
    init: Annotated[str, typer.Option(metavar=NAMES, help="xavier_uniform, kaiming_uniform, normal, ...")] = (
        "xavier_uniform"
    ),
    optimizer: Annotated[str, typer.Option(metavar=NAMES, help="sgd, momentum, rmsprop, adam, adamw, adagrad.")] = (
        "sgd,momentum,rmsprop,adam"
    ),
    sigma: Annotated[float, typer.Option(help="Standard deviation of the weights for normal.")] = 0.5,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.02,
    epochs: Annotated[int, typer.Option(help="How many steps, each on all four points.")] = 1000,
    every: Annotated[int, typer.Option(help="Record one step of so many.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    seeds: Annotated[int | None, typer.Option(help="Repeat every run under so many seeds.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for gradient_comparison.csv and .png.")] = None,
    formats: Formats = "png",
    film: Annotated[
        Path | None, typer.Option(help="Also draw the networks, step by step: a .gif or .mp4 file.")
    ] = None,
) -> None:
    """Train a small network on xor, and draw the gradients of its layers step by step.

    --init or --optimizer takes several names, separated by commas, or both do.

    Example: `pycompare lab gradients --init xavier_uniform,normal --optimizer sgd,adam --out out/`
    """
    with one_line_errors(context):
        check_out(out, formats)
        check_film(film)
        with quick_imports():
            from pycompare.labs.gradient_runs import compare_gradients

        settings = {"sigma": sigma, "lr": lr, "epochs": epochs, "every": every, "seed": seed, "seeds": seeds}
        with keeping_what_was_done(out, "gradient_comparison"):
            made = compare_gradients(names(init), names(optimizer), **settings)  # type: ignore[arg-type]
        report(made, out, formats, film)


@lab.command()
def boundary(
    context: typer.Context,
    data: Data = "circles",
    target: Target = None,
    lr: LearningRate = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 30,
    batch_size: Annotated[int, typer.Option(help="Rows a step.")] = 16,
    optimizer: Annotated[str, typer.Option(help="adamw, adam, rmsprop, sgd or adagrad.")] = "adamw",
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    grid: Annotated[int, typer.Option(help="Points of the picture in each direction.")] = 101,
    out: Annotated[Path | None, typer.Option(help="Folder for boundary.csv and boundary.png.")] = None,
    formats: Formats = "png",
    film: Annotated[Path | None, typer.Option(help="Also write a picture an epoch: a .gif or .mp4 file.")] = None,
) -> None:
    """Train a classifier of two inputs, and draw which class it gives to every point, epoch by epoch.

    Several learning rates, separated by commas, get a row of pictures each.

    Example: `pycompare lab boundary --data smiley --film smiley.gif`
    """
    with one_line_errors(context):
        rates = listed("lr", *lr or ["0.01"])
        check_out(out, formats)
        check_film(film)
        with quick_imports():
            from pycompare.labs.boundaries import Snapshots, checked_points, decision_boundary
            from pycompare.sweeps.configs import compare_configs

        sets, kept, grid = split(data, target), Snapshots(), whole_number("grid", grid, at_least=2)
        checked_points(sets)  # before training, as all else that may be wrong
        settings: dict[str, Any] = {"batch_size": batch_size, "optimizer": optimizer, "seed": seed}
        compare_configs(epochs, lr=rates, data=sets, loss="cross_entropy", on_epoch=kept.on_epoch, **settings)
        networks = kept if len(rates) > 1 else {epoch: network for (_, epoch), network in kept.items()}
        report(decision_boundary(networks, sets, loss="cross_entropy", grid=grid), out, formats, film)
