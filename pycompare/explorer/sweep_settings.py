"""The settings of the tab "Sweep", and their controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pycompare.explorer.controls import Control, DataChoice, Slider, choice, decades, real, whole, wholes

# The sets of `classification_data` with two inputs at the generators' defaults, and the activations of `MLP`: both are
# known to modules that import torch, which the page does not wait for.
PLANE_SETS = ("cassini", "circle", "circles", "normals_2d", "shapes", "smiley", "xor")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "leaky_relu", "gelu", "identity")
VARIED = ("batch_size", "lr", "weight_decay", "beta1", "beta2")
COURSE = "friedman3"
_SETS = ((COURSE, "the course's: friedman3"), ("spirals", "spirals"), *((name, name) for name in PLANE_SETS))
_BATCHES = ("1", "2", "4", "8", "16", "32", "64", "128", "256", "512", "700")
_BETA1 = ("0", "0.2", "0.4", "0.5", "0.6", "0.7", "0.8", "0.85", "0.9", "0.93", "0.95", "0.97", "0.98", "0.99")
_BETA2 = ("0", "0.5", "0.8", "0.9", "0.95", "0.98", "0.99", "0.995", "0.998", "0.999", "0.9995", "0.9999")
_EPOCHS = ("1", "2", "5", "10", "15", "20", "30", "50", "70", "100", "150", "200", "300")
_DIGITS = ("1", "1.5", "2", "3", "5", "7")


@dataclass(frozen=True)
class SweepSettings:
    """What one training depends on, as the arguments of `compare_configs` and `MLP`.

    Attributes:
        data: a name of `named_sets`, or "file:" and the name of an uploaded file.
    """

    data: str
    hidden: tuple[int, ...]
    activation: str
    epochs: int
    seed: int
    batch_size: int
    lr: float
    weight_decay: float
    beta1: float
    beta2: float


CONTROLS: Mapping[str, Sequence[Control]] = {
    "Training": (
        Slider("lr", "Learning rate", "0.01", real(at_least=0), stops=decades(-5, 1, _DIGITS)),
        Slider("batch_size", "Batch size", "16", whole(at_least=1), stops=_BATCHES),
        Slider("weight_decay", "Weight decay", "0.01", real(at_least=0), stops=("0", *decades(-5, 1))),
        Slider("beta1", "beta1, momentum", "0.9", real(at_least=0, below=1), stops=_BETA1),
        Slider("beta2", "beta2, of squares", "0.999", real(at_least=0, below=1), stops=_BETA2),
    ),
    "Problem": (
        DataChoice.of("data", "Data", COURSE, _SETS),
        Control("hidden", "Hidden layers", "50,50", wholes(at_least=1, at_most=1000, most=10), "Widths, such as 50,50"),
        choice("activation", "Activation", "relu", [(name, name) for name in ACTIVATIONS]),
        Slider("epochs", "Epochs", "30", whole(at_least=1, at_most=2000), stops=_EPOCHS),
        Control("seed", "Seed", "123", whole(at_least=0)),
    ),
}

DEFAULTS = SweepSettings(**{one.name: one.value(one.default) for group in CONTROLS.values() for one in group})
