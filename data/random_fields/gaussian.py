"""Draw Gaussian random fields on the unit box, as continuous functions.

A field is a finite Karhunen–Loève sum, z(x) = Σ_k √λ_k ξ_k φ_k(x), with independent ξ_k ~ N(0, 1). It is sampled once,
as coefficients, and evaluated on any tensor grid by multiplying with the basis matrices of the axes. The same
coefficients therefore give the same continuous field at every resolution, to rounding error, on cell centres and on
nodes alike; an FFT or DCT of the size of the grid cannot do that, because its truncation moves with the grid.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from scipy.special import ive

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of, positive_integer, positive_number

from ..settings import HasSettings

_REMEMBERED_BASES = 8  # basis matrices kept for the grids last used


class GaussianRandomField(HasSettings):
    """Draw a Gaussian field of mean zero with covariance σ²(−Δ + τ²)^{−α} on the unit box (0, 1)^d.

    The Laplacian has the boundary condition `boundary`; its eigenfunctions are products of one-dimensional ones, all
    orthonormal in L²(0, 1), with −Δφ_k = μ_k φ_k and λ_k = σ²(μ_k + τ²)^{−α}:

    ============  ==========================================  =============  ==================
    boundary      one-dimensional eigenfunctions              μ              k
    ============  ==========================================  =============  ==================
    neumann       1, √2 cos(πkx)                              π²|k|²         0 … modes−1
    dirichlet     √2 sin(πkx)                                 π²|k|²         1 … modes
    periodic      1, √2 cos(2πkx), √2 sin(2πkx)               4π²|k|²        0 … modes−1
    ============  ==========================================  =============  ==================

    For ``neumann`` and ``periodic`` the constant mode is set to zero, as in the published generators.

    Parameters
    ----------
    boundary : {'neumann', 'dirichlet', 'periodic'}
    ndim : int
        d, the number of axes.
    alpha : float
        α > d/2, so that the field has finite variance. Sample paths lie in H^s for s < α − d/2.
    tau : float
        τ > 0, the inverse length scale.
    sigma : float or None
        σ; None takes τ^{α−d/2}, which makes the variance roughly independent of τ. With α = 2, τ = 3, d = 2 this is
        N(0, 9(−Δ + 9)^{−2}), the field of Li et al.
    modes : int
        Number of frequencies kept along each axis. The variance left out is of the order modes^{d−2α}.

    Notes
    -----
    ``sample`` draws the ξ_k shell by shell, a shell being max_i k_i = const. A generator in the same state thus gives
    the same low modes whatever `modes` is: raising `modes` refines the same field.

    References
    ----------
    Li et al., Fourier Neural Operator for Parametric PDEs, ICLR 2021, appendix A.3.
    Lindgren, Rue, Lindström, An explicit link between Gaussian fields and Gaussian Markov random fields, JRSS-B 2011.
    """

    def __init__(
        self,
        boundary: str = "neumann",
        ndim: int = 2,
        alpha: float = 2.0,
        tau: float = 3.0,
        sigma: float | None = None,
        modes: int = 128,
    ) -> None:
        self.boundary = one_of(boundary, ("neumann", "dirichlet", "periodic"), "boundary condition")
        self.ndim = positive_integer(ndim, "ndim")
        self.alpha = positive_number(alpha, "alpha")
        self.tau = positive_number(tau, "tau")
        if self.alpha <= self.ndim / 2:
            raise InputError(
                f"alpha is {self.alpha:g} in {self.ndim} dimensions: expected alpha > {self.ndim / 2:g}, "
                "or the field has infinite variance"
            )
        self.sigma = self.tau ** (self.alpha - self.ndim / 2) if sigma is None else positive_number(sigma, "sigma")
        self.modes = positive_integer(modes, "modes")
        frequency = _frequencies(self.boundary, self.modes)
        wave_number = (2.0 if self.boundary == "periodic" else 1.0) * np.pi * frequency
        self._size = len(frequency)
        mu = np.zeros((1,) * self.ndim)
        shell = np.zeros((1,) * self.ndim, dtype=np.int64)
        for axis in range(self.ndim):
            on_axis = tuple(-1 if i == axis else 1 for i in range(self.ndim))
            mu = mu + np.reshape(wave_number**2, on_axis)
            shell = np.maximum(shell, np.reshape(frequency, on_axis))
        self.laplacian_eigenvalues = mu
        self.eigenvalues = self.sigma**2 * (mu + self.tau**2) ** (-self.alpha)
        # A stable sort keeps the lexicographic order of the multi-indices within a shell, which `modes` cannot change.
        order = np.argsort(shell, axis=None, kind="stable")
        if self.boundary != "dirichlet":
            self.eigenvalues.flat[0] = 0.0
            order = order[1:]
        self._order = order
        self._scale = np.sqrt(self.eigenvalues.ravel()[order])
        self._bases: OrderedDict[bytes, np.ndarray] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bases": OrderedDict()}

    @property
    def mean_variance(self) -> float:
        """The variance averaged over the box is ∫ Var z(x) dx = Σ_k λ_k."""
        return float(self.eigenvalues.sum())

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Draw one field.

        Parameters
        ----------
        rng : numpy.random.Generator

        Returns
        -------
        ndarray
            Coefficients √λ_k ξ_k, float64, shape ``(m,)*ndim`` with m basis functions an axis.
        """
        coefficients = np.zeros(self._size**self.ndim)
        coefficients[self._order] = self._scale * rng.standard_normal(self._order.size)
        return coefficients.reshape((self._size,) * self.ndim)

    def evaluate(self, coefficients: np.ndarray, *points: np.ndarray) -> np.ndarray:
        """Return the values of the field on the tensor grid of `points`, in two dimensions B₁ C B₂ᵀ.

        Parameters
        ----------
        coefficients : ndarray, shape ``(m,)*ndim``
            From :meth:`sample`.
        *points : ndarray, shape (n_i,)
            Coordinates along each axis, one array an axis.

        Returns
        -------
        ndarray, shape (n_1, …, n_d), float64
        """
        return self._contract(np.asarray(coefficients, dtype=np.float64), [self.basis(p) for p in self._axes(points)])

    def derivative(self, coefficients: np.ndarray, axis: int, *points: np.ndarray) -> np.ndarray:
        """Return the values of ∂z/∂x_axis on the tensor grid of `points`; see :meth:`evaluate`."""
        bases = [self.slopes(p) if d == axis else self.basis(p) for d, p in enumerate(self._axes(points))]
        return self._contract(np.asarray(coefficients, dtype=np.float64), bases)

    def variance(self, *points: np.ndarray) -> np.ndarray:
        """Return the pointwise variance Σ_k λ_k φ_k(x)² on the tensor grid of `points`."""
        return self._contract(self.eigenvalues, [self.basis(p) ** 2 for p in self._axes(points)])

    def basis(self, points: np.ndarray) -> np.ndarray:
        """Return one-dimensional eigenfunctions at `points`, (n, m), φ_j in column j; recent grids are remembered."""
        points = np.ascontiguousarray(points, dtype=np.float64)
        key = points.tobytes()
        if key in self._bases:
            self._bases.move_to_end(key)
            return self._bases[key]
        k = _frequencies(self.boundary, self.modes)
        phase = (2.0 if self.boundary == "periodic" else 1.0) * np.pi * points[:, None] * k[None, :]
        if self.boundary == "dirichlet":
            matrix = np.sqrt(2.0) * np.sin(phase)
        else:
            matrix = np.sqrt(2.0) * np.cos(phase)
            if self.boundary == "periodic":
                matrix[:, 2::2] = np.sqrt(2.0) * np.sin(phase[:, 2::2])
            matrix[:, 0] = 1.0
        matrix.setflags(write=False)
        self._bases[key] = matrix
        while len(self._bases) > _REMEMBERED_BASES:
            self._bases.popitem(last=False)
        return matrix

    def slopes(self, points: np.ndarray) -> np.ndarray:
        """Return derivatives of the one-dimensional eigenfunctions at `points`: shape (n, m)."""
        k = _frequencies(self.boundary, self.modes)
        wave_number = (2.0 if self.boundary == "periodic" else 1.0) * np.pi * k
        phase = np.asarray(points, dtype=np.float64)[:, None] * wave_number
        if self.boundary == "dirichlet":
            return np.sqrt(2.0) * wave_number * np.cos(phase)
        matrix = -np.sqrt(2.0) * wave_number * np.sin(phase)
        if self.boundary == "periodic":
            matrix[:, 2::2] = np.sqrt(2.0) * wave_number[2::2] * np.cos(phase[:, 2::2])
        return matrix

    def _axes(self, points: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        if len(points) != self.ndim:
            raise ValueError(f"{len(points)} arrays of points came for a field of {self.ndim} axes: give one an axis")
        return points

    @staticmethod
    def _contract(coefficients: np.ndarray, bases: list[np.ndarray]) -> np.ndarray:
        if len(bases) == 2:
            return (bases[0] @ coefficients) @ bases[1].T
        values = coefficients
        for matrix in bases:  # each step takes the leading axis and puts its grid axis last
            values = np.tensordot(values, matrix, axes=(0, 1))
        return values


def _frequencies(boundary: str, modes: int) -> np.ndarray:
    if boundary == "neumann":
        return np.arange(modes)
    if boundary == "dirichlet":
        return np.arange(1, modes + 1)
    return (np.arange(2 * modes - 1) + 1) // 2  # 0, 1, 1, 2, 2, …: cosine, then sine


class PeriodicKernelField(GaussianRandomField):
    """Draw a Gaussian field of mean zero with the periodic covariance exp(−Σ_d sin²(πΔ_d)/(2l²)) on the unit box.

    Along an axis exp(−sin²(πΔ)/(2l²)) = e^{−a} Σ_k I_k(a) e^{2πikΔ} with a = 1/(4l²), so the eigenvalues are products
    of e^{−a} I_k(a), I_k the modified Bessel functions. The constant mode is left out: the fields have mean zero.

    Parameters
    ----------
    ndim : int
    length : float
        l.
    modes : int
        Frequencies kept along each axis.
    """

    def __init__(self, ndim: int, length: float, modes: int = 32) -> None:
        super().__init__("periodic", ndim, alpha=ndim / 2 + 1.0, modes=modes)
        self.length = positive_number(length, "length")
        a = 1.0 / (4.0 * self.length**2)
        factors = ive(_frequencies("periodic", self.modes), a)
        eigenvalues = np.ones((1,) * self.ndim)
        for axis in range(self.ndim):
            eigenvalues = eigenvalues * factors.reshape(tuple(-1 if i == axis else 1 for i in range(self.ndim)))
        eigenvalues.flat[0] = 0.0
        self.eigenvalues = eigenvalues
        self._scale = np.sqrt(eigenvalues.ravel()[self._order])


def default_modes(modes: Any, ndim: int) -> int:
    """Return the frequencies an axis of a random field; None is 128 on the square and 32 in the cube."""
    return positive_integer(modes if modes is not None else 128 if ndim < 3 else 32, "modes")
