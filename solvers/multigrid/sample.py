"""Solve one sample of a batch: read its arrays, solve, explain the outcome, switch the method on a stall."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..containers import refuse_masked
from ..errors import InputError
from ..iteration import describe
from ..magnitudes import array_times_two_to, norm_of, representable, times_two_to
from ..matrices.box import Box
from ..operands import is_gpu
from ..result import SEVERITY, SolveResult, Status
from ..stopping import EPSILON
from .fallback import assemble, solve_assembled
from .outcomes import (
    CONVERGED,
    INDEFINITE,
    MAXITER,
    NONFINITE,
    SLOW,
    STAGNATED,
    STATUS,
    largest_magnitude,
    sum_of_squares,
)
from .plane.workspace import Workspace
from .space.workspace import Workspace3D

STEPS = 2
"""Relaxation steps before and after: measured, 1 costs more in iterations than it saves, 3 saves what it costs."""

PATIENCE = 500
"""A sample whose rate predicts more cycles than this is given up: algebraic multigrid then costs less."""

_FAR = 800
"""The exponent of a power of two beyond which products with it may leave float64."""

_NEAR = (1e-200, 1e200)
"""Coefficients that need no scaling of their own."""


@dataclass(eq=False, repr=False)
class BatchResult:
    """Hold the solutions of a batch, with their certificates.

    Attributes
    ----------
    x : ndarray, (K, *shape), float64
        A CuPy array where the coefficients were one.
    results : tuple of SolveResult
        One per sample; their `x` are views of the batch's.
    methods : tuple of str
        What solved each sample: 'multigrid', or after a stall 'amg' or 'direct'.
    seconds : float
        Wall time of the batch, set-up included.
    threads : int
    """

    x: Any
    results: tuple[SolveResult, ...]
    methods: tuple[str, ...]
    seconds: float
    threads: int

    @property
    def residuals(self) -> np.ndarray:
        """Return ‖b − A x‖₂ of each sample, recomputed in float64, (K,)."""
        return np.array([result.residual for result in self.results])

    @property
    def relative_residuals(self) -> np.ndarray:
        """Return ‖b − A x‖₂/‖b‖₂ of each sample, (K,)."""
        return np.array([result.relative_residual for result in self.results])

    @property
    def iterations(self) -> np.ndarray:
        """Return the iterations of each sample, (K,)."""
        return np.array([result.iterations for result in self.results], dtype=np.int64)

    @property
    def statuses(self) -> tuple[Status, ...]:
        """Tell how the solve of each sample ended."""
        return tuple(result.status for result in self.results)

    @property
    def converged(self) -> bool:
        """Return whether every sample converged."""
        return all(result.converged for result in self.results)

    @property
    def message(self) -> str:
        """Tell in one line how many converged, and what happened to the worst."""
        good = sum(result.converged for result in self.results)
        line = f"{good} of {len(self.results)} samples converged"
        switched = sum("took over" in result.message for result in self.results)
        if switched:
            line += f", {switched} of them by amg or direct after multigrid stalled"
        if good == len(self.results):
            return line + "."
        worst = max(self.results, key=lambda result: SEVERITY.index(result.status))
        return f"{line}; sample {self.results.index(worst)}: {worst.message}"

    def __repr__(self) -> str:
        return f"BatchResult of shape {self.x.shape}: {self.message}"

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, k: int) -> SolveResult:
        return self.results[k]

    def __iter__(self) -> Iterator[SolveResult]:
        return iter(self.results)


def workspace_for(box: Box) -> Workspace | Workspace3D:
    """Return the memory that one thread needs on a box."""
    return Workspace(box, STEPS) if len(box.shape) == 2 else Workspace3D(box, STEPS)


def solve_sample(
    workspace: Workspace | Workspace3D,
    box: Box,
    coefficient: np.ndarray,
    rhs: np.ndarray,
    x: np.ndarray,
    rtol: float,
    maxiter: int,
    fallback: bool,
) -> tuple[SolveResult, str]:
    """Solve one sample into x; return its result and the method's name."""
    began = time.perf_counter()
    coefficient, rhs = np.ascontiguousarray(coefficient), np.ascontiguousarray(rhs)
    size, exponent = _size_and_exponent(rhs)
    if abs(exponent) > _FAR:
        rhs, factor = array_times_two_to(np, rhs, -exponent), 1.0
    else:
        factor = math.ldexp(1.0, -exponent)
    # One value tells the size of a field whose contrast is a number that float32 holds.
    far = not _NEAR[0] <= coefficient.item(0) <= _NEAR[1]
    shift = math.frexp(largest_magnitude(coefficient.reshape(-1)))[1] if far else 0
    definite = workspace.set_up(array_times_two_to(np, coefficient, -shift))
    setup_seconds = time.perf_counter() - began
    began = time.perf_counter()
    if definite:
        code, iterations, residual = workspace.solve(rhs, factor, rtol * size, maxiter, PATIENCE)
    else:
        code, iterations, residual = INDEFINITE, 0, size
        workspace.solve(rhs, factor, math.inf, 0, 1)  # leaves x = 0
    # A' y = c b was solved with A' = s A, so x = (s/c) y; both factors are powers of two.
    power = math.frexp(workspace.scale)[1] - 1 + exponent - shift
    held = abs(power) <= _FAR
    if held:
        np.multiply(workspace.x, math.ldexp(1.0, power), out=x)
    else:
        x[...] = representable(np, workspace.x, power)
    if box.singular:
        x -= x.mean()
    if code == CONVERGED and not held:
        residual = max(residual, _residual_of(workspace, box, rhs * factor, array_times_two_to(np, x, -power)))
        held = residual <= rtol * size
    result = SolveResult(
        x=x,
        status=STATUS[code],
        iterations=iterations,
        residuals=_unscaled(workspace.history[: iterations + 1], exponent),
        residual=times_two_to(residual, exponent),
        rhs_norm=times_two_to(size, exponent),
        matvecs=iterations + 1,
        applies=iterations,
        setup_seconds=setup_seconds,
        solve_seconds=time.perf_counter() - began,
        message="",
        quotient=residual / size if abs(exponent) > _FAR else None,
    )
    if code == CONVERGED and not held:
        result.status = Status.UNREPRESENTABLE
        reason = "the solution has values that float64 does not hold"
        result.message = describe(result.status, iterations, residual, rtol * size, reason, 0.0, exponent)
        return result, "multigrid"
    floor = 0.0
    if code != CONVERGED:
        floor = (
            EPSILON
            * 2.0
            * workspace.largest_diagonal()
            / workspace.scale
            * math.sqrt(sum_of_squares(x.reshape(-1), 1.0))
        )
    stalled = explain(result, code, rtol, floor)
    if code != CONVERGED:
        workspace.forget()
    if not (stalled and fallback) or shift:  # entries of the matrix itself may leave float64
        return result, "multigrid"
    if isinstance(workspace, Workspace3D):
        faces = workspace.unscaled_faces()
    else:
        faces = (workspace.north / workspace.scale, workspace.east / workspace.scale)
    return switch(result, faces, box, rhs, x, rtol)


