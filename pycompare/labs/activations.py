"""How large activations are from layer to layer, before any training: what initialisers do to a deep network."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.modules import activation as torch_activations

from pycompare.calls import recorded
from pycompare.checks import one_of, whole_number
from pycompare.data.arrays import real_array
from pycompare.data.mlbench import circle
from pycompare.divergence import first_failure
from pycompare.labels import cell, setting_label
from pycompare.results import Result
from pycompare.seeding import torch_manual_seed
from pycompare.sweeps.vary import Numbers, named, vary
from pycompare.threads import torch_threads
from pycompare.training.initializers import TAKE_SIGMA, Initializer, initialise, initializer
from pycompare.training.kernels import mkl_kernels
from pycompare.training.network import MLP, checked_module, evaluating

if TYPE_CHECKING:
    from plotnine import ggplot

Inits = str | Initializer | Sequence[str | Initializer]
Activation = str | Callable[[], nn.Module]

AS_MADE = "as made"
LECTURE_INITS = ("normal", "xavier_normal", "kaiming_normal")
MODULES = tuple(getattr(torch_activations, name) for name in torch_activations.__all__ if name != "MultiheadAttention")
_DEPTH, _WIDTH, _CLASSES = 20, 100, 2
_FACTOR = 10.0  # by which the mean leaves that of the first layer, where it explodes or vanishes


@dataclass(frozen=True, eq=False, repr=False)
class ActivationStatistics(Result):
    """Statistics of `|activation|` by layer.

    Attributes:
        data: tidy frame, one row for each network and call of an activation module: config (the label), the argument
            that varies (init, where none does), layer (from 1, in the order of the calls), module (its name), mean, sd
            (of n - 1) and zero (the share of activations that are 0), over all inputs and units. Where numbers overflow
            they are infinite or NaN.
        arguments: what made it, by name.
    """

    arguments: dict[str, Any] = field(default_factory=dict, repr=False)
    _name: ClassVar[str] = "activation_statistics"

    def summary(self) -> pd.DataFrame:
        """One row a network: which layers explode or vanish.

        A layer explodes where the mean of `|activation|` is more than 10 times that of the first layer, or not finite;
        it vanishes where the mean is less than a tenth of it, or 0.

        Returns:
            config; first and last, the means of these layers; explodes_at and vanishes_at, the first layer that does,
            Int64 with NA where none does; zero, the largest share of activations that are 0.
        """
        rows = [_ends(str(config), layers) for config, layers in self.data.groupby("config", sort=False)]
        return pd.DataFrame(rows).astype({"explodes_at": "Int64", "vanishes_at": "Int64"})

    def plot(self, statistic: str = "mean") -> ggplot:
        """A line for each network by layer, on a logarithmic axis.

        Arguments:
            statistic: "mean", "sd", or "zero", the share of zeros, whose axis goes from 0 to 1.
        """
        from pycompare.plots import plot_activations

        return plot_activations(self.data, statistic=statistic)

    def _settings(self) -> dict[str, Any]:
        return {"arguments": self.arguments, "made_with": {"kernels": mkl_kernels()}}

    def _title(self) -> str:
        layers = self.data["layer"].max()
        return (
            f"|activation| of {layers} layers. Explodes: a mean above {_FACTOR:g} times the first layer's, or not"
            f" finite; vanishes: below 1/{_FACTOR:g} of it, or 0"
        )


@recorded
def activation_statistics(
    network: nn.Module | None = None,
    *,
    depth: int | Sequence[int] | None = None,
    width: int | Sequence[int] | None = None,
    activation: Activation | Sequence[Activation] | None = None,
    init: Inits | None = None,
    sigma: Numbers | None = None,
    data: Any = None,
    modules: Sequence[str] | None = None,
    seed: int = 123,
    threads: int | None = 1,
) -> ActivationStatistics:
    """Send `data` through networks that are initialised in several ways, and look at the activations of each layer.

    An argument that is a list makes the comparison: init, sigma, depth, width or activation, one of them. Modules are
    in evaluation mode meanwhile.

    Arguments:
        network: any module; without one, an `MLP` with two outputs, made for each value. It is left as it was: where
            init is given, copies of it are drawn again.
        depth, width, activation: hidden layers of the `MLP`, units of each, and "relu" or what `MLP` takes; 1 or more,
            default 20 and 100. Not with `network`.
        init: a name or callable as in `initialise`, which sets biases to 0, too; "as made" for the weights and biases
            that the network has. Default: a `network` as made; for the `MLP` "normal", "xavier_normal" and
            "kaiming_normal".
        sigma: as in `initialise`; where init is a list, for those of it that take one.
        data: inputs, an array or tensor with a row for each observation, of numbers (tensors of whole numbers reach the
            network as they are). Default `mlbench.circle(10000, d = 2)` after `set.seed(123)`.
        modules: the names, as in `network.named_modules()`, of the modules to look at. Default: those of PyTorch's
            activation classes, such as `nn.ReLU` and `nn.Softmax`. Functions that a forward calls are not seen.
        seed: of the weights. Every network is made, and drawn, under it.
        threads: of torch, as in `train_valid`.

    Returns:
        `ActivationStatistics`, which can draw, summarise and save itself.

    Raises:
        ValueError, TypeError: before any network is called, naming argument, value and remedy; and where no module was
            called.

    Mirrors `activation_statistics` of r_reference/R, with R torch's bits. Sources: Glorot and Bengio (2010); He, Zhang,
    Ren and Sun (2015).

    Example:
        >>> activation_statistics(depth=4, width=50).summary()[["config", "explodes_at", "vanishes_at"]]
                          config  explodes_at  vanishes_at
        0          init = normal            3         <NA>
        1   init = xavier_normal         <NA>         <NA>
        2  init = kaiming_normal         <NA>         <NA>
    """
    if init is None:
        init = LECTURE_INITS if network is None else AS_MADE
    shape = {"depth": depth, "width": width, "activation": activation}
    variation = vary({"init": init, "sigma": sigma} | _checked_shape(network, shape), _CHECKS)
    if len(variation.varied) > 1:
        raise ValueError(
            f"At most one argument may be a list; got {named(variation.varied)}. Fix one, as init='kaiming_normal'."
        )
    (varied,) = variation.varied or ["init"]
    settings = [variation.fixed | choice for choice in variation.choices()]
    fills = [_checked_fill(one["init"], one["sigma"], variation.varied.get("init", [])) for one in settings]
    inputs = _checked_inputs(data, network)
    frames = []
    with torch_threads(threads):
        for one, fill in zip(settings, fills, strict=True):
            with torch_manual_seed(seed):
                frame = _measured(_made(network, one, fill, inputs), inputs, modules)
            columns = {"config": setting_label(varied, one[varied]), varied: cell(one[varied])}
            frames.append(frame.assign(**columns)[[*columns, *frame]])
    arguments = variation.varied | variation.fixed | {"modules": modules, "seed": seed, "threads": threads}
    described = {"network": None if network is None else str(network), "rows": len(inputs)}
    return ActivationStatistics(pd.concat(frames, ignore_index=True), arguments | described)


def _made(network: nn.Module | None, one: Mapping[str, Any], fill: Initializer | None, inputs: Tensor) -> nn.Module:
    """The network to look at: made, or a copy that is drawn again, or the one that was passed."""
    if network is None:
        made: nn.Module = MLP(inputs.shape[1], [one["width"]] * one["depth"], _CLASSES, one["activation"])
    else:
        made = network if fill is None else copy.deepcopy(network)
    return made if fill is None else initialise(made, fill)


def _measured(network: nn.Module, inputs: Tensor, modules: Sequence[str] | None) -> pd.DataFrame:
    """The statistics of one pass through `network`, whose hooks are gone and whose modes are back after it."""
    rows: list[dict[str, Any]] = []

    def note(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        rows.append({"layer": len(rows) + 1, "module": name} | _moments(name, output))

    with ExitStack() as scope:
        for name, module in _observed(network, modules).items():
            scope.enter_context(module.register_forward_hook(partial(note, name)))
        scope.enter_context(evaluating(network))
        scope.enter_context(torch.no_grad())
        network(_as_network(inputs, network))
    if not rows:
        raise ValueError(f"`network` must call its activation modules; got one that calls none: {network!r}. {_REMEDY}")
    return pd.DataFrame(rows)


def _moments(name: str, output: Any) -> dict[str, float]:
    if not isinstance(output, Tensor):
        raise TypeError(f"`modules` must name modules that return a tensor; {name!r} returned {output!r}. {_REMEDY}")
    size = output.abs().double()
    sd = size.std().item() if size.numel() > 1 else math.nan
    return {"mean": size.mean().item(), "sd": sd, "zero": (size == 0).double().mean().item()}


def _observed(network: nn.Module, modules: Sequence[str] | None) -> dict[str, nn.Module]:
    if isinstance(modules, str):
        raise TypeError(f"`modules` must be a list of names; got {modules!r}. Pass [{modules!r}].")
    if modules is not None:
        every = {name: module for name, module in network.named_modules() if name}
        return {one_of("modules", name, every, "Choose of these."): every[name] for name in modules}
    found = {name: module for name, module in network.named_modules() if isinstance(module, MODULES)}
    if not found:
        raise ValueError(f"`network` must have activation modules, such as nn.ReLU; got {network!r}. {_REMEDY}")
    return found


def _as_network(inputs: Tensor, network: nn.Module) -> Tensor:
    like = next(network.parameters(), inputs.float())
    return inputs.to(like) if inputs.is_floating_point() else inputs.to(like.device)


def _checked_shape(network: nn.Module | None, shape: dict[str, Any]) -> dict[str, Any]:
    """The shape of the MLP, with its defaults; of a network that was passed, none."""
    if network is None:
        defaults = {"depth": _DEPTH, "width": _WIDTH, "activation": "relu"}
        return {name: defaults[name] if value is None else value for name, value in shape.items()}
    checked_module(network)
    given = [name for name, value in shape.items() if value is not None]
    if given:
        raise ValueError(
            f"{named(given)} must be left out where `network` is given; got {shape[given[0]]!r}. Omit one."
        )
    return {}


def _checked_fill(init: str | Initializer, sigma: float | None, others: Sequence[Any]) -> Initializer | None:
    """What fills the weights, or None where they stay; sigma is for those of several that take one."""
    spared = init not in TAKE_SIGMA and any(other in TAKE_SIGMA for other in others)
    if init == AS_MADE and (sigma is None or spared):
        return None
    return initializer(init, sigma=None if spared else sigma)


def _checked_inputs(data: Any, network: nn.Module | None) -> Tensor:
    if data is None:
        data = circle(10000, d=2, rng=123).x
    inputs = data if isinstance(data, Tensor) else torch.from_numpy(real_array("data", data))
    if inputs.ndim == 0 or len(inputs) == 0 or (network is None and inputs.ndim != 2):
        rule = "shape (n, features)" if network is None else "a row for each observation"
        raise ValueError(f"`data` must have {rule}, n at least 1; got shape {tuple(inputs.shape)}. Pass e.g. (100, 2).")
    if not inputs.isfinite().all():
        raise ValueError("`data` must be finite; got NaN or infinity. Drop such rows.")
    return inputs.detach()


def _ends(config: str, layers: pd.DataFrame) -> dict[str, Any]:
    means = layers["mean"]
    first, last = means.iloc[0], means.iloc[-1]
    small = (means <= _FACTOR * first) & (means < math.inf)
    large = means.isna() | ((means >= first / _FACTOR) & (means > 0))
    at = {"explodes_at": first_failure(layers["layer"], small), "vanishes_at": first_failure(layers["layer"], large)}
    return {"config": config, "first": first, "last": last} | at | {"zero": layers["zero"].max()}


_REMEDY = "Name modules of network.named_modules() in `modules`."
_CHECKS = {name: partial(whole_number, at_least=1) for name in ("depth", "width")}
