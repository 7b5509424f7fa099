"""What the diffusion problems −∇·(a∇u) = f on boxes share: system, default solver, certificate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from resolvent.solvers import DiffusionStencil, InputError, box_diffusion
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from .. import balance
from ..boundaries import Sides, plain_sides

__all__ = [
    "all_dirichlet",
    "diffusion_residual",
    "diffusion_rounding",
    "diffusion_solver",
    "diffusion_system",
    "is_singular",
    "without_mean",
]

Walls = Mapping[tuple[int, int], np.ndarray]


def is_singular(sides: Sides) -> bool:
    """Whether constants solve the homogeneous problem: no side is Dirichlet."""
    return not any(side == "dirichlet" for pair in sides for side in pair)


def all_dirichlet(sides: Sides) -> bool:
    """Whether every side is Dirichlet."""
    return all(side == "dirichlet" for pair in sides for side in pair)


def without_mean(values: np.ndarray) -> np.ndarray:
    """The values less their mean over the cells."""
    return values - values.mean()


def diffusion_system(
    coefficient: np.ndarray, source: np.ndarray, sides: Sides, walls: Walls | None = None
) -> LinearSystem:
    """The finite volumes of −∇·(a∇u) = f. Without a Dirichlet side: of −∇·(a∇u) = f − mean f, whose null space is the
    constant.
    """
    source = np.ascontiguousarray(source, dtype=np.float64)
    if len(sides) == 2 and all_dirichlet(sides):
        operator: Any = DiffusionStencil(coefficient)
    else:
        operator = box_diffusion(coefficient, boundary=sides)
    if is_singular(sides):
        return LinearSystem(operator, without_mean(source).ravel(), source.shape, nullspace=np.ones(source.size))
    rhs = source
    for (axis, number), values in (walls or {}).items():
        rhs = rhs.copy()
        layer = (slice(None),) * axis + (slice(-1, None) if number else slice(0, 1),)
        rhs[layer] += 2.0 * source.shape[axis] ** 2 * coefficient[layer] * values
    return LinearSystem(operator, rhs.ravel(), source.shape)


def diffusion_solver(shape: tuple[int, ...], sides: Sides, scaling: str = "none") -> SolverSpec:
    """CG with the fast Poisson preconditioner, or algebraic multigrid where an axis has two different sides."""
    if any(low != high for low, high in sides):
        return SolverSpec("cg", {"rtol": 1e-10}, "amg", {})
    settings: dict[str, Any] = {} if scaling == "none" else {"scaling": scaling}
    if not all_dirichlet(sides):
        boundary = plain_sides(sides)
        settings |= {"shape": list(shape), "boundary": boundary if isinstance(boundary, str) else list(boundary)}
    return SolverSpec(preconditioner_settings=settings)


def diffusion_residual(
    coefficient: np.ndarray | None,
    solution: np.ndarray,
    source: np.ndarray,
    sides: Sides,
    walls: Walls | None = None,
) -> float:
    """‖f − A(a)u‖₂ / ‖f‖₂ in float64 from arrays on the cells, whatever dtype they come in; a is 1 if None.

    A u is summed face by face (:mod:`resolvent.data.balance`), not by the solver's operator. With Dirichlet data f
    includes what the walls contribute. Without a Dirichlet side f is less its mean, and the mean of u over its root
    mean square is part of the residual.

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
    """Bound on what rounding a, u, f and the Dirichlet data to `dtype` can add to the relative residual.

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
    """Norm of the right-hand side: the residual of u = 0."""
    if walls:
        f = f - balance.diffusion(a, np.zeros_like(f), sides, walls)
    return float(np.linalg.norm(f))


def _float64(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)
