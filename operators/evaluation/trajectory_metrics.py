"""Measure how a predicted trajectory departs from the true one: errors, correlation, spectra and conserved amounts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft

from resolvent.solvers import InputError

_CONSTANT = 1e-14  # a standard deviation below this part of the root mean square is rounding
NOISE = 1e-10  # shells with less than this part of the energy are rounding in float32, and not compared


def trajectory_metrics(prediction: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Compare trajectories, arrays (samples, times, fields, *space), frame by frame.

    Returns
    -------
    dict of ndarray (samples, times, fields)
        ``relative_l2``: ‖p − u‖/‖u‖. ``correlation``: between p and u over space, about their means; 1 between two
        constants, 0 between a constant and a field that varies. ``amount_drift``: |mean p − mean u| / rms u at the
        first time; ``energy_drift``: |‖p‖² − ‖u‖²| / ‖u‖². The last two are relative to the truth: they are the drift
        itself if the equation conserves the amount or the energy, and otherwise a spurious gain or loss.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    prediction, truth = np.asarray(prediction, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if prediction.shape != truth.shape or truth.ndim < 4:
        raise InputError(
            f"the metric got predictions of shape {prediction.shape} for trajectories of shape {truth.shape}; expected "
            "the same shape (samples, times, fields, *space)"
        )
    space = tuple(range(3, truth.ndim))
    means, true_means = prediction.mean(axis=space), truth.mean(axis=space)
    squares, true_squares = np.square(prediction).mean(axis=space), np.square(truth).mean(axis=space)
    difference = np.square(prediction - truth).mean(axis=space)
    return {
        "relative_l2": np.sqrt(_ratio(difference, true_squares)),
        "correlation": _correlation(prediction, truth, space),
        "amount_drift": _ratio(np.abs(means - true_means), np.sqrt(true_squares[:, :1])),
        "energy_drift": _ratio(np.abs(squares - true_squares), true_squares),
    }


def _correlation(prediction: np.ndarray, truth: np.ndarray, space: tuple[int, ...]) -> np.ndarray:
    centred = [values - values.mean(axis=space, keepdims=True) for values in (prediction, truth)]
    variances = [np.square(values).mean(axis=space) for values in centred]
    # The variance of a constant is the rounding of its mean.
    constant = [
        variance <= _CONSTANT**2 * np.square(values).mean(axis=space)
        for variance, values in zip(variances, (prediction, truth), strict=True)
    ]
    either = constant[0] | constant[1]
    covariance = (centred[0] * centred[1]).mean(axis=space)
    scale = np.sqrt(np.where(either, 1.0, variances[0])) * np.sqrt(np.where(either, 1.0, variances[1]))
    return np.where(either, (constant[0] & constant[1]).astype(np.float64), covariance / scale)


def correlation_time(correlation: np.ndarray, times: np.ndarray, threshold: float) -> np.ndarray:
    """Return the first time at which the correlation is below `threshold`; infinite if it never is.

    Parameters
    ----------
    correlation : ndarray, shape (samples, times, …)
    times : ndarray, shape (times,)
    """
    below = ~(correlation >= threshold)  # NaN counts as below
    first = np.asarray(times, dtype=np.float64)[below.argmax(axis=1)]
    return np.where(below.any(axis=1), first, np.inf)


def energy_spectrum(values: np.ndarray, periodic: Sequence[bool]) -> np.ndarray:
    """Split the mean square of fields (…, *space) by wave number, shape (…, shells); the shells sum to it.

    Shell k holds the modes with k − ½ ≤ |κ| < k + ½, κ in waves per side of the domain. Periodic axes use the Fourier
    transform; other axes use the cosine transform over cells (half waves count ½), in which the ends make no jump.
    """
    space = len(periodic)
    shape = values.shape[-space:]
    spectrum = np.asarray(values, dtype=np.complex128 if any(periodic) else np.float64)
    squares = np.zeros(shape)
    for axis, (n, wraps) in enumerate(zip(shape, periodic, strict=True), start=-space):
        if wraps:
            spectrum = scipy.fft.fft(spectrum, axis=axis, norm="ortho")
            wave = scipy.fft.fftfreq(n, 1.0 / n)
        else:
            spectrum = scipy.fft.dct(spectrum, axis=axis, norm="ortho")
            wave = np.arange(n) / 2.0
        squares = squares + np.square(wave).reshape(-1, *(1,) * (-axis - 1))
    shells = np.floor(np.sqrt(squares) + 0.5).astype(int).ravel()
    energy = np.square(np.abs(spectrum)).reshape(*values.shape[:-space], -1) / shells.size
    rows = energy.reshape(-1, shells.size)
    summed = np.stack([np.bincount(shells, row) for row in rows])
    return summed.reshape(*values.shape[:-space], -1)


def spectrum_error(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the mean of |log₁₀(E_p(k)/E_u(k))| over the shells k where the truth exceeds rounding, in decades.

    Parameters
    ----------
    prediction, truth : ndarray, shape (…, shells)
        Spectra as `energy_spectrum` returns them.
    """
    counted = truth > NOISE * truth.sum(axis=-1, keepdims=True)
    floor = np.maximum(NOISE * NOISE * truth.sum(axis=-1, keepdims=True), np.finfo(np.float64).tiny)
    decades = np.abs(np.log10(np.maximum(prediction, floor) / np.where(counted, truth, 1.0)))
    total = np.where(counted, decades, 0.0).sum(axis=-1)
    return np.asarray(total / np.maximum(counted.sum(axis=-1), 1))


def _ratio(errors: np.ndarray, scales: np.ndarray) -> np.ndarray:
    scales = np.broadcast_to(scales, errors.shape)
    zero = scales == 0.0
    return np.where(zero, np.where(errors == 0.0, 0.0, np.inf), errors / np.where(zero, 1.0, scales))
