"""Linear solvers, preconditioners and matrix-free operators."""

from .cg import cg
from .errors import InputError
from .gmres import gmres
from .iteration import Breakdown, Column, Method, run
from .kinds import ACCEPTED_KINDS, Kind
from .matrix_properties import MatrixProperties, matrix_properties
from .multigrid import BatchResult, Multigrid, solve_batch
from .preconditioner import Preconditioner
from .preconditioners import AMG, IC0, SSOR, Direct, FastPoisson, Jacobi
from .registry import PRECONDITIONERS, SOLVERS, get_preconditioner, get_solver
from .relaxation import optimal_omega, spectral_radius_jacobi
from .result import SolveResult, Status
from .stationary import jacobi, sor, ssor
from .stencil import DiffusionStencil
from .symmetry import is_hermitian

__all__ = [
    "ACCEPTED_KINDS",
    "AMG",
    "IC0",
    "PRECONDITIONERS",
    "SOLVERS",
    "SSOR",
    "BatchResult",
    "Breakdown",
    "Column",
    "DiffusionStencil",
    "Direct",
    "FastPoisson",
    "InputError",
    "Jacobi",
    "Kind",
    "MatrixProperties",
    "Method",
    "Multigrid",
    "Preconditioner",
    "SolveResult",
    "Status",
    "cg",
    "get_preconditioner",
    "get_solver",
    "gmres",
    "is_hermitian",
    "jacobi",
    "matrix_properties",
    "optimal_omega",
    "run",
    "solve_batch",
    "sor",
    "spectral_radius_jacobi",
    "ssor",
]
