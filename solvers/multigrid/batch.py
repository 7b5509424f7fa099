"""Solve many diffusion problems on one grid, one a thread."""

from __future__ import annotations

import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..arguments import is_integer
from ..errors import InputError
from ..matrices.box import Box, read_box
from ..matrices.coefficient import read_coefficient
from ..operands import is_gpu
from ..result import SolveResult
from ..stopping import check_tolerances
from .sample import BatchResult, check_sums, read_rhs, solve_sample, workspace_for

_DEVICE_RANGE = (1e-120, 1e120)
"""Largest values of fields whose quotients and squares stay within float64; those of the host are scaled."""


def solve_batch(
    coefficients: Any,
    rhs: Any = 1.0,
    *,
    rtol: float = 1e-10,
    threads: int | None = None,
    lengths: Any = None,
    boundary: Any = "dirichlet",
    maxiter: int = 500,
    fallback: bool = True,
) -> BatchResult:
    """Solve −∇·(a_k ∇u_k) = f_k for a batch of coefficient fields by multigrid-preconditioned conjugate gradients.

    Cell-centred finite volumes: the flux between two cells is T (u₁ − u₂)/h² with the harmonic mean T = 2a₁a₂/(a₁ +
    a₂), at a wall of value zero, half a cell away, T = 2a. Conjugate gradients run in float64; their preconditioner is
    one V-cycle in float32 of black-box multigrid: operator-dependent interpolation, Galerkin coarse stencils. No matrix
    is built. Where max a ≤ 16 min a, and always in three dimensions, directions are float32 too, and residuals are
    recomputed in float64 from time to time. In three dimensions, where max a ≤ 16 min a, coarse levels are
    rediscretised with linear interpolation, unless that converges slowly.

    Convergence is decided on residuals recomputed in float64. A sample on which the cycle stalls is solved by algebraic
    multigrid or a factorisation instead, and its result says so; a tolerance below what float64 holds ends as
    `stagnated`, with that floor named.

    Parameters
    ----------
    coefficients : array, (K, ny, nx) or (K, nz, ny, nx)
        Cell values, positive and finite. A CuPy array (K, ny, nx) is solved on its device, all samples at once, and
        `x` is then a CuPy array. That needs memory for about 15 doubles a cell; samples that do not fit at once are
        solved in portions. Stalled samples are solved again on the host.
    rhs : number or array, of the shape of `coefficients` or of one sample
        The source per unit volume.
    rtol : float
        Converged when ‖b − A x‖₂ ≤ rtol ‖b‖₂.
    threads : int, optional
        Samples solved at a time on a CPU, by default one a core that the process may use. Results do not depend on it,
        bit for bit.
    lengths : number or tuple, optional
        Extents of the box per axis, in the order of the axes of a sample; the unit box by default.
    boundary : str or tuple
        'dirichlet' (u = 0), 'neumann' (no flux) or 'periodic'; or one entry per axis, each a name or a pair (low,
        high). Without a Dirichlet side each f_k must sum to zero, and u_k of mean zero is returned.
    maxiter : int
        Iterations of a sample before the fallback.
    fallback : bool
        Whether to switch to another method on a stall.

    Returns
    -------
    BatchResult

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    Dendy, J. Comput. Phys. 48 (1982) 366; SIAM J. Sci. Stat. Comput. 8 (1987) 673 (three dimensions); Tatebe, NASA CP
    3224 (1993) 621 (multigrid as preconditioner).
    """
    began = time.perf_counter()
    fields = read_coefficient(coefficients, (3, 4), "(K, ny, nx) or (K, nz, ny, nx)", "coefficients")
    box = read_box(fields.shape[1:], lengths, boundary)
    sources = read_rhs(rhs, fields.shape, is_gpu(fields))
    rtol, _, maxiter = check_tolerances(rtol, 0.0, maxiter, 1)
    threads = _read_threads(threads, len(fields))
    if box.singular:
        check_sums(sources)
    if is_gpu(fields):
        return _solve_on_gpu(fields, sources, box, rtol, maxiter, fallback)
    x = np.empty(fields.shape)
    finished: list[tuple[SolveResult, str] | None] = [None] * len(fields)
    queue = itertools.count()  # next() of it is atomic
    failed = threading.Event()

    def work() -> None:
        workspace = workspace_for(box)
        while not failed.is_set() and (k := next(queue)) < len(fields):
            try:
                finished[k] = solve_sample(workspace, box, fields[k], sources[k], x[k], rtol, maxiter, fallback)
            except BaseException:
                failed.set()
                raise

    if threads == 1:
        work()
    else:
        with ThreadPoolExecutor(threads) as pool:
            for future in [pool.submit(work) for _ in range(threads)]:
                future.result()
    solved = [entry for entry in finished if entry is not None]
    return BatchResult(
        x=x,
        results=tuple(result for result, _ in solved),
        methods=tuple(method for _, method in solved),
        seconds=time.perf_counter() - began,
        threads=threads,
    )


def _solve_on_gpu(fields: Any, sources: Any, box: Box, rtol: float, maxiter: int, fallback: bool) -> BatchResult:
    """Solve CuPy arrays on the device that holds them."""
    from .device.batch import solve_on_device
    from .device.launcher import CupyLauncher

    if len(box.shape) != 2:
        raise InputError(
            f"coefficients is a CuPy array of shape {fields.shape}; samples of three dimensions are solved on the "
            f"CPU: pass coefficients.get()."
        )
    for what, array in (("coefficients", fields), ("rhs", sources)):
        largest = float(abs(array).max())
        if largest > 0.0 and not _DEVICE_RANGE[0] < largest < _DEVICE_RANGE[1]:
            raise InputError(
                f"{what} have a largest value of {largest:.3g}; on a GPU expected one from {_DEVICE_RANGE[0]:g} to "
                f"{_DEVICE_RANGE[1]:g}: rescale, or pass coefficients.get() and rhs.get()."
            )
    with fields.device:
        return solve_on_device(CupyLauncher(), fields, sources, box, rtol, maxiter, fallback)


def _read_threads(threads: Any, samples: int) -> int:
    if threads is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, min(cores, samples))
    if not is_integer(threads) or threads < 1:
        raise InputError(f"threads is {threads!r}; expected an integer ≥ 1, or None for the cores at hand.")
    return min(int(threads), samples)
