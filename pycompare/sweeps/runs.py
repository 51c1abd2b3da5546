"""The trainings of a comparison: each in a random scope of its own, one after the other or side by side."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from pycompare.checks import whole_number
from pycompare.data.split import Split
from pycompare.labels import call_label, value_label
from pycompare.progress import Progress, progress_bar
from pycompare.seeding import RandomStream, torch_manual_seed
from pycompare.sweeps.store.lease import TakenError, Waiting
from pycompare.sweeps.store.record import Record
from pycompare.sweeps.store.store import RunStore, checked_store
from pycompare.threads import torch_threads
from pycompare.training.batches import KeptHere
from pycompare.training.kernels import mkl_kernels
from pycompare.training.loop import Training, begin_training, giving_back
from pycompare.training.monitoring import EachEpoch, Monitoring, Row, Sets
from pycompare.training.network import moved
from pycompare.training.options import Options
from pycompare.training.stopping import EarlyStopping, put_weights

NetworkFactory = Callable[[], nn.Module]
OnEpoch = Callable[[str, int, nn.Module], object]
OnRun = Callable[["Run", "Outcome"], object]
_LOOK = 0.1  # seconds after which to look again whether others have done with a run
CPU, EACH_EPOCH = torch.device("cpu"), EachEpoch()


@dataclass
class Outcome:
    """What came of one training so far.

    Attributes:
        rows: what was told of it.
        engine, why: who trained, and why that one.
        network: the trained network, where it was to be kept.
        start: which of a run's starts it is, from 1.
        stopped: whether early stopping ended it.
        value: the best so far of what early stopping goes by; else NaN.
        taken: the lease of somebody else, who trains the run; else None.
    """

    rows: list[Row] = field(default_factory=list)
    engine: str = ""
    why: str = ""
    network: nn.Module | None = None
    start: int = 1
    stopped: bool = False
    value: float = math.nan
    taken: Path | None = None


@dataclass(frozen=True)
class Run:
    """All that one training depends on.

    Attributes:
        make_network: a callable that makes a fresh network.
        split: what it is trained and validated on.
        options: how.
        seed: of torch's generator, for the initial weights and dropout.
        monitoring: what is told of it.
        keep_network: whether the trained network is kept.
        restarts: how many more starts it gets, as long as early stopping ends them.
        store: where it is kept, and looked for before it is trained; or None.
        key: what tells it from the other runs, in the first columns of their frame: config, a text, seed, and others.
        facet: names the facet in which it is drawn, where there are several.
        kept: what the runs of one comparison share.
    """

    make_network: NetworkFactory
    split: Split
    options: Options
    seed: int
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    monitoring: Monitoring = EACH_EPOCH
    keep_network: bool = False
    restarts: int = 0
    store: RunStore | None = None
    key: dict[str, Any] = field(default_factory=dict)
    facet: str = ""
    kept: KeptHere = field(default_factory=KeptHere)

    @property
    def label(self) -> str:
        """Its name in errors, in progress and among networks."""
        seed = f"seed = {self.seed}" if "seed" in self.key else ""
        return ", ".join(part for part in (self.key.get("config"), self.facet, seed) if part)

    def under_seeds(self, key: dict[str, Any], seeds: Sequence[int]) -> list[Run]:
        """The run once for each seed, which its key tells after `key`."""
        return [replace(self, seed=seed, key=key | {"seed": seed}) for seed in seeds]

    def train(
        self,
        watch: Callable[[int, nn.Module], object] | None = None,
        tick: Callable[[], object] = bool,
        outcome: Outcome | None = None,
    ) -> Outcome:
        """Make a network in a random scope, train it, and put into `outcome` what is told of it.

        Where early stopping ends that, start again, as often as `restarts` says; the best start is the outcome.

        `watch` sees the network before and after each epoch, and `tick` counts as many rows as the run may have.
        """
        outcome = outcome or Outcome()
        last = self._train(watch, tick, outcome)
        for start in range(2, self.restarts + 2):
            if not last.stopped:
                break
            last = replace(self, seed=restart_seed(self.seed, start))._train(watch, bool, Outcome(start=start))
            stopping = self.options.early_stopping
            if stopping and stopping.better(last.value, outcome.value):
                vars(outcome).update(vars(last))
        for _ in range(len(outcome.rows), self.monitoring.count(self.options.epochs)):
            tick()
        return outcome

    def _train(
        self, watch: Callable[[int, nn.Module], object] | None, tick: Callable[[], object], outcome: Outcome
    ) -> Outcome:
        """One start. Its random scope, which one thread at a time may enter, lasts for the training, too, where that
        may draw."""
        with torch_threads(self.options.threads), ExitStack() as held, ExitStack() as scope:
            scope.enter_context(torch_manual_seed(self.seed, self.device))
            network = self._network()
            entry = self.store.entry(self, network) if self.store else None
            if entry:
                held.enter_context(entry.lease())
                if kept := entry.finished(tensors=self.keep_network):
                    return self._as_stored(kept, network, outcome)
            training = self._begin(network)
            outcome.engine, outcome.why = training.engine.name, training.why
            if entry:
                training = entry.begun(training, outcome)
            if watch:
                watch(0, training.network)
            elif not training.engine.draws:
                scope.close()
            epoch, training = training.done, replace(training, watched=bool(watch or training.best))
            for epoch, told in training.up_to_plateau(self.monitoring.epochs(training)):
                for row in told:
                    outcome.rows.append(row)
                    tick()
                if watch:
                    watch(epoch, training.network)
                if entry:
                    entry.after_epoch(training, epoch, outcome)
            if entry:
                entry.end(training, epoch, outcome)
            if training.best:
                outcome.stopped, outcome.value = training.best.ended, training.best.value
            training.restore_best()
        outcome.network = training.network.eval() if self.keep_network else None
        return outcome

    def turns(self, tick: Callable[[], object], outcome: Outcome) -> Iterator[None]:
        """As `train`, a turn each `next`; between two, other runs may have theirs: each has its own random numbers."""
        stream = RandomStream(self.seed, self.device)
        with stream.scope():
            training = self._begin(self._network())
        outcome.engine, outcome.why = training.engine.name, training.why
        epochs = self.monitoring.epochs(training)
        while True:
            with stream.scope():
                told = next(epochs, None)
            if told is None:
                break
            for row in told[1]:
                outcome.rows.append(row)
                tick()
            yield
        outcome.network = training.network.eval() if self.keep_network else None

    def threads(self) -> int | None:
        """How many torch threads the run takes, where it lets other threads of Python go on; else None."""
        with torch_threads(self.options.threads), torch_manual_seed(self.seed, self.device):
            return self.options.threads if self._begin(self._network()).engine.releases_gil else None

    def check_network(self) -> nn.Module:
        """A network, or one clear error where the callable does not make a new one each time: a run would go on where
        another ended."""
        with torch_manual_seed(self.seed, self.device):
            first, second = self.make_network(), self.make_network()
        for made in (first, second):
            if not isinstance(made, nn.Module):
                raise TypeError(f"`network` must make a torch.nn.Module; got {made!r}. Return one from the callable.")
        if {id(parameter) for parameter in first.parameters()} & {id(parameter) for parameter in second.parameters()}:
            raise ValueError(
                f"`network` must make a fresh network each time; got {self.make_network!r}, which returns the same"
                " parameters twice. Build the network inside the callable."
            )
        last = [module for module in first.modules() if isinstance(module, nn.Linear)][-1:]
        if self.options.loss.of_classes and last and last[0].out_features == 1:
            raise ValueError(
                f"`network` must end with one output for each class for {value_label(self.options.loss.given)}, two at"
                " least; got one, whose loss is always 0. Change its last layer, or take the loss 'bce'."
            )
        return first

    def _as_stored(self, kept: Record, network: nn.Module, outcome: Outcome) -> Outcome:
        """What came of the run when it was trained; `network` gets the weights of then."""
        outcome.rows, outcome.engine, outcome.why = kept.rows, kept.engine, kept.why
        best = kept.state.best(self.options.early_stopping)
        outcome.stopped, outcome.value = best.ended, best.value
        if self.keep_network:
            put_weights(network, kept.state.weights("last") | (best.weights if self.options.early_stopping else {}))
            outcome.network = network.eval()
        return outcome

    def _network(self) -> nn.Module:
        return moved(self.make_network(), self.device, self.dtype)

    def _begin(self, network: nn.Module) -> Training:
        return begin_training(network, *self._sets(), self.options)

    def _sets(self) -> Sets:
        """The data in batches, made once for all runs that share them."""
        key = (id(self.split), self.monitoring, self.options.batch_size)
        if key not in self.kept:
            like = torch.empty(0, device=self.device, dtype=self.dtype)
            self.kept[key] = self.monitoring.sets(self.split, like, self.options.batch_size)
        sets: Sets = self.kept[key]
        return sets


def restart_seed(seed: int, start: int) -> int:
    """The seed of a run's start of this number, from 1, whose first has `seed`: a million more for each."""
    return seed + 1_000_000 * (start - 1)


