"""Draw what the published experiments on Krylov recycling drew for Poisson's equation, with its defects."""

from __future__ import annotations

import numpy as np
from numpy.polynomial.chebyshev import chebval

from ..random_fields.chebyshev_series import ChebyshevSeries


def skr_poisson_sample(
    series: ChebyshevSeries, axes: tuple[np.ndarray, ...], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw f and the data on the four walls: Σ_{k≤degree} a_k T_k(x), one dimension, evaluated at x in (0, 1) alone.

    What is wrong with it: on the vertical sides the data are constants, T_k is evaluated on (0, 1) instead of (−1, 1),
    and all samples have one constant matrix and right-hand sides from a space of at most 6 + 6 + 6 + 1 + 1 = 20
    dimensions (degree 5): one factorisation and 20 solves give every sample, and a speed-up measured on it says nothing
    about families of operators. The published matrices come from the triangulation of another package
    (n = 7 153 … 71 313) and cannot be rebuilt.

    Returns
    -------
    dict
        ``source`` and ``wall_x_low`` …, arrays on the tensor grid of `axes`.
    """
    shape, x = tuple(len(points) for points in axes), axes[0]
    source, bottom, right, top, left = (series.sample(rng) for _ in range(5))
    values = {
        "source": chebval(x, source)[:, None],
        "wall_x_low": chebval(0.0, left),
        "wall_x_high": chebval(1.0, right),
        "wall_y_low": chebval(x, bottom)[:, None],
        "wall_y_high": chebval(x, top)[:, None],
    }
    return {name: np.broadcast_to(value, shape).copy() for name, value in values.items()}
