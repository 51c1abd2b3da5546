"""One optimiser step for all parameters at once: elementwise, so that one flat buffer of them gets the same bits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pycompare.training.batches import Restore
from pycompare.training.optim import LibTorchOptimizer
from pycompare.training.torch_private import foreach_clone, foreach_copy_, set_grad_enabled

# In bytes; PyTorch's allocator aligns tensors so, and MKL's sums of products depend on it.
ALIGNMENT = 64


class FlatParameters:
    """Copies of parameters in one buffer, their gradients in another, and the steps of an optimiser on these.

    Attributes:
        values, grads: for each parameter its part of the buffer, in its shape. The gradients start at zero.
        buffer, grad_buffer: all of them.
        state: the optimiser's, of the whole buffer; empty before the first step.
    """

    def __init__(self, parameters: list[Tensor], opt: LibTorchOptimizer) -> None:
        self.buffer, self.values = _flat_zeros(parameters)
        self.grad_buffer, self.grads = _flat_zeros(parameters)
        foreach_copy_(self.values, [parameter.detach() for parameter in parameters])
        self._parameters, self._opt = parameters, opt
        self.state: dict[str, Any] = {}

    def step(self) -> None:
        """Update all values as `opt` would, by the settings that it has now; to be called with gradients off."""
        # Not through opt.step(): its bookkeeping takes half as long again.
        self._opt.update(self.buffer, self.grad_buffer, self.state, self._opt.param_groups[0])

    @torch.no_grad()
    def publish(self) -> None:
        """Copy values and gradients to the parameters."""
        foreach_copy_(self._parameters, self.values)
        for parameter, grad in zip(self._parameters, foreach_clone(self.grads), strict=True):
            parameter.grad = grad

    def show(self, network: nn.Module, loss: Tensor, on_step: Callable[[Tensor], object]) -> None:
        """Call `on_step` with all where PyTorch keeps it, and take back parameters and gradients as it leaves them."""
        with torch.inference_mode(False):
            network.train()
            self.publish()
            self.publish_state()
            on_step(loss)
        grads = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        if len(grads) < len(self._parameters):
            raise ValueError("`on_step` must leave all gradients with this engine; one is gone. Use engine='autograd'.")
        with torch.inference_mode():
            foreach_copy_(self.values + self.grads, [*self._parameters, *grads])

    def publish_state(self) -> None:
        """Copy the optimiser's state of each parameter to where PyTorch keeps it."""
        for parameter, value in zip(self._parameters, self.values, strict=True):
            start, end = value.storage_offset(), value.storage_offset() + value.numel()
            self._opt.state[parameter] = {
                name: kept[start:end].view_as(value).clone() if isinstance(kept, Tensor) else kept
                for name, kept in self.state.items()
            }

    @torch.no_grad()
    def adopt(self) -> bool:
        """Take values and the optimiser's state from where PyTorch keeps them; whether all parameters have the same."""
        foreach_copy_(self.values, [parameter.detach() for parameter in self._parameters])
        states = [self._opt.state.get(parameter, {}) for parameter in self._parameters]
        if any(_numbers(state) != _numbers(states[0]) for state in states):
            return False
        self.state = dict(states[0])
        for name in [name for name, kept in states[0].items() if isinstance(kept, Tensor)]:
            self.state[name], parts = _flat_zeros(self.values)
            foreach_copy_(parts, [state[name] for state in states])
        return True

    def checkpoint(self) -> Restore:
        """What brings values and state back to here."""
        values = self.buffer.clone()
        state = {name: kept.clone() if isinstance(kept, Tensor) else kept for name, kept in self.state.items()}

        @torch.inference_mode()
        def restore() -> None:
            self.buffer.copy_(values)
            # In place: a tensor made here could not be written to outside of this mode.
            self.state = {
                name: self.state[name].copy_(kept) if isinstance(kept, Tensor) else kept for name, kept in state.items()
            }
            foreach_copy_(self._parameters, self.values)

        return restore


class FlatOptimizer:
    """The steps of `opt` on a flat buffer, for a module that autograd differentiates.

    Values and gradients are copied into the buffers and values back, so the module keeps its own tensors and may write
    to them. `opt` itself takes over, with the state so far, once not the same parameters have dense gradients.
    """

    def __init__(self, opt: LibTorchOptimizer) -> None:
        self._opt = opt
        self._all: list[Tensor] = opt.param_groups[0]["params"]
        self._parameters = [parameter for parameter in self._all if parameter.requires_grad]
        self._has_gradient = [parameter.requires_grad for parameter in self._all]
        self._flat: FlatParameters | None = FlatParameters(self._parameters, opt)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._all:
            parameter.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient, in place."""
        before = torch.is_grad_enabled()
        set_grad_enabled(False)
        try:
            self._step()
        finally:
            set_grad_enabled(before)

    def publish_state(self) -> None:
        """Let `opt.state` be that of the steps so far."""
        if self._flat:
            self._flat.publish_state()

    def adopt_state(self) -> None:
        """Go on from `opt.state`, on the flat buffer where it can be."""
        if self._flat and not self._flat.adopt():
            self._flat = None

    def checkpoint(self) -> Restore:
        """What brings the state back to here."""
        flat = self._flat
        back = flat.checkpoint() if flat else state_checkpoint(self._opt)

        def restore() -> None:
            self._flat = flat
            back()

        return restore

    def _step(self) -> None:
        grads = [parameter.grad for parameter in self._all]
        if self._flat and [grad is not None and not grad.is_sparse for grad in grads] != self._has_gradient:
            self._flat.publish_state()
            self._flat = None
        if not self._flat:
            self._opt.step()
            return
        given = [grad for grad in grads if grad is not None]
        foreach_copy_(self._flat.values + self._flat.grads, self._parameters + given)
        self._flat.step()
        foreach_copy_(self._parameters, self._flat.values)


def _numbers(state: dict[str, Any]) -> dict[str, Any]:
    """What there is in the state of a parameter: names of tensors, and numbers."""
    return {name: None if isinstance(kept, Tensor) else kept for name, kept in state.items()}


def state_checkpoint(opt: torch.optim.Optimizer) -> Restore:
    """What brings the state of any optimizer back to here."""
    kept = copy.deepcopy(opt.state_dict())
    return lambda: opt.load_state_dict(copy.deepcopy(kept))  # which keeps what it is given


def _flat_zeros(like: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """A buffer with room for all of `like`, and its parts in their shapes."""
    aligned = ALIGNMENT // like[0].element_size()
    starts = [0]
    for tensor in like:
        starts.append(starts[-1] + -(-tensor.numel() // aligned) * aligned)
    buffer = torch.zeros(starts[-1], dtype=like[0].dtype, device="cpu")
    return buffer, [buffer.as_strided(t.shape, t.stride(), i) for i, t in zip(starts, like, strict=False)]
