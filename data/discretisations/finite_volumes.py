"""Build what the diffusion problems −∇·(a∇u) = f on boxes share: the system and the default solver."""

from __future__ import annotations

from typing import Any

import numpy as np

from resolvent.solvers import Diffusion
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from ..boundaries import Sides, Walls, all_dirichlet, is_singular, plain_sides, without_mean


def diffusion_system(
    coefficient: np.ndarray, source: np.ndarray, sides: Sides, walls: Walls | None = None
) -> LinearSystem:
    """Return the finite volumes of −∇·(a∇u) = f.

    Without a Dirichlet side they are those of −∇·(a∇u) = f − mean f, whose null space is the constant.
    """
    source = np.ascontiguousarray(source, dtype=np.float64)
    operator = Diffusion(coefficient, boundary=sides)
    if is_singular(sides):
        return LinearSystem(operator, without_mean(source).ravel(), source.shape, nullspace=np.ones(source.size))
    rhs = source
    for (axis, number), values in (walls or {}).items():
        rhs = rhs.copy()
        layer = (slice(None),) * axis + (slice(-1, None) if number else slice(0, 1),)
        rhs[layer] += 2.0 * source.shape[axis] ** 2 * coefficient[layer] * values
    return LinearSystem(operator, rhs.ravel(), source.shape)


def diffusion_solver(shape: tuple[int, ...], sides: Sides, scaling: str = "none") -> SolverSpec:
    """Return CG with the fast Poisson preconditioner, or with algebraic multigrid if an axis has two kinds of sides."""
    if any(low != high for low, high in sides):
        return SolverSpec("cg", {"rtol": 1e-10}, "amg", {})
    settings: dict[str, Any] = {} if scaling == "none" else {"scaling": scaling}
    if not all_dirichlet(sides):
        boundary = plain_sides(sides)
        settings |= {"shape": list(shape), "boundary": boundary if isinstance(boundary, str) else list(boundary)}
    return SolverSpec(preconditioner_settings=settings)
