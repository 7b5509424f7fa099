"""Solve for several right-hand sides by block conjugate gradients, which share one Krylov space."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import scipy.linalg

from ..diagnosis import Diagnosis
from ..iteration import (
    FAR_OFF,
    Breakdown,
    Column,
    Method,
    combined,
    describe,
    read_system,
    verdict,
)
from ..magnitudes import exponent_of_vector, norm_of, times_two_to
from ..operands import on_host
from ..result import SolveResult, Status
from ..scaled_system import Scaling, certified_again
from ..stopping import EPSILON, Floor, Progress
from ..wide_residual import HIDDEN, residual_hidden

_INSPECTION_INTERVAL = 50
_GROWTH = 1e9
_DEPENDENT = 1e-12
"""A direction is dropped when less than this share of it is new."""

_COMBINED = 1e-8
"""A residual is represented as a combination of others if less than this share of it is new; the next restart recovers
the new part."""

_FAR = 1e-3
"""Directions whose Gram matrix has pivots above the square of this are orthonormalised by it, which is faster."""


def block_cg(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    nullspace: Any = None,
) -> SolveResult:
    """Solve A X = B by block conjugate gradients, for A Hermitian positive definite and several right-hand sides.

    Column j minimises its ‖x − x_k‖_A over the sum of all columns' Krylov spaces: with s columns the convergence is
    that of a condition number λ_max/λ_s, without the s − 1 smallest eigenvalues, and products come in blocks, which for
    a sparse matrix may take the time of one. Residuals that depend on others are represented as combinations and cost
    no products of their own; directions are orthonormalised, and dependent ones dropped, so nothing breaks down. The
    block iterates until each column has met its tolerance.

    An iteration with k directions takes O(k² n) operations on vectors besides the products, so it pays if products or
    M are expensive (multigrid, factors, dense A), and not with a sparse A and a diagonal M: use `cg` there.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Hermitian positive definite; or semidefinite with B in its range. CuPy matrices work too.
    b : array, (n,) or (n, k)
        Right-hand sides, solved together; each is reported in `columns`, with the products of its own directions.
    x0, rtol, atol
        As in `cg`.
    maxiter : int, optional
        Iterations of the block; 10 n by default.
    M : preconditioner of kind 'spd', optional
        Approximates A⁻¹.
    callback : callable, optional
        Called as ``callback(X_k)`` after each iteration of the block, X_k of the shape of b.
    nullspace : array, (n, m) or (n,), optional
        As in `cg`.

    Returns
    -------
    SolveResult
        `indefinite`: PᴴA P is not positive definite.

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    O'Leary, Linear Algebra Appl. 29 (1980) 293; Ji and Li, BIT 57 (2017) 379 (breakdown-free).
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        system = read_system(METHOD, A, b, x0, rtol, atol, maxiter, M, callback, nullspace)
        return _BlockSolve(system, callback).run()


