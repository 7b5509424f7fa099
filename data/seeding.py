"""Make the random generator of each sample from (root seed, problem, index) alone."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import nonnegative_integer


def root_seed(seed: Any) -> int:
    """Check a root seed: an integer from 0 to 2⁶⁴ − 1, so that a file can hold it."""
    number = nonnegative_integer(seed, "seed")
    if number >= 2**64:
        raise InputError(f"seed is {number}: expected an integer below 2**64")
    return number


def sample_entropy(seed: int, problem: str, index: int) -> tuple[int, int, int]:
    """Return (seed, first 8 bytes of SHA-256 of the problem's name, index); Python's own hash is salted."""
    digest = hashlib.sha256(problem.encode("utf-8")).digest()
    return seed, int.from_bytes(digest[:8], "little"), index


def sample_generator(seed: int, problem: str, index: int) -> np.random.Generator:
    """Return the generator of sample `index`: independent of every other sample, of sharding and of workers."""
    return np.random.default_rng(np.random.SeedSequence(sample_entropy(seed, problem, index)))
