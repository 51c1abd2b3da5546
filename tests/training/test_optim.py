from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pycompare import SGD, Adam, AdamW, RMSprop, torch_manual_seed
from pycompare.parity.tables.descents import SGD_SETTINGS

Make = Callable[[Any], torch.optim.Optimizer]

# Ours and PyTorch's of the same name, which compute the same in another order of operations (SGD in the same).
PAIRS: dict[str, tuple[Make, Make]] = {
    "adamw": (lambda p: AdamW(p, lr=0.01), lambda p: torch.optim.AdamW(p, lr=0.01)),
    "adamw amsgrad": (lambda p: AdamW(p, amsgrad=True), lambda p: torch.optim.AdamW(p, amsgrad=True)),
    "adam": (lambda p: Adam(p, weight_decay=0.1), lambda p: torch.optim.Adam(p, weight_decay=0.1)),
    "rmsprop": (lambda p: RMSprop(p, 0.02), lambda p: torch.optim.RMSprop(p, 0.02)),
    "rmsprop centered": (
        lambda p: RMSprop(p, momentum=0.5, centered=True, weight_decay=0.1),
        lambda p: torch.optim.RMSprop(p, momentum=0.5, centered=True, weight_decay=0.1),
    ),
    "sgd": (lambda p: SGD(p), lambda p: torch.optim.SGD(p)),
    "sgd nesterov": (
        lambda p: SGD(p, 0.02, momentum=0.9, nesterov=True, weight_decay=0.1),
        lambda p: torch.optim.SGD(p, 0.02, momentum=0.9, nesterov=True, weight_decay=0.1),
    ),
    "sgd dampening": (
        lambda p: SGD(p, momentum=0.9, dampening=0.8),
        lambda p: torch.optim.SGD(p, momentum=0.9, dampening=0.8),
    ),
}
# The two orders part by rounding only: measured at most 6.5e-16 relative after 20 steps in double.
ROUNDING = 1e-14


@pytest.fixture
def network() -> nn.Linear:
    with torch_manual_seed(4):
        return nn.Linear(3, 2, dtype=torch.float64)


def _loss(network: nn.Module) -> Tensor:
    return (network(torch.ones(5, 3, dtype=torch.float64)) ** 2).sum()


def _steps(network: nn.Module, opt: torch.optim.Optimizer, n: int = 20) -> Tensor:
    for _ in range(n):
        opt.zero_grad()
        _loss(network).backward()
        opt.step()
    return nn.utils.parameters_to_vector(network.parameters()).detach().clone()


