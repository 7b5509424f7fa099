"""Measure the errors of operators on test samples, on grids and along trajectories."""

from .grids import compare, evaluate_operator, predict
from .rollout import RolloutBlewUp, roll_out
from .trajectories import TrajectoryErrors, evaluate_trajectories, persistence

__all__ = [
    "RolloutBlewUp",
    "TrajectoryErrors",
    "compare",
    "evaluate_operator",
    "evaluate_trajectories",
    "persistence",
    "predict",
    "roll_out",
]
