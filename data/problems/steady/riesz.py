"""Pose fractional diffusion by the Riesz operator: dense Toeplitz matrices, applied by FFT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import binom

from resolvent.solvers import InputError, ToeplitzOperator
from resolvent.solvers.arguments import nonnegative_number, one_of, positive_integer, positive_number
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from ...format.field import Field, at_centres
from ...random_fields.gaussian import GaussianRandomField
from ..problem import Problem


class Riesz(Problem):
    """Fractional diffusion is r u − a(x) Σ_d ∂^γ u/∂|x_d|^γ = f, 1 < γ < 2, on the unit interval or the unit square.

    The Riesz derivative is ∂^γ/∂|x|^γ = −(D₋^γ + D₊^γ)/(2 cos(πγ/2)), D∓ the Riemann–Liouville derivatives from the
    left and from the right; the boundary condition is u = 0 outside the domain, not on its boundary alone. In one
    dimension −∂^γ/∂|x|^γ is the fractional Laplacian (−Δ)^{γ/2}; in two it is the sum along the axes, which is not.

    **Parameters.** a = exp(s z/‖z‖) with a Gaussian field z ~ N(0, σ²(−Δ + τ²)^{−α}), ‖z‖² its mean variance,
    s = `log_std`; f is another such field, mean 1 added.

    **Scheme.** Weighted and shifted Grünwald differences (WSGD, shifts 1 and 0) on the centres of n cells an axis:
    second order where u continued by zero is smooth, that is where u vanishes to high order at the boundary. The
    samples do not: near the boundary they behave like dist^{γ/2}, which limits the order to 1 in the discrete L² norm
    and to γ/2 in the maximum norm (measured on the solution of Getoor). The matrix of one axis is dense, symmetric
    Toeplitz, positive definite with condition number of the order of n^γ; products by FFT take O(n log n), no entry is
    stored; no stability limit. ``form='symmetric'`` divides each row by a(x): the matrix r/a + T is symmetric positive
    definite; ``form='direct'`` leaves the equation as it is: r + a T, which is not symmetric. With `reaction` 0 every
    sample is a row scaling of one constant matrix.

    **Values that work.** With the `tau` preconditioner, 8, 9 and 10 iterations for n = 128, 1024 and 4096 (`circulant`:
    14, 20, 26; none: 80, 383, 1092, as they grow like n^{γ/2}); 10 for 64² in two dimensions, 8 by gmres in the direct
    form; 7 to 8 for γ from 1.1 to 1.9.

    Parameters
    ----------
    resolution : int or (int, int)
        Cells along each axis.
    dimensions : {1, 2}
    order : float
        γ, between 1 and 2.
    reaction : float
        r ≥ 0.
    log_std : float
    form : {'symmetric', 'direct'}
    alpha, tau, modes
        Passed to :class:`~resolvent.data.GaussianRandomField`.

    Fields: ``coefficient``, ``source`` (inputs), ``solution`` (output).

    References
    ----------
    Tian, Zhou and Deng, A class of second order difference approximations for solving space fractional diffusion
    equations, Math. Comp. 84 (2015) 1703. Mazza, Donatelli, Manni and Speleers, On the matrices in B-spline collocation
    methods for Riesz fractional equations and their spectral properties, Numer. Linear Algebra Appl. 30 (2023).
    """

    name = "riesz"

    def __init__(
        self,
        resolution: Any = 256,
        dimensions: int = 1,
        order: float = 1.5,
        reaction: float = 10.0,
        log_std: float = 0.5,
        form: str = "symmetric",
        alpha: float = 2.5,
        tau: float = 3.0,
        modes: int = 64,
    ) -> None:
        self.ndim = self.dimensions = positive_integer(dimensions, "dimensions")
        if self.ndim > 2:
            raise InputError(f"dimensions is {self.ndim}: expected 1 or 2")
        super().__init__(resolution)
        self.order = positive_number(order, "order")
        if not 1.0 < self.order < 2.0:
            raise InputError(f"order is {self.order:g}: expected a number between 1 and 2, both excluded")
        self.reaction = nonnegative_number(reaction, "reaction")
        self.log_std = positive_number(log_std, "log_std")
        self.form = one_of(form, ("symmetric", "direct"), "form")
        self.field = field = GaussianRandomField("neumann", self.ndim, alpha, tau, None, modes)
        self.alpha, self.tau, self.modes = field.alpha, field.tau, field.modes
        self._columns = tuple(_grunwald_column(n, self.order) for n in self.shape)

    def scalars(self) -> dict[str, float]:
        return {"order": self.order, "reaction": self.reaction, "log_std": self.log_std}

    @property
    def default_solver(self) -> SolverSpec:
        return SolverSpec("cg" if self.form == "symmetric" else "gmres", {"rtol": 1e-10}, "tau", {})

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        norm = np.sqrt(self.field.mean_variance)
        z, f = (self.field.evaluate(self.field.sample(rng), *self.axes) / norm for _ in range(2))
        return {"coefficient": np.exp(self.log_std * z), "source": 1.0 + f}

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        a = np.asarray(parameters["coefficient"], dtype=np.float64).ravel()
        f = np.ascontiguousarray(parameters["source"], dtype=np.float64).ravel()
        if not (a.min() > 0.0 and np.isfinite(a.max())):
            raise InputError(f"the coefficient lies between {a.min():.3g} and {a.max():.3g}: expected positive values")
        if self.form == "direct":
            return LinearSystem(ToeplitzOperator(self._columns, self.reaction, a), f, self.shape)
        return LinearSystem(ToeplitzOperator(self._columns, self.reaction / a), f / a, self.shape)

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        return {
            "coefficient": at_centres(parameters["coefficient"], "diffusivity a", "input"),
            "source": at_centres(parameters["source"], "source f", "input"),
            "solution": at_centres(np.reshape(solution, self.shape), "solution u", "output"),
        }

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return ‖f − (r u + a R u)‖ / ‖f‖ by sums, not FFTs; the symmetric form divides every row by a."""
        a, f, u, weight = self._read(fields)
        defect = f - self.reaction * u - a * self._fractional(u, magnitude=False)
        return float(np.linalg.norm(weight * defect) / np.linalg.norm(weight * f))

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        """Every term is a product of up to three stored numbers, each rounded by the relative unit."""
        unit = float(np.finfo(dtype).eps) / 2.0
        a, f, u, weight = self._read(fields)
        reach = self.reaction * np.abs(u) + a * self._fractional(np.abs(u), magnitude=True) + np.abs(f)
        return float(1.01 * unit * (2.0 + unit) * np.linalg.norm(weight * reach) / np.linalg.norm(weight * f))

    def _read(self, fields: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        a, f, u = (np.asarray(fields[n], dtype=np.float64) for n in ("coefficient", "source", "solution"))
        return a, f, u, np.ones_like(a) if self.form == "direct" else 1.0 / a

    def _fractional(self, u: np.ndarray, magnitude: bool) -> np.ndarray:
        """Return −Σ_d ∂^γ u/∂|x_d|^γ by the sums of the definition, with weights from binomial coefficients."""
        total = np.zeros_like(u)
        for axis, n in enumerate(self.shape):
            k = np.arange(n + 1)
            plain = np.where(k % 2 == 0, 1.0, -1.0) * binom(self.order, k)
            mixed = self.order / 2.0 * plain + (1.0 - self.order / 2.0) * np.concatenate([[0.0], plain[:-1]])
            # From the left u(x_{i−k+1}) enters row i with mixed[k], from the right its mirror image: a sum over i − j.
            kernel = np.zeros(2 * n - 1)
            kernel[n - 2 :] += mixed
            kernel[: n + 1] += mixed[::-1]
            kernel *= float(n) ** self.order / (2.0 * np.cos(np.pi * self.order / 2.0))
            if magnitude:
                kernel = np.abs(kernel)
            lines = np.moveaxis(u, axis, -1)
            sums = [np.convolve(line, kernel)[n - 1 : 2 * n - 1] for line in lines.reshape(-1, n)]
            total += np.moveaxis(np.reshape(sums, lines.shape), -1, axis)
        return total


def _grunwald_column(n: int, order: float) -> np.ndarray:
    """Return the first column of −∂^γ/∂|x|^γ on n cells of (0, 1), (B + Bᵀ) h^{−γ}/(2 cos(πγ/2)).

    B_ij = w_{i−j+1}, w_k = γ/2 g_k + (1 − γ/2) g_{k−1}, g_0 = 1, g_k = (1 − (γ + 1)/k) g_{k−1}."""
    g = np.cumprod(np.concatenate([[1.0], 1.0 - (order + 1.0) / np.arange(1, n + 2)]))
    w = order / 2.0 * g
    w[1:] += (1.0 - order / 2.0) * g[:-1]
    column = w[1 : n + 1].copy()
    column[0] *= 2.0
    if n > 1:
        column[1] += w[0]
    return column * float(n) ** order / (2.0 * np.cos(np.pi * order / 2.0))
