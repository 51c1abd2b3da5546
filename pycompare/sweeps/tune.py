"""tune: hyper-parameters chosen one group after the other, from runs that a store keeps."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from pycompare.calls import recorded
from pycompare.checks import flag, whole_number
from pycompare.data.split import Split
from pycompare.divergence import is_finite
from pycompare.labels import value_label
from pycompare.progress import Progress, progress_bar
from pycompare.seeding import checked_seed, torch_manual_seed
from pycompare.sweeps.configs import check_runs, checked_device, checked_split, network_factory
from pycompare.sweeps.runs import Outcome, Run, checked_restarts
from pycompare.sweeps.seeds import checked_seeds
from pycompare.sweeps.settings import run_options
from pycompare.sweeps.space import Candidate, Group, Space, checked_order, checked_space
from pycompare.sweeps.store.description import settings_of
from pycompare.sweeps.store.store import RunStore, checked_store
from pycompare.sweeps.train import checked_n_jobs, made_with, train_all
from pycompare.sweeps.tuning import Tuning, decision, ranked
from pycompare.training.loop import giving_back
from pycompare.training.losses import LossFunction, find_loss
from pycompare.training.options import Options, checked_dtype
from pycompare.training.stopping import EarlyStopping

_GOING_ON = 2  # candidates at least, when the worse half is left behind: the choice has a runner-up
_Key = tuple[tuple[int, ...], int, int]  # a candidate's places, a seed, epochs


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
    search = _Search(
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


@dataclass
class _Search:
    """Candidates, trained as they are asked for.

    Attributes:
        space: what to choose from.
        shared: what all runs have.
        make: makes a network of the space's arguments.
        seeds: of every candidate.
        shares: after how many epochs candidates are compared, the last the most.
        n_jobs: runs at a time.
        store: where runs are kept, or None.
        bar: counts runs.
        known: what came of the runs that were done.
        groups: the rows of each group that is decided.
        path: a row for each decision.
        now: the group that is being decided, those of its candidates that are trained, and to how many epochs.
    """

    space: Space
    shared: Run
    make: Callable[..., nn.Module]
    seeds: tuple[int, ...]
    shares: list[int]
    n_jobs: int | None
    store: RunStore | None = None
    bar: Progress | None = None
    known: dict[_Key, Outcome] = field(default_factory=dict)
    groups: list[pd.DataFrame] = field(default_factory=list)
    path: list[dict[str, Any]] = field(default_factory=list)
    now: tuple[Group, list[Candidate], int] | None = None
    _total: int = 0
    _done: int = 0
    _best: float = math.inf

    def check(self, groups: Sequence[Group]) -> None:
        """Refuse what cannot be made, or not be stored, before anything is trained."""
        start = self.space.start()
        runs = [self._run(group, one, self.seeds[0]) for group in groups for one in self.space.candidates(group, start)]
        check_runs(runs)
        if self.store:
            with torch_manual_seed(self.seeds[0], self.shared.device):
                for run in runs:
                    settings_of(run, run.make_network())

    def count(self, groups: Sequence[Group], trials: int) -> int:
        """How many runs there will be, those that are known already included."""
        fields = [trials] if trials else [n for group in groups for n in self._fields(group)]
        self._total = len(self.seeds) * sum(fields)
        return self._total

    def through(self, groups: Sequence[Group], trials: int) -> Candidate:
        """What is left after all decisions."""
        at = self.space.start()
        for group in groups:
            at = self.ask_optuna(group, trials) if trials else self.choose(group, at)
        return at

    def choose(self, group: Group, at: Candidate) -> Candidate:
        """The best of a group's combinations."""
        began, before = perf_counter(), self._cost()
        remaining = self.space.candidates(group, at)
        rows: dict[str, pd.DataFrame] = {}
        for epochs in self.shares:
            self._train(group, remaining, epochs)
            told = self._rows(group, remaining, epochs)
            rows |= {str(config): run for config, run in told.groupby("config", sort=False)}
            best = ranked(told)["config"][: max(_GOING_ON, math.ceil(len(remaining) / 2))]
            if epochs < self.shares[-1]:
                remaining = [one for one in remaining if self.space.label(group, one) in {*best}]
        return self._decide(group, pd.concat(rows.values()), remaining, before, began)

    def ask_optuna(self, group: Group, trials: int) -> Candidate:
        """The best of the combinations that Optuna asks for, one after the other."""
        began, before = perf_counter(), self._cost()
        tried: dict[str, Candidate] = {}
        with _quiet_optuna() as optuna:
            study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=self.seeds[0]))
            for _ in range(trials):
                trial = study.ask()
                places = {name: len(self.space.variation.varied[name]) for name in group}
                asked = {name: trial.suggest_categorical(name, [*range(count)]) for name, count in places.items()}
                tried[self.space.label(group, asked)] = asked
                self._train(group, [asked], self.shares[-1])
                value = ranked(self._rows(group, [asked], self.shares[-1])).iloc[0]
                study.tell(trial, math.inf if value["failed"] else value["mean"])
        candidates = [*tried.values()]
        return self._decide(group, self._rows(group, candidates, self.shares[-1]), candidates, before, began)

    def train_once(self, candidate: Candidate) -> tuple[Run, Outcome]:
        """The run of a candidate under the first seed, its network kept."""
        run = replace(self._run(self.space.names, candidate, self.seeds[0]), keep_network=True)
        _, (outcome,) = train_all([run], store=self.store, progress=False)
        return run, outcome

    def frame(self) -> pd.DataFrame:
        """The rows of all runs so far."""
        undecided = [self._rows(*self.now).assign(kept=False)] if self.now else []
        told = [rows for rows in self.groups + undecided if len(rows)]
        return pd.concat(told, ignore_index=True) if told else pd.DataFrame()

    def _decide(
        self, group: Group, rows: pd.DataFrame, last: list[Candidate], before: tuple[int, int], began: float
    ) -> Candidate:
        """Put the decision among the `last` candidates of a group on the path."""
        labels = {self.space.label(group, one): one for one in last}
        made = decision(rows[rows["config"].isin(labels)])
        runs, epochs = (after - was for after, was in zip(self._cost(), before, strict=True))
        self.groups.append(rows.assign(kept=rows["config"] == made["choice"]))
        self.now = None
        if made["failed"] == 1:
            raise ValueError(
                f"`space` must have a value under which a run does not diverge; every run of {rows['group'].iloc[0]}"
                " did. Add smaller learning rates."
            )
        told = {"group": rows["group"].iloc[0], "candidates": rows["config"].nunique()} | made
        self.path.append(told | {"runs": runs, "epochs": epochs, "seconds": perf_counter() - began})
        return labels[made["choice"]]

    def _train(self, group: Group, candidates: list[Candidate], epochs: int) -> None:
        """Train those that are not known."""
        self.now = group, candidates, epochs
        wanted = {self._key(one, seed, epochs): one for one in candidates for seed in self.seeds}
        missing = {key: self._run(group, one, key[1], epochs) for key, one in wanted.items() if key not in self.known}
        self._count(len(wanted) - len(missing))
        if missing:
            note = partial(self._note, {run.label: key for key, run in missing.items()})
            train_all([*missing.values()], n_jobs=self.n_jobs, on_run=note, progress=False, store=self.store)

    def _run(self, group: Group, candidate: Candidate, seed: int, epochs: int | None = None) -> Run:
        settings = self.space.settings(candidate)
        arguments = {name: settings[name] for name in self.space.of_network}
        options = replace(self.shared.options, epochs=epochs or self.shared.options.epochs)
        return replace(
            self.shared,
            make_network=_Network(self.make, arguments) if arguments else self.make,
            options=run_options(options, settings),
            seed=seed,
            key={"config": self.space.label(group, candidate), "seed": seed},
        )

    def _rows(self, group: Group, candidates: list[Candidate], epochs: int) -> pd.DataFrame:
        """A row for each run of the candidates that is known."""
        keys = {"group": " + ".join(group)}
        rows = [
            keys
            | {"config": self.space.label(group, one)}
            | self.space.cells(one)
            | {"seed": seed}
            | _ended(self.known[self._key(one, seed, epochs)], restarted=self.shared.restarts > 0)
            for one in candidates
            for seed in self.seeds
            if self._key(one, seed, epochs) in self.known
        ]
        return pd.DataFrame(rows).astype({"best_epoch": "Int64"}) if rows else pd.DataFrame()

    def _key(self, candidate: Candidate, seed: int, epochs: int) -> _Key:
        return tuple(candidate[name] for name in self.space.names), seed, epochs

    def _cost(self) -> tuple[int, int]:
        """How many runs there were, and how many epochs."""
        longest: dict[tuple[tuple[int, ...], int], int] = {}
        for (places, seed, _), outcome in self.known.items():
            longest[places, seed] = max(longest.get((places, seed), 0), len(outcome.rows))
        return len(longest), sum(longest.values())

    def _fields(self, group: Group) -> list[int]:
        """How many candidates of a group train to each of the shares."""
        fields = [math.prod(len(self.space.variation.varied[name]) for name in group)]
        for _ in self.shares[1:]:
            fields.append(min(fields[-1], max(_GOING_ON, math.ceil(fields[-1] / 2))))
        return fields

    def _note(self, keys: dict[str, _Key], run: Run, outcome: Outcome) -> None:
        """Keep what came of a run, and tell."""
        self.known[keys[run.label]] = outcome
        value = _ended(outcome, restarted=False)["best_valid_loss"]
        self._best = min(self._best, math.inf if math.isnan(value) else value)
        self._count(1)
        if self.bar:
            self.bar.set_description(f"run {self._done}/{self._total}, {run.label}: best so far {self._best:.4g}")

    def _count(self, runs: int) -> None:
        self._done += runs
        if self.bar:
            self.bar.update(runs)


