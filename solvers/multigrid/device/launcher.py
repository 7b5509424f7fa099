"""Compile and start the kernels of the CUDA program.

The solver knows a device only by its launcher. `CupyLauncher` is the one for CUDA; the tests have another, which
compiles the same program with a C++ compiler and runs it on NumPy arrays.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...errors import InputError

SOURCES = (
    "device/grid2d.cu",
    "plane/formulas.hpp",
    "device/galerkin2d.cu",
    "device/cycle2d.cu",
    "device/conjugate_gradients2d.cu",
)

BLOCK = 256
"""Threads a block, at most: what the kernels are compiled for."""

_MOST_IN_Z = 64
_MOST_BLOCKS = 65535
_BLOCKS_OF_SUSPENDED = 2048


class Launcher(Protocol):
    """Represent a device: its arrays and how a kernel starts on it."""

    xp: Any
    """NumPy's namespace for the arrays of the device."""

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> Any:
        """Return an array with arbitrary contents."""

    def launch(self, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
        """Start a kernel: arrays of the device, or NumPy scalars of exactly the types of its parameters."""

    def free_bytes(self) -> int:
        """Return the memory that can still be allocated."""

    def synchronize(self) -> None:
        """Wait for all kernels that were started."""


@functools.cache
def program() -> str:
    """Return the CUDA program."""
    folder = importlib.resources.files(__name__.rpartition(".device.")[0])
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in SOURCES)


@functools.cache
def enumerators(name: str) -> dict[str, int]:
    """Return the names and values of an enumeration of the program that counts from zero."""
    match = re.search(rf"enum {name} \{{([^}}=]*)\}}", program())
    assert match is not None
    return {entry.strip(): value for value, entry in enumerate(match.group(1).split(","))}


class CupyLauncher:
    """Use the current CUDA device, through CuPy; the program is compiled at its first use and kept in CuPy's cache.

    Raises
    ------
    InputError
        If CuPy is not installed.
    """

    def __init__(self) -> None:
        try:
            import cupy
        except ImportError as error:
            raise InputError("multigrid on a GPU needs CuPy: pip install 'resolvent[gpu]'.") from error
        self.xp = cupy
        self._module = _compiled()
        self._kernels: dict[str, Any] = {}

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> Any:
        return self.xp.empty(shape, dtype)

    def launch(self, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
        function = self._kernels.get(kernel)
        if function is None:
            function = self._kernels[kernel] = self._module.get_function(kernel)
        function(grid, block, arguments)

    def free_bytes(self) -> int:
        free, _ = self.xp.cuda.runtime.memGetInfo()
        return int(free) + int(self.xp.get_default_memory_pool().free_bytes())

    def synchronize(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()


@functools.cache
def _compiled() -> Any:
    import cupy

    return cupy.RawModule(code=program(), options=("--std=c++17",))


@dataclass(frozen=True)
class Tiling:
    """Hold blocks and threads: one thread a point of (rows, columns), and as many samples a block as fit.

    Attributes
    ----------
    blocks : tuple of int
        In x and y.
    block : tuple of int
        Threads in x, y, z; x times y is a power of two, as `block_sum` requires.
    """

    blocks: tuple[int, int]
    block: tuple[int, int, int]

    @classmethod
    def over(cls, rows: int, columns: int, samples: int) -> Tiling:
        """Return the tiling of a grid; rows have 32 threads, so that a warp's accesses lie side by side."""
        x = min(32, _power_of_two(columns))
        y = min(BLOCK // x, _power_of_two(rows))
        z = min(_MOST_IN_Z, BLOCK // (x * y), _power_of_two(samples))
        return cls((-(-columns // x), -(-rows // y)), (x, y, z))

    @property
    def count(self) -> int:
        """Return the number of blocks of one sample."""
        return self.blocks[0] * self.blocks[1]

    def grid(self, samples: int) -> tuple[int, int, int]:
        """Return the launch grid for so many samples."""
        return (*self.blocks, min(_MOST_BLOCKS, -(-samples // self.block[2])))

    def grid_of_suspended(self, samples: int) -> tuple[int, int, int]:
        """Return the launch grid for a list whose length only the device knows: mostly 0, at times all samples."""
        return (*self.blocks, max(1, min(self.grid(samples)[2], _BLOCKS_OF_SUSPENDED // self.count)))


def sums_over(blocks: int) -> Tiling:
    """Return one block a sample to add the partial sums of so many blocks."""
    return Tiling((1, 1), (min(BLOCK, _power_of_two(blocks)), 1, 1))


def integers(*values: int) -> tuple[np.int32, ...]:
    """Convert to the kernels' `int`s."""
    return tuple(np.int32(value) for value in values)


def _power_of_two(n: int) -> int:
    """Return the smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()
