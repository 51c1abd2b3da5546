"""The tab "Sweep": one network trained at the settings of five sliders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from pycompare.explorer import sweep_code
from pycompare.explorer.controls import FILE
from pycompare.explorer.drawn import digits, numbers, plane
from pycompare.explorer.sweep_settings import CONTROLS, COURSE, DEFAULTS, SweepSettings
from pycompare.explorer.tab import Answer, Uploads

if TYPE_CHECKING:
    from htmltools import Tag

    from pycompare.data.split import Split
    from pycompare.sweeps.comparison import Comparison

_MOST_CLASSES, _GRID = 10, 61


class Sweep:
    """See `tab.Tab`."""

    name = "sweep"
    title = "Sweep"
    caption = "Losses on the validation set"
    controls = CONTROLS

    def settings(self, **values: Any) -> SweepSettings:
        """As `Tab.settings` says."""
        return SweepSettings(**values)

    def figures(self) -> list[Tag]:
        """As `Tab.figures` says."""
        from htmltools import tags

        curves = tags.div({"data-figure": "curves"}, role="img", aria_label="Curves of the validation loss by epoch")
        plane = tags.div({"data-figure": "plane", "hidden": ""}, role="img", aria_label="Decision boundary")
        return [curves, plane]

    def compute(self, settings: SweepSettings, uploads: Uploads) -> Answer:
        """As `Tab.compute` says."""
        comparison = compared(settings, uploads)
        row = comparison.summary().iloc[0]
        curve = {
            "epoch": comparison.data["epoch"].tolist(),
            "valid_loss": numbers(comparison.data["valid_loss"]),
            "plane": _plane(comparison, _split(settings.data, uploads)),
        }
        cells = {
            "last": digits(row["last_valid_loss"]),
            "best": digits(row["best_valid_loss"]),
            "best epoch": digits(row["best_epoch"]),
            "diverged at epoch": digits(row["diverged_at"]),
        }
        return Answer(curve, cells, comparison)

    def together(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """As `Tab.together` says: the axis of R's `compare_configs`, and what it is called."""
        import pandas as pd

        from pycompare.plots.comparison import loss_limits, metric_label

        data = pd.concat([answer.result.data for answer in answers])
        losses = data["valid_loss"].dropna()
        limits = loss_limits(losses) if len(losses) else None
        above = int((losses > limits[1]).sum()) if limits else 0
        cut = f"The axis ends at the 98 % quantile, as R's does: {above} of {len(losses)} points lie above it."
        kinds = {metric_label("valid_loss", answer.result.data) for answer in answers}
        return {"limits": limits, "note": cut if above else "", "y": " or ".join(sorted(kinds))}

    def python(self, shown: Sequence[SweepSettings], answers: Sequence[Answer]) -> str:
        """As `Tab.python` says."""
        return sweep_code.python(shown, answers)

    def command(self, shown: Sequence[SweepSettings], answers: Sequence[Answer]) -> str:
        """As `Tab.command` says."""
        return sweep_code.command(shown, answers)

    def r(self, shown: Sequence[SweepSettings], answers: Sequence[Answer]) -> str:
        """As `Tab.r` says."""
        return sweep_code.r(shown, answers)


def compared(settings: SweepSettings, uploads: Uploads) -> Comparison:
    """The comparison of one curve, with its network."""
    from pycompare.sweeps.configs import compare_configs, network_factory
    from pycompare.training.losses import find_loss
    from pycompare.training.network import MLP

    split = _split(settings.data, uploads)
    loss, make = _loss(split), partial(MLP, activation=settings.activation)
    return compare_configs(
        settings.epochs,
        settings.batch_size,
        [settings.lr],
        settings.weight_decay,
        settings.beta1,
        settings.beta2,
        # What is left at its default, a report can write as code.
        network=network_factory(None, split, find_loss(loss), settings.hidden, make)
        if _own_network(settings)
        else None,
        loss=loss,
        data=None if settings.data == COURSE else split,
        seed=settings.seed,
        keep_networks=True,
        progress=False,
    )


def _own_network(settings: SweepSettings) -> bool:
    return (settings.hidden, settings.activation) != (DEFAULTS.hidden, DEFAULTS.activation)


def _split(data: str, uploads: Uploads) -> Split:
    if not data.startswith(FILE):
        return _named(data)
    file = data.removeprefix(FILE)
    if file not in uploads:
        raise ValueError(f"`data` must be here; got {file!r}, which this page was not given. Upload it.")
    return uploads[file]


@cache
def _named(name: str) -> Split:
    from pycompare.data.named import named_sets

    return named_sets()[name]()


def _loss(split: Split) -> str:
    """That of classes where the targets are a few whole numbers from 0, as of every set of classes; else "mse"."""
    targets = split.train.tensors[1].unique().tolist()
    return "cross_entropy" if all(one in range(_MOST_CLASSES) for one in targets) else "mse"


def _plane(comparison: Comparison, split: Split) -> dict[str, Any] | None:
    """The decision boundary of a classifier of two inputs; else None."""
    from pycompare.labs.boundaries import decision_boundary

    if split.train.tensors[0].shape[1:] != (2,) or _loss(split) == "mse":
        return None
    (network,) = comparison.networks.values()
    boundary = decision_boundary(network, split, loss="cross_entropy", grid=_GRID)
    return plane(boundary)
