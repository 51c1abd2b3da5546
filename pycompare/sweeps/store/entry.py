"""One run in a store: whether it is there, from where it goes on, and what is written of it when."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pycompare.sweeps.store.description import ARGUMENTS, settings_of, versions
from pycompare.sweeps.store.lease import held
from pycompare.sweeps.store.record import LAYOUT, Record, from_file, to_bytes
from pycompare.training.loop import Training
from pycompare.training.state import resume, take_state
from pycompare.training.stopping import Best

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from pycompare.sweeps.runs import Outcome, Run
    from pycompare.sweeps.store.store import RunStore

_KINDS = dict.fromkeys(ARGUMENTS, "double")  # also where a run has none of them: all files have the same columns
_COST = 0.01  # seconds that to store a state may take; one that takes longer is made less often


@dataclass
class Entry:
    """The place of one run in a store.

    Attributes:
        store: which.
        name: of its files: the digest of what its rows depend on, and to how many epochs it goes.
        settings: a column each.
        resumes: whether the run can go on from the middle.
    """

    store: RunStore
    name: str
    settings: dict[str, Any]
    resumes: bool
    _written: float = field(default_factory=time.monotonic)
    _took: float = 0.0

    @classmethod
    def of(cls, store: RunStore, run: Run, network: nn.Module) -> Entry:
        """The entry of `run`, which has just made `network`."""
        settings, digest = settings_of(run, network)
        return cls(store, f"{digest}-{run.options.epochs}", settings, run.monitoring.resumes)

    def lease(self) -> AbstractContextManager[None]:
        """The scope in which nobody else trains the run; none is needed where it is finished.

        Raises:
            TakenError: somebody else has it.
        """
        if self.store.settings_file(self.name).exists():
            return nullcontext()
        return held(self.store.lease_file(self.name))

    def finished(self, *, tensors: bool) -> Record | None:
        """The end of the run, where it is stored."""
        if not self.store.settings_file(self.name).exists():
            return None
        return from_file(self.store.weights_file(self.name), tensors=tensors)

    def begun(self, training: Training, outcome: Outcome) -> Training:
        """`training` from the last epoch on that is stored of it, with its rows in `outcome`."""
        if training.best is None:
            training = replace(training, best=Best())
        file = self._furthest() if self.resumes else None
        if file is None:
            return training
        kept = from_file(file)
        outcome.rows.extend(kept.rows)
        return resume(training, kept.state)

    def after_epoch(self, training: Training, epoch: int, outcome: Outcome) -> None:
        """Store where the training is, if the last time is long enough ago."""
        now = time.monotonic()
        if self.resumes and now - self._written >= self.store.seconds * max(1.0, self._took / _COST):
            self._write_state(self.store.unfinished_file(self.name), training, epoch, outcome)
            self._written, self._took = time.monotonic(), time.monotonic() - now

    def end(self, training: Training, epoch: int, outcome: Outcome) -> None:
        """Store the run's end. The settings come last: where they are, all is."""
        statistics = self.store.statistics_file(self.name, self.settings["monitoring"])
        self.store.write(statistics, self._statistics(outcome.rows))
        self._write_state(self.store.weights_file(self.name), training, epoch, outcome)
        best = training.best or Best()
        told = {
            "layout": LAYOUT,
            "run": self.name,
            "settings": self.settings,
            "done": epoch,
            "stopped": best.ended,
            "best_epoch": best.epoch,
            "best": best.value,
            "engine": outcome.engine,
            "why": outcome.why,
            "versions": versions(),
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self.store.write(self.store.settings_file(self.name), json.dumps(told, indent=1).encode())
        self.store.unfinished_file(self.name).unlink(missing_ok=True)

    def _furthest(self) -> Path | None:
        """Where the run is stored unfinished; else, of the finished ones that go to fewer epochs, the longest."""
        own = self.store.unfinished_file(self.name)
        if own.exists():
            return own
        digest, _, epochs = self.name.partition("-")
        shorter = [count for count in self.store.epochs_of(digest) if count < int(epochs)]
        return self.store.weights_file(f"{digest}-{max(shorter)}") if shorter else None

    def _write_state(self, file: Path, training: Training, epoch: int, outcome: Outcome) -> None:
        told = Record(take_state(training, epoch), outcome.rows, outcome.engine, outcome.why)
        self.store.write(file, to_bytes(told))

    def _statistics(self, rows: list[dict[str, Any]]) -> bytes:
        """Parquet: the run and its settings before each row."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        keys = {"run": self.name} | self.settings
        columns = {name: pa.array([value] * len(rows), _KINDS.get(name)) for name, value in keys.items()}
        columns |= {name: pa.array([row.get(name) for row in rows]) for name in (rows[0] if rows else {})}
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink)
        return bytes(sink.getvalue().to_pybytes())