def explain(result: SolveResult, code: int, rtol: float, floor: float) -> bool:
    """Write the message of a result; return whether another method might do better."""
    iterations = f"{result.iterations} iteration{'' if result.iterations == 1 else 's'}"
    threshold = rtol * result.rhs_norm
    sizes = f"‖b − Ax‖₂ = {result.residual:.3g} {'≤' if code == CONVERGED else '>'} {threshold:.3g}"
    if code == CONVERGED:
        result.message = f"converged after {iterations}: {sizes}."
        return False
    at_floor = result.residual <= 10.0 * floor
    if code == STAGNATED and at_floor:
        floor_named = f"float64's floor ε‖A‖‖x‖ is about {floor:.2g}"
        result.message = f"stagnated after {iterations}: {sizes}; {floor_named}. {result.status.advice}"
        return False
    reason = {
        MAXITER: "the iterations allowed are used up",
        SLOW: f"it would need more than {PATIENCE} iterations",
        STAGNATED: "the true residual stopped falling",
        INDEFINITE: "the cycle is not definite in float32",
        NONFINITE: "the residual is not finite",
    }[code]
    result.message = f"{result.status} after {iterations}: {sizes}; {reason}. {result.status.advice}"
    return True


def switch(
    stalled: SolveResult, faces: tuple[np.ndarray, ...], box: Box, rhs: np.ndarray, x: np.ndarray, rtol: float
) -> tuple[SolveResult, str]:
    """Solve a sample on which multigrid stalled by another method."""
    began = time.perf_counter()
    matrix = assemble(faces, box.periodic)
    start = x.ravel() if stalled.residual < stalled.rhs_norm else None
    result, method = solve_assembled(matrix, rhs.ravel(), start, rtol, box.singular)
    if not result.residual < stalled.residual:
        return stalled, "multigrid"
    x[...] = result.x.reshape(x.shape)
    if box.singular:
        x -= x.mean()
    result.x = x
    result.message = (
        f"multigrid stalled at ‖b − Ax‖₂ = {stalled.residual:.3g} after {stalled.iterations} iterations "
        f"and {method} took over: {result.message}"
    )
    result.setup_seconds += stalled.setup_seconds + stalled.solve_seconds
    result.solve_seconds = time.perf_counter() - began
    return result, method


