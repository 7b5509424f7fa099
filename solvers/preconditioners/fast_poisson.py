"""Fast Poisson solve by sine transforms: the constant-coefficient Laplacian as a preconditioner."""

from __future__ import annotations

import math
import operator
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import scipy.fft

from ..errors import InputError
from ..operands import diagonal_of, is_gpu
from ..preconditioner import Preconditioner

_DENSE_TRANSFORM_LIMIT = 96
"""Up to this many cells an axis, a 2-D transform by two matrix products is faster than the FFT (measured: 25 against
49 µs for transform and inverse at 64², 57 against 129 at 85², 182 against 114 at 128²; float32, one thread)."""


class FastPoisson(Preconditioner):
    """M = S (−Δ_h)⁻¹ S: the cell-centred Dirichlet Laplacian of a box, inverted by the sine transform DST-II.

    The Laplacian with half cells at the walls has the eigenvectors ∏ sin(k_d π (i_d + ½)/n_d), k_d = 1…n_d, and the
    eigenvalues Σ_d (4/h_d²) sin²(k_d π/(2 n_d)). For −∇·(a∇u) with a_min ≤ a ≤ a_max, κ(MA) ≤ a_max/a_min on any grid.
    The cost is two transforms, O(n log n); nothing but the diagonal of A is looked at.

    Settings
    --------
    shape : tuple of int, optional
        Cells per axis, C order, one to three axes; `A.shape_grid` by default.
    lengths : tuple of float, optional
        Extents of the box per axis, in the order of `shape`; 1 by default.
    dtype : {'float32', 'float64'}
        Precision of the transforms. In float32 M is linear and symmetric to about 1e-6, which costs cg no iterations
        down to rtol of 1e-12 or so, and half the time.
    scaling : {'none', 'sqrt_diagonal'}
        S = s I with the scalar that matches mean diagonals, or S = (D_Δ/D_A)^½ pointwise, which helps where log a is
        smooth and varies strongly. Without a diagonal of A: S = I.

    References
    ----------
    Concus and Golub, SIAM J. Numer. Anal. 10 (1973) 1103; Buzbee, Golub and Nielson, SIAM J. Numer. Anal. 7 (1970) 627;
    Strang, SIAM Review 41 (1999) 135 (the transforms).
    """

    name = "fast_poisson"

    def __init__(
        self,
        shape: tuple[int, ...] | None = None,
        lengths: tuple[float, ...] | None = None,
        dtype: str = "float32",
        scaling: Literal["none", "sqrt_diagonal"] = "none",
    ) -> None:
        try:
            self.precision = np.dtype(dtype)
        except TypeError:
            self.precision = np.dtype(object)
        if self.precision not in (np.float32, np.float64):
            raise InputError(f"fast_poisson: dtype is {dtype!r}; expected 'float32' or 'float64'.")
        if scaling not in ("none", "sqrt_diagonal"):
            raise InputError(f"fast_poisson: scaling is {scaling!r}; expected 'none' or 'sqrt_diagonal'.")
        try:
            self._shape = None if shape is None else tuple(operator.index(m) for m in shape)
        except TypeError as error:
            raise InputError(f"fast_poisson: shape is {shape!r}; expected integers such as (64, 64).") from error
        self.lengths = lengths
        self.scaling = scaling

    def _build(self, A: Any, again: bool) -> None:
        n = self.shape[0]
        if self.dtype.kind == "c":
            raise InputError(
                "fast_poisson approximates a real diffusion operator, but A is complex: use jacobi or ic0."
            )
        grid = getattr(A, "shape_grid", None) if self._shape is None else self._shape
        if grid is None:
            raise InputError(f"fast_poisson needs the grid of the {n} unknowns: give shape=(ny, nx), in C order.")
        self.grid: tuple[int, ...] = tuple(int(m) for m in grid)
        if not 1 <= len(self.grid) <= 3 or any(m < 1 for m in self.grid) or math.prod(self.grid) != n:
            raise InputError(
                f"fast_poisson: shape {self.grid} does not hold the {n} unknowns of A; "
                f"expected one to three axes with {n} cells in all."
            )
        lengths = (1.0,) * len(self.grid) if self.lengths is None else tuple(float(length) for length in self.lengths)
        if len(lengths) != len(self.grid) or not all(0.0 < length < math.inf for length in lengths):
            raise InputError(
                f"fast_poisson: lengths {lengths}; expected {len(self.grid)} positive numbers, one an axis."
            )
        spectrum = _spectrum(self.grid, lengths, self.precision.str)
        self._inverse_eigenvalues, self._transforms, laplacian_diagonal = spectrum
        self._side: Any = None
        self._factor = 1.0
        self._scale(A, laplacian_diagonal)
        self.kind = "spd"

    def _scale(self, A: Any, laplacian_diagonal: np.ndarray) -> None:
        if not (hasattr(A, "diagonal") or isinstance(A, np.ndarray | list)):
            if self.scaling == "sqrt_diagonal":
                diagonal_of(A, "fast_poisson with scaling='sqrt_diagonal'")
            return
        diagonal = diagonal_of(A, self.name)
        if is_gpu(diagonal):
            raise InputError("fast_poisson runs on the CPU, but A is a CuPy matrix: pass A.get().")
        if not (diagonal.min() > 0.0 and np.isfinite(diagonal.max())):
            raise InputError(
                "fast_poisson needs a diagonal of A that is positive and finite: A is not a diffusion operator."
            )
        if self.scaling == "none":
            self._factor = float(laplacian_diagonal.mean()) / float(diagonal.mean())
        else:
            self._side = np.sqrt(laplacian_diagonal / diagonal)

    def _apply(self, r: np.ndarray) -> np.ndarray:
        if self._side is not None:
            r = r * self._side
        size = math.sqrt(np.vdot(r, r))
        if not 1e-150 < size < 1e150:
            size = float(np.abs(r).max())
            if not (size > 0.0 and math.isfinite(size)):
                return r * 0.0  # zero, or NaN where r is not finite
        # Residuals of any size fit into float32 once scaled by a power of two, which rounds nothing.
        power = math.ldexp(1.0, math.frexp(size)[1])
        v = (r * (1.0 / power)).astype(self.precision, copy=False).reshape(self.grid)
        if self._transforms is None:
            v = scipy.fft.dstn(v, type=2, norm="ortho", overwrite_x=True)
            v *= self._inverse_eigenvalues
            v = scipy.fft.idstn(v, type=2, norm="ortho", overwrite_x=True)
        else:
            sines_y, sines_x = self._transforms
            v = sines_y @ v @ sines_x.T
            v *= self._inverse_eigenvalues
            v = sines_y.T @ v @ sines_x
        z = v.reshape(-1).astype(np.float64)
        z *= power * self._factor
        if self._side is not None:
            z *= self._side
        return z


