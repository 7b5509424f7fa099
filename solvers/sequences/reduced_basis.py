"""Solve a batch of systems with an affine expansion by the reduced basis method."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from .analysis import Batch
from .empirical_interpolation import Interpolation

_DEPENDENT = 1e-13


class ReducedBasis:
    """Find solutions of least residual in the span of a few solutions, at a cost that does not depend on n.

    With A_i = Σ_m β_im A_m, b_i = Σ_l γ_il b_l and a basis V, the residual b_i − A_i V a is a combination of the
    vectors b_l and A_m v_j. These are orthonormalised once, [b_l, A_m v_j] = Q R, so ‖b_i − A_i V a‖₂ is the norm of a
    short vector, without the cancellation in its expanded square (Casenave, Ern and Lelièvre, M2AN 48 (2014) 207);
    the coefficients a minimise it by least squares.

    Parameters
    ----------
    batch : Batch
    samples : list of int
        The samples that the expansions represent.
    terms, sides : Interpolation
        The expansions of their matrices and right-hand sides.
    """

    def __init__(self, batch: Batch, samples: list[int], terms: Interpolation, sides: Interpolation) -> None:
        self.samples = samples
        self.place = {sample: row for row, sample in enumerate(samples)}
        self.beta, self.gamma = terms.coefficients, sides.coefficients
        self.matrices = [batch.matrices[samples[m]] for m in terms.members]
        self.norms = np.array([np.linalg.norm(batch.rhs[i]) for i in samples])
        dtype = np.result_type(self.matrices[0].dtype, *(b.dtype for b in batch.rhs)) if self.matrices else float
        self.V: list[np.ndarray] = []
        self.Q: list[np.ndarray] = []
        self.of_sides = [self._coordinates(batch.rhs[samples[m]].astype(dtype)) for m in sides.members]
        self.of_images = np.zeros((len(self.matrices), 0, 0), dtype=dtype)  # coordinates of A_m v_j at [m, :, j]
        self.products = 0

    @property
    def size(self) -> int:
        """Return the number of basis vectors."""
        return len(self.V)

    def extend(self, x: np.ndarray) -> bool:
        """Add a solution to the basis; return False if it depends on the basis."""
        v, length = x, float(np.linalg.norm(x))
        if not length > 0.0:
            return False
        for _ in range(2):
            for u in self.V:
                v = v - u * np.vdot(u, v)
        remainder = np.linalg.norm(v)
        if remainder <= _DEPENDENT * length:
            return False
        v = v / remainder
        self.V.append(v)
        new = [self._coordinates(A @ v) for A in self.matrices]
        terms, height, size = self.of_images.shape
        grown = np.zeros((terms, len(self.Q), size + 1), dtype=np.result_type(self.of_images, *new))
        grown[:, :height, :size] = self.of_images
        for m, coordinates in enumerate(new):
            grown[m, : len(coordinates), size] = coordinates
        self.of_images = grown
        self.products += len(self.matrices)
        return True

    def fit(self, sample: int) -> tuple[np.ndarray, float]:
        """Return the a of least residual, and ‖b − A V a‖₂ by the expansion."""
        row = self.place[sample]
        rhs = np.zeros(len(self.Q), dtype=np.result_type(self.gamma, self.of_images))
        for weight, side in zip(self.gamma[row], self.of_sides, strict=True):
            rhs[: len(side)] += weight * side
        if not self.V:
            return np.zeros(0), float(np.linalg.norm(rhs))
        images = np.tensordot(self.beta[row], self.of_images, axes=1)
        if not (np.isfinite(images).all() and np.isfinite(rhs).all()):
            return np.zeros(self.size), math.inf
        Q, R = np.linalg.qr(images)
        pivots = np.abs(np.diagonal(R))
        if pivots.min() > _DEPENDENT * pivots.max():
            a = scipy.linalg.solve_triangular(R, Q.conj().T @ rhs)
        else:
            a, *_ = np.linalg.lstsq(images, rhs, rcond=None)
        return a, float(np.linalg.norm(rhs - images @ a))

    def solution(self, a: np.ndarray) -> np.ndarray:
        """Return V a."""
        return np.stack(self.V, axis=1) @ a

    def _coordinates(self, w: np.ndarray) -> np.ndarray:
        """Return the coordinates of w in Q, to which the new part of w is added."""
        size = np.linalg.norm(w)
        coordinates = np.zeros(len(self.Q) + 1, dtype=w.dtype)
        for _ in range(2):
            for j, q in enumerate(self.Q):
                c = np.vdot(q, w)
                coordinates[j] += c
                w = w - q * c
        remainder = np.linalg.norm(w)
        if remainder <= 1e-15 * size:
            return coordinates[:-1]
        coordinates[-1] = remainder
        self.Q.append(w / remainder)
        return coordinates


def grow(
    basis: ReducedBasis, solve: Callable[[int, np.ndarray], Any], tolerance: float, most: int
) -> tuple[dict[int, Any], bool]:
    """Solve the sample that the basis represents worst and add it, until all are below the tolerance (weak greedy).

    Parameters
    ----------
    basis : ReducedBasis
    solve : callable
        (sample, guess) ↦ SolveResult.
    tolerance : float
        For relative residuals.
    most : int
        Solves after which it stops.

    Returns
    -------
    solved : dict
        Results of the samples that were solved.
    complete : bool
        Whether the basis represents all others.
    """
    solved: dict[int, Any] = {}
    sizes = np.where(basis.norms > 0.0, basis.norms, 1.0)
    while True:
        fits = {i: basis.fit(i) for i in basis.samples if i not in solved}
        if not fits:
            return solved, True
        ratios = {i: norm / sizes[basis.place[i]] for i, (_, norm) in fits.items()}
        worst = max(ratios, key=lambda i: ratios[i])
        if ratios[worst] <= tolerance:
            return solved, True
        if len(solved) >= most:
            return solved, False
        a = fits[worst][0]
        result = solve(worst, basis.solution(a) if basis.V else np.zeros(0))
        solved[worst] = result
        if result.converged:
            basis.extend(result.x)