def steps_of(run: Run, epochs: int | None = None) -> int:
    """How many steps the run takes in so many epochs; in all of its own unless given."""
    count = run.options.epochs if epochs is None else epochs
    return count * math.ceil(len(run.split.train) / run.options.batch_size)


def train_all(
    runs: Sequence[Run],
    *,
    unit: str = "epoch",
    n_jobs: int | None = 1,
    on_epoch: OnEpoch | None = None,
    on_run: OnRun | None = None,
    progress: bool = True,
    store: RunStore | str | PathLike[str] | None = None,
) -> tuple[pd.DataFrame, list[Outcome]]:
    """Train all `runs`, `n_jobs` at a time; with a `store` those that are not in it, which then are.

    `on_run` is called with each run that is done, and what came of it.

    Returns:
        A frame with a row for each row of each run, the run's key before it; and what else came of them.

    Raises:
        What ends a run, with the frame so far as its attribute `partial`.
    """
    kept = checked_store(store)
    if kept and on_epoch:
        raise ValueError("`on_epoch` must be None with `store`: what is stored is not trained again. Leave out one.")
    runs = [replace(run, store=kept) for run in _with_sweep_steps(runs)]
    outcomes = [Outcome() for _ in runs]
    with ExitStack() as end, _telling(runs, outcomes, unit, show=progress) as bar:
        if kept:
            end.callback(kept.renew_index)
            end.callback(kept.remove_dead_leases)  # such as those of workers that were killed
        for free in _rounds(outcomes, bar):
            now = [runs[i] for i in free], [outcomes[i] for i in free]
            if n_jobs == 1:
                _in_turn(*now, bar, on_epoch, on_run)
            else:
                _side_by_side(*now, bar, n_jobs, on_run)
    return _frame(runs, outcomes), outcomes


