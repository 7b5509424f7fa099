"""Which solver and preconditioner suit a matrix, and the pair as plain values that a file can hold."""

from .spec import SolverSpec

__all__ = ["SolverSpec"]
