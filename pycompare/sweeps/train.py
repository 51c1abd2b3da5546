"""The trainings of a comparison, all of them: one after the other, side by side, or by turns."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import cache, partial
from os import PathLike
from typing import Any

import pandas as pd
from torch import nn

from pycompare.checks import whole_number
from pycompare.labels import call_label
from pycompare.progress import Progress, progress_bar
from pycompare.sweeps.runs import Outcome, Run, steps_of
from pycompare.sweeps.store.lease import TakenError, Waiting
from pycompare.sweeps.store.store import RunStore, checked_store
from pycompare.threads import torch_threads
from pycompare.training.kernels import mkl_kernels
from pycompare.training.loop import giving_back

OnEpoch = Callable[[str, int, nn.Module], object]
OnRun = Callable[[Run, Outcome], object]
_LOOK = 0.1  # seconds after which to look again whether others have done with a run


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
    """The runs, each told how many steps those take that share its check."""
    steps: Counter[tuple[int, int, int]] = Counter()
    for run in runs:
        steps[_shared_check(run)] += steps_of(run)
    return [replace(run, options=replace(run.options, sweep_steps=steps[_shared_check(run)])) for run in runs]


def _shared_check(run: Run) -> tuple[int, int, int]:
    """The same for runs that one check of compiled code serves."""
    return id(run.make_network), id(run.options.optimizer), run.options.batch_size


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


def checked_n_jobs(n_jobs: int | None) -> int | None:
    """`n_jobs` as scikit-learn takes it, or one clear error."""
    if n_jobs is not None and whole_number("n_jobs", n_jobs) == 0:
        raise ValueError("`n_jobs` must be 1 or more, or -1 for all cores; got 0. Use 1 for one run at a time.")
    return n_jobs


_kernels = cache(mkl_kernels)  # MKL chooses once in a process
