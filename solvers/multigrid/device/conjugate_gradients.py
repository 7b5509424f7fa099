"""Run conjugate gradients for as many samples at a time as a device holds."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...matrices.box import Box
from ...operands import on_host
from .hierarchy import DeviceHierarchy, side_bits
from .launcher import Launcher, Tiling, enumerators, integers, sums_over

CHECK = 2
"""The host checks every so many iterations which samples still run; each check copies their norms and states."""

SUSPENDED_AT_ONCE = 128
"""Samples whose true residual is computed side by side; more follow in turn."""

STATUS, SCALAR, MARK = (enumerators(name) for name in ("Status", "Scalar", "Mark"))


@dataclass(frozen=True)
class Outcome:
    """Tell how a batch of samples ended, on the host; residuals and norms are those of the scaled systems.

    The operator was multiplied by `scale`, the right-hand side by `factor`, both powers of two: the solve computed
    y = (factor/scale) x.

    Attributes
    ----------
    states, iterations : ndarray of int, (k,)
    residuals, rhs_norms, scale, factor : ndarray, (k,)
        The residuals recomputed in float64; ‖b‖₂ of the unscaled system.
    norms : ndarray, (iterations + 1, k)
        ‖r‖₂ by iteration; a column is valid up to its sample's iterations.
    """

    states: np.ndarray
    iterations: np.ndarray
    residuals: np.ndarray
    rhs_norms: np.ndarray
    scale: np.ndarray
    factor: np.ndarray
    norms: np.ndarray
    setup_seconds: float
    """Set-up time of all samples together."""


class DeviceSolver:
    """Hold memory and kernels for up to `capacity` samples on one grid.

    Attributes
    ----------
    hierarchy : DeviceHierarchy
    east, north : array, (capacity, ny + 1, nx + 1), float64
        Transmissibilities times the sample's scale.
    """

    def __init__(self, launcher: Launcher, box: Box, steps: int, capacity: int) -> None:
        ny, nx = box.shape
        self._launcher = launcher
        self._box = box
        self._capacity = capacity
        self._sides = side_bits(box)
        self._tiling = Tiling.over(ny, nx, capacity)
        empty = launcher.empty
        # One sum a block; the coarsest level, where it is the only one, takes one block more than one tile a cell.
        self._partials = empty((capacity, self._tiling.count + 1), np.float64)
        self.hierarchy = DeviceHierarchy(launcher, box, steps, capacity, self._partials)
        self.east, self.north = (empty((capacity, ny + 1, nx + 1), np.float64) for _ in range(2))
        self._directions = [empty((capacity, ny, nx), np.float64) for _ in range(2)]
        self._q, self._r = (empty((capacity, ny, nx), np.float64) for _ in range(2))
        self._scalars = empty((len(SCALAR), capacity), np.float64)
        self._marks = empty((len(MARK), capacity), np.int32)
        self._log = empty((CHECK + 1, capacity), np.float64)
        self._suspended = empty(capacity + 1, np.int32)

    @staticmethod
    def bytes_per_sample(box: Box) -> int:
        """Return the device memory that a sample takes, besides its coefficients, right-hand side and solution."""
        ny, nx = box.shape
        doubles = 2 * (ny + 1) * (nx + 1) + 4 * ny * nx + Tiling.over(ny, nx, 1).count + len(SCALAR) + CHECK + 2
        return DeviceHierarchy.bytes_per_sample(box) + 8 * doubles + 4 * (len(MARK) + 2)

    def solve(
        self, coefficients: Any, rhs: Any, shared: bool, x: Any, rtol: float, maxiter: int, patience: int
    ) -> Outcome:
        """Solve for k ≤ capacity samples.

        Parameters
        ----------
        coefficients : array, (k, ny, nx), float64, C order
        rhs : array, (k, ny, nx), float64, C order; (1, ny, nx) where `shared`
        x : array, (k, ny, nx), float64, C order
            Receives the solution of the unscaled system.
        rtol : float
        maxiter, patience : int
            As in `solve_batch`, and in `plane.workspace.Workspace.solve`.
        """
        count = len(coefficients)
        samples = self._list(np.arange(count))
        began = time.perf_counter()
        scale = self.set_up(coefficients)
        self._launcher.synchronize()
        setup_seconds = time.perf_counter() - began
        self._begin(samples, count, rhs, shared, x, rtol, maxiter)
        running, norms, iteration = count, [], 0
        while running:
            ahead = range(iteration + 1, min(iteration + CHECK, maxiter) + 1)
            for iteration in ahead:
                self._iterate(samples, running, rhs, shared, x, iteration, maxiter, patience)
            self._launcher.launch(
                "report",
                (1, 1, 1),
                (256, 1, 1),
                (samples, np.int32(self._capacity), self._marks, self._log[CHECK]),
            )
            log = on_host(self._log)[:, :count].copy()
            norms.append(log[: len(ahead)])
            still = np.flatnonzero(log[CHECK] == STATUS["RUNNING"])
            if 0 < still.size < running:
                samples = self._list(still)
            running = still.size
        scalars, marks = on_host(self._scalars)[:, :count], on_host(self._marks)[:, :count]
        factor = scalars[SCALAR["FACTOR"]].copy()
        x *= self._launcher.xp.asarray(scale / factor)[:, None, None]
        if self._box.singular:
            x -= x.mean(axis=(1, 2), keepdims=True)
        return Outcome(
            states=marks[MARK["STATE"]].copy(),
            iterations=marks[MARK["ITERATIONS"]].copy(),
            residuals=scalars[SCALAR["NORM"]].copy(),
            rhs_norms=scalars[SCALAR["RHS_NORM"]].copy(),
            scale=scale,
            factor=factor,
            norms=np.concatenate([scalars[SCALAR["START"]][None], *norms]),
            setup_seconds=setup_seconds,
        )

    def set_up(self, coefficients: Any) -> np.ndarray:
        """Build faces and hierarchies; return the power of two that each operator is multiplied by."""
        ny, nx = self._box.shape
        hy, hx = self._box.spacings
        count = len(coefficients)
        samples = self._list(np.arange(count))
        largest = on_host(coefficients.max(axis=(1, 2))) * (2.0 * max(hy**-2, hx**-2))
        scale = np.ldexp(1.0, -np.frexp(largest)[1])
        finest = self.hierarchy.levels[0]
        weights = (np.float64(2.0 * hy**-2), np.float64(2.0 * hx**-2))
        inputs = (samples, *integers(ny, nx, self._sides), *weights, self._launcher.xp.asarray(scale), coefficients)
        made = (self.east, self.north, finest.east, finest.north)
        self._start("transmissibilities", Tiling.over(ny + 1, nx + 1, self._capacity), count, (*inputs, *made))
        self._mark("DEFINITE").fill(1)
        self.hierarchy.set_up(samples, count, self._mark("DEFINITE"))
        return scale

    def on_device(self, array: np.ndarray) -> Any:
        """Copy an array of the host to the device."""
        return self._launcher.xp.asarray(array)

    def _begin(self, samples: Any, count: int, rhs: Any, shared: bool, x: Any, rtol: float, maxiter: int) -> None:
        largest = np.maximum(on_host(rhs.max(axis=(1, 2))), -on_host(rhs.min(axis=(1, 2))))
        unit = np.where(largest > 0.0, np.ldexp(1.0, np.frexp(largest)[1]), 1.0)
        units = self._launcher.xp.asarray(np.ascontiguousarray(np.broadcast_to(unit, count)))
        size = integers(*self._box.shape)
        self._start("source_norm", self._tiling, count, (samples, *size, np.int32(shared), units, rhs, self._partials))
        settings = (np.float64(rtol), np.int32(maxiter))
        self._finish(
            "begin", self._tiling.count, count, samples, (*settings, units, self._partials, self._scalars, self._marks)
        )
        vectors = (x, self._directions[0], self._r, self.hierarchy.levels[0].r)
        self._start(
            "start", self._tiling, count, (samples, *size, np.int32(shared), self._scalar("FACTOR"), rhs, *vectors)
        )

    def _iterate(
        self, samples: Any, count: int, rhs: Any, shared: bool, x: Any, iteration: int, maxiter: int, patience: int
    ) -> None:
        sides, capacity, now = np.int32(self._sides), np.int32(self._capacity), np.int32(iteration)
        size, limits = integers(*self._box.shape), integers(maxiter, patience)
        blocks, tiling = self._tiling.count, self._tiling
        before, after = self._directions[(iteration + 1) % 2], self._directions[iteration % 2]
        single, z = self.hierarchy.levels[0].r, self.hierarchy.z
        marks, scalars, partials, suspended = self._marks, self._scalars, self._partials, self._suspended
        faces, log = (self.east, self.north), self._log[(iteration - 1) % CHECK]
        reads = (capacity, *size, sides, marks, scalars, *faces, z, before)
        suspended[:1] = 0
        self.hierarchy.cycle(samples, count, self._mark("STATE"))
        energy_blocks = self.hierarchy.energy_blocks
        self._finish("finish_energy", energy_blocks, count, samples, (now, partials, scalars, marks, suspended))
        self._start("direction_and_product", tiling, count, (samples, *reads, after, x, self._q, partials))
        self._finish("finish_curvature", blocks, count, samples, (now, partials, scalars, marks, suspended))
        updated = (self._q, self._r, single, partials)
        self._start("update_residual", tiling, count, (samples, capacity, *size, marks, scalars, *updated))
        self._finish("finish_norm", blocks, count, samples, (now, *limits, partials, scalars, marks, suspended, log))
        # Samples whose true residual is to be computed.
        grid, block = tiling.grid_of_suspended(count), tiling.block
        self._launcher.launch("catch_up", grid, block, (suspended, capacity, *size, marks, scalars, before, after, x))
        inputs = (capacity, *size, sides, np.int32(shared), scalars, *faces, rhs, x)
        self._launcher.launch("true_residual", grid, block, (suspended, *inputs, self._r, single, partials))
        few = min(count, SUSPENDED_AT_ONCE)
        self._finish("settle", blocks, few, suspended, (now, limits[0], partials, scalars, marks, log))

    def _start(self, kernel: str, tiling: Tiling, count: int, arguments: tuple[Any, ...]) -> None:
        self._launcher.launch(kernel, tiling.grid(count), tiling.block, arguments)

    def _finish(self, kernel: str, blocks: int, count: int, samples: Any, arguments: tuple[Any, ...]) -> None:
        tiling = sums_over(blocks)
        settings = (samples, *integers(self._capacity, blocks), *arguments)
        self._launcher.launch(kernel, tiling.grid(count), tiling.block, settings)

    def _list(self, samples: np.ndarray) -> Any:
        """Return a list for the kernels: how many, and which."""
        return self._launcher.xp.asarray(np.concatenate([[samples.size], samples]).astype(np.int32))

    def _mark(self, name: str) -> Any:
        return self._marks[MARK[name]]

    def _scalar(self, name: str) -> Any:
        return self._scalars[SCALAR[name]]


def samples_at_once(launcher: Launcher, box: Box, count: int) -> int:
    """Return how many samples the device's free memory holds, at least one, at most `count`.

    A tenth is left for what the allocator wastes.
    """
    fit = math.floor(0.9 * launcher.free_bytes() / DeviceSolver.bytes_per_sample(box))
    return max(1, min(count, fit))
