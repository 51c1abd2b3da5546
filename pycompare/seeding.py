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
    with RandomStream(seed, device).scope():
        yield


class RandomStream:
    """Torch's random numbers from a seed on, for one of several who draw in turns.

    Arguments:
        seed, device: as in `torch_manual_seed`.

    Example:
        >>> one, other = RandomStream(123), RandomStream(123)
        >>> with one.scope():
        ...     first = float(torch.rand(()))
        >>> with other.scope():
        ...     again = float(torch.rand(()))
        >>> with one.scope():
        ...     second = float(torch.rand(()))
        >>> first, again == first, second
        (0.29611194133758545, True, 0.516562283039093)
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self._generators = generators_of(torch.device(device))
        seeded = [torch.Generator(one.device).manual_seed(checked_seed(seed)) for one in self._generators]
        self._states = _states(seeded)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Let torch go on inside the scope where this stream was left last, and as before after it."""
        with _one_scope_at_a_time:
            before = _states(self._generators)
            try:
                _set_states(self._generators, self._states)
                yield
            finally:
                self._states = _states(self._generators)
                _set_states(self._generators, before)


def checked_seed(seed: int) -> int:
    """`seed` as an int that torch's generators take, or one clear error."""
    return whole_number("seed", seed, at_least=-(2**63), at_most=2**64 - 1)


def _states(generators: list[torch.Generator]) -> list[torch.Tensor]:
    return [generator.get_state() for generator in generators]


def _set_states(generators: list[torch.Generator], states: list[torch.Tensor]) -> None:
    for generator, state in zip(generators, states, strict=True):
        generator.set_state(state)


def generators_of(device: torch.device) -> list[torch.Generator]:
    """What a training on `device` may draw from: the CPU's generator, and that of `device` where it is CUDA."""
    if device.type != "cuda":
        return [torch.default_generator]
    torch.cuda.init()
    index = torch.cuda.current_device() if device.index is None else device.index
    return [torch.default_generator, torch.cuda.default_generators[index]]
