"""Kernel fields, and the problems that are learned in coefficients with their classical references."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import torch

from resolvent.data import SPECTRAL_PROBLEMS, KernelField, SpectralPoisson, SpectralReactionDiffusion, make_problem
from resolvent.solvers import Fourier, InputError, TensorBasis


@pytest.mark.parametrize("kernel", ["periodic", "squared_exponential"])
def test_law_of_a_kernel_field(kernel: str) -> None:
    field = KernelField(kernel, 2, 0.3, (6, 5))
    draws = field.basis.to_values(field.sample(np.random.default_rng(0), 20000)).reshape(20000, -1)
    x, y = field.basis.points()
    if kernel == "periodic":
        one, two = (np.exp(-(np.sin(np.pi * (t[:, None] - t)) ** 2) / (2 * 0.09)) for t in (x, y))
    else:
        one, two = (np.exp(-((t[:, None] - t) ** 2) / (2 * 0.09)) for t in (x, y))
    assert np.abs(np.cov(draws.T) - np.kron(one, two)).max() < 0.06
    assert np.abs(draws.mean(axis=0)).max() < 0.04


def test_a_field_is_one_function_at_every_resolution() -> None:
    field = KernelField("periodic", 1, 0.2, 16, mean_free=True)
    z = field.sample(np.random.default_rng(3))
    assert z.shape == (16,)
    assert abs(z[0]) < 1e-15
    fine, coarse = (field.evaluate(z, np.arange(n) / n) for n in (48, 16))
    assert np.allclose(fine[::3], coarse, atol=1e-13)
    assert KernelField(**field.settings()).settings() == field.settings()
    with pytest.raises(InputError, match="unknown kernel"):
        KernelField("matern", 1)


def test_periodic_poisson_satisfies_its_equation() -> None:
    problem = SpectralPoisson()
    drawn = problem.test_functions(3)
    inputs = problem.as_inputs(drawn)
    x = np.arange(40) / 40
    u = problem.reference(drawn, x, x)
    space = TensorBasis(Fourier(40), Fourier(40))
    coefficients = space.to_coefficients(u)
    assert np.abs(space.to_values(-space.laplacian(coefficients)) - problem.basis.evaluate(inputs, x, x)).max() < 1e-9
    assert np.abs(u.mean(axis=(1, 2))).max() < 1e-14
    solution = space.resize(coefficients, problem.basis.shape)
    assert np.abs(problem.residual(inputs, solution)).max() < 1e-10
    assert np.abs(problem.residual(inputs, 0.0 * solution) - inputs).max() == 0.0


def test_dirichlet_poisson_against_finite_volumes() -> None:
    """The same source through the finite volumes of `poisson`, whose error is of second order."""
    problem = SpectralPoisson("dirichlet")
    errors = []
    for n in (16, 32):
        volumes = make_problem("poisson", resolution=n, source="kernel")
        parameters = volumes.sample(np.random.default_rng(7))
        drawn = problem.draw(np.random.default_rng(7), 1)
        assert np.allclose(problem.sources.evaluate(drawn[0], *volumes.axes), parameters["source"], atol=1e-10)
        u = problem.reference(drawn, *volumes.axes)[0]
        found = volumes.solve(parameters, rtol=1e-10).x.reshape(n, n)
        errors.append(np.linalg.norm(found - u) / np.linalg.norm(u))
    assert errors[1] < 5e-3
    assert errors[0] / errors[1] > 3.5


def test_dirichlet_reference_is_converged() -> None:
    x = np.linspace(0.0, 1.0, 30)
    coarse, fine = SpectralPoisson("dirichlet"), SpectralPoisson("dirichlet", basis="legendre", reference_modes=72)
    drawn = coarse.test_functions(2)
    u, v = coarse.reference(drawn, x, x), fine.reference(drawn, x, x)
    assert np.abs(u[:, [0, -1]]).max() < 1e-14
    assert np.abs(u - v).max() < 2e-6 * np.abs(v).max()


@pytest.mark.parametrize("nu", [0.005, 0.05])
def test_reaction_diffusion_against_an_ode_solver(nu: float) -> None:
    """Finite Fourier collocation in x and SciPy's DOP853 in t, which share nothing with the reference."""
    problem = SpectralReactionDiffusion(nu=nu, reference_modes=97)
    drawn = problem.draw(np.random.default_rng(1), 1)
    values = problem.initial.basis.to_values(drawn)
    assert values.min() == pytest.approx(0.0, abs=1e-13)
    assert values.max() == pytest.approx(1.0)
    n = 128
    x, times = np.arange(n) / n, np.array([0.0, 0.3, 1.0])
    omega = 2.0 * np.pi * np.fft.rfftfreq(n, 1 / n)

    def slope(t: float, u: np.ndarray) -> np.ndarray:
        return nu * np.fft.irfft(-(omega**2) * np.fft.rfft(u), n) + 5.0 * u * (1.0 - u)

    start = problem.initial.evaluate(drawn[0], x)
    other = scipy.integrate.solve_ivp(slope, (0.0, 1.0), start, "DOP853", times, rtol=1e-10, atol=1e-12).y.T
    found = problem.reference(drawn, times, x)[0]
    assert np.abs(found - other).max() < 1e-8


