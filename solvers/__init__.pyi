"""Linear solvers, preconditioners and matrix-free operators."""

from .choice import Choice, SolverSpec, choose, sensible_solvers, solve
from .errors import InputError
from .iteration import Breakdown, Column, Method, run
from .krylov import RecycleSpace
from .krylov.bicgstab import bicgstab
from .krylov.block_cg import block_cg
from .krylov.cg import cg
from .krylov.chebyshev import chebyshev
from .krylov.deflated_cg import deflated_cg
from .krylov.fcg import fcg
from .krylov.fgmres import fgmres
from .krylov.gcrodr import fgcrodr, gcrodr
from .krylov.gmres import gmres
from .krylov.idrs import idrs
from .krylov.lgmres import lgmres
from .krylov.lsmr import lsmr
from .krylov.minres import minres
from .krylov.recycled_minres import recycled_minres
from .linear_system import LinearSystem
from .matrices import (
    Box,
    BoxStencil,
    Diffusion,
    MatrixProperties,
    ToeplitzOperator,
    is_hermitian,
    matrix_properties,
)
from .multigrid import BatchResult, BoxSolver, Multigrid, solve_batch
from .preconditioner import Kind, Preconditioner
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
    RegularizedLU,
    SymmetricPolynomial,
    Tau,
)
from .registry import PRECONDITIONERS, SOLVERS, get_preconditioner, get_solver
from .result import SolveResult, Status
from .sequences import (
    ORDERINGS,
    STRATEGIES,
    FamilyReport,
    Ledger,
    SequenceResult,
    analyse,
    order_features,
    solve_sequence,
)
from .spectral import (
    BASES,
    DIRICHLET,
    NEUMANN,
    NORMS,
    Basis,
    Chebyshev,
    CoefficientNorm,
    Condition,
    Fourier,
    FourierGrid,
    HeatEquation,
    Legendre,
    RecombinedBasis,
    SeparablePoisson,
    TensorBasis,
    robin,
)
from .stationary import optimal_omega
from .stationary.gauss_seidel import gauss_seidel
from .stationary.jacobi import jacobi
from .stationary.richardson import richardson
from .stationary.sor import sor
from .stationary.ssor import ssor
from .timestepping import SCHEMES, NoTerm, PolynomialTerm, Scheme, Stage, TimeStepper, VorticityTerm

__all__ = [
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
    "Box",
    "BoxSolver",
    "BoxStencil",
    "Breakdown",
    "Chebyshev",
    "ChebyshevPolynomial",
    "Choice",
    "Circulant",
    "CoefficientNorm",
    "Column",
    "Condition",
    "Diffusion",
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
    "LinearSystem",
    "MatrixProperties",
    "Method",
    "Multigrid",
    "NoTerm",
    "PolynomialTerm",
    "Preconditioner",
    "RecombinedBasis",
    "RecycleSpace",
    "RegularizedLU",
    "Scheme",
    "SeparablePoisson",
    "SequenceResult",
    "SolveResult",
    "SolverSpec",
    "Stage",
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
    "cg",
    "chebyshev",
    "choose",
    "deflated_cg",
    "fcg",
    "fgcrodr",
    "fgmres",
    "gauss_seidel",
    "gcrodr",
    "get_preconditioner",
    "get_solver",
    "gmres",
    "idrs",
    "is_hermitian",
    "jacobi",
    "lgmres",
    "lsmr",
    "matrix_properties",
    "minres",
    "optimal_omega",
    "order_features",
    "recycled_minres",
    "richardson",
    "robin",
    "run",
    "sensible_solvers",
    "solve",
    "solve_batch",
    "solve_sequence",
    "sor",
    "ssor",
]
