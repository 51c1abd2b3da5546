"""Threads of torch: the bits of one whatever the machine has, and no count that stays changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
import torch
from torch.utils.data import TensorDataset

from pycompare import MLP, Split, compare_configs, torch_manual_seed, train_loop, train_valid, valid_loop
from pycompare.labs.landscape import compare_paths, descend, loss_map, plane
from pycompare.threads import torch_threads
from tests.conftest import KERNELS

# Widths, batch sizes: their sums and products have other bits on two or four threads than on one.
SENSITIVE = [((4, 50, 50, 1), 5), ((4, 50, 50, 1), 7), ((300, 7), 16), ((300, 300, 7, 1), 64), ((10, 256, 256, 1), 7)]


@pytest.fixture
def torch_has() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def _in_new_thread(call: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


def _network(widths: tuple[int, ...]) -> MLP:
    with torch_manual_seed(1):
        return MLP(widths[0], widths[1:-1], widths[-1])


def _data(widths: tuple[int, ...], n: int = 300) -> TensorDataset:
    with torch_manual_seed(2):
        return TensorDataset(torch.randn(n, widths[0]), torch.randn(n, widths[-1]))


def _curves(widths: tuple[int, ...], batch_size: int, **arguments: Any) -> pd.DataFrame:
    data = _data(widths)
    return train_valid(_network(widths), data, data, 2, batch_size, lr=0.01, **arguments)


@pytest.mark.parametrize("engine", ["fused", "autograd"])
@pytest.mark.parametrize(("widths", "batch_size"), SENSITIVE)
def test_sensitive_shapes_have_the_bits_of_one_thread(
    widths: tuple[int, ...], batch_size: int, engine: str, torch_has: Callable[[int], None]
) -> None:
    curves = []
    for count in (1, 2, 4):
        torch_has(count)
        curves.append(_curves(widths, batch_size, engine=engine))
        assert torch.get_num_threads() == count
    for other in curves[1:]:
        pd.testing.assert_frame_equal(other, curves[0], check_exact=True)


@pytest.mark.skipif(KERNELS != "recorded" or os.cpu_count() == 1, reason="measured on these kernels, on two cores")
def test_the_shapes_are_sensitive(torch_has: Callable[[int], None]) -> None:
    torch_has(2)
    moved = [not _curves(*shape).equals(_curves(*shape, threads=None)) for shape in SENSITIVE]
    assert moved[:3] == [True] * 3


def _loops() -> list[float]:
    network, data = _network((300, 7)), _data((300, 7))
    opt = torch.optim.SGD(network.parameters(), lr=0.01, foreach=False)
    return [train_loop(network, [data[:5]], opt), valid_loop(network, [data[:7]])]


SPLIT = Split(_data((10, 1)), _data((10, 1)))
CALLS: dict[str, Callable[[], Any]] = {
    "compare_configs": lambda: compare_configs(2, lr=[0.01], batch_size=7, data=SPLIT).data,
    "compare_configs of 2 jobs": lambda: compare_configs(2, lr=[0.01, 0.1], batch_size=7, data=SPLIT, n_jobs=2).data,
    "train_loop, valid_loop": lambda: pd.DataFrame(_loops()),
    "descend": lambda: descend(x=SPLIT.train.tensors[0][:, 0], y=SPLIT.train.tensors[1][:, 0], epochs=5).data,
    "loss_map": lambda: loss_map(x=torch.arange(40_000.0) / 1e4, y=torch.arange(40_000.0).cos(), n=3),
    "plane": lambda: plane(_network((10, 256, 1)), SPLIT, n=3, batch_size=7).data,
    "compare_paths": lambda: compare_paths(epochs=2, lr=[0.01], batch_size=7, data=SPLIT, n=3).data,
}


@pytest.mark.parametrize("call", CALLS)
def test_every_computation_has_the_bits_of_one_thread(call: str, torch_has: Callable[[int], None]) -> None:
    torch_has(1)
    expected = CALLS[call]()
    torch_has(2)
    pd.testing.assert_frame_equal(CALLS[call](), expected, check_exact=True)
    assert torch.get_num_threads() == 2


def test_threads_none_leaves_what_torch_has(torch_has: Callable[[int], None]) -> None:
    seen = []
    torch_has(3)
    for threads in (None, 1, 2):
        _curves((4, 1), 64, threads=threads, on_step=lambda _: seen.append(torch.get_num_threads()))
    assert set(seen[: len(seen) // 3]) == {3}
    assert seen[-1] == 2


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_bad_counts(threads: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="`threads` must be"):
        compare_configs(1, lr=[0.1], threads=threads)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_count_comes_back_after(error: type[BaseException], torch_has: Callable[[int], None]) -> None:
    def stop(_: object) -> None:
        raise error

    torch_has(3)
    with pytest.raises(error):
        _curves((4, 1), 64, on_step=stop)
    assert torch.get_num_threads() == 3
    assert _in_new_thread(torch.get_num_threads) == 3


def test_scopes_nest(torch_has: Callable[[int], None]) -> None:
    torch_has(4)
    with torch_threads(1):
        with torch_threads(2), torch_threads(None):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 4


def test_other_threads_of_python_keep_their_counts(torch_has: Callable[[int], None]) -> None:
    """A thread that exists, one that starts within the scope, and one that starts after it."""
    torch_has(4)
    entered, left = threading.Event(), threading.Event()
    counts: list[int] = []

    def bystander() -> None:
        counts.append(torch.get_num_threads())
        entered.wait()
        counts.append(torch.get_num_threads())
        left.wait()
        counts.append(torch.get_num_threads())

    thread = threading.Thread(target=bystander)
    thread.start()
    with torch_threads(1):
        entered.set()
        assert _in_new_thread(torch.get_num_threads) == 4
    left.set()
    thread.join()
    assert counts == [4, 4, 4]
    assert _in_new_thread(torch.get_num_threads) == 4


def test_concurrent_scopes_restore_every_count(torch_has: Callable[[int], None]) -> None:
    torch_has(4)
    both = threading.Barrier(2)

    def scoped(count: int) -> tuple[int, int]:
        with torch_threads(count):
            both.wait()
            within = torch.get_num_threads()
            both.wait()
        return within, torch.get_num_threads()

    results: list[tuple[int, int]] = []
    threads = [threading.Thread(target=lambda c=count: results.append(scoped(c))) for count in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(1, 4), (2, 4)]
    assert torch.get_num_threads() == 4
    assert _in_new_thread(torch.get_num_threads) == 4


def test_a_training_that_draws_nothing_waits_for_no_random_scope() -> None:
    """The network is made in its scope; then another scope may be open for as long as it likes."""
    made, calls = threading.Event(), []

    def make() -> MLP:
        calls.append(None)
        if len(calls) == 3:  # two checks, then the run's own
            made.set()
        return MLP(4)

    trained = threading.Thread(target=lambda: compare_configs(300, lr=[0.01], network=make, progress=False))
    trained.start()
    made.wait()
    with torch_manual_seed(1):
        assert trained.is_alive()
        trained.join()


def test_trainings_side_by_side_have_their_own_bits() -> None:
    expected = compare_configs(5, lr=[0.1, 0.01]).data
    results: list[pd.DataFrame] = []
    runs = [threading.Thread(target=lambda: results.append(compare_configs(5, lr=[0.1, 0.01]).data)) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    for result in results:
        pd.testing.assert_frame_equal(result, expected, check_exact=True)


def test_new_threads_that_enter_together_come_back_to_what_torch_has(torch_has: Callable[[int], None]) -> None:
    """Each reads its count for the first time, while others set theirs."""
    torch_has(4)
    for _ in range(60):
        start, counts = threading.Barrier(4), []

        def scoped(count: int, start: threading.Barrier = start, counts: list[int] = counts) -> None:
            start.wait()
            with torch_threads(count):
                pass
            counts.append(torch.get_num_threads())

        threads = [threading.Thread(target=scoped, args=(count,)) for count in (1, 2, 1, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counts == [4] * 4
