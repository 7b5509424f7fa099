"""Draw Gaussian processes with a product kernel on collocation points, and continue them by interpolation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from resolvent.solvers import Basis, Chebyshev, Fourier, TensorBasis
from resolvent.solvers.arguments import one_of, positive_integer, positive_number

from ..settings import HasSettings

KERNELS = ("periodic", "squared_exponential")


class KernelField(HasSettings):
    """Draw z ~ N(0, k) at the collocation points of a basis, as the series that takes those values.

    ======================  ============================================  ==========================================
    kernel                  k(x, y)                                       basis of each axis
    ======================  ============================================  ==========================================
    periodic                ∏_d exp(−sin²(π(x_d − y_d)) / (2ℓ²))          Fourier, points i/n
    squared_exponential     ∏_d exp(−(x_d − y_d)² / (2ℓ²))                Chebyshev, the zeros of T_n
    ======================  ============================================  ==========================================

    These are the families of Neural Spectral Methods; the periodic one is the usual exp(−2 sin²/ℓ'²) with ℓ' = 2ℓ. The
    field is the interpolant, a function with n^d coefficients that determine it exactly everywhere.

    Parameters
    ----------
    kernel : {'periodic', 'squared_exponential'}
    ndim : int
    length : float, default 0.2
        ℓ, in units of the box.
    points : int, default 16
        n, for each axis.
    mean_free : bool, default False
        Whether the mean over the points is subtracted.

    References
    ----------
    Du, Chalapathi and Krishnapriyan, Neural Spectral Methods, ICLR 2024.
    """

    def __init__(
        self, kernel: str, ndim: int, length: float = 0.2, points: int | Sequence[int] = 16, mean_free: bool = False
    ) -> None:
        self.kernel = one_of(kernel, KERNELS, "kernel")
        self.length = positive_number(length, "length")
        sizes = [points] * positive_integer(ndim, "ndim") if isinstance(points, int) else list(points)
        self.mean_free = bool(mean_free)
        kind: type[Basis] = Fourier if kernel == "periodic" else Chebyshev
        self.basis = TensorBasis(*(kind(positive_integer(n, "points")) for n in sizes))
        self._roots = [self._root(axis) for axis in self.basis.axes]

    @property
    def ndim(self) -> int:
        """The number of axes that the field has."""
        return self.basis.ndim

    @property
    def points(self) -> list[int]:
        """The number of collocation points that each axis has."""
        return list(self.basis.shape)

    def sample(self, rng: np.random.Generator, count: int | None = None) -> np.ndarray:
        """Draw coefficients in `basis`, shape ``basis.shape``, or ``(count, *basis.shape)``."""
        batch = () if count is None else (count,)
        values = rng.standard_normal((*batch, *self.basis.shape))
        for d, root in enumerate(self._roots):
            values = np.moveaxis(np.moveaxis(values, d - self.basis.ndim, -1) @ root.T, -1, d - self.basis.ndim)
        if self.mean_free:
            values -= values.mean(axis=tuple(range(-self.basis.ndim, 0)), keepdims=True)
        return np.asarray(self.basis.to_coefficients(values))

    def evaluate(self, coefficients: np.ndarray, *points: np.ndarray) -> np.ndarray:
        """Return the values on the tensor grid of `points`, one array an axis."""
        return np.asarray(self.basis.evaluate(coefficients, *points))

    def covariance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the kernel of one axis between two sets of points."""
        difference = np.subtract.outer(x, y)
        distance = np.sin(np.pi * difference) if self.kernel == "periodic" else difference
        return np.exp(-(distance**2) / (2.0 * self.length**2))

    def _root(self, axis: Basis) -> np.ndarray:
        """Return a root of the covariance of one axis, by eigenvalues: the smallest round to zero or below."""
        values, vectors = np.linalg.eigh(self.covariance(axis.points(), axis.points()))
        return vectors * np.sqrt(np.maximum(values, 0.0))
