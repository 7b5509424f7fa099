"""Fourier, Chebyshev and Legendre bases: exact to rounding on the functions they hold."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import torch
from numpy.polynomial import Polynomial

from resolvent.solvers import BASES, Basis, Chebyshev, Fourier, InputError, Legendre, TensorBasis
from resolvent.solvers.spectral import tensor_basis as module

KINDS = list(BASES)
SIZES = (1, 2, 3, 4, 7, 8, 16, 17)
INTERVAL = (-0.5, 1.75)

every = pytest.mark.parametrize(("name", "n"), [(name, n) for name in KINDS for n in SIZES])


def basis_of(name: str, n: int) -> Basis:
    return BASES[name](n, *INTERVAL)


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def reference(basis: Basis, coefficients: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The function of the coefficients, written down from the definition, without the class's matrices."""
    low, high = basis.low, basis.high

    def value(x: np.ndarray) -> np.ndarray:
        total = np.zeros_like(x)
        if isinstance(basis, Fourier):
            omega, cosines = 2.0 * np.pi / (high - low), basis.n // 2
            for k, c in enumerate(coefficients):
                wave = np.cos(k * omega * (x - low)) if k <= cosines else np.sin((k - cosines) * omega * (x - low))
                total = total + c * wave
            return total
        kind = np.polynomial.Chebyshev if isinstance(basis, Chebyshev) else np.polynomial.Legendre
        return kind(coefficients, domain=[low, high])(x)

    return value


@every
def test_values_and_coefficients_are_inverse(name: str, n: int) -> None:
    basis, coefficients = basis_of(name, n), random(3, n)
    space = TensorBasis(basis)
    assert np.allclose(space.to_coefficients(space.to_values(coefficients)), coefficients, atol=1e-13)
    for m in (n + 1, 2 * n, 2 * n + 3):  # more points than functions
        values = space.to_values(coefficients, (m,))
        assert np.allclose(values[0], reference(basis, coefficients[0])(basis.points(m)), atol=1e-12)
        assert np.allclose(space.to_coefficients(values), coefficients, atol=1e-13)


@every
def test_evaluation_is_the_series(name: str, n: int) -> None:
    basis, coefficients, x = basis_of(name, n), random(n), np.linspace(*INTERVAL, 23)
    values = TensorBasis(basis).evaluate(coefficients, x)
    assert np.allclose(values, reference(basis, coefficients)(x), atol=1e-12)