def _size_and_exponent(rhs: np.ndarray) -> tuple[float, int]:
    """Return f in [½, 1) and k with ‖b‖₂ = f 2^k; (0, 0) for b = 0."""
    flat = rhs.reshape(-1)
    largest = largest_magnitude(flat)
    if largest == 0.0:
        return 0.0, 0
    exponent = math.frexp(largest)[1]
    if abs(exponent) > _FAR:
        square = sum_of_squares(array_times_two_to(np, flat, -exponent), 1.0)
    else:
        square = sum_of_squares(flat, math.ldexp(1.0, -exponent))
    size, more = math.frexp(math.sqrt(square))
    return size, exponent + more


def _unscaled(history: np.ndarray, exponent: int) -> np.ndarray:
    """Return a copy of norms times 2^exponent."""
    if abs(exponent) > _FAR:
        return array_times_two_to(np, history, exponent)
    return history * math.ldexp(1.0, exponent)


def _residual_of(workspace: Workspace | Workspace3D, box: Box, rhs: np.ndarray, y: np.ndarray) -> float:
    """Return ‖b' − A' y‖₂ of the scaled operator."""
    if isinstance(workspace, Workspace3D):
        faces = tuple(face * workspace.scale for face in workspace.unscaled_faces())
    else:
        faces = (workspace.north, workspace.east)
    return norm_of(np, rhs.reshape(-1) - assemble(faces, box.periodic) @ y.reshape(-1))


def read_rhs(rhs: Any, shape: tuple[int, ...], on_gpu: bool = False) -> Any:
    """Return the sources, of `shape`; on a GPU, if all samples share one, of shape (1, ...)."""
    if is_gpu(rhs) and not on_gpu:
        raise InputError("rhs is a CuPy array but coefficients is not; pass cupy.asarray(coefficients), or rhs.get().")
    if on_gpu and not is_gpu(rhs) and np.ndim(rhs) > 0:
        raise InputError("coefficients is a CuPy array but rhs is not; pass cupy.asarray(rhs), or coefficients.get().")
    refuse_masked(rhs, "rhs")
    try:
        sources = rhs if is_gpu(rhs) else np.asarray(rhs)
    except ValueError as error:
        raise InputError(f"rhs is not an array ({error}); expected a number or an array of shape {shape}.") from error
    if sources.dtype.kind not in "iuf" or sources.dtype.itemsize > 8:
        raise InputError(f"rhs has dtype {sources.dtype}; expected real numbers up to float64.")
    if sources.shape not in ((), shape, shape[1:]):
        raise InputError(f"rhs has shape {sources.shape}; expected a number, or shape {shape} or {shape[1:]}.")
    if not np.isfinite(sources).all():
        raise InputError("rhs holds values that are not finite; expected finite numbers.")
    sources = sources.astype(np.float64, copy=False)
    if on_gpu:
        import cupy

        return sources if sources.ndim == len(shape) else cupy.broadcast_to(cupy.asarray(sources), (1, *shape[1:]))
    if sources.ndim < len(shape):
        return np.broadcast_to(np.array(np.broadcast_to(sources, shape[1:]), order="C"), shape)
    return np.ascontiguousarray(sources)


def check_sums(sources: np.ndarray) -> None:
    """Check that sources sum to zero: without a Dirichlet side no solution exists otherwise."""
    axes = tuple(range(1, sources.ndim))
    sums, sizes = sources.sum(axis=axes), abs(sources).sum(axis=axes)
    bad = abs(sums) > 1e-12 * sizes
    if bad.any():
        k = int(bad.argmax())
        total = float(sums[k])
        raise InputError(
            f"rhs of sample {k} sums to {total:.3g}; without a Dirichlet side it must sum to zero: subtract its mean."
        )
