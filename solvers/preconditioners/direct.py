"""Precondition by a sparse factorisation: the exact inverse."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from ..errors import InputError
from ..matrices.symmetry import is_hermitian
from ..operands import as_csr
from ..preconditioner import Preconditioner
from .packaged_factors import Cholmod, NotPositiveDefinite, Pardiso

_SINGULAR_ERROR = 0.5
_DIAGONAL_PIVOT = 1e-3
"""A diagonal entry is the pivot, in a symmetric order, if it is at least this share of the largest entry of its column.
Measured on Helmholtz and convection–diffusion matrices: half the fill of COLAMD, and as accurate. At 0.1 the pivots of
central differences of a strong flow leave the diagonal, and the fill is eight times as much."""
_UNSTABLE_ERROR = 1e-8
_PACKAGED: dict[str, type[Cholmod] | type[Pardiso]] = {"cholmod": Cholmod, "pardiso": Pardiso}


class Direct(Preconditioner):
    """Apply M = A⁻¹ by SuperLU, CHOLMOD or Pardiso; with cg or gmres it is iterative refinement of a direct solve.

    A Hermitian A with a positive diagonal is first factored without pivoting, in a symmetric minimum-degree order:
    positive pivots then prove it positive definite (Sylvester's law of inertia) and `kind` is 'spd'. Otherwise `kind`
    is 'linear'. If the pattern is symmetric and the diagonal not negligible, the same order is used with pivots that
    prefer the diagonal, provided that it recovers a known solution to 8 digits; else COLAMD and partial pivoting.

    `update` keeps the fill-reducing order, and with CHOLMOD and Pardiso the whole symbolic factorisation.

    Settings
    --------
    backend : {'superlu', 'cholmod', 'pardiso'}
        CHOLMOD (scikit-sparse; Hermitian positive definite A only) and Pardiso (pypardiso; real A) must be installed.

    Raises
    ------
    InputError
        If A is singular to working precision: a zero pivot, or a solve that does not recover a known solution.

    References
    ----------
    Li, ACM Trans. Math. Software 31 (2005) 302 (SuperLU); Chen, Davis, Hager and Rajamanickam, ACM Trans. Math.
    Software 35 (2008) 22 (CHOLMOD); Schenk and Gärtner, Future Gener. Comput. Syst. 20 (2004) 475 (Pardiso).
    """

    name = "direct"

    def __init__(self, backend: Literal["superlu", "cholmod", "pardiso"] = "superlu") -> None:
        if backend not in ("superlu", *_PACKAGED):
            raise InputError(f"direct: backend is {backend!r}; expected 'superlu', 'cholmod' or 'pardiso'.")
        self.backend = backend
        self._packaged: Cholmod | Pardiso | None = None
        self._pattern: tuple[np.ndarray, np.ndarray] | None = None
        self._order: np.ndarray | None = None
        self._ordered_for = ""

    @property
    def fill(self) -> int | None:
        """Return the number of entries of the factors L and U; None where an installed package holds them."""
        return int(self._lu.nnz) if self._packaged is None else None

    def _build(self, A: Any, again: bool) -> None:
        matrix = as_csr(A, self.name).tocsc()
        _refuse_empty_lines(matrix)
        hermitian = is_hermitian(matrix) and bool(np.all(matrix.diagonal().real > 0.0))
        self.kind = "linear"
        if self.backend != "superlu":
            self._build_packaged(matrix, hermitian, again)
            self._refuse_singular(matrix)
            return
        if hermitian and self._factor(matrix, "definite", again) and self._positive_pivots():
            self.kind = "spd"
        elif (
            _favours_diagonal(matrix)
            and self._factor(matrix, "diagonal", again)
            and self._recovery_error(matrix) <= _UNSTABLE_ERROR
        ):
            return
        elif not self._factor(matrix, "general", again):
            raise InputError(_singular("a pivot is exactly zero"))
        self._refuse_singular(matrix)

    def _build_packaged(self, matrix: sp.csc_array, hermitian: bool, again: bool) -> None:
        """Factor with an installed package; the kind is 'spd' if a factorisation without pivoting has proven it."""
        before, self._pattern = self._pattern, (matrix.indptr, matrix.indices)
        same = before is not None and all(map(np.array_equal, before, self._pattern))
        try:
            if again and same and self._packaged is not None and self._packaged.definite == hermitian:
                self._packaged.refactor(matrix)
            else:
                self._packaged = _PACKAGED[self.backend](matrix, hermitian)
        except NotPositiveDefinite as error:
            if self.backend == "cholmod":
                raise InputError(
                    "direct: backend='cholmod' takes Hermitian positive definite matrices, and A is not: use "
                    "backend='superlu' with gmres."
                ) from error
            self._packaged = Pardiso(matrix, definite=False)
        self.kind = "spd" if self._packaged.definite else "linear"

    def _factor(self, matrix: sp.csc_array, mode: str, again: bool) -> bool:
        """Factor A[:, order] (A[order][:, order] where rows follow columns); return False on a zero pivot.

        The modes: 'definite' pivots on the diagonal alone, 'diagonal' where it is not too small, 'general' on the
        largest entry.
        """
        symmetric = mode != "general"
        kind = "symmetric" if symmetric else "general"
        reuse = again and self._order is not None and self._ordered_for == kind
        if reuse:
            order = self._order
            matrix = matrix[order][:, order] if symmetric else matrix[:, order]
        try:
            self._lu = spla.splu(
                matrix,
                permc_spec="NATURAL" if reuse else "MMD_AT_PLUS_A" if symmetric else "COLAMD",
                diag_pivot_thresh={"definite": 0.0, "diagonal": _DIAGONAL_PIVOT, "general": 1.0}[mode],
                options={"SymmetricMode": symmetric, "Equil": mode != "definite"},
            )
        except RuntimeError:  # SuperLU's report of a zero pivot
            return False
        self._symmetric = symmetric
        self._used_order = self._order if reuse else None
        if not reuse:
            self._order = np.argsort(self._lu.perm_c)
            self._ordered_for = kind
        return True

    def _positive_pivots(self) -> bool:
        lu = self._lu
        pivots = lu.U.diagonal()
        return bool(np.array_equal(lu.perm_r, lu.perm_c) and np.all(pivots.real > 0.0) and np.isfinite(pivots).all())

    def _refuse_singular(self, matrix: sp.csc_array) -> None:
        error = self._recovery_error(matrix)
        if not error < _SINGULAR_ERROR:
            raise InputError(_singular(f"solving for a known vector leaves a relative error of {error:.2g}"))

    def _recovery_error(self, matrix: sp.csc_array) -> float:
        """Return the larger error of two recovered ±1 vectors, which the scaling of rows does not affect."""
        rng = np.random.default_rng(0)
        errors = []
        for _ in range(2):
            known = rng.choice([-1.0, 1.0], size=matrix.shape[0])
            recovered = self._apply((matrix @ known).astype(self.dtype))
            errors.append(float(np.linalg.norm(recovered - known)) / math.sqrt(known.size))
        return float(np.max(errors))

    def _describe(self) -> dict[str, Any]:
        return {"backend": repr(self.backend), **({} if self.fill is None else {"fill": self.fill})}

    def _apply(self, r: np.ndarray) -> np.ndarray:
        if self._packaged is not None:
            return self._packaged.solve(r)
        order = self._used_order
        if order is None:
            return self._lu.solve(r)
        z = np.empty_like(r)
        z[order] = self._lu.solve(r[order] if self._symmetric else r)
        return z

    def _matmat(self, R: np.ndarray) -> np.ndarray:
        if (
            self._packaged is not None
            or self._used_order is not None
            or (R.dtype.kind == "c" and self.dtype.kind != "c")
        ):
            return super()._matmat(R)
        return self._lu.solve(np.ascontiguousarray(R, dtype=self.dtype))


def _favours_diagonal(matrix: sp.csc_array) -> bool:
    """Return whether the pattern is symmetric and no diagonal entry is negligible in its column."""
    diagonal = np.abs(matrix.diagonal())
    if not np.all(diagonal > 0.0) or not np.all(
        diagonal >= _DIAGONAL_PIVOT * abs(matrix).max(axis=0).toarray().ravel()
    ):
        return False
    matrix = sp.csc_array(matrix)
    matrix.sort_indices()
    transposed = matrix.T.tocsc()
    transposed.sort_indices()
    return np.array_equal(matrix.indptr, transposed.indptr) and np.array_equal(matrix.indices, transposed.indices)


def _refuse_empty_lines(matrix: sp.csc_array) -> None:
    """Refuse a matrix with an empty row or column, of which SuperLU makes messages of LAPACK on the standard error."""
    for line, counts in (
        ("row", np.bincount(matrix.indices, minlength=matrix.shape[0])),
        ("column", np.diff(matrix.indptr)),
    ):
        if not counts.all():
            raise InputError(_singular(f"{line} {int(np.argmin(counts))} is empty"))


def _singular(sign: str) -> str:
    return (
        f"direct: A is singular to working precision ({sign}); "
        f"fix the null space (pin an unknown, or add a small multiple of I), or use cg or gmres without direct."
    )
