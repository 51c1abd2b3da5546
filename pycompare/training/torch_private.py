"""What PyTorch 2.13 keeps private and we use all the same, with the reason. No other module names such things."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import dropout as torch_dropout
from torch.nn.modules import module as torch_module
from torch.optim import optimizer as torch_optimizer
from torch.overrides import has_torch_function

# What torch.nn.functional calls, whose own checks take as long as the loss. Its stubs know no number for a reduction.
nn_functions: Any = torch._C._nn
MEAN = 1  # the number of reduction="mean"
log_softmax_backward = torch._log_softmax_backward_data
# Many copies, differences and norms in one call.
foreach_clone, foreach_copy_ = torch._foreach_clone, torch._foreach_copy_
foreach_sub_, foreach_norm = torch._foreach_sub_, torch._foreach_norm
# `no_grad` is Python, and takes as long as three operations.
set_grad_enabled = torch._C._set_grad_enabled
# PyTorch wraps this for torch.compile, and so imports torch._dynamo at the first call: a second that buys nothing here.
add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)

# What all modules of dropout are made from.
DropoutModule = torch_dropout._DropoutNd

_MODULE_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_PARAMETER_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def backward(value: Tensor) -> None:
    """`value.backward()`, without the checks that it makes in Python, which take as long as a layer."""
    if has_torch_function((value,)) or not value.is_floating_point():
        value.backward()
        return
    # As `Tensor.backward` calls it: keep no graph, make none of the gradients, accumulate into every leaf.
    torch.autograd.Variable._execution_engine.run_backward(
        (value,), (torch.ones_like(value),), False, False, (), True, True
    )


def global_interceptors() -> Iterator[str]:
    """What sees or changes every operation of torch now, in words."""
    if torch.is_autocast_enabled("cpu") or torch.is_anomaly_enabled() or torch.is_inference_mode_enabled():
        yield "autocast, anomaly or inference mode"
    if torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack():
        yield "a mode that intercepts PyTorch's functions"
    if torch._C._autograd._top_saved_tensors_default_hooks(True) or torch_module._has_any_global_hook():
        yield "hooks on saved tensors or on all modules"


def optimizer_hooks() -> bool:
    """Whether hooks on all optimizers are set."""
    return bool(torch_optimizer._global_optimizer_pre_hooks or torch_optimizer._global_optimizer_post_hooks)


def module_interceptors(module: nn.Module) -> Iterator[str]:
    """What sees or changes a call of `module`, or what it keeps besides parameters, in words."""
    if any(getattr(module, hooks) for hooks in _MODULE_HOOKS):
        yield f"hooks on a module of type {type(module).__name__}"
    if "forward" in vars(module) or module._compiled_call_impl is not None:
        yield f"a {type(module).__name__} with a forward of its own"
    if any(buffer is not None for buffer in module._buffers.values()):
        yield f"a {type(module).__name__} with buffers"


def parameter_hooks(parameter: Tensor) -> bool:
    """Whether hooks see the gradient of `parameter`."""
    return any(getattr(parameter, hooks) for hooks in _PARAMETER_HOOKS)
