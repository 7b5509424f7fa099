"""Krylov recycling for data generation (arXiv 2401.09516) on its own families and on correct ones, beside baselines.

Each cell is products with A for each system (set-up of the space included) and milliseconds a system, preconditioner,
ordering and analysis included; one thread, every residual recomputed. The published families are built from their
formulas; see `legacy` below for what they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from resolvent.data.fields import GaussianRandomField
from resolvent.solvers import (
    AMG,
    ILU0,
    DiffusionStencil,
    Direct,
    SolveResult,
    analyse,
    cg,
    deflated_cg,
    gcrodr,
    gmres,
    is_hermitian,
    order_features,
    recycled_minres,
    solve_sequence,
)

from ..console import say
from .markdown import write_results

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ..run_folder import RunFolder

RTOL = 1e-8
MAXITER = 1000
DIRECT_LIMIT = 20_000
System = tuple[Any, np.ndarray, np.ndarray]  # matrix, right-hand side, features

METHODS = (
    "no recycling",
    "recycling, unsorted",
    "recycling, sorted",
    "warm start only",
    "deflated restart only",
    "symmetric recycling",
    "CG + AMG",
    "direct, reused",
    "family analysis",
)


def field(n: int, rng: np.random.Generator, alpha: float = 2.5, tau: float = 7.0) -> np.ndarray:
    """A Gaussian field on n × n cells, standard deviation one."""
    source = GaussianRandomField(alpha=alpha, tau=tau, modes=min(n, 64))
    centres = (np.arange(n) + 0.5) / n
    values = source.evaluate(source.sample(rng), centres, centres)
    return np.asarray(values / values.std())


def grid(sides: tuple[int, ...], below: float = 1.0, above: float = 1.0) -> sp.csr_array:
    """Σ over the axes of tridiag(−below, below + above, −above), zero walls."""
    total = sp.csr_array((1, 1))
    for n in sides:
        one = sp.diags_array(
            [np.full(n, below + above), np.full(n - 1, -above), np.full(n - 1, -below)], offsets=[0, 1, -1]
        )
        total = sp.kron(total, sp.eye_array(n)) + sp.kron(sp.eye_array(total.shape[0]), one)
    return sp.csr_array(total)


def legacy(kind: str, n: int, count: int, rng: np.random.Generator) -> Iterator[System]:
    """The published matrices: one Laplacian L, times diag(c), less h²k²; or L itself and few right-hand sides."""
    L, ones = grid((n, n)), np.ones(n * n)
    x = np.linspace(-1.0, 1.0, n)
    for _ in range(count):
        if kind in ("darcy", "helmholtz"):
            c = np.exp(0.185 * field(n, rng)).ravel()
            shift = (rng.random() / (n + 2)) ** 2 if kind == "helmholtz" else 0.0
            yield sp.csr_array(L @ sp.diags_array(c) - shift * sp.eye_array(n * n)), ones, c
        elif kind == "poisson":
            series = [np.polynomial.chebyshev.chebval(x, rng.uniform(-1.0, 1.0, 6)) for _ in range(5)]
            b = np.outer(series[0], np.ones(n)) / n**2
            b[:, 0] += series[1]
            b[:, -1] += series[2]
            b[0] += series[3][0]
            b[-1] += series[4][-1]
            yield L.copy(), b.ravel(), np.concatenate(series)
        else:
            heat, flux = 100.0 * rng.random(2)
            b = np.zeros((n, n))
            b[0] += heat
            b[-1] -= flux / n
            yield L.copy(), b.ravel(), np.array([heat, flux])


def darcy(n: int, count: int, rng: np.random.Generator) -> Iterator[System]:
    """−∇·(a∇u) = 1 by finite volumes, a = exp of a Gaussian field: symmetric positive definite."""
    for _ in range(count):
        g = field(n, rng)
        yield sp.csr_array(DiffusionStencil(np.exp(g)).tocsr()), np.full(n * n, 1.0 / n**2), g.ravel()


def helmholtz_path(side: int, count: int, rng: np.random.Generator) -> Iterator[System]:
    """−∇²u − k²u = f in three dimensions, k drifting from 10.0 by 0.02 a system: indefinite, too large to factor."""
    L, h = grid((side, side, side)), 1.0 / (side + 1)
    for i in range(count):
        k = 10.0 + 0.02 * i
        A = sp.csr_array(L - (h * k) ** 2 * sp.eye_array(side**3))
        yield A, rng.standard_normal(side**3), np.array([k])


def helmholtz(n: int, count: int, rng: np.random.Generator, wavenumber: float = 20.0) -> Iterator[System]:
    """−∇²u − k²(1 + 0.1 g)²u = f, truly indefinite."""
    L, h = grid((n, n)), 1.0 / (n + 1)
    for _ in range(count):
        g = field(n, rng)
        k = h * wavenumber * (1.0 + 0.1 * g.ravel())
        yield sp.csr_array(L - sp.diags_array(k**2)), h**2 * field(n, rng).ravel(), g.ravel()


def convection(sides: tuple[int, ...], count: int, rng: np.random.Generator, path: bool) -> Iterator[System]:
    """Upwind convection–diffusion, the speed drawn for each system or drifting along a path."""
    h = 1.0 / (sides[0] + 1)
    N = int(np.prod(sides))
    for i in range(count):
        speed = 20.0 + 10.0 * i / count if path else rng.uniform(5.0, 40.0)
        reaction = 0.1 * h**2 * rng.random(N)
        A = sp.csr_array(grid(sides, below=1.0 + speed * h) + sp.diags_array(reaction))
        yield A, rng.standard_normal(N), np.array([speed])


def families(n: int, side: int, count: int) -> dict[str, Callable[[], list[System]]]:
    """Builders by name: the published four, and correct ones."""

    def listed(build: Callable[..., Iterator[System]], *arguments: Any) -> Callable[[], list[System]]:
        return lambda: list(build(*arguments))

    rng = np.random.default_rng
    found = {
        f"legacy {kind} {n}²": listed(legacy, kind, n, count, rng(0))
        for kind in ("darcy", "helmholtz", "poisson", "thermal")
    }
    found[f"darcy {n}²"] = listed(darcy, n, count, rng(1))
    found[f"helmholtz {n}², k=20"] = listed(helmholtz, n, count, rng(2))
    found[f"convection {n}², random"] = listed(convection, (n, n), count, rng(3), False)
    found[f"convection {side}³, path"] = listed(convection, (side, side, side), max(4, count // 5), rng(4), True)
    found[f"helmholtz {side}³, path"] = listed(helmholtz_path, side, max(4, count // 5), rng(5))
    return found


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Measure and write the table; return 0."""
    rows, notes = [], []
    with threadpool_limits(1):
        for name, build in families(48, 32, 30).items():
            systems = build()
            say(name)
            cells = [_cell(systems, method) for method in METHODS]
            rows.append((name, len(systems), *cells))
            report = analyse([(A, b) for A, b, _ in systems])
            plans = ", ".join(dict.fromkeys(report.plan.values()))
            kinds = ", ".join(group.kind for group in report.groups) or "no group"
            notes.append(f"{name}: the analysis finds: matrices {kinds}; plan: {plans}.")
    notes.append("Products are exact; times are of a machine shared with other work, and no claims.")
    intro = (
        f"Products with A a system / ms a system, ‖b − Ax‖ ≤ {RTOL:g} ‖b‖, GMRES(40) and GCRO-DR(40, 20) with ILU(0) as"
        " in the paper. Products count everything: checks of the residual and the set-up of the space. `*`: the share"
        f" of systems that did not converge within {MAXITER} iterations. Symmetric recycling: deflated CG where"
        " positive definite, recycling MINRES elsewhere, unpreconditioned."
    )
    write_results(folder, "skr", intro, ("family", "systems", *METHODS), rows, notes)
    folder.finish(families=len(rows))
    return 0


