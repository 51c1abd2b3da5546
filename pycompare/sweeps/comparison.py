"""What compare_configs returns: curves, and how they are summarised, drawn, saved and read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from torch import nn

from pycompare.divergence import first_failure, is_finite
from pycompare.results import Result, read_saved
from pycompare.sweeps.advice import divergence_advice
from pycompare.sweeps.seeds import seeds_summary

if TYPE_CHECKING:
    from plotnine import ggplot


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """The curves of one network trained under several settings.

    Attributes:
        data: tidy frame, one row for each run and epoch: config (the label, "lr = 0.1"), the varied argument under its
            own name, epoch (from 1), train_loss, valid_loss, for loss "mse" valid_rmse, and for losses of classes
            train_accuracy and valid_accuracy. NaN where a run has diverged. Several seeds have a column seed.
        parameter: the name of the varied argument.
        values: its values, in the order given; schedules as text.
        arguments: the other arguments of `compare_configs`, by name.
        made_with: what else made it: the engine that trained and why, threads, this machine's kernels, data, network.
        input_size: the largest root mean square of a column of the training inputs: 1 where they are standardised.
        networks: the trained networks by config, where they were to be kept.
        constant_loss: the training loss of the best constant prediction; None for a loss of one's own.
    """

    parameter: str
    values: tuple[Any, ...]
    arguments: dict[str, Any]
    made_with: dict[str, Any] = field(default_factory=dict, repr=False)
    input_size: float = 1.0
    networks: dict[str, nn.Module] = field(default_factory=dict, repr=False)
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
        known = all(isinstance(settings.get(name), kind) for name, kind in cls._saved.items())
        if not known or not {"config", cls._when, "valid_loss", settings["parameter"]} <= {*data}:
            raise ValueError(
                f"`folder` must hold what save() wrote; got {str(folder)!r}, whose comparison lacks columns or"
                " settings. Save it again."
            )
        parts: dict[str, Any] = {name: settings.get(name) for name in cls._saved}
        made_with = parts["made_with"] | {"versions": settings.get("versions", {})}
        return cls(data, **parts | {"values": tuple(parts["values"]), "made_with": made_with})

    def summary(self) -> pd.DataFrame:
        """One row a configuration: its last and its best valid_loss, the epoch of the best, and where it diverged.

        Returns:
            Columns config, last_valid_loss, best_valid_loss, best_epoch, diverged_at (the first epoch without a finite
            valid_loss; epochs are Int64 with NA where there is none). Of several seeds what `seeds_summary` returns.
        """
        if "seed" in self.data:
            return seeds_summary(self.data)
        rows = [_summary_row(config, run) for config, run in self.data.groupby("config", sort=False)]
        return pd.DataFrame(rows).astype({"best_epoch": "Int64", "diverged_at": "Int64"})

    def plot(self, metric: str = "valid_loss", *, log: bool = False) -> ggplot:
        """The curves as a plotnine plot: by default the validation curves, as R's `compare_configs` draws them.

        Arguments:
            metric: a column of `data`: "train_loss", "valid_loss", "valid_rmse", "train_accuracy", "valid_accuracy".
                The losses are means over batches, for "mse" of their RMSEs; valid_rmse is the RMSE of the whole
                validation set. Of several seeds the mean is drawn, and a band of the middle 80 % of them.
            log: a logarithmic axis; R's is cut where a loss exceeds 10, as the caption then says.
        """
        from pycompare.plots import plot_comparison, plot_over_seeds

        if "seed" in self.data:
            return plot_over_seeds(self.data, metric=metric, log=log or None)
        return plot_comparison(self.data, parameter=self.parameter, metric=metric, log=log, note=self._advice())

    def plot_final(self, metric: str = "valid_loss", *, log: bool | None = None) -> ggplot:
        """The last and the best value of `metric` over the varied argument, on a log axis where values span decades.

        Of several seeds the last values are drawn, those of one seed joined by a line: the runs are paired by seed.

        Arguments:
            metric: as in `plot`.
            log: whether the metric's axis is logarithmic, too; unless given, where it spans decades.
        """
        from pycompare.plots import plot_final, plot_paired

        if "seed" in self.data:
            return plot_paired(self.data, metric=metric, log=log)
        return plot_final(self.data, parameter=self.parameter, metric=metric, log=log, note=self._advice())

    def plot_gap(self) -> ggplot:
        """The validation curves and, below them, their `generalization_gap`; over several seeds, means and bands."""
        from pycompare.plots import plot_gap
        from pycompare.sweeps.diagnose import generalization_gap

        gap = generalization_gap(self)["gap"]
        return plot_gap(self.data.assign(gap=gap), when=self._when, note=self._advice())

    def _advice(self) -> str:
        scheduled = "schedule" in (self.parameter, *self.arguments)
        lr = 0.0 if scheduled else self.arguments.get("lr", 0.0)
        return divergence_advice(self.parameter, self.values, lr, self.input_size)

    def _settings(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self._saved}
        made_with = dict(self.made_with)
        loaded = {"versions": made_with.pop("versions")} if "versions" in made_with else {}
        return told | {"made_with": made_with} | loaded

    def _words(self) -> str:
        from pycompare.sweeps.diagnose import diagnose

        return "\n".join(diagnose(self).sentences)

    def _title(self) -> str:
        fixed = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        title = f"Comparison of {self.parameter} over {list(self.values)}\n{fixed}"
        diverged = not np.isfinite(self.data["valid_loss"]).any()
        return f"{title}\nEvery run diverged. {self._advice()}" if diverged else title


def _summary_row(config: object, run: pd.DataFrame) -> dict[str, object]:
    finite = is_finite(run[["valid_loss"]])
    best = run.iloc[int(np.where(finite, run["valid_loss"], np.inf).argmin())]
    return {
        "config": config,
        "last_valid_loss": run["valid_loss"].iloc[-1],
        "best_valid_loss": best["valid_loss"],
        "best_epoch": int(best["epoch"]) if finite.any() else pd.NA,
        "diverged_at": first_failure(run["epoch"], finite),
    }
