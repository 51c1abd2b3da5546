"""Adam, AdamW, RMSprop and SGD in LibTorch's order of operations, which R torch's `optim_ignite_*` run.

PyTorch's own Adam and AdamW round differently (they update the first moment by `lerp`); on the course's network the
curves part at the first epoch. PyTorch's SGD and Adagrad agree with LibTorch, but its SGD imports `torch._dynamo`,
which takes a second.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from functools import lru_cache, wraps
from typing import Any, overload

import torch
from torch import Tensor, nn

from pycompare.checks import flag, number, one_of
from pycompare.training.torch_private import add_param_group

Parameters = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
_LARGEST_FLOAT32 = torch.finfo(torch.float32).max
OptimizerFactory = Callable[..., torch.optim.Optimizer]


class LibTorchOptimizer(torch.optim.Optimizer):
    """The step that the optimisers here share: one `update` per parameter that has a gradient."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters with settings of its own, which are checked."""
        add_param_group(self, param_group)
        self.param_groups[-1].update(check_optimizer_arguments(self.param_groups[-1]))

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
                    self.update(parameter, parameter.grad, self.state[parameter], group)
        return loss

    def update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Take one step with `parameter`, in place; `state` is kept from step to step, `group` has the settings."""
        raise NotImplementedError


class _AdamFamily(LibTorchOptimizer):
    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        super().__init__(params, defaults)

    def _adam_step(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(parameter), exp_avg_sq=torch.zeros_like(parameter))
        step = state["step"] = int(state["step"]) + 1
        beta1, beta2 = group["betas"]
        first = state["exp_avg"].mul_(_constant(beta1, parameter)).add_(grad, alpha=1 - beta1)
        second = state["exp_avg_sq"].mul_(_constant(beta2, parameter)).addcmul_(grad, grad, value=1 - beta2)
        if group["amsgrad"]:
            largest = _kept(state, "max_exp_avg_sq", parameter)
            second = torch.maximum(largest, second, out=largest)
        denominator = second.sqrt().div_(math.sqrt(1 - beta2**step)).add_(_constant(group["eps"], parameter))
        parameter.addcdiv_(first, denominator, value=_within(-group["lr"] / (1 - beta1**step), parameter))


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

    def update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Take one step of AdamW."""
        if group["weight_decay"] != 0:
            parameter.mul_(_constant(1 - group["lr"] * group["weight_decay"], parameter))
        self._adam_step(parameter, grad, state, group)


class Adam(_AdamFamily):
    """Adam: as `AdamW`, but weight decay is added to the gradient, `g <- g + wd p`, and is 0 unless given.

    Mirrors `optim_ignite_adam` of R torch: same defaults, same bits. Source: Kingma and Ba (2015), arXiv 1412.6980.
    """

    def update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Take one step of Adam."""
        if group["weight_decay"] != 0:
            grad = grad.add(parameter, alpha=_within(group["weight_decay"], parameter))
        self._adam_step(parameter, grad, state, group)


class RMSprop(LibTorchOptimizer):
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
        averages = {"alpha": alpha, "momentum": momentum, "centered": centered}
        super().__init__(params, {"lr": lr, "eps": eps, "weight_decay": weight_decay} | averages)

    def update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Take one step of RMSprop."""
        alpha = group["alpha"]
        if group["weight_decay"] != 0:
            grad = grad.add(parameter, alpha=_within(group["weight_decay"], parameter))
        square = (
            _kept(state, "square_avg", parameter)
            .mul_(_constant(alpha, parameter))
            .addcmul_(grad, grad, value=1 - alpha)
        )
        if group["centered"]:
            mean = _kept(state, "grad_avg", parameter).mul_(_constant(alpha, parameter)).add_(grad, alpha=1 - alpha)
            square = square.addcmul(mean, mean, value=-1)
        average = square.sqrt().add_(_constant(group["eps"], parameter))
        if group["momentum"] > 0:
            buffer = (
                _kept(state, "momentum_buffer", parameter)
                .mul_(_constant(group["momentum"], parameter))
                .addcdiv_(grad, average)
            )
            parameter.add_(buffer, alpha=_within(-group["lr"], parameter))
        else:
            parameter.addcdiv_(grad, average, value=_within(-group["lr"], parameter))


class SGD(LibTorchOptimizer):
    """Stochastic gradient descent, b the momentum buffer, which starts as the first gradient:

        g <- g + wd p;  b <- momentum b + (1 - dampening) g;  p <- p - lr b

    With nesterov, the last is p <- p - lr (g + momentum b); without momentum, p <- p - lr g.

    Arguments:
        params: as in `AdamW`.
        lr: learning rate, 0 or more; default 1e-3.
        momentum: 0 or more; default 0.
        dampening: the share of a gradient that the buffer does not take; default 0.
        weight_decay: wd, 0 or more; default 0.
        nesterov: look ahead along the buffer; needs momentum, and no dampening.
        maximize: climb instead.

    Mirrors `optim_ignite_sgd` of R torch and `torch.optim.SGD`, whose bits it has; R's has no `maximize`. Source:
    Sutskever, Martens, Dahl and Hinton (2013).
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        buffer = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov}
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "maximize": maximize} | buffer)

    def update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Take one step of SGD."""
        momentum = group["momentum"]
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"] != 0:
            grad = grad.add(parameter, alpha=_within(group["weight_decay"], parameter))
        if momentum != 0:
            if "momentum_buffer" in state:
                buffer = state["momentum_buffer"].mul_(_constant(momentum, parameter))
                buffer.add_(grad, alpha=1 - group["dampening"])
            else:
                buffer = state["momentum_buffer"] = grad.clone()
            grad = grad.add(buffer, alpha=momentum) if group["nesterov"] else buffer
        parameter.add_(grad, alpha=_within(-group["lr"], parameter))


