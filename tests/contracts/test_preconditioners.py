"""What every preconditioner promises: each test runs for each name in PRECONDITIONERS."""

import inspect
import re
from functools import cache

import numpy as np
import pyamg.krylov
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import (
    PRECONDITIONERS,
    SOLVERS,
    Diffusion,
    InputError,
    Preconditioner,
    cg,
    get_preconditioner,
    gmres,
)
from resolvent.solvers.registry import ACCEPTED_KINDS

pytestmark = pytest.mark.parametrize("name", list(PRECONDITIONERS))

GRID = (11, 9)
N = GRID[0] * GRID[1]

# What a method must be told besides the matrix when the matrix does not know its grid.
NEEDS = {"fast_poisson": {"shape": GRID}, "multigrid": {"shape": GRID}}

# What takes the grid from a matrix that knows it, and is another approximation when told nothing.
BETTER_TOLD = {**NEEDS, "tau": {"shape": GRID}, "circulant": {"shape": GRID}}

# What pivots, and so is not symmetric even where A is.
NEVER_SYMMETRIC = ("ilut", "regularized_lu")


def coefficient(seed=0, contrast=4.0):
    waves = np.random.default_rng(seed).standard_normal((2, 3))
    y, x = np.meshgrid(*(np.linspace(0, 1, m) for m in GRID), indexing="ij")
    field = sum(a * np.sin(3 * k * x + b) * np.cos(2 * k * y - a) for k, (a, b) in enumerate(waves.T, 1))
    return np.where(field >= 0, 3.0 * contrast, 3.0)


@cache
def diffusion(seed=0):
    return Diffusion(coefficient(seed))


def build(name, A=None):
    return PRECONDITIONERS[name].setup(diffusion() if A is None else A)


def dense(M):
    return np.stack([M @ e for e in np.eye(M.shape[0])], axis=1)


def solver_for(M):
    return cg if M.kind == "spd" else gmres


def tolerance(M):
    """Of linearity and symmetry: the precision that the method works in."""
    return 2e-6 if getattr(M, "precision", None) == np.float32 else 1e-12


def test_is_a_linear_operator_with_a_kind(name):
    M = build(name)
    assert isinstance(M, Preconditioner)
    assert isinstance(M, spla.LinearOperator)
    assert get_preconditioner(name) is type(M)
    assert M.name == name
    assert M.shape == (N, N)
    assert M.dtype == np.float64
    assert M.kind in ("spd", "linear", "nonlinear")
    assert M.setup_seconds > 0.0
    assert PRECONDITIONERS[name].__doc__


def test_shows_itself_in_one_line(name):
    M = build(name)
    assert re.fullmatch(rf"{type(M).__name__}\(n={M.shape[0]}, kind='{M.kind}'.*\), set up in [\d.e+-]+ s", repr(M))
    assert repr(type(M)()) == f"{type(M).__name__}(not set up)"


def test_is_spd_for_a_diffusion_operator(name):
    M = build(name)
    if name in NEVER_SYMMETRIC:
        assert M.kind == "linear"
        return
    assert M.kind == "spd"
    matrix = dense(M)
    size = np.abs(matrix).max()
    np.testing.assert_allclose(matrix, matrix.T, atol=tolerance(M) * size)
    assert np.linalg.eigvalsh(0.5 * (matrix + matrix.T)).min() > 0.0
    np.testing.assert_allclose(M.H @ np.ones(N), M @ np.ones(N))


def test_is_linear(name):
    M = build(name)
    rng = np.random.default_rng(1)
    u, v = rng.standard_normal((2, N))
    expected = 3.0 * (M @ u) - 1e3 * (M @ v)
    np.testing.assert_allclose(M @ (3.0 * u - 1e3 * v), expected, atol=tolerance(M) * np.abs(expected).max())
    assert not (M @ np.zeros(N)).any()


@pytest.mark.parametrize("scale", [1e-200, 1e-40, 1e40, 1e200])
def test_residuals_of_any_size_are_handled(name, scale):
    M = build(name)
    r = np.random.default_rng(1).standard_normal(N)
    np.testing.assert_allclose((M @ (scale * r)) / scale, M @ r, rtol=2e-4)


def test_approximates_the_inverse(name):
    """Scaled like A⁻¹, so that it can be used without a Krylov method around it."""
    eigenvalues = np.linalg.eigvals(dense(build(name)) @ diffusion().tocsr().toarray()).real
    assert eigenvalues.min() > 0.0
    # Wrapping a matrix with u = 0 at its ends around underrates its lowest mode: one eigenvalue of M A stands out.
    assert 0.5 < eigenvalues.max() < (5.0 if name == "circulant" else 3.0)


