"""Flow in coefficients: the residual on exact solutions and written out, the reference, and what errors are told by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.integrate

from resolvent.data import SpectralNavierStokes
from resolvent.operators.evaluation.metrics import relative_errors
from resolvent.solvers import InputError

TURN = 2.0 * np.pi


def coefficients(problem: SpectralNavierStokes, function: Any) -> np.ndarray:
    """Return the coefficients of a function of (t, x, y), t in its own units."""
    tau, x, y = problem.basis.points()
    values = function(problem.final_time * tau[:, None, None], x[:, None], y)
    return np.asarray(problem.basis.to_coefficients(np.broadcast_to(values, problem.basis.shape)))[None]


def waves(n: int) -> np.ndarray:
    return TURN * np.fft.fftfreq(n, 1.0 / n)


@pytest.mark.parametrize("time_basis", ["chebyshev", "legendre"])
def test_exact_solutions_have_no_residual(time_basis: str) -> None:
    """Vortices of one |k|², shear layers, and the laminar flow that a forcing of one |k|² drives."""
    nu = 1e-2
    decay, slow, fast = (lambda t, m=m: np.exp(-nu * m * TURN**2 * t) for m in (5.0, 1.0, 9.0))
    free = SpectralNavierStokes(nu=nu, final_time=1.0, modes=(20, 9, 8), time_basis=time_basis)
    flows = [
        lambda t, x, y: decay(t) * (np.cos(TURN * (2 * x + y)) + 0.7 * np.sin(TURN * x) * np.cos(TURN * 2 * y)),
        lambda t, x, y: slow(t) * np.sin(TURN * y + 0.3) + fast(t) * np.cos(TURN * 3 * y) + 0.0 * x,
        lambda t, x, y: slow(t) * np.cos(TURN * x - 1.0) + fast(t) * np.sin(TURN * 3 * x) + 0.0 * y,
    ]
    for flow in flows:
        v = coefficients(free, flow)
        assert np.abs(free.residual(v, v)).max() < 1e-11
        assert np.abs(free.residual(v, 0.5 * v)).max() < 1e-11
    forced = SpectralNavierStokes("nsm_forced", modes=(4, 7, 6), time_basis=time_basis)
    size = 0.1 / (2.0 * TURN**2 * forced.nu)
    v = coefficients(forced, lambda t, x, y: size * (np.sin(TURN * (x + y)) + np.cos(TURN * (x + y))) + 0.0 * t)
    assert np.abs(forced.residual(v, v)).max() < 1e-12
    assert np.abs(forced.residual(v, 0.0 * v)).max() == pytest.approx(0.1)


@pytest.mark.parametrize("modes", [(3, 7, 5), (4, 6, 7), (2, 4, 8)])
def test_residual_against_transforms_on_a_fine_grid(modes: tuple[int, int, int]) -> None:
    """Compute every term from NumPy's FFT of values, on points enough for the product: the coefficients agree."""
    problem = SpectralNavierStokes("nsm_forced", nu=0.03, final_time=2.5, modes=modes)
    v = np.random.default_rng(4).standard_normal((2, *modes))
    n, tau = 32, np.array([0.0, 0.21, 0.5, 1.0])
    x = np.arange(n) / n
    kx, ky = waves(n)[:, None], waves(n)
    squared = kx**2 + ky**2

    def back(spectrum: np.ndarray) -> np.ndarray:
        return np.fft.ifft2(spectrum).real

    omega = np.fft.fft2(problem.basis.evaluate(v, tau, x, x))
    stream = omega / np.where(squared > 0.0, squared, np.inf)
    advection = back(1j * ky * stream) * back(1j * kx * omega) - back(1j * kx * stream) * back(1j * ky * omega)
    slope = problem.basis.evaluate(v, tau, x, x, derivatives=(1, 0, 0)) / 2.5
    angle = TURN * (x[:, None] + x)
    wanted = slope + advection - back(-0.03 * squared * omega) - 0.1 * (np.sin(angle) + np.cos(angle))
    found = problem.residual_basis.evaluate(problem.residual(v, v), tau, x, x)
    assert np.abs(found - wanted).max() < 1e-12 * np.abs(wanted).max()


