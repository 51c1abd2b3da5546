"""The settings of the tab "Initialization", their controls, and the arguments of the functions that it calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pycompare.explorer.controls import Control, Slider, choice, decades, real, whole
from pycompare.explorer.sweep_settings import ACTIVATIONS, PLANE_SETS

ROWS, GRID = 100, 61
# The names of `initialise`, known to a module that imports torch.
INITS = ("normal", "trunc_normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal")
TAKE_SIGMA = INITS[:2]
_DEPTHS = ("1", "2", "3", "4", "5", "7", "10", "15", "20", "30", "50")
_WIDTHS = ("2", "3", "5", "7", "10", "20", "30", "50", "100", "200")
_STEPS = ("1", "2", "5", "10", "20", "50", "100", "200", "300", "500", "1000")
_SPREADS = decades(-2, 1, ("1", "1.5", "2", "3", "5", "7"))


@dataclass(frozen=True)
class InitializationSettings:
    """What a network and its training depend on, as the arguments of `activation_statistics` and `compare_inits`."""

    init: str
    sigma: float
    depth: int
    width: int
    activation: str
    data: str
    steps: int
    lr: float
    seed: int

    def spread(self) -> dict[str, float]:
        """Its sigma, where the initialiser takes one."""
        return {"sigma": self.sigma} if self.init in TAKE_SIGMA else {}

    def statistics_arguments(self) -> dict[str, Any]:
        """Those of `activation_statistics`, but for the data."""
        shape = {"depth": self.depth, "width": self.width, "activation": self.activation}
        return {"init": self.init} | self.spread() | shape | {"seed": self.seed}

    def network_arguments(self, classes: int) -> dict[str, Any]:
        """Those of `MLP`."""
        hidden = (self.width,) * self.depth
        return {"in_features": 2, "hidden": hidden, "out_features": classes, "activation": self.activation}

    def training_arguments(self) -> dict[str, Any]:
        """Those of `compare_inits`, but for data and network."""
        init = {"init": self.init, "sigma": [self.sigma]} if self.spread() else {"init": [self.init]}
        return init | {"steps": self.steps, "every": self.steps, "lr": self.lr, "seed": self.seed}


CONTROLS: Mapping[str, Sequence[Control]] = {
    "Start": (
        Slider("sigma", "sigma", "0.5", real(at_least=0), "Of normal and trunc_normal", stops=_SPREADS),
        Slider("depth", "Depth, layers", "5", whole(at_least=1, at_most=50), stops=_DEPTHS),
        Slider("width", "Width, units", "20", whole(at_least=1, at_most=500), stops=_WIDTHS),
        choice("init", "Initialiser", "normal", [(name, name) for name in INITS]),
        choice("activation", "Activation", "relu", [(name, name) for name in ACTIVATIONS if name != "identity"]),
        Control("seed", "Seed", "123", whole(at_least=0)),
    ),
    "Training": (
        Slider("steps", "Steps", "100", whole(at_least=1, at_most=2000), stops=_STEPS),
        Slider(
            "lr",
            "Learning rate",
            "0.1",
            real(at_least=0),
            "At 0 the network stays as it starts",
            stops=("0", *decades(-3, 1)),
        ),
        choice("data", "Data", "circle", [(name, name) for name in PLANE_SETS]),
    ),
}
