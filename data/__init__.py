"""Problems, random fields, certified dataset generation, the dataset format and its readers."""

from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from .arrays import from_arrays
from .certificate import Failure, VerifyReport, verify
from .classical_spectral import ClassicalSolver
from .convert import export_dataset, import_dataset
from .dataset import Dataset
from .description import describe, format_description
from .engines import ENGINES, Engine, open_engine
from .evolution import EvolutionProblem, TimeDependentProblem, Trajectory
from .fields import GaussianRandomField, PeriodicKernelField
from .format_check import Violation, check_format
from .formats import FORMATS
from .generation import GenerationProgress, GenerationReport, generate
from .grids import cell_centres, nodes
from .kernel_fields import KernelField
from .layout import FORMAT_VERSION
from .problem import Field, Problem
from .problems import PROBLEMS, make_problem
from .seeding import sample_generator
from .spectral_choice import make_spectral_problem
from .spectral_evolution import SpectralEvolution
from .spectral_navier_stokes import SpectralNavierStokes
from .spectral_problems import SPECTRAL_PROBLEMS, SpectralPoisson, SpectralProblem, SpectralReactionDiffusion
from .stats import field_statistics

__all__ = [
    "ENGINES",
    "FORMATS",
    "FORMAT_VERSION",
    "PROBLEMS",
    "SPECTRAL_PROBLEMS",
    "ClassicalSolver",
    "Dataset",
    "Engine",
    "EvolutionProblem",
    "Failure",
    "Field",
    "GaussianRandomField",
    "GenerationProgress",
    "GenerationReport",
    "KernelField",
    "LinearSystem",
    "PeriodicKernelField",
    "Problem",
    "SolverSpec",
    "SpectralEvolution",
    "SpectralNavierStokes",
    "SpectralPoisson",
    "SpectralProblem",
    "SpectralReactionDiffusion",
    "TimeDependentProblem",
    "Trajectory",
    "VerifyReport",
    "Violation",
    "cell_centres",
    "check_format",
    "describe",
    "export_dataset",
    "field_statistics",
    "format_description",
    "from_arrays",
    "generate",
    "import_dataset",
    "make_problem",
    "make_spectral_problem",
    "nodes",
    "open_engine",
    "sample_generator",
    "verify",
]
