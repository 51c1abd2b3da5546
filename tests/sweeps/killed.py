"""A comparison in a store, for processes that are killed: `python killed.py FOLDER` says "ready" before it trains."""

from __future__ import annotations

import sys
from pathlib import Path

from torch import nn

from pycompare import Comparison, RunStore, Split, compare_configs
from pycompare.data.rng import RRandom

EPOCHS = 60


def dropping() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 1))


def compare(store: RunStore | None) -> Comparison:
    rng = RRandom(5)
    data = Split.from_arrays(rng.rnorm(160).reshape(80, 2), rng.rnorm(80))
    return compare_configs(
        EPOCHS, 8, [0.1, 0.05, 0.01, 0.001], data=data, network=dropping, store=store, progress=False
    )


if __name__ == "__main__":
    print("ready", flush=True)
    compare(RunStore(Path(sys.argv[1]), seconds=0))
