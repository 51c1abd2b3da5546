"""RunStore: a folder of trained runs."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from torch import Tensor

from pycompare.checks import number, one_of
from pycompare.files import check_writable, expanded, write_whole
from pycompare.labels import setting_label
from pycompare.sweeps.comparison import Comparison
from pycompare.sweeps.store.description import ARGUMENTS
from pycompare.sweeps.store.entry import Entry
from pycompare.sweeps.store.lease import Waiting
from pycompare.sweeps.store.record import LAYOUT, check_layout, damaged, from_file, unwritable

if TYPE_CHECKING:
    from torch import nn

    from pycompare.sweeps.runs import Run

_NAME = re.compile(r"[0-9a-f]{16}-\d+")
_PER_RUN = ("run", "seed")  # what may differ between the runs of a comparison, besides what is compared


@dataclass(frozen=True)
class RunStore:
    """A folder in which trained runs are kept, so that a repeated call computes only what is missing.

    A run is found again by what its numbers depend on: settings, data, initial weights, and the versions of pycompare,
    torch and its kernels. One that was killed goes on from the last epoch that was stored, and one that is asked to go
    to more epochs than a stored one goes on from there; with the bits that it would have had, on any engine.

    Several processes and machines may share a folder: who makes the same call trains what nobody else trains, waits
    for the rest, and returns all of it. Who trains a run renews its lease every second; where that has stood still for
    10 seconds, or belongs to a process of the same machine that is no more, the run is anyone's again, from the last
    epoch that was stored. The folder must be one on which creating a file with O_EXCL and renaming it are atomic, as on
    disks and on NFS; elsewhere a run may be trained twice, with the same outcome.

    - `settings/RUN.json`: of every finished run, its settings, versions, and where it ended; `RUN.lease` beside it
      while the run is trained;
    - `statistics/KIND/RUN.parquet`: its rows, settings in the first columns: all in one frame for polars, duckdb and
      the like by `statistics/EachEpoch/*.parquet`;
    - `weights/RUN.safetensors`: weights of the best and of the last epoch, and what is needed to go on from there;
    - `unfinished/RUN.safetensors`: the same of runs that are not finished.

    `index.parquet` only saves time, and may be deleted. Every file appears whole or not at all, and nothing is ever
    unpickled.

    Arguments:
        folder: where; made when the first run is stored.
        seconds: a run that takes longer is stored after every so many seconds, at the end of an epoch; rarer where
            that would take more than a fiftieth of the time. Default 0.5; 0 for every epoch.

    Example:
        >>> import tempfile
        >>> from pycompare import compare_configs
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first = compare_configs(2, lr=[0.1, 0.01], store=RunStore(folder))
        ...     again = compare_configs(2, lr=[0.1, 0.01], store=RunStore(folder))  # nothing is trained
        ...     len(RunStore(folder).runs()), again.data.equals(first.data)
        (2, True)
    """

    folder: Path
    seconds: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.folder, (str, PathLike)):
            raise TypeError(f"`folder` must be a path; got {self.folder!r}. Pass e.g. 'runs'.")
        object.__setattr__(self, "folder", expanded(self.folder))
        object.__setattr__(self, "seconds", number("seconds", self.seconds, at_least=0))

    def runs(self) -> pd.DataFrame:
        """One row a finished run, oldest first.

        Returns:
            Columns run (its name), those of its settings, done (epochs), stopped (whether early stopping ended it),
            best_epoch and best (by what early stopping goes by, else valid_loss), engine, written (UTC).
        """
        names, known = self._finished(), self._index()
        missing = sorted({*names} - {*known["run"]})
        if missing:
            known = pd.concat([known, self._listed(missing)]) if len(known) else self._listed(missing)
        if len(missing) > _MISSING:
            self._write_index(known)
        return known[known["run"].isin(names)].sort_values(["written", "run"], ignore_index=True)

    def settings(self, run: str) -> dict[str, Any]:
        """What is told of a run, by its name or the beginning of it: settings, versions, where it ended."""
        return self._told(self._one(run))

    def frame(self, run: str | None = None) -> pd.DataFrame:
        """The rows of all finished runs, or of one: columns run, its settings, and what was told of the training."""
        import pyarrow as pa

        names = self._finished() if run is None else [self._one(run)]
        tables = [_table(file) for name in names for file in self._statistics_files(name)]
        return pa.concat_tables(tables, promote_options="permissive").to_pandas() if tables else pd.DataFrame()

    def weights(self, run: str, which: str = "best") -> dict[str, Tensor]:
        """Weights of a run, by the names of parameters and buffers, as `network.load_state_dict` takes them.

        Arguments:
            run: its name, or the beginning of it.
            which: those of the "best" epoch, by what early stopping goes by, else valid_loss; or of the "last".
        """
        one_of("which", which, ("best", "last"))
        return from_file(self.weights_file(self._one(run))).state.weights(which)

    def compare(self, parameter: str, **settings: Any) -> Comparison:
        """Stored runs as a comparison of `parameter`, a column of `runs()`.

        Arguments:
            parameter: what is compared.
            settings: of the runs, as `runs()` has them: all columns but `parameter` and seed must have one value.

        Raises:
            ValueError: there are no such runs, or they differ in something else.

        Example: `store.compare("lr", optimizer="adamw", epochs=30)`
        """
        runs = self.runs()
        one_of("parameter", parameter, [*runs.columns], "These are the settings that are stored.")
        for name, value in settings.items():
            one_of("settings", name, [*runs.columns], "These are the settings that are stored.")
            runs = runs[runs[name] == value]
        fixed, seeds = self._fixed(runs, parameter), sorted({int(seed) for seed in runs["seed"]})
        runs = runs.sort_values([parameter, "seed"])
        curves = [self._curve(run, parameter, with_seed=len(seeds) > 1) for run in runs["run"]]
        under = {"seeds": seeds} if len(seeds) > 1 else {"seed": seeds[0]}
        values = tuple(runs[parameter].drop_duplicates())
        return Comparison(pd.concat(curves, ignore_index=True), parameter, values, fixed | under)

    def remove(self, run: str) -> str:
        """Delete a run, by its name or the beginning of it, finished or not; return its name."""
        name = self._one(run, [*self._finished(), *self.unfinished()])
        others = (*self._statistics_files(name), self.weights_file(name), self.unfinished_file(name))
        for file in (self.settings_file(name), *others):
            file.unlink(missing_ok=True)
        return name

    def unfinished(self) -> list[str]:
        """The names of runs that were begun, and not finished."""
        finished = {*self._finished()}
        return [name for name in _names(self.folder / "unfinished", ".safetensors") if name not in finished]

    def entry(self, run: Run, network: nn.Module) -> Entry:
        """The place of `run`, which has just made `network`."""
        return Entry.of(self, run, network)

    def open(self) -> RunStore:
        """The store, after it was seen that it can be written, and by this version."""
        check_writable(self.folder, name="store")
        if self._layout_file.exists():
            self._check()
        else:
            self.write(self._layout_file, json.dumps({"layout": LAYOUT}).encode())
        return self

    def write(self, file: Path, content: bytes) -> None:
        """Write `file`, whole or not at all."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, content)
        except OSError as cause:
            raise unwritable(file, cause) from cause

    def settings_file(self, name: str) -> Path:
        """Where a run's settings are, when it is finished."""
        return self.folder / "settings" / f"{name}.json"

    def statistics_file(self, name: str, kind: str) -> Path:
        """Where a run's rows are."""
        return self.folder / "statistics" / kind / f"{name}.parquet"

    def weights_file(self, name: str) -> Path:
        """Where a run's weights are."""
        return self.folder / "weights" / f"{name}.safetensors"

    def unfinished_file(self, name: str) -> Path:
        """Where a run is stored that is not finished: elsewhere, so that another process may finish it meanwhile."""
        return self.folder / "unfinished" / f"{name}.safetensors"

    def lease_file(self, name: str) -> Path:
        """Where it stands who trains a run. Beside its settings: who creates it over NFS, sees what else came there."""
        return self.folder / "settings" / f"{name}.lease"

    def remove_dead_leases(self) -> None:
        """Remove the leases of processes of this machine that are no more."""
        for name in _names(self.folder / "settings", ".lease"):
            Waiting().over(self.lease_file(name))

    def epochs_of(self, digest: str) -> list[int]:
        """To how many epochs the finished runs go whose names begin with `digest`."""
        return [int(name.partition("-")[2]) for name in _names(self.folder / "settings", ".json", digest)]

    @property
    def _layout_file(self) -> Path:
        return self.folder / "store.json"

    def _check(self) -> None:
        """Refuse a folder that is no store, or a newer pycompare's."""
        if not self._layout_file.exists():
            raise FileNotFoundError(
                f"`store` must be a folder of runs; got {str(self.folder)!r}, where there is none. Check the path."
            )
        _json(self._layout_file)

    def _finished(self) -> list[str]:
        self._check()
        return _names(self.folder / "settings", ".json")

    def _statistics_files(self, name: str) -> list[Path]:
        kinds = self.folder.glob("statistics/*/")
        return [file for kind in kinds if (file := self.statistics_file(name, kind.name)).exists()]

    def _listed(self, names: list[str]) -> pd.DataFrame:
        """Rows of `runs()`, read from the settings."""
        told = {name: self._told(name) for name in names}
        rows = [{"run": run} | one["settings"] | {name: one[name] for name in _COLUMNS} for run, one in told.items()]
        return pd.DataFrame(rows).astype(dict.fromkeys(ARGUMENTS, float))

    def _index(self) -> pd.DataFrame:
        """Rows of `runs()` that were written down, in no order; none where that cannot be read."""
        try:
            return pd.read_parquet(self.folder / _INDEX)
        except (OSError, ValueError):
            return pd.DataFrame(columns=["run", *ARGUMENTS, *_COLUMNS])

    def renew_index(self) -> None:
        """Write down what is missing in the index, where that is much, so that the next listing need not read it."""
        import pyarrow.parquet as pq

        with suppress(OSError, ValueError):
            file, finished = self.folder / _INDEX, len(_names(self.folder / "settings", ".json"))
            if finished - (pq.read_metadata(file).num_rows if file.exists() else 0) > _MISSING:
                self.runs()

    def _write_index(self, rows: pd.DataFrame) -> None:
        with suppress(OSError):  # who may not write reads the settings again
            write_whole(self.folder / _INDEX, rows.to_parquet(index=False))

    def _told(self, name: str) -> dict[str, Any]:
        file = self.settings_file(name)
        told = _json(file)
        if not {"run", "settings", *_COLUMNS} <= told.keys():
            raise damaged(file, "settings are missing in it")
        return told

    def _one(self, run: str, names: list[str] | None = None) -> str:
        known = self._finished() if names is None else names
        found = {name for name in known if name.startswith(run)}
        if len(found) != 1:
            raise ValueError(
                f"`run` must be the name of one run, or the beginning of it; got {run!r}, as {len(found)} begin."
                " `pycompare runs list` tells their names."
            )
        return found.pop()

    def _fixed(self, runs: pd.DataFrame, parameter: str) -> dict[str, Any]:
        """The settings that all `runs` have, or one clear error where one of them is not the same for all."""
        if runs.empty:
            raise ValueError("`settings` must be those of stored runs; got some that no run has. See `runs()`.")
        fixed = {}
        for name in runs.columns.drop([*_PER_RUN, *_COLUMNS, parameter]):
            values = runs[name].drop_duplicates().tolist()
            if len(values) > 1:
                raise ValueError(
                    f"`settings` must leave runs that differ in {parameter} and seed alone; they differ in {name}, too:"
                    f" {values}. Choose one, as in compare({parameter!r}, {name}={values[0]!r})."
                )
            if not pd.isna(values[0]) and values[0] != "None":
                fixed[str(name)] = values[0]
        return fixed

    def _curve(self, run: str, parameter: str, *, with_seed: bool) -> pd.DataFrame:
        """The rows of a run under the first columns of a comparison's frame."""
        settings, rows = self._told(run)["settings"], self.frame(run)
        key = {"config": setting_label(parameter, settings[parameter]), parameter: settings[parameter]}
        key |= {"seed": settings["seed"]} if with_seed else {}
        told = rows[[column for column in rows if column not in ("run", *settings)]]
        return pd.DataFrame([key] * len(told)).join(told)


_INDEX, _MISSING = "index.parquet", 100  # is written anew where it lacks so many
_COLUMNS = ("done", "stopped", "best_epoch", "best", "engine", "written")


def checked_store(store: RunStore | str | PathLike[str] | None) -> RunStore | None:
    """The store that was given, or that of the folder that was; ready to be written; or None."""
    if store is None:
        return None
    return (store if isinstance(store, RunStore) else RunStore(Path(store))).open()


def _names(folder: Path, suffix: str, beginning: str = "") -> list[str]:
    """The names of runs that have a file in `folder`; files of others are left alone."""
    found = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 (10,000 paths take three times as long)
    stems = (file.removesuffix(suffix) for file in found if file.startswith(beginning) and file.endswith(suffix))
    return sorted(stem for stem in stems if _NAME.fullmatch(stem))


def _json(file: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(file.read_bytes())
    except (ValueError, OSError) as cause:
        raise damaged(file, cause) from cause
    check_layout(told, file)
    return told


def _table(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(pa.BufferReader(file.read_bytes())).read(use_threads=False)
    except (pa.ArrowInvalid, OSError) as cause:
        raise damaged(file, cause) from cause
