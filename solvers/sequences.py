"""Solving a family of systems as a family: what they share is found first, and each solution is certified alone."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from .cg import cg
from .deflated_cg import deflated_cg
from .empirical_interpolation import spanning_columns
from .errors import InputError
from .family_analysis import (
    DIRECT_LIMIT,
    STRATEGIES,
    Batch,
    FamilyReport,
    Group,
    affine_terms,
    analyse_batch,
    group_of,
    read_batch,
)
from .gcrodr import gcrodr
from .gmres import check_count, gmres
from .matrix_scaling import Scaling
from .minres import minres
from .ordering import ORDERINGS, order_features
from .recycled_minres import recycled_minres
from .reduced_basis import ReducedBasis, grow
from .registry import get_preconditioner, get_solver
from .result import SolveResult, Status
from .sequence_result import CORRECTION_STEPS, Ledger, SequenceResult
from .stopping import check_tolerances

_CORRECTION_BUDGET = 20
_ABANDON = 3
_MOST_BASIS = 60
_SNAPSHOT = 0.01
_GROWTH, _SLACK = 1.5, 2


def solve_sequence(
    systems: Iterable[tuple[Any, Any]],
    *,
    rtol: float = 1e-8,
    atol: float = 0.0,
    maxiter: int | None = None,
    strategy: str = "auto",
    solver: str | None = None,
    solver_settings: dict[str, Any] | None = None,
    preconditioner: str | None = "auto",
    preconditioner_settings: dict[str, Any] | None = None,
    chain: int = 50,
    sort: str = "greedy",
    features: Any = None,
) -> SequenceResult:
    """Solve A_i x_i = b_i for all samples i of a family.

    Whatever the strategy, a sample is done when ‖b_i − A_i x_i‖₂ ≤ max(rtol·‖b_i‖₂, atol) with its own matrix; what a
    strategy leaves above that is solved by itself, from the best guess at hand. A strategy that does not fit costs time
    and never correctness.

    Parameters
    ----------
    systems : iterable of (A, b)
        Sparse matrices (or dense ones, or operators) of one size n, right-hand sides (n,).
    rtol, atol, maxiter
        As in `cg`, for each sample.
    strategy : str
        'auto' : `analyse` chooses, for each group of samples.
        'independent' : each by itself; the same matrix object, or values, again and again are set up once.
        'constant_matrix' : all as if they had the first one's matrix: one set-up, all right-hand sides at once.
        'scaling' : as if A_i = diag(l_i) A_0 diag(c_i), corrected by GMRES with the scaled factorisation of A_0.
        'superposition' : as 'scaling', and only for an orthonormal basis of the right-hand sides diag(1/l_i) b_i.
        'reduced_basis' : affine expansions by empirical interpolation, a basis grown by the worst residual.
        'warm_start' : in chains, from the last solution, with a preconditioner that is refreshed when iterations have
        grown by half.
        'recycling' : 'warm_start' with `deflated_cg`, `recycled_minres` or `gcrodr`, and a space handed on.
    solver, solver_settings : str, dict, optional
        A name in `SOLVERS`, of the solves in full; by the symmetry of the matrices and the kind of the preconditioner
        where None.
    preconditioner, preconditioner_settings : str or None, dict
        A name in `PRECONDITIONERS`, None for none. 'auto': a factorisation up to 60 000 unknowns, beyond that algebraic
        multigrid for Hermitian real matrices and incomplete LU for others.
    chain : int
        Samples chain·j … chain·(j + 1) − 1 make chain j of 'warm_start' and 'recycling': results depend on it and not
        on where chains are solved.
    sort : {'greedy', 'hilbert', 'pca', 'none'}
        Order within a chain.
    features : array, (N, p), optional
        What to sort by; the entries of matrices and right-hand sides where None.

    Returns
    -------
    SequenceResult
        Results in the order of the systems, the report of the analysis, the ledger.

    Raises
    ------
    InputError
        If an argument or a system does not fit.

    References
    ----------
    For 'recycling' and its order: Wang et al., arXiv 2401.09516; Parks et al., SIAM J. Sci. Comput. 28 (2006) 1651. For
    'reduced_basis': Casenave, Ern and Lelièvre, arXiv 1307.4330 and 1212.0970.
    """
    if strategy not in STRATEGIES:
        raise InputError(f"strategy is {strategy!r}; expected one of {', '.join(STRATEGIES)}.")
    if sort not in ORDERINGS:
        raise InputError(f"sort is {sort!r}; expected one of {', '.join(ORDERINGS)}.")
    chain = check_count("solve_sequence", "chain", chain, example=50)
    if solver is not None:
        get_solver(solver)
    if preconditioner not in (None, "auto"):
        get_preconditioner(preconditioner)
    began = time.perf_counter()
    batch = read_batch(systems)
    check_tolerances(rtol, atol, maxiter, batch.n)
    if features is not None and len(features) != len(batch):
        raise InputError(f"features have {len(features)} rows, but there are {len(batch)} systems; expected one each.")
    work = _Sequence(batch, rtol, atol, maxiter, solver, solver_settings or {}, preconditioner)
    work.preconditioner_settings = preconditioner_settings or {}
    work.chain, work.sort, work.features = chain, sort, features
    report = None
    if strategy == "auto":
        report = analyse_batch(batch, rtol)
        work.ledger.analysis_seconds = time.perf_counter() - began
        work.follow(report)
    else:
        work.attempt(strategy, list(range(len(batch))))
    ledger = work.ledger
    spent = time.perf_counter() - began
    ledger.solve_seconds = spent - ledger.analysis_seconds - ledger.ordering_seconds - ledger.setup_seconds
    return SequenceResult([work.results[i] for i in range(len(batch))], strategy, report, ledger)


class _Sequence:
    """The state of one call: systems, settings, results so far and the ledger."""

    preconditioner_settings: dict[str, Any]
    chain: int
    sort: str
    features: Any

    def __init__(
        self,
        batch: Batch,
        rtol: float,
        atol: float,
        maxiter: int | None,
        solver: str | None,
        solver_settings: dict[str, Any],
        preconditioner: str | None,
    ) -> None:
        self.batch = batch
        self.rtol, self.atol, self.maxiter = rtol, atol, maxiter
        self.solver, self.solver_settings, self.preconditioner = solver, solver_settings, preconditioner
        self.positive = batch.hermitian and batch.positive_diagonal()
        self.results: dict[int, SolveResult] = {}
        self.ledger = Ledger()
        self._last: tuple[Any, Any] | None = None

    # --- strategies -------------------------------------------------------------------------------------------------

    def follow(self, report: FamilyReport) -> None:
        """Carry out the plan of the analysis."""
        for j, group in enumerate(report.groups):
            self._group(group, report.plan[f"group {j}"] == "superposition")
        if report.rest:
            self.attempt(report.plan["rest"], report.rest, report)

    def attempt(self, strategy: str, samples: list[int], report: FamilyReport | None = None) -> None:
        """Solve the samples by a strategy, and by themselves where it leaves some."""
        tolerance = max(0.3 * self.rtol, 1e-14)
        if strategy == "constant_matrix":
            unscaled = Scaling("constant", None, None, 0.0)
            self._group(Group(samples[0], samples, dict.fromkeys(samples, unscaled), None), False)
        elif strategy in ("scaling", "superposition"):
            group = group_of(self.batch, samples[0], samples, tolerance, near=1.0)
            self._group(group, strategy == "superposition")
        elif strategy == "reduced_basis":
            self._reduced_basis(samples, report)
        elif strategy in ("warm_start", "recycling"):
            self._chains(samples, strategy == "recycling")
        for i in samples:
            if i not in self.results:
                self._solve_alone(i)

    def _group(self, group: Group, superpose: bool) -> None:
        """One factorisation, that of the reference, for all; members it does not serve are left."""
        A = self.batch.matrices[group.reference]
        M = self._set_up(A)
        sides = np.stack([group.scalings[i].of_rhs(self.batch.rhs[i]) for i in group.members], axis=1)
        coefficients = None
        if superpose:
            found = spanning_columns(sides, max(0.3 * self.rtol, 1e-14), len(group.members))
            assert found is not None  # as many columns span themselves
            basis = found[0]
            coefficients, sides = basis.conj().T @ sides, basis
        Y = self._solve_columns(A, M, sides)
        failures = 0
        for place, i in enumerate(group.members):
            scaling = group.scalings[i]
            y = Y[:, place] if coefficients is None else Y @ coefficients[:, place]
            x = scaling.of_solution(y)
            alone = coefficients is None
            if self._accept(i, x, "by the structure of its group", solved=alone) or failures >= _ABANDON:
                continue
            if M is None or not self._correct(i, x, M, scaling):
                failures += 1
        for i in group.members:
            if i not in self.results:
                self._solve_alone(i)

    def _reduced_basis(self, samples: list[int], report: FamilyReport | None) -> None:
        expansions = None if report is None else report.interpolations
        if expansions is None and self.batch.shared_pattern:
            expansions = affine_terms(self.batch, samples, min(1e-12, 1e-2 * self.rtol))
        if expansions is None:
            return
        basis = ReducedBasis(self.batch, samples, *expansions)

        def solve(i: int, guess: np.ndarray) -> SolveResult:
            return self._full(i, guess if guess.size else None, max(_SNAPSHOT * self.rtol, 1e-13))

        solved, _ = grow(basis, solve, 0.3 * self.rtol, min(_MOST_BASIS, max(1, len(samples) // 2)))
        self.ledger.matvecs += basis.products
        self.ledger.full_solves += len(solved)
        self.results.update(solved)
        for i in samples:
            if i not in self.results:
                x = basis.solution(basis.fit(i)[0]) if basis.V else np.zeros(self.batch.n)
                if not self._accept(i, x, f"in a basis of {basis.size} solutions"):
                    self._solve_alone(i, x)

    def _chains(self, samples: list[int], recycle: bool) -> None:
        blocks: dict[int, list[int]] = {}
        for i in samples:
            blocks.setdefault(i // self.chain, []).append(i)
        for block in blocks.values():
            self._chain(self._ordered(block), recycle)

    def _chain(self, samples: Sequence[int], recycle: bool) -> None:
        """From neighbour to neighbour: the last solution, the preconditioner and the space go along."""
        M, space, guess = None, None, None
        fresh: int | None = None  # iterations with the preconditioner of the matrix at hand
        stale = True
        for i in samples:
            A, b = self.batch.matrices[i], self.batch.rhs[i]
            if stale:
                M = self._set_up(A) if M is None else self._refresh(M, A)
                fresh, stale = None, False
            own = fresh is None and M is not None
            x0 = guess if guess is not None and self._helps(A, b, guess) else None
            result = self._run(A, b, x0, M, recycle, space)
            if not result.converged and fresh is not None:
                M, fresh, own = self._refresh(M, A), None, True
                result = self._run(A, b, x0, M, recycle, space)
            space = result.space
            if fresh is None:
                fresh = result.iterations
            stale = result.iterations > _GROWTH * fresh + _SLACK
            if result.converged:
                self.results[i], guess = result, result.x
                self._count_finish(result.iterations, own=x0 is None or own)

    # --- one sample -------------------------------------------------------------------------------------------------

    def _solve_alone(self, i: int, guess: np.ndarray | None = None) -> None:
        self.results[i] = result = self._full(i, guess)
        self._count_finish(result.iterations, own=True)

    def _full(self, i: int, guess: np.ndarray | None = None, rtol: float | None = None) -> SolveResult:
        """The solver and preconditioner of the settings; a factorisation and GMRES where they fail."""
        A, b = self.batch.matrices[i], self.batch.rhs[i]
        if guess is not None and not self._helps(A, b, guess):
            guess = None
        M = self._set_up(A)
        result = self._certified(i, self._run(A, b, guess, M, rtol=rtol))
        if result.converged or not sp.issparse(A) or self.solver is not None:
            return result
        factors = self._set_up(A, "direct")
        if factors is None:
            return result
        again = gmres(A, b, guess, rtol=rtol or self.rtol, atol=self.atol, maxiter=self.maxiter, M=factors)
        self.ledger.count(again)
        again = self._certified(i, again)
        return again if again.residual < result.residual or again.converged else result

    def _certified(self, i: int, result: SolveResult) -> SolveResult:
        """A result that was asked for more than the tolerance, and meets the tolerance, has converged."""
        if not result.converged and result.residual <= self._threshold(i):
            message = f"converged after {result.iterations} iterations: ‖b − Ax‖₂ = {result.residual:.3g}."
            return dataclasses.replace(result, status=Status.CONVERGED, message=message)
        return result

    def _accept(self, i: int, x: np.ndarray, how: str, solved: bool = False) -> bool:
        """Certify x as the solution of sample i, if its true residual says so."""
        began = time.perf_counter()
        b = self.batch.rhs[i]
        residual = float(np.linalg.norm(b - self._product(self.batch.matrices[i], x)))
        threshold = self._threshold(i)
        if not residual <= threshold:
            return False
        self.results[i] = SolveResult(
            x=x,
            status=Status.CONVERGED,
            iterations=0,
            residuals=np.array([residual]),
            residual=residual,
            rhs_norm=float(np.linalg.norm(b)),
            matvecs=1,
            applies=0,
            setup_seconds=0.0,
            solve_seconds=time.perf_counter() - began,
            message=f"reconstructed {how}: ‖b − Ax‖₂ = {residual:.3g} ≤ {threshold:.3g}.",
        )
        self.ledger.reconstructed += not solved
        return True

    def _correct(self, i: int, x: np.ndarray, M: Any, scaling: Scaling) -> bool:
        """A few steps of GMRES from x, preconditioned by the reference's factorisation, scaled."""

        def scaled(r: np.ndarray) -> np.ndarray:
            return scaling.of_solution(M.matvec(scaling.of_rhs(r)))

        A, b = self.batch.matrices[i], self.batch.rhs[i]
        guess = x if self._helps(A, b, x) else None
        result = gmres(
            A,
            b,
            guess,
            rtol=self.rtol,
            atol=self.atol,
            maxiter=_CORRECTION_BUDGET,
            M=scaled,
            restart=_CORRECTION_BUDGET,
        )
        self.ledger.count(result)
        if result.converged:
            self.results[i] = result
            self._count_finish(result.iterations, own=False)
        return result.converged

    def _solve_columns(self, A: Any, M: Any, sides: np.ndarray) -> np.ndarray:
        """A Y = sides to well below the tolerance: at once by a factorisation, refined where that is not enough."""
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
            left = np.linalg.norm(sides - A @ guess, axis=0)
            pending = np.flatnonzero(left > rtol * np.linalg.norm(sides, axis=0))
        Y = np.zeros_like(sides) if guess is None else guess
        for j in pending:
            result = self._run(A, sides[:, j], None if guess is None else Y[:, j].copy(), M, rtol=rtol)
            Y = Y.astype(np.result_type(Y, result.x), copy=False)
            Y[:, j] = result.x
        return Y

    # --- parts ------------------------------------------------------------------------------------------------------

    def _run(
        self,
        A: Any,
        b: np.ndarray,
        x0: Any,
        M: Any,
        recycle: bool = False,
        space: Any = None,
        rtol: float | None = None,
    ) -> SolveResult:
        """One Krylov solve, counted."""
        settings = dict(self.solver_settings)
        method: Callable[..., SolveResult]
        if recycle:
            method = self._recycling_method(M)
            settings = {"space": space}
        else:
            method = self._method(M) if self.solver is None else get_solver(self.solver)
        rtol = self.rtol if rtol is None else rtol
        options = {"rtol": rtol, "atol": self.atol, "maxiter": self.maxiter, "M": M, **settings}
        result = method(A, b, x0, **options)
        self.ledger.count(result)
        if result.status is Status.INDEFINITE and method in (cg, deflated_cg):
            result = (recycled_minres if recycle else minres)(A, b, x0, **options)
            self.ledger.count(result)
        return result

    def _method(self, M: Any) -> Callable[..., SolveResult]:
        if self.batch.hermitian and (M is None or M.kind == "spd"):
            return cg if self.positive else minres
        return gmres

    def _recycling_method(self, M: Any) -> Callable[..., SolveResult]:
        if self.batch.hermitian and (M is None or M.kind == "spd"):
            return deflated_cg if self.positive else recycled_minres
        return gcrodr

    def _set_up(self, A: Any, name: str | None = None) -> Any:
        """The preconditioner of A, or None; that of the matrix before where the entries are the same."""
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
            if self.preconditioner != "auto":
                raise
            return None  # singular, or without a diagonal: the solver does without, or says why it cannot
        finally:
            self.ledger.setup_seconds += time.perf_counter() - began
        self.ledger.set_ups += 1
        self._last = (A, M)
        return M

    def _refresh(self, M: Any, A: Any) -> Any:
        """M for another matrix: by `update` where the pattern is shared, which keeps what does not depend on values."""
        if M is None or not self.batch.shared_pattern:
            return self._set_up(A)
        began = time.perf_counter()
        self._last = None
        try:
            M.update(A)
        except InputError:
            if self.preconditioner != "auto":
                raise
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
        if self.batch.n <= DIRECT_LIMIT:
            return "direct"
        return "amg" if self.positive and A.dtype.kind != "c" else "ilut"

    def _ordered(self, block: list[int]) -> list[int]:
        if self.sort == "none" or len(block) < 3:
            return block
        began = time.perf_counter()
        if self.features is not None:
            rows = np.stack([np.asarray(self.features[i]).ravel() for i in block])
        else:
            rows = np.stack([self._entries(i) for i in block])
        order = [block[j] for j in order_features(rows, self.sort)]
        self.ledger.ordering_seconds += time.perf_counter() - began
        return order

    def _entries(self, i: int) -> np.ndarray:
        """Entries of the matrix and of the right-hand side, each of norm one."""
        b = self.batch.rhs[i]
        parts = [b / (np.linalg.norm(b) or 1.0)]
        if self.batch.shared_pattern:
            data = self.batch.matrices[i].data
            parts.append(data / (np.linalg.norm(data) or 1.0))
        return np.concatenate(parts)

    def _helps(self, A: Any, b: np.ndarray, guess: np.ndarray) -> bool:
        """Whether a guess is better than zero; one product."""
        return bool(np.isfinite(guess).all()) and bool(
            np.linalg.norm(b - self._product(A, guess)) < np.linalg.norm(b)
        )

    def _product(self, A: Any, x: np.ndarray) -> np.ndarray:
        self.ledger.matvecs += 1
        return A @ x if sp.issparse(A) else A.matvec(x)

    def _threshold(self, i: int) -> float:
        return max(self.rtol * float(np.linalg.norm(self.batch.rhs[i])), self.atol)

    def _count_finish(self, iterations: int, own: bool) -> None:
        """Count a sample that was finished, with a set-up of its own (or from nothing) or with what others left."""
        if iterations == 0:
            self.ledger.reconstructed += 1
        elif own or iterations > CORRECTION_STEPS:
            self.ledger.full_solves += 1
        else:
            self.ledger.corrections += 1


def _equal(A: Any, B: Any) -> bool:
    """Whether two matrices are one object, or of the same entries."""
    return A is B or (
        sp.issparse(A)
        and sp.issparse(B)
        and np.array_equal(A.indptr, B.indptr)
        and np.array_equal(A.indices, B.indices)
        and np.array_equal(A.data, B.data)
    )
