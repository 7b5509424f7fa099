"""Transform real fields on a periodic box to resolved Fourier modes and back, in NumPy, PyTorch or CuPy arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.fft

from ..errors import InputError


class FourierGrid:
    """Describe real fields on a uniform periodic grid, and their modes that products cannot contaminate by aliasing.

    A field u(x) = Σ_k û_k e^{2πi k·x/ℓ} has the modes |k_d| ≤ K_d along each axis. Products of p such fields, evaluated
    at the n_d points of an axis, are exact in these modes if n_d > (p + 1) K_d: the 2/3 rule for quadratic terms, the
    1/2 rule for cubic ones. Only these modes are stored, and no others are computed. The last axis has k ≥ 0, the
    others have the order 0 … K, −K … −1.

    Parameters
    ----------
    shape : tuple of int
        Points along each axis, one to three of them.
    lengths : float or tuple of float
        ℓ, the extents of the box.
    factors : int
        p: 2 for quadratic terms, 3 for cubic ones, 1 for all modes except that of Nyquist.

    Attributes
    ----------
    cutoff : tuple of int
        K_d.
    modes_shape : tuple of int
        (2K_1 + 1, …, K_d + 1).
    """

    def __init__(self, shape: tuple[int, ...], lengths: float | tuple[float, ...] = 1.0, factors: int = 2) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.ndim = len(self.shape)
        self.lengths = (float(lengths),) * self.ndim if isinstance(lengths, (int, float)) else tuple(lengths)
        if not 1 <= self.ndim <= 3 or min(self.shape) < 4:
            raise InputError(f"shape is {self.shape}: expected one to three axes of at least 4 points each")
        if len(self.lengths) != self.ndim or not all(0.0 < ell < math.inf for ell in self.lengths):
            raise InputError(f"lengths are {self.lengths}: expected {self.ndim} positive numbers, one an axis")
        if factors not in (1, 2, 3):
            raise InputError(f"factors is {factors}: expected 1 (linear), 2 (quadratic) or 3 (cubic terms)")
        self.factors = factors
        self.cutoff = tuple((n - 1) // (factors + 1) for n in self.shape)
        self.modes_shape = (*(2 * K + 1 for K in self.cutoff[:-1]), self.cutoff[-1] + 1)

    def frequencies(self) -> tuple[np.ndarray, ...]:
        """Return the integers k_d of the modes, each shaped to broadcast over `modes_shape`."""
        rows = [np.concatenate([np.arange(K + 1), np.arange(-K, 0)]) for K in self.cutoff[:-1]]
        rows.append(np.arange(self.cutoff[-1] + 1))
        on_axis = np.eye(self.ndim, dtype=int)
        return tuple(k.reshape(np.where(on_axis[d], -1, 1)).astype(np.float64) for d, k in enumerate(rows))

    def wave_numbers(self) -> tuple[np.ndarray, ...]:
        """Return 2πk_d/ℓ_d, float64, shaped as :meth:`frequencies`."""
        return tuple(2.0 * np.pi / ell * k for ell, k in zip(self.lengths, self.frequencies(), strict=True))

    def laplacian(self) -> np.ndarray:
        """Return −|2πk/ℓ|², float64, of shape `modes_shape`."""
        total = np.zeros(self.modes_shape)
        for kappa in self.wave_numbers():
            total = total - kappa**2
        return total

    def points(self) -> tuple[np.ndarray, ...]:
        """Return x_d = i ℓ_d/n_d along each axis."""
        return tuple(np.arange(n) * (ell / n) for n, ell in zip(self.shape, self.lengths, strict=True))

    def to_modes(self, fields: Any, shape: tuple[int, ...] | None = None) -> Any:
        """Return û of real fields (…, *shape), complex (…, *modes_shape): the mean is the mode 0.

        `shape` is that of another grid on which the fields are sampled, fine enough to resolve the modes.
        """
        source = self.shape if shape is None else tuple(shape)
        if tuple(fields.shape[-self.ndim :]) != source:
            raise InputError(
                f"fields have the shape {tuple(fields.shape)}: expected (…, {', '.join(map(str, source))})"
            )
        self._check_holds(source)
        fft, axes = transforms(fields), tuple(range(-self.ndim, 0))
        return fft.cut(fft.rfftn(fields, axes), self) / math.prod(source)

    def to_fields(self, modes: Any, shape: tuple[int, ...] | None = None) -> Any:
        """Return the real fields (…, *shape) of modes; `shape` may be another grid, fine enough to hold them."""
        target = self.shape if shape is None else tuple(shape)
        if tuple(modes.shape[-self.ndim :]) != self.modes_shape:
            raise InputError(
                f"modes have the shape {tuple(modes.shape)}: expected (…, {', '.join(map(str, self.modes_shape))})"
            )
        self._check_holds(target)
        fft = transforms(modes)
        return fft.irfftn(fft.pad(modes, self, target), target) * math.prod(target)

    def _check_holds(self, shape: tuple[int, ...]) -> None:
        if len(shape) != self.ndim or any(n < 2 * K + 1 for n, K in zip(shape, self.cutoff, strict=True)):
            raise InputError(f"a grid {shape} cannot hold the modes up to {self.cutoff}: expected more points")

    def hermitian(self, modes: Any) -> Any:
        """Return the modes of the same fields, where those with k_d = 0 satisfy û(−k) = conj û(k) to the last bit."""
        plane = modes[..., 0]
        mirrored = plane.conj()
        for d, K in enumerate(self.cutoff[:-1]):
            backwards = [0, *range(2 * K, 0, -1)]
            mirrored = mirrored[_index(mirrored.ndim, d - self.ndim + 1, backwards)]
        library = transforms(modes).library
        return library.concatenate([(0.5 * (plane + mirrored))[..., None], modes[..., 1:]], -1)

    def __repr__(self) -> str:
        return f"FourierGrid({self.shape}, lengths={self.lengths}, factors={self.factors})"


class _Transforms:
    """Provide rfftn and irfftn of one array library over the last axes, and select the modes of a grid from spectra."""

    def __init__(self, library: Any, fft: Any, settings: dict[str, Any]) -> None:
        self.library, self.fft, self.settings = library, fft, settings

    def rfftn(self, fields: Any, axes: tuple[int, ...]) -> Any:
        return self.fft.rfftn(fields, **{self._axes: axes}, **self.settings)

    def irfftn(self, spectrum: Any, shape: tuple[int, ...]) -> Any:
        axes = tuple(range(-len(shape), 0))
        return self.fft.irfftn(spectrum, s=shape, **{self._axes: axes}, **self.settings)

    @property
    def _axes(self) -> str:
        return "dim" if self.library.__name__ == "torch" else "axes"

    def cut(self, spectrum: Any, grid: FourierGrid) -> Any:
        """Return the modes of `grid` from a full real spectrum."""
        modes = spectrum[..., : grid.cutoff[-1] + 1]
        for d, K in enumerate(grid.cutoff[:-1]):
            axis = d - grid.ndim
            low, high = _index(modes.ndim, axis, slice(0, K + 1)), _index(modes.ndim, axis, slice(-K, None))
            modes = self.library.concatenate([modes[low], modes[high]], axis) if K else modes[low]
        return modes

    def pad(self, modes: Any, grid: FourierGrid, shape: tuple[int, ...]) -> Any:
        """Return the full real spectrum of a grid of `shape` with the modes of `grid` in it."""
        full = (*shape[:-1], shape[-1] // 2 + 1)
        for d in range(grid.ndim - 1, -1, -1):
            axis, K = d - grid.ndim, grid.cutoff[d]
            size = [*modes.shape[: modes.ndim - grid.ndim + d], full[d], *modes.shape[modes.ndim - grid.ndim + d + 1 :]]
            padded = self._zeros(size, modes)
            low = _index(modes.ndim, axis, slice(0, K + 1))
            padded[low] = modes[low]
            if d < grid.ndim - 1 and K:
                high = _index(modes.ndim, axis, slice(-K, None))
                padded[high] = modes[high]
            modes = padded
        return modes

    def _zeros(self, size: list[int], like: Any) -> Any:
        if self.library.__name__ == "torch":
            return self.library.zeros(size, dtype=like.dtype, device=like.device)
        return self.library.zeros(size, dtype=like.dtype)


def transforms(array: Any, workers: int = 1) -> _Transforms:
    """Return the transforms of the library of `array`: for NumPy those of SciPy, with as many threads as `workers`."""
    library = type(array).__module__.split(".")[0]
    if library == "torch":
        import torch

        return _Transforms(torch, torch.fft, {})
    if library == "cupy":
        import cupy

        return _Transforms(cupy, cupy.fft, {})
    return _Transforms(np, scipy.fft, {"workers": workers} if workers > 1 else {})


def _index(ndim: int, axis: int, part: Any) -> tuple[Any, ...]:
    index: list[Any] = [slice(None)] * ndim
    index[axis] = part
    return tuple(index)
