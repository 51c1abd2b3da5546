"""What was done before an error, or Ctrl-C, is given back."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from pycompare import MLP, compare_configs, torch_manual_seed, train_valid


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, ZeroDivisionError])
@pytest.mark.parametrize("done", [0, 1, 3])
def test_an_error_in_on_epoch_carries_the_frame_so_far(done: int, error: type[BaseException]) -> None:
    def stop(config: str, epoch: int, network: nn.Module) -> None:
        if (config, epoch) == ("lr = 0.01", done):
            raise error

    with pytest.raises(error) as caught:
        compare_configs(3, lr=[0.1, 0.01], on_epoch=stop)
    whole = compare_configs(3, lr=[0.1, 0.01]).data
    pd.testing.assert_frame_equal(caught.value.partial, whole.iloc[: 3 + done], check_exact=True)


def _interrupted() -> nn.Module:
    raise KeyboardInterrupt


def test_nothing_done_is_an_empty_frame() -> None:
    calls: list[None] = []

    def make() -> nn.Module:
        calls.append(None)
        return MLP(4) if len(calls) < 3 else _interrupted()

    with pytest.raises(KeyboardInterrupt) as caught:
        compare_configs(3, lr=[0.1], network=make)
    assert caught.value.partial.empty


def test_runs_that_workers_have_finished_are_given_back() -> None:
    class StopError(Exception):
        pass

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if len(outputs) == 2:
            raise StopError
        return (outputs - targets).square().mean()

    with pytest.raises(Exception) as caught:  # noqa: PT011 (a worker's class is another object)
        compare_configs(1, batch_size=[700, 350, 2], loss=loss, n_jobs=2)
    assert type(caught.value).__name__ == "StopError"
    assert set(caught.value.partial["config"]) <= {"batch_size = 700", "batch_size = 350"}


def test_train_valid_too() -> None:
    with torch_manual_seed(1):
        network, data = MLP(2), TensorDataset(torch.randn(20, 2), torch.randn(20, 1))
    whole = train_valid(network, data, data, 2, 10)

    def stop(step: Any) -> None:
        if step.number == 5:
            raise KeyboardInterrupt

    with torch_manual_seed(1):
        network = MLP(2)
    with pytest.raises(KeyboardInterrupt) as caught:
        train_valid(network, data, data, 9, 10, on_step=stop)
    pd.testing.assert_frame_equal(caught.value.partial, whole, check_exact=True)
