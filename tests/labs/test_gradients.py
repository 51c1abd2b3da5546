from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from matplotlib.text import Text
from torch import Tensor, nn

from pycompare import (
    MLP,
    SGD,
    AdamW,
    GradientRecord,
    GradientRecorder,
    course_data,
    torch_manual_seed,
    torch_threads,
    train_loop,
)
from pycompare.parity.tables.initialization import gradient_norms
from tests.conftest import KERNELS, recorded

COLUMNS = ["step", "parameter", "gradient", "value", "update", "ratio", "loss"]
Make = Callable[[Any], torch.optim.Optimizer]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


class LastOutput(nn.Module):
    """The last hidden state of an LSTM, made a number."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(3, 7, num_layers=2, batch_first=True), nn.Linear(7, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


def _cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.Flatten()), nn.Linear(32, 1)
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (lambda: MLP(4), (16, 4)),
    "cnn": (_cnn, (6, 1, 8, 8)),
    "lstm": (LastOutput, (5, 9, 3)),
}
OPTIMIZERS: dict[str, Make] = {
    "AdamW": lambda p: AdamW(p, lr=0.01),
    "SGD": lambda p: SGD(p, lr=0.1, momentum=0.9),
    "torch.Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "torch.RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, foreach=True),
}


def _made(name: str, make: Make) -> tuple[nn.Module, torch.optim.Optimizer, list[Tensor]]:
    make_network, shape = NETWORKS[name]
    with torch_manual_seed(7):
        network = make_network()
        batches = [torch.randn(shape) for _ in range(6)]
    return network, make(network.parameters()), batches


def _loss(network: nn.Module, x: Tensor) -> Tensor:
    return F.mse_loss(network(x), x.flatten(1)[:, :1].sin())


def _by_hand(network: nn.Module, opt: torch.optim.Optimizer, batches: list[Tensor]) -> list[list[Any]]:
    """Every norm of its own, of gradients that no optimizer has seen."""
    rows = []
    for step, x in enumerate(batches, start=1):
        loss = _loss(network, x)
        named = dict(network.named_parameters())
        gradients = torch.autograd.grad(loss, list(named.values()))
        before = {name: parameter.detach().clone() for name, parameter in named.items()}
        for parameter, gradient in zip(named.values(), gradients, strict=True):
            parameter.grad = gradient
        opt.step()
        for (name, parameter), gradient in zip(named.items(), gradients, strict=True):
            value, update = before[name].norm().item(), (before[name] - parameter.detach()).norm().item()
            ratio = update / value if value else math.inf
            rows.append([step, name, gradient.norm().item(), value, update, ratio, loss.item()])
    return rows


def _train(network: nn.Module, opt: torch.optim.Optimizer, batches: list[Tensor], recorder: Any = None) -> None:
    for x in batches:
        opt.zero_grad()
        loss = _loss(network, x)
        loss.backward()
        if recorder:
            recorder.loss(loss)
        opt.step()


def _parameters(network: nn.Module) -> list[list[float]]:
    return [parameter.detach().flatten().tolist() for parameter in network.parameters()]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_bits_of_norms_by_hand(name: str, optimizer: str) -> None:
    expected = _by_hand(*_made(name, OPTIMIZERS[optimizer]))
    network, opt, batches = _made(name, OPTIMIZERS[optimizer])
    with GradientRecorder(network, opt) as recorder:
        _train(network, opt, batches, recorder)
    assert list(recorder.frame) == COLUMNS
    assert recorder.frame.to_numpy().tolist() == expected


@pytest.mark.parametrize("every", [1, 3])
def test_training_is_the_same_with_and_without(every: int) -> None:
    plain, watched = (_made("cnn", OPTIMIZERS["AdamW"]) for _ in range(2))
    _train(*plain)
    with GradientRecorder(*watched[:2], every=every):
        _train(*watched)
    assert _parameters(plain[0]) == _parameters(watched[0])


@pytest.mark.skipif(KERNELS != "recorded", reason="products have other bits here than where R torch ran")
def test_the_recorded_norms() -> None:
    theirs, ours = recorded("gradient_norms.csv"), gradient_norms()
    assert list(ours) == list(theirs)
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_one_epoch_of_the_course_by_train_loop() -> None:
    with torch_manual_seed(123):
        network = MLP(4)
    opt = AdamW(network.parameters(), lr=0.01)
    batches = zip(*(tensor.split(16) for tensor in course_data().train.tensors), strict=True)
    with GradientRecorder(network, opt) as recorder:
        train_loop(network, batches, opt)
    assert recorder.frame["step"].unique().tolist() == list(range(1, 45))
    assert recorder.frame["loss"].isna().all()
    assert np.isfinite(recorder.frame[["gradient", "value", "update", "ratio"]]).all(axis=None)


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"every": 2}, [1, 3, 5]),
        ({"every": 4}, [1, 5]),
        ({"last": 2}, [5, 6]),
        ({"every": 2, "last": 2}, [3, 5]),
    ],
)
def test_which_steps_are_kept(arguments: dict[str, int], steps: list[int]) -> None:
    every = _made("mlp", OPTIMIZERS["SGD"])
    with GradientRecorder(*every[:2]) as whole:
        _train(*every, whole)
    some = _made("mlp", OPTIMIZERS["SGD"])
    with GradientRecorder(*some[:2], **arguments) as recorder:
        _train(*some, recorder)
    expected = whole.frame[whole.frame["step"].isin(steps)].reset_index(drop=True)
    pd.testing.assert_frame_equal(recorder.frame, expected, check_exact=True)


def _hooks(opt: torch.optim.Optimizer) -> int:
    return len(opt._optimizer_step_pre_hooks) + len(opt._optimizer_step_post_hooks)


def test_nothing_is_recorded_outside_and_no_hook_stays() -> None:
    network, opt, batches = _made("mlp", OPTIMIZERS["AdamW"])
    _train(network, opt, batches[:1])
    recorder = GradientRecorder(network, opt)
    assert (len(recorder.frame), list(recorder.frame), _hooks(opt)) == (0, COLUMNS, 0)
    with recorder:
        assert _hooks(opt) == 2
        _train(network, opt, batches[1:3])
    assert _hooks(opt) == 0
    _train(network, opt, batches[3:4])
    with recorder:
        _train(network, opt, batches[4:])
    assert recorder.frame["step"].unique().tolist() == [1, 2, 3, 4]


def test_an_error_removes_the_hooks_and_keeps_what_was_done() -> None:
    network, opt, batches = _made("mlp", OPTIMIZERS["AdamW"])
    recorder = GradientRecorder(network, opt)
    with pytest.raises(TypeError), recorder:
        _train(network, opt, [*batches[:2], None])
    assert (recorder.frame["step"].max(), _hooks(opt)) == (2, 0)


def test_a_step_that_fails_is_no_step() -> None:
    network, opt, batches = _made("mlp", OPTIMIZERS["AdamW"])

    def closure() -> float:
        raise ZeroDivisionError

    with GradientRecorder(network, opt) as recorder:
        with pytest.raises(ZeroDivisionError):
            opt.step(closure)
        _train(network, opt, batches[:1])
    assert recorder.frame["step"].unique().tolist() == [1]


def test_recorders_may_nest_but_one_may_not_be_opened_twice() -> None:
    network, opt, batches = _made("mlp", OPTIMIZERS["AdamW"])
    with GradientRecorder(network, opt) as outer:
        _train(network, opt, batches[:2])
        with GradientRecorder(network.lin1, opt) as inner:
            _train(network, opt, batches[2:])
        with pytest.raises(RuntimeError, match="A recorder must be closed before it is opened again"):
            outer.__enter__()
    seen = outer.frame.query("step > 2 and parameter.str.startswith('lin1')").reset_index(drop=True)
    assert inner.frame["parameter"].unique().tolist() == ["weight", "bias"]
    numbers = ["gradient", "value", "update", "ratio"]
    assert np.array_equal(inner.frame[numbers], seen[numbers])


def test_of_a_closure_the_first_call_counts() -> None:
    network, _, batches = _made("mlp", OPTIMIZERS["SGD"])
    opt = torch.optim.LBFGS(network.parameters(), max_iter=5)
    named = dict(network.named_parameters())
    loss = _loss(network, batches[0])
    expected = [gradient.norm().item() for gradient in torch.autograd.grad(loss, list(named.values()))]
    values = [parameter.detach().norm().item() for parameter in named.values()]
    calls = []

    def closure() -> Tensor:
        opt.zero_grad()
        value = _loss(network, batches[0])
        value.backward()
        calls.append(value.item())
        return value

    with GradientRecorder(network, opt) as recorder:
        opt.step(closure)
    assert len(calls) > 1
    assert recorder.frame["gradient"].tolist() == expected
    assert recorder.frame["value"].tolist() == values
    assert recorder.frame["loss"].tolist() == [calls[0]] * 6 == [loss.item()] * 6
    before = len(calls)
    with GradientRecorder(network, opt) as by_name:
        opt.step(closure=closure)
    assert by_name.frame["loss"].tolist() == [calls[before]] * 6


def test_a_closure_that_returns_nothing_tells_no_loss() -> None:
    network, opt, _ = _made("mlp", OPTIMIZERS["SGD"])
    with GradientRecorder(network, opt) as recorder:
        opt.step(lambda: None)
    assert recorder.frame["loss"].isna().all()


def test_parameters_without_a_gradient_and_with_a_sparse_one() -> None:
    with torch_manual_seed(2):
        network = nn.ModuleList([nn.Embedding(5, 3, sparse=True), nn.Linear(3, 1)])
    opt = torch.optim.SGD(network.parameters(), lr=0.1)
    network[0](torch.tensor([1, 1, 4])).sum().backward()
    with GradientRecorder(network, opt) as recorder:
        opt.step()
    rows = recorder.frame.set_index("parameter")
    assert rows.loc["0.weight", "gradient"] == torch.tensor([2.0, 2, 2, 1, 1, 1]).norm().item()
    assert rows.loc["0.weight", "update"] > 0
    assert rows.loc[["1.weight", "1.bias"], "gradient"].isna().all()
    assert rows.loc[["1.weight", "1.bias"], ["update", "ratio"]].to_numpy().tolist() == [[0, 0], [0, 0]]


def test_a_ratio_to_nothing_is_infinite() -> None:
    network = nn.Linear(1, 1)
    torch.manual_seed(20240215)
    with torch.no_grad():
        network.weight.fill_(0.0)
    opt = SGD([network.weight], lr=0.1)
    with GradientRecorder(network, opt) as recorder:
        opt.step()
        network(torch.ones(1, 1)).sum().backward()
        opt.step()
    assert recorder.frame["parameter"].tolist() == ["weight"] * 2
    assert np.isnan(recorder.frame["ratio"].iloc[0])
    assert recorder.frame["ratio"].iloc[1] == math.inf


def test_dtypes_may_differ_and_a_loss_is_of_its_step_alone() -> None:
    with torch_manual_seed(1):
        network = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1).double()])
    opt = SGD(network.parameters(), lr=0.1)
    x = torch.ones(1, 2)
    (network[0](x).sum() + network[1](x.double()).sum()).backward()
    with GradientRecorder(network, opt) as recorder:
        recorder.loss(2)
        opt.step()
        opt.step()
    expected = [parameter.grad.norm().item() for parameter in network.parameters()]
    assert recorder.frame["gradient"].tolist() == expected * 2
    assert recorder.frame["loss"].iloc[:4].tolist() == [2] * 4
    assert recorder.frame["loss"].iloc[4:].isna().all()


def test_result(tmp_path: Path) -> None:
    network, opt, batches = _made("mlp", OPTIMIZERS["AdamW"])
    with GradientRecorder(network, opt, every=2) as recorder:
        _train(network, opt, batches, recorder)
    result = recorder.result()
    assert repr(result).startswith("Gradients of 6 parameters at 3 steps\n\n")
    summary = result.summary()
    first = recorder.frame.query("parameter == 'lin2.bias'")
    row = summary.set_index("parameter").loc["lin2.bias"]
    assert summary["parameter"].tolist() == [name for name, _ in network.named_parameters()]
    assert row["first_gradient"] == first["gradient"].iloc[0]
    assert row["last_gradient"] == first["gradient"].iloc[-1]
    assert row["median_ratio"] == first["ratio"].median()
    csv, *_ = result.save(tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(csv), result.data, check_exact=True)


def _frame(parameters: int, steps: int) -> pd.DataFrame:
    step, index = (part.ravel() for part in np.meshgrid(range(1, steps + 1), range(parameters), indexing="ij"))
    frame = pd.DataFrame({"step": step, "parameter": [f"layer{i}.weight" for i in index]})
    return frame.assign(**dict.fromkeys(["gradient", "value", "update", "ratio", "loss"], np.exp(-step / (1 + index))))


@pytest.mark.parametrize(("parameters", "keys"), [(2, 2), (8, 8), (20, 6)])
def test_the_plot_has_a_key_or_a_bar(parameters: int, keys: int) -> None:
    figure = GradientRecord(_frame(parameters, 5)).plot(["gradient", "value", "update", "ratio", "loss"]).draw()
    words = [text.get_text() for text in figure.findobj(Text)]
    panels = [*(f"2-norm of the {what}" for what in ("gradient", "value", "update")), "update / value", "loss"]
    assert [word for word in words if word in panels] == panels
    assert len({word for word in words if word.startswith("layer")}) == keys


def test_the_plot_of_one_step_of_none_and_of_zeros() -> None:
    GradientRecord(_frame(3, 1)).plot().draw()
    some = _frame(2, 3)
    some.loc[0, "ratio"] = math.inf
    plot = GradientRecord(some).plot()
    assert plot.labels.caption == "Not drawn, 0 or not finite: 1 of 12 points"
    nothing = GradientRecord(some.iloc[:0]).plot()
    assert nothing.data["text"].tolist() == [
        "No step with a finite 2-norm of the gradient or\nupdate / value above 0 was recorded."
    ]
    with pytest.raises(ValueError, match=r"`statistics` must be one of gradient, value, .*; got 'norm'"):
        GradientRecord(some).plot(["norm"])


NETWORK = nn.Linear(2, 1, device="meta")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"network": "MLP"}, TypeError, "`network` must be a torch.nn.Module; got 'MLP'"),
        ({"optimizer": "sgd"}, TypeError, "`optimizer` must be a torch.optim.Optimizer; got 'sgd'"),
        (
            {"optimizer": SGD([torch.zeros(1, requires_grad=True)])},
            ValueError,
            "`optimizer` must hold parameters of `network`; got none",
        ),
        ({"every": 0}, ValueError, "`every` must be at least 1; got 0"),
        ({"last": 2.5}, ValueError, "`last` must be a whole number; got 2.5"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        GradientRecorder(**({"network": NETWORK, "optimizer": SGD(NETWORK.parameters())} | arguments))


def test_a_network_on_two_devices() -> None:
    parts = nn.ModuleList([NETWORK, nn.PReLU()])
    with pytest.raises(ValueError, match="`network` must lie on one device; got several"):
        GradientRecorder(parts, SGD(parts.parameters()))


@pytest.mark.parametrize("value", ["1", None, torch.ones(2), [1.0]])
def test_a_loss_is_one_number(value: Any) -> None:
    with pytest.raises(TypeError, match="`value` must be one number; got"):
        GradientRecorder(NETWORK, SGD(NETWORK.parameters())).loss(value)
