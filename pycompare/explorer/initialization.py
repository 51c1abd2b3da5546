"""The tab "Initialization": one network, its activations by layer at the start, and what it says after a training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from pycompare.explorer import initialization_code
from pycompare.explorer.drawn import digits, numbers, plane
from pycompare.explorer.initialization_settings import CONTROLS, GRID, ROWS, InitializationSettings
from pycompare.explorer.tab import Answer, Uploads

if TYPE_CHECKING:
    from htmltools import Tag

    from pycompare.data.split import Split


class Initialization:
    """See `tab.Tab`."""

    name = "initialization"
    title = "Initialization"
    caption = "|activation| by layer at the start, and the network after its training"
    controls = CONTROLS

    def settings(self, **values: Any) -> InitializationSettings:
        """As `Tab.settings` says."""
        return InitializationSettings(**values)

    def figures(self) -> list[Tag]:
        """As `Tab.figures` says."""
        from htmltools import tags

        layers = tags.div({"data-figure": "layers"}, role="img", aria_label="Mean of |activation|, and zeros, by layer")
        return [layers, tags.div({"data-figure": "plane"}, role="img", aria_label="Decision boundary")]

    def compute(self, settings: InitializationSettings, uploads: Uploads) -> Answer:  # noqa: ARG002
        """As `Tab.compute` says."""
        from pycompare.labs.activations import activation_statistics
        from pycompare.labs.initialization import compare_inits
        from pycompare.training.network import MLP

        split = _data(settings.data)
        statistics = activation_statistics(**settings.statistics_arguments(), data=split.train.tensors[0])
        make = partial(MLP, **settings.network_arguments(_classes(split)))
        comparison = compare_inits(**settings.training_arguments(), data=split, network=make, progress=False)
        layers, row, end = statistics.data, statistics.summary().iloc[0], comparison.data.iloc[-1]
        drawn = {name: numbers(layers[name]) for name in ("layer", "mean", "sd", "zero")}
        cells = {"first layer": digits(row["first"]), "last layer": digits(row["last"])}
        cells |= {"explodes at": digits(row["explodes_at"]), "vanishes at": digits(row["vanishes_at"])}
        cells |= {"train_loss": digits(end["train_loss"]), "valid_accuracy": digits(end["valid_accuracy"])}
        return Answer(drawn | {"plane": plane(comparison.boundaries(grid=GRID))}, cells, comparison)

    def together(self, answers: Sequence[Answer]) -> dict[str, Any]:  # noqa: ARG002
        """As `Tab.together` says: nothing."""
        return {}

    def python(self, shown: Sequence[InitializationSettings], answers: Sequence[Answer]) -> str:
        """As `Tab.python` says."""
        return initialization_code.python(shown, answers)

    def command(self, shown: Sequence[InitializationSettings], answers: Sequence[Answer]) -> str:
        """As `Tab.command` says."""
        return initialization_code.command(shown, answers)

    def r(self, shown: Sequence[InitializationSettings], answers: Sequence[Answer]) -> str:
        """As `Tab.r` says."""
        return initialization_code.r(shown, answers)


@cache
def _data(name: str) -> Split:
    from pycompare.data.classification import classification_data

    return classification_data(name, ROWS)


def _classes(split: Split) -> int:
    return int(split.train.tensors[1].max()) + 1