@every
def test_derivative_is_exact_where_the_basis_holds_it(name: str, n: int) -> None:
    basis, coefficients, x = basis_of(name, n), random(n), np.linspace(*INTERVAL, 41)
    rows, step = basis.derivative_size(), 1e-4
    f = reference(basis, coefficients)
    inside = x[1:-1]
    by_matrix = basis.resized(rows).evaluation_matrix(inside) @ basis.derivative_matrix(1, rows) @ coefficients
    by_evaluation = basis.evaluation_matrix(inside, 1) @ coefficients
    differences = (
        (8 * (f(inside + step) - f(inside - step)) - (f(inside + 2 * step) - f(inside - 2 * step))) / 12 / step
    )
    scale = max(1.0, float(np.abs(differences).max()))
    assert np.allclose(by_matrix, by_evaluation, atol=1e-11 * scale)
    assert np.allclose(by_matrix, differences, atol=1e-7 * scale)
    second = basis.evaluation_matrix(inside, 2) @ coefficients
    assert np.allclose(
        basis.evaluation_matrix(inside) @ basis.derivative_matrix(2) @ coefficients,
        second,
        atol=1e-11 * max(1.0, float(np.abs(second).max())),
    )


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_nyquist_cosine(n: int) -> None:
    """cos(πnx) is in the basis; its derivative −πn sin(πnx) is not, but in that of n + 1; its second is in both."""
    basis = Fourier(n)
    space = TensorBasis(basis)
    nyquist = np.zeros(n)
    nyquist[n // 2] = 1.0
    assert np.allclose(space.to_values(nyquist), (-1.0) ** np.arange(n), atol=1e-13)
    assert np.allclose(space.to_coefficients((-1.0) ** np.arange(n)), nyquist, atol=1e-13)
    assert np.array_equal(space.derivative(nyquist, 0), np.zeros(n))
    assert np.allclose(space.derivative(nyquist, 0, 2), -((np.pi * n) ** 2) * nyquist, rtol=1e-14)
    wider = space.resized((n + 1,))
    derivative = wider.derivative(space.resize(nyquist, (n + 1,)), 0)
    x = np.linspace(0.0, 1.0, 50)
    assert np.allclose(wider.evaluate(derivative, x), -np.pi * n * np.sin(np.pi * n * x), atol=1e-10)
    assert np.allclose(wider.integral(derivative, 0)[n // 2], 1.0)
    assert np.array_equal(space.integral(nyquist, 0), np.zeros(n))
    assert basis.gram_matrix()[-1 if n == 2 else n // 2, n // 2] == 0.5  # ∫cos² and not the 1 of the points


@every
def test_integral_undoes_the_derivative(name: str, n: int) -> None:
    basis, coefficients = basis_of(name, n), random(n)
    if isinstance(basis, Fourier):
        coefficients[0] = 0.0
        rows = basis.derivative_size()
        whole = basis.resized(rows)
        there = basis.places(rows)[1]
        derivative = basis.derivative_matrix(1, rows) @ coefficients
        assert np.allclose((whole.integral_matrix() @ derivative)[there], coefficients, atol=1e-14)
        return
    primitive = basis.integral_matrix() @ coefficients
    larger = basis.resized(n + 1)
    assert np.allclose((larger.derivative_matrix() @ primitive)[:n], coefficients, atol=1e-12)
    assert np.abs(larger.evaluation_matrix(np.array([basis.low])) @ primitive).max() < 1e-13


@every
def test_gram_and_quadrature(name: str, n: int) -> None:
    """Against Gauss–Legendre or trapezoidal sums fine enough to be exact."""
    basis = basis_of(name, n)
    if basis.periodic:
        x, w = Fourier(4 * n, *INTERVAL).points(), np.full(4 * n, basis.length / (4 * n))
    else:
        nodes, weights = np.polynomial.legendre.leggauss(2 * n + 2)
        x, w = 0.5 * (basis.low + basis.high) + 0.5 * basis.length * nodes, 0.5 * basis.length * weights
    phi = basis.evaluation_matrix(x)
    assert np.allclose(basis.gram_matrix(), phi.T @ (w[:, None] * phi), atol=1e-13)
    assert np.allclose(basis.integrals(), w @ phi, atol=1e-13)
    slopes = basis.evaluation_matrix(x, 1)
    stiffness = slopes.T @ (w[:, None] * slopes)
    assert np.allclose(basis.stiffness_matrix(), stiffness, atol=1e-12 * max(1.0, float(np.abs(stiffness).max())))
    assert np.all(np.linalg.eigvalsh(basis.gram_matrix()) > 0.0)
    for m in (n, n + 1):
        weights = basis.quadrature_weights(m)
        assert np.allclose(weights @ basis.evaluation_matrix(basis.points(m)), basis.integrals(), atol=1e-13)
        assert np.all(weights > 0.0)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_weighted_squares_of_chebyshev(n: int) -> None:
    squares = Chebyshev(n, *INTERVAL).weighted_squares()
    for k in range(n):
        half = 0.5 * (INTERVAL[1] - INTERVAL[0])
        assert squares[k] == pytest.approx(
            half * scipy.integrate.quad(lambda t, k=k: math.cos(k * t) ** 2, 0, math.pi)[0]
        )


@every
def test_products_are_exact(name: str, n: int) -> None:
    basis = basis_of(name, n)
    space = TensorBasis(basis)
    u, v, w = random(3, n)
    x = np.linspace(*INTERVAL, 37)
    f, g, h = (reference(basis, c)(x) for c in (u, v, w))
    assert np.allclose(space.product_basis(2).evaluate(space.multiply(u, v, full=True), x), f * g, atol=1e-11)
    full = space.multiply(u, v, w, full=True)
    assert np.allclose(space.product_basis(3).evaluate(full, x), f * g * h, atol=1e-10)
    # De-aliased: the truncation of the whole product, that is its projection.
    whole = space.product_basis(3)
    assert np.allclose(space.multiply(u, v, w), whole.resize(full, (n,)), atol=1e-12)
    if n > 4:
        aliased = space.multiply(u, v, w, dealias=False)
        assert np.abs(aliased - whole.resize(full, (n,))).max() > 1e-3


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("n", [8, 9])
def test_dealiasing_takes_no_more_points_than_needed(name: str, n: int) -> None:
    basis = basis_of(name, n)
    space, m = TensorBasis(basis), basis.dealiased_points(2)
    assert m <= 1.5 * n + 2
    u = np.zeros(n)
    u[n // 2 if basis.periodic else n - 1] = 1.0  # the highest function: its square's highest alias
    shape = (m - 1,)
    short = space.to_coefficients(space.to_values(u, shape) ** 2)
    shorter = space.to_coefficients(space.to_values(u + 1.0, shape) * space.to_values(u, shape))
    exact = space.multiply(u, u), space.multiply(u + 1.0, u)
    assert max(np.abs(short - exact[0]).max(), np.abs(shorter - exact[1]).max()) > 1e-3


@pytest.mark.parametrize("name", KINDS)
def test_resize_is_the_same_function(name: str) -> None:
    x = np.linspace(*INTERVAL, 19)
    for n in (1, 4, 5, 8):
        space, coefficients = TensorBasis(basis_of(name, n)), random(2, n)
        for more in (n, n + 1, n + 2, 2 * n):
            longer = space.resize(coefficients, (more,))
            assert np.allclose(space.resized((more,)).evaluate(longer, x), space.evaluate(coefficients, x), atol=1e-12)
            assert np.array_equal(space.resized((more,)).resize(longer, (n,)), coefficients)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("n", "m"), [(7, 4), (8, 5), (300, 298), (300, 263)])
def test_fewer_points_than_functions_determine_the_first_ones(name: str, n: int, m: int) -> None:
    space, values = TensorBasis(basis_of(name, n)), random(2, m)
    few = space.resized((m,))
    wanted = few.resize(few.to_coefficients(values), (n,))
    assert np.allclose(space.to_coefficients(values), wanted, atol=1e-13 * m)


@pytest.mark.parametrize("m", [300, 301])
@pytest.mark.parametrize("n", [12, 300, 299])
@pytest.mark.parametrize("name", ["fourier", "chebyshev"])
def test_fft_is_the_matrix(name: str, n: int, m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    space = TensorBasis(basis_of(name, n), Legendre(3))
    coefficients, values = random(2, n, 3), random(2, m, 3)
    fast = space.to_values(coefficients, (m, 3)), space.to_coefficients(values)
    monkeypatch.setattr(module, "DENSE_POINTS", 10**6)
    dense = space.to_values(coefficients, (m, 3)), space.to_coefficients(values)
    for a, b in zip(fast, dense, strict=True):
        assert np.allclose(a, b, atol=1e-12 * n)


def test_cell_values() -> None:
    """Exact for trigonometric polynomials below the Nyquist limit; sixth order for polynomials' bases."""
    for n, m in ((7, 8), (8, 9), (7, 30)):
        space, u = TensorBasis(Fourier(n)), random(n)
        assert np.allclose(space.from_cells(space.to_cells(u, (m,))), u, atol=1e-13)
    nyquist = TensorBasis(Fourier(8)).from_cells((-1.0) ** np.arange(8.0))  # a sine that the basis has not
    assert np.allclose(nyquist, 0.0)
    for kind in (Chebyshev, Legendre):
        space, errors = TensorBasis(kind(12)), []
        for m in (20, 40, 80):
            exact = space.to_coefficients(np.exp(np.sin(5 * space.axes[0].points(40))))
            errors.append(np.abs(space.from_cells(np.exp(np.sin(5 * space.axes[0].cell_centres(m)))) - exact).max())
        assert errors[0] / errors[1] > 2**5
        assert errors[1] / errors[2] > 2**5


MIXED = TensorBasis(Chebyshev(6, 0.0, 2.0), Fourier(8), Legendre(5, -1.0, 1.0))


def test_tensor_product_against_a_polynomial() -> None:
    t, x, y = np.meshgrid(*MIXED.points(), indexing="ij")
    p, q = Polynomial([1.0, -2.0, 0.5, 3.0, 0.0, 1.0]), Polynomial([0.3, 1.0, -1.0, 0.0, 2.0])
    wave = 1.0 + np.cos(6 * np.pi * x) - 2.0 * np.sin(2 * np.pi * x)
    u = MIXED.to_coefficients(np.stack([p(t) * wave * q(y), t * 0 + 1.0]))
    points = np.linspace(0, 2, 4), np.linspace(0, 1, 5), np.linspace(-1, 1, 6)
    T, X, Y = np.meshgrid(*points, indexing="ij")

    def exact(a: int, b: int, c: int) -> np.ndarray:
        k, s = (6 * np.pi) ** b, (2 * np.pi) ** b
        waves = k * np.cos(6 * np.pi * X + b * np.pi / 2) - 2 * s * np.sin(2 * np.pi * X + b * np.pi / 2)
        return (
            p.deriv(a)(T) * (waves + (1.0 if b == 0 else 0.0)) * q.deriv(c)(Y)
            if a or c
            else p(T) * (waves + (1.0 if b == 0 else 0.0)) * q(Y)
        )

    for orders in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 2), (2, 1, 1)):
        assert np.allclose(MIXED.evaluate(u, *points, derivatives=orders)[0], exact(*orders), atol=1e-9)
    by_axes = MIXED.derivative(MIXED.derivative(MIXED.derivative(u, 0, 2), 1), 2)
    assert np.allclose(MIXED.evaluate(by_axes, *points)[0], exact(2, 1, 1), atol=1e-9)
    laplacian = MIXED.evaluate(MIXED.laplacian(u), *points)[0]
    assert np.allclose(laplacian, exact(2, 0, 0) + exact(0, 2, 0) + exact(0, 0, 2), atol=1e-8)
    scattered = np.stack([T.ravel(), X.ravel(), Y.ravel()], axis=1)
    assert np.allclose(MIXED.evaluate_at(u, scattered)[0], exact(0, 0, 0).ravel(), atol=1e-12)
    mean = (p.integ()(2.0) - p.integ()(0.0)) * (q.integ()(1.0) - q.integ()(-1.0))
    assert np.allclose(MIXED.integrate(u), [mean, MIXED.volume])
    assert MIXED.volume == pytest.approx(4.0)
    weights = MIXED.quadrature_weights((20, 20, 20))
    values = MIXED.to_values(u, (20, 20, 20))
    squares = np.einsum("btxy,t,x,y->b", values**2, *weights)
    assert np.allclose(MIXED.inner(u, u), squares, rtol=1e-12)
    product = MIXED.multiply(u[:1], u[:1], full=True)
    assert np.allclose(MIXED.product_basis().integrate(product), squares[:1], rtol=1e-12)


def test_integral_of_an_axis() -> None:
    u = random(*MIXED.shape)
    longer = MIXED.resize(u, (7, 8, 5))
    whole = MIXED.resized((7, 8, 5))
    primitive = whole.integral(longer, 0)
    assert np.allclose(whole.derivative(primitive, 0), longer, atol=1e-12)
    x, y = np.linspace(0, 1, 3), np.linspace(-1, 1, 3)
    assert np.allclose(whole.evaluate(primitive, np.array([0.0]), x, y), 0.0, atol=1e-12)


def everything(space: TensorBasis, u: Any, v: Any) -> list[Any]:
    values = space.to_values(u, tuple(n + 3 for n in space.shape))
    return [
        values,
        space.to_coefficients(values),
        space.to_cells(u, (9, 9, 9)),
        space.from_cells(space.to_cells(u, (12, 12, 12))),
        space.laplacian(u),
        space.integral(u, 1),
        space.multiply(u, v),
        space.multiply(u, v, full=True),
        space.resize(u, (4, 9, 7)),
        space.integrate(u),
        space.inner(u, v),
        space.evaluate_at(u, np.array([[0.1, 0.2, 0.3], [1.0, 0.5, -1.0]])),
        space.pointwise(lambda a, b: a * a * b, u, v, factors=3),
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_torch_is_numpy(dtype: torch.dtype) -> None:
    u, v = random(2, 2, *MIXED.shape)
    wanted = everything(MIXED, u, v)
    with torch.inference_mode():  # matrices remembered from here must serve training below
        everything(MIXED, torch.as_tensor(u, dtype=dtype), torch.as_tensor(v, dtype=dtype))
    tensor = torch.as_tensor(u, dtype=dtype).requires_grad_()
    found = everything(MIXED, tensor, torch.as_tensor(v, dtype=dtype))
    tolerance = 1e-13 if dtype == torch.float64 else 1e-5
    for a, b in zip(wanted, found, strict=True):
        assert b.dtype == dtype
        assert np.allclose(a, b.detach().numpy(), atol=tolerance * max(1.0, np.abs(a).max()))
    sum(b.square().sum() for b in found).backward()
    assert tensor.grad is not None
    assert bool(torch.isfinite(tensor.grad).all())


def test_float32_stays_float32_in_numpy() -> None:
    u, v = random(2, *MIXED.shape).astype(np.float32)
    assert all(a.dtype == np.float32 for a in everything(MIXED, u, v))


def test_gradients_of_torch() -> None:
    space = TensorBasis(Chebyshev(3), Fourier(4), Legendre(2))
    u = torch.as_tensor(random(1, *space.shape)).requires_grad_()
    v = torch.as_tensor(random(1, *space.shape, seed=1))

    def outputs(u: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(everything(space, u, v))

    assert torch.autograd.gradcheck(outputs, (u,))


@pytest.mark.parametrize("kind", [Fourier, Chebyshev])
def test_gradients_of_the_fft(kind: type[Basis], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DENSE_POINTS", 2)
    for n in (4, 5):
        space = TensorBasis(kind(n))
        u = torch.as_tensor(random(2, n)).requires_grad_()
        assert torch.autograd.gradcheck(lambda u, s=space: s.to_coefficients(s.to_values(u, (6,)).square()), (u,))


def test_bases_are_values() -> None:
    twin = pickle.loads(pickle.dumps(MIXED))
    assert twin == MIXED
    assert hash(twin) == hash(MIXED)
    assert twin != MIXED.resized((6, 8, 6))


def test_wrong_use_is_named() -> None:
    with pytest.raises(InputError, match="n=0 functions"):
        Fourier(0)
    with pytest.raises(InputError, match="expected low < high"):
        Chebyshev(4, 1.0, 1.0)
    with pytest.raises(InputError, match="no axes"):
        TensorBasis()
    with pytest.raises(InputError, match="expected Fourier, Chebyshev or Legendre"):
        TensorBasis(4)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"coefficients of shape \(3, 6\)"):
        MIXED.to_values(np.zeros((3, 6)))
    with pytest.raises(InputError, match="axis=3 of a basis with 3 axes"):
        MIXED.derivative(np.zeros(MIXED.shape), 3)
    with pytest.raises(InputError, match="expected one number for each"):
        MIXED.to_values(np.zeros(MIXED.shape), (4,))
    with pytest.raises(InputError, match=r"expected \(p, 3\)"):
        MIXED.evaluate_at(np.zeros(MIXED.shape), np.zeros((4, 2)))


@pytest.mark.parametrize("kind", [Fourier, Chebyshev])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8])
def test_sums_are_the_derivative_matrix(kind: type[Basis], n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    basis = TensorBasis(kind(n, -1.0, 2.0), Legendre(3))
    coefficients = np.random.default_rng(n).standard_normal((2, n, 3))
    matrices = [basis.derivative(coefficients, 0, order) for order in range(5)]
    monkeypatch.setattr(module, "DENSE_POINTS", 0)
    for order, expected in enumerate(matrices):
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(basis.derivative(coefficients, 0, order), expected, rtol=0.0, atol=1e-13 * scale)
        leaf = torch.tensor(coefficients, requires_grad=True)
        found = basis.derivative(leaf, 0, order)
        np.testing.assert_allclose(found.detach(), expected, rtol=0.0, atol=1e-13 * scale)
        transposed = basis.axes[0].derivative_matrix(order).T @ np.ones((n, 3))
        (gradient,) = torch.autograd.grad(found.sum(), leaf)
        np.testing.assert_allclose(gradient[1], transposed, rtol=0.0, atol=1e-13 * max(1.0, np.abs(transposed).max()))


def test_chebyshev_values_at_the_points_are_exact_cosines() -> None:
    # Through the rounded points instead, T_k would be off by k² roundings near the ends: 1e-11 here.
    n = 256
    j, k = np.indices((n, n))
    exact = np.cos(np.pi * ((k * (2 * j + 1)) % (4 * n)) / (2 * n)) * (-1.0) ** k
    np.testing.assert_allclose(Chebyshev(n).synthesis_matrix(n), exact, rtol=0.0, atol=1e-14)


@pytest.mark.parametrize("dtype", ["int64", "bool", "float16", "complex128"])
def test_arrays_that_are_not_real_floats_are_refused(dtype: str) -> None:
    # A matrix cast to the integers of its array is all zeros, and so was what it made of them.
    basis = TensorBasis(Fourier(4), Chebyshev(3))
    for array in (np.ones((4, 3), dtype), torch.ones(4, 3).to(getattr(torch, dtype))):
        for method in (basis.to_coefficients, basis.to_values, basis.from_cells, basis.laplacian, basis.mass):
            with pytest.raises(InputError, match="float32 or float64"):
                method(array)


@pytest.mark.parametrize("points", [0, 256])
def test_empty_batches_and_empty_grids(points: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DENSE_POINTS", points)
    basis = TensorBasis(Fourier(4), Chebyshev(3))
    for empty in (np.zeros((0, 4, 3)), torch.zeros(0, 4, 3)):
        for result in (basis.to_coefficients(empty), basis.to_values(empty), basis.laplacian(empty)):
            assert tuple(result.shape) == (0, 4, 3)
    with pytest.raises(InputError, match="m_1"):
        basis.to_coefficients(np.zeros((2, 0, 3)))
