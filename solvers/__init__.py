"""Linear solvers, preconditioners and matrix-free operators."""

from .bicgstab import bicgstab
from .block_cg import block_cg
from .cg import cg
from .chebyshev import chebyshev
from .colouring import greedy_colours
from .errors import InputError
from .fcg import fcg
from .fgmres import fgmres
from .gmres import gmres
from .idrs import idrs
from .iteration import Breakdown, Column, Method, run
from .kinds import ACCEPTED_KINDS, Kind
from .lgmres import lgmres
from .matrix_properties import MatrixProperties, matrix_properties
from .minres import minres
from .multigrid import BatchResult, Multigrid, solve_batch
from .preconditioner import Preconditioner
from .preconditioners import (
    AMG,
    FSAI,
    IC0,
    ICT,
    ILU0,
    ILUT,
    SSOR,
    BlockJacobi,
    ChebyshevPolynomial,
    Circulant,
    Direct,
    FastPoisson,
    Jacobi,
    SymmetricPolynomial,
    Tau,
)
from .registry import PRECONDITIONERS, SOLVERS, get_preconditioner, get_solver
from .relaxation import optimal_omega, spectral_radius_jacobi
from .result import SolveResult, Status
from .richardson import richardson
from .stationary import gauss_seidel, jacobi, sor, ssor
from .stencil import DiffusionStencil
from .symmetry import is_hermitian
from .toeplitz import ToeplitzOperator

__all__ = [
    "ACCEPTED_KINDS",
    "AMG",
    "FSAI",
    "IC0",
    "ICT",
    "ILU0",
    "ILUT",
    "PRECONDITIONERS",
    "SOLVERS",
    "SSOR",
    "BatchResult",
    "BlockJacobi",
    "Breakdown",
    "ChebyshevPolynomial",
    "Circulant",
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
    "SymmetricPolynomial",
    "Tau",
    "ToeplitzOperator",
    "bicgstab",
    "block_cg",
    "cg",
    "chebyshev",
    "fcg",
    "fgmres",
    "gauss_seidel",
    "get_preconditioner",
    "get_solver",
    "gmres",
    "greedy_colours",
    "idrs",
    "is_hermitian",
    "jacobi",
    "lgmres",
    "matrix_properties",
    "minres",
    "optimal_omega",
    "richardson",
    "run",
    "solve_batch",
    "sor",
    "spectral_radius_jacobi",
    "ssor",
]
