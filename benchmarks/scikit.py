"""scikit-learn's MLPRegressor, which is not equivalent: Adam with an L2 term in the gradient, own initial weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.neural_network import MLPRegressor
from workloads import SEED, Workload, float32


def curves(workload: Workload) -> pd.DataFrame:
    """The same number of steps on batches of the same size, one `partial_fit` an epoch."""
    (x, y), (x_valid, y_valid) = ([tensor.numpy() for tensor in part] for part in float32(workload.split))
    parts = []
    for config, hyper in workload.settings():
        model = _regressor(workload, hyper, len(x))
        losses = []
        for _ in range(workload.epochs):
            model.partial_fit(x, y.ravel())
            losses.append(float(np.sqrt(np.mean((model.predict(x_valid) - y_valid.ravel()) ** 2))))
        epochs = range(1, workload.epochs + 1)
        parts.append(pd.DataFrame({"config": config, "epoch": epochs, "valid_loss": losses}))
    return pd.concat(parts, ignore_index=True)


def _regressor(workload: Workload, hyper: dict[str, Any], rows: int) -> MLPRegressor:
    assert workload.widths is not None
    return MLPRegressor(
        hidden_layer_sizes=workload.widths[1:-1],
        alpha=hyper["weight_decay"],
        batch_size=min(int(hyper["batch_size"]), rows),
        learning_rate_init=hyper["lr"],
        beta_1=hyper["beta1"],
        beta_2=hyper["beta2"],
        shuffle=False,
        random_state=SEED,
    )
