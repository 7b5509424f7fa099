"""Regress between principal components with a kernel: a baseline that many networks do not beat."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import scipy.linalg
from scipy.spatial.distance import cdist

from resolvent.solvers import InputError

from ..baselines.regression import check_samples, principal_components
from ..baselines.resampling import resample

LENGTHS = tuple(2.0**k for k in range(-2, 7))  # in units of the median distance
RIDGES = tuple(10.0**k for k in range(-11, 1))
EXPONENTS = (0.0, 0.5)
CHOOSING = 400  # samples among which the settings are chosen


def matern52(distances: np.ndarray, length: float) -> np.ndarray:
    """Evaluate the Matérn kernel of smoothness 5/2, (1 + r + r²/3) e^{−r} with r = √5 d/ℓ, twice differentiable."""
    r = (np.sqrt(5.0) / length) * distances
    return (1.0 + r + r * r / 3.0) * np.exp(-r)


class KernelRidge:
    """Regress with kernel ridge between the PCA coefficients z of the inputs and Y of the outputs:

    u(a) = ū + k(z(a), Z) (K + γI)⁻¹ Y Φᵀ, where K = k(Z, Z) and Φ is the basis of the outputs.

    k is the Matérn-5/2 kernel of the distances between z = Vᵀ(a − ā) s^{−β}, with singular values s. For β = 0 these
    are the distances of the inputs themselves; β = ½ gives the strongest components less weight. Length ℓ, ridge γ and
    β maximise the likelihood of the training outputs as Gaussian processes with the covariance σ²(K + γI), the same
    for every coefficient: they minimise N ln tr(Yᵀ(K + γI)⁻¹Y) + ln det(K + γI), in which σ² has its best value. One
    eigendecomposition serves every γ. Nothing else is trained, and the validation split is not used.

    Parameters
    ----------
    samples : int, default 1000
        Training samples used, evenly spaced if there are more: the cost is N³. The settings are chosen on at most 400
        of them.
    energy : float, default 0.999
        The part of the inputs' variance that the retained components have.

    Attributes
    ----------
    length, ridge, exponent : float
        ℓ in units of the median distance, γ and β, after `fit`.
    used : int
        Training samples used.

    References
    ----------
    Batlle, Darcy, Hosseini, Owhadi, "Kernel methods are competitive for operator learning", JCP 496, 2024.
    """

    name: ClassVar[str] = "kernel_ridge"

    def __init__(self, samples: int = 1000, energy: float = 0.999) -> None:
        if samples < 2:
            raise InputError(f"samples={samples} is not usable; expected at least 2")
        if not 0.0 < energy <= 1.0:
            raise InputError(f"energy={energy} is not usable; expected a part of the variance, above 0 and at most 1")
        self.samples, self.energy = samples, energy
        self.length, self.ridge, self.exponent, self.used = 1.0, 0.0, 0.0, 0
        self._weights: np.ndarray | None = None

    def fit(
        self,
        inputs: np.ndarray,
        outputs: np.ndarray,
        valid_inputs: np.ndarray | None = None,
        valid_outputs: np.ndarray | None = None,
    ) -> KernelRidge:
        """Fit to training arrays (samples, channels, *space); the validation arrays are not needed."""
        check_samples(inputs, outputs)
        chosen = _spread(len(inputs), self.samples)
        self.used = len(chosen)
        self._input_shape, self._output_shape = inputs.shape[1:], outputs.shape[1:]
        flat, targets = (np.asarray(v[chosen], dtype=np.float64).reshape(self.used, -1) for v in (inputs, outputs))
        self._input_mean, self._output_mean = flat.mean(axis=0), targets.mean(axis=0)
        left, singular, right = principal_components(flat - self._input_mean)
        cumulated = np.cumsum(singular**2)
        # One component more than the energy asks for; none where the inputs are constant.
        rank = int(np.sum(cumulated < self.energy * cumulated[-1:].sum()) + 1) if len(singular) else 0
        left, singular, self._right = left[:, :rank], singular[:rank], right[:rank]
        output_left, output_singular, self._basis = principal_components(targets - self._output_mean)
        coefficients = output_left * output_singular
        part = _spread(self.used, CHOOSING)
        best = np.inf
        for exponent in EXPONENTS:
            points = left * singular ** (1.0 - exponent)
            distances = cdist(points[part], points[part])
            median = float(np.median(distances[np.triu_indices(len(part), 1)])) if len(part) > 1 else 0.0
            for length in LENGTHS:
                if median == 0.0:
                    continue
                ridge, score = _best_ridge(matern52(distances, length * median), coefficients[part])
                if score < best:
                    best, self._median = score, median
                    self.length, self.ridge, self.exponent = length, ridge, exponent
        if not np.isfinite(best):  # all inputs, or all outputs, are equal: only the mean can be predicted
            self._scale, self._points, self._weights = np.ones(rank), None, np.zeros(0)
            return self
        self._scale = singular**-self.exponent
        self._points = left * singular * self._scale
        kernel = matern52(cdist(self._points, self._points), self.length * self._median)
        kernel[np.diag_indices_from(kernel)] += self.ridge
        self._weights = scipy.linalg.solve(kernel, coefficients, assume_a="pos")
        return self

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Return the predicted outputs, on the grid of `inputs`."""
        if self._weights is None:
            raise InputError("KernelRidge has not been fitted; call fit(inputs, outputs) first")
        if inputs.ndim != len(self._input_shape) + 1 or inputs.shape[1] != self._input_shape[0]:
            raise InputError(
                f"the regression got inputs of shape {inputs.shape}; expected (samples, {self._input_shape[0]}, "
                "*space) as it was fitted on: fit it on this dataset"
            )
        flat = resample(np.asarray(inputs, dtype=np.float64), self._input_shape[1:]).reshape(len(inputs), -1)
        outputs = np.broadcast_to(self._output_mean, (len(inputs), len(self._output_mean)))
        if self._points is not None:
            points = ((flat - self._input_mean) @ self._right.T) * self._scale
            kernel = matern52(cdist(points, self._points), self.length * self._median)
            outputs = outputs + (kernel @ self._weights) @ self._basis
        return resample(outputs.reshape(len(inputs), *self._output_shape), inputs.shape[2:])


def _best_ridge(kernel: np.ndarray, coefficients: np.ndarray) -> tuple[float, float]:
    """Return the ridge of the largest likelihood and its score, N ln tr(Yᵀ(K + γI)⁻¹Y) + ln det(K + γI)."""
    eigenvalues, vectors = scipy.linalg.eigh(kernel)
    energies = np.square(vectors.T @ coefficients).sum(axis=1)
    best = (0.0, np.inf)
    for ridge in RIDGES:
        shifted = np.maximum(eigenvalues, 0.0) + ridge
        total = float((energies / shifted).sum())
        score = len(kernel) * np.log(total) + float(np.log(shifted).sum()) if total > 0.0 else np.inf
        if score < best[1]:
            best = (ridge, float(score))
    return best


def _spread(count: int, most: int) -> np.ndarray:
    """Return the indices of all of `count` samples, or of `most` evenly spaced ones."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
