"""What tells one training from all others, as JSON, and its digest."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from pycompare.labels import value_label
from pycompare.training.kernels import mkl_kernels

if TYPE_CHECKING:
    from pycompare.sweeps.runs import Run

_PLAIN = (bool, int, float, str, type(None))
_OURS = ("pycompare", "torch", "builtins", "functools", "collections")  # their versions tell what their code does
ARGUMENTS = ("lr", "weight_decay", "beta1", "beta2", "momentum")  # that every run tells, None where it has none
_DIGITS = 16


def settings_of(run: Run, network: nn.Module) -> tuple[dict[str, Any], str]:
    """The settings of `run`, a column each, and the digest of all that its rows depend on but the count of epochs.

    Arguments:
        run: about to be trained.
        network: which it has just made.

    Raises:
        ValueError: a setting cannot be told from others.
    """
    options, data = run.options, [run.split.train.tensors, run.split.valid.tensors]
    structure = described("network", network)
    set_digest = run.kept.setdefault(("digest", id(run.split)), digest(described("data", data)))
    shown = {
        "network": f"{type(network).__name__} {digest(structure)[:8]}",
        "data": set_digest[:8],
        "optimizer": value_label(options.optimizer),
        "loss": value_label(options.loss.given),
        "monitoring": type(run.monitoring).__name__,
        "schedule": value_label(options.schedule),
        "early_stopping": value_label(options.early_stopping),
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        **_arguments(options.arguments),
        "seed": run.seed,
        "dtype": str(run.dtype).removeprefix("torch."),
        "device": str(run.device),
        "threads": torch.get_num_threads(),
    }
    weights = [*network.named_parameters(), *network.named_buffers()]
    given = {
        "optimizer": options.optimizer,
        "arguments": options.arguments,
        "loss": options.loss.given,
        "schedule": options.schedule,
        "early_stopping": options.early_stopping,
        "monitoring": run.monitoring,
        "weights": weights,
    }
    told = {name: described(name, value) for name, value in given.items()}
    told |= {name: shown[name] for name in ("batch_size", "seed", "dtype", "device", "threads")}
    return shown, digest(told | {"network": structure, "data": set_digest, "versions": versions()})


@cache
def versions() -> dict[str, str]:
    """Of what the bits depend on: pycompare, torch, and MKL's kernels on this machine."""
    return {"pycompare": _version("pycompare-rtorch"), "torch": _version("torch"), "kernels": mkl_kernels()}


def digest(described: Any) -> str:
    """Of JSON: 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def described(name: str, value: Any) -> Any:
    """`value` as JSON that another value does not have; `name` is what errors call it.

    Numbers and texts are themselves, tensors and arrays their digest, functions and classes their name and, where they
    are a user's, a digest of their source; other objects their class and attributes.

    Raises:
        ValueError: it has something that no other process could find again, such as a lambda.
    """
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (Tensor, np.ndarray)):
        return _tensor(torch.as_tensor(value))
    if isinstance(value, (list, tuple)):
        return [described(name, one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): described(name, one) for key, one in value.items()}
    if isinstance(value, partial):
        return {"partial": [described(name, part) for part in (value.func, value.args, value.keywords)]}
    if isinstance(value, (torch.dtype, torch.device)):
        return str(value)
    if isinstance(value, nn.Module):
        return {"type": _named(name, type(value)), "attributes": described(name, _structure(value))}
    if is_dataclass(value) and not isinstance(value, type):
        attributes = {field.name: getattr(value, field.name) for field in fields(value)}
        return {"type": _named(name, type(value)), "attributes": described(name, attributes)}
    if hasattr(value, "__qualname__"):
        return {"name": _named(name, value)}
    if not hasattr(value, "__dict__"):
        raise _no_name(name, value)
    return {"type": _named(name, type(value)), "attributes": described(name, vars(value))}


def _structure(module: nn.Module) -> dict[str, Any]:
    """What a module is but for its weights: public attributes, shapes, modules below it."""
    own = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    shapes = [[name, list(tensor.shape), str(tensor.dtype), tensor.requires_grad] for name, tensor in tensors]
    return own | {"tensors": shapes, "modules": dict(module.named_children())}


def _named(name: str, value: Any) -> list[str]:
    """Where a function or class is found, and a digest of a user's source."""
    module, path = getattr(value, "__module__", None), value.__qualname__
    found: Any = sys.modules.get(module or "builtins")
    for part in path.split("."):
        found = getattr(found, part, None)
    if found is not value:
        raise _no_name(name, value)
    if str(module).partition(".")[0] in _OURS:
        return [str(module), path]
    try:
        source = inspect.getsource(value)
    except (OSError, TypeError) as cause:
        raise _no_name(name, value) from cause
    return [str(module), path, hashlib.sha256(source.encode()).hexdigest()[:_DIGITS]]


def _no_name(name: str, value: Any) -> ValueError:
    return ValueError(
        f"`{name}` must have a name by which it is found again, to be stored; got {value!r}."
        " Define it with def or class at the top of a file, or train without a store."
    )


def _tensor(tensor: Tensor) -> list[Any]:
    content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return [str(tensor.dtype), list(tensor.shape), hashlib.sha256(content.data).hexdigest()]


def _arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer's arguments as columns of numbers and texts, `betas` as two."""
    given: dict[str, Any] = dict.fromkeys(ARGUMENTS) | dict(arguments)
    given |= {f"beta{i}": beta for i, beta in enumerate(given.pop("betas", ()), 1)}
    return {n: one if isinstance(one, (int, float, type(None))) else value_label(one) for n, one in given.items()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
