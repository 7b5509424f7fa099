"""Solve a batch on a device, in portions that its memory holds; stalled samples are solved again on the host."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from ...matrices.box import Box
from ...operands import on_host
from ...result import SolveResult
from ...stopping import EPSILON
from ..outcomes import CONVERGED, STATUS
from ..sample import PATIENCE, STEPS, BatchResult, explain, switch
from .conjugate_gradients import DeviceSolver, Outcome, samples_at_once
from .launcher import Launcher


def solve_on_device(
    launcher: Launcher,
    coefficients: Any,
    rhs: Any,
    box: Box,
    rtol: float,
    maxiter: int,
    fallback: bool,
) -> BatchResult:
    """Solve a batch of two-dimensional problems with the batch as the parallel axis; see `solve_batch`.

    Parameters
    ----------
    launcher : Launcher
    coefficients : array of the device, (K, ny, nx), float64
    rhs : array of the device, (K, ny, nx) or (1, ny, nx) for one that all samples share, float64
    box, rtol, maxiter, fallback
        As in `solve_batch`, after its checks.

    Returns
    -------
    BatchResult
        `x` lies on the device. Samples are solved together: each one's seconds are its share.
    """
    began = time.perf_counter()
    xp = launcher.xp
    count = len(coefficients)
    shared = len(rhs) < count
    x = xp.empty((count, *box.shape), dtype=np.float64)
    portion = samples_at_once(launcher, box, count)
    solver = DeviceSolver(launcher, box, STEPS, portion)
    results: list[tuple[SolveResult, str]] = []
    for first in range(0, count, portion):
        started = time.perf_counter()
        chosen = slice(first, min(first + portion, count))
        fields = xp.ascontiguousarray(coefficients[chosen])
        sources = xp.ascontiguousarray(rhs if shared else rhs[chosen])
        outcome = solver.solve(fields, sources, shared, x[chosen], rtol, maxiter, PATIENCE)
        launcher.synchronize()
        seconds = (time.perf_counter() - started) / len(fields)
        for k in range(len(fields)):
            source = sources[0 if shared else k]
            results.append(_finish_sample(solver, box, outcome, k, source, x[first + k], rtol, fallback, seconds))
    return BatchResult(
        x=x,
        results=tuple(result for result, _ in results),
        methods=tuple(method for _, method in results),
        seconds=time.perf_counter() - began,
        threads=1,
    )


def _finish_sample(
    solver: DeviceSolver,
    box: Box,
    outcome: Outcome,
    k: int,
    rhs: Any,
    x: Any,
    rtol: float,
    fallback: bool,
    seconds: float,
) -> tuple[SolveResult, str]:
    """Return the result of a sample of a portion, and the method's name; a stalled one is solved again on the host."""
    code, iterations, factor = int(outcome.states[k]), int(outcome.iterations[k]), float(outcome.factor[k])
    residual = float(outcome.residuals[k]) / factor
    history = outcome.norms[: iterations + 1, k] / factor
    history[-1] = residual
    result = SolveResult(
        x=x,
        status=STATUS[code],
        iterations=iterations,
        residuals=history,
        residual=residual,
        rhs_norm=float(outcome.rhs_norms[k]),
        matvecs=iterations + 1,
        applies=iterations,
        setup_seconds=outcome.setup_seconds / len(outcome.states),
        solve_seconds=seconds - outcome.setup_seconds / len(outcome.states),
        message="",
    )
    scale = float(outcome.scale[k])
    floor = 0.0
    if code != CONVERGED:
        inverse = solver.hierarchy.levels[0].inverse[k]
        largest = 1.0 / float(inverse[inverse > 0.0].min()) if bool((inverse > 0.0).any()) else 0.0
        floor = EPSILON * 2.0 * largest / scale * math.sqrt(float((x * x).sum()))
    stalled = explain(result, code, rtol, floor)
    if not (stalled and fallback):
        return result, "multigrid"
    ny, nx = box.shape
    faces = (on_host(solver.north[k, :, :nx]) / scale, on_host(solver.east[k, :ny]) / scale)
    on_the_host = on_host(x).copy()
    switched, method = switch(result, faces, box, on_host(rhs), on_the_host, rtol)
    if switched is not result:
        x[...] = solver.on_device(on_the_host)
        switched.x = x
    return switched, method
