"""Training of a chain of linear layers and activations without autograd, by the operations that autograd would call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pycompare.threads import check_stop
from pycompare.training.batches import BatchedData, BatchLosses, OnLoss, Restore, SetRates, stacked_epochs
from pycompare.training.engines.covers import chain, linear_layers
from pycompare.training.engines.flat import FlatParameters
from pycompare.training.losses import Loss, aten
from pycompare.training.optim import LibTorchOptimizer


class Fused:
    """A network in training: forward, backward and step by hand, each operation and its operands' layout autograd's.

    Takes what `obstacles_to_fused` has nothing against. The network's parameters change in place, when published; their
    gradients are those of the last batch.
    """

    draws = False
    releases_gil = False
    stride = 1
    name = "fused"

    @torch.inference_mode()
    def __init__(
        self, network: nn.Module, opt: LibTorchOptimizer, loss: Loss, train: BatchedData, valid: BatchedData
    ) -> None:
        self._network = network
        parameters: list[Tensor] = list(network.parameters())
        self.flat = FlatParameters(parameters, opt)
        tensors = iter(zip(self.flat.values, self.flat.grads, strict=True))
        layers: list[_Linear | _Activation] = []
        for module in chain(network):
            if isinstance(module, nn.Linear):
                layers.append(_Linear(*_with_grads(module, tensors)))
            elif type(module) is not nn.Identity:
                layers.append(_activation(module, in_place=bool(layers) and isinstance(layers[-1], _Linear)))
        first = next(layer for layer in layers if isinstance(layer, _Linear))
        self._forwards = [layer.forward for layer in layers]
        self._backwards = [layer.backward for layer in layers[: layers.index(first) : -1]] + [first.end]
        like, width = parameters[0], linear_layers(network)[-1].out_features
        self._train, self._valid = (_batch_set(data, loss, width, like.dtype) for data in (train, valid))

    def train(self, on_step: OnLoss | None = None, set_rates: SetRates | None = None) -> BatchLosses:
        """As `Engine.train` says."""
        with torch.inference_mode():
            told = [self._step(i, on_step, set_rates) for i in range(len(self._train.batches))]
            return self._train.losses(told)

    def take_steps(self, batches: range, set_rates: SetRates | None = None) -> None:
        """As `Engine.take_steps` says."""
        with torch.inference_mode():
            for i in batches:
                self._step(i, None, set_rates)

    @torch.inference_mode()
    def validate(self) -> BatchLosses:
        """As `Engine.validate` says."""
        self._network.eval()
        outputs = ((self._forward(x), loss) for x, loss in self._valid.batches)
        return self._valid.losses([(loss(out)[0], self._valid.kept(out)) for out, loss in outputs])

    def epochs(self, count: int) -> tuple[BatchLosses, BatchLosses]:
        """As `Engine.epochs` says."""
        return stacked_epochs((self.train(), self.validate()) for _ in range(count))

    def publish(self) -> None:
        """As `Engine.publish` says."""
        self.flat.publish()

    def publish_state(self) -> None:
        """As `Engine.publish_state` says."""
        self.flat.publish_state()

    @torch.inference_mode()
    def adopt_state(self) -> None:
        """As `Engine.adopt_state` says."""
        self.flat.adopt()

    def checkpoint(self) -> Restore:
        """As `Engine.checkpoint` says."""
        return self.flat.checkpoint()

    def _forward(self, x: Tensor) -> Tensor:
        for forward in self._forwards:
            x = forward(x)
        return x

    def _step(self, i: int, on_step: OnLoss | None, set_rates: SetRates | None) -> tuple[Tensor, Tensor | None]:
        check_stop()
        if set_rates:
            set_rates(i)
        x, loss = self._train.batches[i]
        outputs = self._forward(x)
        value, grad = loss(outputs)
        for backward in self._backwards:
            grad = backward(grad)
        if on_step:
            self.flat.show(self._network, self._train.mean(i, value), on_step)
        self.flat.step()
        return value, self._train.kept(outputs)


class _Set:
    """Batches of inputs and the loss of their outputs."""

    def __init__(self, data: BatchedData, loss: Loss, width: int, dtype: torch.dtype) -> None:
        assert loss.batch is not None
        targets = [loss.cast(y, width, dtype) for _, y in data.batches]
        self.batches = [(x, loss.batch(y)) for (x, _), y in zip(data.batches, targets, strict=True)]
        self._loss, self._targets, self._rows = loss, torch.cat(targets), [len(y) for y in targets]
        self._sizes = [y.numel() for _, y in data.batches]
        divisors = [1] * len(targets) if loss.of_classes else self._sizes
        self._divisors = torch.tensor(divisors, dtype=dtype, device="cpu")

    def kept(self, outputs: Tensor) -> Tensor | None:
        """What `losses` needs of a batch's outputs."""
        return outputs if self._loss.of_classes else None

    def losses(self, told: list[tuple[Tensor, Any]]) -> BatchLosses:
        """What the values and outputs of all batches tell."""
        losses = torch.stack([value for value, _ in told]) / self._divisors
        if not self._loss.of_classes:
            return BatchLosses(losses, self._sizes)
        rows = self._loss.right(torch.cat([outputs for _, outputs in told]), self._targets)
        right = np.array([int(part.sum()) for part in rows.split(self._rows)])
        return BatchLosses(losses, self._sizes, right, self._rows)

    def mean(self, i: int, value: Tensor) -> Tensor:
        return value / self._divisors[i]


def _batch_set(data: BatchedData, loss: Loss, width: int, dtype: torch.dtype) -> _Set:
    """The batches of `data`, made once for all trainings in which they are the same."""
    return data.keep((_Set, loss.given, width, dtype), lambda: _Set(data, loss, width, dtype))


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
    raise AssertionError(module)  # obstacles_to_fused has named it
