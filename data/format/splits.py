"""Divide samples into train, valid and test, and these into shards."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resolvent.solvers import InputError
from resolvent.solvers.arguments import is_integer, is_real, nonnegative_integer, one_of, positive_integer

_SHARD_BYTES = 16 << 20  # of numbers before compression, in a shard of automatic size
_SHARD_SAMPLES = 512

SPLITS = ("train", "valid", "test")
"""The Well's names of the splits, in the order in which they take consecutive sample indices."""


@dataclass(frozen=True)
class Shard:
    """Name the samples `start` to `stop` − 1 (indices in the whole dataset) that one file of one split holds."""

    split: str
    number: int
    start: int
    stop: int

    def path(self, name: str) -> str:
        """Return the path of the file under the dataset's folder, with forward slashes."""
        return f"data/{self.split}/{name}_{self.number:05d}.hdf5"

    def __len__(self) -> int:
        return self.stop - self.start


def read_splits(splits: Mapping[str, int] | Sequence[float]) -> Mapping[str, int] | tuple[float, ...]:
    """Return splits as sizes by name, or as the three fractions that they are.

    Three whole numbers that sum to more than 1 are the sizes of train, valid and test: ``[26, 2, 2]``.

    Raises
    ------
    InputError
        For anything but a mapping or three numbers, and for counts beside fractions.
    """
    if isinstance(splits, Mapping):
        return splits
    values = () if isinstance(splits, str) or not isinstance(splits, Iterable) else tuple(splits)
    if len(values) != 3 or not all(is_real(value) for value in values):
        raise InputError(
            f"splits={splits!r}: expected three fractions that sum to 1, such as [0.8, 0.1, 0.1], or three counts, "
            "such as [26, 2, 2], of train, valid and test"
        )
    if all(is_integer(value) for value in values) and sum(values) > 1:
        return {key: int(value) for key, value in zip(SPLITS, values, strict=True)}
    return values


def split_sizes(samples: int | None, splits: Mapping[str, int] | Sequence[float]) -> dict[str, int]:
    """Return the number of samples in each split.

    Parameters
    ----------
    samples : int or None
        The total; may be left out if `splits` gives the sizes.
    splits : mapping, three counts or three fractions
        ``{'train': 480, 'valid': 60, 'test': 60}``, the same as ``[480, 60, 60]``, or the fractions of train, valid and
        test, which sum to 1: valid and test are rounded to the nearest integer, train gets the rest.

    Raises
    ------
    InputError
        For no samples at all, unknown splits, sizes that do not sum to `samples`, fractions that do not sum to 1.
    """
    splits = read_splits(splits)
    if isinstance(splits, Mapping):
        for key in splits:
            one_of(key, SPLITS, "split")
        sizes = {key: nonnegative_integer(splits.get(key, 0), f"size of split {key}") for key in SPLITS}
        total = sum(sizes.values())
        if samples is not None and positive_integer(samples, "samples") != total:
            raise InputError(
                f"samples is {samples} but the splits sum to {total}: leave samples out or make them agree"
            )
        if total == 0:
            raise InputError("the splits hold no samples: give at least one split a size of 1 or more")
        return sizes
    if samples is None:
        raise InputError("samples is missing: give a number of samples, or splits with sizes")
    total = positive_integer(samples, "samples")
    fractions = [_fraction(value) for value in splits]
    if abs(sum(fractions) - 1.0) > 1e-9:
        raise InputError(f"splits {tuple(splits)}: expected three fractions (train, valid, test) that sum to 1")
    valid, test = (round(total * fraction) for fraction in fractions[1:])
    if valid + test > total:
        test = total - valid
    return {"train": total - valid - test, "valid": valid, "test": test}


def _fraction(value: Any) -> float:
    if not is_real(value) or not 0.0 <= value <= 1.0:
        raise InputError(f"split fraction {value!r}: expected a number from 0 to 1 (counts are whole numbers)")
    return float(value)


def automatic_shard_size(bytes_per_sample: int) -> int:
    """Return the samples in a file if the user does not say: 16 MiB of numbers, at least one sample, at most 512.

    It depends only on the size of a sample. So 10⁵ samples of 8² make 197 files, not 1000; the memory of a worker,
    which holds one shard, does not grow with the number of samples; and a run that is killed loses little.
    """
    return min(max(_SHARD_BYTES // max(bytes_per_sample, 1), 1), _SHARD_SAMPLES)


def plan_shards(sizes: Mapping[str, int], shard_size: int, first: int = 0) -> list[Shard]:
    """Return consecutive ranges of at most `shard_size` samples; the splits follow one another from index `first`."""
    shard_size = positive_integer(shard_size, "shard_size")
    shards, start = [], first
    for split in SPLITS:
        end = start + sizes.get(split, 0)
        bounds = [*range(start, end, shard_size), end]
        shards += [Shard(split, number, a, b) for number, (a, b) in enumerate(itertools.pairwise(bounds))]
        start = end
    return shards
