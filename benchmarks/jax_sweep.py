"""The sweep in JAX: one compiled program, `scan` over steps and epochs, `vmap` over configurations."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from torch import Tensor, nn
from workloads import Workload, float32, seeded

EPS = 1e-8


def curves(workload: Workload) -> pd.DataFrame:
    """One program for each batch size, whose shapes differ; all other configurations in one program."""
    settings = workload.settings()
    groups = [[setting] for setting in settings] if workload.parameter == "batch_size" else [settings]
    parts = [part for group in groups for part in _group(workload, group)]
    return pd.concat(parts, ignore_index=True)


def forget() -> None:
    """Drop all compiled programs."""
    jax.clear_caches()


def _group(workload: Workload, settings: list[tuple[str, dict[str, Any]]]) -> list[pd.DataFrame]:
    layers = [module for module in seeded(workload).modules() if isinstance(module, nn.Linear)]
    params = [tuple(jnp.asarray(p.detach().numpy()) for p in (layer.weight, layer.bias)) for layer in layers]
    hyper = {name: jnp.asarray(column) for name, column in _constants([values for _, values in settings]).items()}
    size = int(settings[0][1]["batch_size"])
    train, valid = (_padded(tensors, size) for tensors in float32(workload.split))
    losses = np.asarray(_sweep(params, hyper, train, valid, workload.epochs))
    epochs = range(1, workload.epochs + 1)
    return [
        pd.DataFrame({"config": config, "epoch": epochs, "valid_loss": run.astype(float)})
        for (config, _), run in zip(settings, losses, strict=True)
    ]


def _constants(settings: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """AdamW's constants of every configuration, computed in double: 1 - 0.999 in single is wrong by 5e-5 relative."""
    lr, decay, b1, b2 = (np.array([one[name] for one in settings]) for name in ("lr", "weight_decay", "beta1", "beta2"))
    with np.errstate(divide="ignore"):  # log(0) is right for beta = 0
        exact = {"b1": b1, "b2": b2, "rest1": 1 - b1, "rest2": 1 - b2, "log1": np.log(b1), "log2": np.log(b2)}
    exact |= {"lr": lr, "kept": 1 - lr * decay}
    return {name: column.astype(np.float32) for name, column in exact.items()}


def _padded(tensors: tuple[Tensor, ...], size: int) -> tuple[np.ndarray, ...]:
    """Batches (steps, size, ...) of every tensor, the last filled up with zeros, and the weight of each row in them."""
    rows = len(tensors[0])
    steps = -(-rows // size)
    padded = []
    for array in (*(tensor.numpy() for tensor in tensors), np.ones((rows, 1), np.float32)):
        filled = np.zeros((steps * size, *array.shape[1:]), np.float32)
        filled[:rows] = array
        padded.append(filled.reshape(steps, size, *array.shape[1:]))
    return tuple(padded)


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
