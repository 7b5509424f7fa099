"""Precondition by the constant-coefficient Laplacian, inverted by sine, cosine and Fourier transforms."""

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
    """Apply M = S (−Δ_h)⁻¹ S: the cell-centred Laplacian of a box, inverted by fast transforms.

    With u = 0 on the walls, half a cell away, its eigenvectors are ∏ sin(k_d π (i_d + ½)/n_d), k_d = 1…n_d (DST-II),
    with the eigenvalues Σ_d (4/h_d²) sin²(k_d π/(2 n_d)); with ∂u/∂n = 0 the cosines, k_d = 0…n_d − 1 (DCT-II);
    periodic, the waves e^{2πi k_d i_d/n_d} and 4/h_d² sin²(k_d π/n_d). For −∇·(a∇u) with a_min ≤ a ≤ a_max, κ(MA) ≤
    a_max/a_min on any grid. The cost is two transforms, O(n log n); only the diagonal of A is used.

    Where no axis is 'dirichlet', A is singular (the constant) and M, to stay positive definite, inverts the smallest
    other eigenvalue there; give the solver ``nullspace=numpy.ones(n)``.

    Settings
    --------
    shape : tuple of int, optional
        Cells per axis, C order, one to three axes; `A.shape_grid` by default.
    lengths : tuple of float, optional
        Extents of the box per axis, in the order of `shape`; 1 by default.
    boundary : {'dirichlet', 'neumann', 'periodic'} or a tuple of them, one an axis
    dtype : {'float32', 'float64'}
        Precision of the transforms. In float32 M is linear and symmetric to about 1e-6, which costs cg no iterations
        down to rtol of 1e-12 or so, and half the time.
    scaling : {'none', 'sqrt_diagonal'}
        S = s I with the scalar that matches mean diagonals, or S = (D_Δ/D_A)^½ pointwise, which helps where log a is
        smooth and varies strongly. If A has no diagonal, S = I.

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
        boundary: Any = "dirichlet",
    ) -> None:
        named = (boundary,) if isinstance(boundary, str) else tuple(boundary) if np.iterable(boundary) else (boundary,)
        if not named or any(side not in ("dirichlet", "neumann", "periodic") for side in named):
            raise InputError(
                f"fast_poisson: boundary is {boundary!r}; expected 'dirichlet', 'neumann', 'periodic' or one an axis."
            )
        self.boundary: tuple[str, ...] = named
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
        sides = self.boundary * len(self.grid) if len(self.boundary) == 1 else self.boundary
        if len(sides) != len(self.grid):
            raise InputError(f"fast_poisson: boundary {sides}; expected one kind, or {len(self.grid)}, one an axis.")
        self._axes = {kind: [axis for axis, side in enumerate(sides) if side == kind] for kind in set(sides)}
        spectrum = _spectrum(self.grid, lengths, sides, self.precision.str)
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
            mean = float(laplacian_diagonal.mean())
            self._factor = (mean if mean > 0.0 else 1.0) / float(diagonal.mean())
        else:
            self._side = np.sqrt(laplacian_diagonal / diagonal)

    def _describe(self) -> dict[str, Any]:
        boundary = self.boundary[0] if len(set(self.boundary)) == 1 else self.boundary
        facts = {"grid": "x".join(map(str, self.grid)), "boundary": boundary, "dtype": self.precision}
        return facts if self.scaling == "none" else {**facts, "scaling": self.scaling}

    def _apply(self, r: np.ndarray) -> np.ndarray:
        if self._side is not None:
            r = r * self._side
        size = math.sqrt(np.vdot(r, r))
        if not 1e-150 < size < 1e150:
            size = float(np.abs(r).max())
            if not (size > 0.0 and math.isfinite(size)):
                return r * 0.0  # zero, or NaN where r is not finite
        # Residuals of any size fit into float32 once scaled by a power of two, which rounds nothing.
        power = math.ldexp(1.0, min(max(math.frexp(size)[1], -1000), 1000))  # whose reciprocal is a number, too
        v = (r * (1.0 / power)).astype(self.precision, copy=False).reshape(self.grid)
        if self._transforms is None:
            v = self._invert_by_transforms(v)
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

    def _invert_by_transforms(self, v: np.ndarray) -> np.ndarray:
        sines, cosines, waves = (self._axes.get(side, []) for side in ("dirichlet", "neumann", "periodic"))
        if sines:
            v = scipy.fft.dstn(v, type=2, norm="ortho", axes=sines, overwrite_x=True)
        if cosines:
            v = scipy.fft.dctn(v, type=2, norm="ortho", axes=cosines, overwrite_x=True)
        if waves:
            spectrum = scipy.fft.rfftn(v, axes=waves)
            spectrum *= np.take(self._inverse_eigenvalues, range(spectrum.shape[waves[-1]]), axis=waves[-1])
            v = scipy.fft.irfftn(spectrum, s=[v.shape[axis] for axis in waves], axes=waves)
        else:
            v *= self._inverse_eigenvalues
        if cosines:
            v = scipy.fft.idctn(v, type=2, norm="ortho", axes=cosines, overwrite_x=True)
        if sines:
            v = scipy.fft.idstn(v, type=2, norm="ortho", axes=sines, overwrite_x=True)
        return v


@lru_cache(maxsize=16)
def _spectrum(
    shape: tuple[int, ...], lengths: tuple[float, ...], sides: tuple[str, ...], dtype: str
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None, np.ndarray]:
    """Return inverse eigenvalues by wave number, sine matrices where they are faster, and the Laplacian's diagonal."""
    eigenvalues: np.ndarray = np.zeros(())
    diagonal: np.ndarray = np.zeros(())
    for n, length, side in zip(shape, lengths, sides, strict=True):
        first = 1 if side == "dirichlet" else 0
        numbers = np.arange(first, n + first) * (2.0 if side == "periodic" else 1.0)
        axis = (2.0 * n / length * np.sin(np.pi * numbers / (2 * n))) ** 2
        eigenvalues = eigenvalues[..., None] + axis
        couplings = np.full(n, 2.0 if n > 1 or side == "dirichlet" else 0.0)
        at_wall = {"dirichlet": 1.0, "neumann": -1.0, "periodic": 0.0}[side] if couplings[0] else 0.0
        couplings[0] += at_wall  # half a cell to the wall, or no flux through it
        couplings[-1] += at_wall
        diagonal = diagonal[..., None] + (n / length) ** 2 * couplings
    if eigenvalues.flat[0] == 0.0:  # the constant: M stays positive definite
        others = eigenvalues[eigenvalues > 0.0]
        eigenvalues.flat[0] = others.min() if others.size else 1.0
    inverse, diagonal = (1.0 / eigenvalues).astype(dtype), diagonal.reshape(-1)
    inverse.flags.writeable = diagonal.flags.writeable = False
    if len(shape) != 2 or max(shape) > _DENSE_TRANSFORM_LIMIT or set(sides) != {"dirichlet"}:
        return inverse, None, diagonal
    return inverse, (_sine_matrix(shape[0], dtype), _sine_matrix(shape[1], dtype)), diagonal


def _sine_matrix(n: int, dtype: str) -> np.ndarray:
    """Return the orthogonal DST-II matrix: row k − 1 is √(2/n) sin(k π (i + ½)/n), the last row over √2."""
    sines = math.sqrt(2.0 / n) * np.sin(np.pi / n * np.outer(np.arange(1, n + 1), np.arange(n) + 0.5))
    sines[-1] /= math.sqrt(2.0)
    sines = sines.astype(dtype)
    sines.flags.writeable = False
    return sines
