"""tune: hyper-parameters chosen one group after the other, from runs that a store keeps."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from torch import nn

from pycompare.calls import recorded
from pycompare.checks import flag, whole_number
from pycompare.data.split import Split
from pycompare.labels import value_label
from pycompare.progress import progress_bar
from pycompare.seeding import checked_seed
from pycompare.sweeps.configs import checked_device, checked_split, network_factory
from pycompare.sweeps.runs import Run, checked_restarts
from pycompare.sweeps.search import Search
from pycompare.sweeps.seeds import checked_seeds
from pycompare.sweeps.space import checked_order, checked_space
from pycompare.sweeps.store.store import RunStore, checked_store
from pycompare.sweeps.train import checked_n_jobs, made_with
from pycompare.sweeps.tuning import Tuning
from pycompare.training.loop import giving_back
from pycompare.training.losses import LossFunction, find_loss
from pycompare.training.options import Options, checked_dtype
from pycompare.training.stopping import EarlyStopping


@recorded
def tune(
    space: Mapping[str, Any],
    data: Split | None = None,
    *,
    network: Callable[..., nn.Module] | None = None,
    order: str | Sequence[str | Sequence[str]] | None = None,
    epochs: int = 30,
    early_stopping: EarlyStopping | None = None,
    restarts: int = 0,
    halvings: int = 0,
    trials: int | None = None,
    loss: str | LossFunction = "mse",
    seed: int = 123,
    seeds: int | Sequence[int] = 3,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | str = "float32",
    n_jobs: int | None = 1,
    engine: str = "auto",
    threads: int | None = 1,
    store: RunStore | str | PathLike[str] | None = None,
    progress: bool = True,
) -> Tuning:
    """Choose among lists of settings, one group after the other, and train a network with what was chosen.

    Of a group's combinations the best is kept for the groups after it; what is not yet chosen has the first value of
    its list. The best is the one whose runs diverge under the fewest seeds and, among those, the one with the lowest
    mean over seeds of its runs' best validation loss. That is the loss that chose, and so an optimistic one: ask a
    third set how good the network is.

    Arguments:
        space: lists by name: of any setting of `compare_configs` but network and loss (lr, batch_size, weight_decay,
            beta1, beta2, momentum, dampening, nesterov, schedule, optimizer), and of arguments of `network`. A
            dictionary is a list with names; one value in place of a list is the same for all runs.
        data: training and validation set; `course_data()` unless given.
        network: a callable that makes a fresh network of the arguments that `space` has. Unless given, an `MLP` of the
            data's width, with `hidden`, a list of widths or of lists of widths, and `activation`.
        order: the groups: names, and tuples of names whose combinations are tried together. Each name alone, in the
            order of `space`, unless given. "grid" for all combinations of everything; "optuna" for `trials` of them
            that Optuna asks for (the extra `optuna`).
        epochs: passes over the training set, 1 or more.
        early_stopping, restarts: as in `compare_configs`.
        halvings: how often the worse half of a group is left behind early, 0 or more: with 2, all its candidates train
            for a quarter of the epochs, the better half (two at least) goes on to half of them, and the better half of
            these to the end. What goes on does so where it was stored, in a temporary store unless there is one.
        trials: how many combinations Optuna may ask for; with order="optuna" only.
        loss: as in `train_valid`.
        seed, seeds: every run under so many seeds from `seed` on, or under a list of them.
        device, dtype, n_jobs, engine, threads: as in `compare_configs`.
        store: a `RunStore`, or its folder: a repeated call trains only what is missing, and one that was killed goes
            on where it was, with the same result. The weights of all runs are there.
        progress: show a bar of runs on a terminal or in a notebook, elsewhere a line a run, on stderr.

    Returns:
        A `Tuning`: all runs, the path of decisions, the settings chosen, and the network trained with them under the
        first seed.

    Raises:
        ValueError, TypeError: before the first step of the first run, naming argument, value and remedy.
        ValueError: every run of a group diverged. It has the attribute `partial`, the frame of the runs that were done,
            as KeyboardInterrupt has.

    R torch and luz have no counterpart. Source: successive halving: Jamieson and Talwalkar (2016), arXiv 1502.07943.

    Example:
        >>> tuned = tune({"lr": [0.1, 0.01], "hidden": [10, (50, 50)]}, epochs=3, progress=False)
        >>> tuned.path["choice"].tolist(), len(tuned.data)
        (['lr = 0.1', 'hidden = (50, 50)'], 12)
    """
    split, known_loss = checked_split(data), find_loss(loss)
    checked = checked_space(space, network, loss)
    groups = checked_order(order, checked.names)
    asked = _checked_trials(trials, order)
    shared = Run(
        make_network=nn.Identity,
        split=split,
        options=Options(epochs, 1, "adamw", {}, known_loss, engine, threads, early_stopping=early_stopping),
        seed=checked_seed(seed),
        device=checked_device(device),
        dtype=checked_dtype(dtype),
        restarts=checked_restarts(restarts, early_stopping),
    )
    search = Search(
        checked,
        shared,
        network or network_factory(None, split, known_loss),
        checked_seeds(seed, seeds),
        _shares(shared.options.epochs, _checked_halvings(halvings, order)),
        checked_n_jobs(n_jobs),
    )
    shown = flag("progress", progress)
    with _store_or_temporary(store, halvings) as place:
        search.store = checked_store(place)
        search.check(groups)
        with (
            giving_back(search.frame),
            progress_bar(search.count(groups, asked), unit="run", show=shown) as search.bar,
        ):
            at = search.through(groups, asked)
            run, outcome = search.train_once(at)
    chosen = checked.settings(at)
    told = {"epochs": shared.options.epochs, "order": order, "seeds": [*search.seeds], "loss": value_label(loss)}
    given = {"early_stopping": value_label(early_stopping), "restarts": restarts, "halvings": halvings, "trials": asked}
    return Tuning(
        search.frame(),
        pd.DataFrame(search.path),
        {name: chosen[name] for name in checked.names},
        told | given | {"space": {name: checked.variation.told(name) for name in checked.names}},
        made_with(run, [*search.known.values()]),
        outcome.network,
    )


def _shares(epochs: int, halvings: int) -> list[int]:
    """After how many epochs candidates are compared."""
    return [*dict.fromkeys(math.ceil(epochs / 2**k) for k in range(halvings, -1, -1))]


@contextmanager
def _store_or_temporary(
    store: RunStore | str | PathLike[str] | None, halvings: int
) -> Iterator[RunStore | str | PathLike[str] | None]:
    """The store, or a temporary one where runs are to go on from an earlier share, or none."""
    if store is not None or not halvings:
        yield store
        return
    with TemporaryDirectory() as folder:
        yield folder


def _checked_halvings(halvings: int, order: object) -> int:
    whole = whole_number("halvings", halvings, at_least=0, at_most=62)
    if whole and order == "optuna":
        raise ValueError(f"`halvings` must be 0 with order='optuna', which sees whole runs; got {halvings!r}.")
    return whole


def _checked_trials(trials: int | None, order: object) -> int:
    """How many trials Optuna has; 0 where it is not asked."""
    if (trials is None) == (order == "optuna"):
        raise ValueError(
            f"`trials` must be given with order='optuna', and only with it; got {trials!r} with {order!r}."
            " Pass e.g. order='optuna', trials=20."
        )
    if trials is None:
        return 0
    if not importlib.util.find_spec("optuna"):
        raise ValueError(
            "`order` must be another than 'optuna' without Optuna, which is not installed. In a checkout:"
            " pip install -c constraints.txt '.[optuna]'"
        )
    return whole_number("trials", trials, at_least=1)