@pytest.mark.parametrize("name", PAIRS)
def test_the_formula_is_pytorch_s(name: str, network: nn.Linear) -> None:
    twin = copy.deepcopy(network)
    ours, theirs = PAIRS[name]
    torch.testing.assert_close(
        _steps(network, ours(network.parameters())),
        _steps(twin, theirs(twin.parameters())),
        rtol=ROUNDING,
        atol=ROUNDING,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("lr", [0.02, 0.0, 3])
@pytest.mark.parametrize("setting", SGD_SETTINGS)
def test_sgd_has_pytorch_s_bits(
    setting: str, lr: float, maximize: bool, dtype: torch.dtype, network: nn.Linear
) -> None:
    network.to(dtype)
    twin = copy.deepcopy(network)
    arguments = {"lr": lr, "maximize": maximize} | SGD_SETTINGS[setting]
    x = torch.linspace(-2, 1, 15, dtype=dtype).reshape(5, 3)
    opts = SGD(network.parameters(), **arguments), torch.optim.SGD(twin.parameters(), **arguments, foreach=False)
    for _ in range(12):
        for trained, opt in zip((network, twin), opts, strict=True):
            opt.zero_grad()
            trained(x).pow(2).sum().backward()
            opt.step()
        for ours, theirs in zip(network.parameters(), twin.parameters(), strict=True):
            assert ours.detach().numpy().tobytes() == theirs.detach().numpy().tobytes()


def test_sgd_climbs_with_maximize(network: nn.Linear) -> None:
    before = _loss(network).item()
    _steps(network, SGD(network.parameters(), maximize=True), 3)
    assert _loss(network).item() > before


@pytest.mark.parametrize("name", PAIRS)
def test_the_state_can_be_saved_and_loaded(name: str, network: nn.Linear) -> None:
    make, _ = PAIRS[name]
    opt = make(network.parameters())
    _steps(network, opt, 5)
    twin = copy.deepcopy(network)
    resumed = make(twin.parameters())
    resumed.load_state_dict(copy.deepcopy(opt.state_dict()))
    assert torch.equal(_steps(network, opt), _steps(twin, resumed))


@pytest.mark.parametrize("name", PAIRS)
def test_a_closure_is_called_with_gradients_and_its_loss_returned(name: str, network: nn.Linear) -> None:
    opt, before = PAIRS[name][0](network.parameters()), _loss(network).item()

    def closure() -> float:
        opt.zero_grad()
        loss = _loss(network)
        loss.backward()
        return loss.item()

    with torch.no_grad():
        losses = [opt.step(closure) for _ in range(3)]
    assert losses[0] == before
    assert losses[2] < losses[0]


def test_parameter_groups_have_their_own_settings(network: nn.Linear) -> None:
    twin = copy.deepcopy(network)
    groups = [{"params": [network.weight], "lr": 0.5, "weight_decay": 0.0}, {"params": [network.bias], "lr": 0.0}]
    _steps(network, AdamW(groups), 1)
    assert not torch.equal(network.weight, twin.weight)
    assert torch.equal(network.bias, twin.bias)


def test_an_added_group_is_checked(network: nn.Linear) -> None:
    opt = AdamW([network.weight])
    with pytest.raises(ValueError, match="`lr` must be at least 0; got -5"):
        opt.add_param_group({"params": [network.bias], "lr": -5})


def test_amsgrad_and_momentum_may_be_switched_on_later(network: nn.Linear) -> None:
    for opt, setting in (
        (AdamW(network.parameters()), {"amsgrad": True}),
        (RMSprop(network.parameters()), {"momentum": 0.5}),
        (SGD(network.parameters()), {"momentum": 0.5}),
    ):
        _steps(network, opt, 1)
        opt.param_groups[0].update(setting)
        assert torch.isfinite(_steps(network, opt, 2)).all()


def test_a_state_of_pytorch_s_own_is_taken_over(network: nn.Linear) -> None:
    stock = torch.optim.AdamW(network.parameters())
    _steps(network, stock, 3)
    ours = AdamW(network.parameters())
    ours.load_state_dict(stock.state_dict())
    _steps(network, ours, 1)
    assert ours.state[network.weight]["step"] == 4


def test_a_momentum_of_pytorch_s_own_is_taken_over(network: nn.Linear) -> None:
    twin = copy.deepcopy(network)
    stock, other = (torch.optim.SGD(each.parameters(), lr=0.02, momentum=0.9) for each in (network, twin))
    assert torch.equal(_steps(network, stock, 3), _steps(twin, other, 3))
    ours = SGD(network.parameters())
    ours.load_state_dict(stock.state_dict())
    assert torch.equal(_steps(network, ours, 3), _steps(twin, other, 3))


def test_a_scheduler_changes_the_learning_rate(network: nn.Linear) -> None:
    opt = AdamW(network.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(opt, step_size=1, gamma=0.5)
    opt.step()
    scheduler.step()
    assert opt.param_groups[0]["lr"] == 0.05


def test_a_parameter_without_gradient_is_left_alone(network: nn.Linear) -> None:
    network.bias.requires_grad_(False)
    before = network.bias.clone()
    _steps(network, AdamW(network.parameters()), 2)
    assert torch.equal(network.bias, before)


@pytest.mark.parametrize("make", [AdamW, SGD])
def test_sparse_gradients_are_refused(make: Make) -> None:
    with torch_manual_seed(1):
        table = nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match=f"{make.__name__} takes dense gradients only; use"):
        make(table.parameters()).step()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: AdamW(p, lr=-1), ValueError, "`lr` must be at least 0; got -1"),
        (lambda p: AdamW(p, betas=(0.9, 1.0)), ValueError, "`beta2` must be less than 1; got 1.0"),
        (lambda p: Adam(p, betas=0.9), TypeError, "`betas` must be a pair of numbers; got 0.9"),
        (lambda p: Adam(p, eps=float("nan")), ValueError, "`eps` must be finite; got nan"),
        (lambda p: RMSprop(p, alpha=1), ValueError, "`alpha` must be less than 1; got 1"),
        (lambda p: RMSprop(p, momentum=-0.1), ValueError, "`momentum` must be at least 0; got -0.1"),
        (lambda p: SGD(p, lr=-1), ValueError, "`lr` must be at least 0; got -1"),
        (lambda p: SGD(p, momentum=-1), ValueError, "`momentum` must be at least 0; got -1"),
        (lambda p: SGD(p, weight_decay=-1), ValueError, "`weight_decay` must be at least 0; got -1"),
        (lambda p: SGD(p, dampening=math.nan), ValueError, "`dampening` must be finite; got nan"),
        (lambda p: SGD(p, momentum="0.9"), TypeError, "`momentum` must be a number; got '0.9'"),
        (lambda p: SGD(p, nesterov=True), ValueError, "`nesterov` must be False without momentum or with dampening"),
        (
            lambda p: SGD(p, nesterov=True, momentum=0.9, dampening=0.1),
            ValueError,
            "`nesterov` must be False .*; got momentum=0.9, dampening=0.1. Give it a momentum such as 0.9",
        ),
        (
            lambda p: SGD(p, momentum=0.9).add_param_group(
                {"params": [torch.zeros(1)], "nesterov": True, "momentum": 0}
            ),
            ValueError,
            "`nesterov` must be False without momentum",
        ),
    ],
)
def test_bad_arguments(make: Make, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make([torch.zeros(1, requires_grad=True)])
