"""Leslie Smith's disciplined hyper-parameters, as laboratories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pycompare.checks import one_of
from pycompare.cli.edge import (
    SEVERAL,
    Data,
    Formats,
    Numbers,
    Standardize,
    Target,
    check_out,
    given,
    keeping_what_was_done,
    listed,
    one_line_errors,
    prepared,
    report,
    split,
)
from pycompare.cli.process import quick_imports

hyper_parameters = typer.Typer()
_LOSSES = "mse, l1, huber, smooth_l1, bce, or cross_entropy for classes."


@hyper_parameters.command("momentum")
def try_momenta(
    context: typer.Context,
    momentum: Annotated[
        Numbers, typer.Option(metavar=SEVERAL, help="Momentum, or beta1. [default: 0.99,0.97,0.95,0.9]")
    ] = None,
    low: Annotated[float, typer.Option(help="The smallest momentum of the cyclical runs.")] = 0.85,
    lr: Annotated[float, typer.Option(help="The largest learning rate.")] = 0.03,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 10,
    data: Data = "friedman3",
    target: Target = None,
    standardize: Standardize = True,
    optimizer: Annotated[str, typer.Option(help="sgd, rmsprop, adam or adamw.")] = "sgd",
    loss: Annotated[str, typer.Option(help=_LOSSES)] = "mse",
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    seeds: Annotated[int, typer.Option(help="Repeat every run under so many seeds from --seed on.")] = 5,
    n_jobs: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores. The bits are the same.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for momentum_test.csv and momentum_test.png.")] = None,
    formats: Formats = "png",
) -> None:
    """Train for a few epochs at each momentum, held constant and cycled against the learning rate.

    Example: `pycompare lab momentum --momentum 0.99,0.95,0.9 --lr 0.1 --out out/`
    """
    with one_line_errors(context):
        settings = given({"momentum": momentum})
        check_out(out, formats)
        with quick_imports():
            from pycompare.sweeps.momentum import momentum_test

        settings |= {"low": low, "lr": lr, "epochs": epochs, "optimizer": optimizer, "loss": loss}
        settings |= {"seed": seed, "seeds": seeds, "n_jobs": n_jobs, "progress": True}
        with keeping_what_was_done(out, "momentum_test"):
            made = momentum_test(data=prepared(data, target, standardize), **settings)
        report(made, out, formats)


@hyper_parameters.command("weight-decay")
def search_weight_decay(
    context: typer.Context,
    weight_decay: Annotated[
        Numbers, typer.Option(metavar=SEVERAL, help="Pull towards 0. [default: 0.01,0.001,0.0001]")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Train once, and go on from its plateau.")] = False,
    schedule: Annotated[str, typer.Option(help="constant, or 1cycle.")] = "constant",
    lr: Annotated[float, typer.Option(help="Learning rate; of 1cycle the largest.")] = 0.1,
    epochs: Annotated[int, typer.Option(help="Passes over the training set, from a restart on.")] = 10,
    data: Data = "friedman3",
    target: Target = None,
    standardize: Standardize = True,
    optimizer: Annotated[str, typer.Option(help="sgd, rmsprop, adam, adamw or adagrad.")] = "sgd",
    loss: Annotated[str, typer.Option(help=_LOSSES)] = "mse",
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    seeds: Annotated[int, typer.Option(help="Repeat every run under so many seeds from --seed on.")] = 5,
    n_jobs: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores. The bits are the same.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for weight_decay_search.csv and .png.")] = None,
    formats: Formats = "png",
) -> None:
    """Train with each weight decay, from the start or from the plateau of one training, and say what it cost.

    Example: `pycompare lab weight-decay --restart --schedule 1cycle --out out/`
    """
    with one_line_errors(context):
        settings = given({"weight_decay": weight_decay})
        check_out(out, formats)
        with quick_imports():
            from pycompare.sweeps.weight_decay import weight_decay_restarts, weight_decay_search

        settings |= {"schedule": schedule, "lr": lr, "epochs": epochs, "optimizer": optimizer, "loss": loss}
        settings |= {"seed": seed, "seeds": seeds, "n_jobs": n_jobs, "progress": True}
        search = weight_decay_restarts if restart else weight_decay_search
        with keeping_what_was_done(out, "weight_decay_search"):
            made = search(data=prepared(data, target, standardize), **settings)
        report(made, out, formats)


@hyper_parameters.command("batch-size")
def batch_size(
    context: typer.Context,
    sizes: Annotated[str, typer.Option(metavar=SEVERAL, help="Rows a step.")] = "4,16,64",
    budget: Annotated[str, typer.Option(help="What all have the same of: epochs, steps or seconds.")] = "epochs",
    amount: Annotated[float, typer.Option(help="Of the budget.")] = 30,
    lr: Annotated[float, typer.Option(help="Learning rate of the smallest size.")] = 0.01,
    scale_lr: Annotated[str, typer.Option(help="How it follows the size: fixed, linear or sqrt.")] = "fixed",
    data: Data = "friedman3",
    target: Target = None,
    optimizer: Annotated[str, typer.Option(help="adamw, adam, rmsprop, sgd or adagrad.")] = "adamw",
    loss: Annotated[str, typer.Option(help="mse, l1, huber, smooth_l1, cross_entropy or bce.")] = "mse",
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    seeds: Annotated[int | None, typer.Option(help="Repeat every run under so many seeds from --seed on.")] = None,
    n_jobs: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores. The bits are the same.")] = 1,
    engine: Annotated[str, typer.Option(help="auto, autograd, fused or compiled: the same bits.")] = "auto",
    out: Annotated[Path | None, typer.Option(help="Folder for batch_sizes.csv and batch_sizes.png.")] = None,
    formats: Formats = "png",
) -> None:
    """Train one network with several batch sizes, all for the same epochs, steps or seconds.

    Example: `pycompare lab batch-size --sizes 4,32,256 --budget seconds --amount 5 --seeds 5 --out out/`
    """
    with one_line_errors(context):
        several = listed("sizes", sizes)
        check_out(out, formats)
        with quick_imports():
            from pycompare.sweeps.batch_sizes import compare_batch_sizes

        settings: dict[str, Any] = {"lr": lr, "scale_lr": scale_lr, "optimizer": optimizer, "loss": loss}
        settings |= {"seed": seed, "seeds": seeds, "n_jobs": n_jobs, "engine": engine}
        with keeping_what_was_done(out, "batch_sizes"):
            made = compare_batch_sizes(several, budget, amount, data=split(data, target), **settings)
        report(made, out, formats)


@hyper_parameters.command("lr-range")
def range_test(
    context: typer.Context,
    start: Annotated[float, typer.Option(help="The first learning rate.")] = 1e-5,
    end: Annotated[float, typer.Option(help="The last one, if the test gets there.")] = 10.0,
    steps: Annotated[int, typer.Option(help="From one to the other.")] = 100,
    mode: Annotated[str, typer.Option(help="How the rate rises: exp or linear.")] = "exp",
    of: Annotated[str, typer.Option(help="Which loss: train or valid.")] = "train",
    cycle_momentum: Annotated[
        str | None, typer.Option(metavar="LOW,HIGH", help="Let the momentum, or beta1, fall from HIGH to LOW.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Rows a step.")] = 16,
    data: Data = "friedman3",
    target: Target = None,
    standardize: Standardize = True,
    optimizer: Annotated[str, typer.Option(help="adamw, adam, rmsprop, sgd or adagrad.")] = "adamw",
    loss: Annotated[str, typer.Option(help=_LOSSES)] = "mse",
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    seeds: Annotated[int, typer.Option(help="Repeat the test under so many seeds from --seed on.")] = 5,
    out: Annotated[Path | None, typer.Option(help="Folder for lr_range_test.csv and lr_range_test.png.")] = None,
    formats: Formats = "png",
) -> None:
    """Let the learning rate rise from step to step, and suggest rates for a training.

    Example: `pycompare lab lr-range --optimizer sgd --out out/`
    """
    with one_line_errors(context):
        one_of("of", of, ("train", "valid"), "Choose one of them.")
        between = None if cycle_momentum is None else tuple(listed("cycle_momentum", cycle_momentum))
        check_out(out, formats)
        with quick_imports():
            from pycompare.labs.lr_range import lr_range_test

        settings: dict[str, Any] = {"mode": mode, "loss": of, "cycle_momentum": between, "batch_size": batch_size}
        settings |= {"optimizer": optimizer, "loss_function": loss, "seed": seed, "seeds": seeds}
        made = lr_range_test(None, prepared(data, target, standardize), start, end, steps, **settings)
        report(made, out, formats)


@hyper_parameters.command("one-cycle")
def try_one_cycle(
    context: typer.Context,
    max_lr: Annotated[float, typer.Option(help="The largest learning rate.")] = 0.1,
    momentum: Annotated[str, typer.Option(metavar="LOW,HIGH", help="Of the momentum, or beta1.")] = "0.85,0.95",
    batch_size: Annotated[int, typer.Option(help="Rows a step.")] = 16,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 30,
    data: Data = "friedman3",
    target: Target = None,
    standardize: Standardize = True,
    optimizer: Annotated[str, typer.Option(help="sgd, rmsprop, adam or adamw.")] = "sgd",
    loss: Annotated[str, typer.Option(help=_LOSSES)] = "mse",
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    seeds: Annotated[int, typer.Option(help="Repeat every run under so many seeds from --seed on.")] = 5,
    n_jobs: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores. The bits are the same.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for comparison.csv and comparison.png.")] = None,
    formats: Formats = "png",
) -> None:
    """Train under the one-cycle policy, Smith's and R torch's, and at constant rates: the largest, a third, a tenth.

    Example: `pycompare lab one-cycle --max-lr 0.3 --data spirals --loss cross_entropy --out out/`
    """
    with one_line_errors(context):
        between = tuple(listed("momentum", momentum))
        check_out(out, formats)
        with quick_imports():
            from pycompare.labs.one_cycle import compare_one_cycle

        settings: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "optimizer": optimizer, "loss": loss}
        settings |= {"seed": seed, "seeds": seeds, "n_jobs": n_jobs, "progress": True}
        with keeping_what_was_done(out, "comparison"):
            made = compare_one_cycle(max_lr, between, data=prepared(data, target, standardize), **settings)
        report(made, out, formats)


@hyper_parameters.command("discipline")
def whole_recipe(
    context: typer.Context,
    epochs: Annotated[int, typer.Option(help="Of the training at the end; short runs have a third of them.")] = 30,
    epoch_seconds: Annotated[float, typer.Option(help="What an epoch may take.")] = 1.0,
    data: Data = "friedman3",
    target: Target = None,
    standardize: Standardize = True,
    optimizer: Annotated[str, typer.Option(help="sgd, rmsprop, adam or adamw.")] = "sgd",
    loss: Annotated[str, typer.Option(help=_LOSSES)] = "mse",
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 123,
    seeds: Annotated[int, typer.Option(help="Repeat every run under so many seeds from --seed on.")] = 5,
    n_jobs: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores. The bits are the same.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for tables and pictures of all steps.")] = None,
    formats: Formats = "png",
) -> None:
    """Choose batch size, learning rate, momentum and weight decay in turn, and train under 1cycle with them.

    Example: `pycompare lab discipline --data digits --loss cross_entropy --out out/`
    """
    with one_line_errors(context):
        check_out(out, formats)
        with quick_imports():
            from pycompare.labs.discipline import discipline

        settings: dict[str, Any] = {"epoch_seconds": epoch_seconds, "optimizer": optimizer, "loss": loss}
        settings |= {"seed": seed, "seeds": seeds, "n_jobs": n_jobs, "progress": True}
        made = discipline(None, prepared(data, target, standardize), epochs=epochs, **settings)
        report(made, out, formats)