def _with_sweep_steps(runs: Sequence[Run]) -> list[Run]:
    """The runs, each told how many steps those take that one check of compiled code serves."""
    kinds = [(id(run.make_network), id(run.options.optimizer), run.options.batch_size) for run in runs]
    steps: Counter[tuple[int, int, int]] = Counter()
    for kind, run in zip(kinds, runs, strict=True):
        steps[kind] += steps_of(run)
    return [
        replace(run, options=replace(run.options, sweep_steps=steps[kind]))
        for kind, run in zip(kinds, runs, strict=True)
    ]


def train_interleaved(runs: Sequence[Run], *, unit: str, progress: bool = True) -> tuple[pd.DataFrame, list[Outcome]]:
    """As `train_all`, the runs of one seed a turn each, again and again: what disturbs the machine slows them alike."""
    outcomes = [Outcome() for _ in runs]
    with _telling(runs, outcomes, unit, show=progress) as bar:
        for seed in dict.fromkeys(run.seed for run in runs):
            pairs = [(run, outcome) for run, outcome in zip(runs, outcomes, strict=True) if run.seed == seed]
            bar.set_description(f"{len(pairs)} runs by turns, seed = {seed}")
            _round_robin(run.turns(bar.update, outcome) for run, outcome in pairs)
    return _frame(runs, outcomes), outcomes


def networks(runs: Sequence[Run], outcomes: Sequence[Outcome]) -> dict[str, nn.Module]:
    """The trained networks by label, where they were to be kept."""
    return {run.label: o.network for run, o in zip(runs, outcomes, strict=True) if o.network is not None}


@contextmanager
def _telling(runs: Sequence[Run], outcomes: Sequence[Outcome], unit: str, *, show: bool) -> Iterator[Progress]:
    """What all ways to train them have around them."""
    rows = sum(run.monitoring.count(run.options.epochs) for run in runs)
    with (
        torch_threads(runs[0].options.threads),
        giving_back(lambda: _frame(runs, outcomes)),
        progress_bar(rows, unit=unit, show=show) as bar,
    ):
        yield bar


