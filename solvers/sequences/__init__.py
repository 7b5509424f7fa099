"""Solve sequences of related systems in one call, after their analysis and ordering, with recycling."""

from .analysis import STRATEGIES, FamilyReport, analyse
from .ordering import ORDERINGS, order_features, path_length
from .result import Ledger, SequenceResult
from .run import solve_sequence

__all__ = [
    "ORDERINGS",
    "STRATEGIES",
    "FamilyReport",
    "Ledger",
    "SequenceResult",
    "analyse",
    "order_features",
    "path_length",
    "solve_sequence",
]