def test_the_residual_of_the_reference_falls_with_the_modes() -> None:
    sizes, errors = [], []
    for modes in ((4, 9, 9), (7, 15, 15), (12, 27, 27)):
        problem = SpectralNavierStokes("nsm_re3", modes=modes)
        drawn = problem.test_functions(1)
        points = problem.basis.points([2 * n for n in modes])
        reference = problem.reference(drawn, *points)
        u = problem.basis.to_coefficients(reference)
        r = problem.residual(problem.as_inputs(drawn), u)
        sizes.append(np.sqrt(problem.residual_basis.inner(r, r)).max())
        errors.append(relative_errors(problem.basis.evaluate(u, *points), reference, problem.basis).max())
    assert sizes[0] > 5.0 * sizes[1] > 50.0 * sizes[2]
    assert errors[0] > 5.0 * errors[1] > 50.0 * errors[2]
    assert errors[2] < 1e-4


@pytest.mark.parametrize(("family", "final_time"), [("nsm_re3", 3.0), ("nsm_forced", 4.0)])
def test_reference_is_converged_and_is_the_equations_solution(family: str, final_time: float) -> None:
    """Compare with twice the points and half the steps, and with SciPy's DOP853 on transforms of NumPy."""
    problem = SpectralNavierStokes(family, final_time=final_time)
    drawn = problem.test_functions(2)
    tau, n = np.array([0.7, 0.0, 1.0]), 48
    x = np.arange(n) / n
    u = problem.reference(drawn, tau, x, x)
    assert problem.reference_error(drawn, tau, x, x).max() < 2e-7
    coarse = SpectralNavierStokes(family, final_time=final_time, reference_points=12, reference_step=0.1)
    wrong = coarse.reference(drawn, tau, x, x) - u
    wrong = np.sqrt((wrong**2).sum(axis=(1, 2, 3)) / (u**2).sum(axis=(1, 2, 3)))
    assert coarse.reference_error(drawn, tau, x, x) == pytest.approx(wrong, rel=0.1)
    assert np.allclose(u[:, 1], problem.initial.evaluate(drawn, x, x), atol=1e-7)
    assert np.allclose(u[:, [0, 2]], problem.reference(drawn, tau[[0, 2]], x, x), atol=1e-7)
    kx, ky = waves(n)[:, None], waves(n)
    squared = np.where((kx == 0.0) & (ky == 0.0), 1.0, kx**2 + ky**2)
    kept = (np.abs(kx) < TURN * n / 3) & (np.abs(ky) < TURN * n / 3)
    angle = TURN * (x[:, None] + x)
    force = problem.forcing * (np.sin(angle) + np.cos(angle))

    def slope(t: float, values: np.ndarray) -> np.ndarray:
        omega = np.fft.fft2(values.reshape(n, n)) * kept
        fields = [np.fft.ifft2(f).real for f in (1j * ky * omega / squared, 1j * kx * omega)]
        others = [np.fft.ifft2(f).real for f in (1j * kx * omega / squared, 1j * ky * omega)]
        spectrum = -problem.nu * squared * omega - kept * np.fft.fft2(fields[0] * fields[1] - others[0] * others[1])
        return (np.fft.ifft2(spectrum).real + force).ravel()

    start = u[0, 1].ravel()
    other = scipy.integrate.solve_ivp(slope, (0.0, final_time), start, "DOP853", rtol=1e-7, atol=1e-9).y[:, -1]
    assert np.abs(other.reshape(n, n) - u[0, 2]).max() < 2e-5 * np.abs(u).max()


