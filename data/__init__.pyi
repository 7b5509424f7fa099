"""Provide problems, random fields, certified dataset generation, the dataset format and its readers."""

from .dataset import Dataset
from .description import describe, format_description
from .exchange import FORMATS, export_dataset, from_arrays, import_dataset
from .format import FORMAT_VERSION, Compression, Field, Violation, check_format
from .generation import ENGINES, Chains, Engine, GenerationProgress, GenerationReport, generate, open_engine
from .grids import cell_centres, nodes
from .problems import (
    PROBLEMS,
    EvolutionProblem,
    Problem,
    SpectralEvolution,
    TimeDependentProblem,
    Trajectory,
    make_problem,
)
from .random_fields import GaussianRandomField, KernelField, PeriodicKernelField
from .seeding import sample_generator
from .spectral import (
    SPECTRAL_PROBLEMS,
    ClassicalSolver,
    SpectralNavierStokes,
    SpectralPoisson,
    SpectralProblem,
    SpectralReactionDiffusion,
    make_spectral_problem,
)
from .statistics import field_statistics
from .verification import Failure, VerifyReport, verify

__all__ = [
    "ENGINES",
    "FORMATS",
    "FORMAT_VERSION",
    "PROBLEMS",
    "SPECTRAL_PROBLEMS",
    "Chains",
    "ClassicalSolver",
    "Compression",
    "Dataset",
    "Engine",
    "EvolutionProblem",
    "Failure",
    "Field",
    "GaussianRandomField",
    "GenerationProgress",
    "GenerationReport",
    "KernelField",
    "PeriodicKernelField",
    "Problem",
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