def make_optimizer(
    network: nn.Module, optimizer: str | OptimizerFactory, arguments: dict[str, Any]
) -> torch.optim.Optimizer:
    """The optimiser of `network`'s parameters that `train_valid` describes, its arguments checked."""
    factory = optimizer_factory(optimizer)
    unknown = [name for name in arguments if not accepts(factory, name)]
    if unknown:
        raise TypeError(
            f"`{unknown[0]}` must be an argument of the optimizer; {optimizer!r} does not take it."
            f" It takes {', '.join(list(inspect.signature(factory).parameters)[1:]) or 'none'}."
        )
    opt = factory(network.parameters(), **check_optimizer_arguments(arguments))
    if not isinstance(opt, torch.optim.Optimizer):
        raise TypeError(f"`optimizer` must make a torch.optim.Optimizer; got {opt!r}. Return one from the callable.")
    return opt


def optimizer_factory(optimizer: str | OptimizerFactory) -> OptimizerFactory:
    """The callable that `optimizer`, a name or a factory itself, stands for."""
    if callable(optimizer) and not isinstance(optimizer, nn.Module):
        return optimizer
    return OPTIMIZERS[one_of("optimizer", optimizer, OPTIMIZERS, "For another, pass a callable as torch.optim.NAdam.")]


def accepts(factory: OptimizerFactory, name: str) -> bool:
    """Whether `factory` can be called with the keyword argument `name`."""
    return name in _arguments(factory) or "**" in _arguments(factory)


def _arguments(factory: OptimizerFactory) -> frozenset[str]:
    """The names of what `factory` takes, and ** where it takes any."""
    try:
        return _arguments_once(factory)
    except TypeError:  # a callable that cannot be hashed
        return _arguments_once.__wrapped__(factory)


@lru_cache(maxsize=64)
def _arguments_once(factory: OptimizerFactory) -> frozenset[str]:
    parameters = inspect.signature(factory).parameters.values()
    return frozenset("**" if p.kind is p.VAR_KEYWORD else p.name for p in parameters)


def check_optimizer_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """`arguments` with their learning rate, decay and the like as floats, or one clear error for the first bad one."""
    checked = dict(arguments)
    for name in checked.keys() & {"lr", "weight_decay", "eps", "momentum", "lr_decay"}:
        checked[name] = number(name, checked[name], at_least=0)
    if "dampening" in checked:
        checked["dampening"] = number("dampening", checked["dampening"])
    if checked.get("nesterov") and (not checked.get("momentum") or checked.get("dampening")):
        raise ValueError(
            f"`nesterov` must be False without momentum or with dampening; got momentum={checked.get('momentum', 0)!r},"
            f" dampening={checked.get('dampening', 0)!r}. Give it a momentum such as 0.9, and no dampening."
        )
    for name in checked.keys() & {"nesterov", "maximize", "amsgrad", "centered"}:
        flag(name, checked[name])
    if "alpha" in checked:
        checked["alpha"] = number("alpha", checked["alpha"], at_least=0, below=1)
    if "betas" in checked:
        betas = checked["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise TypeError(f"`betas` must be a pair of numbers; got {betas!r}. Pass (beta1, beta2).")
        checked["betas"] = tuple(number(f"beta{i}", beta, at_least=0, below=1) for i, beta in enumerate(betas, 1))
    return checked


def _kept(state: dict[str, Any], name: str, parameter: Tensor) -> Tensor:
    """The running average `name` of a parameter, zero before the first step."""
    if name not in state:
        state[name] = torch.zeros_like(parameter)
    kept: Tensor = state[name]
    return kept


def _within(value: float, like: Tensor) -> float:
    """`value`, or an infinity where it is beyond the numbers of `like`: PyTorch's operations refuse it there."""
    return value if -_LARGEST_FLOAT32 <= value <= _LARGEST_FLOAT32 or like.dtype is torch.float64 else value * math.inf


def _constant(value: float, like: Tensor) -> float | Tensor:
    """`value` as PyTorch's operations convert it on their own, for which they take longer than for the operation."""
    return _scalar(value, like.dtype) if like.dtype in (torch.float32, torch.float64) else value


@lru_cache(maxsize=64)
def _scalar(value: float, dtype: torch.dtype) -> Tensor:
    return torch.tensor(value, dtype=dtype, device="cpu")


@wraps(torch.optim.Adagrad)
def _adagrad(params: Parameters, **arguments: Any) -> torch.optim.Adagrad:
    opt = torch.optim.Adagrad(params, **({"foreach": False} | arguments))
    for group in opt.param_groups:
        group["lr"] = _within(group["lr"], group["params"][0])
    return opt


OPTIMIZERS: dict[str, OptimizerFactory] = {
    "adamw": AdamW,
    "adam": Adam,
    "rmsprop": RMSprop,
    "sgd": SGD,
    "adagrad": _adagrad,
}
