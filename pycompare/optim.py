"""Adam, AdamW and RMSprop in LibTorch's order of operations, which R torch's `optim_ignite_*` run.

PyTorch's own Adam and AdamW round differently (they update the first moment by `lerp`); on the course's network the
curves part at the first epoch. PyTorch's SGD and Adagrad already agree with LibTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor

from pycompare.checks import number

Parameters = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]


class _LibTorchOptimizer(torch.optim.Optimizer):
    """The step that the three optimisers share: one `_update` per parameter that has a gradient."""

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        super().__init__(params, defaults)
        for group in self.param_groups:
            check_optimizer_arguments(group)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient, in place; with a `closure`, call it first and return its loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    if parameter.grad.is_sparse:
                        raise RuntimeError(
                            f"{type(self).__name__} takes dense gradients only; use torch.optim.SparseAdam."
                        )
                    self._update(parameter, parameter.grad, self.state[parameter], group)
        return loss

    def _update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        raise NotImplementedError


class _AdamFamily(_LibTorchOptimizer):
    def __init__(
        self,
        params: Parameters,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        amsgrad: bool,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        super().__init__(params, defaults)

    def _adam_step(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        state["exp_avg"].mul_(beta1).add_(grad, alpha=1 - beta1)
        second = state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        if group["amsgrad"]:
            second = torch.maximum(state["max_exp_avg_sq"], second, out=state["max_exp_avg_sq"])
        denominator = second.sqrt().div_(math.sqrt(1 - beta2 ** state["step"])).add_(group["eps"])
        step_size = group["lr"] / (1 - beta1 ** state["step"])
        parameter.addcdiv_(state["exp_avg"], denominator, value=-step_size)


class AdamW(_AdamFamily):
    """AdamW (decoupled weight decay), each line one rounded operation, t counted from 1:

        p <- p (1 - lr wd);  m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2
        p <- p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)

    Arguments:
        params: tensors, named tensors or parameter groups, as every `torch.optim.Optimizer` takes them.
        lr: learning rate, 0 or more; default 1e-3.
        betas: decay of the first and second moment, each in [0, 1); default (0.9, 0.999).
        eps: added to the root, 0 or more; default 1e-8.
        weight_decay: wd, 0 or more; default 0.01.
        amsgrad: use the running maximum of v in its place.

    Raises:
        ValueError, TypeError: an argument is out of range or of the wrong kind.

    Mirrors `optim_ignite_adamw` of R torch: same defaults, same bits. Source: Loshchilov and Hutter (2019), arXiv
    1711.05101; amsgrad: Reddi, Kale and Kumar (2018).
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)

    def _update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if group["weight_decay"] != 0:
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
        self._adam_step(parameter, grad, state, group)


class Adam(_AdamFamily):
    """Adam: as `AdamW`, but weight decay is added to the gradient, `g <- g + wd p`, and is 0 unless given.

    Mirrors `optim_ignite_adam` of R torch: same defaults, same bits. Source: Kingma and Ba (2015), arXiv 1412.6980.
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)

    def _update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if group["weight_decay"] != 0:
            grad = grad.add(parameter, alpha=group["weight_decay"])
        self._adam_step(parameter, grad, state, group)


class RMSprop(_LibTorchOptimizer):
    """RMSprop, a the smoothing: s <- a s + (1 - a) g^2;  p <- p - lr g / (sqrt(s) + eps).

    Centered, sqrt(s - q^2) replaces sqrt(s), with q <- a q + (1 - a) g. With momentum, b <- momentum b + g / (...) and
    p <- p - lr b.

    Arguments:
        params: as in `AdamW`.
        lr: learning rate, 0 or more; default 0.01.
        alpha: a, in [0, 1); default 0.99.
        eps: 0 or more; default 1e-8.
        weight_decay: wd, 0 or more, added to the gradient as wd p; default 0.
        momentum: 0 or more; default 0.
        centered: divide by the estimated standard deviation of the gradient.

    Mirrors `optim_ignite_rmsprop` of R torch: same defaults, same bits. Source: Hinton (2012), lecture 6e; Graves
    (2013).
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
        }
        super().__init__(params, defaults)

    def _update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        alpha = group["alpha"]
        if not state:
            kept = ["square_avg"] + ["grad_avg"] * group["centered"] + ["momentum_buffer"] * (group["momentum"] > 0)
            state.update({name: torch.zeros_like(parameter) for name in kept})
        if group["weight_decay"] != 0:
            grad = grad.add(parameter, alpha=group["weight_decay"])
        square = state["square_avg"].mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if group["centered"]:
            mean = state["grad_avg"].mul_(alpha).add_(grad, alpha=1 - alpha)
            square = square.addcmul(mean, mean, value=-1)
        average = square.sqrt().add_(group["eps"])
        if group["momentum"] > 0:
            buffer = state["momentum_buffer"].mul_(group["momentum"]).addcdiv_(grad, average)
            parameter.add_(buffer, alpha=-group["lr"])
        else:
            parameter.addcdiv_(grad, average, value=-group["lr"])


def check_optimizer_arguments(arguments: dict[str, Any]) -> None:
    """Raise one clear error for the first learning rate, decay or other hyper-parameter that is out of range."""
    for name in ("lr", "weight_decay", "eps", "momentum", "lr_decay"):
        if name in arguments:
            number(name, arguments[name], at_least=0)
    if "alpha" in arguments:
        number("alpha", arguments["alpha"], at_least=0, below=1)
    if "betas" in arguments:
        betas = arguments["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise TypeError(f"`betas` must be a pair of numbers; got {betas!r}. Pass (beta1, beta2).")
        for name, beta in zip(("beta1", "beta2"), betas, strict=True):
            number(name, beta, at_least=0, below=1)
