"""The candidates of `tune`: trained as they are asked for, and decided among, one group after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from pycompare.divergence import is_finite
from pycompare.labels import value_label
from pycompare.progress import Progress
from pycompare.seeding import torch_manual_seed
from pycompare.sweeps.configs import check_runs
from pycompare.sweeps.runs import Outcome, Run
from pycompare.sweeps.settings import run_options
from pycompare.sweeps.space import Candidate, Group, Space
from pycompare.sweeps.store.description import settings_of
from pycompare.sweeps.store.store import RunStore
from pycompare.sweeps.train import train_all
from pycompare.sweeps.tuning import decision, ranked

_GOING_ON = 2  # candidates at least, when the worse half is left behind: the choice has a runner-up
_Key = tuple[tuple[int, ...], int, int]  # a candidate's places, a seed, epochs


@dataclass
class Search:
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
