"""Dropout on mlbench's waveforms: a training with it and one without, and means over passes with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pycompare.data import mlbench
from pycompare.labs.dropout import ensembles_of
from pycompare.parity.tables.draws import doubles
from pycompare.parity.tables.recorded import SEED
from pycompare.seeding import torch_manual_seed
from pycompare.threads import torch_threads
from pycompare.training.loop import train_loop
from pycompare.training.network import evaluating
from pycompare.training.optim import AdamW

WIDTHS, RATES = (21, 100, 100, 3), (0.2, 0.5, 0.5)


def dropout_runs(epochs: int = 10, dtype: torch.dtype = torch.float32) -> pd.DataFrame:
    """Losses and errors of both sets after each epoch, of a network trained with dropout and of one without."""
    sets = _waveforms(dtype)
    rows = []
    with torch_threads(1):
        for dropout in (True, False):
            with torch_manual_seed(SEED):
                for epoch, network in enumerate(_training(dropout, sets["train"], epochs, dtype), start=1):
                    measures = zip(*(_loss_and_error(network, *pairs) for pairs in sets.values()), strict=True)
                    losses, errors = (dict(zip(sets, measure, strict=True)) for measure in measures)
                    told = {f"{name}_loss": loss for name, loss in losses.items()}
                    told |= {f"{name}_error": error for name, error in errors.items()}
                    rows.append({"dropout": dropout, "epoch": epoch} | told)
    return pd.DataFrame(rows)


def mc_dropout(
    epochs: int = 10, passes: Sequence[int] = (1, 10, 100), dtype: torch.dtype = torch.float32
) -> pd.DataFrame:
    """The mean logits of the first passes with dropout, drawn after the training with it; 0 is plain evaluation."""
    sets = _waveforms(dtype)
    with torch_threads(1), torch.no_grad(), torch_manual_seed(SEED):
        *_, network = _training(True, sets["train"], epochs, dtype)
        plain, *means = ensembles_of(network, sets["valid"][0], passes, 1)
    frames = [_logit_rows(mean.size, mean.logits[0]) for mean in (*means, plain)]
    return pd.concat(frames, ignore_index=True)


def _waveforms(dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
    """400 rows to train on, 200 to validate with."""
    x, classes = mlbench.waveform(600, rng=SEED)
    inputs, targets = torch.from_numpy(x).to(dtype), torch.from_numpy(classes - 1)
    return {"train": (inputs[:400], targets[:400]), "valid": (inputs[400:], targets[400:])}


def _training(dropout: bool, train: tuple[Tensor, Tensor], epochs: int, dtype: torch.dtype) -> Iterator[nn.Module]:
    """The network after each epoch."""
    network = _network(dropout).to(dtype)
    opt = AdamW(network.parameters(), lr=3e-4, weight_decay=0.01)
    batches = list(zip(*(tensor.split(50) for tensor in train), strict=True))
    for _ in range(epochs):
        train_loop(network, batches, opt, loss="cross_entropy")
        yield network


def _network(dropout: bool) -> nn.Sequential:
    """21-100-100-3 with weights N(0, 0.1), drawn after the layers have drawn their own; biases 0."""
    linear = [nn.Linear(*widths) for widths in pairwise(WIDTHS)]
    for layer in linear:
        nn.init.normal_(layer.weight, 0, 0.1)
        nn.init.zeros_(layer.bias)
    dropouts = [nn.Dropout(rate if dropout else 0) for rate in RATES]
    first, second, third = zip(dropouts, linear, strict=True)
    return nn.Sequential(*first, nn.ReLU(), *second, nn.ReLU(), *third)


def _loss_and_error(network: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
    with evaluating(network), torch.no_grad():
        scores = network(inputs)
    wrong = int((scores.argmax(1) != targets).sum())
    return F.cross_entropy(scores, targets).item(), 100 * (wrong / len(targets))


def _logit_rows(passes: int, logits: Tensor) -> pd.DataFrame:
    """All rows of the first class first, as R's matrices lie."""
    classes, rows = np.divmod(np.arange(logits.numel()), len(logits))
    return pd.DataFrame({"passes": passes, "row": rows, "class": classes, "logit": doubles(logits.T)})
