"""Matrix-free multigrid for diffusion with variable coefficients on boxes."""

from .batch import BatchResult, solve_batch
from .preconditioner import Multigrid

__all__ = ["BatchResult", "Multigrid", "solve_batch"]
