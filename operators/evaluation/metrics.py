"""Measure errors as they are reported: per sample and channel, in float64, without floors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import array_api_compat
import numpy as np

from resolvent.solvers import InputError, TensorBasis


def relative_l2(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return ‖p − u‖₂ / ‖u‖₂ of each sample and channel.

    Parameters
    ----------
    prediction, target : ndarray, shape (samples, channels, *space)

    Returns
    -------
    ndarray, shape (samples, channels)
        Where u vanishes: 0 for an exact prediction, else infinity. Quote the mean over samples (`vanishing`).

    Raises
    ------
    InputError
        If the shapes differ.
    """
    prediction, target = _as_pair(prediction, target)
    return _ratio(_norms(prediction - target), _norms(target))


def relative_h1(
    prediction: np.ndarray,
    target: np.ndarray,
    *,
    lengths: Sequence[float] | None = None,
    periodic: bool | Sequence[bool] = False,
) -> np.ndarray:
    """Return ‖p − u‖_H¹ / ‖u‖_H¹ of each sample and channel, with the norm of `losses.h1_norms`.

    Returns
    -------
    ndarray, shape (samples, channels)
    """
    prediction, target = _as_pair(prediction, target)
    lengths = (1.0,) * (target.ndim - 2) if lengths is None else lengths
    return _ratio(_h1_norms(prediction - target, lengths, periodic), _h1_norms(target, lengths, periodic))


def absolute_l2(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return (mean over cells of (p − u)²)^½, in the field's units, of each sample and channel."""
    prediction, target = _as_pair(prediction, target)
    return _norms(prediction - target)


def max_error(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return max |p − u| over the grid, in the field's units, of each sample and channel."""
    prediction, target = _as_pair(prediction, target)
    return _largest(prediction - target)


def relative_max(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return max |p − u| / max |u| over the grid, of each sample and channel."""
    prediction, target = _as_pair(prediction, target)
    return _ratio(_largest(prediction - target), _largest(target))


def relative_errors(values: Any, reference: Any, basis: TensorBasis, gauge_free: bool = False) -> Any:
    """Return ‖u − v‖/‖v‖ in L² of each sample, from values at the Gauss points of `basis`'s axes.

    Parameters
    ----------
    values, reference : array, shape (batch, m_1, …, m_d)
        On ``basis.points((m_1, …))``.
    basis : TensorBasis
        Its quadrature is used, so the result is exact for polynomials and waves that m points integrate.
    gauge_free : bool, default False
        Whether the mean of both is taken off first.
    """
    xp = array_api_compat.array_namespace(values)
    axes = tuple(range(-basis.ndim, 0))
    weights = np.ones(())
    for w in basis.quadrature_weights(values.shape[-basis.ndim :]):
        weights = np.multiply.outer(weights, w)
    weights = xp.asarray(weights / basis.volume, dtype=values.dtype)
    if gauge_free:
        values = values - xp.sum(weights * values, axis=axes, keepdims=True)
        reference = reference - xp.sum(weights * reference, axis=axes, keepdims=True)
    squares = xp.sum(weights * (values - reference) ** 2, axis=axes) / xp.sum(weights * reference**2, axis=axes)
    return xp.sqrt(squares)


def _as_pair(prediction: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    prediction, target = np.asarray(prediction, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if prediction.shape != target.shape or target.ndim < 3:
        raise InputError(
            f"the metric got a prediction of shape {prediction.shape} for a target of shape {target.shape}; "
            "expected the same shape (samples, channels, *space)"
        )
    return prediction, target


def _norms(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(np.square(values), axis=tuple(range(2, values.ndim))))


def _h1_norms(values: np.ndarray, lengths: Sequence[float], periodic: bool | Sequence[bool]) -> np.ndarray:
    space = tuple(range(2, values.ndim))
    wraps = periodic if isinstance(periodic, Sequence) else (periodic,) * len(space)
    squares = np.mean(np.square(values), axis=space)
    for axis, length, wrap in zip(space, lengths, wraps, strict=True):
        n = values.shape[axis]
        if n > 1:
            difference = np.roll(values, -1, axis=axis) - values if wrap else np.diff(values, axis=axis)
            slopes = np.square(difference * (n / length))
            if not wrap:  # the half cells at the ends
                slopes = np.concatenate((slopes, 0.5 * slopes.take([0, -1], axis=axis)), axis=axis)
            squares = squares + slopes.sum(axis=space) / np.prod(values.shape[2:])
    return np.sqrt(squares)


def _largest(values: np.ndarray) -> np.ndarray:
    return np.abs(values).max(axis=tuple(range(2, values.ndim)))


def _ratio(errors: np.ndarray, norms: np.ndarray) -> np.ndarray:
    zero = norms == 0.0
    return np.where(zero, np.where(errors == 0.0, 0.0, np.inf), errors / np.where(zero, 1.0, norms))