def test_linear_solution() -> None:
    """Solve for decaying waves and the forcing's part of them, from the initial value exactly."""
    problem = SpectralNavierStokes("nsm_forced", final_time=2.0, modes=(12, 6, 7))
    inputs = problem.as_inputs(problem.test_functions(2))
    linear = problem.linear_solution(inputs)
    x = np.linspace(0.0, 1.0, 9)
    at = [problem.basis.evaluate(c, np.array([0.0, 0.4]), x, x) for c in (inputs, linear)]
    assert np.allclose(at[0][:, 0], at[1][:, 0], atol=1e-14)
    one = problem.as_inputs(np.zeros((1, 64, 64)))
    one[0, 0, 2, 1] = 1.0  # cos 4πx cos 2πy
    rate = problem.nu * 5.0 * TURN**2
    pure = problem.linear_solution(one) - problem.linear_solution(0.0 * one)
    found = problem.basis.evaluate(pure, np.array([0.4]), np.zeros(1), np.zeros(1)).item()
    assert found == pytest.approx(np.exp(-rate * 0.8), rel=1e-9)
    rate = problem.nu * 2.0 * TURN**2
    found = problem.basis.evaluate(problem.linear_solution(0.0 * one), np.array([1.0]), np.zeros(1), np.zeros(1)).item()
    assert found == pytest.approx(0.1 * (1.0 - np.exp(-2.0 * rate)) / rate, rel=1e-9)


def test_response_solves_its_equation() -> None:
    problem = SpectralNavierStokes(nu=0.02, final_time=2.0, modes=(3, 4, 5))
    space, larger = problem.residual_basis, problem.response_basis
    r = np.random.default_rng(0).standard_normal((2, *space.shape))
    e = problem.response(r)
    tau, x, y = space.points()
    left = larger.evaluate(e, tau, x, y, derivatives=(1, 0, 0)) / 2.0
    left -= 0.02 * (
        larger.evaluate(e, tau, x, y, derivatives=(0, 2, 0)) + larger.evaluate(e, tau, x, y, derivatives=(0, 0, 2))
    )
    assert np.abs(left - space.to_values(r)).max() < 1e-11 * np.abs(r).max()
    assert np.abs(larger.evaluate(e, np.zeros(1), x, y)).max() < 1e-12


@pytest.mark.parametrize(("family", "size"), [("nsm_re2", 1e-2), ("nsm_re3", 1e-2), ("nsm_re3", 0.3)])
def test_error_estimate_is_the_error(family: str, size: float) -> None:
    problem = SpectralNavierStokes(family, modes=(12, 19, 19))
    drawn = problem.test_functions(3)
    points = problem.basis.points((24, 38, 38))
    u = problem.basis.to_coefficients(problem.reference(drawn, *points))
    inputs = problem.as_inputs(drawn)
    change = np.zeros_like(u)
    change[:, :4, :4, 1:4] = np.random.default_rng(1).standard_normal((3, 4, 4, 3))
    change[:, 0] -= (change * (-1.0) ** np.arange(12)[:, None, None]).sum(axis=1)  # the initial value stays
    norms = [problem.basis.inner(c, c)[:, None, None, None] for c in (u, change)]
    v = u + size * np.sqrt(norms[0] / norms[1]) * change
    error = relative_errors(problem.basis.to_values(u), problem.basis.to_values(v), problem.basis)
    assert problem.error_estimate(inputs, v) == pytest.approx(error, rel=0.02)
    assert error == pytest.approx(np.full(3, size), rel=0.2)


def test_wrong_use_is_named() -> None:
    for arguments, message in (
        ({"family": "nsm_re5"}, "unknown family of flows"),
        ({"nu": 0.0}, "nu is 0"),
        ({"final_time": -1.0}, "final_time"),
        ({"forcing": float("nan")}, "forcing is nan"),
        ({"modes": (8, 15)}, "names 2 axes"),
        ({"modes": (1, 15, 15)}, "at least 2 in time"),
        ({"modes": (8, 2, 15)}, "3 in x and y"),
        ({"time_basis": "fourier"}, "unknown time_basis"),
        ({"reference_points": 4}, "at least 8"),
        ({"reference_step": 0.0}, "reference_step"),
    ):
        with pytest.raises(InputError, match=message):
            SpectralNavierStokes(**arguments)
    problem = SpectralNavierStokes("nsm_re4", length=0.05, reference_points=32, reference_step=3.0)
    drawn = problem.test_functions(1)
    x = np.zeros(1)
    with pytest.raises(InputError, match=r"times from -0.1 to 0.5; expected 0 to 1"):
        problem.reference(drawn, np.array([-0.1, 0.5]), x, x)
    with pytest.raises(InputError, match="lower reference_step"):
        problem.reference(1e200 * drawn, np.ones(1), x, x)
