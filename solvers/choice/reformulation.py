"""Rewrite a system so that solvers see an ordinary one: rows of one size, unknowns that occur, a positive diagonal.

A x = b becomes s D_r A D_c y = s D_r b on the unknowns that occur, and x = D_c y. The certificate is of A x = b itself
and, where the rows were scaled, of W A x = W b too, W the reciprocal sizes of the rows of A: with rows of very
different size ‖b − A x‖ is that of the largest ones, and tells nothing of the others. A right-hand side that is seen to
be outside the range of A is replaced by its part in the range, and the result says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..iteration import combined, describe
from ..linear_system import LinearSystem
from ..magnitudes import array_times_two_to, exponent_of_vector, norm_of, times_two_to
from ..matrices.components import floating_bodies
from ..matrices.equilibration import row_and_column_scales, spread_of, symmetric_scale
from ..matrices.symmetry import largest_of_rows
from ..result import SolveResult, Status

SMALL = 2_000
"""Unknowns up to which a sparse factorisation takes a few milliseconds, whatever the matrix."""

UNEVEN = 1e7
"""Quotient of the sizes of two rows from which they are scaled: ‖b − A x‖ ≤ 1e-8 ‖b‖ may then ignore the smaller."""


@dataclass(frozen=True)
class Reformulation:
    """Hold a system s D_r A D_c y = s D_r b, restricted to some unknowns, and the way back.

    Attributes
    ----------
    system : LinearSystem
        What is solved.
    matrix : csr_array or operator
        A, of the original system.
    rhs : ndarray, (n,) or (n, k)
        b.
    kept : ndarray or None
        The unknowns of the system; the others, whose rows and columns of A are zero, are zero. None: all.
    rows, columns : ndarray or None
        D_r and D_c, (n,); None: one.
    weights : ndarray or None
        The reciprocals of the sizes of the rows of A, where they are judged by, (n,).
    sign : float
        s.
    reason : str
        What was done, for the message: 'rows that differ by …'.
    inconsistency : str
        Why no x solves the system that was given; empty where one may.
    """

    system: LinearSystem
    matrix: Any
    rhs: np.ndarray
    kept: np.ndarray | None = None
    rows: np.ndarray | None = None
    columns: np.ndarray | None = None
    weights: np.ndarray | None = None
    sign: float = 1.0
    reason: str = ""
    inconsistency: str = ""

    def guess(self, x0: Any) -> np.ndarray:
        """Return the initial guess of the system for that of A x = b."""
        start = np.array(x0, dtype=np.result_type(np.asarray(x0).dtype, np.float64))
        if self.columns is not None:
            start = start / _as_column(self.columns, start)
        return start if self.kept is None else start[self.kept]

    def tolerance(self, rtol: float) -> float:
        """Return the absolute tolerance of the system: what was left out of b does not make it stricter."""
        if not self.inconsistency:
            return 0.0
        whole = self.rhs if self.rows is None else self.rhs * _as_column(self.rows, self.rhs)
        sizes = np.linalg.norm(whole.reshape(whole.shape[0], -1), axis=0)
        return rtol * float(sizes.min())

    def correcting(self, x: np.ndarray) -> LinearSystem:
        """Return the system of the error of x, with b − A x as its right-hand side."""
        r = self.rhs - self.matrix @ x
        if self.rows is not None:
            r = r * _as_column(self.rows, r)
        return self.system._replace(rhs=self.sign * (r if self.kept is None else r[self.kept]))

    def mapped(self, y: np.ndarray) -> np.ndarray:
        """Return x, of all unknowns of A, for a solution y of the system."""
        x = np.zeros(self.rhs.shape, dtype=np.result_type(y.dtype, np.float64))
        x[slice(None) if self.kept is None else self.kept] = y
        return x if self.columns is None else x * _as_column(self.columns, x)

    def certified(self, result: SolveResult, x: np.ndarray, rtol: float, atol: float) -> SolveResult:
        """Return the result for A x = b: its residuals are recomputed with A."""
        with np.errstate(over="ignore", invalid="ignore"):
            residual = self.rhs - self.matrix @ x
        if not result.columns:
            return self._certified(result, x, residual, self.rhs, rtol, atol)
        parts = zip(result.columns, x.T, residual.T, self.rhs.T, strict=True)
        columns = tuple(self._certified(part, x_j, r, b, rtol, atol) for part, x_j, r, b in parts)
        return combined(columns, np, result.setup_seconds)

    def _certified(
        self, result: SolveResult, x: np.ndarray, r: np.ndarray, b: np.ndarray, rtol: float, atol: float
    ) -> SolveResult:
        # Times a power of two norms neither overflow nor underflow.
        exponent = exponent_of_vector(np, b)
        r, b = (array_times_two_to(np, v, -exponent) for v in (r, b))
        size, rhs_norm = norm_of(np, r), norm_of(np, b)
        threshold = max(rtol * rhs_norm, times_two_to(atol, -exponent))
        met, judged = size <= threshold, ""
        if self.weights is not None:
            scaled, scaled_rhs = (norm_of(np, self.weights * v) for v in (r, b))
            met = met and (scaled <= rtol * scaled_rhs or atol > 0.0)
            judged = f" With all rows scaled to one size the residual is {scaled / (scaled_rhs or 1.0):.2g} ‖b‖."
        if met:
            status, reason = Status.CONVERGED, ""
        elif self.inconsistency:
            status = Status.INCONSISTENT if result.converged else result.status
            reason = f"no x solves the system: {self.inconsistency}; x is a least-squares solution"
        elif result.status is Status.CONVERGED:
            status, reason = Status.STAGNATED, "the system as it was solved has converged, the one given has not"
        else:
            status, reason = result.status, result.status.advice.rstrip(".")
        history = result.residuals.copy()
        history[-1] = times_two_to(size, exponent)
        message = result.message
        if met or status is not result.status:
            floor = threshold if status is Status.STAGNATED else 0.0
            message = describe(status, result.iterations, size, threshold, reason, floor, exponent)
        return dataclasses.replace(
            result,
            x=x,
            status=status,
            residuals=history,
            residual=times_two_to(size, exponent),
            rhs_norm=times_two_to(rhs_norm, exponent),
            quotient=size / rhs_norm if exponent else None,
            message=f"{message}{judged}",
        )


def within_range(system: LinearSystem, basis: np.ndarray, tolerances: Mapping[str, Any]) -> Reformulation | None:
    """Return the system with the part of b in the null space of a Hermitian A left out; None if that is rounding.

    Parameters
    ----------
    basis : ndarray, (n, m)
        Spans the null space.
    """
    basis = np.linalg.qr(basis.reshape(basis.shape[0], -1))[0]
    part = basis @ (basis.conj().T @ system.rhs)
    what = _exceeding(part, system.rhs, tolerances)
    if not what:
        return None
    dimension = basis.shape[1]
    what = f"the null space of A has dimension {dimension}, and b has a part of relative size {what} in it"
    return Reformulation(
        system._replace(rhs=system.rhs - part),
        system.operator,
        system.rhs,
        reason=f"b has a part in the null space, of dimension {dimension}, which is left out",
        inconsistency=what,
    )


def _exceeding(part: np.ndarray, b: np.ndarray, tolerances: Mapping[str, Any]) -> str:
    """Return the largest relative size of the columns of a part of b that no x can meet; empty if they are small."""
    sizes, wholes = (np.array([norm_of(np, v) for v in np.atleast_2d(vectors.T)]) for vectors in (part, b))
    above = sizes > np.maximum(tolerances.get("rtol", 1e-8) * wholes, tolerances.get("atol") or 0.0)
    return f"{(sizes[above] / wholes[above]).max():.2g}" if above.any() else ""


def reformulated(
    system: LinearSystem, matrix: sp.csr_array, tolerances: Mapping[str, Any], hermitian: bool
) -> Reformulation | None:
    """Return a system that is easier to solve than the one given, or None where that one is ordinary.

    Parameters
    ----------
    system : LinearSystem
    matrix : csr_array
        The entries of its operator.
    tolerances : mapping
        ``rtol`` and ``atol``: what exceeds them in a part of b that no x meets makes the system inconsistent.
    hermitian : bool
        Whether A = Aᴴ.
    """
    if system.near_nullspace is not None:
        return None
    if system.nullspace is not None:
        return within_range(system, np.asarray(system.nullspace), tolerances)
    reasons = []
    inconsistency = ""
    sizes = largest_of_rows(matrix)
    kept = None
    given = system.rhs
    if not sizes.all():
        empty = sizes == 0.0
        part = np.where(empty if given.ndim == 1 else empty[:, None], given, 0.0)
        if what := _exceeding(part, given, tolerances):
            at = int(np.flatnonzero(part.any(axis=-1) if part.ndim == 2 else part)[0])
            many = f"{int(empty.sum())} rows of A are zero" if empty.sum() > 1 else "a row of A is zero"
            inconsistency = f"{many}, and b is not there (row {at}; relative size {what})"
            reasons.append("b is left out where rows of A are zero")
        system = system._replace(rhs=given - part)
        columns = np.zeros(matrix.shape[0], dtype=bool)
        columns[matrix.indices[matrix.data != 0.0]] = True
        isolated = (sizes == 0.0) & ~columns
        if isolated.any() and not isolated.all():
            kept = np.flatnonzero(~isolated)
            reasons.append(f"unknowns in no equation are zero ({int(isolated.sum())})")
    inner = matrix if kept is None else sp.csr_array(matrix[kept][:, kept])
    rhs = system.rhs if kept is None else system.rhs[kept]
    spread = spread_of(sizes)
    rows = scale = weights = None
    sign = 1.0
    if spread > UNEVEN:
        weights = 1.0 / np.where(sizes > 0.0, sizes, np.inf if kept is None else 1.0)
        weights[~np.isfinite(weights)] = 1.0
        if hermitian:
            rows = scale = symmetric_scale(inner)
        else:
            rows, scale = row_and_column_scales(inner)
        inner = sp.csr_array(sp.diags_array(rows) @ inner @ sp.diags_array(scale))
        rhs = rhs * _as_column(rows, rhs)
        reasons.append(f"rows that differ by a factor of {spread:.0e} are scaled to one size")
    diagonal = inner.diagonal()
    if matrix.shape[0] > SMALL and hermitian and diagonal.real.max() < 0.0:
        inner, rhs, sign = -inner, -rhs, -1.0
        reasons.append("its sign is changed, for its diagonal is negative")
    one_sign = bool((diagonal.real > 0.0).all() or (diagonal.real < 0.0).all())
    bodies = floating_bodies(inner) if hermitian and one_sign and not inconsistency else None
    if bodies is not None:
        projected = within_range(LinearSystem(inner, rhs, rhs.shape[:1]), bodies, tolerances)
        if projected is not None:
            rhs, inconsistency = projected.system.rhs, projected.inconsistency
            reasons.append(projected.reason)
    if not reasons or not (np.isfinite(rhs).all() and np.isfinite(inner.data).all()):
        return None
    full = [None if d is None or kept is None else _spread_out(d, kept, matrix.shape[0]) for d in (rows, scale)]
    return Reformulation(
        LinearSystem(inner, rhs, rhs.shape[:1]),
        matrix,
        given,
        kept,
        rows if kept is None else full[0],
        scale if kept is None else full[1],
        weights,
        sign,
        ", ".join(reasons),
        inconsistency,
    )


def _spread_out(values: np.ndarray, kept: np.ndarray, n: int) -> np.ndarray:
    whole = np.ones(n)
    whole[kept] = values
    return whole


def _as_column(d: np.ndarray, like: Any) -> np.ndarray:
    return d if like.ndim == 1 else d[:, None]


def warning_of_scales(system: LinearSystem, result: SolveResult) -> str:
    """Return a sentence if rows of A differ so much in size that ‖b − A x‖ says little of the smaller; else nothing."""
    operator = system.operator
    if not (sp.issparse(operator) or isinstance(operator, np.ndarray)) or result.x.ndim != 1:
        return ""
    matrix = sp.csr_array(operator)
    sizes = largest_of_rows(matrix)
    spread = spread_of(sizes)
    if not spread > UNEVEN:
        return ""
    sizes[sizes == 0.0] = 1.0
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        scaled, scaled_rhs = (norm_of(np, v / sizes) for v in (system.rhs - matrix @ result.x, system.rhs))
    return (
        f" Warning: rows of A differ by a factor of {spread:.0e}, and ‖b − Ax‖ is that of the largest; with all rows "
        f"scaled to one size it is {scaled / (scaled_rhs or 1.0):.2g} ‖b‖ (solver=auto scales them)."
    )
