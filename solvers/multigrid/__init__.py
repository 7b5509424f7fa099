"""Solve diffusion with variable coefficients on boxes by matrix-free multigrid."""

from .batch import solve_batch
from .box_solver import BoxSolver
from .preconditioner import Multigrid
from .sample import BatchResult

__all__ = ["BatchResult", "BoxSolver", "Multigrid", "solve_batch"]
