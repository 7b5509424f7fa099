"""The heat equation in space and time together: exact decay, exact sources, any order in time."""

from __future__ import annotations

import numpy as np
import pytest

from resolvent.solvers import Chebyshev, Fourier, HeatEquation, InputError, Legendre, TensorBasis

TURN = 2.0 * np.pi


def test_waves_decay_faster_than_any_power() -> None:
    errors = []
    for n in (4, 8, 16):
        basis = TensorBasis(Legendre(n), Fourier(5), Fourier(4))
        initial = np.zeros((1, 2, *basis.shape))
        initial[:, :, 0, 1, 3] = 1.0  # cos 2πx sin 2πy
        u = HeatEquation(basis, 0.05).evolved(initial)
        t = np.linspace(0.0, 1.0, 21)
        found = basis.evaluate(u, t, np.zeros(1), np.full(1, 0.25))[..., 0, 0]
        assert np.allclose(found[..., 0], 1.0, atol=1e-14)
        errors.append(np.abs(found - np.exp(-0.05 * 2.0 * TURN**2 * t)).max())
    assert errors[1] < errors[0] / 100
    assert errors[2] < 1e-10


@pytest.mark.parametrize("kind", [Chebyshev, Legendre])
def test_polynomial_solutions_are_found_exactly(kind: type) -> None:
    """u = t²(1 − t) sin 2πx: its source is found by the derivatives of the basis, and given back u."""
    basis = TensorBasis(kind(6), Fourier(4))
    t, x = basis.points()
    u = basis.to_coefficients((t**2 * (1.0 - t))[:, None] * np.sin(TURN * x))
    source = basis.derivative(u, 0) - 0.3 * basis.derivative(u, 1, 2)
    heat = HeatEquation(basis, 0.3)
    assert heat.source_basis.shape == (5, 4)
    assert np.allclose(heat.response(source[:5]), u, atol=1e-13)
    assert np.allclose(heat.response(source), u, atol=1e-13)  # what is beyond five functions is cut off: nothing
    assert np.allclose(heat.evolved(0.0 * u, source), u, atol=1e-13)


def test_strong_decay_stays_stable() -> None:
    basis = TensorBasis(Chebyshev(8), Fourier(65))
    initial = np.zeros(basis.shape)
    initial[0] = 1.0
    u = HeatEquation(basis, 1.0).evolved(initial)
    t = np.linspace(0.0, 1.0, 50)
    amplitudes = basis.axes[0].evaluation_matrix(t) @ u
    assert np.abs(amplitudes).max() < 1.0 + 1e-9


def test_other_axes_are_named() -> None:
    for basis in (
        TensorBasis(Fourier(4), Fourier(4)),
        TensorBasis(Chebyshev(4), Chebyshev(4)),
        TensorBasis(Chebyshev(1), Fourier(4)),
        TensorBasis(Chebyshev(4)),
    ):
        with pytest.raises(InputError, match="two polynomials or more in time"):
            HeatEquation(basis, 1.0)