class _BlockSolve:
    """Drive the block as `run` drives single columns, with one decision for each column. Vectors are rows here."""

    def __init__(self, system: Any, callback: Callable[[Any], Any] | None) -> None:
        self.began = time.perf_counter()
        self.system, self.callback = system, callback
        column: Column = system.column
        self.column, xp = column, column.xp
        self.single = system.rhs.ndim == 1
        rhs_rows = system.rhs[None, :] if self.single else system.rhs.T
        self.k = rhs_rows.shape[0]
        self.scalings = [Scaling(xp, exponent_of_vector(xp, row), column.A.exponent) for row in rhs_rows]
        rows = zip(self.scalings, rhs_rows, strict=True)
        self.B = xp.stack([scaling.down(xp.asarray(row, dtype=column.dtype)) for scaling, row in rows])
        self.sizes = np.array([column.norm(row) for row in self.B])
        relative = system.rtol * self.sizes
        absolute = [times_two_to(system.atol, -scaling.rhs) for scaling in self.scalings]
        self.thresholds = np.fmax(relative, absolute)  # ∞·0 is no number: b = 0 needs no tolerance
        self.targets = np.maximum(self.thresholds, EPSILON * self.sizes)
        self.matvecs, self.applies = np.zeros(self.k, dtype=int), np.zeros(self.k, dtype=int)
        if system.guess is None:
            self.X, self.R = xp.zeros_like(self.B), self.B.copy()
        else:
            guess = system.guess[None, :] if self.single else system.guess.T
            rows = zip(self.scalings, guess, strict=True)
            self.X = xp.stack([scaling.guess(xp.asarray(row, dtype=column.dtype)) for scaling, row in rows])
            self.X[self.sizes == 0.0] = 0.0
            if column.nullspace is not None:
                self.X = _projected(column, self.X)
            self.R = self.B.copy()
            self._recompute(np.flatnonzero(self.sizes))
            far = ~(np.array([norm_of(xp, row) for row in self.R]) < FAR_OFF)
            self.X[far], self.R[far] = 0.0, self.B[far]
        if column.nullspace is not None:
            for row, size, target in zip(self.B, self.sizes, self.targets, strict=True):
                column.nullspace.check_consistent(row, float(size), float(target))
        self.norms = np.array([column.norm(row) for row in self.R])
        self.histories = [[float(norm)] for norm in self.norms]
        self.best_X, self.best = self.X.copy(), self.norms.copy()
        self.iterations = 0
        self.reasons: list[tuple[Status, str] | None] = [None] * self.k

    def run(self) -> SolveResult:
        """Restart the block from true residuals until each column has a reason to end."""
        progress = [Progress(float(norm)) for norm in self.norms]
        claimed: np.ndarray = np.zeros(self.k, dtype=bool)
        failure: Breakdown | None = None
        while True:
            for j in range(self.k):
                if self.reasons[j] is None:
                    counts = self.iterations, self.system.maxiter, progress[j], bool(claimed[j]), failure
                    self.reasons[j] = verdict(float(self.norms[j]), float(self.thresholds[j]), *counts)
            active = np.array([j for j in range(self.k) if self.reasons[j] is None], dtype=int)
            if active.size == 0:
                return self._result()
            claimed, failure = self._advance(active)
            self._recompute(active)
            for j in active:
                self.norms[j] = self.histories[j][-1] = self.column.norm(self.R[j])
                if self.norms[j] < self.best[j]:
                    self.best[j], self.best_X[j] = self.norms[j], self.X[j]

    def _advance(self, active: np.ndarray) -> tuple[np.ndarray, Breakdown | None]:
        """Follow the recurrence on the active columns until each claims its tolerance; return claims and failure."""
        column = self.column
        claimed = np.zeros(self.k, dtype=bool)
        X, R = self.X[active], self.R[active]
        if column.nullspace is not None:
            R = _projected(column, R)
        steps = _block_conjugate_gradients(column, X, R)
        began = self.iterations
        failure: Breakdown | None = None
        try:
            for norms, owners in steps:
                self.iterations += 1
                self.matvecs[active[owners]] += 1
                if column.preconditioned:
                    self.applies[active] += 1
                for j, norm in zip(active, norms, strict=True):
                    if not claimed[j]:
                        history = self.histories[j]
                        history.extend([history[-1]] * (self.iterations - len(history)))
                        history.append(float(norm))
                claimed[active] |= norms <= self.targets[active]
                if self.callback is not None:
                    self.X[active] = X
                    self.callback(self._shaped(self.X))
                if not np.isfinite(norms).all():
                    failure = Breakdown(Status.NONFINITE, "the residual is not finite")
                elif (norms > _GROWTH * np.array([self.histories[j][0] for j in active])).any():
                    failure = Breakdown(Status.DIVERGED, f"a residual grew to {float(norms.max()):.3g} times its norm")
                if failure is not None or claimed[active].all() or self.iterations >= self.system.maxiter:
                    break
                if self.iterations % _INSPECTION_INTERVAL == 0:
                    self.X[active] = X
                    self._recompute(active)
                    true = np.array([column.norm(self.R[j]) for j in active])
                    if (norms < 0.5 * true).any():
                        claimed[active] |= norms < 0.5 * true
                        break
        except Breakdown as error:
            failure = error
        self.X[active] = X
        if failure is None and self.iterations == began:
            failure = Breakdown(Status.BREAKDOWN, "the recurrence made no step")
        return claimed, failure

    def _recompute(self, which: np.ndarray) -> None:
        if which.size:
            self.R[which] = self.B[which] - self.column.A.rows(self.X[which])
            self.matvecs[which] += 1

    def _shaped(self, X: Any) -> Any:
        X = self.column.xp.stack([scaling.up(row) for scaling, row in zip(self.scalings, X, strict=True)])
        return X[0] if self.single else X.T

    def _result(self) -> SolveResult:
        diagnosis = Diagnosis(METHOD.name, METHOD.hermitian, self.column.A, self.column.preconditioned)
        seconds = (time.perf_counter() - self.began) / self.k
        floor = Floor(self.column.A)
        columns = []
        for j, scaling in enumerate(self.scalings):
            status, reason = self.reasons[j] or (Status.BREAKDOWN, "")
            x, residual = self.X[j], float(self.norms[j])
            failed = status in (Status.STAGNATED, Status.DIVERGED, Status.NONFINITE)
            if failed and not residual <= self.best[j]:
                x, residual = self.best_X[j], float(self.best[j])
            held, changed = scaling.returned(x)
            threshold = float(self.thresholds[j])
            if changed is not None:
                x, before = changed, residual
                self.histories[j][-1] = residual = norm_of(self.column.xp, self.B[j] - self.column.A(x))
                self.matvecs[j] += 1
                status, reason = certified_again(status, reason, before, residual, threshold)
            if status is Status.CONVERGED:
                hidden = residual_hidden(self.column.A, x, self.B[j], float(self.sizes[j]), threshold)
                if hidden is not None:
                    status, reason, self.histories[j][-1] = Status.STAGNATED, HIDDEN, hidden
                    residual = hidden
            iterations = len(self.histories[j]) - 1
            lowest = floor(x) if status is Status.STAGNATED else 0.0
            columns.append(
                SolveResult(
                    x=held,
                    status=status,
                    iterations=iterations,
                    matvecs=int(self.matvecs[j]),
                    applies=int(self.applies[j]),
                    setup_seconds=0.0,
                    solve_seconds=seconds,
                    message=describe(status, iterations, residual, threshold, reason, lowest, scaling.rhs),
                    **scaling.norms(self.histories[j], residual, float(self.sizes[j])),
                )
            )
        columns = [diagnosis.of(column) for column in columns]
        if self.single:
            columns[0].setup_seconds = self.system.setup_seconds
            return columns[0]
        return combined(tuple(columns), self.column.xp, self.system.setup_seconds)


