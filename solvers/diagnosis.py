"""Say what the entries of A tell of a solve that has failed: they are looked at only then, so that no other solve pays.

An advice that A contradicts is worse than none: more iterations of `cg` help no matrix that is not Hermitian, and a
Laplacian of the other sign is solved by changing signs.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from .matrices.symmetry import SYMMETRY_TOLERANCE, asymmetry
from .operands import CountedOperator, is_gpu
from .result import SolveResult, Status

_SILENT = (Status.CONVERGED, Status.INCONSISTENT, Status.UNREPRESENTABLE)
"""Ends that a matrix of the wrong kind does not explain."""


class Diagnosis:
    """Mend the messages of failed solves by what the entries of A show.

    Parameters
    ----------
    name : str
        The method.
    hermitian : bool
        Whether it needs a Hermitian A.
    A : CountedOperator
    preconditioned : bool
        Whether the solves had a preconditioner.
    """

    def __init__(self, name: str, hermitian: bool, A: CountedOperator, preconditioned: bool) -> None:
        self.name, self.hermitian, self.preconditioned = name, hermitian, preconditioned
        readable = A.matrix is not None and not is_gpu(A.matrix) and A.matrix.shape[0] == A.matrix.shape[1]
        self._entries = A.matrix if readable else None

    def of(self, result: SolveResult) -> SolveResult:
        """Return the result of one right-hand side with the message that A asks for."""
        if result.status in _SILENT:
            return result
        head, _, reason = result.message.removesuffix(f". {result.status.advice}").partition("; ")
        if self._asymmetry > SYMMETRY_TOLERANCE:
            found = self._not_hermitian(result.status, reason)
        else:
            found = self._not_positive(result, reason)
        if found is not None:
            result.message = f"{head}; {'. '.join(found)}"
        return result

    @cached_property
    def _asymmetry(self) -> float:
        return 0.0 if self._entries is None else asymmetry(self._entries)

    @cached_property
    def _difference(self) -> float:
        """Return max |A − Aᴴ| / max |A|, which a reader can check, of a matrix that is not Hermitian."""
        matrix = sp.csr_array(self._entries)
        return float(abs((matrix - matrix.conj().T).data).max() / abs(matrix.data).max())

    @cached_property
    def _diagonal(self) -> np.ndarray | None:
        return None if self._entries is None else np.real(self._entries.diagonal())

    def _not_hermitian(self, status: Status, reason: str) -> tuple[str, str] | None:
        """Return the reason and the advice for a matrix that differs from its adjoint."""
        if self.hermitian:
            reason = f"A is not Hermitian, as {self.name} needs it: max |A − Aᴴ| = {self._difference:.3g} max |A|"
            return reason, "Use gmres, which takes any nonsingular A."
        if status is Status.INDEFINITE:
            return reason, "Use gmres."
        if status is Status.DIVERGED:
            return reason, "Check that A is not singular; lower omega of a stationary method, or use gmres."
        return None

    def _not_positive(self, result: SolveResult, reason: str) -> tuple[str, str] | None:
        """Return the reason and the advice where a method for positive definite A met another one."""
        status, diagonal = result.status, self._diagonal
        if not self.hermitian or status not in (Status.INDEFINITE, Status.DIVERGED):
            return None
        if diagonal is None:
            # Without M the first direction is r itself, and rᴴA r < 0 is all that is known.
            negative = status is Status.INDEFINITE and result.iterations == 0 and not self.preconditioned
            seen = "in the first direction"
        else:
            if diagonal.min() < 0.0 < diagonal.max():
                return f"{reason}; the diagonal of A has both signs: A is indefinite", "Use minres or gmres."
            negative = bool(diagonal.max() < 0.0) and (status is Status.DIVERGED or result.iterations == 0)
            seen = "and by its diagonal"
        if not negative:
            return None
        M = ", with −M for M" if self.preconditioned else ""
        reason += f"; as far as is seen, {seen}, A is negative definite"
        return reason, f"If it is, solve −A x = −b{M}; else use minres or gmres."
