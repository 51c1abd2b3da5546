"""Without autograd, and on a flat buffer, training gives the bits of the plain loop; what is not covered is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.data import Dataset, Subset, TensorDataset

from pycompare import MLP, AdamW, Split, compare_configs, torch_manual_seed, train_valid
from pycompare.training.optim import optimizer_factory

ACTIVATIONS: list[Callable[[], nn.Module]] = [
    nn.ReLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.LeakyReLU,
    lambda: nn.LeakyReLU(0.3),
    nn.GELU,
    lambda: nn.GELU(approximate="tanh"),
    nn.Identity,
]
OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("adamw", {}),
    ("adamw", {"weight_decay": 0.0, "betas": (0.5, 0.9)}),
    ("adamw", {"amsgrad": True, "eps": 0.0}),
    ("adam", {"weight_decay": 0.1}),
    ("adam", {"amsgrad": True}),
    ("rmsprop", {}),
    ("rmsprop", {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("sgd", {}),
    ("sgd", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("sgd", {"maximize": True}),
]
LOSSES = ["mse", "l1", "huber", "smooth_l1", "cross_entropy"]
WIDTHS = st.integers(1, 9) | st.sampled_from([17, 50])


@st.composite
def networks(draw: st.DrawFn, width: int) -> nn.Module:
    """A chain of up to three linear layers and activations in any order, part of it nested."""
    modules: list[nn.Module] = []
    n_linear = draw(st.integers(1, 3))
    for _ in range(n_linear):
        modules += [draw(st.sampled_from(ACTIVATIONS))() for _ in range(draw(st.integers(0, 2)))]
        modules.append(nn.Linear(width, width := draw(WIDTHS), bias=draw(st.booleans())))
    modules += [draw(st.sampled_from(ACTIVATIONS))() for _ in range(draw(st.integers(0, 1)))]
    if draw(st.booleans()):
        modules[1:] = [nn.Sequential(*modules[1:])]
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


@st.composite
def datasets(draw: st.DrawFn, network: nn.Module, width: int, loss: str) -> TensorDataset:
    rows = draw(st.integers(1, 20))
    x = torch.randn(rows, width) * draw(st.sampled_from([1.0, 30.0, 1e4]))
    if draw(st.booleans()):
        x = x.t().contiguous().t()
    classes = [module for module in network.modules() if isinstance(module, nn.Linear)][-1].out_features
    if loss != "cross_entropy":
        return TensorDataset(x, draw(st.sampled_from([torch.randn(rows, classes), torch.ones(rows, classes).long()])))
    index = torch.randint(0, classes, (rows,))
    targets = [index, index.reshape(-1, 1), index.double()]
    return TensorDataset(x, draw(st.sampled_from([*targets, torch.rand(rows, classes)] if classes > 1 else targets)))


def _bits(tensors: list[Tensor]) -> list[list[int]]:
    return [tensor.double().nan_to_num(nan=0.1234).view(torch.int64).flatten().tolist() for tensor in tensors]


def _assert_same(network: nn.Module, data: tuple[Any, Any], name: str, **arguments: Any) -> None:
    """Values, gradients and curves equal those of the optimizer given as a callable, which is stepped as it is."""
    results = {}
    for engine, optimizer in (("plain", optimizer_factory(name)), ("autograd", name), ("fused", name)):
        trained = copy.deepcopy(network)
        how = {"optimizer": optimizer, "engine": "autograd" if engine == "plain" else engine}
        frame = train_valid(trained, *data, **how, **arguments)
        parameters = list(trained.parameters())
        results[engine] = frame, _bits(parameters), _bits([p.grad for p in parameters if p.grad is not None])
    for engine in ("autograd", "fused"):
        pd.testing.assert_frame_equal(results[engine][0], results["plain"][0], check_exact=True)
        assert results[engine][1:] == results["plain"][1:]


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.data())
def test_bits_are_those_of_the_plain_loop(data: st.DataObject) -> None:
    draw = data.draw
    width, loss = draw(WIDTHS), draw(st.sampled_from(LOSSES))
    with torch_manual_seed(draw(st.integers(0, 9))):
        network = draw(networks(width)).to(draw(st.sampled_from([torch.float32, torch.float64])))
        sets = draw(datasets(network, width, loss)), draw(datasets(network, width, loss))
    optimizer, arguments = draw(st.sampled_from(OPTIMIZERS))
    lr, batch_size = draw(st.sampled_from([1e-3, 0.05, 5.0])), draw(st.integers(1, 21))
    _assert_same(network, sets, optimizer, epochs=2, batch_size=batch_size, loss=loss, lr=lr, **arguments)


X = torch.linspace(-1, 1, 60).reshape(30, 2)
DATA = TensorDataset(X, X.sum(dim=1, keepdim=True))


def _chain(*modules: nn.Module) -> nn.Module:
    with torch_manual_seed(1):
        return nn.Sequential(nn.Linear(2, 3), *modules, nn.Linear(3, 1))


@pytest.mark.parametrize("hidden", [(), (300,), (64, 64)])
def test_bits_of_larger_networks(hidden: tuple[int, ...]) -> None:
    with torch_manual_seed(2):
        x, network = torch.randn(300, 10), MLP(10, hidden)
    data = TensorDataset(x, x.sum(1, keepdim=True))
    _assert_same(network, (data, Subset(data, range(200))), "adamw", epochs=2, batch_size=128, lr=0.01)


def test_bits_of_one_unit_and_batches_of_one_row() -> None:
    # A 1 x 1 matrix counts as column-major, and the product after it takes its operands the other way round.
    with torch_manual_seed(3):
        network = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 1))
    _assert_same(network, (DATA, DATA), "sgd", epochs=2, batch_size=1, lr=0.01)


def test_divergence_is_the_same() -> None:
    _assert_same(_chain(), (DATA, DATA), "sgd", epochs=30, batch_size=30, lr=1e6)


def _with(network: nn.Module, change: Callable[[Any], object]) -> nn.Module:
    change(network)
    return network


class _Doubled(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


class _Rows(Dataset[Any]):
    def __len__(self) -> int:
        return len(DATA)

    def __getitem__(self, i: int) -> tuple[Tensor, ...]:
        return DATA[i]


def _hook(*_: Any) -> None:
    return None


def _tied(network: Any) -> None:
    network[1].weight = network[0].weight


def _alias(network: Any) -> None:
    network[1].weight.data = network[0].weight.data


def _own_forward(network: Any) -> None:
    network[0].forward = torch.tanh


def _square(*changes: Callable[[Any], object]) -> nn.Module:
    with torch_manual_seed(1):
        network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1))
    for change in changes:
        change(network)
    return network


REFUSED_NETWORKS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "dropout": (lambda: _chain(nn.Dropout()), "a module of type Dropout"),
    "batch norm": (lambda: _chain(nn.BatchNorm1d(3)), "a module of type BatchNorm1d"),
    "subclass": (lambda: _chain(_Doubled(3, 3)), "a module of type _Doubled"),
    "in place": (lambda: _chain(nn.ReLU(inplace=True)), r"ReLU\(inplace=True\)"),
    "parametrized": (
        lambda: _with(_chain(), lambda n: nn.utils.parametrizations.weight_norm(n[0])),
        "a module of type ParametrizedLinear",
    ),
    "forward hook": (lambda: _with(_chain(), lambda n: n[0].register_forward_hook(_hook)), "hooks on a module of type"),
    "pre-hook": (lambda: _with(_chain(), lambda n: n.register_forward_pre_hook(_hook)), "hooks on a .* Sequential"),
    "backward hook": (lambda: _with(_chain(), lambda n: n[1].register_full_backward_hook(_hook)), "hooks on a module"),
    "tensor hook": (lambda: _with(_chain(), lambda n: n[0].weight.register_hook(_hook)), "hooks on parameters"),
    "accumulation hook": (
        lambda: _with(_chain(), lambda n: n[0].bias.register_post_accumulate_grad_hook(_hook)),
        "hooks on parameters",
    ),
    "frozen": (lambda: _with(_chain(), lambda n: n[0].requires_grad_(False)), "parameters with requires_grad=False"),
    "own forward": (lambda: _square(_own_forward), "a Linear with a forward of its own"),
    "compiled": (lambda: _with(_chain(), lambda n: n.compile()), "a Sequential with a forward of its own"),
    "buffer": (lambda: _with(_chain(), lambda n: n.register_buffer("b", torch.ones(1))), "a Sequential with buffers"),
    "tied": (lambda: _square(_tied), "parameters that are used twice"),
    "shared memory": (lambda: _square(_alias), "parameters that share memory"),
    "unused": (
        lambda: _with(_chain(), lambda n: n[0].register_parameter("more", nn.Parameter(torch.ones(1)))),
        "parameters that are used twice or not at all",
    ),
    "layer twice": (lambda: (lambda n: nn.Sequential(n[0], n[0], n[2]))(_square()), "parameters that are used twice"),
    "mixed": (lambda: _with(_square(), lambda n: n[1].double()), "parameters other than all float32"),
    "half": (lambda: _chain().bfloat16(), "parameters other than all float32"),
    "strided": (
        lambda: _with(_square(), lambda n: setattr(n[1].weight, "data", n[1].weight.data.t())),
        "parameters other than plain tensors",
    ),
    "unaligned": (
        lambda: _with(_chain(), lambda n: setattr(n[0].weight, "data", torch.rand(7)[1:].view(3, 2))),
        "parameters that do not start at a multiple of 64 bytes",
    ),
    "bias of another shape": (
        lambda: _with(_chain(), lambda n: setattr(n[0].bias, "data", torch.ones(1))),
        "weights and biases of other shapes",
    ),
    "wide strides": (
        lambda: _with(MLP(1, ()), lambda n: setattr(n[0].weight, "data", torch.empty_strided((1, 1), (2, 1)).fill_(6))),
        "weights and biases of other shapes or strides",
    ),
    "widths": (lambda: MLP(3), "layers or inputs whose widths do not match"),
    "outputs": (lambda: MLP(2, out_features=2), "targets that do not match"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.compile's imports
@pytest.mark.parametrize("case", REFUSED_NETWORKS)
def test_refused_networks(case: str) -> None:
    make, reason = REFUSED_NETWORKS[case]
    with torch_manual_seed(1):
        network = make()
    with pytest.raises(ValueError, match=f"`engine` must be 'auto' or 'autograd' here; .* not cover {reason}"):
        train_valid(network, DATA, DATA, 1, 16, engine="fused")


# Of the networks above, those that autograd can train, and without a compiler.
TRAINABLE = sorted(REFUSED_NETWORKS.keys() - {"compiled", "mixed", "wide strides", "widths", "outputs"})


@pytest.mark.parametrize("case", TRAINABLE)
@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop", "sgd"])
def test_refused_networks_train_to_the_bits_of_the_plain_loop(case: str, optimizer: str) -> None:
    results = []
    for how in (optimizer, optimizer_factory(optimizer)):
        with torch_manual_seed(3):
            network = REFUSED_NETWORKS[case][0]()
            frame = train_valid(network, DATA, DATA, 3, 8, optimizer=how, lr=0.01)
        results.append((frame, _bits(list(network.parameters()))))
    pd.testing.assert_frame_equal(results[0][0], results[1][0], check_exact=True)
    assert results[0][1] == results[1][1]


def _inference() -> Tensor:
    with torch.inference_mode():
        return X.clone()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"optimizer": AdamW}, "an optimizer of your own"),
        ({"optimizer": "adagrad"}, "the optimizer Adagrad"),
        ({"loss": nn.MSELoss()}, "a loss of your own"),
        ({"train": _Rows()}, "data other than plain inputs"),
        ({"valid": _Rows()}, "data other than plain inputs"),
        ({"train": TensorDataset(X.clone().requires_grad_(), X[:, :1])}, "data other than plain inputs"),
        ({"train": TensorDataset(_inference(), X[:, :1].clone())}, "data other than plain inputs"),
        ({"train": TensorDataset(X.reshape(15, 2, 2), X[:15])}, "inputs other than rows"),
        ({"train": TensorDataset(X.long(), X[:, :1])}, "inputs other than rows"),
        ({"train": TensorDataset(X, X[:, 0])}, "targets that do not match"),
        ({"loss": "cross_entropy", "valid": TensorDataset(X, torch.ones(30))}, "targets that do not match"),
    ],
)
def test_refused_arguments(arguments: dict[str, Any], reason: str) -> None:
    how = {"train": DATA, "valid": DATA, "engine": "fused"} | arguments
    with pytest.raises(ValueError, match=f"got 'fused', which does not cover {reason}"):
        train_valid(_chain(), how.pop("train"), how.pop("valid"), 1, 16, **how)


def test_data_that_shares_memory_with_a_parameter_changes_as_it_is_trained() -> None:
    def curves(**how: Any) -> pd.DataFrame:
        network = _chain()
        data = TensorDataset(network.get_parameter("0.weight").detach(), torch.ones(3, 1))
        return train_valid(network, data, data, 3, 2, lr=0.1, **how)

    with pytest.raises(ValueError, match="does not cover data that shares memory with a parameter"):
        curves(engine="fused")
    pd.testing.assert_frame_equal(curves(), curves(optimizer=AdamW), check_exact=True)


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (lambda: torch.autocast("cpu"), "autocast, anomaly or inference mode"),
        (torch.inference_mode, "autocast, anomaly or inference mode"),
        (lambda: torch.device("cpu"), "a mode that intercepts"),
        (lambda: torch.autograd.graph.saved_tensors_hooks(_hook, _hook), "hooks on saved tensors"),
        (lambda: nn.modules.module.register_module_forward_hook(_hook), "hooks on saved tensors or on all modules"),
        (lambda: register_optimizer_step_post_hook(_hook), "hooks on optimizers"),
    ],
)
def test_refused_modes(scope: Callable[[], Any], reason: str) -> None:
    network = _chain()
    with scope(), pytest.raises(ValueError, match=f"which does not cover {reason}"):
        train_valid(network, DATA, DATA, 1, 16, engine="fused")


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_anomaly_mode_is_refused() -> None:
    with torch.autograd.set_detect_anomaly(True), pytest.raises(ValueError, match="does not cover autocast, anomaly"):
        train_valid(_chain(), DATA, DATA, 1, 16, engine="fused")


@pytest.mark.parametrize("engine", ["jax", None, "Fused"])
def test_unknown_engines(engine: Any) -> None:
    message = f"`engine` must be one of auto, autograd, fused, compiled; got {engine!r}"
    with pytest.raises(ValueError, match=message):
        train_valid(_chain(), DATA, DATA, 1, 16, engine=engine)
    with pytest.raises(ValueError, match=message):
        compare_configs(lr=[0.1], engine=engine)


def test_engines_of_a_comparison_agree_and_can_be_refused() -> None:
    split = Split.from_arrays(X.numpy(), DATA.tensors[1].numpy())
    frames = [compare_configs(2, lr=[0.1, 1], data=split, engine=e).data for e in ("auto", "autograd", "fused")]
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0], check_exact=True)
    with pytest.raises(ValueError, match="does not cover a module of type Dropout"):
        compare_configs(2, lr=[0.1], data=split, network=lambda: _chain(nn.Dropout()), engine="fused")


def test_auto_takes_the_fused_engine_where_it_applies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycompare.training.engines.autograd.Autograd.train", None)
    train_valid(_chain(nn.ReLU()), DATA, DATA, 1, 16)


class _Moody(nn.Module):
    """Uses its second layer in every other call, and rounds its weights in each."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.calls = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)]), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(parameter.mul(64).round().div(64))
        return self.layers[0](x) + (self.layers[1](x) if self.calls % 3 else 0)


@pytest.mark.parametrize(("optimizer", "arguments"), OPTIMIZERS)
def test_a_module_may_write_to_its_parameters_and_leave_some_out(optimizer: str, arguments: dict[str, Any]) -> None:
    results = []
    for how in (optimizer, optimizer_factory(optimizer)):
        with torch_manual_seed(1):
            network = _Moody()
        frame = train_valid(network, DATA, DATA, 3, 4, optimizer=how, lr=0.05, **arguments)
        results.append((frame, _bits(list(network.parameters()))))
    pd.testing.assert_frame_equal(results[0][0], results[1][0], check_exact=True)
    assert results[0][1] == results[1][1]
