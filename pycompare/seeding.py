"""Scopes in which torch's random numbers start from a seed, and after which they go on as if nothing had happened."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pycompare.checks import whole_number

# torch has one generator for all threads of a process.
_one_scope_at_a_time = threading.RLock()


@contextmanager
def torch_manual_seed(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch's generator of the CPU (and of `device`, where that is CUDA) inside the scope; restore it after.

    Another thread that opens a scope waits until this one is left.

    Arguments:
        seed: a whole number from -2^63 to 2^64 - 1, as `torch.manual_seed` takes it.
        device: the device whose generator is covered besides the CPU's.

    Mirrors R torch's `with_torch_manual_seed(code, seed = seed)`. Unlike `torch.manual_seed`, which also seeds every
    other device (later, where it is not yet in use), this touches no generator that it does not restore.

    Example:
        >>> with torch_manual_seed(123):
        ...     float(torch.rand(()))
        0.29611194133758545
    """
    seed = checked_seed(seed)
    ours = generators(torch.device(device))
    with _one_scope_at_a_time:
        states = [generator.get_state() for generator in ours]
        try:
            for generator in ours:
                generator.manual_seed(seed)
            yield
        finally:
            for generator, state in zip(ours, states, strict=True):
                generator.set_state(state)


def checked_seed(seed: int) -> int:
    """`seed` as an int that torch's generators take, or one clear error."""
    return whole_number("seed", seed, at_least=-(2**63), at_most=2**64 - 1)


def generators(device: torch.device) -> list[torch.Generator]:
    """torch's generators that what is computed on `device` may draw from: the CPU's, and that of a CUDA device."""
    if device.type != "cuda":
        return [torch.default_generator]
    torch.cuda.init()
    index = torch.cuda.current_device() if device.index is None else device.index
    return [torch.default_generator, torch.cuda.default_generators[index]]
