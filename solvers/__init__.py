"""Linear solvers, preconditioners and matrix-free operators."""

from .bicgstab import bicgstab
from .block_cg import block_cg
from .box_stencil import BoxDiffusion, BoxStencil, box_diffusion
from .cg import cg
from .chebyshev import chebyshev
from .colouring import greedy_colours
from .deflated_cg import deflated_cg
from .errors import InputError
from .family_analysis import FamilyReport, analyse
from .fcg import fcg
from .fgmres import fgmres
from .fourier_grid import FourierGrid
from .gcrodr import fgcrodr, gcrodr
from .gmres import gmres
from .idrs import idrs
from .iteration import Breakdown, Column, Method, run
from .kinds import ACCEPTED_KINDS, Kind
from .lgmres import lgmres
from .matrix_properties import MatrixProperties, matrix_properties
from .minres import minres
from .multigrid import BatchResult, BoxSolver, Multigrid, solve_batch
from .ordering import ORDERINGS, order_features, path_length
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
from .recycled_minres import recycled_minres
from .recycling import RecycleSpace
from .registry import PRECONDITIONERS, SOLVERS, get_preconditioner, get_solver
from .relaxation import optimal_omega, spectral_radius_jacobi
from .result import SolveResult, Status
from .richardson import richardson
from .sequence_result import Ledger, SequenceResult
from .sequences import solve_sequence
from .spectral_terms import NoTerm, PolynomialTerm, VorticityTerm
from .stationary import gauss_seidel, jacobi, sor, ssor
from .stencil import DiffusionStencil
from .symmetry import is_hermitian
from .timestepping import SCHEMES, TimeStepper
from .toeplitz import ToeplitzOperator

__all__ = [
    "ACCEPTED_KINDS",
    "AMG",
    "FSAI",
    "IC0",
    "ICT",
    "ILU0",
    "ILUT",
    "ORDERINGS",
    "PRECONDITIONERS",
    "SCHEMES",
    "SOLVERS",
    "SSOR",
    "BatchResult",
    "BlockJacobi",
    "BoxDiffusion",
    "BoxSolver",
    "BoxStencil",
    "Breakdown",
    "ChebyshevPolynomial",
    "Circulant",
    "Column",
    "DiffusionStencil",
    "Direct",
    "FamilyReport",
    "FastPoisson",
    "FourierGrid",
    "InputError",
    "Jacobi",
    "Kind",
    "Ledger",
    "MatrixProperties",
    "Method",
    "Multigrid",
    "NoTerm",
    "PolynomialTerm",
    "Preconditioner",
    "RecycleSpace",
    "SequenceResult",
    "SolveResult",
    "Status",
    "SymmetricPolynomial",
    "Tau",
    "TimeStepper",
    "ToeplitzOperator",
    "VorticityTerm",
    "analyse",
    "bicgstab",
    "block_cg",
    "box_diffusion",
    "cg",
    "chebyshev",
    "deflated_cg",
    "fcg",
    "fgcrodr",
    "fgmres",
    "gauss_seidel",
    "gcrodr",
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
    "order_features",
    "path_length",
    "recycled_minres",
    "richardson",
    "run",
    "solve_batch",
    "solve_sequence",
    "sor",
    "spectral_radius_jacobi",
    "ssor",
]
