"""Conjugate gradients against theory and against SciPy."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import IC0, SSOR, Diffusion, Direct, InputError, Jacobi, Status, cg


def with_spectrum(eigenvalues, seed=0):
    n = len(eigenvalues)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))
    return (Q * eigenvalues) @ Q.T


@pytest.mark.parametrize("condition", [10.0, 100.0, 1e4])
def test_energy_error_stays_below_the_chebyshev_bound(condition):
    n = 120
    A = with_spectrum(np.linspace(1.0, condition, n))
    b = np.random.default_rng(1).standard_normal(n)
    exact = np.linalg.solve(A, b)
    errors = [math.sqrt(exact @ A @ exact)]
    cg(A, b, rtol=1e-10, callback=lambda x: errors.append(math.sqrt((x - exact) @ A @ (x - exact))))
    factor = (math.sqrt(condition) - 1) / (math.sqrt(condition) + 1)
    bounds = 2 * factor ** np.arange(len(errors)) * errors[0]
    assert len(errors) > 15
    assert np.all(np.array(errors) <= bounds * (1 + 1e-8) + 1e-10 * errors[0])
    assert np.all(np.diff(errors) < 1e-12 * errors[0])  # the energy error falls at every step


def test_iterations_stay_below_the_condition_number_bound_on_diffusion():
    A = Diffusion(np.ones((32, 32)))
    # Exact spectrum of the cell-centred Laplacian: the extreme eigenvalues of one axis, twice.
    h = 1 / 32
    low, high = 2 * (2 / h * math.sin(math.pi * h / 2)) ** 2, 2 * (2 / h) ** 2
    condition = high / low
    rtol = 1e-8
    result = cg(A, np.random.default_rng(0).standard_normal(32 * 32), rtol=rtol)
    # ‖r‖ ≤ √κ-times the ratio of energy errors.
    bound = math.ceil(
        math.log(2 * math.sqrt(condition) / rtol) / math.log((1 + condition**-0.5) / (1 - condition**-0.5))
    )
    assert result.converged
    assert result.iterations <= bound


@pytest.mark.parametrize("distinct", [1, 3, 7])
def test_as_many_iterations_as_distinct_eigenvalues(distinct):
    A = with_spectrum(np.repeat(np.linspace(1.0, 5.0, distinct), 12))
    assert cg(A, np.random.default_rng(2).standard_normal(12 * distinct), rtol=1e-10).iterations == distinct


@pytest.mark.parametrize("preconditioner", [None, Jacobi, SSOR, IC0])
def test_agrees_with_scipy(preconditioner):
    a = np.exp(np.random.default_rng(3).standard_normal((20, 24)))
    A = Diffusion(a).tocsr()
    b = np.random.default_rng(4).standard_normal(A.shape[0])
    M = None if preconditioner is None else preconditioner.setup(A)
    seen = []
    expected, info = spla.cg(A, b, rtol=1e-9, M=M, callback=seen.append)
    result = cg(A, b, rtol=1e-9, M=M)
    assert info == result.info == 0
    assert abs(result.iterations - len(seen)) <= 1
    np.testing.assert_allclose(result.x, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


def test_preconditioning_is_conjugation():
    """cg on A with M = L⁻ᴴL⁻¹ gives the residuals of cg on L⁻¹ A L⁻ᴴ, mapped back."""
    A = with_spectrum(np.geomspace(1.0, 1e3, 40))
    diagonal = np.random.default_rng(5).uniform(0.5, 2.0, 40)
    b = np.random.default_rng(6).standard_normal(40)
    iterates, conjugated = [], []
    cg(A, b, rtol=1e-6, M=np.diag(diagonal**2), callback=lambda x: iterates.append(x.copy()))
    cg(A * np.outer(diagonal, diagonal), diagonal * b, rtol=1e-9, callback=lambda y: conjugated.append(diagonal * y))
    for k in (0, 5, 15):
        np.testing.assert_allclose(iterates[k], conjugated[k], rtol=1e-4, atol=1e-7)


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 30),
    decades=st.floats(0.0, 5.0),
    complex_=st.booleans(),
    exponent=st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_any_positive_definite_system(seed, n, decades, complex_, exponent):
    rng = np.random.default_rng(seed)
    square = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)
    Q, _ = np.linalg.qr(square)
    A = (Q * 10 ** rng.uniform(0, decades, n)) @ Q.conj().T
    A = 0.5 * (A + A.conj().T)
    b = rng.standard_normal(n)
    result = cg(A, b, rtol=10.0**-exponent, maxiter=100 * n + 100)
    assert result.converged
    assert np.linalg.norm(b - A @ result.x) <= (1 + 1e-6) * 10.0**-exponent * np.linalg.norm(b)


def test_an_indefinite_matrix_is_found_out():
    A = with_spectrum(np.concatenate([np.linspace(1, 10, 30), [-2.0]]))
    result = cg(A, np.random.default_rng(0).standard_normal(31), rtol=1e-10)
    assert result.status is Status.INDEFINITE
    assert result.info > 0
    assert "not positive definite" in result.message
    assert "gmres" in result.message
    assert np.isfinite(result.x).all()


def test_an_indefinite_preconditioner_is_found_out():
    A = with_spectrum(np.linspace(1, 10, 30))
    M = with_spectrum(np.concatenate([np.ones(15), -np.ones(15)]), seed=3)
    result = cg(A, np.random.default_rng(1).standard_normal(30), rtol=1e-10, M=M)
    assert result.status is Status.INDEFINITE
    assert "preconditioner M is not positive definite" in result.message


def test_a_general_inverse_is_refused_by_kind():
    A = sp.csr_array(np.diag([1.0, -2.0, 3.0]))
    M = Direct.setup(A)
    assert M.kind == "linear"
    with pytest.raises(InputError, match="gmres"):
        cg(A, np.ones(3), M=M)


def neumann(n):
    diagonal = np.full(n, 2.0)
    diagonal[[0, -1]] = 1.0
    return sp.csr_array(sp.diags_array([diagonal, -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1]))


def test_a_singular_consistent_system_is_solved():
    A = neumann(60)
    b = A @ np.random.default_rng(0).standard_normal(60)
    result = cg(A, b, rtol=1e-9)
    assert result.converged
    assert np.linalg.norm(A @ result.x - b) <= 1e-9 * np.linalg.norm(b)


def test_a_singular_inconsistent_system_is_not():
    A = neumann(60)
    b = A @ np.random.default_rng(0).standard_normal(60) + 1.0
    result = cg(A, b, rtol=1e-9)
    assert result.status in (Status.DIVERGED, Status.STAGNATED, Status.INDEFINITE)
    assert result.residual == pytest.approx(np.linalg.norm(b - A @ result.x))
    assert result.residual <= np.linalg.norm(b)


def test_the_zero_matrix():
    assert cg(sp.csr_array((5, 5)), np.ones(5)).status is Status.INDEFINITE


def test_a_recurrence_that_drifts_is_corrected():
    """From a huge guess, the residual of the recurrence and the true one part by ε‖A‖‖x0‖."""
    A = Diffusion(np.ones((16, 16)))
    b = np.random.default_rng(0).standard_normal(256)
    x0 = 1e9 * np.random.default_rng(1).standard_normal(256)
    result = cg(A, b, x0, rtol=1e-9)
    assert result.converged
    assert np.linalg.norm(b - A.tocsr() @ result.x) <= 1.001e-9 * np.linalg.norm(b)


def test_an_ill_conditioned_system_stops_near_its_floor_without_using_up_maxiter():
    n = 60
    A = with_spectrum(np.geomspace(1e-10, 1.0, n))
    b = A @ np.ones(n)
    result = cg(A, b / np.linalg.norm(b), rtol=1e-16, maxiter=100_000)
    assert result.status is Status.STAGNATED
    assert result.iterations < 20_000
    floor = np.finfo(float).eps * np.linalg.norm(result.x)
    assert result.residual < 100 * floor


@pytest.mark.parametrize(("where", "word"), [("A", "A p"), ("M", "M r")])
def test_not_a_number_inside_is_reported_and_does_not_reach_x(where, word):
    n = 40
    calls = []

    def poisoned(v):
        calls.append(1)
        return np.full(n, np.nan) if len(calls) == 4 else (np.arange(1, n + 1) if where == "A" else 1.0) * v

    operator = spla.LinearOperator((n, n), matvec=poisoned, dtype=float)
    A = operator if where == "A" else sp.diags_array(np.arange(1.0, n + 1)).tocsr()
    result = cg(A, np.ones(n), rtol=1e-10, M=operator if where == "M" else None)
    assert result.status is Status.NONFINITE
    assert np.isfinite(result.x).all()
    assert word in result.message


def test_counts_every_product_and_application():
    stencil = Diffusion(np.exp(np.random.default_rng(0).standard_normal((30, 30))))
    counts = {"A": 0, "M": 0}

    def multiply(v):
        counts["A"] += 1
        return stencil._matvec(v)

    def precondition(r):
        counts["M"] += 1
        return r / stencil.diagonal()

    A = spla.LinearOperator(stencil.shape, matvec=multiply, dtype=np.float64)
    counts["A"] = 0
    result = cg(A, np.ones(900), rtol=1e-9, M=precondition)
    assert result.converged
    assert result.iterations > 50
    assert (result.matvecs, result.applies) == (counts["A"], counts["M"])
    assert result.applies == result.iterations
    assert result.matvecs == result.iterations + 1 + result.iterations // 50


def test_single_precision_preconditioners_are_taken():
    A = with_spectrum(np.geomspace(1, 1e3, 50))
    result = cg(A, np.ones(50), rtol=1e-12, M=lambda r: (r / 2).astype(np.float32))
    assert result.converged
    assert result.x.dtype == np.float64


@pytest.mark.parametrize(
    ("M", "word"),
    [
        ("amg", "get_preconditioner"),
        (Jacobi, "Jacobi.setup"),
        (np.eye(3), "shape"),
        (np.ones((4, 5)), "square"),
        (lambda r: r[:2], "matvec"),
        (lambda r: None, "matvec"),
        (3.0, "float"),
    ],
)
def test_mistakes_in_M(M, word):
    with pytest.raises(InputError, match=word):
        cg(np.eye(4), np.ones(4), M=M)


def test_pyamg_hierarchies_are_named():
    import pyamg

    A = sp.csr_matrix(Diffusion(np.ones((8, 8))).tocsr())
    hierarchy = pyamg.ruge_stuben_solver(A)
    with pytest.raises(InputError, match="aspreconditioner"):
        cg(A, np.ones(64), M=hierarchy)
    assert cg(A, np.ones(64), M=hierarchy.aspreconditioner()).converged
