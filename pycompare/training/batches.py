"""Batches of a dataset, cast to a network's dtype and device, without a draw from torch's global generator."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

Batches = Iterable[Any]
Kept = TypeVar("Kept")
OnLoss = Callable[[Tensor], object]  # called with a batch's loss, before its step
Restore = Callable[[], object]  # brings a training back to where it was
SetRates = Callable[[int], object]  # called with a batch's place in its epoch, before anything is computed of it


class KeptHere(dict[Any, Any]):
    """What is kept in this process: in another one it starts empty."""

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptHere, ()


@dataclass(frozen=True, eq=False)
class BatchedData:
    """A dataset in batches, cast as a network, for as many trainings as there are.

    Attributes:
        whole: inputs and targets, or a dataset with a mind of its own.
        batches: of it, in order: pairs of tensors, or a loader.
        kept: what engines have computed of the batches alone.
    """

    whole: Dataset[Any] | tuple[Tensor, ...]
    batches: Batches
    kept: KeptHere = field(default_factory=KeptHere)

    @property
    def most_rows(self) -> int:
        """Of all batches."""
        return self.keep("most_rows", lambda: max(len(y) for _, y in self.batches))

    def keep(self, key: Hashable, compute: Callable[[], Kept]) -> Kept:
        """What `compute` returns, called once for each `key`."""
        if key not in self.kept:
            self.kept[key] = compute()
        value: Kept = self.kept[key]
        return value


@dataclass(frozen=True)
class BatchLosses:
    """What a pass over batches gave, or several over the same.

    Attributes:
        losses: of each batch, shape (batches,) or (passes, batches), on the CPU.
        sizes: how many numbers each is the mean of, shape (batches,).
        right: for losses of classes, in how many rows of each batch the largest output was at the class; as `losses`.
        known: in how many rows the class is known, shape (batches,).
    """

    losses: Tensor
    sizes: Sequence[int]
    right: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    known: Sequence[int] = ()

    @staticmethod
    def stacked(passes: Sequence[BatchLosses]) -> BatchLosses:
        """Several passes as one object."""
        losses, right = torch.stack([one.losses for one in passes]), np.stack([one.right for one in passes])
        return replace(passes[0], losses=losses, right=right)

    def accuracy(self, batches: slice = slice(None)) -> NDArray[np.float64]:
        """The share of right rows among those whose class is known, of some batches or all; NaN where none is."""
        return np.asarray(self.right[..., batches].sum(axis=-1) / (sum(self.known[batches]) or math.nan))


def stacked_epochs(told: Iterable[tuple[BatchLosses, BatchLosses]]) -> tuple[BatchLosses, BatchLosses]:
    """Of several epochs what their passes for training gave, and those for validation."""
    trained, validated = zip(*told, strict=True)
    return BatchLosses.stacked(trained), BatchLosses.stacked(validated)


def batched(name: str, dataset: Dataset[Any], like: Tensor, batch_size: int) -> BatchedData:
    """`dataset`, cast as `like`, in batches of `batch_size`, the last of which may be shorter; `name` is for errors."""
    whole = cast_dataset(name, dataset, like)
    return BatchedData(whole, split_batches(whole, batch_size))


def cast_dataset(name: str, dataset: Dataset[Any], like: Tensor) -> Dataset[Any] | tuple[Tensor, ...]:
    """The tensors behind a plain dataset, cast as `like`; another dataset itself."""
    if not isinstance(dataset, Dataset) and not _is_list_of_pairs(dataset):
        raise TypeError(
            f"`{name}` must be a dataset of pairs (inputs, targets); got {type(dataset).__name__}."
            " Wrap tensors in a TensorDataset."
        )
    if len(dataset) == 0:  # type: ignore[arg-type]
        raise ValueError(f"`{name}` must have at least one row; got none. Pass more data.")
    tensors = _whole_tensors(dataset)
    if tensors is None:
        return dataset
    cast = tuple(_cast(tensor, like) for tensor in _pair(tensors))
    for before, after in zip(tensors, cast, strict=True):
        if not before.is_floating_point() or not after.numel() or after.abs().max() < math.inf:
            continue  # a tenth of the time that the next line takes
        if (beyond := after.isinf().cpu() & before.isfinite().cpu()).any():
            raise ValueError(
                f"`{name}` must hold numbers within {like.dtype}; got {before.cpu()[beyond][0].item()!r}. Rescale them,"
                " as Split.standardized() does, or train in float64."
            )
    return cast


def split_batches(data: Dataset[Any] | tuple[Tensor, ...], batch_size: int) -> Batches:
    """Batches in order: slices of tensors, or a loader of a dataset."""
    if isinstance(data, tuple):
        parts = [tensor.split(min(batch_size, len(data[0]))) for tensor in data]
        return list(zip(*parts, strict=True))
    return DataLoader(data, min(batch_size, len(data)))  # type: ignore[arg-type]


def _is_list_of_pairs(dataset: Any) -> bool:
    return isinstance(dataset, list) and all(isinstance(row, (tuple, list)) and len(row) == 2 for row in dataset)


def _whole_tensors(dataset: Dataset[Any]) -> tuple[Tensor, ...] | None:
    """The tensors behind a plain `TensorDataset`, or a `Subset` of one; None for datasets with a mind of their own."""
    if type(dataset) is TensorDataset:
        return dataset.tensors
    if type(dataset) is Subset and all(type(i) is int for i in dataset.indices):
        tensors = _whole_tensors(dataset.dataset)
        return tensors and tuple(tensor[list(dataset.indices)] for tensor in tensors)
    return None


def cast_batches(batches: Batches, like: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of inputs and targets, cast as `like`; a loader, and its sampler, get a generator where they have none."""
    if isinstance(batches, DataLoader):
        _give_generator(batches)
    for batch in batches:
        x, y = _pair(batch)
        yield _cast(torch.as_tensor(x), like), _cast(torch.as_tensor(y), like)


def _pair(batch: Any) -> Any:
    if len(batch) != 2:
        raise ValueError(f"A batch must be a pair (inputs, targets); got {len(batch)} items. Change the dataset.")
    return batch


def _give_generator(loader: DataLoader[Any]) -> None:
    if loader.generator is None:
        loader.generator = torch.default_generator.clone_state()
    sampler: Any = loader.sampler
    if getattr(sampler, "generator", loader.generator) is None:
        sampler.generator = loader.generator


def _cast(tensor: Tensor, like: Tensor) -> Tensor:
    dtype = like.dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.to(like.device, dtype)
