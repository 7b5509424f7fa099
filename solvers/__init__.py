"""Linear solvers, preconditioners and matrix-free operators."""

from .bases import BASES, Basis, Chebyshev, Fourier, Legendre
from .bicgstab import bicgstab
from .block_cg import block_cg
from .box_stencil import BoxDiffusion, BoxStencil, box_diffusion
from .cg import cg
from .chebyshev import chebyshev
from .colouring import greedy_colours
from .deflated_cg import deflated_cg
from .errors import InputError
from .family_analysis import STRATEGIES, FamilyReport, analyse
from .fcg import fcg
from .fgmres import fgmres
from .fourier_grid import FourierGrid
from .gcrodr import fgcrodr, gcrodr
from .gmres import gmres
from .heat_equation import HeatEquation
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
from .recombined_bases import DIRICHLET, NEUMANN, Condition, RecombinedBasis, robin
from .recycled_minres import recycled_minres
from .recycling import RecycleSpace
from .registry import PRECONDITIONERS, SOLVERS, get_preconditioner, get_solver
from .relaxation import optimal_omega, spectral_radius_jacobi
from .result import SolveResult, Status
from .richardson import richardson
from .separable_poisson import NORMS, CoefficientNorm, SeparablePoisson
from .sequence_result import Ledger, SequenceResult
from .sequences import solve_sequence
from .spectral_terms import NoTerm, PolynomialTerm, VorticityTerm
from .stationary import gauss_seidel, jacobi, sor, ssor
from .stencil import DiffusionStencil
from .symmetry import is_hermitian
from .tensor_basis import TensorBasis
from .timestepping import SCHEMES, TimeStepper
from .toeplitz import ToeplitzOperator

__all__ = [
    "ACCEPTED_KINDS",
    "AMG",
    "BASES",
    "DIRICHLET",
    "FSAI",
    "IC0",
    "ICT",
    "ILU0",
    "ILUT",
    "NEUMANN",
    "NORMS",
    "ORDERINGS",
    "PRECONDITIONERS",
    "SCHEMES",
    "SOLVERS",
    "SSOR",
    "STRATEGIES",
    "Basis",
    "BatchResult",
    "BlockJacobi",
    "BoxDiffusion",
    "BoxSolver",
    "BoxStencil",
    "Breakdown",
    "Chebyshev",
    "ChebyshevPolynomial",
    "Circulant",
    "CoefficientNorm",
    "Column",
    "Condition",
    "DiffusionStencil",
    "Direct",
    "FamilyReport",
    "FastPoisson",
    "Fourier",
    "FourierGrid",
    "HeatEquation",
    "InputError",
    "Jacobi",
    "Kind",
    "Ledger",
    "Legendre",
    "MatrixProperties",
    "Method",
    "Multigrid",
    "NoTerm",
    "PolynomialTerm",
    "Preconditioner",
    "RecombinedBasis",
    "RecycleSpace",
    "SeparablePoisson",
    "SequenceResult",
    "SolveResult",
    "Status",
    "SymmetricPolynomial",
    "Tau",
    "TensorBasis",
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
    "robin",
    "run",
    "solve_batch",
    "solve_sequence",
    "sor",
    "spectral_radius_jacobi",
    "ssor",
]
