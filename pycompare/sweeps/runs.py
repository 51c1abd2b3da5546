"""One training of a comparison: all that it depends on, in a random scope of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pycompare.checks import whole_number
from pycompare.data.split import Split
from pycompare.labels import value_label
from pycompare.seeding import RandomStream, torch_manual_seed
from pycompare.sweeps.store.record import Record
from pycompare.sweeps.store.store import RunStore
from pycompare.threads import torch_threads
from pycompare.training.batches import KeptHere
from pycompare.training.loop import Training, begin_training
from pycompare.training.monitoring import EachEpoch, Monitoring, Row, Sets
from pycompare.training.network import moved
from pycompare.training.options import Options
from pycompare.training.stopping import EarlyStopping, put_weights

NetworkFactory = Callable[[], nn.Module]
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


def checked_restarts(restarts: int, early_stopping: EarlyStopping | None) -> int:
    """`restarts` as an int, or one clear error."""
    whole_number("restarts", restarts, at_least=0)
    if restarts and early_stopping is None:
        raise ValueError(
            f"`restarts` must be 0 without early stopping, which alone ends a start; got {restarts!r}."
            " Pass e.g. early_stopping=EarlyStopping(patience=10)."
        )
    return int(restarts)
