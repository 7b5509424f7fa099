"""Compare the published recycling matrices with a transcription of their slices, and show their defects."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.data import make_problem
from resolvent.data.published.skr import skr_matrix


def _published(coefficient: np.ndarray, k: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Five diagonals cut from the coefficient as published: offsets ±1, ±s, the one at −s from place s − 2 on."""
    c = coefficient.copy()
    s = c.shape[0] - 2
    h = 1.0 / (s - 1)
    inner = c[1:-1, 1:-1].ravel().copy()
    right, left = c[1:-1, 2:].copy(), c[1:-1, :-2].copy()
    right[:, -1] = 0.0
    left[:, 0] = 0.0
    north = c[:-2, 1:-1].ravel()[s - 2 :]
    south = c[2:, 1:-1].ravel()
    size = s * s
    bands = [-left.ravel()[1:], -north[: size - s], 4 * inner - h**2 * k**2, -south[: size - s], -right.ravel()[:-1]]
    return sp.diags_array(bands, offsets=[-1, -s, 0, s, 1]).toarray(), np.full(size, h**2)


@pytest.mark.parametrize("k", [0.0, 0.7])
def test_equals_the_published_slices(k: float) -> None:
    coefficient = np.exp(np.random.default_rng(0).normal(size=(9, 9)))
    matrix, rhs = skr_matrix(coefficient, k**2)
    published = _published(coefficient, k)
    np.testing.assert_array_equal(matrix.toarray(), published[0])
    np.testing.assert_array_equal(rhs, published[1])


def test_without_the_shifted_band_it_is_the_laplacian_times_the_coefficient() -> None:
    coefficient = np.exp(np.random.default_rng(0).normal(size=(10, 10)))
    matrix = skr_matrix(coefficient)[0].toarray()
    s, inner = 8, coefficient[1:-1, 1:-1].ravel()
    second = 2 * np.eye(s) - np.eye(s, k=1) - np.eye(s, k=-1)
    intended = (np.kron(second, np.eye(s)) + np.kron(np.eye(s), second)) * inner
    rows, columns = np.nonzero(matrix != intended)
    assert set(rows - columns) == {s}  # one band of five differs
    assert len(rows) == s * s - s
    np.testing.assert_array_equal(skr_matrix(coefficient, aligned=True)[0].toarray(), intended)


def test_one_solve_gives_every_aligned_sample() -> None:
    problem = make_problem("darcy", legacy="skr_aligned", resolution=16)
    products = []
    for i in range(3):
        parameters = problem.sample(np.random.default_rng(i))
        products.append(problem.solve(parameters).x * parameters["coefficient"][1:-1, 1:-1].ravel())
    np.testing.assert_allclose(products[1:], [products[0]] * 2, rtol=1e-9)


def test_published_matrices_are_indefinite_and_the_aligned_ones_are_not() -> None:
    """Neither −Δ(cu) nor −Δ(cu) − k²u with k < 1 has a negative eigenvalue; the shifted band brings them in."""
    for name in ("darcy", "helmholtz"):
        for legacy in ("skr", "skr_aligned"):
            problem = make_problem(name, legacy=legacy, resolution=26, modes=13)
            least = []
            for i in range(3):
                parameters = problem.sample(np.random.default_rng(i))
                if name == "helmholtz":
                    assert 0.0 <= parameters["wavenumber"][0, 0] < 1.0
                matrix = problem.system(parameters).operator.toarray()
                least.append(float(np.linalg.eigvals(matrix).real.min()))
            assert (max(least) < 0.0) == (legacy == "skr")
            assert (min(least) > 0.0) == (legacy == "skr_aligned")


def test_published_coefficient_hardly_varies() -> None:
    problem = make_problem("darcy", legacy="skr", resolution=100, modes=50)
    assert problem.system(problem.sample(np.random.default_rng(0))).rhs.size == 98**2 == 9604
    samples = [problem.sample(np.random.default_rng(i))["coefficient"] for i in range(60)]
    assert np.std(np.log(samples)) == pytest.approx(0.185, abs=0.01)
    assert 2.0 < np.median([c.max() / c.min() for c in samples]) < 3.2


def test_poisson_has_one_matrix_and_a_space_of_twenty_right_hand_sides() -> None:
    problem = make_problem("poisson", legacy="skr", resolution=24)
    systems = [problem.system(problem.sample(np.random.default_rng(i))) for i in range(30)]
    sides = np.stack([system.rhs for system in systems])
    assert np.linalg.matrix_rank(sides, tol=1e-9 * np.linalg.norm(sides, 2)) == 20
    first, last = (s.operator.tocsr() for s in (systems[0], systems[-1]))
    assert abs(first - last).max() == 0.0
    # T_k at x in (0, 1): on the right side every T_k is 1, so its data are the sum of the coefficients.
    parameters = problem.sample(np.random.default_rng(3))
    for name in ("wall_x_low", "wall_x_high"):
        assert np.ptp(parameters[name]) == 0.0
    assert np.ptp(parameters["wall_y_low"], axis=0).min() > 0.0


@pytest.mark.parametrize("name", ["darcy", "helmholtz"])
def test_certificate_sees_the_boundary(name: str) -> None:
    problem = make_problem(name, legacy="skr", resolution=12)
    parameters = problem.sample(np.random.default_rng(0))
    fields = {n: f.values for n, f in problem.fields(parameters, problem.solve(parameters).x).items()}
    assert problem.residual(fields) < 1e-10
    fields["solution"] = fields["solution"].copy()
    fields["solution"][0, 3] = 1e-300
    assert problem.residual(fields) == np.inf
