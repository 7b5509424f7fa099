"""Balance diffusive fluxes on a rectangle in one compiled sweep.

This is :func:`.balance.diffusion` for the most common case, real fields in two dimensions without data on the walls:
the certificates of a generation evaluate it once a sample. Like that module it forms the flux through each face from
the two cells beside it, and shares nothing with the solvers.
"""

from __future__ import annotations

import numpy as np

from resolvent.solvers.kernels import Kernel

__all__ = ["rectangle_balance"]

_sweep = Kernel("rectangle_balance", "int int f64* f64* int int f64* f64*")


def rectangle_balance(
    a: np.ndarray, u: np.ndarray, periodic: tuple[bool, bool], walls: tuple[bool, ...], out: np.ndarray
) -> None:
    """Compute out = −∇·(a∇u) in each cell.

    Parameters
    ----------
    a, u, out : ndarray, shape (n, m), float64, contiguous
    periodic : whether each axis is
    walls : whether u = 0 there: low and high side of the first axis, then of the second
    """
    n, m = u.shape
    _sweep(n, m, a, u, _bits(periodic), _bits(walls), out, np.empty(3 * m + 1))


def _bits(flags: tuple[bool, ...]) -> int:
    return sum(flag << k for k, flag in enumerate(flags))
