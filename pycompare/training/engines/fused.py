"""Training of a chain of linear layers and activations without autograd, by the operations that autograd would call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.optim import Optimizer

from pycompare.training.engines.flat import ALIGNMENT, FlatParameters, why_not_flat
from pycompare.training.network import MLP

Batches = Sequence[tuple[Tensor, Tensor]]
# From the outputs of one batch: the loss (its sum, for an elementwise one), and the gradient of its mean.
_Loss = Callable[[Tensor], tuple[Tensor, Tensor]]
aten = torch.ops.aten


class Fused:
    """A network in training: forward, backward and step by hand, each operation and its operands' layout autograd's.

    Takes what `why_not_fused` has nothing against. The network's parameters change in place after each epoch; their
    gradients are those of the last batch.
    """

    @torch.inference_mode()
    def __init__(self, network: nn.Module, opt: Optimizer, loss: str, train: Batches, valid: Batches) -> None:
        self._network, self._parameters = network, list(network.parameters())
        self._flat = FlatParameters(self._parameters, opt)
        tensors = iter(zip(self._flat.values, self._flat.grads, strict=True))
        layers: list[_Linear | _Activation] = []
        for module in _chain(network):
            if isinstance(module, nn.Linear):
                layers.append(_Linear(*_with_grads(module, tensors)))
            elif type(module) is not nn.Identity:
                layers.append(_activation(module, in_place=bool(layers) and isinstance(layers[-1], _Linear)))
        first = next(layer for layer in layers if isinstance(layer, _Linear))
        self._forwards = [layer.forward for layer in layers]
        self._backwards = [layer.backward for layer in layers[: layers.index(first) : -1]] + [first.end]
        like, width = self._parameters[0], _linear(network)[-1].out_features
        self._train, self._valid = (_Set(batches, loss, width, like.dtype) for batches in (train, valid))

    def train(self) -> Tensor:
        """Train for one epoch; the loss of every batch, before its step."""
        with torch.inference_mode():
            losses = self._train.means([self._step(x, loss) for x, loss in self._train.batches])
        with torch.no_grad():
            torch._foreach_copy_(list(self._parameters), self._flat.values)
            for parameter, grad in zip(self._parameters, self._flat.grads, strict=True):
                parameter.grad = torch.empty_like(grad).copy_(grad)
        return losses

    @torch.inference_mode()
    def validate(self) -> tuple[Tensor, list[int]]:
        """The loss of every validation batch, and how many numbers its mean is over."""
        self._network.eval()
        losses = self._valid.means([loss(self._forward(x))[0] for x, loss in self._valid.batches])
        return losses, self._valid.sizes

    def _forward(self, x: Tensor) -> Tensor:
        for forward in self._forwards:
            x = forward(x)
        return x

    def _step(self, x: Tensor, loss: _Loss) -> Tensor:
        value, grad = loss(self._forward(x))
        for backward in self._backwards:
            grad = backward(grad)
        self._flat.step()
        return value


class _Set:
    """Batches of inputs and the loss of their outputs."""

    def __init__(self, batches: Batches, loss: str, width: int, dtype: torch.dtype) -> None:
        self.sizes = [y.numel() for _, y in batches]
        self.batches = [(x, _LOSSES[loss](_target(y, loss, dtype, width))) for x, y in batches]
        summed = loss != "cross_entropy"
        self._divisors = torch.tensor(self.sizes if summed else 1, dtype=dtype, device="cpu")

    def means(self, values: list[Tensor]) -> Tensor:
        return torch.stack(values) / self._divisors


class _Linear:
    def __init__(self, weight: Tensor, bias: Tensor | None, weight_grad: Tensor, bias_grad: Tensor | None) -> None:
        self._weight, self._transposed, self._bias = weight, weight.t(), bias
        self._weight_grad, self._bias_grad = weight_grad, bias_grad

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        if self._bias is None:
            return torch.mm(x, self._transposed)
        return torch.addmm(self._bias, x, self._transposed)

    def end(self, grad: Tensor) -> Tensor:
        """Only the parameters' gradients."""
        torch.mm(grad.t(), self._x, out=self._weight_grad)
        if self._bias_grad is not None:
            torch.sum(grad, 0, out=self._bias_grad)
        return grad

    def backward(self, grad: Tensor) -> Tensor:
        self.end(grad)
        if self._x.stride() == (1, len(self._x)):  # column-major, as is 1 x 1: autograd then keeps it so
            return torch.mm(self._transposed, grad.t()).t()
        return torch.mm(grad, self._weight)


