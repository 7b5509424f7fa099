"""Splits, shards, seeds and digests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.data.format.digests import combined_digest, config_hash, sample_digest
from resolvent.data.format.splits import plan_shards, split_sizes
from resolvent.data.seeding import root_seed, sample_entropy, sample_generator
from resolvent.solvers import InputError


def test_fractions() -> None:
    assert split_sizes(600, (0.8, 0.1, 0.1)) == {"train": 480, "valid": 60, "test": 60}
    assert split_sizes(1, (0.8, 0.1, 0.1)) == {"train": 1, "valid": 0, "test": 0}
    assert split_sizes(3, (0.0, 0.5, 0.5)) == {"train": 0, "valid": 2, "test": 1}
    assert split_sizes(None, {"test": 5}) == {"train": 0, "valid": 0, "test": 5}


def test_counts() -> None:
    """Three whole numbers are sizes, in Python as on the command line; fractions stay fractions."""
    assert split_sizes(30, [26, 2, 2]) == {"train": 26, "valid": 2, "test": 2}
    assert split_sizes(None, tuple(np.array([5, 0, 1]))) == {"train": 5, "valid": 0, "test": 1}
    assert split_sizes(4, [1, 0, 0]) == {"train": 4, "valid": 0, "test": 0}


@pytest.mark.parametrize(
    ("samples", "splits", "message"),
    [
        (0, (0.8, 0.1, 0.1), "samples is 0"),
        (None, (0.8, 0.1, 0.1), "samples is missing"),
        (10, (0.8, 0.1), "three fractions"),
        (10, (0.8, 0.1, 0.2), "sum to 1"),
        (10, 0.8, "three counts"),
        (10, "abc", "three counts"),
        (10, [26, 0.5, 2], "counts are whole numbers"),
        (10, [26, 2, 2], "splits sum to 30"),
        (10, [12, -1, -1], "size of split valid is -1"),
        (10, (1.1, -0.1, 0.0), "split fraction 1.1"),
        (10, {"train": 5}, "samples is 10 but the splits sum to 5"),
        (None, {"train": 0}, "no samples"),
        (None, {"training": 5}, "did you mean 'train'"),
        (None, {"train": -5}, "size of split train is -5"),
        (2.5, (0.8, 0.1, 0.1), "samples is 2.5"),
    ],
)
def test_wrong_splits(samples: object, splits: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_sizes(samples, splits)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 20), st.integers(1, 20), st.integers(1, 60), st.integers(0, 1000))
def test_shards_cover_every_sample_once(train: int, valid: int, test: int, size: int, first: int) -> None:
    shards = plan_shards({"train": train, "valid": valid, "test": test}, size, first)
    assert [i for s in shards for i in range(s.start, s.stop)] == list(range(first, first + train + valid + test))
    assert all(0 < len(s) <= size for s in shards)
    for split, count in (("train", train), ("valid", valid), ("test", test)):
        numbers = [s.number for s in shards if s.split == split]
        assert numbers == list(range(-(-count // size)))


def test_sample_generator_is_pinned() -> None:
    """The published fact on which every dataset rests: these numbers may never change."""
    assert sample_entropy(0, "darcy", 3) == (0, 17251921285886055182, 3)
    draws = sample_generator(0, "darcy", 3).standard_normal(2)
    np.testing.assert_array_equal(draws, [0.890361771726955, -0.3226926596444997])
    others = [
        sample_generator(*key).standard_normal(2)[0] for key in ((1, "darcy", 3), (0, "poisson", 3), (0, "darcy", 4))
    ]
    assert len({draws[0], *others}) == 4


@pytest.mark.parametrize("seed", [-1, 1.5, "a", None, True, 2**64])
def test_wrong_seed(seed: object) -> None:
    with pytest.raises(InputError, match="seed is"):
        root_seed(seed)


def test_digest_depends_on_the_numbers_alone() -> None:
    a = np.arange(12.0).reshape(3, 4)
    one = sample_digest({"u": a, "a": a + 1})
    assert one == sample_digest({"a": np.asfortranarray(a + 1), "u": a.astype(">f8")})
    assert one != sample_digest({"u": a, "a": a + 2})
    assert one != sample_digest({"v": a, "a": a + 1})
    assert one != sample_digest({"u": a.reshape(4, 3), "a": a + 1})
    assert one != sample_digest({"u": a.astype("f4"), "a": a + 1})
    assert combined_digest([one, b"x"]) != combined_digest([b"x", one])
    assert config_hash({"a": 1, "b": [1e-10]}) == config_hash({"b": [1e-10], "a": 1})
