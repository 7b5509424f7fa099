"""Turn samples into tensors: in memory or streamed, in an order that depends on (seed, epoch) alone."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from resolvent.data.free_memory import free_memory
from resolvent.solvers import InputError

_CHUNK = 64  # samples read at a time


class GridDataset(Protocol):
    """Describe what training and evaluation need of a dataset; `resolvent.data.Dataset` is one."""

    splits: dict[str, int]
    input_fields: list[str]
    output_fields: list[str]
    resolution: tuple[int, ...]
    config: dict[str, Any]

    def arrays(self, split: str, start: int | None = None, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (N, Cin, *space) and outputs (N, Cout, *space) of samples `start` to `stop` of a split."""
        ...


def split_size(dataset: GridDataset, split: str) -> int:
    """Return the number of samples of a split, or raise InputError if there are none."""
    size = dataset.splits.get(split, 0)
    if size < 1:
        raise InputError(
            f"the dataset has no samples in its {split} split (it has {dict(dataset.splits)}); generate it with some"
        )
    return size


def open_batches(
    dataset: GridDataset,
    split: str,
    device: torch.device,
    dtype: torch.dtype,
    *,
    in_memory: bool | None = None,
    workers: int = 0,
) -> Any:
    """Return the `Batches` of a split, or those that a dataset makes itself with ``make_batches``."""
    make = getattr(dataset, "make_batches", None)
    if make is None and hasattr(dataset, "own_batches"):
        text = f"{type(dataset).__name__}.own_batches will not be called by the next version: name it make_batches"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        make = dataset.own_batches
    if make is not None:
        return make(split, device, dtype)
    return Batches(dataset, split, device, dtype, in_memory=in_memory, workers=workers)


def chunks(dataset: GridDataset, split: str, size: int = _CHUNK) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield a split's arrays in order, `size` samples at a time."""
    count = split_size(dataset, split)
    for start in range(0, count, size):
        yield dataset.arrays(split, start, min(start + size, count))


def spread_arrays(dataset: GridDataset, split: str, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a split's arrays, or those of `most` evenly spaced samples if there are more."""
    count = split_size(dataset, split)
    if count <= most:
        return dataset.arrays(split)
    chosen = np.linspace(0, count - 1, most).astype(int)
    pairs = []
    for start in range(0, count, _CHUNK):  # in runs, because windows of one trajectory are read together
        here = chosen[(chosen >= start) & (chosen < start + _CHUNK)]
        if len(here):
            inputs, outputs = dataset.arrays(split, int(here[0]), int(here[-1]) + 1)
            pairs.append((inputs[here - here[0]], outputs[here - here[0]]))
    return np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of `count` samples in an epoch: a permutation that depends on (seed, epoch) alone."""
    return np.random.default_rng(np.random.SeedSequence((seed, epoch))).permutation(count)


def rank_share(order: np.ndarray, rank: int, ranks: int) -> np.ndarray:
    """Return the samples of one of `ranks` processes, equally many for each: the first ones are repeated to fill up."""
    padded = np.resize(order, math.ceil(len(order) / ranks) * ranks)
    return padded[rank::ranks]


class Batches:
    """Give batches of one split as tensors on a device.

    In memory, the split is read once and stays as two tensors, on the device itself if they take less than a quarter of
    its memory. Streamed, each sample is read when it is needed, by `workers` processes that open the files themselves.

    Parameters
    ----------
    dataset : GridDataset
    split : str
    device : torch.device
    dtype : torch.dtype
    in_memory : bool, optional
        Whether to read the split once and hold it. By default it is held if it takes less than a quarter of the free
        memory.
    workers : int, default 0
        Reading processes, if streamed.
    """

    def __init__(
        self,
        dataset: GridDataset,
        split: str,
        device: torch.device,
        dtype: torch.dtype,
        *,
        in_memory: bool | None = None,
        workers: int = 0,
    ) -> None:
        self.dataset, self.split, self.device, self.dtype, self.workers = dataset, split, device, dtype, workers
        self.count = split_size(dataset, split)
        first = dataset.arrays(split, 0, 1)
        size = self._elements(first) * torch.empty((), dtype=dtype).element_size()
        self.in_memory = size < free_memory() / 4 if in_memory is None else in_memory
        self._tensors: tuple[Tensor, Tensor] | None = None
        if self.in_memory:
            self._tensors = self._load(first)
            if device.type == "cuda" and size < torch.cuda.mem_get_info(device)[0] / 4:
                self._tensors = (self._tensors[0].to(device), self._tensors[1].to(device))

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (inputs, outputs) of the samples in `order`, `batch_size` at a time; the last batch may be smaller."""
        parts = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        if self._tensors is not None:
            for part in parts:
                index = torch.from_numpy(np.ascontiguousarray(part)).to(self._tensors[0].device)
                inputs, outputs = self._take(self._tensors, index)
                yield self._place(inputs), self._place(outputs)
            return
        loader = DataLoader(
            _Samples(self.dataset, self.split, self.dtype),
            batch_sampler=_FixedBatches(parts),
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
        )
        for inputs, outputs in loader:
            yield self._place(inputs), self._place(outputs)

    def _place(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=True)

    def _elements(self, first: tuple[np.ndarray, np.ndarray]) -> int:
        """Return how many numbers are held in memory, from the arrays of the first sample."""
        return self.count * sum(a.size for a in first)

    def _take(self, tensors: tuple[Tensor, Tensor], index: Tensor) -> tuple[Tensor, Tensor]:
        return tensors[0][index], tensors[1][index]

    def _load(self, first: tuple[np.ndarray, np.ndarray]) -> tuple[Tensor, Tensor]:
        inputs, outputs = (torch.empty((self.count, *a.shape[1:]), dtype=self.dtype) for a in first)
        start = 0
        for some_inputs, some_outputs in chunks(self.dataset, self.split):
            stop = start + len(some_inputs)
            inputs[start:stop], outputs[start:stop] = torch.tensor(some_inputs), torch.tensor(some_outputs)
            start = stop
        return inputs, outputs


class _Samples(TorchDataset[tuple[Tensor, Tensor]]):
    """Read one sample at a time; picklable if the dataset is."""

    def __init__(self, dataset: GridDataset, split: str, dtype: torch.dtype) -> None:
        self.dataset, self.split, self.dtype = dataset, split, dtype

    def __len__(self) -> int:
        return self.dataset.splits[self.split]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        inputs, outputs = self.dataset.arrays(self.split, index, index + 1)
        return torch.tensor(inputs[0], dtype=self.dtype), torch.tensor(outputs[0], dtype=self.dtype)


class _FixedBatches:
    """Sample batches that are known beforehand."""

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self.parts = [part.tolist() for part in parts]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)
