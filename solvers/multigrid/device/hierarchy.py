"""Hold the hierarchies of a batch on a device: their memory, their set-up, one V-cycle for all samples at once.

The passes of a cycle move the following numbers of four bytes for each cell, counted from the arrays they use: 5 for
the first two steps (r, D⁻¹, two faces, x), 6¼ for the residual and its restriction (r, x, two faces, two weights), 4¼
for the interpolation, 6 for a step; on coarse levels 2 more a pass for the diagonal links. With two steps before and
after that is 27½ on the finest level and a third of 35½ on the others, 157 bytes; conjugate gradients add 72 (x, p, p',
q, r in float64 with their reads and writes, z and r in float32) and 16 for the faces, so that an iteration moves 245
bytes a cell.

A cycle starts five kernels a level and one for the coarsest; an iteration six more, and three for those whose true
residual is computed. On coarse levels a block holds several samples. Batches of few cells in all are limited by these
starts, not by memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...matrices.box import Box
from ..hierarchy import grid_sizes
from ..smoothing import fourth_kind_steps
from .launcher import Launcher, Tiling, integers

BYTES_PER_ITERATION = 245
"""Bytes that an iteration moves for each cell of the finest grid, see above."""


@dataclass
class Level:
    """Hold the fields of one level, float32, each (samples, …); `rising`, `falling` are placeholders on the finest."""

    ny: int
    nx: int
    tiling: Tiling
    r: Any
    x: Any
    z: Any
    inverse: Any
    east: Any
    north: Any
    rising: Any
    falling: Any
    weights: Any

    @property
    def links(self) -> tuple[Any, ...]:
        return (self.east, self.north, self.rising, self.falling)


def _lengths(sizes: list[tuple[int, int]]) -> list[list[int]]:
    """Return the sizes of a sample's arrays on each level: four of cells, four of links, weights or dense inverse."""
    table = []
    for level, (ny, nx) in enumerate(sizes):
        cells, links = ny * nx, (ny + 1) * (nx + 1)
        if level == len(sizes) - 1:
            weights = cells * cells
        else:
            cy, cx = sizes[level + 1]
            gaps_y, gaps_x = (ny // 2 if cy < ny else 0), (nx // 2 if cx < nx else 0)
            weights = 2 * cy * gaps_x + 2 * gaps_y * cx + 4 * gaps_y * gaps_x
        table.append([cells] * 4 + [links, links] + [links if level else 0] * 2 + [weights])
    return table


def side_bits(box: Box) -> int:
    """Return the sides of a box as the kernels' bits."""
    south, north, west, east = box.walls
    flags = (south, north, west, east, *box.periodic)
    return sum(bool(flag) << k for k, flag in enumerate(flags))


class DeviceHierarchy:
    """Hold the levels of up to `capacity` samples on one device.

    Attributes
    ----------
    sizes : list of tuple
        Cells per axis of each level, finest first.
    levels : list of Level
        Views of one arena, laid out [level][field][sample][cell].
    """

    def __init__(self, launcher: Launcher, box: Box, steps: int, capacity: int, partials: Any) -> None:
        self._launcher = launcher
        self._sides = side_bits(box)
        self._definite_as_is = not box.singular
        self._capacity = capacity
        self._partials = partials
        self.sizes = [(shape[0], shape[1]) for shape in grid_sizes(box)]
        self._omegas = [np.float32(omega) for omega in fourth_kind_steps(steps)]
        table = _lengths(self.sizes)
        arena = launcher.empty(capacity * sum(map(sum, table)), np.float32)
        self.levels: list[Level] = []
        end = 0
        for (ny, nx), lengths in zip(self.sizes, table, strict=True):
            fields: list[Any] = []
            for length in lengths:
                begin, end = end, end + capacity * length
                fields.append(arena[begin:end].reshape(capacity, length) if length else fields[4])
            self.levels.append(Level(ny, nx, Tiling.over(ny, nx, capacity), *fields))
        self._cycle = self._plan()

    @staticmethod
    def bytes_per_sample(box: Box) -> int:
        """Return the memory that a sample takes, including temporary memory of the set-up."""
        sizes = [(shape[0], shape[1]) for shape in grid_sizes(box)]
        return 4 * sum(map(sum, _lengths(sizes))) + 16 * math.prod(sizes[-1]) ** 2

    @property
    def z(self) -> Any:
        """Return the array where a cycle leaves its result, (capacity, cells)."""
        return self._after(0) if len(self.levels) > 1 else self.levels[0].x

    @property
    def energy_blocks(self) -> int:
        """Return the number of partial sums of rᵀz that a cycle leaves for each sample."""
        return self.levels[0].tiling.count if len(self.levels) > 1 else self._coarsest_tiling().blocks[0]

    def set_up(self, samples: Any, count: int, definite: Any) -> None:
        """Build the hierarchy from the links of the finest level; write 0 to `definite` where it is not.

        `samples` is a list for the kernels (its length, then the samples), `count` that length.
        """
        for level, fine in enumerate(self.levels):
            diagonals = int(level > 0)
            size = integers(fine.ny, fine.nx)
            self._start(
                "invert_diagonal",
                fine.tiling,
                count,
                (samples, *size, np.int32(diagonals), *fine.links, fine.inverse),
            )
            if level == len(self.levels) - 1:
                self._invert_coarsest(samples, count, fine, diagonals, definite)
                return
            coarse = self.levels[level + 1]
            sizes = integers(fine.ny, fine.nx, coarse.ny, coarse.nx)
            inputs = (samples, *sizes, *integers(self._sides, diagonals), *fine.links)
            self._start("weights_between", coarse.tiling, count, (*inputs, fine.weights))
            self._start("weights_amid", coarse.tiling, count, (*inputs, fine.weights))
            scratch = (coarse.x, coarse.z)
            self._start("coarse_links", coarse.tiling, count, (*inputs, fine.weights, *coarse.links, *scratch))
            coarse_given = (samples, *integers(coarse.ny, coarse.nx, self._sides))
            self._start("join_coarse_links", coarse.tiling, count, (*coarse_given, *scratch, *coarse.links))
            if self._definite_as_is:
                ends = (coarse.east, coarse.north)
                self._start("links_to_walls", coarse.tiling, count, (*inputs, fine.weights, *ends))

    def cycle(self, samples: Any, count: int, states: Any) -> None:
        """Run one V-cycle for the right-hand sides in the finest level's r, for the samples that are running."""
        for kernel, tiling, arguments in self._cycle:
            self._start(kernel, tiling, count, (samples, states, *arguments))

    def _start(self, kernel: str, tiling: Tiling, count: int, arguments: tuple[Any, ...]) -> None:
        self._launcher.launch(kernel, tiling.grid(count), tiling.block, arguments)

    def _plan(self) -> list[tuple[str, Tiling, tuple[Any, ...]]]:
        """Return the launches of a cycle, without their first arguments: the list of samples and their states."""
        plan: list[tuple[str, Tiling, tuple[Any, ...]]] = []
        last = len(self.levels) - 1
        omegas = self._omegas
        for level, fine in enumerate(self.levels[:-1]):
            coarse = self.levels[level + 1]
            inputs = (*integers(fine.ny, fine.nx, self._sides, level > 0), *fine.links, fine.inverse)
            second = omegas[1] if len(omegas) > 1 else np.float32(0.0)
            plan.append(("relax_from_zero", fine.tiling, (*inputs, omegas[0], second, fine.r, fine.x)))
            here, there = fine.x, fine.z
            for omega in omegas[2:]:
                plan.append(("relax", fine.tiling, (*inputs, omega, fine.r, here, there)))
                here, there = there, here
            sizes = integers(fine.ny, fine.nx, coarse.ny, coarse.nx, self._sides)
            moved = (*sizes, np.int32(level > 0), *fine.links, fine.weights, fine.r, here, coarse.r)
            plan.append(("restrict_residual", coarse.tiling, moved))
        bottom = self.levels[last]
        dense = (*integers(bottom.ny * bottom.nx), bottom.weights, bottom.r, bottom.x, self._partials)
        plan.append(("solve_coarsest", self._coarsest_tiling(), dense))
        for level in range(last - 1, -1, -1):
            fine, coarse = self.levels[level], self.levels[level + 1]
            inputs = (*integers(fine.ny, fine.nx, self._sides, level > 0), *fine.links, fine.inverse)
            sizes = integers(fine.ny, fine.nx, coarse.ny, coarse.nx, self._sides)
            correction = coarse.x if level + 1 == last else self._after(level + 1)
            here = self._before(level)
            there = fine.z if here is fine.x else fine.x
            plan.append(("prolong", fine.tiling, (*sizes, fine.weights, correction, here)))
            for step, omega in enumerate(omegas):
                arguments = (*inputs, omega, fine.r, here, there)
                if level == 0 and step == len(omegas) - 1:
                    plan.append(("relax_with_product", fine.tiling, (*arguments, self._partials)))
                else:
                    plan.append(("relax", fine.tiling, arguments))
                here, there = there, here
        return plan

    def _before(self, level: int) -> Any:
        """Return the array of the iterate after the first steps: x after two of them; each further one swaps."""
        fields = self.levels[level]
        return fields.z if len(self._omegas) > 2 and len(self._omegas) % 2 else fields.x

    def _after(self, level: int) -> Any:
        """Return the array that holds the result of a level."""
        fields = self.levels[level]
        before = self._before(level)
        if len(self._omegas) % 2 == 0:
            return before
        return fields.z if before is fields.x else fields.x

    def _coarsest_tiling(self) -> Tiling:
        bottom = self.levels[-1]
        return Tiling.over(1, bottom.ny * bottom.nx, self._capacity)

    def _invert_coarsest(self, samples: Any, count: int, bottom: Level, diagonals: int, definite: Any) -> None:
        n = bottom.ny * bottom.nx
        matrix, other = (self._launcher.empty((self._capacity, n, n), np.float64) for _ in range(2))
        tiling = Tiling.over(n, n, self._capacity)
        sizes = integers(bottom.ny, bottom.nx, self._sides, diagonals)
        self._start("coarsest_matrix", self._coarsest_tiling(), count, (samples, *sizes, *bottom.links, matrix))
        if not self._definite_as_is:
            self._start("add_constants", tiling, count, (samples, np.int32(n), matrix, other))
            matrix, other = other, matrix
        for k in range(n):
            self._start("eliminate", tiling, count, (samples, *integers(n, k), matrix, other, definite))
            matrix, other = other, matrix
        self._start("coarsest_inverse", tiling, count, (samples, np.int32(n), matrix, bottom.weights))