def _cell(systems: list[System], method: str) -> str:
    began = time.perf_counter()
    try:
        solved = _solve(systems, method)
    except _NotApplicable as reason:
        return str(reason)
    spent = 1e3 * (time.perf_counter() - began) / len(systems)
    products, failed = solved
    mark = f" *{failed / len(systems):.0%}" if failed else ""
    return f"{products / len(systems):.0f} / {spent:.1f}{mark}"


class _NotApplicable(Exception):
    pass


def _solve(systems: list[System], method: str) -> tuple[int, int]:
    """(products, systems not converged) of a method on a family."""
    pairs = [(A, b) for A, b, _ in systems]
    if method == "family analysis":
        family = solve_sequence(pairs, rtol=RTOL)
        _check(pairs, family.results)
        return family.ledger.matvecs, sum(not one.converged for one in family.results)
    symmetric = is_hermitian(pairs[0][0])
    definite = (
        symmetric
        and pairs[0][0].diagonal().min() > 0
        and gershgorin(pairs[0][0]) >= -1e-12 * pairs[0][0].diagonal().max()
    )
    if method == "CG + AMG" and not definite:
        raise _NotApplicable("not SPD")
    if method == "symmetric recycling" and not symmetric:
        raise _NotApplicable("not symmetric")
    if method == "direct, reused" and pairs[0][0].shape[0] > DIRECT_LIMIT:
        raise _NotApplicable("not factored")
    order = np.arange(len(pairs))
    if method in ("recycling, sorted", "warm start only", "symmetric recycling"):
        order = order_features(np.stack([features for _, _, features in systems]), "greedy")
    results: list[SolveResult] = []
    space: Any = None
    M: Any = None
    previous: Any = None
    for i in order:
        A, b = pairs[i]
        if method == "CG + AMG":
            result = cg(A, b, rtol=RTOL, M=AMG.setup(A))
        elif method == "direct, reused":
            M = Direct.setup(A) if M is None else M.update(A)
            result = gmres(A, b, rtol=RTOL, M=M)
        elif method == "symmetric recycling":
            solver = deflated_cg if definite else recycled_minres
            result = solver(A, b, rtol=RTOL, maxiter=MAXITER, space=space)
        else:
            M = ILU0.setup(A)
            if method in ("no recycling", "warm start only"):
                guess = previous if method == "warm start only" else None
                result = gmres(A, b, guess, rtol=RTOL, maxiter=MAXITER, M=M, restart=40)
            else:
                kept = None if method == "deflated restart only" else space
                result = gcrodr(A, b, rtol=RTOL, maxiter=MAXITER, M=M, space=kept)
        space, previous = result.space, result.x
        results.append(result)
    _check([pairs[i] for i in order], results)
    return sum(result.matvecs for result in results), sum(not result.converged for result in results)


def gershgorin(A: Any) -> float:
    """The least left end of Gershgorin's circles."""
    diagonal = A.diagonal().real
    return float((2.0 * diagonal - np.asarray(abs(A).sum(axis=1)).ravel()).min())


def _check(pairs: list[tuple[Any, np.ndarray]], results: list[SolveResult]) -> None:
    """Residuals once more, by this file's own product."""
    for (A, b), result in zip(pairs, results, strict=True):
        true = float(np.linalg.norm(b - A @ result.x))
        if result.converged and true > 1.001 * RTOL * np.linalg.norm(b):
            raise AssertionError(f"a solve said to have converged left a residual of {true:.3g}")
