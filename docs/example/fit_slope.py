"""The port of fit_slope.R."""

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import mse_loss


def fit_slope(x: np.ndarray, y: np.ndarray, lr: float, steps: int) -> pd.DataFrame:
    """Fit y = slope * x by gradient descent from 0: the slope after each step, and the loss before it."""
    inputs, targets = torch.tensor(x), torch.tensor(y)
    slope = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    rows = []
    for step in range(1, steps + 1):
        loss = mse_loss(inputs * slope, targets)
        (gradient,) = torch.autograd.grad(loss, slope)
        slope.data.sub_(gradient * lr)
        rows.append((step, slope.item(), loss.item()))
    return pd.DataFrame(rows, columns=["step", "slope", "loss"])
