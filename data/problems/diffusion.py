"""What the two-dimensional diffusion problems share: the certificate of −∇·(a∇u) = f on cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from resolvent.solvers import DiffusionStencil

__all__ = ["diffusion_residual", "diffusion_rounding"]


def diffusion_residual(coefficient: np.ndarray, solution: np.ndarray, source: np.ndarray) -> float:
    """‖f − A(a)u‖₂ / ‖f‖₂ in float64 from arrays on the cells, whatever dtype they come in."""
    f = np.asarray(source, dtype=np.float64).ravel()
    stencil = DiffusionStencil(np.asarray(coefficient, dtype=np.float64))
    residual = f - stencil @ np.asarray(solution, dtype=np.float64).ravel()
    return float(np.linalg.norm(residual) / np.linalg.norm(f))


def diffusion_rounding(coefficient: np.ndarray, solution: np.ndarray, source: np.ndarray, dtype: Any) -> float:
    """Bound on what rounding a, u and f to `dtype` can add to the relative residual.

    With unit roundoff υ, rounding changes every harmonic face, and so every entry of A, by at most a factor 1 + υ (the
    diagonal is the sum of its faces), and u and f likewise; hence
    ‖f̃ − Ãũ‖ ≤ ‖f − Au‖ + υ(2 + υ)‖|A||u|‖ + υ‖f‖. As A is an M-matrix, |A||u| = 2D|u| − A|u| with D its diagonal.
    The factor 1.01 covers evaluating this from the rounded arrays.
    """
    unit = np.finfo(dtype).eps / 2.0
    stencil = DiffusionStencil(np.asarray(coefficient, dtype=np.float64))
    magnitude = np.abs(np.asarray(solution, dtype=np.float64)).ravel()
    reach = 2.0 * stencil.diagonal() * magnitude - stencil @ magnitude
    scale = np.linalg.norm(np.asarray(source, dtype=np.float64))
    return float(1.01 * (unit * (2.0 + unit) * np.linalg.norm(reach) / scale + unit))