def _block_conjugate_gradients(column: Column, X: Any, R: Any) -> Generator[tuple[np.ndarray, list[int]], None, None]:
    """Yield the residual norms and, for each product, the row that its direction came from."""
    A, xp = column.A, column.xp
    first = np.array([column.norm(row) for row in R])
    basis, leaders = _independent(column, R, first > 0.0, _COMBINED)
    if not leaders:
        raise Breakdown(Status.NONFINITE, "the residual is not finite")
    parts = on_host(R @ _conjugate(basis).T)
    try:
        mixture = xp.asarray(np.linalg.solve(parts[leaders].T, parts.T).T)  # R = mixture @ R[leaders]
    except np.linalg.LinAlgError:
        raise Breakdown(Status.NONFINITE, "the residuals are too small for their inner products") from None
    leading, first = np.array(leaders), first[leaders]
    norms = first
    previous: Any = None
    while True:
        Z = xp.stack([xp.asarray(column.M(R[j]), dtype=column.dtype) for j in leaders])
        if previous is not None:
            P, Q, factor = previous
            Z = Z - _solved(xp, factor, _conjugate(Q) @ Z.T).T @ P
        if not np.isfinite(on_host(Z).sum()):
            raise Breakdown(Status.NONFINITE, "M R is not finite")
        P, owners = _independent(column, Z, norms > EPSILON * first, _DEPENDENT)
        if not owners:
            return
        Q = A.rows(P)
        energy = on_host(_conjugate(P) @ Q.T)
        if not np.isfinite(energy).all():
            raise Breakdown(Status.NONFINITE, "A P is not finite")
        energy = 0.5 * (energy + energy.conj().T)
        try:
            factor = scipy.linalg.cho_factor(energy, check_finite=False)
        except np.linalg.LinAlgError:
            lowest = float(np.linalg.eigvalsh(energy)[0])
            raise Breakdown(
                Status.INDEFINITE, f"PᴴA P has the eigenvalue {lowest:.3g}: A is not positive definite"
            ) from None
        steps = mixture @ _solved(xp, factor, _conjugate(P) @ (R if len(leaders) == len(R) else R[leading]).T).T
        X += steps @ P
        R -= steps @ Q
        every = np.array([column.norm(row) for row in R])
        norms = every[leading]
        yield every, [leaders[j] for j in owners]
        previous = P, Q, factor


