"""Solve a family of systems as a family: what they share is found first, and each solution has its own certificate."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..arguments import check_count
from ..errors import InputError
from ..registry import get_preconditioner, get_solver
from ..result import SolveResult
from ..stopping import check_tolerances
from .analysis import STRATEGIES, FamilyReport, Group, affine_terms, analyse_batch, group_of, read_batch
from .empirical_interpolation import spanning_columns
from .ordering import ORDERINGS, order_features
from .reduced_basis import ReducedBasis, grow
from .result import SequenceResult
from .sample_solver import SampleSolver
from .scaling import Scaling

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
    alone: Callable[[int], SolveResult] | None = None,
) -> SequenceResult:
    """Solve A_i x_i = b_i for all samples i of a family.

    With any strategy a sample is done when ‖b_i − A_i x_i‖₂ ≤ max(rtol·‖b_i‖₂, atol) with its own matrix. A sample that
    a strategy leaves above that is solved separately, from the best guess so far. A strategy that does not fit costs
    time and never correctness.

    Parameters
    ----------
    systems : iterable of (A, b)
        Sparse matrices (or dense ones, or operators) of one size n, right-hand sides (n,).
    rtol, atol, maxiter
        As in `cg`, for each sample.
    strategy : str
        'auto' : `analyse` chooses, for each group of samples.
        'independent' : each separately; one set-up for successive equal matrices.
        'constant_matrix' : all as if they had the first one's matrix: one set-up, all right-hand sides at once.
        'scaling' : as if A_i = diag(l_i) A_0 diag(c_i), corrected by GMRES with the scaled factorisation of A_0.
        'superposition' : as 'scaling', but only for an orthonormal basis of the right-hand sides diag(1/l_i) b_i.
        'reduced_basis' : affine expansions by empirical interpolation, a basis grown by the worst residual.
        'warm_start' : in chains, from the last solution, with a preconditioner that is refreshed when iterations have
        increased by half.
        'recycling' : 'warm_start' with `deflated_cg`, `recycled_minres` or `gcrodr`, and a space handed on.
    solver, solver_settings : str, dict, optional
        A name in `SOLVERS`, for full solves. If None, the symmetry of the matrices and the kind of the preconditioner
        decide.
    preconditioner, preconditioner_settings : str or None, dict
        A name in `PRECONDITIONERS`, None for none. 'auto': a factorisation if the bandwidth promises a cheap one
        (about 70 000 unknowns of a grid in the plane, 14 000 of one in space), beyond that algebraic multigrid for
        Hermitian real matrices and incomplete LU for others.
    chain : int
        Samples chain·j … chain·(j + 1) − 1 make chain j of 'warm_start' and 'recycling': results depend on it, but
        not on where chains are solved.
    sort : {'greedy', 'hilbert', 'pca', 'none'}
        Order within a chain.
    features : array, (N, p), optional
        What to sort by; if None, the entries of matrices and right-hand sides.
    alone : callable, optional
        Solves one sample, ``alone(i)``, for callers who know more about it than its matrix: called where a strategy
        leaves a sample, or plans nothing else. If None, `solver` and `preconditioner` solve it.

    Returns
    -------
    SequenceResult
        The results in the order of the systems, the report of the analysis, the ledger.

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
    work = _Sequence(
        batch, rtol, atol, maxiter, solver, solver_settings or {}, preconditioner, preconditioner_settings or {}
    )
    work.chain, work.sort, work.features, work.alone = chain, sort, features, alone
    report = None
    with np.errstate(all="ignore"):  # numbers that leave float64 end a strategy, or appear in a status
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


