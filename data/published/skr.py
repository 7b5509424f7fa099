"""The matrices of the published experiments on Krylov recycling (Darcy and Helmholtz), with their defects."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from resolvent.solvers import InputError

__all__ = [
    "SKR_ALPHA",
    "SKR_TAU",
    "SKR_VARIANTS",
    "check_skr_grid",
    "skr_axes",
    "skr_matrix",
    "skr_residual",
    "skr_rounding",
    "skr_solution",
]

SKR_ALPHA, SKR_TAU = 2.5, 7.0
"""The published coefficient is c = exp(z), z ~ N(0, τ^{2α−2}(−Δ + τ²)^{−α}) periodic, with these: std(z) ≈ 0.185."""


SKR_VARIANTS = ("skr", "skr_aligned")
"""The settings `legacy` that build them: as published, and without the error in the start of a slice."""


def check_skr_grid(shape: tuple[int, ...]) -> None:
    """Refuse a grid on which the published slices do not fit together.

    Raises
    ------
    InputError
        If it is not a square of at least 5 points an axis.
    """
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 5:
        raise InputError(f"resolution {shape} with legacy='skr': expected a square of at least 5x5 points")


def skr_axes(shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """The points i/p of the published periodic field."""
    return tuple(np.arange(p) / p for p in shape)


def skr_matrix(coefficient: np.ndarray, shift: float = 0.0, aligned: bool = False) -> tuple[sp.csr_array, np.ndarray]:
    """The matrix and right-hand side for a coefficient c on p × p points, n = (p − 2)² unknowns.

    With s = p − 2, h = 1/(s − 1) and the inner points in C order: 4c_i − h²·`shift` on the diagonal, −c_j in the
    columns of the neighbours j = i ± 1 (not across the ends of a row) and j = i + s; the band j = i − s holds not
    −c_j but the coefficient two places before it in C order (of the inner columns, from the row −1 on), an error in
    the start of a slice. The right-hand side is h² for a source of 1.

    Without that error (`aligned`) A = L·diag(c) with the constant five-point Laplacian L, so that u = (L⁻¹b)/c: the
    matrix belongs to −Δ(cu) = f and not to −∇·(c∇u) = f, is nonsymmetric by construction, and one solve serves every
    sample. The error adds, over h², a term −(2/h) ∂c/∂x u: it grows as the grid is refined, outweighs the smallest
    eigenvalues 2π²h²c and makes some of them negative (found in every sample looked at, at 48² and 98² unknowns). So
    the published matrices discretise no equation, are indefinite, and are no scalings of one another.
    """
    p = coefficient.shape[0]
    s = p - 2
    size = s * s
    inner = coefficient[1:-1, 1:-1]
    index = np.arange(size).reshape(s, s)
    start = s if aligned else s - 2  # the published slice starts two places early
    band = coefficient[:-2, 1:-1].ravel()[start : start + size - s]
    rows = [index.ravel(), index[:, :-1].ravel(), index[:, 1:].ravel(), index[:-1].ravel(), index[1:].ravel()]
    columns = [index.ravel(), index[:, 1:].ravel(), index[:, :-1].ravel(), index[1:].ravel(), index[:-1].ravel()]
    h_squared = 1.0 / (s - 1) ** 2
    values = [
        (4.0 * inner - h_squared * shift).ravel(),
        -inner[:, 1:].ravel(),
        -inner[:, :-1].ravel(),
        -inner[1:].ravel(),
        -band,
    ]
    matrix = sp.coo_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(size, size)
    ).tocsr()
    matrix.sort_indices()
    return matrix, np.full(size, h_squared)


def skr_solution(solution: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The solver's x with the zero boundary around it."""
    values = np.zeros(shape)
    values[1:-1, 1:-1] = np.asarray(solution).reshape(shape[0] - 2, shape[1] - 2)
    return values


def skr_residual(
    coefficient: np.ndarray, solution: np.ndarray, source: np.ndarray, shift: float = 0.0, aligned: bool = False
) -> float:
    """‖b − Au‖/‖b‖ on the points, without a matrix; infinite where a boundary value is not zero."""
    c, u, f = (np.asarray(values, dtype=np.float64) for values in (coefficient, solution, source))
    rim = np.concatenate([u[0], u[-1], u[:, 0], u[:, -1]])
    if np.any(rim != 0.0):
        return float("inf")
    h_squared = 1.0 / (c.shape[0] - 3) ** 2
    b = h_squared * f[1:-1, 1:-1]
    residual = b - _action(c, u, -1.0, aligned) + h_squared * shift * u[1:-1, 1:-1]
    return float(np.linalg.norm(residual) / np.linalg.norm(b))


def skr_rounding(
    coefficient: np.ndarray,
    solution: np.ndarray,
    source: np.ndarray,
    dtype: Any,
    shift: float = 0.0,
    aligned: bool = False,
) -> float:
    """Bound on what rounding c, u, f and the square root of `shift` to `dtype` can add to :func:`skr_residual`."""
    unit = np.finfo(dtype).eps / 2.0
    c, u, f = (np.abs(np.asarray(values, dtype=np.float64)) for values in (coefficient, solution, source))
    h_squared = 1.0 / (c.shape[0] - 3) ** 2
    reach = (2.0 + unit) * np.linalg.norm(_action(c, u, 1.0, aligned)) + 3.1 * h_squared * shift * np.linalg.norm(u)
    return float(1.01 * unit * (reach / (h_squared * np.linalg.norm(f[1:-1, 1:-1])) + 1.0))


def _action(c: np.ndarray, u: np.ndarray, sign: float, aligned: bool) -> np.ndarray:
    """4 c u ∓ its neighbours at the inner points; c two places early at the one above, unless `aligned`."""
    product = c * u
    above = product[:-2, 1:-1]
    if not aligned:
        early = np.zeros_like(above)
        early.flat[2:] = c[:-2, 1:-1].flat[:-2]
        above = early * u[:-2, 1:-1]
    return 4.0 * product[1:-1, 1:-1] + sign * (product[2:, 1:-1] + product[1:-1, 2:] + product[1:-1, :-2] + above)
