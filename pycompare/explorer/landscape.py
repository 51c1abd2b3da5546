"""The tab "Landscape": paths of optimizers over the map of one neuron's loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pycompare.explorer.calls import assigned, calls, changed
from pycompare.explorer.controls import Control, Slider, choice, decades, real, whole
from pycompare.explorer.drawn import digits, numbers
from pycompare.explorer.paths import MOMENTA, path_figures
from pycompare.explorer.tab import Answer, NoCounterpartError, Uploads
from pycompare.snippets import Code, command_line, python_call, r_call

if TYPE_CHECKING:
    from htmltools import Tag

_LOSSES = ("mse", "l1", "huber", "smooth_l1")
_OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop", "adagrad")
_RATES = decades(-4, 1, ("1", "1.5", "2", "3", "5", "7"))
_SHARES = ("0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1")
_EPOCHS = ("1", "2", "5", "10", "20", "30", "50", "70", "100", "150", "200", "300", "500")
_GRID = 61
_IN_A_COMMAND = ("loss", "lr", "momentum", "dampening", "weight_decay", "optimizer")  # that may be lists
_TOY = "# With the course's functions and points, which are in r_reference.\n"
_TOY += 'toy <- read.csv("r_reference/recorded/toy_xy.csv")\n'


@dataclass(frozen=True)
class LandscapeSettings:
    """What one path depends on, as the arguments of `descend`; weight and bias are its start."""

    loss: str
    optimizer: str
    lr: float
    momentum: float
    dampening: float
    weight_decay: float
    nesterov: bool
    epochs: int
    weight: float
    bias: float


CONTROLS: Mapping[str, Sequence[Control]] = {
    "Steps": (
        Slider("lr", "Learning rate", "0.1", real(at_least=0), stops=_RATES),
        Slider("momentum", "Momentum", "0", real(at_least=0), "Of sgd and rmsprop", stops=MOMENTA),
        Slider("dampening", "Dampening", "0", real(), "Of sgd with momentum", stops=_SHARES),
        Slider("weight_decay", "Weight decay", "0", real(at_least=0), stops=("0", *decades(-3, 1))),
        Slider("epochs", "Epochs", "100", whole(at_least=1, at_most=1000), stops=_EPOCHS),
    ),
    "Start": (
        Control("weight", "Weight", "6", real()),
        Control("bias", "Bias", "-3", real(), "Or click on the map"),
    ),
    "Problem": (
        choice("optimizer", "Optimizer", "sgd", [(name, name) for name in _OPTIMIZERS], "Pin lays one over another"),
        choice("nesterov", "Nesterov", "no", [("no", "no"), ("yes", "yes")], "Of sgd with momentum, without dampening"),
        choice("loss", "Loss", "mse", [(name, name) for name in _LOSSES]),
    ),
}


class Landscape:
    """See `tab.Tab`."""

    name = "landscape"
    title = "Landscape"
    caption = "Where the paths end: the last finite point"
    controls = CONTROLS

    def settings(self, **values: Any) -> LandscapeSettings:
        """As `Tab.settings` says."""
        return LandscapeSettings(**values | {"nesterov": values["nesterov"] == "yes"})

    def figures(self) -> list[Tag]:
        """As `Tab.figures` says."""
        return path_figures("Map of the loss by bias and weight, with the paths", "Losses by epoch", "Epoch")

    def compute(self, settings: LandscapeSettings, uploads: Uploads) -> Answer:  # noqa: ARG002
        """As `Tab.compute` says."""
        from pycompare.labs.landscape import descend

        descents = descend(**_changed(_arguments(settings)))
        path = descents.data
        (row,) = descents.summary().to_dict("records")
        names = {"when": "epoch", "x": "bias", "y": "weight", "value": "loss"}
        cells = {f"last {name}": digits(row[name]) for name in ("weight", "bias", "loss")}
        cells |= {"diverged at epoch": digits(row["diverged_at"]), "left the map at epoch": digits(row["left_map_at"])}
        return Answer({name: numbers(path[column]) for name, column in names.items()}, cells, descents)

    def together(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """As `Tab.together` says: the map of the form's loss, on which all starts lie."""
        results: list[Any] = [answer.result for answer in answers]
        ends = [one.maps(n=2) for one in results]
        ranges = {
            name: (min(one[name].min() for one in ends), max(one[name].max() for one in ends))
            for name in ("weight", "bias")
        }
        shown = results[-1].maps(**ranges, n=_GRID)
        (loss,) = results[-1].losses
        others = any(loss not in one.losses for one in results)
        return {
            "x": shown["bias"].unique().tolist(),
            "y": shown["weight"].unique().tolist(),
            "z": shown["loss"].to_numpy().reshape(_GRID, _GRID).tolist(),
            "names": {"x": "bias", "y": "weight", "value": "Loss", "when": "Epoch"},
            "note": f"The map is that of {loss}; paths of other losses lie on it, too." if others else "",
        }

    def python(self, shown: Sequence[LandscapeSettings], answers: Sequence[Answer]) -> str:  # noqa: ARG002
        """As `Tab.python` says."""
        made = calls([_arguments(one) for one in shown], [*_DEFAULTS.keys() - {"epochs"}])
        functions = ["compare_descents" if _several(one) else "descend" for one in made]
        written = [python_call(function, _changed(one)) for function, one in zip(functions, made, strict=True)]
        return f"from pycompare.labs.landscape import {functions[0]}\n\n{assigned('descents = ', written)}\n"

    def command(self, shown: Sequence[LandscapeSettings], answers: Sequence[Answer]) -> str:  # noqa: ARG002
        """As `Tab.command` says."""
        made = calls([_arguments(one) for one in shown], _IN_A_COMMAND)
        lines = [command_line("pycompare lab landscape descend", _changed(one)) for one in made]
        return "\n".join([*lines, ""])

    def r(self, shown: Sequence[LandscapeSettings], answers: Sequence[Answer]) -> str:  # noqa: ARG002
        """As `Tab.r` says."""
        if any(one.optimizer != "sgd" for one in shown):
            raise NoCounterpartError("The course's function takes its steps by SGD only.")
        points = {"x": Code("toy$x"), "y": Code("toy$y")}
        made = calls([_arguments(one) for one in shown], [])
        written = [r_call("descend", {"loss": one["loss"]} | points | _changed(one)) for one in made]
        return f"{_TOY}{assigned('descents <- ', written, 'list()')}\n"


def _arguments(settings: LandscapeSettings) -> dict[str, Any]:
    """Those of `descend`."""
    arguments = dict(vars(settings))
    start = arguments.pop("weight"), arguments.pop("bias")
    return arguments | {"start": start}


def _changed(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return changed(arguments, _DEFAULTS)


def _several(arguments: Mapping[str, Any]) -> bool:
    return any(isinstance(value, list) for value in arguments.values())


_DEFAULTS = _arguments(
    Landscape().settings(**{one.name: one.value(one.default) for group in CONTROLS.values() for one in group})
)
