"""Compute nonlinear terms of semilinear equations on a periodic box, from modes to modes, without aliasing."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from ..spectral.fourier_grid import FourierGrid, transforms

__all__ = ["NoTerm", "PolynomialTerm", "VorticityTerm"]


class NoTerm:
    """Return N = 0: the equation is linear, and exponential integrators are exact."""

    transforms = 0

    def __init__(self, grid: FourierGrid) -> None:
        self.grid = grid

    def __call__(self, modes: Any) -> Any:
        return modes * 0.0


class PolynomialTerm:
    """Compute N(u) = D (c₂ u² + c₃ u³), D diagonal in Fourier space: 1, or the derivative along an axis.

    It takes two real transforms: u to the points, the polynomial back to the modes.

    Parameters
    ----------
    grid : FourierGrid
        Its `factors` must cover the degree.
    square, cube : float
        c₂ and c₃.
    derivative : int or None
        The axis along which D differentiates, or None for D = 1.
    """

    transforms = 2

    def __init__(
        self, grid: FourierGrid, square: float = 0.0, cube: float = 0.0, derivative: int | None = None
    ) -> None:
        degree = 3 if cube else 2
        if grid.factors < degree:
            raise InputError(f"a term of degree {degree} on {grid}: expected factors={degree}, or its products alias")
        self.grid, self.square, self.cube, self.derivative = grid, float(square), float(cube), derivative
        self.multiplier = np.ones(grid.modes_shape)
        if derivative is not None:
            self.multiplier = np.broadcast_to(grid.wave_numbers()[derivative], grid.modes_shape).copy()
        self._copies: dict[str, Any] = {}

    def __call__(self, modes: Any) -> Any:
        fields = self.grid.to_fields(modes)
        squares = fields * fields
        values = squares * self.square + squares * fields * self.cube if self.cube else squares * self.square
        out = self.grid.to_modes(values)
        if self.derivative is None:
            return out
        return out * (1j * on_device_of(modes, self.multiplier, self._copies, "multiplier"))


class VorticityTerm:
    """Compute N(ω) = −u·∇ω + f in two dimensions, u = (∂ψ/∂y, −∂ψ/∂x), −Δψ = ω.

    As u has no divergence, u·∇ω = (∂_xx − ∂_yy)(uv) + ∂_xy(v² − u²) (Basdevant 1983): two fields to the points, two
    products back. These are four real transforms, where u·∇ω as written takes five. Operations that are diagonal in
    either space cannot do with fewer: ω alone must give both components of u at the points, and the two products are
    differentiated differently. The four are computed as two complex ones, of z = u + iv and of z² = (u² − v²) + 2i uv.

    Parameters
    ----------
    grid : FourierGrid
        Two axes; `factors` of at least 2.
    forcing : ndarray, optional
        f at the points, constant in time.
    """

    transforms = 4

    def __init__(self, grid: FourierGrid, forcing: np.ndarray | None = None) -> None:
        if grid.ndim != 2 or grid.factors < 2:
            raise InputError(f"the vorticity equation on {grid}: expected two axes and factors=2")
        self.grid = grid
        kx, ky = grid.wave_numbers()
        inverse = -grid.laplacian()
        inverse[0, 0] = 1.0
        inverse = 1.0 / inverse
        inverse[0, 0] = 0.0
        self.toward_x, self.toward_y = kx * inverse, ky * inverse  # û + i v̂ = (k_x + i k_y) ω̂/|k|²
        self.of_product = (kx + 0.0 * ky) ** 2 - ky**2
        self.of_squares = -kx * ky
        self.forcing: np.ndarray | None = None if forcing is None else grid.to_modes(np.asarray(forcing, np.float64))
        self._copies: dict[str, Any] = {}

    def __call__(self, modes: Any) -> Any:
        cx = on_device_of(modes, self.toward_x, self._copies, "x")
        cy = on_device_of(modes, self.toward_y, self._copies, "y")
        u, v = self.grid.to_fields(modes * (1j * cy)), self.grid.to_fields(modes * (-1j * cx))
        product, squares = self.grid.to_modes(u * v), self.grid.to_modes(u * u - v * v)
        out = product * on_device_of(modes, self.of_product, self._copies, "product")
        out = out + squares * on_device_of(modes, self.of_squares, self._copies, "squares")
        return out if self.forcing is None else out + on_device_of(modes, self.forcing, self._copies, "forcing")


def on_device_of(like: Any, values: np.ndarray, cache: dict[str, Any], name: str) -> Any:
    """Return `values` in the library, on the device and in the precision of the complex array `like`.

    Each copy is made once, and stored in `cache` under `name`.
    """
    module = type(like).__module__.split(".")[0]
    single = str(like.dtype).endswith("complex64")
    kind = ("complex64" if single else "complex128") if values.dtype.kind == "c" else "float32" if single else "float64"
    key = f"{name}|{module}|{kind}|{getattr(like, 'device', '')}"
    if key not in cache:
        cast = values.astype(kind)
        if module == "torch":
            import torch

            cache[key] = torch.from_numpy(cast).to(like.device)
        else:
            cache[key] = transforms(like).library.asarray(cast)
    return cache[key]
