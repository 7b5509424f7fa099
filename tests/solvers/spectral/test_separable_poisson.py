"""Recombined bases, the spectral Poisson solver on them, and norms of coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from resolvent.solvers import (
    DIRICHLET,
    NEUMANN,
    NORMS,
    Basis,
    Chebyshev,
    CoefficientNorm,
    Condition,
    Fourier,
    HeatEquation,
    InputError,
    Legendre,
    RecombinedBasis,
    SeparablePoisson,
    TensorBasis,
    robin,
)

MIXED = (Condition("low"), Condition("high", 0.0, 1.0))
UNEVEN = (Condition("low", 2.0, 0.5), Condition("high", 0.3, 1.0))
CONDITIONS = {
    "dirichlet": DIRICHLET,
    "neumann": NEUMANN,
    "robin": robin(1.5, 0.4),
    "dirichlet and neumann": MIXED,
    "two robin": UNEVEN,
    "initial value": (Condition("low"),),
    "clamped at the low end": (Condition("low"), Condition("low", 0.0, 1.0)),
    "three": (*DIRICHLET, Condition("low", 0.0, 1.0)),
}

every = pytest.mark.parametrize(
    ("kind", "n", "name"),
    [(kind, n, name) for kind in (Chebyshev, Legendre) for n in (5, 12, 33) for name in CONDITIONS],
)


@every
def test_every_function_satisfies_the_conditions(kind: type[Basis], n: int, name: str) -> None:
    conditions = CONDITIONS[name]
    basis = RecombinedBasis(kind(n, -1.0, 0.5), conditions)
    S = basis.matrix()
    assert S.shape == (n, n - len(conditions))
    assert np.linalg.matrix_rank(S) == basis.n
    scale = np.abs(basis.rows()) @ np.abs(S)
    assert np.all(np.abs(basis.rows() @ S) <= 1e-12 * scale)
    assert basis.banded
    assert basis.sparse_matrix().nnz <= basis.n * (len(conditions) + 1)
    assert np.all(np.tril(S, -len(conditions) - 1) == 0.0)
    assert np.all(np.triu(S, 1) == 0.0)


@every
def test_lifting_gives_the_data(kind: type[Basis], n: int, name: str) -> None:
    conditions = CONDITIONS[name]
    basis = RecombinedBasis(kind(n, -1.0, 0.5), conditions)
    lifting = basis.lifting_matrix()
    assert np.allclose(basis.rows() @ lifting, np.eye(len(conditions)), atol=1e-11)
    assert np.all(lifting[len(conditions) + 1 :] == 0.0)


@every
def test_projection_and_forms(kind: type[Basis], n: int, name: str) -> None:
    conditions = CONDITIONS[name]
    basis = RecombinedBasis(kind(n, -1.0, 0.5), conditions)
    assert np.allclose(basis.projection_matrix() @ basis.matrix(), np.eye(basis.n), atol=1e-6)
    if len(conditions) == 2 and {c.end for c in conditions} == {"low", "high"}:  # then by parts it is −u'' tested
        parent, S = basis.parent, basis.matrix()
        strong = -S.T @ parent.derivative_matrix(2).T @ parent.gram_matrix() @ S
        weak = basis.stiffness_matrix()
        assert np.allclose(weak, strong, atol=1e-9 * np.abs(weak).max())
        assert np.allclose(weak, weak.T, atol=1e-12 * np.abs(weak).max())


def test_shen_basis_for_dirichlet() -> None:
    """Shen's ψ_k = T_k − T_{k+2}, and P_k − P_{k+2}, whose stiffness is diagonal."""
    S = RecombinedBasis(Chebyshev(6), DIRICHLET).matrix()
    assert np.allclose(S, np.eye(6, 4) - np.eye(6, 4, -2), atol=1e-14)
    stiffness = RecombinedBasis(Legendre(9, -1.0, 1.0), DIRICHLET).stiffness_matrix()
    assert np.allclose(stiffness, np.diag(4.0 * np.arange(7) + 6.0), atol=1e-11)


def test_singular_recombination_falls_back_to_the_null_space() -> None:
    # Robin of mixed sign: on k = 0 the functions of degrees 1 and 2 have dependent rows.
    basis = RecombinedBasis(Chebyshev(8, -1.0, 1.0), (Condition("low", 1.0, -1.0), Condition("high", 1.0, -1.0)))
    S = basis.matrix()
    assert not basis.banded
    assert np.allclose(basis.rows() @ S, 0.0, atol=1e-12 * np.abs(basis.rows()).max())
    assert np.allclose(S.T @ S, np.eye(6), atol=1e-13)


