"""A comparison in a store that others share.

`python shared.py FOLDER LOG` says "ready" before it trains, and notes each training that begins as a line of LOG.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from pycompare import Comparison, RunStore, Split, compare_configs
from pycompare.sweeps import runs as running

EPOCHS, RATES = 3, [i / 1000 for i in range(1, 21)]
X = np.linspace(-1, 1, 60).reshape(30, 2)
SMALL = Split.from_arrays(X, X.sum(axis=1))


def compare(store: RunStore | None, **arguments: Any) -> Comparison:
    return compare_configs(EPOCHS, 8, RATES, data=SMALL, store=store, progress=False, **arguments)


def note_trainings(log: Path) -> None:
    begin = running.begin_training

    def noted(*arguments: Any) -> Any:
        with log.open("a") as lines:
            lines.write(f"{arguments[-1].arguments['lr']}\n")
        time.sleep(0.01)
        return begin(*arguments)

    running.begin_training = noted  # type: ignore[assignment]


if __name__ == "__main__":
    folder, log = map(Path, sys.argv[1:])
    note_trainings(log)
    print("ready", flush=True)
    compare(RunStore(folder, seconds=0)).data.to_pickle(log.with_suffix(".pickle"))
