"""Average relative errors where some of the true fields vanish, which have no relative error."""

from __future__ import annotations

import numpy as np

_ROUNDING = 1e-12  # a norm below this part of the root mean square over the samples is rounding


def vanishing(norms: np.ndarray) -> np.ndarray:
    """Return which norms, of shape (samples, …), are zero or rounding beside those of the other samples."""
    return norms <= _ROUNDING * _typical(norms)


def without_vanishing(errors: np.ndarray, absolute: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Return relative errors (samples, …) in which no vanishing norm divides.

    There the absolute error is divided by the root mean square norm over the samples, and not at all where that is zero
    too.
    """
    typical = _typical(norms)
    return np.where(vanishing(norms), absolute / np.where(typical > 0.0, typical, 1.0), errors)


def mean_over_samples(errors: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis of errors (samples, …) that are not `gone`; of all where all are."""
    counted = ~gone | gone.all(axis=0)
    return np.asarray(np.where(counted, errors, 0.0).sum(axis=0) / counted.sum(axis=0))


def mean_of_all(errors: np.ndarray, gone: np.ndarray) -> float:
    """Return the mean of the errors that are not `gone`; of all where all are."""
    return float(errors.mean() if gone.all() else errors[~gone].mean())


def _typical(norms: np.ndarray) -> np.ndarray:
    largest = norms.max(axis=0)
    scale = np.where(largest > 0.0, largest, 1.0)  # squares of 1e-200 would be zero
    return np.asarray(scale * np.sqrt(np.square(norms / scale).mean(axis=0)))