def manufactured(name: str) -> tuple[Any, Any]:
    """A polynomial u of degree 5 on [0, 1] that satisfies the conditions, and −u''."""
    conditions = CONDITIONS[name]
    base = np.polynomial.Polynomial([0.3, -1.0, 0.5, 2.0])

    def rows(u: Any) -> list[float]:
        slopes = {"low": -u.deriv()(0.0), "high": u.deriv()(1.0)}
        values = {"low": u(0.0), "high": u(1.0)}
        return [c.value * values[c.end] + c.slope * slopes[c.end] for c in conditions]

    # Mend the data by terms of degrees 4 and 5.
    fourth, fifth = np.polynomial.Polynomial([-0.3, 1.0]) ** 4, np.polynomial.Polynomial([-0.6, 1.0]) ** 5
    a, b = np.linalg.solve(np.array([rows(fourth), rows(fifth)]).T, -np.array(rows(base)))
    u = base + a * fourth + b * fifth
    return u, -u.deriv(2)


@pytest.mark.parametrize("kind", [Chebyshev, Legendre])
@pytest.mark.parametrize("name", ["dirichlet", "neumann", "robin", "dirichlet and neumann", "two robin"])
@pytest.mark.parametrize("n", [8, 9, 40])
def test_poisson_in_one_dimension_is_exact_on_polynomials(kind: type[Basis], name: str, n: int) -> None:
    u, f = manufactured(name)
    space = TensorBasis(kind(n))
    source = space.to_coefficients(f(space.points()[0]))
    solution = SeparablePoisson(space, [CONDITIONS[name]]).solve(source)
    x = np.linspace(0.0, 1.0, 30)
    wanted = u(x) - (u.integ()(1.0) - u.integ()(0.0) if name == "neumann" else 0.0)
    assert np.allclose(space.evaluate(solution, x), wanted, atol=1e-11)


@pytest.mark.parametrize("n", [8, 9, 16])
def test_periodic_poisson_is_exact_division(n: int) -> None:
    rng = np.random.default_rng(0)
    space = TensorBasis(Fourier(n), Fourier(n + 1, 0.0, 2.0))
    u = rng.standard_normal((3, *space.shape))
    u[:, 0, 0] = 0.0
    source = -space.laplacian(u)
    solver = SeparablePoisson(space)
    assert np.allclose(solver.solve(source), u, atol=1e-12)
    source[:, 0, 0] = 5.0  # the mean has no solution and is left out
    assert np.allclose(solver.solve(source), u, atol=1e-12)
    shifted = SeparablePoisson(space, shift=2.5)
    assert np.allclose(shifted.solve(2.5 * u - space.laplacian(u)), u, atol=1e-12)


def test_dirichlet_converges_spectrally_in_two_dimensions() -> None:
    """−Δu = f on the square with u = sin(πx) sin(2πy) e^x; the error falls below 1e-10 by 24 modes an axis."""
    errors = {}
    for kind in (Chebyshev, Legendre):
        for n in (8, 16, 24):
            space = TensorBasis(kind(n), kind(n))
            x, y = np.meshgrid(*space.points((40, 40)), indexing="ij")
            ex, s, c, t = np.exp(x), np.sin(np.pi * x), np.cos(np.pi * x), np.sin(2 * np.pi * y)
            u = s * ex * t
            f = (5 * np.pi**2 - 1.0) * u - 2 * np.pi * c * ex * t
            found = SeparablePoisson(space, [DIRICHLET, DIRICHLET]).solve(space.to_coefficients(f))
            errors[kind, n] = np.abs(space.to_values(found, (40, 40)) - u).max()
            edge = space.evaluate(found, np.array([0.0, 1.0]), np.linspace(0, 1, 5))
            assert np.abs(edge).max() < 1e-13
        assert errors[kind, 8] > 1e2 * errors[kind, 16]
        assert errors[kind, 24] < 1e-10


def test_mixed_axes_and_three_dimensions() -> None:
    """Periodic in x, Dirichlet in y, Neumann in z: the eigenfunction cos 2πx sin πy cos πz."""
    space = TensorBasis(Fourier(6), Legendre(18), Chebyshev(18))
    x, y, z = np.meshgrid(*space.points(), indexing="ij")
    u = np.cos(2 * np.pi * x) * np.sin(np.pi * y) * np.cos(np.pi * z)
    solver = SeparablePoisson(space, [(), DIRICHLET, NEUMANN], shift=1.0)
    found = solver.solve(space.to_coefficients((6 * np.pi**2 + 1.0) * u))
    assert np.allclose(space.to_values(found), u, atol=1e-12)
    assert solver.symbol().shape == (6, 16, 16)


def test_inhomogeneous_data_by_lifting() -> None:
    """−u'' = −6x, u(0) = 2, u(1) = 3: u = x³ + 2."""
    basis = RecombinedBasis(Legendre(6), DIRICHLET)
    space = TensorBasis(basis.parent)
    lift = basis.lifting_matrix() @ np.array([2.0, 3.0])
    source = space.to_coefficients(-6.0 * space.points()[0]) + space.laplacian(lift)
    u = SeparablePoisson(space, [DIRICHLET]).solve(source) + lift
    x = np.linspace(0, 1, 9)
    assert np.allclose(space.evaluate(u, x), x**3 + 2.0, atol=1e-13)


