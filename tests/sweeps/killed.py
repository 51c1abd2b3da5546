"""Trainings in a store, for processes that are killed: `python killed.py FOLDER compare` says "ready" before it trains.

With tune in place of compare it is 24 runs in three groups.
"""

from __future__ import annotations

import sys
from pathlib import Path

from torch import nn

from pycompare import Comparison, RunStore, Split, Tuning, compare_configs, tune
from pycompare.data.rng import RRandom

EPOCHS = 60


def dropping() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 1))


def wide(width: int, p: float) -> nn.Module:
    return nn.Sequential(nn.Linear(2, width), nn.Dropout(p), nn.ReLU(), nn.Linear(width, 1))


def data() -> Split:
    rng = RRandom(5)
    return Split.from_arrays(rng.rnorm(160).reshape(80, 2), rng.rnorm(80))


def compare(store: RunStore | None) -> Comparison:
    return compare_configs(
        EPOCHS, 8, [0.1, 0.05, 0.01, 0.001], data=data(), network=dropping, store=store, progress=False
    )


def choose(store: RunStore | None) -> Tuning:
    space = {
        "lr": [0.1, 0.05, 0.01, 0.001],
        "width": [8, 3, 5],
        "p": [0.2, 0],
        "optimizer": ["adamw", "adam", "sgd", "rmsprop"],
    }
    order = ["lr", ("width", "p"), "optimizer"]
    return tune(space, data(), network=wide, order=order, epochs=10, halvings=1, seeds=2, store=store, progress=False)


if __name__ == "__main__":
    print("ready", flush=True)
    {"compare": compare, "tune": choose}[sys.argv[2]](RunStore(Path(sys.argv[1]), seconds=0))
