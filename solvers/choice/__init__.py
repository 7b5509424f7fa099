"""Choose the solver and preconditioner that suit a matrix, hold the pair as plain values, and solve in one call."""

from .attempts import solve
from .automatic import Choice, choose, sensible_solvers
from .spec import SolverSpec

__all__ = ["Choice", "SolverSpec", "choose", "sensible_solvers", "solve"]
