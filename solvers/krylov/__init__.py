"""Hold the Krylov methods, one in each file, and what they share: Arnoldi bases, Ritz vectors, recycled spaces."""

from .recycle_space import RecycleSpace

__all__ = ["RecycleSpace"]