class _Sequence(SampleSolver):
    """Carry out the strategies."""

    chain: int
    sort: str
    features: Any

    def follow(self, report: FamilyReport) -> None:
        """Carry out the plan of the analysis."""
        for j, group in enumerate(report.groups):
            self._group(group, report.plan[f"group {j}"] == "superposition")
        if report.rest:
            self.attempt(report.plan["rest"], report.rest, report)

    def attempt(self, strategy: str, samples: list[int], report: FamilyReport | None = None) -> None:
        """Solve the samples by a strategy, and separately those that it leaves."""
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
                self.solve_alone(i)

    def _group(self, group: Group, superpose: bool) -> None:
        """Solve all members with the factorisation of the reference, and separately those that this does not solve."""
        A = self.batch.matrices[group.reference]
        M = self.set_up(A)
        sides = np.stack([group.scalings[i].scaled_rhs(self.batch.rhs[i]) for i in group.members], axis=1)
        coefficients = None
        if superpose:
            span = spanning_columns(sides, max(0.3 * self.rtol, 1e-14), len(group.members))
            assert span is not None  # as many columns span themselves
            basis = span[0]
            coefficients, sides = basis.conj().T @ sides, basis
        Y = self.solve_columns(A, M, sides)
        failures = 0
        for place, i in enumerate(group.members):
            scaling = group.scalings[i]
            y = Y[:, place] if coefficients is None else Y @ coefficients[:, place]
            x = scaling.unscaled_solution(y)
            alone = coefficients is None
            if self.accept(i, x, "by the structure of its group", solved=alone) or failures >= _ABANDON:
                continue
            if getattr(M, "name", None) != "direct" or not self.correct(i, x, M, scaling):
                failures += 1
        for i in group.members:
            if i not in self.results:
                self.solve_alone(i)

    def _reduced_basis(self, samples: list[int], report: FamilyReport | None) -> None:
        expansions = None if report is None else report.interpolations
        if expansions is None and self.batch.shared_pattern:
            expansions = affine_terms(self.batch, samples, min(1e-12, 1e-2 * self.rtol))
        if expansions is None:
            return
        basis = ReducedBasis(self.batch, samples, *expansions)

        def solve(i: int, guess: np.ndarray) -> SolveResult:
            return self.full(i, guess if guess.size else None, max(_SNAPSHOT * self.rtol, 1e-13))

        solved, _ = grow(basis, solve, 0.3 * self.rtol, min(_MOST_BASIS, max(1, len(samples) // 2)))
        self.ledger.matvecs += basis.products
        self.ledger.full_solves += len(solved)
        self.results.update(solved)
        for i in samples:
            if i not in self.results:
                x = basis.solution(basis.fit(i)[0]) if basis.V else np.zeros(self.batch.n)
                if not self.accept(i, x, f"in a basis of {basis.size} solutions"):
                    self.solve_alone(i, x)

    def _chains(self, samples: list[int], recycle: bool) -> None:
        blocks: dict[int, list[int]] = {}
        for i in samples:
            blocks.setdefault(i // self.chain, []).append(i)
        for block in blocks.values():
            self.forget()
            self._chain(self._ordered(block), recycle)
        self.forget()

    def _chain(self, samples: Sequence[int], recycle: bool) -> None:
        """Solve from neighbour to neighbour, and hand on the last solution, the preconditioner and the space."""
        M: Any = None
        space: Any = None
        guess: Any = None
        fresh: int | None = None  # iterations with a preconditioner of the same matrix
        stale = True
        for i in samples:
            A, b = self.batch.matrices[i], self.batch.rhs[i]
            if stale:
                M = self.set_up(A) if M is None else self.refresh(M, A)
                fresh, stale = None, False
            own_setup = fresh is None and M is not None
            x0 = guess if guess is not None and self.helps(A, b, guess) else None
            positive = self.positive
            result = self.run(A, b, x0, M, recycle, space)
            if not result.converged and (fresh is not None or self.positive != positive):
                M = self.refresh(M, A) if self.positive == positive else self.set_up(A)
                fresh, own_setup = None, True
                result = self.run(A, b, x0, M, recycle, space)
            space = result.space
            if fresh is None:
                fresh = result.iterations
            stale = result.iterations > _GROWTH * fresh + _SLACK
            if result.converged:
                self.results[i], guess = dataclasses.replace(result, space=None), result.x
                self.count_finish(result.iterations, own_setup=x0 is None or own_setup)

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
        """Return the entries of the matrix and of the right-hand side, each scaled to norm one."""
        b = self.batch.rhs[i]
        parts = [b / (np.linalg.norm(b) or 1.0)]
        if self.batch.shared_pattern:
            data = self.batch.matrices[i].data
            parts.append(data / (np.linalg.norm(data) or 1.0))
        return np.concatenate(parts)