def test_reaction_diffusion_residual_vanishes_on_the_reference() -> None:
    problem = SpectralReactionDiffusion(nu=0.005, modes=(32, 97))
    drawn = problem.test_functions(2)
    u = problem.basis.to_coefficients(problem.reference(drawn, *problem.basis.points()))
    inputs = problem.as_inputs(drawn)
    assert np.allclose(
        problem.basis.evaluate(inputs, np.array([0.0, 0.7]), np.array([0.25]))[:, 0],
        problem.initial.basis.evaluate(drawn, np.array([0.25])),
        atol=1e-12,
    )
    space = problem.residual_basis
    residual = problem.residual(inputs, u)
    assert np.sqrt(space.inner(residual, residual)).max() < 1e-7
    # And it is the equation: against derivatives of the series at scattered points.
    points = np.random.default_rng(0).uniform(size=(5, 2))
    v = np.random.default_rng(1).standard_normal((1, *problem.basis.shape))
    at = [problem.basis.evaluate_at(v, points, orders) for orders in ((0, 0), (1, 0), (0, 2))]
    wanted = at[1] - 0.005 * at[2] - 5.0 * at[0] * (1.0 - at[0])
    assert np.allclose(space.evaluate_at(problem.residual(v, v), points), wanted, rtol=1e-9)


@pytest.mark.parametrize("name", SPECTRAL_PROBLEMS)
def test_draws_and_residual_in_torch(name: str) -> None:
    problem = SPECTRAL_PROBLEMS[name]()
    assert SPECTRAL_PROBLEMS[name](**problem.settings()).settings() == problem.settings()
    drawn = problem.draw(np.random.default_rng(0), 2)
    assert np.array_equal(drawn, problem.draw(np.random.default_rng(0), 2))
    assert np.array_equal(problem.test_functions(3)[:2], problem.test_functions(2))
    assert not np.allclose(problem.test_functions(1), problem.test_functions(1, seed=1))
    inputs = problem.as_inputs(drawn)
    assert inputs.shape == (2, *problem.basis.shape)
    guess = np.random.default_rng(1).standard_normal(inputs.shape)
    wanted = problem.residual(inputs, guess)
    assert wanted.shape[1:] == problem.residual_basis.shape
    found = problem.residual(torch.as_tensor(inputs), torch.as_tensor(guess))
    assert np.allclose(found.numpy(), wanted, atol=1e-12 * np.abs(wanted).max())


def test_wrong_use_is_named() -> None:
    with pytest.raises(InputError, match="unknown boundary"):
        SpectralPoisson("neumann")
    with pytest.raises(InputError, match="names 3 axes"):
        SpectralReactionDiffusion(modes=(1, 2, 3))
    problem = SpectralReactionDiffusion(rho=200.0, slabs=1, slab_points=4)
    with pytest.raises(InputError, match="raise slabs"):
        problem.reference(problem.test_functions(1), np.array([0.5]), np.array([0.5]))
