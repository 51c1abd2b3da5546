"""What compare_configs returns: curves, and how they are summarised, drawn, saved and read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from torch import nn

from pycompare.checks import one_of
from pycompare.divergence import first_failure, is_finite
from pycompare.labels import setting_label
from pycompare.results import Result, read_saved, saved_call
from pycompare.sweeps.advice import divergence_advice
from pycompare.sweeps.differences import difference_words, paired_differences
from pycompare.sweeps.seeds import seeds_summary

if TYPE_CHECKING:
    from plotnine import ggplot

_METRICS = ("_loss", "_rmse", "_accuracy", "_error")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """The curves of one network trained under several settings.

    Attributes:
        data: tidy frame, one row for each run and epoch: config (the label, "lr = 0.1"), the varied arguments under
            their own names, epoch (from 1), train_loss, valid_loss, for loss "mse" valid_rmse, and for losses of
            classes train_accuracy and valid_accuracy. NaN where a run has diverged. Several seeds have a column seed.
        parameter: the name of the varied argument, of two the first.
        values: its values, in the order given; schedules, networks and functions as text.
        arguments: the other arguments of `compare_configs`, by name.
        made_with: what else made it: the engine that trained and why, threads, this machine's kernels, data, network.
        input_size: the largest root mean square of a column of the training inputs: 1 where they are standardised.
        networks: the trained networks, where they were to be kept, by config; of two varied arguments by both, such as
            "lr = 0.1, momentum = 0.9".
        rows, row_values: the second varied argument, which has a facet for each value; None where there is none.
        constant_loss: the training loss of the best constant prediction; None for a loss of one's own.
    """

    parameter: str
    values: tuple[Any, ...]
    arguments: dict[str, Any]
    made_with: dict[str, Any] = field(default_factory=dict, repr=False)
    input_size: float = 1.0
    networks: dict[str, nn.Module] = field(default_factory=dict, repr=False)
    rows: str | None = None
    row_values: tuple[Any, ...] = ()
    constant_loss: float | None = field(default=None, kw_only=True)
    _name: ClassVar[str] = "comparison"
    _when: ClassVar[str] = "epoch"  # the column of what a run's rows are in the order of
    # The fields beside data that save() writes, and what they are in JSON.
    _saved: ClassVar[dict[str, Any]] = {
        "parameter": str,
        "values": list,
        "arguments": dict,
        "made_with": dict,
        "input_size": float,
        "rows": (str, NoneType),
        "row_values": list,
        "constant_loss": (float, NoneType),
    }

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Self:
        """The comparison that `save` wrote into `folder`, bit for bit; functions among its arguments are their names.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is another program's, or a newer pycompare's.
        """
        data, settings = read_saved(folder, cls._name)
        settings = {"rows": None, "row_values": []} | settings  # which older folders lack
        known = all(isinstance(settings.get(name), kind) for name, kind in cls._saved.items())
        if not known or not cls._columns(settings) <= {*data}:
            raise ValueError(
                f"`folder` must hold what save() wrote; got {str(folder)!r}, whose comparison lacks columns or"
                " settings. Save it again."
            )
        parts: dict[str, Any] = {name: settings.get(name) for name in cls._saved}
        made_with = parts["made_with"] | {"versions": settings.get("versions", {})}
        lists = {name: tuple(parts[name]) for name in ("values", "row_values")}
        return cls(data, **parts | lists | {"made_with": made_with}, call=saved_call(settings))

    @classmethod
    def _columns(cls, settings: dict[str, Any]) -> set[str]:
        """Those that its data have at least."""
        return {"config", cls._when, "valid_loss", settings["parameter"], settings["rows"] or "config"}

    def summary(self) -> pd.DataFrame:
        """One row a configuration: its last and its best valid_loss, the epoch of the best, and where it diverged.

        Returns:
            Columns config, that of a second varied argument, last_valid_loss, best_valid_loss, best_epoch, diverged_at
            (the first epoch without a finite valid_loss; epochs are Int64 with NA where there is none). Of several
            seeds what `seeds_summary` returns.
        """
        if "seed" in self.data:
            return seeds_summary(self.data, rows=self.rows)
        keys = ["config", *([self.rows] if self.rows else [])]
        runs = self.data.groupby(keys, sort=False)
        rows = [dict(zip(keys, key, strict=True)) | _summary_row(run) for key, run in runs]
        return pd.DataFrame(rows).astype({"best_epoch": "Int64", "diverged_at": "Int64"})

    def plot(self, metric: str = "valid_loss", *, log: bool = False) -> ggplot:
        """The validation curves, or those of another metric, over epochs, as R's `compare_configs` draws them.

        Arguments:
            metric: a column of `data`: "train_loss", "valid_loss", "valid_rmse", "train_accuracy", "valid_accuracy".
                The losses are means over batches, for "mse" of their RMSEs; valid_rmse is the RMSE of the whole
                validation set. Of several seeds the mean is drawn, and a band of the middle 80 % of them.
            log: a logarithmic axis; R's is cut where a loss exceeds 10, as the caption then says.
        """
        from pycompare.plots import plot_comparison, plot_over_seeds

        if "seed" in self.data:
            return plot_over_seeds(self.data, metric=metric, log=log or None, rows=self._facets())
        facets = {"parameter": self.parameter, "rows": self._facets()}
        return plot_comparison(self.data, **facets, metric=metric, log=log, note=self._advice())

    def plot_final(self, metric: str = "valid_loss", *, log: bool | None = None) -> ggplot:
        """The last and the best value of `metric` over the varied argument, on a log axis where values span decades.

        Of several seeds the last values are drawn, those of one seed joined by a line: the runs are paired by seed.

        Arguments:
            metric: as in `plot`.
            log: whether the metric's axis is logarithmic, too; unless given, where it spans decades.
        """
        from pycompare.plots import plot_final, plot_paired

        if "seed" in self.data:
            return plot_paired(self.data, metric=metric, log=log, rows=self.rows)
        note = self._advice()
        return plot_final(self.data, parameter=self.parameter, rows=self.rows, metric=metric, log=log, note=note)

    def differences(self, metric: str = "valid_loss") -> pd.DataFrame:
        """What each two configurations differ by at the end, paired by seed: see `paired_differences`.

        Raises:
            ValueError: the runs have one seed, or `metric` is no column of `data`.
        """
        known = [str(name) for name in self.data if str(name).endswith(_METRICS)]
        one_of("metric", metric, known, "Choose a column of `data`.")
        if "seed" not in self.data:
            raise ValueError("`seeds` must be several to tell differences from noise; got one. Pass e.g. seeds=10.")
        if self.parameter == "loss":
            raise ValueError("`loss` must be one, or the second list, for losses to be compared; got several.")
        return paired_differences(self.data, metric, self.rows)

    def _words(self) -> str:
        from pycompare.sweeps.diagnose import diagnose

        compared = "seed" in self.data and len({*self.data["seed"]}) > 1 and self.parameter != "loss"
        differing = difference_words(self.differences(), self.rows) if compared else ""
        return "\n".join([*diagnose(self).sentences, *([differing] if differing else [])])

    def _facets(self) -> str | None:
        """What curves have a facet for each value of: curves of several losses have no common axis."""
        return "loss" if self.parameter == "loss" else self.rows

    def plot_gap(self) -> ggplot:
        """The validation curves and, below them, their `generalization_gap`; over several seeds, means and bands."""
        from pycompare.plots import plot_gap
        from pycompare.sweeps.diagnose import generalization_gap

        told = self.data.assign(gap=generalization_gap(self)["gap"])
        if self.rows:
            told["config"] += ", " + told[self.rows].map(partial(setting_label, self.rows))
        return plot_gap(told, when=self._when, note=self._advice())

    def _advice(self) -> str:
        varied = {self.parameter: self.values} | ({self.rows: self.row_values} if self.rows else {})
        scheduled = "schedule" in (*varied, *self.arguments)
        rates = [rate for rate in varied.get("lr", (self.arguments.get("lr", 0.0),)) if not isinstance(rate, str)]
        least = 0.0 if scheduled else min(rates, default=0.0)  # which names do not tell
        return divergence_advice(self.parameter, least, self.input_size)

    def _settings(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self._saved}
        made_with = dict(self.made_with)
        loaded = {"versions": made_with.pop("versions")} if "versions" in made_with else {}
        return told | {"made_with": made_with} | loaded

    def _title(self) -> str:
        fixed = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        rows = f", and of {self.rows} over {list(self.row_values)}" if self.rows else ""
        title = f"Comparison of {self.parameter} over {list(self.values)}{rows}\n{fixed}"
        diverged = not np.isfinite(self.data["valid_loss"]).any()
        return f"{title}\nEvery run diverged. {self._advice()}" if diverged else title


def _summary_row(run: pd.DataFrame) -> dict[str, object]:
    finite = is_finite(run[["valid_loss"]])
    best = run.iloc[int(np.where(finite, run["valid_loss"], np.inf).argmin())]
    return {
        "last_valid_loss": run["valid_loss"].iloc[-1],
        "best_valid_loss": best["valid_loss"],
        "best_epoch": int(best["epoch"]) if finite.any() else pd.NA,
        "diverged_at": first_failure(run["epoch"], finite),
    }
