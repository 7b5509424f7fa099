"""Make classical solvers as coarse as a given error allows: error against time by resolution, steps and tolerance."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from resolvent.data import make_problem
from resolvent.data.problems.spectral_evolution import SpectralEvolution
from resolvent.solvers import multigrid


@dataclass(frozen=True)
class Setting:
    """Hold a solver at one resolution and tolerance: `solve` maps inputs (N, …, *fine) to outputs (N, K, *fine)."""

    name: str
    solve: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Measured:
    """Hold the mean relative L² error and the milliseconds per sample of a model or a solver setting.

    Attributes
    ----------
    error : float
        Infinite if the model failed.
    failure : str
        Why it failed; empty if it did not.
    whole : float
        For trajectories: the relative L² error over space and time together, mean over samples.
    """

    name: str
    error: float
    milliseconds: float
    failure: str = ""
    whole: float = math.nan


def at_equal_error(measured: Sequence[Measured], error: float) -> Measured | None:
    """Return the fastest whose error is at most `error`; None if there is none, or `error` is not finite."""
    if not math.isfinite(error):
        return None
    enough = [point for point in measured if point.error <= error]
    return min(enough, key=lambda point: point.milliseconds, default=None)


def front(measured: Sequence[Measured]) -> list[Measured]:
    """Return those that no other beats in both error and time, the fastest first."""
    unbeaten: list[Measured] = []
    for point in sorted(measured, key=lambda point: (point.milliseconds, point.error)):
        if math.isfinite(point.error) and (not unbeaten or point.error < unbeaten[-1].error):
            unbeaten.append(point)
    return unbeaten


def time_by_sample(run: Callable[[np.ndarray], Any], inputs: np.ndarray, batch: int, rounds: int) -> float:
    """Return milliseconds of processor time per sample, in batches of `batch`: the median after a first run."""
    run(inputs[:batch])
    seconds = []
    for _ in range(rounds):
        for start in range(0, len(inputs), batch):
            part = inputs[start : start + batch]
            begin = time.process_time()
            run(part)
            seconds.append((time.process_time() - begin) / len(part))
    return 1e3 * float(np.median(seconds))


def coarse_media(
    cells: Sequence[int], tolerances: Sequence[float], fine: int, coarse_tolerance: float = 1e-3
) -> Iterator[Setting]:
    """Return solvers of Darcy flow, f = 1, u = 0 on the walls: multigrid CG, for media on `fine`² cells.

    One solves on the fine grid for each of `tolerances`. The others solve on n² cells, n from `cells`, with
    `coarse_tolerance`, the medium's
    geometric mean over blocks (the effective coefficient of an isotropic two-phase medium in the plane, Dykhne 1971)
    and the solution between the cells by cubic splines that are 0 on the walls.
    """
    for tolerance in tolerances:
        yield Setting(f"{fine}², rtol {tolerance:g}", partial(_media, cells=fine, rtol=tolerance))
    for n in cells:
        yield Setting(f"{n}², rtol {coarse_tolerance:g}", partial(_media, cells=n, rtol=coarse_tolerance))


def _media(a: np.ndarray, cells: int, rtol: float) -> np.ndarray:
    fine = a.shape[-1]
    if cells == fine:
        return np.asarray(multigrid.solve_batch(a, 1.0, rtol=rtol).x)[:, None]
    block = fine // cells
    means = np.exp(np.log(a).reshape(len(a), cells, block, cells, block).mean(axis=(2, 4)))
    u = np.asarray(multigrid.solve_batch(means, 1.0, rtol=rtol).x)
    between = _spline(cells, fine)
    return (between @ u @ between.T)[:, None]


def _spline(cells: int, fine: int) -> np.ndarray:
    """Return the matrix (fine, cells) of cubic splines through the cells' centres that are 0 on both walls."""
    knots = np.concatenate([[0.0], (np.arange(cells) + 0.5) / cells, [1.0]])
    values = np.eye(cells + 2)[:, 1:-1]
    return np.asarray(CubicSpline(knots, values)((np.arange(fine) + 0.5) / fine))


def coarse_flows(
    name: str, settings: dict[str, Any], resolutions: Sequence[int], steps: Sequence[int], history: int = 1
) -> Iterator[Setting]:
    """Return solvers of a periodic evolution problem: ETDRK4 on n points per axis, with so many steps per stored time.

    The initial state is cut to the modes that n points keep; the states come back on the grid of `settings`, exactly.
    With `history` above 1 the inputs are (N, history, *fine), the first stored states, of which it sees the last.
    """
    fine = make_problem(name, **settings)
    assert isinstance(fine, SpectralEvolution)
    for n in resolutions:
        for count in steps:
            coarse = make_problem(name, **{**settings, "resolution": n, "substeps": count, "tolerance": None})
            assert isinstance(coarse, SpectralEvolution)
            power = "²" if coarse.ndim == 2 else ""
            yield Setting(f"{n}{power}, {count} steps", partial(_flow, coarse, fine.shape, history))


def _flow(problem: SpectralEvolution, shape: tuple[int, ...], history: int, initial: np.ndarray) -> np.ndarray:
    grid = problem.grid
    if history > 1:
        initial = initial[:, -1]
    modes = grid.to_modes(initial, shape)
    length = problem.final_time / problem.snapshots
    states = []
    for _ in range(problem.snapshots + 1 - history):
        modes = problem.stepper.advance(modes, length / problem.substeps, problem.substeps).modes
        states.append(grid.to_fields(modes, shape))
    return np.stack(states, axis=1)
