"""The initialisers by name, as R torch's `nn_init_*_` draw, and a network drawn again with one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from pycompare.checks import flag, number, one_of
from pycompare.training.network import checked_module, trunc_normal_

Initializer = Callable[[Tensor], object]

INITIALIZERS: dict[str, Callable[..., object]] = {
    "xavier_uniform": nn.init.xavier_uniform_,
    "xavier_normal": nn.init.xavier_normal_,
    "kaiming_uniform": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
    "kaiming_normal": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "normal": nn.init.normal_,
    "orthogonal": nn.init.orthogonal_,
    "trunc_normal": trunc_normal_,
}
TAKE_SIGMA = ("normal", "trunc_normal")


def initialise(
    network: nn.Module, init: str | Initializer, *, sigma: float | None = None, zero_bias: bool = True
) -> nn.Module:
    """Draw every weight of `network` again, in place, in the order of its layers, and set its biases to 0.

    With `a` inputs of a unit and `b` outputs of an input, weights of two or more dimensions become

        xavier_uniform    uniform within sqrt(6 / (a + b)) of 0        kaiming_uniform   uniform within sqrt(6 / a)
        xavier_normal     normal, variance 2 / (a + b)                 kaiming_normal    normal, variance 2 / a
        normal            normal, standard deviation sigma             orthogonal        a random orthogonal matrix
        trunc_normal      the same, cut at -2 and 2, whatever sigma

    Other weights, such as those of a batch norm, stay. Draws are made in float32 on the CPU, from torch's global
    generator, so that a seed gives the same weights for every dtype and device.

    Arguments:
        network: any module. Its parameters called weight, weight_ih_l0 and the like are drawn, those called bias,
            bias_ih_l0 and the like set.
        init: one of these names, or a callable that changes the weight (out, in, ...) it is given in place.
        sigma: standard deviation for "normal", 0 or more, and "trunc_normal", above 0, only; default 1.
        zero_bias: False leaves the biases as they are.

    Returns:
        `network`.

    Raises:
        ValueError, TypeError: before any draw, where an argument is out of range or of the wrong kind, or there is no
            weight to draw.

    Mirrors `nn_init_*_` of R torch on each `nn_linear`, with R's defaults and bits; make the network and call this in
    one random scope, as R does. Sources: Glorot and Bengio (2010); He, Zhang, Ren and Sun (2015); Saxe, McClelland and
    Ganguli (2014).

    Example:
        >>> from pycompare import MLP, torch_manual_seed
        >>> with torch_manual_seed(123):
        ...     network = initialise(MLP(4), "kaiming_normal")
        >>> network.lin1.bias.abs().sum().item()
        0.0
    """
    fill = initializer(init, sigma=sigma)
    zero_bias = flag("zero_bias", zero_bias)
    weights = list(_called("weight", checked_module(network)))
    if not any(weight.ndim > 1 for weight in weights):
        raise ValueError(
            f"`network` must have a weight of two or more dimensions; got {network!r}. Pass a module with layers."
        )
    with torch.no_grad():
        for weight in weights:
            if weight.ndim > 1:
                drawn = weight.detach().to("cpu", torch.float32)  # the weight itself, where it is of that kind
                fill(drawn)
                weight.copy_(drawn)
        if zero_bias:
            for bias in _called("bias", network):
                bias.zero_()
    return network


def takes_sigma(init: str | Initializer) -> bool:
    """Whether `initialise` takes a sigma for this initialiser."""
    return isinstance(init, str) and init in TAKE_SIGMA


def started(
    make: Callable[[], nn.Module], init: str | Initializer, sigma: float | None, *, zero_bias: bool
) -> nn.Module:
    """A network that `make` makes, drawn again; `sigma` counts where the initialiser takes one."""
    return initialise(make(), init, sigma=sigma if takes_sigma(init) else None, zero_bias=zero_bias)


def initializer(init: str | Initializer, *, sigma: float | None = None) -> Initializer:
    """The function that fills a weight in place, for `init` and `sigma` as `initialise` takes them, checked."""
    if not callable(init):
        one_of("init", init, INITIALIZERS, "For another, pass a callable that fills a weight.")
    if sigma is None:
        return init if callable(init) else INITIALIZERS[init]
    sigma = number("sigma", sigma, at_least=0)
    if callable(init) or init not in TAKE_SIGMA:
        raise ValueError(
            f"`sigma` must be left out unless `init` is {' or '.join(TAKE_SIGMA)}; got {sigma!r} for {init!r}."
            " Other initialisers choose the spread themselves."
        )
    if init == "trunc_normal" and sigma == 0:
        raise ValueError("`sigma` must be greater than 0 for 'trunc_normal'; got 0. Use 'normal', which takes 0.")
    return partial(INITIALIZERS[init], std=sigma)


def _called(kind: str, network: nn.Module) -> Iterator[Tensor]:
    for name, parameter in network.named_parameters():
        if kind in name.rpartition(".")[2]:
            yield parameter
