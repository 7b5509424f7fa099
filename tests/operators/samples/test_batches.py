"""The order of samples, their shares among processes, and streaming against memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from resolvent.data.free_memory import free_memory
from resolvent.operators.samples.batches import (
    Batches,
    chunks,
    epoch_order,
    open_batches,
    rank_share,
    spread_arrays,
)
from resolvent.solvers import InputError

CPU = torch.device("cpu")


def test_order_is_a_permutation_of_seed_and_epoch_alone() -> None:
    first = epoch_order(50, seed=3, epoch=2)
    assert sorted(first) == list(range(50))
    assert np.array_equal(first, epoch_order(50, seed=3, epoch=2))
    assert not np.array_equal(first, epoch_order(50, seed=3, epoch=3))
    assert not np.array_equal(first, epoch_order(50, seed=4, epoch=2))


@pytest.mark.parametrize(("count", "processes"), [(10, 1), (10, 2), (10, 3), (2, 4), (7, 7)])
def test_shares_cover_every_sample_equally(count: int, processes: int) -> None:
    order = epoch_order(count, 0, 0)
    shares = [rank_share(order, rank, processes) for rank in range(processes)]
    assert len({len(share) for share in shares}) == 1
    assert set(np.concatenate(shares)) == set(range(count))
    assert sum(map(len, shares)) - count < processes
    # Step by step, the processes together take the samples in the order of one process.
    together = np.stack(shares, axis=1).ravel()
    assert np.array_equal(together[:count], order)


@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_batches_equal_those_in_memory(translation: Callable[..., Any], workers: int) -> None:
    dataset = translation(n=8, train=11)
    held = Batches(dataset, "train", CPU, torch.float32, in_memory=True)
    streamed = Batches(dataset, "train", CPU, torch.float32, in_memory=False, workers=workers)
    order = epoch_order(11, 0, 0)
    pairs = list(zip(held.batches(order, 4), streamed.batches(order, 4), strict=True))
    assert [len(a[0]) for a, _ in pairs] == [4, 4, 3]
    for (inputs, outputs), (other_inputs, other_outputs) in pairs:
        assert torch.equal(inputs, other_inputs)
        assert torch.equal(outputs, other_outputs)
    wanted = torch.tensor(dataset.content["train"][0][order[:4]], dtype=torch.float32)
    assert torch.equal(pairs[0][0][0], wanted)


def test_memory_decides(translation: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = translation(n=8, train=11)
    assert Batches(dataset, "train", CPU, torch.float32).in_memory
    monkeypatch.setattr("resolvent.operators.samples.batches.free_memory", lambda: 1000.0)
    assert not Batches(dataset, "train", CPU, torch.float32).in_memory
    assert 2**20 < free_memory() < 2**60


def test_chunks_cover_a_split_in_order(translation: Callable[..., Any]) -> None:
    dataset = translation(n=8, train=11)
    parts = list(chunks(dataset, "train", size=4))
    assert [len(inputs) for inputs, _ in parts] == [4, 4, 3]
    assert np.array_equal(np.concatenate([outputs for _, outputs in parts]), dataset.content["train"][1])


def test_spread_samples(translation: Callable[..., Any]) -> None:
    dataset = translation(n=8, train=11)
    inputs, outputs = dataset.content["train"]
    for most, chosen in ((11, range(11)), (20, range(11)), (3, [0, 5, 10]), (1, [0])):
        found = spread_arrays(dataset, "train", most)
        assert np.array_equal(found[0], inputs[list(chosen)])
        assert np.array_equal(found[1], outputs[list(chosen)])


def test_an_empty_split_is_named(translation: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="no samples in its valid split"):
        Batches(translation(valid=0), "valid", CPU, torch.float32)


def test_a_dataset_may_make_its_batches_itself(translation: Callable[..., Any]) -> None:
    def make(*request: Any) -> tuple[Any, ...]:
        return request

    request = ("train", torch.device("cpu"), torch.float32)
    dataset = translation()
    assert isinstance(open_batches(dataset, *request), Batches)
    dataset.own_batches = make
    with pytest.warns(DeprecationWarning, match="name it make_batches"):
        assert open_batches(dataset, *request) == request
    dataset.make_batches = make
    assert open_batches(dataset, *request) == request