@lru_cache(maxsize=16)
def _spectrum(
    shape: tuple[int, ...], lengths: tuple[float, ...], dtype: str
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None, np.ndarray]:
    """Inverse eigenvalues by wave number, sine matrices where they are the faster way, and the Laplacian's diagonal."""
    eigenvalues: np.ndarray = np.zeros(())
    diagonal: np.ndarray = np.zeros(())
    for n, length in zip(shape, lengths, strict=True):
        axis = (2.0 * n / length * np.sin(np.pi * np.arange(1, n + 1) / (2 * n))) ** 2
        eigenvalues = eigenvalues[..., None] + axis
        couplings = np.full(n, 2.0)
        couplings[0] += 1.0  # half a cell to the wall
        couplings[-1] += 1.0
        diagonal = diagonal[..., None] + (n / length) ** 2 * couplings
    inverse, diagonal = (1.0 / eigenvalues).astype(dtype), diagonal.reshape(-1)
    inverse.flags.writeable = diagonal.flags.writeable = False
    if len(shape) != 2 or max(shape) > _DENSE_TRANSFORM_LIMIT:
        return inverse, None, diagonal
    return inverse, (_sine_matrix(shape[0], dtype), _sine_matrix(shape[1], dtype)), diagonal


def _sine_matrix(n: int, dtype: str) -> np.ndarray:
    """The orthogonal DST-II matrix: row k − 1 is √(2/n) sin(k π (i + ½)/n), the last row over √2."""
    sines = math.sqrt(2.0 / n) * np.sin(np.pi / n * np.outer(np.arange(1, n + 1), np.arange(n) + 0.5))
    sines[-1] /= math.sqrt(2.0)
    sines = sines.astype(dtype)
    sines.flags.writeable = False
    return sines
