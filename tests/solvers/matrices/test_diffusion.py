"""The diffusion stencil: the matrix, its properties, its order."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import BoxStencil, Diffusion, Direct, InputError, cg


def assembled(a):
    """The matrix, entry by entry, from the definition."""
    ny, nx = a.shape
    A = np.zeros((ny * nx, ny * nx))
    for j in range(ny):
        for i in range(nx):
            row = j * nx + i
            for dj, di, scale in ((0, 1, nx**2), (0, -1, nx**2), (1, 0, ny**2), (-1, 0, ny**2)):
                q, p = j + dj, i + di
                if 0 <= q < ny and 0 <= p < nx:
                    t = 2 * a[j, i] * a[q, p] / (a[j, i] + a[q, p]) * scale
                    A[row, q * nx + p] -= t
                else:
                    t = 2 * a[j, i] * scale
                A[row, row] += t
    return A


@given(seed=st.integers(0, 10**6), ny=st.integers(1, 7), nx=st.integers(1, 7), spread=st.floats(0.0, 5.0))
@settings(max_examples=50, deadline=None)
def test_three_forms_of_one_symmetric_positive_definite_matrix(seed, ny, nx, spread):
    rng = np.random.default_rng(seed)
    a = np.exp(spread * rng.standard_normal((ny, nx)))
    stencil = Diffusion(a)
    expected = assembled(a)
    size = np.abs(expected).max()
    matrix = stencil.tocsr()
    assert isinstance(matrix, sp.csr_array)
    assert matrix.has_sorted_indices
    assert matrix.nnz == 5 * ny * nx - 2 * ny - 2 * nx
    np.testing.assert_allclose(matrix.toarray(), expected, atol=1e-14 * size)
    np.testing.assert_array_equal(matrix.toarray(), matrix.toarray().T)
    np.testing.assert_allclose(stencil @ np.eye(ny * nx), expected, atol=1e-14 * size)
    np.testing.assert_allclose(stencil.diagonal(), np.diag(expected), rtol=1e-13)
    assert np.linalg.eigvalsh(expected).min() > 0.0
    u = rng.standard_normal(ny * nx)
    np.testing.assert_allclose(stencil.T @ u, stencil @ u)
    np.testing.assert_allclose(stencil @ (1j * u), 1j * (stencil @ u))
    assert stencil.shape_grid == (ny, nx)
    assert stencil.shape == (ny * nx, ny * nx)


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_is_homogeneous_in_the_coefficient(factor):
    a = np.exp(np.random.default_rng(0).standard_normal((6, 5)))
    np.testing.assert_allclose(Diffusion(factor * a) @ np.ones(30), factor * (Diffusion(a) @ np.ones(30)))


def manufactured(n, ny=None):
    """−∇·(a∇u) = f for a = 1 + x/2 + sin(πy)/3, u = sin(πx) sin(2πy) e^{x}, at the cell centres."""
    ny = n if ny is None else ny
    x, y = (np.arange(n) + 0.5) / n, (np.arange(ny) + 0.5) / ny
    X, Y = np.meshgrid(x, y)
    pi = np.pi
    a = 1 + X / 2 + np.sin(pi * Y) / 3
    s, c, e = np.sin(pi * X), np.cos(pi * X), np.exp(X)
    g, dg, ddg = np.sin(2 * pi * Y), 2 * pi * np.cos(2 * pi * Y), -4 * pi**2 * np.sin(2 * pi * Y)
    u = s * e * g
    ux, uy = (pi * c + s) * e * g, s * e * dg
    uxx, uyy = ((1 - pi**2) * s + 2 * pi * c) * e * g, s * e * ddg
    f = -(a * (uxx + uyy) + 0.5 * ux + pi * np.cos(pi * Y) / 3 * uy)
    return a, u, f


@pytest.mark.parametrize("stretch", [1, 2])
def test_is_second_order(stretch):
    errors = []
    for n in (16, 32, 64):
        a, u, f = manufactured(n, stretch * n)
        computed = Direct.setup(Diffusion(a)) @ f.ravel()
        difference = computed.reshape(u.shape) - u
        errors.append((np.sqrt(np.mean(difference**2)), np.abs(difference).max()))
    rates = np.log2(np.array(errors)[:-1] / np.array(errors)[1:])
    np.testing.assert_allclose(rates, 2.0, atol=0.1)


def test_harmonic_faces_keep_second_order_across_a_jump():
    """−(a u′)′ = 1, a jumping by 100 on a face: the layered 1-D problem, whose solution is known.

    A single column of cells is that problem plus the coupling 4a of its side walls, which is taken off here.
    """
    for n in (32, 64):
        y = (np.arange(n) + 0.5) / n
        a = np.where(y < 0.5, 1.0, 100.0)
        matrix = Diffusion(a[:, None]).tocsr().toarray() - np.diag(4.0 * a)
        flux = (1 / 8 + (1 / 2 - 1 / 8) / 100) / (1 / 2 + 1 / 200)  # a u′ at y = 0, from u(1) = 0
        below = flux * y - y**2 / 2
        above = flux / 2 - 1 / 8 + (flux * (y - 0.5) - (y**2 - 0.25) / 2) / 100
        exact = np.where(y < 0.5, below, above)
        assert np.abs(np.linalg.solve(matrix, np.ones(n)) - exact).max() <= 0.5 / n**2


def test_the_maximum_principle_holds():
    a = np.exp(2 * np.random.default_rng(0).standard_normal((20, 20)))
    f = np.random.default_rng(1).random(400)
    assert cg(Diffusion(a), f, rtol=1e-12).x.min() > 0.0


def test_poisson_series_at_the_centre():
    """−Δu = 1 on the unit square: u(½, ½) = 0.07367135… (Timoshenko)."""
    errors = []
    for n in (32, 64):
        u = cg(Diffusion(np.ones((n, n))), np.ones(n * n), rtol=1e-12).x.reshape(n, n)
        centre = u[n // 2 - 1 : n // 2 + 1, n // 2 - 1 : n // 2 + 1].mean()
        errors.append(abs(centre - 0.0736713532814))
    assert errors[1] < 1e-4
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize(
    ("coefficient", "word"),
    [
        (np.zeros((3, 3)), "9 values"),
        (-np.ones((3, 3)), "positive"),
        (np.full((3, 3), np.nan), "9 values"),
        (np.array([[1.0, np.inf]]), "1 values"),
        (np.float64(1.0), "shape"),
        (np.ones((2, 2, 2, 2)), "shape"),
        (np.ones((0, 3)), "shape"),
        (np.ones((2, 2)) * 1j, "complex"),
        ([["a"]], "real numbers"),
        (None, "coefficient"),
    ],
)
def test_mistakes(coefficient, word):
    with pytest.raises(InputError, match=word):
        Diffusion(coefficient)


def test_shows_itself_in_one_line():
    a = np.full((4, 6), 3.0)
    a[0, 0] = 12.0
    assert repr(Diffusion(a)) == "Diffusion(4x6 cells on 1x1, dirichlet, 3 ≤ a ≤ 12, matrix-free)"
    other = Diffusion(a, 2.0, ("periodic", ("neumann", "dirichlet")))
    assert repr(other) == "Diffusion(4x6 cells on 2x2, periodic x neumann|dirichlet, 3 ≤ a ≤ 12, CSR)"
    assert repr(BoxStencil(a, [0.0, 0.0], [0.0, 0.0], (True, True))) == "BoxStencil(4x6 cells, float64)"
