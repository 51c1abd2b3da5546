"""PyTorch as people write it, and as a careful person tunes it. Both run one training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset
from workloads import Workload, float32, seeded

Batches = Iterable[Any]


def idiomatic(workload: Workload) -> pd.DataFrame:
    """DataLoader over a TensorDataset, stock AdamW: the loop of the PyTorch tutorials."""

    def batches(tensors: tuple[Tensor, ...], size: int) -> Batches:
        return DataLoader(TensorDataset(*tensors), batch_size=size)

    return _sweep(workload, batches, fused=None)


def tuned(workload: Workload) -> pd.DataFrame:
    """Batches sliced once, AdamW's fused kernel."""

    def batches(tensors: tuple[Tensor, ...], size: int) -> Batches:
        return list(zip(*(tensor.split(size) for tensor in tensors), strict=True))

    return _sweep(workload, batches, fused=True)


def _sweep(
    workload: Workload, batches: Callable[[tuple[Tensor, ...], int], Batches], fused: bool | None
) -> pd.DataFrame:
    train, valid = float32(workload.split)
    curves = []
    for config, hyper in workload.settings():
        network = seeded(workload)
        opt = torch.optim.AdamW(
            network.parameters(),
            lr=hyper["lr"],
            betas=(hyper["beta1"], hyper["beta2"]),
            weight_decay=hyper["weight_decay"],
            fused=fused,
        )
        size = int(hyper["batch_size"])
        losses = _train(network, opt, batches(train, size), batches(valid, size), workload.epochs)
        curves.append(pd.DataFrame({"config": config, "epoch": range(1, workload.epochs + 1), "valid_loss": losses}))
    return pd.concat(curves, ignore_index=True)


def _train(network: nn.Module, opt: torch.optim.Optimizer, train: Batches, valid: Batches, epochs: int) -> list[float]:
    curve = []
    for _ in range(epochs):
        network.train()
        for x, y in train:
            opt.zero_grad()
            loss = mse_loss(network(x), y)
            loss.backward()
            opt.step()
        network.eval()
        with torch.no_grad():
            losses = torch.stack([mse_loss(network(x), y) for x, y in valid])
        curve.append(float(losses.sqrt().mean()))
    return curve
