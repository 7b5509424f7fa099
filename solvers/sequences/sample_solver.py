"""Solve one sample of a sequence at a time: solvers, preconditioners, certificates, and the ledger of them all."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import InputError
from ..krylov.cg import cg
from ..krylov.deflated_cg import deflated_cg
from ..krylov.fgmres import fgmres
from ..krylov.gcrodr import fgcrodr, gcrodr
from ..krylov.gmres import gmres
from ..krylov.minres import minres
from ..krylov.recycled_minres import recycled_minres
from ..magnitudes import LARGEST, norm_of
from ..registry import METHODS, get_preconditioner, get_solver
from ..result import SolveResult, Status
from .analysis import Batch
from .result import CORRECTION_STEPS, Ledger
from .scaling import Scaling

_CORRECTION_BUDGET = 20


class SampleSolver:
    """Solve, correct and certify samples of a batch; hold the results and the ledger.

    Parameters
    ----------
    batch : Batch
    rtol, atol, maxiter, solver, solver_settings, preconditioner, preconditioner_settings
        As in `solve_sequence`.
    """

    def __init__(
        self,
        batch: Batch,
        rtol: float,
        atol: float,
        maxiter: int | None,
        solver: str | None,
        solver_settings: dict[str, Any],
        preconditioner: str | None,
        preconditioner_settings: dict[str, Any],
    ) -> None:
        self.batch = batch
        self.rtol, self.atol, self.maxiter = rtol, atol, maxiter
        self.solver, self.solver_settings = solver, solver_settings
        self.preconditioner, self.preconditioner_settings = preconditioner, preconditioner_settings
        self._positive = self.positive = batch.hermitian and batch.positive_diagonal()
        self.results: dict[int, SolveResult] = {}
        self.ledger = Ledger()
        self.alone: Callable[[int], SolveResult] | None = None
        self._last: tuple[Any, Any] | None = None

    def solve_alone(self, i: int, guess: np.ndarray | None = None) -> None:
        """Solve sample i separately, by `alone` if the caller gave it."""
        if self.alone is None:
            result = self.full(i, guess)
        else:
            result = self.certified(i, dataclasses.replace(self.alone(i), space=None))
            self.ledger.count(result)
        self.results[i] = result
        self.count_finish(result.iterations, own_setup=True)

    def full(self, i: int, guess: np.ndarray | None = None, rtol: float | None = None) -> SolveResult:
        """Solve by the solver and preconditioner of the settings; if that fails, by GCRO-DR."""
        A, b = self.batch.matrices[i], self.batch.rhs[i]
        if guess is not None and not self.helps(A, b, guess):
            guess = None
        self.positive = self._positive
        M = self.set_up(A)
        result = self.certified(i, self.run(A, b, guess, M, rtol=rtol))
        if result.converged or self.solver is not None:
            return result
        factors = self.set_up(A, "direct" if self.batch.factorable else None)
        M = factors if factors is not None else M
        budget = 10 * self.batch.n if self.maxiter is None else self.maxiter
        again = fgcrodr(A, b, guess, rtol=rtol or self.rtol, atol=self.atol, iterations=budget, M=M)
        self.ledger.count(again)
        again = dataclasses.replace(self.certified(i, again), space=None)
        return again if again.converged or again.residual < result.residual else result

    def certified(self, i: int, result: SolveResult) -> SolveResult:
        """Return a result as converged if it meets the tolerance, though not the stricter one of its solve."""
        limit = self.threshold(i)
        met = result.residual <= limit if math.isfinite(limit) else result.relative_residual <= self.rtol
        if not result.converged and met:
            message = f"converged after {result.iterations} iterations: ‖b − Ax‖₂ = {result.residual:.3g}."
            return dataclasses.replace(result, status=Status.CONVERGED, message=message)
        return result

    def accept(self, i: int, x: np.ndarray, how: str, solved: bool = False) -> bool:
        """Certify x as the solution of sample i, if its true residual says so."""
        began = time.perf_counter()
        b = self.batch.rhs[i]
        residual = norm_of(np, b - self.product(self.batch.matrices[i], x))
        threshold = self.threshold(i)
        if not residual <= threshold < math.inf:  # a norm that overflows is left to a solver, which scales
            return False
        self.results[i] = SolveResult(
            x=x,
            status=Status.CONVERGED,
            iterations=0,
            residuals=np.array([residual]),
            residual=residual,
            rhs_norm=norm_of(np, b),
            matvecs=1,
            applies=0,
            setup_seconds=0.0,
            solve_seconds=time.perf_counter() - began,
            message=f"reconstructed {how}: ‖b − Ax‖₂ = {residual:.3g} ≤ {threshold:.3g}.",
        )
        self.ledger.reconstructed += not solved
        return True

    def correct(self, i: int, x: np.ndarray, M: Any, scaling: Scaling) -> bool:
        """Correct x by a few steps of GMRES, preconditioned by the scaled factorisation of the reference."""

        def scaled(r: np.ndarray) -> np.ndarray:
            return scaling.unscaled_solution(M.matvec(scaling.scaled_rhs(r)))

        A, b = self.batch.matrices[i], self.batch.rhs[i]
        guess = x if self.helps(A, b, x) else None
        result = gmres(
            A,
            b,
            guess,
            rtol=self.rtol,
            atol=self.atol,
            iterations=_CORRECTION_BUDGET if self.maxiter is None else min(_CORRECTION_BUDGET, self.maxiter),
            M=scaled,
            restart=_CORRECTION_BUDGET,
        )
        self.ledger.count(result)
        if result.converged:
            self.results[i] = result
            self.count_finish(result.iterations, own_setup=False)
        return result.converged

    def solve_columns(self, A: Any, M: Any, sides: np.ndarray) -> np.ndarray:
        """Solve A Y = sides to well below the tolerance: at once by a factorisation, refined if that is not enough."""
        count = sides.shape[1]
        self.ledger.full_solves += count
        if count == 0:
            return np.zeros((self.batch.n, 0))
        rtol = max(0.1 * self.rtol / math.sqrt(count), 1e-14)
        guess = None
        pending = np.arange(count)
        if getattr(M, "name", None) == "direct":
            guess = M @ sides
            self.ledger.applies += count
            self.ledger.matvecs += count
            remainders = np.linalg.norm(sides - A @ guess, axis=0)
            good = remainders <= np.minimum(rtol * np.linalg.norm(sides, axis=0), LARGEST)
            pending = np.flatnonzero(~good)
        Y = np.zeros_like(sides) if guess is None else guess
        for j in pending:
            x0 = None if guess is None or not np.isfinite(Y[:, j]).all() else Y[:, j].copy()
            result = self.run(A, sides[:, j], x0, M, rtol=rtol)
            Y = Y.astype(np.result_type(Y, result.x), copy=False)
            Y[:, j] = result.x
        return Y

    def run(
        self,
        A: Any,
        b: np.ndarray,
        x0: Any,
        M: Any,
        recycle: bool = False,
        space: Any = None,
        rtol: float | None = None,
    ) -> SolveResult:
        """Run one Krylov solve, and count it."""
        settings = dict(self.solver_settings)
        method: Callable[..., SolveResult]
        if recycle:
            method = self._recycling_method(M)
            settings = {"space": space}
        else:
            method = self._method(M) if self.solver is None else get_solver(self.solver)
        rtol = self.rtol if rtol is None else rtol
        options = {"rtol": rtol, "atol": self.atol, "maxiter": self.maxiter, "M": M, **settings}
        result = method(A, b, x0, **METHODS[method.__name__].keywords(options, self.batch.n))
        self.ledger.count(result)
        if result.status is Status.INDEFINITE and method in (cg, deflated_cg):
            self.positive = False  # until `forget`; a preconditioner that took A for definite does not fit it either
            if M is None:
                result = (recycled_minres if recycle else minres)(A, b, x0, **options)
                self.ledger.count(result)
        return result if recycle else dataclasses.replace(result, space=None)

    def _method(self, M: Any) -> Callable[..., SolveResult]:
        if self.batch.hermitian and (M is None or M.kind == "spd"):
            return cg if self.positive else minres
        if getattr(M, "kind", None) == "nonlinear":
            return fgmres
        return gmres if self.batch.factorable else gcrodr

    def _recycling_method(self, M: Any) -> Callable[..., SolveResult]:
        if self.batch.hermitian and (M is None or M.kind == "spd"):
            return deflated_cg if self.positive else recycled_minres
        return fgcrodr if getattr(M, "kind", None) == "nonlinear" else gcrodr

    def set_up(self, A: Any, name: str | None = None) -> Any:
        """Return the preconditioner of A, or None; the last one if the entries are the same."""
        name = self._preconditioner_name(A) if name is None else name
        if name is None:
            return None
        if self._last is not None and self._last[1].name == name and _equal(self._last[0], A):
            return self._last[1]
        began = time.perf_counter()
        settings = self.preconditioner_settings if name == self.preconditioner else {}
        try:
            M = get_preconditioner(name).setup(A, **settings)
        except InputError:
            if name == self.preconditioner and not self.ledger.set_ups:
                raise  # a setting does not fit; later errors concern one sample, and must not stop the others
            return None  # singular, or without a diagonal: the solver works without, or reports why it cannot
        finally:
            self.ledger.setup_seconds += time.perf_counter() - began
        self.ledger.set_ups += 1
        self._last = (A, M)
        return M

    def forget(self) -> None:
        """Forget the last preconditioner and whether A looked indefinite: a chain must not depend on the one before."""
        self._last = None
        self.positive = self._positive

    def refresh(self, M: Any, A: Any) -> Any:
        """Return M for another matrix, by `update` for the same pattern: it reuses what the values do not affect."""
        if M is None or not self.batch.shared_pattern:
            return self.set_up(A)
        began = time.perf_counter()
        self._last = None
        try:
            M.update(A)
        except InputError:
            return None
        finally:
            self.ledger.setup_seconds += time.perf_counter() - began
        self.ledger.refreshes += 1
        self._last = (A, M)
        return M

    def _preconditioner_name(self, A: Any) -> str | None:
        if self.preconditioner != "auto":
            return self.preconditioner
        if not sp.issparse(A):
            return None
        if self.batch.factorable:
            return "direct"
        return "amg" if self.positive and A.dtype.kind != "c" else "ilu0"

    def helps(self, A: Any, b: np.ndarray, guess: np.ndarray) -> bool:
        """Return whether a guess is better than zero; takes one product."""
        return bool(np.isfinite(guess).all()) and norm_of(np, b - self.product(A, guess)) < norm_of(np, b)

    def product(self, A: Any, x: np.ndarray) -> np.ndarray:
        """Return A x, and count it."""
        self.ledger.matvecs += 1
        return A @ x if sp.issparse(A) else A.matvec(x)

    def threshold(self, i: int) -> float:
        """Return the residual up to which sample i has converged."""
        return max(self.rtol * norm_of(np, self.batch.rhs[i]), self.atol)

    def count_finish(self, iterations: int, own_setup: bool) -> None:
        """Count a finished sample: with a set-up of its own (or from zero), or with the set-up of another sample."""
        if iterations == 0:
            self.ledger.reconstructed += 1
        elif own_setup or iterations > CORRECTION_STEPS:
            self.ledger.full_solves += 1
        else:
            self.ledger.corrections += 1


def _equal(A: Any, B: Any) -> bool:
    """Return whether two matrices are one object, or have the same entries."""
    return A is B or (
        sp.issparse(A)
        and sp.issparse(B)
        and np.array_equal(A.indptr, B.indptr)
        and np.array_equal(A.indices, B.indices)
        and np.array_equal(A.data, B.data)
    )
