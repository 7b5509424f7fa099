"""Resolvent solves PDEs and trains neural operators: certified data, classical solvers, honest comparisons."""

from . import data, operators, solvers, workflows
from .data import generate, make_problem
from .folders import load
from .operators import evaluate, train
from .solvers import solve

__all__ = [
    "data",
    "evaluate",
    "generate",
    "load",
    "make_problem",
    "operators",
    "solve",
    "solvers",
    "train",
    "workflows",
]

__version__: str
