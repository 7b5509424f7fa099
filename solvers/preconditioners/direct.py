"""Precondition by a sparse factorisation: the exact inverse."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from ..errors import InputError
from ..matrices.symmetry import is_hermitian
from ..operands import as_csr
from ..preconditioner import Preconditioner
from ..stopping import EPSILON
from .packaged_factors import Cholmod, NotPositiveDefinite, Pardiso
from .sparse_lu.certificate import Certificate, Solve, certify, inverse_norm
from .sparse_lu.equilibration import Equilibration, is_extreme
from .sparse_lu.factors import DIAGONAL_PIVOT, Factors, Mode, Ordering, ZeroPivot
from .sparse_lu.pivoting import choose_mode, choose_order, uncounted_order
from .sparse_lu.portrait import Compressed, Portrait, by_columns, by_rows, portrait
from .sparse_lu.singularity import exactly_singular, has_transversal, refuse_empty, unstable

_LOST_DIGITS = 8.0
"""Digits of a recovered vector below which pivots on the diagonal are not trusted, unless their backward error is that
of rounding, `_ROUNDING`, and A so to blame: then its condition is estimated."""

_ROUNDING = 1e-14

_REFUSED = 1e-8
"""Backward error, after a step of refinement, from which on factors are refused."""

_PACKAGED: dict[str, type[Cholmod] | type[Pardiso]] = {"cholmod": Cholmod, "pardiso": Pardiso}


class Direct(Preconditioner):
    """Apply M = A⁻¹ by SuperLU, CHOLMOD or Pardiso; with cg or gmres it is iterative refinement of a direct solve.

    The matrix is read once, and order and pivots are chosen before it is factored. A Hermitian A with a positive
    diagonal is factored without pivoting, in an order of minimum degree: positive pivots then prove it positive
    definite (Sylvester's law of inertia), as diagonal dominance does, and `kind` is 'spd'. Otherwise it is 'linear'. If
    the pattern is nearly symmetric and the diagonal not negligible, the same order is used with pivots that prefer the
    diagonal; else columns are ordered (COLAMD) and rows exchanged. Factors that prefer the diagonal must recover a
    known solution to 8 digits, or as many as A allows; if they do not, rows are exchanged after all.

    Factors are judged by their backward error, not by the condition of A: a nearly singular A is factored,
    `near_singular` says so, and the residual of the solve decides.

    `update` keeps the fill-reducing order, and with CHOLMOD and Pardiso the whole symbolic factorisation.

    Settings
    --------
    backend : {'superlu', 'cholmod', 'pardiso'}
        CHOLMOD (scikit-sparse; Hermitian positive definite A only) and Pardiso (pypardiso; real A) must be installed.

    Attributes
    ----------
    recovered_digits : float
        Decimal digits of a known solution that the factors recover, 0 to 16: what is left of 16 after the condition.
    near_singular : bool
        Whether A is singular to working precision: M b is then one solution of many, if there is any.
    rcond : float or None
        An estimate of 1/κ₁(A).
    backward_error : float
        ‖b − A x‖_∞ / (‖A‖_∞ ‖x‖_∞ + ‖b‖_∞) of that solve, about 1e-16 for stable factors.

    Raises
    ------
    InputError
        If A is exactly singular (an empty row, a zero pivot), or no factors are stable or fit into memory.

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
        self._factors: Factors | Cholmod | Pardiso | None = None
        self._pattern: tuple[np.ndarray, np.ndarray] | None = None
        self._orders: dict[bool, Ordering] = {}  # by whether rows follow columns
        self._exchanges_cheaper = False
        self._scaling: Equilibration | None = None
        self._rcond: float | None = None
        self._certificate: Certificate

    @property
    def fill(self) -> int | None:
        """Return the number of entries of the factors L and U; None where an installed package holds them."""
        return int(self._factors.lu.nnz) if isinstance(self._factors, Factors) else None

    @property
    def near_singular(self) -> bool:
        """Return whether A is singular to working precision: κ₁(A) above 1/ε, and digits lost in one solve.

        A matrix whose rows are badly scaled has such a κ too, but loses none.
        """
        if self._certificate.digits >= _LOST_DIGITS:
            return False
        rcond = self.rcond
        return self._certificate.digits < 1.0 if rcond is None else rcond < EPSILON

    @property
    def recovered_digits(self) -> float:
        """Return the decimal digits of a known solution that the factors recover."""
        return self._certificate.digits

    @property
    def backward_error(self) -> float:
        """Return the backward error of the solve that certified the factors."""
        return self._certificate.backward_error

    @property
    def rcond(self) -> float | None:
        """Return 1/κ₁(A), estimated by a few solves when first asked for; None where a package holds the factors.

        Where entries are near the ends of float64 it is that of the equilibrated matrix.
        """
        if not isinstance(self._factors, Factors):
            return None
        if self._rcond is None:
            solve, adjoint = self._factors.solve, self._factors.solve_adjoint
            inverse = inverse_norm(self.shape[0], self.dtype, solve, adjoint)
            product = self._norm_one * inverse
            self._rcond = 1.0 / product if product > 0.0 else 0.0
        return self._rcond

    def _build(self, A: Any, again: bool) -> None:
        matrix = as_csr(A, self.name)
        self.kind = "linear"
        self._rcond = None
        if self.backend != "superlu":
            packaged = self._build_packaged(matrix.tocsc(), again)
            self._accept(matrix, packaged.solve, float(abs(matrix).sum(axis=1).max()))
            return
        if not again:
            self._orders, self._exchanges_cheaper = {}, False
        rows = by_rows(matrix, self.name)
        columns, facts = _described(rows)
        refuse_empty(facts)
        if facts.zeros and not has_transversal(rows):
            raise exactly_singular(matrix)
        self._scaling = None
        if is_extreme(facts):
            self._scaling = Equilibration(rows, facts)
            rows = self._scaling.scaled(rows)
            matrix = sp.csr_array((rows.data, rows.indices, rows.indptr), shape=matrix.shape)
            columns, facts = _described(rows)
        self._norm_one = facts.norm_one
        mode = choose_mode(matrix, facts)
        if mode != "general" and not self._prefer_diagonal(matrix, rows, columns, facts, mode):
            mode = "general"
        if mode == "general":
            self._accept(matrix, self._exchange_rows(matrix, rows, columns).solve, facts.norm)

    def _prefer_diagonal(
        self, matrix: sp.csr_array, rows: Compressed, columns: Compressed, facts: Portrait, mode: Mode
    ) -> bool:
        """Factor with pivots on the diagonal; return whether that is sparse and stable, and set `kind`."""
        if self._exchanges_cheaper:
            return False
        ordering = self._orders.get(True)
        if ordering is None:
            symmetric, ordering = choose_order(rows, columns, facts)
            if not symmetric:
                self._exchanges_cheaper, self._orders[False] = True, ordering
                return False
        try:
            factors = self._factor(rows, columns, mode, ordering)
        except ZeroPivot:
            return False
        certificate = certify(matrix, factors.solve, facts.norm)
        stable = certificate.digits >= _LOST_DIGITS or certificate.backward_error <= _ROUNDING
        if stable:
            self._certificate = certificate
            # A pivot that is rounding noise proves nothing. A diagonally dominant matrix is semidefinite by
            # Gershgorin's circles, and definite if it is not singular: its pivots, a copy of U, need not be read.
            if mode == "definite" and not self.near_singular:
                proven = facts.dominant or factors.positive_pivots()
                self.kind = "spd" if proven else "linear"
        return stable

    def _exchange_rows(self, matrix: sp.csr_array, rows: Compressed, columns: Compressed) -> Factors:
        """Factor with row exchanges; a pivot that is zero by rounding may be another number in SuperLU's own order."""
        own = Ordering(None, None)
        chosen = self._orders.get(False) or uncounted_order(rows.n)
        for ordering in [chosen, own] if any(each is not None for each in chosen) else [own]:
            try:
                return self._factor(rows, columns, "general", ordering)
            except ZeroPivot:
                continue
        raise exactly_singular(matrix)

    def _factor(self, rows: Compressed, columns: Compressed, mode: Mode, ordering: Ordering) -> Factors:
        self._factors = factors = Factors(rows, columns, mode, ordering)
        self._orders[mode != "general"] = factors.ordering
        return factors

    def _build_packaged(self, matrix: sp.csc_array, again: bool) -> Cholmod | Pardiso:
        """Factor with an installed package; the kind is 'spd' if a factorisation without pivoting has proven it."""
        hermitian = is_hermitian(matrix) and bool(np.all(matrix.diagonal().real > 0.0))
        before, self._pattern = self._pattern, (matrix.indptr, matrix.indices)
        same = before is not None and all(map(np.array_equal, before, self._pattern))
        packaged = self._factors
        try:
            if again and same and isinstance(packaged, Cholmod | Pardiso) and packaged.definite == hermitian:
                packaged.refactor(matrix)
            else:
                packaged = _PACKAGED[self.backend](matrix, hermitian)
        except NotPositiveDefinite as error:
            if self.backend == "cholmod":
                raise InputError(
                    "direct: backend='cholmod' takes Hermitian positive definite matrices, and A is not: use "
                    "backend='superlu' with gmres."
                ) from error
            packaged = Pardiso(matrix, definite=False)
        self._factors = packaged
        self.kind = "spd" if packaged.definite else "linear"
        return packaged

    def _accept(self, matrix: sp.csr_array, solve: Solve, norm: float) -> None:
        """Keep the certificate of factors; refuse those that are unstable even after a step of refinement."""
        self._certificate = certify(matrix, solve, norm)
        if not self._certificate.backward_error <= _REFUSED:
            refined = certify(matrix, solve, norm, refine=True)
            if not refined.backward_error <= _REFUSED:
                raise unstable(refined.backward_error)

    def _describe(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"backend": repr(self.backend), **({} if self.fill is None else {"fill": self.fill})}
        if self.near_singular:
            facts["near_singular"] = True
            if self.rcond is not None:
                facts["rcond"] = f"{self.rcond:.1g}"
        return facts

    def _apply(self, r: np.ndarray) -> np.ndarray:
        assert self._factors is not None
        if self._scaling is not None:
            return self._scaling.unscaled_solve(self._factors.solve, r)
        return self._factors.solve(r)

    def _matmat(self, R: np.ndarray) -> np.ndarray:
        factors = self._factors
        if (
            self._scaling is not None
            or not isinstance(factors, Factors)
            or (R.dtype.kind == "c" and self.dtype.kind != "c")
        ):
            return super()._matmat(R)
        return factors.solve(np.ascontiguousarray(R, dtype=self.dtype))


def _described(rows: Compressed) -> tuple[Compressed, Portrait]:
    """Return a matrix by its columns, and what it is like."""
    own = np.arange(rows.n, dtype=np.int32)
    columns = by_columns(rows, own, own)
    return columns, portrait(rows, columns, DIAGONAL_PIVOT)
