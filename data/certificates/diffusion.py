"""Evaluate the residual of −∇·(a∇u) = f, summed face by face, and bound what rounding adds to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from resolvent.solvers import InputError

from ..boundaries import Sides, Walls, is_singular, without_mean
from . import balance


def diffusion_residual(
    coefficient: np.ndarray | None,
    solution: np.ndarray,
    source: np.ndarray,
    sides: Sides,
    walls: Walls | None = None,
) -> float:
    """Return ‖f − A(a)u‖₂ / ‖f‖₂ in float64 from arrays on the cells, whatever dtype they come in; a is 1 if None.

    A u is summed face by face (:mod:`.balance`), not by the solver's operator. With Dirichlet data f
    includes what the walls contribute. Without a Dirichlet side the mean of f is subtracted, and the mean of u over its
    root mean square is part of the residual.

    Raises
    ------
    InputError
        If the coefficient is not positive.
    """
    f, u = _float64(source), _float64(solution)
    a = None if coefficient is None else _float64(coefficient)
    if a is not None and not a.min() > 0.0:
        raise InputError(f"the coefficient falls to {a.min():g}: expected a > 0 in every cell")
    residual = f - balance.diffusion(a, u, sides, walls)
    if is_singular(sides):
        size, mean = float(np.sqrt(np.mean(u * u))), abs(float(u.mean()))
        equation = float(np.linalg.norm(without_mean(residual)) / np.linalg.norm(without_mean(f)))
        return max(equation, mean / size if size else 0.0)
    return float(np.linalg.norm(residual) / _scale(a, f, sides, walls))


def diffusion_rounding(
    coefficient: np.ndarray | None,
    solution: np.ndarray,
    source: np.ndarray,
    sides: Sides,
    dtype: Any,
    walls: Walls | None = None,
) -> float:
    """Bound what rounding a, u, f and the Dirichlet data to `dtype` can add to the relative residual.

    With unit roundoff υ, rounding changes every harmonic face, and so every entry of A, by at most a factor 1 + υ (the
    diagonal is the sum of its faces), and u and f likewise; hence
    ‖f̃ − Ãũ‖ ≤ ‖f − Au‖ + υ(2 + υ)‖|A||u|‖ + υ‖f‖. The factor 1.01 covers evaluating this from the rounded arrays. The
    scale ‖f‖, which then holds what the walls contribute, itself moves by a factor 1 + υ(2 + υ) at most.
    """
    unit = np.finfo(dtype).eps / 2.0
    f, u = _float64(source), _float64(solution)
    a = None if coefficient is None else _float64(coefficient)
    reach = float(np.linalg.norm(balance.diffusion_magnitude(a, u, sides, walls)))
    if is_singular(sides):
        centred = float(np.linalg.norm(without_mean(f)))
        added = float(unit * ((2.0 + unit) * reach + np.linalg.norm(f)) / centred)
        return 1.01 * max(added, 2.0 * float(unit))
    scale = _scale(a, f, sides, walls)
    return float(1.01 * unit * ((2.0 + unit) * reach + np.linalg.norm(f)) / scale)


def _scale(a: np.ndarray | None, f: np.ndarray, sides: Sides, walls: Walls | None) -> float:
    """Return the norm of the right-hand side: the residual of u = 0."""
    if walls:
        f = f - balance.diffusion(a, np.zeros_like(f), sides, walls)
    return float(np.linalg.norm(f))


def _float64(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)