def _solved(xp: Any, factor: Any, sides: Any) -> Any:
    """Return the solution by a Cholesky factor, on the device; NaN passes through."""
    return xp.asarray(scipy.linalg.cho_solve(factor, on_host(sides), check_finite=False))


def _independent(column: Column, Z: Any, eligible: np.ndarray, least: float) -> tuple[Any, list[int]]:
    """Orthonormalise the eligible rows of Z, without those that depend on others; return them and their numbers."""
    xp = column.xp
    rows = [int(j) for j in np.flatnonzero(eligible)]
    if 1 < len(rows) == len(Z):
        orthonormal = _orthonormal(xp, Z)
        if orthonormal is not None:
            return orthonormal, rows
    store = xp.empty_like(Z)
    owners: list[int] = []
    for j in rows:
        size = column.norm(Z[j])
        if not size > 0.0:
            continue
        v = Z[j] / size
        basis = store[: len(owners)]
        for _ in range(2):
            v = v - (_conjugate(basis) @ v) @ basis
        remainder = column.norm(v)
        if remainder > least:
            if remainder < 1e-3:
                v = v / remainder
                v = v - (_conjugate(basis) @ v) @ basis
                remainder = column.norm(v)
            store[len(owners)] = v / remainder
            owners.append(j)
    return store[: len(owners)], owners


def _orthonormal(xp: Any, Z: Any) -> Any:
    """Orthonormalise rows by Cholesky factors of their Gram matrix, twice; None if they are close to dependent."""
    for final in (False, True):
        gram = on_host(_conjugate(Z) @ Z.T)
        sizes = np.sqrt(np.diagonal(gram).real)
        if not (sizes.min() > 0.0 and np.isfinite(gram).all()):
            return None
        try:
            factor = np.linalg.cholesky(gram / np.outer(sizes, sizes))
        except np.linalg.LinAlgError:
            return None
        if not final and np.diagonal(factor).real.min() < _FAR:
            return None
        inverse = scipy.linalg.solve_triangular(factor, np.diag(1.0 / sizes), lower=True)
        Z = xp.asarray(inverse.conj()) @ Z  # rows: Gᵢⱼ = zᵢᴴ zⱼ = (L Lᴴ)ᵢⱼ
    return Z


def _conjugate(rows: Any) -> Any:
    return rows.conj() if rows.dtype.kind == "c" else rows


def _projected(column: Column, rows: Any) -> Any:
    assert column.nullspace is not None
    return column.xp.stack([column.nullspace.project(row) for row in rows])


METHOD = Method("block_cg", _block_conjugate_gradients, hermitian=True, nullspace=True)
