"""Precondition by one symmetric cycle of algebraic multigrid, on the hierarchies of pyamg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from ..errors import InputError
from ..matrices.symmetry import is_hermitian
from ..operands import as_csr
from ..preconditioner import Preconditioner
from .hierarchy_summary import HierarchySummary

_DENSE_COARSE_LIMIT = 1500


class AMG(Preconditioner):
    """Apply M = one V- or W-cycle of algebraic multigrid from a zero guess.

    Kind 'spd' when A is Hermitian with a positive diagonal: restriction is the adjoint of prolongation, every
    smoother is symmetric, and the coarsest system is solved by its pseudo-inverse. The set-up is deterministic.

    `update` keeps the grids and the transfers, and recomputes the Galerkin operators R A P, smoothers and the coarse
    solve, in about a third of a set-up. Use it while large coefficients stay where they are.

    Settings
    --------
    method : {'ruge_stuben', 'smoothed_aggregation'}
        Classical AMG for scalar elliptic problems; smoothed aggregation also for systems (elasticity) with their `B`.
    B : array, (n, m), optional
        Near null space (smoothed aggregation only), e.g. the rigid-body modes; the constant by default.
    smoother : {'gauss_seidel', 'jacobi'}
        Symmetric Gauss–Seidel, or damped Jacobi.
    cycle : {'V', 'W'}
    strength : float, optional
        Threshold of strong connections, pyamg's default where None: 0.25 (ruge_stuben), 0 (smoothed_aggregation).
    max_levels, max_coarse : int
        Coarsening stops at this many levels or unknowns.

    Attributes
    ----------
    hierarchy : pyamg.MultilevelSolver
        The levels; printing the preconditioner shows them.

    References
    ----------
    Ruge and Stüben, in *Multigrid Methods* (SIAM, 1987); Vaněk, Mandel and Brezina, Computing 56 (1996) 179; Bell,
    Olson and Schroder, J. Open Source Softw. 7 (2022) 4142 (pyamg).
    """

    name = "amg"

    def __init__(
        self,
        method: Literal["ruge_stuben", "smoothed_aggregation"] = "ruge_stuben",
        B: Any = None,
        smoother: Literal["gauss_seidel", "jacobi"] = "gauss_seidel",
        cycle: Literal["V", "W"] = "V",
        strength: float | None = None,
        max_levels: int = 20,
        max_coarse: int = 20,
    ) -> None:
        for name, value, allowed in (
            ("method", method, ("ruge_stuben", "smoothed_aggregation")),
            ("smoother", smoother, ("gauss_seidel", "jacobi")),
            ("cycle", cycle, ("V", "W")),
        ):
            if value not in allowed:
                raise InputError(f"amg: {name} is {value!r}; expected {' or '.join(map(repr, allowed))}.")
        if B is not None and method == "ruge_stuben":
            raise InputError("amg: ruge_stuben takes no near null space B: use method='smoothed_aggregation'.")
        if strength is not None and not 0.0 <= strength <= 1.0:
            raise InputError(f"amg: strength is {strength!r}; expected a number in [0, 1].")
        if max_levels < 1 or max_coarse < 1:
            raise InputError(f"amg: max_levels is {max_levels}, max_coarse {max_coarse}; expected integers ≥ 1.")
        self.method, self.B, self.cycle, self.strength = method, B, cycle, strength
        self.max_levels, self.max_coarse = int(max_levels), int(max_coarse)
        self._smoother = (
            ("gauss_seidel", {"sweep": "symmetric"})
            if smoother == "gauss_seidel"
            else ("jacobi", {"omega": 2.0 / 3.0, "withrho": False})
        )

    def _build(self, A: Any, again: bool) -> None:
        matrix = sp.csr_matrix(as_csr(A, self.name))
        hermitian = is_hermitian(matrix)
        diagonal = matrix.diagonal()
        if not np.all(diagonal != 0):
            row = int(np.argmax(diagonal == 0))
            raise InputError(
                f"amg smooths by the diagonal of A, which is zero in row {row}: use direct, or gmres alone."
            )
        with _seeded(), _explained(), np.errstate(all="ignore"):
            if again:
                self._refill(matrix)
            else:
                self.hierarchy = self._coarsen(matrix, hermitian)
            self._coarse_solve = _coarse_solver(self.hierarchy.levels[-1].A)
        self.kind = "spd" if hermitian and bool(np.all(diagonal.real > 0.0)) else "linear"

    def _coarsen(self, matrix: sp.csr_matrix, hermitian: bool) -> Any:
        import pyamg  # a fifth of a second, which only those pay who use it

        options: dict[str, Any] = {
            "presmoother": self._smoother,
            "postsmoother": self._smoother,
            "max_levels": self.max_levels,
            "max_coarse": self.max_coarse,
        }
        if self.method == "ruge_stuben":
            if matrix.dtype.kind == "c":
                raise InputError(
                    "amg: ruge_stuben takes real matrices, but A is complex: use method='smoothed_aggregation'."
                )
            if self.strength is not None:
                options["strength"] = ("classical", {"theta": self.strength})
            return pyamg.ruge_stuben_solver(matrix, **options)
        if self.strength is not None:
            options["strength"] = ("symmetric", {"theta": self.strength})
        return pyamg.smoothed_aggregation_solver(
            matrix, B=self._near_null_space(matrix), symmetry="hermitian" if hermitian else "nonsymmetric", **options
        )

    def _near_null_space(self, matrix: sp.csr_matrix) -> np.ndarray | None:
        if self.B is None:
            return None
        B = np.asarray(self.B)
        B = B[:, None] if B.ndim == 1 else B
        if B.ndim != 2 or B.shape[0] != matrix.shape[0] or not np.isfinite(B).all():
            raise InputError(f"amg: B has shape {B.shape}; expected finite values, shape ({matrix.shape[0]}, m).")
        return B.astype(matrix.dtype)

    def _refill(self, matrix: sp.csr_matrix) -> None:
        from pyamg.relaxation.smoothing import change_smoothers

        levels = self.hierarchy.levels
        levels[0].A = matrix
        for fine, coarse in pairwise(levels):
            coarse.A = sp.csr_matrix(fine.R @ fine.A @ fine.P)
            coarse.A.sort_indices()
        change_smoothers(self.hierarchy, self._smoother, self._smoother)

    def _describe(self) -> dict[str, Any]:
        levels = self.hierarchy.levels
        complexity = f"{self.hierarchy.operator_complexity():.3f}"
        return {"method": repr(self.method), "levels": len(levels), "operator_complexity": complexity}

    def _summary(self) -> HierarchySummary:
        matrices = [level.A for level in self.hierarchy.levels]
        coarsest = matrices[-1].shape[0]
        return HierarchySummary(
            f"Algebraic multigrid: {self.method}, {self.cycle}-cycle",
            [A.shape[0] for A in matrices],
            [A.nnz for A in matrices],
            {"Smoother": self._smoother[0], "Coarse Solver": f"direct, {coarsest} unknowns"},
        )

    def __str__(self) -> str:
        return self._summary().text() if hasattr(self, "hierarchy") else repr(self)

    def _repr_html_(self) -> str:
        return self._summary().html() if hasattr(self, "hierarchy") else escape(repr(self))

    def _apply(self, r: np.ndarray) -> np.ndarray:
        return self._descend(0, r)

    def _descend(self, level: int, b: np.ndarray) -> np.ndarray:
        """Run one cycle for A_level x = b from x = 0."""
        levels = self.hierarchy.levels
        if level == len(levels) - 1:
            return self._coarse_solve(b)
        here = levels[level]
        x = np.zeros_like(b)
        here.presmoother(here.A, x, b)
        for _ in range(1 if self.cycle == "V" else 2):
            x += here.P @ self._descend(level + 1, here.R @ (b - here.A @ x))
            if self.cycle == "V" or level == len(levels) - 2:
                break
        here.postsmoother(here.A, x, b)
        return x


def _coarse_solver(A: sp.csr_matrix) -> Any:
    """Return b ↦ A⁺ b by a dense pseudo-inverse, or by SuperLU where coarsening stalled on a large matrix."""
    if A.shape[0] <= _DENSE_COARSE_LIMIT:
        dense = A.toarray()
        inverse = scipy.linalg.pinvh(dense) if is_hermitian(A) else scipy.linalg.pinv(dense)
        return lambda b: inverse @ b
    try:
        return spla.splu(A.tocsc()).solve
    except RuntimeError as error:
        raise InputError(
            f"amg: coarsening stopped at {A.shape[0]} unknowns with a singular matrix; raise max_levels, or use ic0."
        ) from error


@contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever pyamg and the coarse solve raise into one line: A is not a matrix that they can coarsen."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        what = " ".join(str(error).split()).rstrip(".") or "no reason given"
        raise InputError(
            f"amg: A could not be coarsened ({type(error).__name__}: {what}): use direct or ilut, or rescale A."
        ) from error


@contextmanager
def _seeded() -> Iterator[None]:
    """Seed NumPy's global generator, which pyamg uses for start vectors, and restore its state afterwards."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
