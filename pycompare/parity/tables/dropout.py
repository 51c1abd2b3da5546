"""Dropout on mlbench's waveforms: a training with it and one without, and means over passes with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from pycompare.data.classification import classification_data
from pycompare.data.split import Split
from pycompare.labs.dropout import compare_dropout
from pycompare.labs.ensembles import ensembles_of
from pycompare.parity.tables.draws import doubles
from pycompare.parity.tables.recorded import SEED
from pycompare.seeding import torch_manual_seed
from pycompare.threads import torch_threads
from pycompare.training.initializers import initialise
from pycompare.training.loop import train_valid

HIDDEN = (100, 100)
COLUMNS = ["dropout", "epoch", "train_loss", "valid_loss", "train_error", "valid_error"]


def dropout_runs(epochs: int = 10) -> pd.DataFrame:
    """Losses and errors of both sets after each epoch, of a network trained with dropout and of one without."""
    runs = compare_dropout([0.5, 0.0], data=_waveforms(), hidden=HIDDEN, epochs=epochs, progress=False).data
    return runs[runs["epoch"] > 0].assign(dropout=runs["p"] > 0)[COLUMNS].reset_index(drop=True)


def mc_dropout(
    epochs: int = 10, passes: Sequence[int] = (1, 10, 100), dtype: torch.dtype = torch.float32
) -> pd.DataFrame:
    """The mean logits of the first passes with dropout, drawn after the training with it; 0 is plain evaluation."""
    split = _waveforms()
    with torch_threads(1), torch_manual_seed(SEED):
        network = _network().to(dtype)
        train_valid(network, split.train, split.valid, epochs, 50, loss="cross_entropy", lr=3e-4, weight_decay=0.01)
        with torch.no_grad():
            plain, *means = ensembles_of(network, split.valid.tensors[0].to(dtype), passes, 1)
    frames = [_logit_rows(mean.size, mean.logits[0]) for mean in (*means, plain)]
    return pd.concat(frames, ignore_index=True)


def _waveforms() -> Split:
    return classification_data("waveform", 400, n_valid=200)


def _network() -> nn.Module:
    modules: list[nn.Module] = [nn.Dropout(0.2)]
    for width_in, width_out in ((21, 100), (100, 100)):
        modules += [nn.Linear(width_in, width_out), nn.ReLU(), nn.Dropout(0.5)]
    return initialise(nn.Sequential(*modules, nn.Linear(100, 3)), "normal", sigma=0.1)


def _logit_rows(passes: int, logits: Tensor) -> pd.DataFrame:
    """All rows of the first class first, as R's matrices lie."""
    classes, rows = np.divmod(np.arange(logits.numel()), len(logits))
    return pd.DataFrame({"passes": passes, "row": rows, "class": classes, "logit": doubles(logits.T)})