def test_solve_and_norms_in_torch() -> None:
    space = TensorBasis(Chebyshev(5), Fourier(4))
    f = torch.randn(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    solver = SeparablePoisson(space, [DIRICHLET, ()])
    assert np.allclose(solver.solve(f).detach().numpy(), solver.solve(f.detach().numpy()), atol=1e-14)
    assert torch.autograd.gradcheck(solver.solve, (f,))
    for kind in NORMS:
        norm = CoefficientNorm(space, kind, [DIRICHLET, ()])
        assert np.allclose(norm.squared(f).detach().numpy(), norm.squared(f.detach().numpy()))
        assert torch.autograd.gradcheck(norm.squared, (f,))


SPACES = [
    TensorBasis(Fourier(8), Fourier(7)),
    TensorBasis(Chebyshev(7), Legendre(6)),
    TensorBasis(Fourier(5), Chebyshev(8)),
]


@pytest.mark.parametrize("space", SPACES)
def test_norms_are_integrals(space: TensorBasis) -> None:
    r = np.random.default_rng(1).standard_normal((4, *space.shape))
    m = (24, 24)
    values = space.to_values(r, m)
    square = np.einsum("bxy,x,y->b", values**2, *space.quadrature_weights(m))
    assert np.allclose(CoefficientNorm(space, "L2").squared(r), square)
    assert np.allclose(CoefficientNorm(space, "L2", mean=True).squared(r), square / space.volume)
    assert np.allclose(CoefficientNorm(space, "coefficient").squared(r), (r**2).sum(axis=(1, 2)))
    # Gauss–Chebyshev: equal weights πL/2m for the weighted integral.
    weights = [
        np.full(24, np.pi * axis.length / 48) if isinstance(axis, Chebyshev) else axis.quadrature_weights(24)
        for axis in space.axes
    ]
    weighted = np.einsum("bxy,x,y->b", values**2, *weights)
    assert np.allclose(CoefficientNorm(space, "weighted_L2").squared(r), weighted)


@pytest.mark.parametrize("space", SPACES)
def test_dual_norms_are_norms_of_the_solution(space: TensorBasis) -> None:
    r = np.random.default_rng(2).standard_normal((4, *space.shape))
    conditions = [() if axis.periodic else DIRICHLET for axis in space.axes]
    for shift in (0.0, 1.0):
        solver = SeparablePoisson(space, conditions, shift)
        w = solver.solve(r)  # the Riesz representative
        slopes = sum(_slopes(space, w, d) for d in range(2)) + shift * space.inner(w, w)
        assert np.allclose(CoefficientNorm(space, "H-1", conditions, shift).squared(r), slopes)
        assert np.allclose(CoefficientNorm(space, "H-2", conditions, shift).squared(r), space.inner(w, w))


def _slopes(space: TensorBasis, w: np.ndarray, axis: int) -> np.ndarray:
    wider = space.resized([a.derivative_size() for a in space.axes])
    slope = wider.derivative(space.resize(w, wider.shape), axis)
    return wider.inner(slope, slope)


def test_parseval_without_weights_is_not_the_norm() -> None:
    """What the published sum of squares gets wrong: the mean of a Fourier series weighs twice a cosine."""
    space = TensorBasis(Fourier(4))
    one, cosine = np.eye(4)[0], np.eye(4)[1]
    plain, exact = CoefficientNorm(space, "coefficient"), CoefficientNorm(space, "L2")
    assert plain.squared(one) == plain.squared(cosine)
    assert exact.squared(one) == 2.0 * exact.squared(cosine)


def test_wrong_use_is_named() -> None:
    with pytest.raises(InputError, match="periodic basis takes no boundary conditions"):
        RecombinedBasis(Fourier(5), DIRICHLET)
    with pytest.raises(InputError, match="2 boundary conditions on 2 functions"):
        RecombinedBasis(Chebyshev(2), DIRICHLET)
    with pytest.raises(InputError, match="not independent"):
        RecombinedBasis(Chebyshev(5), (Condition("low"), Condition("low", 2.0)))
    with pytest.raises(InputError, match="says nothing"):
        Condition("low", 0.0, 0.0)
    with pytest.raises(InputError, match="expected 'low' or 'high'"):
        Condition("left")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="boundary conditions for 1 axes"):
        SeparablePoisson(TensorBasis(Fourier(4), Fourier(4)), [()])
    with pytest.raises(InputError, match="unknown norm"):
        CoefficientNorm(TensorBasis(Fourier(4)), "H1")


