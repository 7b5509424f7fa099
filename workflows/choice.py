"""Which solver for which matrix: the choice of ``solver=auto``, and the pairs that ``solver=all`` tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from resolvent.solvers import Diffusion, MatrixProperties, SolverSpec, ToeplitzOperator

from .systems import NamedSystem

SMALL = 2_000
"""Unknowns up to which a sparse factorisation takes a few milliseconds, whatever the matrix."""

FACTORABLE = 50_000
"""Unknowns up to which a sparse LU of a discretised PDE is preferred to an iteration that may not converge."""

GENTLE_CONTRAST = 100.0
"""Contrast of a coefficient up to which the fast Poisson preconditioner beats algebraic multigrid."""


@dataclass(frozen=True)
class Choice:
    """A solver and preconditioner, and why."""

    spec: SolverSpec
    reason: str


def choose(named: NamedSystem, properties: MatrixProperties, matrix: Any, settings: dict[str, Any]) -> list[Choice]:
    """Return what to try on a matrix, best first: the later ones are for when a set-up fails or a solve does not end.

    Parameters
    ----------
    named : the system, with its operator and the near-nullspace of its file, if any.
    properties : what the matrix is.
    matrix : its entries, (n, n), sparse.
    settings : tolerances for all of them.
    """
    if isinstance(named.system.operator, ToeplitzOperator):
        solver = "cg" if properties.may_use_cg else "gmres"
        dense = Choice(SolverSpec(solver, settings, "direct", {}), "a factorisation of the dense matrix")
        return [Choice(SolverSpec(solver, settings, "tau", {}), "Toeplitz, applied by FFT: sine transforms"), dense]
    if properties.may_use_cg:
        return _definite(named, properties, matrix, settings)
    direct = Choice(SolverSpec("gmres", settings, "direct", {}), "a sparse LU, refined by gmres")
    if properties.self_adjoint:
        minres = Choice(
            SolverSpec("minres", settings, None, {}),
            f"{properties.symmetry} and {properties.definiteness}: minimal residuals by short recurrences",
        )
        first = _reworded(direct, f"{properties.symmetry}, {properties.definiteness}, n = {properties.n}: sparse LU")
        return [first, minres] if properties.n <= FACTORABLE else [minres, direct]
    what = f"{properties.symmetry}{', complex' if properties.complex else ''}, n = {properties.n}"
    if properties.n <= FACTORABLE:
        return [_reworded(direct, f"{what}: sparse LU, refined by gmres"), _threshold_lu(settings, what)]
    return [_threshold_lu(settings, what), direct]


def _definite(named: NamedSystem, properties: MatrixProperties, matrix: Any, settings: dict[str, Any]) -> list[Choice]:
    n, rhs = properties.n, named.system.rhs
    solver = "block_cg" if rhs.ndim == 2 and rhs.shape[1] > 1 else "cg"
    kind = f"{properties.symmetry} {properties.definiteness}"
    several = f" and {rhs.shape[1]} right-hand sides" if solver == "block_cg" else ""
    operator = named.system.operator
    amg = Choice(SolverSpec(solver, settings, "amg", {}), f"{kind}{several}: algebraic multigrid")
    threshold = Choice(SolverSpec(solver, settings, "ict", {}), f"{kind}{several}: incomplete Cholesky")
    # Blocks pay where an iteration is dear and there are several of them.
    direct = Choice(SolverSpec("cg", settings, "direct", {}), f"{kind}, n = {n}: a sparse factorisation")
    plain = Choice(SolverSpec("cg", settings, "jacobi", {}), f"{kind}: the diagonal alone")
    if _annihilates_constants(matrix):
        settings = {**settings, "nullspace": np.ones(n)}
        reason = f"{kind}, A·1 = 0: the constant is its null space"
        return [Choice(SolverSpec(solver, settings, name, {}), reason) for name in ("amg", "jacobi")]
    if isinstance(operator, Diffusion) and operator.matrix_free:
        contrast = float(operator.coefficient.max() / operator.coefficient.min())
        if contrast <= GENTLE_CONTRAST:
            fast = SolverSpec("cg", settings, "fast_poisson", {})
            return [Choice(fast, f"diffusion on a grid, contrast {contrast:.3g}: fast Poisson"), amg, direct]
        return [_reworded(amg, f"diffusion on a grid, contrast {contrast:.3g}: algebraic multigrid"), direct, threshold]
    if n <= SMALL:
        return [direct, threshold, plain]
    if "Gershgorin" in properties.evidence and _dominance(matrix) > 0.2:
        return [_reworded(plain, f"{kind}, strongly diagonally dominant: the diagonal is enough"), threshold]
    if named.near_nullspace is not None:
        aggregation = SolverSpec(solver, settings, "amg", {"method": "smoothed_aggregation"})
        return [Choice(aggregation, f"{kind}{several}, near-nullspace given: smoothed aggregation"), threshold, direct]
    if not properties.complex and _like_m_matrix(matrix):
        return [_reworded(amg, f"{kind}{several}, off-diagonals ≤ 0: algebraic multigrid"), threshold, direct]
    return [threshold, plain, direct]


def sensible_solvers(
    properties: MatrixProperties, grid: bool, settings: dict[str, Any], columns: int = 1
) -> list[SolverSpec]:
    """Return the pairs worth trying on a matrix: CG where the probe allows it, GMRES elsewhere, a direct solve always.

    Parameters
    ----------
    properties : what the matrix is.
    grid : whether it is a diffusion operator on a grid of cells, so that the fast Poisson preconditioner applies.
    settings : tolerances for all of them.
    columns : right-hand sides.
    """
    pairs: list[tuple[str, str | None]]
    if properties.may_use_cg:
        names = [None, "jacobi", "ssor", "ic0", "ict", "fsai", "chebyshev_polynomial"]
        names += ["amg", *(["fast_poisson"] if grid else []), "direct"]
        pairs = [("cg", name) for name in names]
        pairs += [("block_cg", "ic0")] if columns > 1 else []
    elif properties.self_adjoint:
        pairs = [("minres", None), ("gmres", None), ("gmres", "ilut"), ("gmres", "direct")]
        pairs += [] if properties.complex else [("gmres", "amg")]
    else:
        pairs = [("gmres", None), ("lgmres", None), ("gmres", "jacobi"), ("gmres", "ilu0"), ("gmres", "ilut")]
        pairs += [("bicgstab", "ilu0"), ("idrs", "ilu0")]
        pairs += [] if properties.complex else [("gmres", "amg")]
        pairs += [("gmres", "direct")]
    return [SolverSpec(solver, settings, name, {}) for solver, name in pairs]


def _reworded(choice: Choice, reason: str) -> Choice:
    return Choice(choice.spec, reason)


def _threshold_lu(settings: dict[str, Any], what: str) -> Choice:
    return Choice(SolverSpec("gmres", settings, "ilut", {}), f"{what}: incomplete LU with a threshold")


def _annihilates_constants(matrix: Any) -> bool:
    """Whether A·1 = 0 to rounding."""
    rows = np.asarray(abs(matrix).sum(axis=1)).ravel()
    return bool(np.abs(np.asarray(matrix.sum(axis=1)).ravel()).max() <= 1e-12 * rows.max())


def _dominance(matrix: Any) -> float:
    """min_i (|a_ii| − Σ_j |a_ij|)/|a_ii|."""
    diagonal = np.abs(matrix.diagonal())
    rows = np.asarray(abs(matrix).sum(axis=1)).ravel()
    return float(((2.0 * diagonal - rows) / diagonal).min())


def _like_m_matrix(matrix: Any) -> bool:
    """Whether the positive off-diagonal entries carry at most a tenth of the weight of the others."""
    entries = matrix.tocoo()
    off = entries.data[entries.coords[0] != entries.coords[1]]
    return bool(off[off > 0].sum() <= 0.1 * -off[off < 0].sum())