def _round_robin(iterators: Iterable[Iterator[None]]) -> None:
    """A step of each, again and again, until all have ended."""
    waiting = deque(iterators)
    while waiting:
        one = waiting.popleft()
        with suppress(StopIteration):
            next(one)
            waiting.append(one)


def _rounds(outcomes: Sequence[Outcome], bar: Progress) -> Iterator[list[int]]:
    """The places of all runs; then, as long as somebody else trains some, of those whose lease is over."""
    yield [*range(len(outcomes))]
    waiting, told = Waiting(), 0
    while taken := {i: outcome.taken for i, outcome in enumerate(outcomes) if outcome.taken}:
        if free := [i for i, lease in taken.items() if waiting.over(lease)]:
            yield free
        elif len(taken) == told:
            time.sleep(_LOOK)
        else:
            told = len(taken)
            bar.set_description(f"waiting for {told} runs that others train in this store")


def _unless_taken(
    run: Run,
    watch: Callable[[int, nn.Module], object] | None = None,
    tick: Callable[[], object] = bool,
    outcome: Outcome | None = None,
) -> Outcome:
    """As `run.train`, where nobody else is about it; else the outcome says who."""
    outcome = outcome or Outcome()
    outcome.taken = None
    try:
        return run.train(watch, tick, outcome)
    except TakenError as taken:
        outcome.taken = taken.lease
        return outcome


def _in_turn(
    runs: Sequence[Run], outcomes: Sequence[Outcome], bar: Progress, on_epoch: OnEpoch | None, on_run: OnRun | None
) -> None:
    for i, (run, outcome) in enumerate(zip(runs, outcomes, strict=True)):
        bar.set_description(f"run {i + 1}/{len(runs)}, {run.label}")
        _unless_taken(run, partial(on_epoch, run.label) if on_epoch else None, bar.update, outcome)
        if on_run and not outcome.taken:
            on_run(run, outcome)


def _side_by_side(
    runs: Sequence[Run], outcomes: Sequence[Outcome], bar: Progress, n_jobs: int | None, on_run: OnRun | None
) -> None:
    from pycompare.sweeps.parallel import run_in_parallel

    def keep(i: int, outcome: Outcome) -> None:
        vars(outcomes[i]).update(vars(outcome))
        if not outcome.taken:
            bar.update(runs[i].monitoring.count(runs[i].options.epochs))
            if on_run:
                on_run(runs[i], outcomes[i])

    bar.set_description(f"{len(runs)} runs side by side")
    run_in_parallel(_unless_taken, runs, [run.label for run in runs], n_jobs, keep, threads=runs[0].threads())


def _frame(runs: Sequence[Run], outcomes: Sequence[Outcome]) -> pd.DataFrame:
    keyed = [(run.key | ({"start": o.start} if run.restarts else {}), o) for run, o in zip(runs, outcomes, strict=True)]
    frame = pd.DataFrame([key | row for key, outcome in keyed for row in outcome.rows])
    return frame.replace([math.inf, -math.inf], math.nan)


def made_with(run: Run, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What the bits may depend on besides the arguments, and what was trained on what; `run` stands for all."""
    engines, why = (", ".join(sorted(set(told))) for told in zip(*((o.engine, o.why) for o in outcomes), strict=True))
    made = {"engine": engines, "why": why, "threads": run.options.threads, "kernels": _kernels()}
    return made | {"data": repr(run.split), "network": call_label(run.make_network)}


def checked_restarts(restarts: int, early_stopping: EarlyStopping | None) -> int:
    """`restarts` as an int, or one clear error."""
    whole_number("restarts", restarts, at_least=0)
    if restarts and early_stopping is None:
        raise ValueError(
            f"`restarts` must be 0 without early stopping, which alone ends a start; got {restarts!r}."
            " Pass e.g. early_stopping=EarlyStopping(patience=10)."
        )
    return int(restarts)


def checked_n_jobs(n_jobs: int | None) -> int | None:
    """`n_jobs` as scikit-learn takes it, or one clear error."""
    if n_jobs is not None and whole_number("n_jobs", n_jobs) == 0:
        raise ValueError("`n_jobs` must be 1 or more, or -1 for all cores; got 0. Use 1 for one run at a time.")
    return n_jobs


_kernels = cache(mkl_kernels)  # MKL chooses once in a process