@dataclass(frozen=True)
class _Network:
    """Makes a network of arguments."""

    make: Callable[..., nn.Module]
    arguments: dict[str, Any]

    def __call__(self) -> nn.Module:
        return self.make(**self.arguments)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value_label(value)}" for name, value in self.arguments.items())
        return f"{value_label(getattr(self.make, 'func', self.make))}({given})"


def _ended(outcome: Outcome, *, restarted: bool) -> dict[str, Any]:
    """How a run ended: NaN where it has diverged."""
    rows = pd.DataFrame(outcome.rows)
    told: dict[str, Any] = {"start": outcome.start} if restarted else {}
    finite = bool(is_finite(rows[["valid_loss"]]).iloc[-1])
    best = int(np.nanargmin(rows["valid_loss"])) if finite else -1
    told |= {"epochs": int(rows["epoch"].iloc[-1]), "best_epoch": int(rows["epoch"].iloc[best]) if finite else pd.NA}
    columns = [name for name in ("valid_loss", "valid_accuracy") if name in rows]
    return told | {f"best_{name}": float(rows[name].iloc[best]) if finite else math.nan for name in columns}


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


@contextmanager
def _quiet_optuna() -> Iterator[Any]:
    """Optuna, which tells nothing of each trial in the scope."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield optuna
    finally:
        optuna.logging.set_verbosity(before)


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