def test_shapes_and_complex_vectors(name):
    M = build(name)
    R = np.random.default_rng(2).standard_normal((N, 3))
    columns = np.stack([M @ R[:, j].copy() for j in range(3)], axis=1)
    size = np.abs(columns).max()
    np.testing.assert_allclose(M @ R, columns, atol=tolerance(M) * size)
    np.testing.assert_allclose(M.matvec(R[:, :1]), columns[:, :1])
    np.testing.assert_allclose(M @ R[:, 0], columns[:, 0])
    z = M @ (R[:, 0] + 1j * R[:, 1])
    np.testing.assert_allclose(z, columns[:, 0] + 1j * columns[:, 1], atol=tolerance(M) * size)


def test_does_not_change_its_argument(name):
    M = build(name)
    r = np.random.default_rng(2).standard_normal(N)
    copy = r.copy()
    z = M @ r
    np.testing.assert_array_equal(r, copy)
    assert not np.shares_memory(z, r)


def test_helps_every_solver_that_takes_it(name):
    A, b = diffusion(), np.ones(N)
    M = build(name)
    plain = cg(A, b, rtol=1e-10).iterations
    takers = [solver for solver, kinds in ACCEPTED_KINDS.items() if M.kind in kinds and solver != "richardson"]
    assert "fgmres" in takers
    for taker in takers:
        result = SOLVERS[taker](A, b, rtol=1e-10, M=M)
        assert result.converged
        # The corrections that lgmres keeps are directions without M.
        assert result.applies >= (0.8 if taker == "lgmres" else 1.0) * result.iterations > 0
        assert result.setup_seconds >= M.setup_seconds
        np.testing.assert_allclose(A.tocsr() @ result.x, b, atol=1e-8)
    assert solver_for(M)(A, b, rtol=1e-10, M=M).iterations <= plain


def test_serves_scipy_and_pyamg(name):
    A, b = diffusion().tocsr(), np.ones(N)
    M = build(name)
    theirs, pyamgs = (spla.cg, pyamg.krylov.cg) if M.kind == "spd" else (spla.gmres, pyamg.krylov.gmres)
    # Their GMRES stops on the residual preconditioned from the left, which says less of the true one.
    atol = 1e-8 if M.kind == "spd" else 1e-6
    x, info = theirs(A, b, rtol=1e-10, M=M)
    assert info == 0
    np.testing.assert_allclose(A @ x, b, atol=atol)
    x, info = pyamgs(sp.csr_matrix(A), b, tol=1e-10, M=M)
    assert info == 0
    np.testing.assert_allclose(A @ x, b, atol=atol)


def test_update_serves_the_new_matrix(name):
    M = build(name)
    assert M.update(diffusion(5)) is M
    assert M.setup_seconds > 0.0
    assert M.kind == build(name).kind
    if M.kind == "spd":
        matrix = dense(M)
        np.testing.assert_allclose(matrix, matrix.T, atol=tolerance(M) * np.abs(matrix).max())
    b, solver = np.ones(N), solver_for(M)
    updated = solver(diffusion(5), b, rtol=1e-10, M=M)
    fresh = solver(diffusion(5), b, rtol=1e-10, M=build(name, diffusion(5)))
    assert updated.converged
    assert updated.iterations <= fresh.iterations + 5
    M.update(diffusion())
    np.testing.assert_allclose(dense(M), dense(build(name)), rtol=1e-9, atol=1e-12)


def test_update_refuses_another_size(name):
    with pytest.raises(InputError, match="setup"):
        build(name).update(Diffusion(np.ones((3, 3))))