@pytest.mark.parametrize("kind", [Chebyshev, Legendre])
@pytest.mark.parametrize("conditions", [DIRICHLET, NEUMANN, robin(2.0, 3.0), robin(1.0, -0.7)])
def test_rounding_does_not_grow_with_the_degree(kind: type[Basis], conditions: tuple[Condition, ...]) -> None:
    # Eigenvalues from 1 to 1e9: their rounding must be that of the small ones, which make the solution.
    n, length = 192, 2.0
    axis = kind(n, 0.0, length)
    basis, x = TensorBasis(axis), axis.points()
    recombined = RecombinedBasis(axis, conditions)
    exact, second = np.exp(1.5 * x), 2.25 * np.exp(1.5 * x)
    data = [
        c.value * np.exp(1.5 * end) + sign * c.slope * 1.5 * np.exp(1.5 * end)
        for c, end, sign in zip(conditions, (0.0, length), (-1.0, 1.0), strict=True)
    ]
    lift = recombined.lifting_matrix() @ data
    source = basis.to_coefficients(-second) + axis.derivative_matrix(2) @ lift
    found = basis.to_values(SeparablePoisson(basis, (conditions,)).solve(source) + lift)
    if conditions == NEUMANN:
        found += exact.mean() - found.mean()
    np.testing.assert_allclose(found, exact, rtol=0.0, atol=2e-13 * np.abs(exact).max())


@pytest.mark.parametrize("kind", [Chebyshev, Legendre])
def test_lifting_of_conditions_that_quadratics_cannot_tell_apart(kind: type[Basis]) -> None:
    # u − ∂u/∂ν on [−1, 1]: 1, x, x² give 1 and 1, 0 and 0, −1 and −1.
    recombined = RecombinedBasis(kind(8, -1.0, 1.0), robin(1.0, -1.0))
    np.testing.assert_allclose(recombined.rows() @ recombined.lifting_matrix(), np.eye(2), atol=1e-13)


@pytest.mark.parametrize("kind", [Chebyshev, Legendre])
def test_what_the_operator_annihilates_is_left_out(kind: type[Basis]) -> None:
    # 1 − 2x has u'' = 0 and −2u + ∂u/∂ν = 0 at both ends; the amplitude of a rounding would divide by a rounding.
    axis = kind(24)
    poisson = SeparablePoisson(TensorBasis(axis), (robin(-2.0, 1.0),))
    assert np.count_nonzero(poisson.symbol() == 0.0) == 1
    source = TensorBasis(axis).to_coefficients(np.cos(3.0 * axis.points()))
    solution = poisson.solve(source)
    assert np.abs(solution).max() < 10.0
    # A resonance: Δ has the eigenvalue −(2π)² of its own.
    resonant = SeparablePoisson(TensorBasis(Fourier(9)), shift=-((2.0 * np.pi) ** 2))
    np.testing.assert_array_equal(resonant.solve(np.eye(9)[1]), 0.0)


def test_arrays_of_another_basis_are_refused() -> None:
    # One column was taken for all of them, one axis for both.
    basis = TensorBasis(Fourier(9), Chebyshev(8))
    poisson = SeparablePoisson(basis, ((), DIRICHLET))
    for array in (np.ones((2, 9, 1)), np.ones(8), np.ones((9, 8), int)):
        for kind in NORMS:
            with pytest.raises(InputError, match="expected"):
                CoefficientNorm(basis, kind).squared(array)
        with pytest.raises(InputError, match="expected"):
            poisson.solve(array)
    with pytest.raises(InputError, match="amplitudes of shape"):
        poisson.from_amplitudes(np.ones((9, 8)))


def test_waves_stand_in_order() -> None:
    """What is learned for each eigenfunction must not depend on how a solver orders equal eigenvalues."""
    for n in (1, 2, 5, 6, 33):
        solver = SeparablePoisson(TensorBasis(Fourier(n)))
        amplitudes = solver.amplitudes(np.eye(n))
        order = [k // 2 + (n // 2 if k and k % 2 == 0 else k % 2) for k in range(n)]  # 1, cos, sin, cos, sin, …
        assert np.abs(amplitudes).argmax(axis=1)[order].tolist() == list(range(n))
        assert np.count_nonzero(amplitudes) == n


def test_solvers_show_themselves_in_one_line() -> None:
    basis = TensorBasis(Fourier(4), Chebyshev(3))
    assert repr(SeparablePoisson(basis, shift=1)) == f"SeparablePoisson({basis}, shift=1.0)"
    assert repr(Legendre(3, -1.0, 2.0)) == "Legendre(n=3, low=-1.0, high=2.0)"
    time = TensorBasis(Chebyshev(3), Fourier(4))
    assert repr(HeatEquation(time, 0.5)) == f"HeatEquation({time}, diffusivity=0.5)"
