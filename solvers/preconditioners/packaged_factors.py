"""Call CHOLMOD and Pardiso, where they are installed, by one pair of methods: `refactor(A)` and `solve(r)`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import InputError


class NotPositiveDefinite(Exception):
    """Report that a factorisation for Hermitian positive definite matrices got another matrix."""


class Cholmod:
    """Factor a Hermitian positive definite matrix as L Lᴴ by supernodal CHOLMOD; `refactor` keeps the analysis."""

    definite = True

    def __init__(self, matrix: sp.csc_array, definite: bool) -> None:
        try:
            from sksparse.cholmod import analyze
        except ImportError as error:
            raise _missing("cholmod", "scikit-sparse") from error
        if not definite:
            raise NotPositiveDefinite
        self._factor = analyze(sp.csc_matrix(matrix), mode="supernodal")
        self.refactor(matrix)

    def refactor(self, matrix: sp.csc_array) -> None:
        """Factor a matrix of the pattern that was analysed."""
        from sksparse.cholmod import CholmodNotPositiveDefiniteError

        try:
            self._factor.cholesky_inplace(sp.csc_matrix(matrix))
        except CholmodNotPositiveDefiniteError as error:
            raise NotPositiveDefinite from error

    def solve(self, r: np.ndarray) -> np.ndarray:
        """Return A⁻¹ r."""
        return np.asarray(self._factor(r))


class Pardiso:
    """Factor a real matrix as L Lᵀ (definite) or L U by MKL's Pardiso; `refactor` keeps the analysis."""

    _ANALYSE, _FACTOR, _SOLVE = 11, 22, 33
    _DEFINITE, _GENERAL = 2, 11

    def __init__(self, matrix: sp.csc_array, definite: bool) -> None:
        try:
            from pypardiso import PyPardisoSolver

            self._solver: Any = PyPardisoSolver(mtype=self._DEFINITE if definite else self._GENERAL)
        except ImportError as error:
            raise _missing("pardiso", "pypardiso") from error
        if matrix.dtype.kind == "c":
            raise InputError("direct: backend='pardiso' takes real matrices, but A is complex: use backend='superlu'.")
        self.definite = definite
        self._take(matrix)
        self._call(self._ANALYSE)
        self._call(self._FACTOR)

    def refactor(self, matrix: sp.csc_array) -> None:
        """Factor a matrix of the pattern that was analysed."""
        self._take(matrix)
        self._call(self._FACTOR)

    def solve(self, r: np.ndarray) -> np.ndarray:
        """Return A⁻¹ r."""
        return np.asarray(self._call(self._SOLVE, r))

    def _take(self, matrix: sp.csc_array) -> None:
        self._matrix = sp.csr_matrix(sp.triu(matrix) if self.definite else matrix)
        self._matrix.sort_indices()

    def _call(self, phase: int, r: np.ndarray | None = None) -> Any:
        from pypardiso.pardiso_wrapper import PyPardisoError

        vector = np.zeros(self._matrix.shape[0]) if r is None else np.array(r, dtype=np.float64)
        self._solver.set_phase(phase)
        try:
            return self._solver._call_pardiso(self._matrix, vector)
        except PyPardisoError as error:
            if self.definite:
                raise NotPositiveDefinite from error
            raise InputError(
                f"direct: Pardiso failed with error {error.value}, A is singular; use cg or gmres without direct."
            ) from error

    def __del__(self) -> None:
        solver = getattr(self, "_solver", None)
        if solver is not None and hasattr(self, "_matrix"):
            solver.set_phase(-1)
            solver._call_pardiso(self._matrix, np.zeros(self._matrix.shape[0]))


def _missing(backend: str, package: str) -> InputError:
    return InputError(
        f"direct: backend={backend!r} needs {package}: pip install 'resolvent[bench]' (or {package}), or use "
        f"backend='superlu'."
    )
