"""The sweep in JAX: one compiled program, `scan` over steps and epochs, `vmap` over configurations."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from torch import nn
from workloads import EPS, Setting, Workload, adamw_constants, float32, groups, padded, seeded


def curves(workload: Workload) -> pd.DataFrame:
    """One program for each batch size, whose shapes differ; all other configurations in one program."""
    return pd.concat([part for group in groups(workload) for part in _group(workload, group)], ignore_index=True)


def _group(workload: Workload, settings: list[Setting]) -> list[pd.DataFrame]:
    layers = [module for module in seeded(workload).modules() if isinstance(module, nn.Linear)]
    params = [tuple(jnp.asarray(p.detach().numpy()) for p in (layer.weight, layer.bias)) for layer in layers]
    hyper = {name: jnp.asarray(column) for name, column in adamw_constants(settings).items()}
    size = int(settings[0][1]["batch_size"])
    train, valid = (padded(part, size) for part in float32(workload.split))
    losses = np.asarray(_sweep(params, hyper, train, valid, workload.epochs))
    epochs = range(1, workload.epochs + 1)
    return [
        pd.DataFrame({"config": config, "epoch": epochs, "valid_loss": run.astype(float)})
        for (config, _), run in zip(settings, losses, strict=True)
    ]


@partial(jax.jit, static_argnames="epochs")
def _sweep(params: Any, hyper: Any, train: Any, valid: Any, epochs: int) -> jax.Array:
    return jax.vmap(lambda one: _run(params, one, train, valid, epochs))(hyper)


def _run(params: Any, hyper: Any, train: Any, valid: Any, epochs: int) -> jax.Array:
    def epoch(state: Any, _: None) -> tuple[Any, jax.Array]:
        state, _ = jax.lax.scan(lambda state, batch: (_step(state, hyper, batch), None), state, train)
        losses = jax.lax.map(lambda batch: _loss(state[0], batch), valid)
        return state, jnp.sqrt(losses).mean()

    zeros = jax.tree.map(jnp.zeros_like, params)
    return jax.lax.scan(epoch, (params, zeros, zeros, jnp.float32(0)), length=epochs)[1]


def _loss(params: Any, batch: Any) -> jax.Array:
    x, y, weight = batch
    for w, b in params[:-1]:
        x = jax.nn.relu(x @ w.T + b)
    w, b = params[-1]
    return (weight * (x @ w.T + b - y) ** 2).sum() / weight.sum()


def _step(state: Any, hyper: Any, batch: Any) -> Any:
    params, first, second, t = state
    t = t + 1
    grads = jax.grad(_loss)(params, batch)
    first = jax.tree.map(lambda m, g: hyper["b1"] * m + hyper["rest1"] * g, first, grads)
    second = jax.tree.map(lambda v, g: hyper["b2"] * v + hyper["rest2"] * g * g, second, grads)
    rate, root = hyper["lr"] / -jnp.expm1(t * hyper["log1"]), jnp.sqrt(-jnp.expm1(t * hyper["log2"]))
    new = jax.tree.map(lambda p, m, v: p * hyper["kept"] - rate * m / (jnp.sqrt(v) / root + EPS), params, first, second)
    return new, first, second, t
