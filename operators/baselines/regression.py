"""Regress outputs linearly on inputs, between PCA bases.

The baselines (this one, `MeanField`, `KernelRidge`) work like operators on NumPy arrays: ``fit`` once, then inputs
(samples, channels, *space) give outputs (samples, channels, *space). They are fitted on one grid; for another grid they
interpolate the inputs linearly to theirs and the outputs back.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import scipy.linalg

from resolvent.solvers import InputError

from ..evaluation.metrics import relative_l2
from .resampling import resample

#: Ridge parameters tried on the validation split, relative to the largest variance of the inputs.
RIDGES = (0.0, *(10.0**k for k in range(-10, 1)))


class PCALinearRegression:
    """Regress outputs with a ridge on the principal components of inputs: u = ū + (a − ā) V (S² + λ N)⁻¹ S Uᵀ Y.

    With the singular value decomposition A = U S Vᵀ of the N centred training inputs, the components are orthogonal
    and the regression is diagonal: one decomposition serves every ridge λ. The outputs need no basis: one of full rank
    would give the same map, and a truncated one (``output_components``) gives its projection.

    Parameters
    ----------
    components : int, optional
        Principal components of the input; by default as many as the samples have.
    ridge : float, optional
        λ relative to the largest component's variance. By default the value of ``RIDGES`` with the smallest relative
        L² error on the validation split.
    output_components : int, optional
        Principal components of the output; all by default.

    Attributes
    ----------
    chosen_ridge : float
        After `fit`.

    References
    ----------
    Bhattacharya, Hosseini, Kovachki, Stuart, "Model reduction and neural networks for parametric PDEs", 2021 (with a
    linear map in place of the network).
    """

    name: ClassVar[str] = "pca_linear_regression"

    def __init__(
        self, components: int | None = None, ridge: float | None = None, output_components: int | None = None
    ) -> None:
        for what, value in (("components", components), ("output_components", output_components)):
            if value is not None and value < 1:
                raise InputError(f"{what}={value} is not usable; expected at least 1, or null for all")
        if ridge is not None and not ridge >= 0.0:
            raise InputError(
                f"ridge={ridge} is not usable; expected 0 or more, or null to choose it on the validation split"
            )
        self.components, self.ridge, self.output_components = components, ridge, output_components
        self.chosen_ridge = 0.0
        self._fitted: _LinearMap | None = None

    def fit(
        self,
        inputs: np.ndarray,
        outputs: np.ndarray,
        valid_inputs: np.ndarray | None = None,
        valid_outputs: np.ndarray | None = None,
    ) -> PCALinearRegression:
        """Fit to training arrays (samples, channels, *space); choose the ridge on the validation arrays.

        Raises
        ------
        InputError
            If the sample counts differ, or the ridge is to be chosen and there are no validation arrays.
        """
        check_samples(inputs, outputs)
        if self.ridge is None and (valid_inputs is None or valid_outputs is None or not len(valid_inputs)):
            raise InputError(
                "the ridge is to be chosen and there are no validation samples; give some, or give ridge=NUMBER"
            )
        fitted = _LinearMap(inputs, outputs, self.components, self.output_components)
        self.chosen_ridge = 0.0 if self.ridge is None else self.ridge
        if self.ridge is None and valid_inputs is not None and valid_outputs is not None:
            errors = [float(relative_l2(fitted(valid_inputs, ridge), valid_outputs).mean()) for ridge in RIDGES]
            self.chosen_ridge = RIDGES[int(np.argmin(errors))]
        self._fitted = fitted
        return self

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Return the predicted outputs, on the grid of `inputs`."""
        if self._fitted is None:
            raise InputError("PCALinearRegression has not been fitted; call fit(inputs, outputs, …) first")
        return self._fitted(inputs, self.chosen_ridge)


class _LinearMap:
    """Hold the decomposition behind the regression, which gives the map for any ridge."""

    def __init__(
        self, inputs: np.ndarray, outputs: np.ndarray, components: int | None, output_components: int | None
    ) -> None:
        self.input_shape, self.output_shape = inputs.shape[1:], outputs.shape[1:]
        flat, targets = (np.asarray(v, dtype=np.float64).reshape(len(v), -1) for v in (inputs, outputs))
        self.input_mean, self.output_mean = flat.mean(axis=0), targets.mean(axis=0)
        left, singular, right = principal_components(flat - self.input_mean)
        rank = min(components or len(singular), len(singular))
        left, self.singular, self.right = left[:, :rank], singular[:rank], right[:rank]
        centred = targets - self.output_mean
        if output_components is not None:
            basis = principal_components(centred)[2][:output_components]
            centred = (centred @ basis.T) @ basis
        self.projected = left.T @ centred  # Uᵀ Y, (components, outputs)

    def __call__(self, inputs: np.ndarray, ridge: float) -> np.ndarray:
        if inputs.ndim != len(self.input_shape) + 1 or inputs.shape[1] != self.input_shape[0]:
            raise InputError(
                f"the regression got inputs of shape {inputs.shape}; expected (samples, {self.input_shape[0]}, *space) "
                "as it was fitted on: fit it on this dataset"
            )
        flat = resample(np.asarray(inputs, dtype=np.float64), self.input_shape[1:]).reshape(len(inputs), -1)
        filtered = np.zeros_like(self.singular)
        if len(filtered):
            filtered = self.singular / (self.singular**2 + ridge * self.singular[0] ** 2)
        outputs = self.output_mean + (((flat - self.input_mean) @ self.right.T) * filtered) @ self.projected
        return resample(outputs.reshape(len(inputs), *self.output_shape), inputs.shape[2:])


def principal_components(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the reduced singular value decomposition, without directions that are rounding error."""
    left, singular, right = scipy.linalg.svd(centred, full_matrices=False)
    rank = int(np.sum(singular > singular[:1].max(initial=0.0) * max(centred.shape) * np.finfo(np.float64).eps))
    return left[:, :rank], singular[:rank], right[:rank]


def check_samples(inputs: np.ndarray, outputs: np.ndarray) -> None:
    """Refuse samples that do not come in pairs, or none at all."""
    if len(inputs) != len(outputs) or not len(inputs):
        raise InputError(
            f"{len(inputs)} inputs came with {len(outputs)} outputs; expected the same number, at least one"
        )
