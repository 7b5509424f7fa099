"""Predict the mean of the training outputs for every input."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from resolvent.solvers import InputError

from .regression import check_samples
from .resampling import resample


class MeanField:
    """Predict the mean of the training outputs, whatever the input: a useful operator must beat this."""

    name: ClassVar[str] = "mean_field"

    def __init__(self) -> None:
        self._mean: np.ndarray | None = None

    def fit(
        self,
        inputs: np.ndarray,
        outputs: np.ndarray,
        valid_inputs: np.ndarray | None = None,
        valid_outputs: np.ndarray | None = None,
    ) -> MeanField:
        """Take the mean of `outputs` (samples, channels, *space); the validation arrays are not needed."""
        check_samples(inputs, outputs)
        self._mean = np.asarray(outputs, dtype=np.float64).mean(axis=0, keepdims=True)
        return self

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Return the mean field for each sample, on the grid of `inputs`."""
        if self._mean is None:
            raise InputError("MeanField has not been fitted; call fit(inputs, outputs) first")
        mean = resample(self._mean, inputs.shape[2:])
        return np.broadcast_to(mean, (len(inputs), *mean.shape[1:])).copy()
