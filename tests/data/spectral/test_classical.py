"""Test classical solvers of spectral problems by resolution, and the error estimate of reaction and diffusion."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from resolvent.data import SPECTRAL_PROBLEMS, SpectralPoisson, SpectralReactionDiffusion, make_spectral_problem
from resolvent.data.spectral.classical import FisherSteps
from resolvent.solvers import InputError


def relative(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    axes = tuple(range(1, values.ndim))
    return np.asarray(np.sqrt(((values - wanted) ** 2).sum(axis=axes) / (wanted**2).sum(axis=axes)))


@pytest.mark.parametrize("name", SPECTRAL_PROBLEMS)
def test_the_finest_is_the_reference(name: str) -> None:
    problem = make_spectral_problem(name)
    drawn = problem.test_functions(2)
    shape = (12, *(9,) * (problem.basis.ndim - 1))
    wanted = problem.reference(drawn, *problem.basis.cell_centres(shape))
    errors = [relative(solver.solve(drawn, shape), wanted).mean() for solver in problem.classical()]
    assert errors[-1] < 1e-6
    assert errors[0] > 1e-3 or len(errors) == 1
    assert all(fine < 1.3 * coarse + 1e-12 for coarse, fine in pairwise(errors))
    assert len({solver.name for solver in problem.classical()}) == len(errors)


def test_poisson_on_walls() -> None:
    problem = SpectralPoisson("dirichlet")
    drawn = problem.test_functions(2)
    wanted = problem.reference(drawn, *problem.basis.cell_centres((10, 7)))
    errors = [relative(solver.solve(drawn, (10, 7)), wanted).mean() for solver in problem.classical()]
    assert errors[-1] < 1e-12
    assert all(fine < coarse for coarse, fine in pairwise(errors))


@pytest.mark.parametrize("nu", [0.01, 0.1])
def test_steps_are_of_order_four_with_what_lies_between_them(nu: float) -> None:
    problem = SpectralReactionDiffusion(nu=nu)
    drawn = problem.test_functions(2)
    wanted = problem.reference(drawn, *problem.basis.cell_centres((50, 11)))
    errors = [
        relative(FisherSteps(problem.initial.basis, nu, 5.0, 96, steps)(drawn, (50, 11)), wanted).mean()
        for steps in (64, 128)
    ]
    # Stiff modes decay within the first step, where the quadratic through N is of third order in them.
    assert np.log2(errors[0] / errors[1]) > (3.5 if nu < 0.05 else 2.4)
    assert errors[1] < 5e-6


@pytest.mark.parametrize("nu", [0.005, 0.05])
@pytest.mark.parametrize("size", [1e-2, 1e-4])
def test_the_estimate_is_the_error(nu: float, size: float) -> None:
    problem = SpectralReactionDiffusion(nu=nu, modes=(24, 65))
    basis = problem.basis
    drawn = problem.test_functions(12)
    exact = basis.to_coefficients(problem.reference(drawn, *basis.points((40, 99))))
    rng = np.random.default_rng(0)
    change = np.zeros_like(exact)
    change[:, :10, :33] = size * rng.standard_normal((12, 10, 33)) / (1.0 + np.arange(33) % 17) ** 1.5
    change[:, 0] -= (change * (-1.0) ** np.arange(24)[:, None]).sum(axis=1)  # the initial value stays
    guess = exact + change
    error = np.sqrt(basis.inner(change, change) / basis.inner(guess, guess))
    ratio = problem.error_estimate(problem.as_inputs(drawn), guess) / error
    assert 1 / 1.1 < np.median(ratio) < 1.1
    assert ratio.min() > 1 / 1.5
    assert ratio.max() < 1.5


def test_the_estimate_of_nonsense_is_large_and_finite() -> None:
    problem = SpectralReactionDiffusion()
    drawn = problem.test_functions(2)
    guess = 1e3 * np.random.default_rng(0).standard_normal((2, *problem.basis.shape))
    estimate = problem.error_estimate(problem.as_inputs(drawn), guess)
    assert np.all(estimate > 0.5)
    assert np.all(np.isfinite(estimate))


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="did you mean 'spectral_poisson'"):
        make_spectral_problem("spectral_poison")
    with pytest.raises(InputError, match="did you mean 'boundary'"):
        make_spectral_problem("spectral_poisson", boundry="periodic")