class _Activation:
    """An elementwise function; its derivative overwrites the gradient that it is given."""

    def __init__(self, forward: Callable[[Tensor], Tensor], backward: Callable[..., Tensor]) -> None:
        self._function, self._derivative = forward, backward

    def forward(self, x: Tensor) -> Tensor:
        self._x, self._y = x, self._function(x)
        return self._y

    def backward(self, grad: Tensor) -> Tensor:
        return self._derivative(grad, self._x, self._y)


def _with_grads(
    module: nn.Linear, tensors: Iterator[tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor | None, Tensor, Tensor | None]:
    """Weight, bias and their gradients, from `tensors`, the next parts of the flat buffers."""
    weight, weight_grad = next(tensors)
    bias, bias_grad = (None, None) if module.bias is None else next(tensors)
    return weight, bias, weight_grad, bias_grad


def _activation(module: nn.Module, *, in_place: bool) -> _Activation:
    """The activation of a module; `in_place`, it may overwrite its input where the derivative does not need that."""
    match module:
        case nn.ReLU():
            return _Activation(
                torch.relu_ if in_place else torch.relu,
                lambda g, _, y: aten.threshold_backward.grad_input(g, y, 0, grad_input=g),
            )
        case nn.Tanh():
            return _Activation(
                torch.tanh_ if in_place else torch.tanh,
                lambda g, _, y: aten.tanh_backward.grad_input(g, y, grad_input=g),
            )
        case nn.Sigmoid():
            return _Activation(
                torch.sigmoid_ if in_place else torch.sigmoid,
                lambda g, _, y: aten.sigmoid_backward.grad_input(g, y, grad_input=g),
            )
        case nn.LeakyReLU(negative_slope=a):
            return _Activation(
                lambda x: F.leaky_relu(x, a),
                lambda g, x, _: aten.leaky_relu_backward.grad_input(g, x, a, False, grad_input=g),
            )
        case nn.GELU(approximate=kind):
            return _Activation(
                lambda x: F.gelu(x, approximate=kind),
                lambda g, x, _: aten.gelu_backward.grad_input(g, x, approximate=kind, grad_input=g),
            )
    raise AssertionError(module)


def _mse(y: Tensor) -> _Loss:
    scale = torch.tensor(2 / y.numel(), dtype=y.dtype)

    def loss(out: Tensor) -> tuple[Tensor, Tensor]:
        error = out - y
        return (error * error).sum(), error.mul_(scale)

    return loss


def _l1(y: Tensor) -> _Loss:
    scale = torch.ones((), dtype=y.dtype) / y.numel()

    def loss(out: Tensor) -> tuple[Tensor, Tensor]:
        error = out - y
        return error.abs().sum(), error.sgn_().mul_(scale)

    return loss


def _huber(y: Tensor) -> _Loss:
    one = torch.ones((), dtype=y.dtype)
    return lambda out: (F.huber_loss(out, y, reduction="sum"), aten.huber_loss_backward.default(one, out, y, 1, 1.0))


def _smooth_l1(y: Tensor) -> _Loss:
    one = torch.ones((), dtype=y.dtype)
    return lambda out: (
        F.smooth_l1_loss(out, y, reduction="sum"),
        aten.smooth_l1_loss_backward.default(one, out, y, 1, 1.0),
    )


def _cross_entropy(y: Tensor) -> _Loss:
    """Of classes, shape (n,), or probabilities, shape (n, classes)."""

    def loss(out: Tensor) -> tuple[Tensor, Tensor]:
        logs, one = torch.log_softmax(out, 1), torch.ones((), dtype=out.dtype)
        if y.is_floating_point():
            value, grad = F.cross_entropy(out, y), -(one / len(y)) * y
        else:
            value, total = aten.nll_loss_forward.default(logs, y, None, 1, -100)
            grad = aten.nll_loss_backward.default(one, logs, y, None, 1, -100, total)
        return value, torch._log_softmax_backward_data(grad, logs, 1, out.dtype)

    return loss


def why_not_fused(network: nn.Module, opt: Optimizer, loss: object, sets: Sequence[object]) -> str | None:
    """What `Fused` does not cover of a training, None if it covers all; each set is to be (inputs, targets)."""
    if not isinstance(loss, str) or loss not in _LOSSES:
        return "a loss of your own"
    reason = _mode_reason() or _module_reason(network) or why_not_flat(opt) or _parameter_reason(network)
    for data in sets:
        reason = reason or _data_reason(network, loss, data)
    return reason


def _mode_reason() -> str | None:
    if torch.is_autocast_enabled("cpu") or torch.is_anomaly_enabled() or torch.is_inference_mode_enabled():
        return "autocast, anomaly or inference mode"
    if torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack():
        return "a mode that intercepts PyTorch's functions"
    if torch._C._autograd._top_saved_tensors_default_hooks(True) or torch_module._has_any_global_hook():
        return "hooks on saved tensors or on all modules"
    return None


def _module_reason(network: nn.Module) -> str | None:
    chain = list(_chain(network))
    for module in chain:
        if type(module) not in _COVERED:
            return f"a module of type {type(module).__name__}"
        if getattr(module, "inplace", False):
            return f"{type(module).__name__}(inplace=True)"
    for module in network.modules():
        if any(getattr(module, hooks) for hooks in _HOOKS):
            return f"hooks on a module of type {type(module).__name__}"
        if "forward" in vars(module) or module._compiled_call_impl is not None:
            return f"a {type(module).__name__} with a forward of its own"
        if module._buffers:
            return f"a {type(module).__name__} with buffers"
    return None


def _parameter_reason(network: nn.Module) -> str | None:
    linear = _linear(network)
    used = [p for module in linear for p in (module.weight, module.bias) if p is not None]
    if list(map(id, used)) != list(map(id, network.parameters())):
        return "parameters that are used twice or not at all"
    if not all(parameter.requires_grad for parameter in used):
        return "parameters with requires_grad=False"
    if any(parameter._backward_hooks or parameter._post_accumulate_grad_hooks for parameter in used):
        return "hooks on parameters"
    for module in linear:
        rows, columns = module.out_features, module.in_features
        bias = module.bias is None or module.bias.shape == (rows,)
        if not bias or module.weight.shape != (rows, columns) or module.weight.stride() != (columns, 1):
            return "weights and biases of other shapes or strides than nn.Linear's"
    if any(parameter.data_ptr() % ALIGNMENT for parameter in used):
        return f"parameters that do not start at a multiple of {ALIGNMENT} bytes"
    return None


def _data_reason(network: nn.Module, loss: str, data: object) -> str | None:
    if not isinstance(data, tuple) or len(data) != 2 or not all(map(_is_plain, data)):
        return "data other than plain inputs and targets in a TensorDataset or in a Subset of one"
    (x, y), linear = data, _linear(network)
    if x.ndim != 2 or x.dtype != linear[0].weight.dtype:
        return "inputs other than rows of floating point numbers"
    widths = [x.shape[1], *(module.out_features for module in linear)]
    if widths[:-1] != [module.in_features for module in linear]:
        return "layers or inputs whose widths do not match"
    memory = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    if memory & {tensor.untyped_storage().data_ptr() for tensor in data}:
        return "data that shares memory with a parameter"
    if len(y) != len(x) or not _is_target(y, loss, widths[-1]):
        return "targets that do not match the outputs"
    return None


def _is_plain(tensor: Tensor) -> bool:
    dense = type(tensor) is Tensor and tensor.layout is torch.strided and tensor.device.type == "cpu"
    return dense and not (tensor.requires_grad or tensor.is_inference() or tensor.is_complex())


def _is_target(y: Tensor, loss: str, width: int) -> bool:
    if not y.is_contiguous():
        return False
    if loss != "cross_entropy" or (width > 1 and y.shape == (len(y), width)):
        return y.shape == (len(y), width) and (loss != "cross_entropy" or y.is_floating_point())
    classes = y.reshape(-1)
    return len(classes) == len(y) and bool(((classes >= 0) & (classes < width) & (classes == classes.floor())).all())


def _target(y: Tensor, loss: str, dtype: torch.dtype, width: int) -> Tensor:
    """Targets as the loss takes them; class indices have shape (n,)."""
    if loss == "cross_entropy" and not (width > 1 and y.shape == (len(y), width)):
        return y.reshape(-1).long()
    return y.to(dtype)


def _chain(module: nn.Module) -> Iterator[nn.Module]:
    """The modules that a nested `nn.Sequential` calls, in order; any other module itself."""
    if type(module) not in (nn.Sequential, MLP):
        yield module
    else:
        for child in module._modules.values():
            yield from _chain(child)  # type: ignore[arg-type]


def _linear(network: nn.Module) -> list[nn.Linear]:
    return [module for module in _chain(network) if isinstance(module, nn.Linear)]


_COVERED = (nn.Linear, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.GELU, nn.Identity)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_LOSSES: dict[str, Callable[[Tensor], _Loss]] = {
    "mse": _mse,
    "l1": _l1,
    "huber": _huber,
    "smooth_l1": _smooth_l1,
    "cross_entropy": _cross_entropy,
}
