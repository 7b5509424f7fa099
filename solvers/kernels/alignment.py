"""Allocate memory that starts where loads, stores and caches are fastest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

LINE = 64
"""Bytes of a cache line, and of the widest vector."""


def aligned(count: int, size: int, dtype: Any) -> tuple[np.ndarray, ...]:
    """Return `count` vectors of zeros whose starts, modulo a page, lie a quarter of a page apart.

    Loads and stores whose addresses differ by a multiple of 4096 bytes wait for each other, and compete for the same
    sets of the first-level cache: transforms between vectors with equal starts take up to twice as long.
    """
    page, item = 4096, np.dtype(dtype).itemsize
    stride = -(-size * item // page) * page + page
    memory = np.zeros(count * stride // item + page // item, dtype)
    first = (-memory.ctypes.data) % page
    starts = [(first + k * stride + k % 4 * page // 4) // item for k in range(count)]
    return tuple(memory[start : start + size] for start in starts)


def lane_count(dtype: Any) -> int:
    """Return how many values of `dtype` a cache line holds: 16 of float32, 8 of float64."""
    return LINE // np.dtype(dtype).itemsize


def whole_lines(n: int, entries: int) -> int:
    """Return n rounded up to whole cache lines of so many entries."""
    return (n + entries - 1) // entries * entries


def aligned_empty(shape: tuple[int, ...], dtype: Any, lead: int = 0) -> np.ndarray:
    """Return zeros whose entry `lead` begins a cache line: vector loads across two lines take twice as long."""
    size, item = math.prod(shape), np.dtype(dtype).itemsize
    memory = np.zeros(size + 64 // item, dtype=dtype)
    start = (-(memory.ctypes.data // item + lead)) % (64 // item)
    return memory[start : start + size].reshape(shape)
