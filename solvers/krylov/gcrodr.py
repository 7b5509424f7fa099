"""Solve by GCRO-DR: restarted GMRES that deflates a space, and hands it on to the next system."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np

from ..arguments import check_count
from ..errors import InputError
from ..iteration import Breakdown, Column, Method
from ..operands import on_host
from ..result import SolveResult, Status
from ..stopping import EPSILON
from .arnoldi import back_substitution, orthogonalise, rotation
from .harmonic_ritz import smallest_harmonic
from .recycle_space import Carrier, RecycleSpace, orthonormal_images, project, recycled

_ORTHONORMAL = 1e-13
_DRIFT = 1.1
"""Images are recomputed if the true residual exceeds that of the recurrence by this factor."""


def gcrodr(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    restart: int = 40,
    k: int = 20,
    space: RecycleSpace | None = None,
    iterations: int | None = None,
) -> SolveResult:
    """Solve A x = b by GCRO-DR(restart, k), for any nonsingular A and later, similar ones.

    Between cycles the k harmonic Ritz vectors of A M of least modulus are stored as U, with A U = C and Cᴴ C = I. A
    cycle takes restart − k Arnoldi steps with (I − C Cᴴ) A M and minimises ‖b − A x‖₂ over U and the Krylov space
    together. On one system the iterates are those of GMRES-DR; for the next system `result.space` starts where this
    one ended.

    U holds directions of x, so fitting it to a new matrix takes k products with A and no application of M; with an
    unchanged matrix one product.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Nonsingular; real or complex. CuPy matrices work too.
    b : array, (n,) or (n, m)
        Right-hand sides; each column starts from the space that the previous one gathered.
    x0, rtol, atol, maxiter, callback, iterations
        As in `lgmres`: `maxiter` counts cycles, and `callback` is handed the iterate after each. The minimisation over
        `space` counts as one iteration.
    M : preconditioner of kind 'spd' or 'linear', optional
        Approximates A⁻¹, from the right.
    restart : int
        Directions in a cycle, including those of the space. Memory is (restart + 2 k) n, and 2 restart n more with M.
    k : int
        Dimension of the space, less than `restart`. For a real matrix the space is real: a complex pair of Ritz vectors
        enters it whole, or not at all if k would split it.
    space : RecycleSpace, optional
        `result.space` of an earlier system of the same size.

    Returns
    -------
    SolveResult
        With `space` for the next system; None if recycling has not helped (see `krylov/recycle_space.py`).

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    Parks, de Sturler, Mackey, Johnson and Maiti, SIAM J. Sci. Comput. 28 (2006) 1651; Morgan, SIAM J. Sci. Comput. 24
    (2002) 20 (GMRES-DR).
    """
    options = {"rtol": rtol, "atol": atol, "maxiter": iterations, "cycles": maxiter, "M": M, "callback": callback}
    return _solve(METHOD, A, b, x0, restart, k, space, **options)


def fgcrodr(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    restart: int = 40,
    k: int = 20,
    space: RecycleSpace | None = None,
    iterations: int | None = None,
) -> SolveResult:
    """Solve A x = b by flexible GCRO-DR(restart, k): `gcrodr` for any M, even a nonlinear one.

    The preconditioned vectors z_j = M(v_j) are stored, A U = C holds whatever M is, and U comes from the harmonic Ritz
    problem that v_j ↦ A z_j defines. With a fixed linear M the iterates are those of `gcrodr`.

    Parameters
    ----------
    A, b, x0, rtol, atol, maxiter, callback, restart, k, space, iterations
        As in `gcrodr`.
    M : preconditioner of any kind, optional
        Approximates A⁻¹; may be nonlinear or change between applications.

    Returns
    -------
    SolveResult
        As in `gcrodr`.

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    Carvalho, Gratton, Lago and Vasseur, SIAM J. Matrix Anal. Appl. 32 (2011) 1212.
    """
    options = {"rtol": rtol, "atol": atol, "maxiter": iterations, "cycles": maxiter, "M": M, "callback": callback}
    return _solve(FLEXIBLE_METHOD, A, b, x0, restart, k, space, **options)


def _solve(
    method: Method, A: Any, b: Any, x0: Any, restart: int, k: int, space: RecycleSpace | None, **options: Any
) -> SolveResult:
    restart = check_count(method.name, "restart", restart, least=2, example=40)
    k = check_count(method.name, "k", k, least=1, example=20)
    if k >= restart:
        raise InputError(
            f"{method.name}: k is {k} and restart is {restart}; expected k < restart, such as k=restart // 2."
        )
    return recycled(method, A, b, x0, space, k, most=restart - 1, restart=restart, **options)


def _cycle(column: Column, x: Any, r: Any, *, restart: int, carrier: Carrier) -> Generator[float, None, None]:
    """Run one cycle; x is formed, and the space renewed, when the generator ends or is closed."""
    carrier.prepare(column)
    norm = column.norm(r)
    if norm > _DRIFT * column.memory.get("claim", math.inf) and not column.memory.get("refreshed"):
        carrier.refresh(column)
        column.memory["refreshed"] = True
    else:
        column.memory["refreshed"] = False
    if carrier.C is not None:
        project(column.xp, carrier.C, carrier.U, carrier.C, x, r)
        if "claim" not in column.memory:
            column.budget -= 1
            column.memory["claim"] = column.norm(r)
            yield column.memory["claim"]
            if column.budget <= 0:
                return
    column.memory.setdefault("claim", norm)
    beta = column.norm(r)
    if beta > 0.0:
        steps = _Steps(column, carrier, beta, restart)
        try:
            yield from steps.run(r)
        finally:
            steps.finish(x)


class _Steps:
    """Take the Arnoldi steps of one cycle: A Z = C B + V H̄, V orthonormal and orthogonal to C."""

    def __init__(self, column: Column, carrier: Carrier, beta: float, restart: int) -> None:
        self.column, self.carrier = column, carrier
        xp, n = column.xp, column.A.n
        self.k = 0 if carrier.C is None else int(carrier.C.shape[0])
        self.size = max(1, min(restart - self.k, n - self.k, column.budget))
        self.basis = xp.empty((self.k + self.size + 1, n), dtype=column.dtype)  # C, then V
        if self.k:
            self.basis[: self.k] = carrier.C
        self.V = self.basis[self.k :]
        self.Z = xp.empty((self.size, n), dtype=column.dtype) if column.preconditioned else self.V
        self.H = np.zeros((self.k + self.size + 1, self.size), dtype=column.dtype)  # B above H̄
        self.triangle = np.zeros((self.size, self.size), dtype=column.dtype)
        self.rhs = np.zeros(self.size + 1, dtype=column.dtype)
        self.rhs[0] = beta
        self.done, self.exhausted = 0, False

    def run(self, r: Any) -> Generator[float, None, None]:
        column, k, xp = self.column, self.k, self.column.xp
        self.V[0] = r / self.rhs[0].real
        rotations: list[tuple[float, Any]] = []
        for j in range(self.size):
            if column.preconditioned:
                self.Z[j] = column.M(self.V[j])
            w = xp.asarray(column.A(self.Z[j]), dtype=column.dtype)
            length = column.norm(w)
            w, coefficients = orthogonalise(xp, self.basis[: k + j + 1], w)
            below = column.norm(w)
            if not math.isfinite(below):
                raise Breakdown(Status.NONFINITE, "A M v is not finite")
            invariant = below <= 10.0 * EPSILON * length
            coefficients[-1] = below = 0.0 if invariant else below
            h = coefficients[k:].copy()
            for i, (c, s) in enumerate(rotations):
                h[i], h[i + 1] = c * h[i] + s * h[i + 1], c * h[i + 1] - np.conj(s) * h[i]
            c, s = rotation(h[j], below)
            pivot = c * h[j] + s * below
            if abs(pivot) <= EPSILON * length:
                if k and not j:
                    self.carrier.clear()  # the direction lies in the space: go on without the space
                raise Breakdown(Status.BREAKDOWN, f"A M is singular on the Krylov space of dimension {j + 1}")
            rotations.append((c, s))
            self.H[: k + j + 2, j] = coefficients
            self.triangle[:j, j], self.triangle[j, j] = h[:j], pivot
            self.rhs[j], self.rhs[j + 1] = c * self.rhs[j], -np.conj(s) * self.rhs[j]
            if not invariant:
                self.V[j + 1] = w / below
            self.done, self.exhausted = j + 1, invariant
            column.memory["claim"] = float(abs(self.rhs[j + 1]))
            yield column.memory["claim"]
            if invariant:
                return

    def finish(self, x: Any) -> None:
        """Set x ← x + Z y − U B y with the least residual, and the harmonic Ritz vectors as the new space."""
        if not self.done:
            return
        m, k, xp = self.done, self.k, self.column.xp
        y = back_substitution(self.triangle[:m, :m], self.rhs[:m])
        x += xp.asarray(y) @ self.Z[:m]
        if k:
            x -= xp.asarray(self.H[:k, :m] @ y) @ self.carrier.U
        self._renew(m, self.carrier, min(self.carrier.k, self.column.A.n - 1))

    def _renew(self, m: int, carrier: Carrier, most: int) -> None:
        """Take the smallest harmonic Ritz vectors of [U, Z], whose images are [C, V] G, as the new space."""
        if most < 1:
            return
        xp, k, dtype = self.column.xp, self.k, self.column.dtype
        rows = k + m + (0 if self.exhausted else 1)
        G = np.zeros((rows, k + m), dtype=dtype)
        F = np.zeros((rows, k + m), dtype=dtype)  # [C, V]ᴴ [T, V]
        G[:, k:] = self.H[:rows, :m]
        F[k : k + m, k:] = np.eye(m)
        W = self.basis[:rows]
        directions, preimages = [self.Z[:m]], [self.V[:m]]
        if k:
            sizes = on_host(xp.sqrt(xp.sum(xp.abs(carrier.T) ** 2, axis=1)))
            scale = xp.asarray(1.0 / sizes)[:, None]
            T = carrier.T * scale
            G[:k, :k] = np.diag(1.0 / sizes)
            F[:, :k] = on_host(xp.conj(W) @ T.T)
            directions, preimages = [carrier.U * scale, *directions], [T, *preimages]
        chosen = smallest_harmonic(G, F, most)
        if chosen is None:
            return
        images, combination = chosen
        C = xp.asarray(images.T) @ W
        change = xp.asarray(combination.T)
        U = change @ xp.concat(directions) if k else change @ directions[0]
        T = U
        if self.column.preconditioned:
            T = change @ xp.concat(preimages) if k else change @ preimages[0]
        gram = on_host(xp.conj(C) @ C.T)
        if not math.isfinite(float(xp.sum(xp.abs(U))) + float(np.abs(gram).sum())):
            return
        if np.abs(gram - np.eye(len(gram))).max() > _ORTHONORMAL:
            C, U, T = orthonormal_images(xp, C, U, T)
        carrier.put(U, C, T if self.column.preconditioned else None)


METHOD = Method("gcrodr", _cycle, accepts=("spd", "linear"), explicit=False, callback="cycle", maxiter="checked cycles")
FLEXIBLE_METHOD = replace(METHOD, name="fgcrodr", accepts=("spd", "linear", "nonlinear"))
