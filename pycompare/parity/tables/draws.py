"""Random numbers: R's and torch's, and data and weights made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from pycompare.data import mlbench
from pycompare.data.rng import RRandom
from pycompare.parity.tables.recorded import SEED
from pycompare.seeding import torch_manual_seed
from pycompare.threads import torch_threads
from pycompare.training.initializers import INITIALIZERS

Draw = Callable[[int, RRandom], Iterable[Any]]


def inits() -> pd.DataFrame:
    """A 20 x 10 tensor filled by each initialiser, row by row."""
    frames = []
    for name, fill in INITIALIZERS.items():
        values = torch.empty(20, 10)
        with torch_threads(1), torch_manual_seed(SEED):
            fill(values)
        frames.append(pd.DataFrame({"init": f"{name}_", "index": range(200), "value": doubles(values)}))
    return pd.concat(frames, ignore_index=True)


def spirals_table() -> pd.DataFrame:
    """The spirals in the order in which they were drawn, with 1 in `train` for the rows sampled for training."""
    rng = RRandom(SEED)
    x, classes = mlbench.spirals(1000, cycles=1.5, sd=0.05, rng=rng)
    frame = pd.DataFrame({"x1": x[:, 0], "x2": x[:, 1], "class": classes, "train": 0})
    frame.loc[rng.sample(1000, 700) - 1, "train"] = 1
    return frame


def torch_random() -> pd.DataFrame:
    """Dropout masks, normal draws and a permutation, each under the same seed."""
    draws: dict[str, Callable[[], Tensor]] = {
        "dropout_0.5": lambda: F.dropout(torch.ones(1000), 0.5),
        "dropout_0.2": lambda: F.dropout(torch.ones(1000), 0.2),
        "randn": lambda: torch.randn(1000),
        "randperm": lambda: torch.randperm(1000),
    }
    columns = {}
    for name, draw in draws.items():
        with torch_manual_seed(SEED):
            columns[name] = doubles(draw())
    return pd.DataFrame({"index": range(1000)} | columns)


def random_numbers(seeds: Sequence[int], sizes: Sequence[int]) -> pd.DataFrame:
    """What `draw_random_numbers` of r_reference/random_numbers.R draws, one stream a seed."""
    calls: dict[str, Draw] = {
        "runif": lambda n, rng: [rng.runif(n, -1, 3)],
        "rnorm": lambda n, rng: [rng.rnorm(n, 3, 2)],
        "sample": lambda n, rng: [rng.sample(n)],
        "sample_with_replacement": lambda n, rng: [rng.sample(n, n, replace=True)],
    }
    return _drawn(calls, seeds, sizes)


def mlbench_data(seeds: Sequence[int], sizes: Sequence[int]) -> pd.DataFrame:
    """What `draw_mlbench_data` of the same file draws."""
    calls: dict[str, Draw] = {
        "friedman1": lambda n, rng: mlbench.friedman1(n, rng=rng),
        "friedman2": lambda n, rng: mlbench.friedman2(n, rng=rng),
        "friedman3": lambda n, rng: mlbench.friedman3(n, rng=rng),
        "peak": lambda n, rng: mlbench.peak(n, rng=rng),
        "circle": lambda n, rng: mlbench.circle(n, rng=rng),
        "xor": lambda n, rng: mlbench.xor(n, rng=rng),
        "spirals": lambda n, rng: mlbench.spirals(n + 1, 1.5, 0.05, rng=rng),
        "smiley": lambda n, rng: mlbench.smiley(n, rng=rng),
        "cassini": lambda n, rng: mlbench.cassini(n, rng=rng),
        "cuboids": lambda n, rng: mlbench.cuboids(n, rng=rng),
        "shapes": lambda n, rng: mlbench.shapes(n, rng=rng),
        "normals_2d": lambda n, rng: mlbench.normals_2d(n, 3, rng=rng),
        "ringnorm": lambda n, rng: mlbench.ringnorm(n + 1, rng=rng),
        "twonorm": lambda n, rng: mlbench.twonorm(n + 1, rng=rng),
        "threenorm": lambda n, rng: mlbench.threenorm(n + 1, rng=rng),
        "waveform": lambda n, rng: mlbench.waveform(n, rng=rng),
        "hypercube": lambda n, rng: mlbench.hypercube(n + 4, rng=rng),
        "simplex": lambda n, rng: mlbench.simplex(n + 4, rng=rng),
    }
    return _drawn(calls, seeds, sizes)


def _drawn(calls: dict[str, Draw], seeds: Sequence[int], sizes: Sequence[int]) -> pd.DataFrame:
    frames = []
    for seed in seeds:
        rng = RRandom(seed)
        for size in sizes:
            for call, draw in calls.items():
                values = np.concatenate([np.asarray(part, np.float64).ravel(order="F") for part in draw(size, rng)])
                index = range(len(values))
                frames.append(pd.DataFrame({"call": call, "seed": seed, "size": size, "index": index, "value": values}))
    return pd.concat(frames, ignore_index=True)


def doubles(values: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The elements of a tensor, row by row, as a vector of doubles."""
    return values.detach().double().flatten().numpy().copy()
