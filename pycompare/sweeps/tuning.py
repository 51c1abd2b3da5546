"""What tune returns: runs, decisions and a network, and how they are summarised, drawn, saved and read back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pandas as pd
from torch import nn

from pycompare.labels import setting_label
from pycompare.results import Result, read_saved, saved_call
from pycompare.sweeps.differences import LEVEL, paired_differences, seeds_needed
from pycompare.sweeps.seeds import seeds_summary

if TYPE_CHECKING:
    from plotnine import ggplot

METRIC = "best_valid_loss"


@dataclass(frozen=True, eq=False, repr=False)
class Tuning(Result):
    """Settings that were chosen one group after the other.

    Attributes:
        data: tidy frame, one row a run of a group: group ("lr", "hidden + activation"), config (what tells its
            candidates apart), a column for each list of the space, seed, start (with restarts), epochs (done),
            best_epoch, best_valid_loss (NaN where the run has diverged), best_valid_accuracy (for losses of classes; in
            that epoch), kept (whether its candidate was chosen). What a group takes over from the one before stands in
            both.
        path: one row a decision: group, candidates, choice, mean (of best_valid_loss over seeds), failed (the share of
            its runs that diverged), runner_up, runner_up_mean, seeds, p (of Wilcoxon's test, two-sided, of choice and
            runner-up, paired by seed), exceeds_noise (p below 0.05), and what it cost: runs, epochs and seconds. What
            was known already costs nothing, what a store knows counts as if it had been trained, but for the seconds.
        chosen: the settings chosen, by name.
        arguments: the other arguments of `tune`, and the space, by name.
        made_with: what else made it: engine and why, threads, kernels, data, network.
        network: trained with the settings chosen, under the first seed; None where it was read back.
    """

    path: pd.DataFrame = field(repr=False)
    chosen: dict[str, Any]
    arguments: dict[str, Any]
    made_with: dict[str, Any] = field(default_factory=dict, repr=False)
    network: nn.Module | None = field(default=None, repr=False)
    _name: ClassVar[str] = "tuning"

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Self:
        """What `save` wrote into `folder`, bit for bit, without the network; functions are their names.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is another program's, or a newer pycompare's.
        """
        data, settings = read_saved(folder, cls._name)
        parts: list[Any] = [settings.get(name) for name in ("path", "chosen", "arguments", "made_with")]
        if [type(part) for part in parts] != [list, dict, dict, dict]:
            raise ValueError(
                f"`folder` must hold what save() wrote; got {str(folder)!r}, whose tuning lacks settings. Save it"
                " again."
            )
        path, *others = parts
        return cls(
            data.astype({"best_epoch": "Int64"}), pd.DataFrame(path).astype(_FLOATS), *others, call=saved_call(settings)
        )

    def summary(self) -> pd.DataFrame:
        """The decisions, one row a group."""
        return self.path[["group", "candidates", "choice", "mean", "runner_up", "exceeds_noise", "runs", "epochs"]]

    def plot(self) -> ggplot:
        """The mean best validation loss of every candidate, group by group, and the path of those chosen."""
        from pycompare.plots import plot_path

        return plot_path(self.data)

    def plots(self) -> dict[str, ggplot]:
        """A picture of each group, by its name: the best validation loss of every run, and means over seeds."""
        from pycompare.plots import plot_group

        return {str(group): plot_group(rows) for group, rows in self.data.groupby("group", sort=False)}

    def cost(self) -> dict[str, float]:
        """How many runs, epochs and seconds it took."""
        return {name: sum(self.path[name].tolist()) for name in ("runs", "epochs", "seconds")}

    def _settings(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in ("chosen", "arguments", "made_with")}
        return told | {"path": self.path.to_dict("records")}

    def _title(self) -> str:
        chosen = ", ".join(setting_label(name, value) for name, value in self.chosen.items())
        cost = self.cost()
        return (
            f"Tuning: {chosen}\n{cost['runs']} runs of {cost['epochs']} epochs in all, {cost['seconds']:.3g} s;"
            f" means of the best validation loss over {self.path['seeds'].max()} seeds"
        )

    def _words(self) -> str:
        return "\n".join(_decision_line(row) for row in self.path.to_dict("records"))


_FLOATS = dict.fromkeys(("mean", "failed", "runner_up_mean", "p", "seconds"), float)


def ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """`seeds_summary` of best losses, the candidate that fails least first; of those alike, the lowest mean."""
    table = seeds_summary(rows, METRIC)
    return table.sort_values(["failed", "mean"], kind="stable", ignore_index=True)


def decision(rows: pd.DataFrame) -> dict[str, Any]:
    """The best candidate of a group, the next one, and whether the noise of the seeds may have chosen between them."""
    first, *others = ranked(rows).to_dict("records")
    told = {"choice": first["config"], "mean": first["mean"], "failed": first["failed"]}
    if not others:
        return told | _against("", math.nan, first["seeds"], math.nan)
    pair = rows[rows["config"].isin([first["config"], others[0]["config"]])]
    p = float(paired_differences(pair, METRIC)["p"].iloc[0])
    return told | _against(others[0]["config"], others[0]["mean"], first["seeds"], p)


def _against(runner_up: str, mean: float, seeds: int, p: float) -> dict[str, Any]:
    told = {"runner_up": runner_up, "runner_up_mean": mean, "seeds": seeds}
    return told | {"p": p, "exceeds_noise": p < LEVEL}


def _decision_line(row: dict[Any, Any]) -> str:
    chosen = f"- {row['choice']}, of {row['candidates']}: {row['mean']:.4g}"
    if not row["runner_up"]:
        return chosen
    if math.isnan(row["runner_up_mean"]):
        return f"{chosen}; under all others every run diverged."
    second = f"{chosen}; next {row['runner_up']}: {row['runner_up_mean']:.4g}."
    if row["seeds"] < seeds_needed(1):
        few = f"{row['seeds']} seed{'s' * (row['seeds'] > 1)} cannot tell whether that is noise"
        return f"{second} {few}, {seeds_needed(1)} could."
    word = "exceeds" if row["exceeds_noise"] else "does not exceed"
    return f"{second} The difference {word} the noise of the seeds (p = {row['p']:.2g})."