@pytest.mark.parametrize(
    "form",
    [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix, lambda A: A.toarray(), lambda A: A.toarray().tolist()],
    ids=["csr", "csc", "coo", "csr_matrix", "dense", "list"],
)
def test_set_up_from_every_form_of_matrix(name, form):
    A = diffusion().tocsr()
    before = A.copy()
    M = PRECONDITIONERS[name].setup(form(A), **BETTER_TOLD.get(name, {}))
    r = np.random.default_rng(2).standard_normal(N)
    np.testing.assert_allclose(M @ r, build(name) @ r, rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(A.toarray(), before.toarray())


def hermitian_by_dominance(seed, n, complex_):
    rng = np.random.default_rng(seed)
    A = rng.uniform(-1.0, 1.0, (n, n)) * (rng.random((n, n)) < 0.4)
    A = np.tril(A, -1) * (np.exp(2j * np.pi * rng.random((n, n))) if complex_ else 1.0)
    A = A + A.conj().T
    return A + np.diag(np.abs(A).sum(axis=1) + rng.uniform(1.0, 3.0, n))


@given(seed=st.integers(0, 10**6), n=st.integers(1, 16), complex_=st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_hermitian_dominant_matrix(name, seed, n, complex_):
    """Linear, and Hermitian positive definite where it says so; `update` to another matrix is as good as `setup`."""
    if name in NEEDS:
        assert PRECONDITIONERS[name].setup(np.diag(np.full(n, 3.0)), shape=(1, n)).kind == "spd"  # knows grids alone
        return
    A = hermitian_by_dominance(seed, n, complex_)
    settings_ = {"method": "smoothed_aggregation"} if name == "amg" else {}
    M = PRECONDITIONERS[name].setup(sp.csr_array(A), **settings_)
    assert M.kind == ("linear" if name in NEVER_SYMMETRIC else "spd")
    matrix = np.stack([M @ e for e in np.eye(n, dtype=A.dtype)], axis=1)
    u = np.random.default_rng(seed).standard_normal(n) + 0j
    np.testing.assert_allclose(M @ u, matrix @ u, rtol=1e-9, atol=1e-11)
    if M.kind == "spd":
        np.testing.assert_allclose(matrix, matrix.conj().T, atol=1e-11)
        assert np.linalg.eigvalsh(0.5 * (matrix + matrix.conj().T)).min() > 0.0
    b = np.ones(n)
    result = solver_for(M)(A, b, rtol=1e-9, M=M)
    assert result.converged
    assert np.linalg.norm(b - A @ result.x) <= 1.001e-9 * np.linalg.norm(b)
    other = hermitian_by_dominance(seed + 1, n, complex_)  # of another pattern
    assert solver_for(M)(other, b, rtol=1e-9, M=M.update(sp.csr_array(other))).converged or name == "amg"


@pytest.mark.parametrize("dtype", ["int64", "int8", "float32", ">f8"])
@pytest.mark.parametrize("layout", ["C", "Fortran", "strided", "read-only", "csr"])
def test_memory_layout_and_dtype_of_the_matrix_do_not_matter(name, dtype, layout):
    n = 12
    grid = {"shape": (1, n)} if name in NEEDS else {}  # the matrix is that of one row of cells
    A = sp.diags_array([-np.ones(n - 1), np.full(n, 4.0), -np.ones(n - 1)], offsets=[-1, 0, 1]).toarray()
    matrix = A.astype(dtype)
    if layout == "Fortran":
        matrix = np.asfortranarray(matrix)
    elif layout == "strided":
        wide = np.zeros((2 * n, 2 * n), dtype=dtype)
        wide[::2, ::2] = matrix
        matrix = wide[::2, ::2]
    elif layout == "read-only":
        matrix.flags.writeable = False
    elif layout == "csr":
        matrix = sp.csr_array(matrix.astype(matrix.dtype.newbyteorder("=")))
        matrix.data.flags.writeable = matrix.indices.flags.writeable = matrix.indptr.flags.writeable = False
    r = np.arange(1.0, n + 1.0)
    M, expected = PRECONDITIONERS[name].setup(matrix, **grid), PRECONDITIONERS[name].setup(A, **grid)
    assert M.kind == expected.kind
    np.testing.assert_allclose(M @ read_only(r), expected @ r, rtol=1e-6)
    np.testing.assert_allclose(M @ np.repeat(r, 2)[::2], expected @ r, rtol=1e-6)
    np.testing.assert_allclose(M @ r.astype(int), expected @ r, rtol=1e-6)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def test_set_up_is_deterministic_and_leaves_the_global_generator_alone(name):
    np.random.seed(7)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = dense(build(name))
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    np.random.seed(8)  # noqa: NPY002
    np.testing.assert_array_equal(dense(build(name)), first)


def test_applications_are_deterministic(name):
    M = build(name)
    r = np.random.default_rng(3).standard_normal(N)
    np.testing.assert_array_equal(M @ r, M @ r)


def test_unknown_settings_are_named(name):
    known = [p for p in inspect.signature(PRECONDITIONERS[name].__init__).parameters if p != "self"]
    with pytest.raises(InputError, match=f"unknown setting of preconditioner {name} 'nonsense_'"):
        PRECONDITIONERS[name].setup(diffusion(), nonsense_=1)
    for setting in known:
        with pytest.raises(InputError, match=f"did you mean '{setting}'"):
            PRECONDITIONERS[name].setup(diffusion(), **{setting + "x": 1})


MISTAKES = {
    "rectangular": lambda: sp.csr_array((N, N + 1)),
    "empty": lambda: np.zeros((0, 0)),
    "one-dimensional": lambda: np.ones(N),
    "NaN": lambda: np.diag(np.full(N, np.nan)),
    "string": lambda: "A.mtx",
    "zero": lambda: np.zeros((N, N)),
    "products alone": lambda: spla.LinearOperator((N, N), matvec=lambda v: v, dtype=float),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named_in_one_line(name, mistake):
    if mistake == "products alone" and name == "fast_poisson":
        assert PRECONDITIONERS[name].setup(MISTAKES[mistake](), shape=GRID).kind == "spd"  # the grid is all it needs
        return
    with pytest.raises(InputError) as caught:
        PRECONDITIONERS[name].setup(MISTAKES[mistake](), **NEEDS.get(name, {}))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("n", [1, 2])
def test_tiny_systems(name, n):
    A = Diffusion(np.full((n, 1), 2.0))
    M = PRECONDITIONERS[name].setup(A)
    result = solver_for(M)(A, np.ones(n), rtol=1e-12, M=M)
    assert result.converged
    assert (M.kind == "spd") == (name not in NEVER_SYMMETRIC)
