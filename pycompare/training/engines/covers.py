"""Which trainings an engine covers: generators of what stands in its way, in words."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pycompare.training import torch_private
from pycompare.training.engines.compiled.machine_code import has_numba
from pycompare.training.engines.compiled.torch_symbols import missing_symbols
from pycompare.training.engines.flat import ALIGNMENT
from pycompare.training.losses import Loss
from pycompare.training.network import MLP
from pycompare.training.optim import SGD, Adam, AdamW, RMSprop

_MODULES = (nn.Linear, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.GELU, nn.Identity)


def obstacles_to_flat(opt: Optimizer) -> Iterator[str]:
    """What keeps `opt` and its parameters from a flat buffer."""
    if type(opt) not in (AdamW, Adam, RMSprop, SGD) or len(opt.param_groups) > 1 or opt.state:
        yield f"the optimizer {type(opt).__name__}, its groups or its past steps"
    if torch_private.optimizer_hooks():
        yield "hooks on optimizers"
    parameters = [p for p in opt.param_groups[0]["params"] if p.requires_grad]
    if not parameters or not all(map(_is_flat, parameters)):
        yield "parameters other than plain tensors in the CPU's memory"
        return
    if len({p.dtype for p in parameters}) > 1 or parameters[0].dtype not in (torch.float32, torch.float64):
        yield "parameters other than all float32 or all float64"
    if len(_memory(parameters)) < len(parameters):
        yield "parameters that share memory"


def obstacles_to_fused(network: nn.Module, opt: Optimizer, loss: Loss, sets: Sequence[object]) -> Iterator[str]:
    """What `Fused` does not cover of a training; each of `sets` is to be (inputs, targets). Only the first counts."""
    if loss.batch is None:
        yield "a loss of your own"
    yield from torch_private.global_interceptors()
    yield from _module_obstacles(network)
    yield from obstacles_to_flat(opt)
    yield from _parameter_obstacles(network)
    layers, memory = linear_layers(network), _memory(network.parameters())
    for data in sets:
        yield from _data_obstacles(layers, memory, loss, data)


def obstacles_to_compiled(network: nn.Module, loss: Loss) -> Iterator[str]:
    """What `Compiled` does not cover of what `Fused` does. Only the first counts."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        yield "other systems than Linux on x86-64, whose calling conventions it knows"
        return
    if not has_numba():
        yield "an installation without numba, which pip install -c constraints.txt '.[fast]' brings in a checkout"
    capability = torch.backends.cpu.get_cpu_capability()
    if not torch.backends.mkl.is_available() or capability not in ("AVX2", "AVX512"):
        yield "a PyTorch without MKL, or a processor without AVX2"
    if torch.get_num_threads() > 1:
        yield "more than one torch thread, among which PyTorch divides sums"
    yield from (f"a PyTorch that does not export {name}" for name in missing_symbols())
    modules = list(chain(network))
    after = modules[modules.index(linear_layers(network)[0]) :]
    gelu = any(isinstance(module, nn.GELU) and module.approximate == "none" for module in after)
    if gelu and next(network.parameters()).dtype == torch.float32:
        yield "GELU(approximate='none') of float32, which PyTorch leaves to oneDNN's own code"
    by_vectors = any(isinstance(module, (nn.Sigmoid, nn.GELU)) for module in after) or loss.of_classes or loss.of_shares
    if capability == "AVX512" and by_vectors:
        yield "sigmoids, exponentials and logarithms by AVX-512, whose vectors end elsewhere"


def _module_obstacles(network: nn.Module) -> Iterator[str]:
    for module in chain(network):
        if type(module) not in _MODULES:
            yield f"a module of type {type(module).__name__}"
        if getattr(module, "inplace", False):
            yield f"{type(module).__name__}(inplace=True)"
    for module in network.modules():
        yield from torch_private.module_interceptors(module)


def _parameter_obstacles(network: nn.Module) -> Iterator[str]:
    linear = linear_layers(network)
    used = [p for module in linear for p in (module.weight, module.bias) if p is not None]
    if list(map(id, used)) != list(map(id, network.parameters())):
        yield "parameters that are used twice or not at all"
    if not all(parameter.requires_grad for parameter in used):
        yield "parameters with requires_grad=False"
    if any(map(torch_private.parameter_hooks, used)):
        yield "hooks on parameters"
    if not all(map(_is_usual, linear)):
        yield "weights and biases of other shapes or strides than nn.Linear's"
    if any(parameter.data_ptr() % ALIGNMENT for parameter in used):
        yield f"parameters that do not start at a multiple of {ALIGNMENT} bytes"


def _data_obstacles(linear: list[nn.Linear], memory: set[int], loss: Loss, data: object) -> Iterator[str]:
    if not isinstance(data, tuple) or len(data) != 2 or not all(map(_is_plain, data)):
        yield "data other than plain inputs and targets in a TensorDataset or in a Subset of one"
        return
    x, y = data
    if x.ndim != 2 or x.dtype != linear[0].weight.dtype:
        yield "inputs other than rows of floating point numbers"
    widths = [x.shape[1], *(module.out_features for module in linear)]
    if widths[:-1] != [module.in_features for module in linear]:
        yield "layers or inputs whose widths do not match"
    if memory & _memory(data):
        yield "data that shares memory with a parameter"
    if len(y) != len(x) or not y.is_contiguous() or not loss.fits(y, widths[-1]):
        yield "targets that do not match the outputs"


def _memory(tensors: Iterable[Tensor]) -> set[int]:
    return {tensor.untyped_storage().data_ptr() for tensor in tensors}


def _is_flat(parameter: Tensor) -> bool:
    dense = parameter.layout is torch.strided and parameter.device.type == "cpu" and parameter.is_contiguous()
    return type(parameter) is nn.Parameter and dense and parameter.numel() > 0 and not parameter.is_inference()


def _is_usual(module: nn.Linear) -> bool:
    rows, columns = module.out_features, module.in_features
    bias = module.bias is None or module.bias.shape == (rows,)
    return bias and module.weight.shape == (rows, columns) and module.weight.stride() == (columns, 1)


def _is_plain(tensor: Tensor) -> bool:
    dense = type(tensor) is Tensor and tensor.layout is torch.strided and tensor.device.type == "cpu"
    return dense and not (tensor.requires_grad or tensor.is_inference() or tensor.is_complex())


def chain(module: nn.Module) -> Iterator[nn.Module]:
    """The modules that a nested `nn.Sequential` calls, in order; any other module itself."""
    if type(module) in (nn.Sequential, MLP):
        for child in module:  # type: ignore[attr-defined]
            yield from chain(child)
    else:
        yield module


def linear_layers(network: nn.Module) -> list[nn.Linear]:
    """The linear layers of a `chain`."""
    return [module for module in chain(network) if isinstance(module, nn.Linear)]
