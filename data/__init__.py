"""Problems, random fields, certified dataset generation, the dataset format and its readers."""

from .arrays import from_arrays
from .certificate import Failure, VerifyReport, verify
from .dataset import Dataset
from .description import describe, format_description
from .engines import ENGINES, Engine, open_engine
from .fields import GaussianRandomField
from .generation import GenerationProgress, GenerationReport, generate
from .grids import cell_centres, nodes
from .layout import FORMAT_VERSION
from .problem import Field, LinearSystem, Problem
from .problems import PROBLEMS, make_problem
from .seeding import sample_generator
from .solver_choice import SolverSpec
from .stats import field_statistics

__all__ = [
    "ENGINES",
    "FORMAT_VERSION",
    "PROBLEMS",
    "Dataset",
    "Engine",
    "Failure",
    "Field",
    "GaussianRandomField",
    "GenerationProgress",
    "GenerationReport",
    "LinearSystem",
    "Problem",
    "SolverSpec",
    "VerifyReport",
    "cell_centres",
    "describe",
    "field_statistics",
    "format_description",
    "from_arrays",
    "generate",
    "make_problem",
    "nodes",
    "open_engine",
    "sample_generator",
    "verify",
]
