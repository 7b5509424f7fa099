"""Choose the solver that suits a matrix: what ``solver="auto"`` tries, and the pairs that ``solver=all`` compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import InputError
from ..linear_system import LinearSystem
from ..matrices.components import floating_bodies
from ..matrices.diffusion import Diffusion
from ..matrices.properties import LANCZOS_STEPS, MatrixProperties, matrix_properties
from ..matrices.symmetry import sizes_of_rows
from ..matrices.toeplitz import ToeplitzOperator
from ..operands import as_csr, is_gpu, read_operator
from ..preconditioners.sparse_lu.price import exchanging_work, factor_work, hermitian
from .reformulation import SMALL, Reformulation, reformulated, within_range
from .spec import SolverSpec

FACTORABLE = 10_000
"""Unknowns up to which a sparse LU is tried whatever its price, if nothing cheaper is left."""

CHEAP, MODERATE, DEAR = 2e7, 3e8, 1e10
"""Multiplications and additions of a factorisation: up to `CHEAP` it beats algebraic multigrid, up to `MODERATE`
incomplete factors, which may fail; above `DEAR` (some ten seconds) an iteration is tried first. Measured on Laplacians
of 50² to 220² and 12³ to 36³ unknowns."""

_RESTART_BYTES = 2**26
"""Memory of the basis of gmres where it has no preconditioner, and wants to be long: 30 to 200 vectors."""

_OPERATIONS = 2e10
"""Price, in additions and multiplications, up to which a method that needs no factors may iterate: 10 to 40 seconds."""

GENTLE_CONTRAST = 100.0
"""Contrast of a coefficient up to which the fast Poisson preconditioner beats algebraic multigrid."""

_HERMITIAN_TO = 1e-10
"""Difference of uᴴ A v and (A u)ᴴ v, relative to their size, up to which an operator without entries is Hermitian."""


@dataclass(frozen=True)
class Choice:
    """Hold a solver and preconditioner, and the reason for them, to be read after "the matrix is".

    With a `reformulation` they are for the system that it holds.
    """

    spec: SolverSpec
    reason: str
    reformulation: Reformulation | None = None


def choose(
    system: LinearSystem, properties: MatrixProperties | None = None, settings: Mapping[str, Any] | None = None
) -> list[Choice]:
    """Return what to try on a system, best first: the later ones are for a set-up that fails or a slow solve.

    The last ones need neither a factor nor a diagonal, and end with least squares, which tells a right-hand side
    outside the range of A.

    Parameters
    ----------
    system : LinearSystem
        The operator, the right-hand sides and the null spaces that are known.
    properties : MatrixProperties, optional
        What the matrix is. If None it is probed, unless the operator's class says enough (diffusion on a box).
    settings : mapping, optional
        Tolerances and the like, for all solvers: ``rtol``, ``atol``, ``maxiter``.

    Raises
    ------
    InputError
        If the matrix is not square and finite, or lives on the GPU.
    """
    return list(in_order(system, properties, settings))


def in_order(
    system: LinearSystem, properties: MatrixProperties | None = None, settings: Mapping[str, Any] | None = None
) -> Iterator[Choice]:
    """Yield what `choose` returns, one by one: what a later choice must know is not looked at before it is asked for.

    Parameters and errors are those of `choose`.
    """
    settings = dict(settings or {})
    if isinstance(system.operator, Diffusion):
        form = None
        if system.operator.box.singular:
            form = within_range(system, np.ones(system.rhs.shape[0]), settings)
        choices = _diffusion(system if form is None else form.system, settings)
        if choices:
            yield from choices if form is None else _for_reformulation(choices, form)
            return
    if system.operator.shape[0] != system.operator.shape[1]:
        yield Choice(SolverSpec("lsmr", settings, None, {}), "rectangular: least squares")
        return
    matrix = entries(system.operator)
    if not system.rhs.any():
        yield Choice(SolverSpec("gmres", settings, None, {}), "of no matter, since b = 0")
        return
    if matrix is None:
        yield from _without_entries(system, settings)
        return
    if isinstance(system.operator, ToeplitzOperator):
        properties = matrix_properties(matrix) if properties is None else properties
        solver = "cg" if properties.may_use_cg else "gmres"
        yield Choice(SolverSpec(solver, settings, "tau", {}), "Toeplitz, applied by FFT: sine transforms")
        yield Choice(SolverSpec(solver, settings, "direct", {}), "a factorisation of the dense matrix")
        return
    if matrix.nnz == matrix.shape[0] and matrix.diagonal().all():
        yield Choice(SolverSpec("gmres", settings, "jacobi", {}), "diagonal")
    self_adjoint = hermitian(matrix) if properties is None else properties.self_adjoint
    form = reformulated(system, matrix, settings, self_adjoint)
    if form is None:
        yield from _for_entries(system, matrix, properties, self_adjoint, settings)
        return
    inner = matrix if form.system.operator is system.operator else form.system.operator
    yield from _for_reformulation(_for_entries(form.system, inner, None, self_adjoint, settings), form)


def _for_reformulation(choices: Iterable[Choice], form: Reformulation) -> Iterator[Choice]:
    for choice in choices:
        yield Choice(choice.spec, f"{choice.reason}; {form.reason}", form)


def _for_entries(
    system: LinearSystem,
    matrix: sp.csr_array,
    properties: MatrixProperties | None,
    self_adjoint: bool,
    settings: dict[str, Any],
) -> Iterator[Choice]:
    n = matrix.shape[0]
    # What is not Hermitian has no cheaper method than factors up to that size.
    ordinary = n <= SMALL or (n <= FACTORABLE and not self_adjoint)
    work = 0.0 if ordinary else factor_work(matrix, enough=DEAR)
    if properties is None:
        # A factorisation of that price costs less than the probe, and is right whatever the definiteness.
        steps = 0 if work <= MODERATE else LANCZOS_STEPS
        properties = matrix_properties(matrix, steps, skew=0.0 if self_adjoint else np.inf)
    known = "" if properties.definiteness == "unknown" else f", {properties.definiteness}"
    what = f"{properties.symmetry}{known}{', complex' if properties.complex else ''}, n = {n}"
    if properties.may_use_cg:
        yield from _definite(system, properties, matrix, settings, work)
    elif system.nullspace is None:
        direct = Choice(SolverSpec("gmres", settings, "direct", {}), f"{what}: sparse LU, refined by gmres")
        if work <= DEAR:
            yield direct
        if not properties.self_adjoint:
            yield Choice(SolverSpec("gmres", settings, "ilut", {}), f"{what}: incomplete LU with a threshold")
        elif work > DEAR:
            yield _minres(properties, settings)
        if work > DEAR:
            yield direct
    yield from _without_factors(system, properties, matrix, settings)


def _minres(properties: MatrixProperties, settings: dict[str, Any]) -> Choice:
    known = "" if properties.definiteness == "unknown" else f" and {properties.definiteness}"
    reason = f"{properties.symmetry}{known}: minimal residuals by short recurrences"
    return Choice(SolverSpec("minres", settings, None, {}), reason)


def _without_factors(
    system: LinearSystem, properties: MatrixProperties, matrix: sp.csr_array, settings: dict[str, Any]
) -> Iterator[Choice]:
    """Yield what is left where neither factors nor a diagonal are to be had: singular and nearly singular matrices."""
    n, kind = properties.n, properties.symmetry
    if settings.get("maxiter") is None:
        # A product and the vectors beside it cost about 2 nnz + 20 n operations.
        settings = {**settings, "maxiter": int(min(10 * n, max(_OPERATIONS / (2 * matrix.nnz + 20 * n), 100)))}
    if system.nullspace is not None:
        yield _minres(properties, settings)
        return
    reason = f"{kind} and perhaps singular: the factors of a matrix nearby"
    singular = Choice(SolverSpec("gmres", settings, "regularized_lu", {}), reason)
    if n <= FACTORABLE or exchanging_work(matrix) <= DEAR:
        yield singular
    if properties.self_adjoint:
        yield _minres(properties, settings)
    restart = min(n, max(_RESTART_BYTES // (8 * n), 30), 200)
    yield Choice(SolverSpec("gmres", {**settings, "restart": restart}, None, {}), f"{kind}: gmres without factors")
    yield Choice(SolverSpec("idrs", settings, None, {}), f"{kind}: idrs without factors")
    yield Choice(SolverSpec("lsmr", settings, None, {}), f"{kind}: least squares")


def sensible_solvers(
    properties: MatrixProperties, grid: bool, settings: Mapping[str, Any], columns: int = 1
) -> list[SolverSpec]:
    """Return the pairs worth trying on a matrix: CG where the probe allows it, GMRES elsewhere, a direct solve always.

    Parameters
    ----------
    properties : MatrixProperties
        What the matrix is.
    grid : bool
        Whether it is a `Diffusion` on the unit square, to which the preconditioners of a grid apply.
    settings : mapping
        Tolerances, for all of them.
    columns : int
        Right-hand sides.
    """
    pairs: list[tuple[str, str | None]]
    if properties.may_use_cg:
        names = [None, "jacobi", "ssor", "ic0", "ict", "fsai", "chebyshev_polynomial"]
        names += ["amg", *(["fast_poisson"] if grid else [])]
        names += ["multigrid"] if grid else []
        pairs = [("cg", name) for name in [*names, "direct"]]
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


def entries(operator: Any) -> sp.csr_array | None:
    """Return the entries of a matrix, or of an operator with `tocsr()`, in CSR form; None of one that only multiplies.

    Raises
    ------
    InputError
        If it is not square and finite, or lives on the GPU.
    """
    if is_gpu(operator):
        raise InputError('A is a CuPy matrix, which solver="auto" does not read: pass A.get(), or name a solver.')
    if not hasattr(operator, "tocsr") and read_operator(operator).matrix is None:
        return None
    return as_csr(operator, "auto")


def columns_of(rhs: np.ndarray) -> int:
    """Return the number of right-hand sides in an array (n,) or (n, k)."""
    return 1 if rhs.ndim == 1 else int(rhs.shape[1])


def _diffusion(system: LinearSystem, settings: dict[str, Any]) -> list[Choice]:
    """Return what suits −∇·(a∇u) on a box, symmetric and definite as it is; nothing where its entries should decide."""
    operator, rhs = system.operator, system.rhs
    contrast = float(operator.coefficient.max() / operator.coefficient.min())
    grid = f"diffusion on a grid, contrast {contrast:.3g}"
    solver = "block_cg" if columns_of(rhs) > 1 else "cg"
    if operator.box.singular:
        singular = {**settings, "nullspace": np.ones(operator.shape[0])}
        amg = [Choice(SolverSpec(solver, singular, "amg", {}), f"{grid}, singular: algebraic multigrid")]
    else:
        amg = [
            Choice(SolverSpec(solver, settings, "amg", {}), f"{grid}: algebraic multigrid"),
            Choice(SolverSpec("cg", settings, "direct", {}), f"{grid}: a sparse factorisation"),
        ]
    constant = operator.matrix_free and contrast == 1.0  # fast Poisson is then a direct method
    if rhs.ndim == 1 and len(operator.shape_grid) in (2, 3) and not constant:
        return [Choice(SolverSpec("cg", settings, "multigrid", {}), f"{grid}: multigrid, compiled as one solve"), *amg]
    if not operator.matrix_free:
        return []
    if contrast <= GENTLE_CONTRAST:
        return [Choice(SolverSpec("cg", settings, "fast_poisson", {}), f"{grid}: fast Poisson"), *amg]
    return [*amg, Choice(SolverSpec(solver, settings, "ict", {}), f"{grid}: incomplete Cholesky")]


def _definite(
    system: LinearSystem, properties: MatrixProperties, matrix: sp.csr_array, settings: dict[str, Any], work: float
) -> list[Choice]:
    n, columns = properties.n, columns_of(system.rhs)
    # Blocks pay where an iteration is dear and there are several of them.
    solver = "block_cg" if columns > 1 else "cg"
    kind = f"{properties.symmetry} {properties.definiteness}"
    several = f" and {columns} right-hand sides" if columns > 1 else ""

    def pair(preconditioner: str, reason: str, **preconditioner_settings: Any) -> Choice:
        by = "cg" if preconditioner in ("direct", "jacobi") else solver
        return Choice(SolverSpec(by, settings, preconditioner, preconditioner_settings), reason)

    regular = properties.definiteness == "positive definite" and properties.evidence.startswith("proven")
    bodies = None if regular or system.nullspace is not None else floating_bodies(matrix)
    if bodies is not None or system.nullspace is not None:
        reason = f"{kind}, its null space given"
        if bodies is not None:
            whole = bodies.shape[1] == 1 and bool(bodies.all())
            settings = {**settings, "nullspace": bodies}
            parts = "the constant is its null space" if whole else f"its null space has dimension {bodies.shape[1]}"
            reason = f"{kind}, A·1 = 0{'' if whole else ' in parts of it'}: {parts}"
        return [Choice(SolverSpec(solver, settings, name, {}), reason) for name in ("amg", "jacobi")]
    threshold = pair("ict", f"{kind}{several}: incomplete Cholesky")
    direct = pair("direct", f"{kind}, n = {n}: a sparse factorisation")
    if work <= CHEAP:
        return [direct, threshold, pair("jacobi", f"{kind}: the diagonal alone")]
    if "Gershgorin" in properties.evidence and _dominance(matrix) > 0.2:
        return [pair("jacobi", f"{kind}, strongly diagonally dominant: the diagonal is enough"), threshold]
    if system.near_nullspace is not None:
        reason = f"{kind}{several}, near-nullspace given: smoothed aggregation"
        return [pair("amg", reason, method="smoothed_aggregation"), threshold, direct]
    if not properties.complex and _like_m_matrix(matrix):
        return [pair("amg", f"{kind}{several}, off-diagonals ≤ 0: algebraic multigrid"), threshold, direct]
    if work <= MODERATE:
        return [direct, threshold, pair("jacobi", f"{kind}: the diagonal alone")]
    return [threshold, pair("jacobi", f"{kind}: the diagonal alone"), direct]


def _without_entries(system: LinearSystem, settings: dict[str, Any]) -> list[Choice]:
    """Return what suits an operator that only multiplies: two products tell whether it is Hermitian."""
    A = read_operator(system.operator)
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal((2, A.n))
    left, right = np.vdot(u, A(v)), np.vdot(A(u), v)
    size = np.linalg.norm(u) * np.linalg.norm(A(v))
    names = ("cg", "minres") if abs(left - right) <= _HERMITIAN_TO * size else ("gmres", "idrs")
    kind = "Hermitian" if names[0] == "cg" else "not Hermitian"
    reason = f"known by its products alone, {kind}: {{}} without a preconditioner"
    return [Choice(SolverSpec(name, settings, None, {}), reason.format(name)) for name in names]


def _dominance(matrix: sp.csr_array) -> float:
    """min_i (|a_ii| − Σ_j |a_ij|)/|a_ii|."""
    diagonal = np.abs(matrix.diagonal())
    rows = sizes_of_rows(matrix)
    return float(((2.0 * diagonal - rows) / diagonal).min())


def _like_m_matrix(matrix: sp.csr_array) -> bool:
    """Whether the positive off-diagonal entries carry at most a tenth of the weight of the others."""
    triplets = matrix.tocoo()
    off = triplets.data[triplets.coords[0] != triplets.coords[1]]
    return bool(off[off > 0].sum() <= 0.1 * -off[off < 0].sum())
