"""The multilayer perceptron of the course, with R torch's parameter names and R torch's initial weights."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from pycompare.checks import one_of, whole_number

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "identity": nn.Identity,
}


class MLP(nn.Sequential):
    """Linear layers `lin1`, `lin2`, ... with an activation after each but the last.

    Weights (out, in) and biases (out,) are drawn in float32 on the CPU from torch's global generator, `lin1.weight`
    first, each uniform within 1/sqrt(in) of 0: whatever the default dtype and device, a seed gives R torch's weights.

    Arguments:
        in_features: width of the input, 1 or more.
        hidden: widths of the hidden layers, outermost first; () for a linear model.
        out_features: width of the output, 1 or more.
        activation: "relu", "tanh", "sigmoid", "leaky_relu", "gelu", "identity", or a callable that makes a module.

    Shapes: input (n, in_features), output (n, out_features).

    Mirrors the course's `nn_mlp()` (4 -> 50 -> 50 -> 1, ReLU), whose parameter names and order it has.

    Example:
        >>> [name for name, _ in MLP(4).named_parameters()][:2]
        ['lin1.weight', 'lin1.bias']
    """

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int] = (50, 50),
        out_features: int = 1,
        activation: str | Callable[[], nn.Module] = "relu",
    ) -> None:
        make_activation = _activation(activation)
        widths = [
            whole_number("in_features", in_features, at_least=1),
            *checked_widths(hidden),
            whole_number("out_features", out_features, at_least=1),
        ]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, (width_in, width_out) in enumerate(pairwise(widths), start=1):
            layers[f"lin{i}"] = nn.Linear(width_in, width_out, device="cpu", dtype=torch.float32)
            layers[f"act{i}"] = make_activation()
        del layers[f"act{len(widths) - 1}"]
        super().__init__(layers)

    def __getitem__(self, index: Any) -> Any:
        """The layer at a position, or for a slice an `nn.Sequential` of layers."""
        if isinstance(index, slice):
            return nn.Sequential(OrderedDict(list(self.named_children())[index]))
        return super().__getitem__(index)


def checked_widths(hidden: Sequence[int]) -> tuple[int, ...]:
    """Widths of hidden layers, or one clear error."""
    if not isinstance(hidden, Iterable):
        raise TypeError(f"`hidden` must be a list of widths; got {hidden!r}. Pass e.g. (50, 50).")
    return tuple(whole_number("hidden", width, at_least=1) for width in hidden)


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """Fill `tensor` in place with normal numbers truncated to [a, b], by R torch's method, the inverse cdf.

    Arguments:
        tensor: floating point, any shape; filled from torch's global generator.
        mean, std: of the normal distribution before truncation; std is greater than 0.
        a, b: the bounds, in the units of `tensor`; a < b.

    Returns:
        `tensor`.

    Mirrors `nn_init_trunc_normal_` of R torch, whose bits it has. `torch.nn.init.trunc_normal_` of PyTorch 2.13 draws
    other numbers from the same seed: it rejects draws outside of the bounds.
    """
    if not (std > 0 and a < b):
        raise ValueError(f"`std` must be greater than 0 and `a` less than `b`; got std={std!r}, a={a!r}, b={b!r}.")
    lower, upper = (math.erf((bound - mean) / std / math.sqrt(2)) for bound in (a, b))
    with torch.no_grad():
        return tensor.uniform_(lower, upper).erfinv_().mul_(std * math.sqrt(2)).add_(mean).clamp_(a, b)


def checked_module(network: nn.Module) -> nn.Module:
    """`network` itself, or one clear error where it is no module."""
    if not isinstance(network, nn.Module):
        raise TypeError(f"`network` must be a torch.nn.Module; got {network!r}. Pass one, such as MLP(4).")
    return network


def first_parameter(network: nn.Module) -> nn.Parameter:
    """The parameter whose dtype and device are the network's, or one clear error where there is none."""
    parameter = next(checked_module(network).parameters(), None)
    if parameter is None:
        raise ValueError(f"`network` must have parameters; got {network!r}. Pass a module with layers.")
    return parameter


def moved(network: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """`network.to(device, dtype)`, which takes as long as ten steps, only where something is elsewhere."""
    tensors = (*network.parameters(), *network.buffers())
    there = all(t.device == device and (t.dtype == dtype or not t.is_floating_point()) for t in tensors)
    return network if there else network.to(device, dtype)


def outputs_for(network: nn.Module, x: Tensor) -> Tensor:
    """The outputs for a batch, or one clear error where network and data do not fit together."""
    try:
        outputs: Tensor = network(x)
    except RuntimeError as cause:
        raise ValueError(
            f"`network` must take batches as the data's, of shape {tuple(x.shape)} and {x.dtype}; got one that fails on"
            f" them: {cause}. Change its first layer, or the data."
        ) from cause
    return outputs


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put all modules of `network` into evaluation mode; after the scope each is in the mode in which it came."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _activation(activation: str | Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    if callable(activation):
        return activation
    remedy = "For another, pass a callable that makes the module."
    return ACTIVATIONS[one_of("activation", activation, ACTIVATIONS, remedy)]
