"""Provide training samples: from datasets on grids, windows of trajectories, and problems drawn on the fly."""

from .batches import Batches, GridDataset, spread_arrays
from .draws import DrawnSamples
from .held_out import HeldOutValidation, with_validation
from .windows import Window, WindowedDataset, training_view

__all__ = [
    "Batches",
    "DrawnSamples",
    "GridDataset",
    "HeldOutValidation",
    "Window",
    "WindowedDataset",
    "spread_arrays",
    "training_view",
    "with_validation",
]
