"""One optimiser step for all parameters at once: elementwise, so that one flat buffer of them gets the same bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from pycompare.training.optim import SGD, Adam, AdamW, RMSprop

# In bytes; PyTorch's allocator aligns tensors so, and MKL's sums of products depend on it.
ALIGNMENT = 64


class FlatParameters:
    """Copies of parameters in one buffer, their gradients in another, and the step of an optimiser on these.

    Attributes:
        values, grads: for each parameter its part of the buffer, in its shape. The gradients start at zero.
        step: updates all values as `opt` would; to be called with gradients switched off.
    """

    def __init__(self, parameters: Sequence[Tensor], opt: Optimizer) -> None:
        buffer, self.values = _flat_zeros(parameters)
        buffer.grad, self.grads = _flat_zeros(parameters)
        torch._foreach_copy_(self.values, [parameter.detach() for parameter in parameters])
        make: Any = type(opt)
        twin = make([buffer], **opt.defaults)
        self._state: dict[str, Any] = twin.state[buffer]
        # What twin.step() calls: its bookkeeping takes half as long again.
        self.step: Callable[[], object] = partial(twin._update, buffer, buffer.grad, self._state, twin.param_groups[0])

    def state(self, i: int) -> dict[str, Any]:
        """The optimiser's state of the i-th parameter: views where it is tensors."""
        value = self.values[i]
        start = value.storage_offset()
        return {
            name: kept[start : start + value.numel()].view_as(value) if isinstance(kept, Tensor) else kept
            for name, kept in self._state.items()
        }


class FlatOptimizer:
    """The steps of `opt` on a flat buffer, for a module that autograd differentiates.

    Values and gradients are copied into the buffers and values back, so the module keeps its own tensors and may write
    to them. `opt` itself takes over, with the state so far, once not the same parameters have dense gradients.
    """

    def __init__(self, opt: Optimizer) -> None:
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
        torch._C._set_grad_enabled(False)  # `no_grad` is Python, and takes as long as three operations
        try:
            self._step()
        finally:
            torch._C._set_grad_enabled(before)

    def _step(self) -> None:
        grads = [parameter.grad for parameter in self._all]
        if self._flat and [grad is not None and not grad.is_sparse for grad in grads] != self._has_gradient:
            for i, parameter in enumerate(self._parameters):
                self._opt.state[parameter] = self._flat.state(i)
            self._flat = None
        if not self._flat:
            self._opt.step()
            return
        given = [grad for grad in grads if grad is not None]
        torch._foreach_copy_(self._flat.values + self._flat.grads, self._parameters + given)
        self._flat.step()
        torch._foreach_copy_(self._parameters, self._flat.values)


def why_not_flat(opt: Optimizer) -> str | None:
    """What keeps `opt` and its parameters from a flat buffer; None if nothing does."""
    parameters = [p for p in opt.param_groups[0]["params"] if p.requires_grad]
    if type(opt) not in (AdamW, Adam, RMSprop, SGD) or len(opt.param_groups) > 1 or opt.state:
        return f"the optimizer {type(opt).__name__}, its groups or its past steps"
    if _global_optimizer_pre_hooks or _global_optimizer_post_hooks:
        return "hooks on optimizers"
    if not parameters or any(type(p) is not nn.Parameter or not _is_plain(p) for p in parameters):
        return "parameters other than plain tensors in the CPU's memory"
    if len({p.dtype for p in parameters}) > 1 or parameters[0].dtype not in (torch.float32, torch.float64):
        return "parameters other than all float32 or all float64"
    if len({p.untyped_storage().data_ptr() for p in parameters}) < len(parameters):
        return "parameters that share memory"
    return None


def _is_plain(parameter: Tensor) -> bool:
    dense = parameter.layout is torch.strided and parameter.device.type == "cpu" and parameter.is_contiguous()
    return dense and parameter.numel() > 0 and not parameter.is_inference()


def _flat_zeros(like: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """A buffer with room for all of `like`, and its parts in their shapes."""
    aligned = ALIGNMENT // like[0].element_size()
    starts = [0]
    for tensor in like:
        starts.append(starts[-1] + -(-tensor.numel() // aligned) * aligned)
    buffer = torch.zeros(starts[-1], dtype=like[0].dtype, device="cpu")
    return buffer, [buffer[i : i + t.numel()].view(t.shape) for i, t in zip(starts, like, strict=False)]
