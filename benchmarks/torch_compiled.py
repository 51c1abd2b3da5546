"""The sweep through torch.compile: a step is one program, `vmap` over configurations; Python loops over steps."""

from __future__ import annotations

import pandas as pd
import torch
import torch._dynamo
from torch import Tensor, nn
from torch.func import grad, vmap
from workloads import EPS, Setting, Workload, adamw_constants, float32, groups, padded, seeded

torch._dynamo.config.recompile_limit = 100  # one program for each batch size, as in JAX: faster than one for all

Params = tuple[Tensor, ...]
Batch = tuple[Tensor, Tensor, Tensor]
State = tuple[Params, Params, Params]


def curves(workload: Workload) -> pd.DataFrame:
    """A group of configurations with one batch size at a time."""
    return pd.concat([part for group in groups(workload) for part in _group(workload, group)], ignore_index=True)


@torch.no_grad()
def _group(workload: Workload, settings: list[Setting]) -> list[pd.DataFrame]:
    params = tuple(p.expand(len(settings), *p.shape).clone() for p in seeded(workload).parameters())
    first, second = (tuple(torch.zeros_like(p) for p in params) for _ in range(2))
    hyper = {name: torch.from_numpy(column) for name, column in adamw_constants(settings).items()}
    size = int(settings[0][1]["batch_size"])
    train, valid = (
        list(zip(*map(torch.from_numpy, padded(part, size)), strict=True)) for part in float32(workload.split)
    )
    state, t, losses = (params, first, second), torch.zeros(()), []
    for _ in range(workload.epochs):
        for batch in train:
            t = t + 1
            state = _steps(state, hyper, t, batch)
        losses.append(torch.stack([_losses(state[0], batch) for batch in valid]).sqrt().mean(dim=0))
    epochs = range(1, workload.epochs + 1)
    return [
        pd.DataFrame({"config": config, "epoch": epochs, "valid_loss": run})
        for (config, _), run in zip(settings, torch.stack(losses, dim=1).double().numpy(), strict=True)
    ]


def _loss(params: Params, batch: Batch) -> Tensor:
    x, y, weight = batch
    *hidden, (w, b) = zip(params[::2], params[1::2], strict=True)
    for w_hidden, b_hidden in hidden:
        x = nn.functional.linear(x, w_hidden, b_hidden).relu()
    return (weight * (nn.functional.linear(x, w, b) - y) ** 2).sum() / weight.sum()


def _step(state: State, hyper: dict[str, Tensor], t: Tensor, batch: Batch) -> State:
    params, first, second = state
    grads = grad(_loss)(params, batch)
    first = tuple(hyper["b1"] * m + hyper["rest1"] * g for m, g in zip(first, grads, strict=True))
    second = tuple(hyper["b2"] * v + hyper["rest2"] * g * g for v, g in zip(second, grads, strict=True))
    rate, root = hyper["lr"] / -torch.expm1(t * hyper["log1"]), (-torch.expm1(t * hyper["log2"])).sqrt()
    moved = zip(params, first, second, strict=True)
    return tuple(p * hyper["kept"] - rate * m / (v.sqrt() / root + EPS) for p, m, v in moved), first, second


@torch.compile(dynamic=False)
def _steps(state: State, hyper: dict[str, Tensor], t: Tensor, batch: Batch) -> State:
    return vmap(_step, in_dims=(0, 0, None, None))(state, hyper, t, batch)


@torch.compile(dynamic=False)
def _losses(params: Params, batch: Batch) -> Tensor:
    return vmap(_loss, in_dims=(0, None))(params, batch)
