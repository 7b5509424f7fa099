"""What every solver promises: each test runs for each name in SOLVERS, so a new one is tested by being registered."""

import inspect
import json
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator

import resolvent.solvers
from resolvent.solvers import SOLVERS, Diffusion, InputError, SolveResult, Status, get_solver
from resolvent.solvers.registry import ACCEPTED_KINDS, METHODS

pytestmark = pytest.mark.parametrize("name", list(SOLVERS))

GRID = (8, 6)
N = GRID[0] * GRID[1]

# Solvers that need more of A than its products.
NEED_ENTRIES = ("jacobi", "gauss_seidel", "sor", "ssor")
NEED_ADJOINT = tuple(name for name, method in METHODS.items() if not method.square)

# Columns share what they find: a column's iterates are not those of its own solve.
COUPLED = ("block_cg",)
# Here the later ones start from a space that takes the place of new directions: no promise for so few iterations.
RECYCLING = ("deflated_cg", "recycled_minres", "gcrodr", "fgcrodr")

# Products an iteration, and those that estimating the spectrum takes before.
PRODUCTS = {"bicgstab": 2, "lsmr": 2}
ESTIMATE = {"chebyshev": 21, "richardson": 21}


def iterations(name, limit):
    """Return the keyword that limits a solver to so many iterations."""
    return {"maxiter" if METHODS[name].maxiter == "iterations" else "iterations": limit}


def diffusion():
    coefficient = np.exp(0.3 * np.random.default_rng(1).standard_normal(GRID))
    return Diffusion(coefficient)


def right_hand_side(*shape, seed=2):
    return np.random.default_rng(seed).standard_normal(shape or (N,))


def hermitian():
    """Complex Hermitian, strictly diagonally dominant, so that the stationary iterations converge too."""
    rng = np.random.default_rng(3)
    upper = sp.random_array((N, N), density=0.05, rng=rng) + 1j * sp.random_array((N, N), density=0.05, rng=rng)
    matrix = upper + upper.conj().T
    return sp.csr_array(matrix + sp.diags_array(1.0 + np.asarray(abs(matrix).sum(axis=1)).ravel()))


def spd_by_dominance(seed, n):
    """Symmetric, strictly diagonally dominant with a positive diagonal: every solver here converges on it."""
    rng = np.random.default_rng(seed)
    matrix = rng.uniform(-1.0, 1.0, (n, n)) * (rng.random((n, n)) < 0.4)
    matrix = matrix + matrix.T
    np.fill_diagonal(matrix, 0.0)
    return matrix + np.diag(np.abs(matrix).sum(axis=1) + rng.uniform(1.0, 3.0, n))


def test_registered_consistently(name):
    assert get_solver(name) is SOLVERS[name]
    assert getattr(resolvent.solvers, name) is SOLVERS[name]
    assert SOLVERS[name].__name__ == METHODS[name].name == name
    parameters = inspect.signature(SOLVERS[name]).parameters
    assert list(parameters)[:3] == ["A", "b", "x0"]
    for keyword, default in {"rtol": 1e-5, "atol": 0.0, "maxiter": None, "M": None, "callback": None}.items():
        assert parameters[keyword].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[keyword].default == default
    assert METHODS[name].nullspace == ("nullspace" in parameters)


def test_solves_with_a_true_certificate(name):
    A, b = diffusion(), right_hand_side()
    result = SOLVERS[name](A, b, rtol=1e-9)
    assert isinstance(result, SolveResult)
    assert result.status is Status.CONVERGED
    assert result.converged
    assert result.info == 0
    true = np.linalg.norm(b - A.tocsr() @ result.x)
    assert result.residual == pytest.approx(true, rel=1e-3)
    assert result.residual <= 1e-9 * np.linalg.norm(b)
    assert result.relative_residual == pytest.approx(true / np.linalg.norm(b), rel=1e-3)
    assert result.rhs_norm == pytest.approx(np.linalg.norm(b))
    np.testing.assert_allclose(result.x, np.linalg.solve(A.tocsr().toarray(), b), rtol=1e-6, atol=1e-9)


def test_ledger(name):
    b = right_hand_side()
    result = SOLVERS[name](diffusion(), b, rtol=1e-7)
    assert result.residuals.shape == (result.iterations + 1,)
    assert result.residuals[0] == pytest.approx(np.linalg.norm(b))
    assert result.residuals[-1] == result.residual
    products = PRODUCTS.get(name, 1) * result.iterations
    assert result.iterations <= result.matvecs <= 1.1 * products + 12 + ESTIMATE.get(name, 0)
    assert result.applies == 0
    assert result.setup_seconds >= 0.0
    assert result.solve_seconds > 0.0
    assert "\n" not in result.message
    ledger = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert ledger["status"] == "converged"
    assert ledger["iterations"] == result.iterations
    assert all(isinstance(value, str | bool | int | float) for value in ledger.values())


def test_unpacks_as_scipys_pair(name):
    A, b = diffusion(), right_hand_side()
    x, info = SOLVERS[name](A, b, rtol=1e-8)
    assert info == 0
    assert np.linalg.norm(b - A @ x) <= 1e-8 * np.linalg.norm(b)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(
    "form",
    [
        sp.csr_array,
        sp.csc_array,
        sp.coo_array,
        sp.csr_matrix,
        sp.lil_array,
        lambda A: A.toarray(),
        lambda A: np.asfortranarray(A.toarray()),
        lambda A: A.toarray().tolist(),
        lambda A: np.matrix(A.toarray()),
    ],
    ids=["csr", "csc", "coo", "csr_matrix", "lil", "dense", "fortran", "list", "matrix"],
)
def test_takes_every_form_of_matrix(name, form):
    A, b = diffusion(), right_hand_side()
    expected = SOLVERS[name](A, b, rtol=1e-10).x
    found = SOLVERS[name](form(A.tocsr()), b, rtol=1e-10)
    assert found.converged
    np.testing.assert_allclose(found.x, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_computes_in_double_precision(name, dtype):
    A = sp.csr_array(spd_by_dominance(5, 20) * 8.0).astype(dtype)
    b = np.arange(1, 21).astype(dtype)
    result = SOLVERS[name](A, b, rtol=1e-12)
    assert result.converged
    assert result.x.dtype == np.float64
    assert np.linalg.norm(b - A.astype(float) @ result.x) <= 1.001e-12 * np.linalg.norm(b.astype(float))


def test_complex_hermitian(name):
    A, b = hermitian(), right_hand_side() + 1j * right_hand_side(seed=4)
    result = SOLVERS[name](A, b, rtol=1e-10)
    assert result.converged
    assert result.x.dtype == np.complex128
    assert np.linalg.norm(b - A @ result.x) <= 1.001e-10 * np.linalg.norm(b)


def test_complex_right_hand_side_of_a_real_matrix(name):
    A, b = diffusion(), right_hand_side() + 1j * right_hand_side(seed=4)
    result = SOLVERS[name](A, b, rtol=1e-8)
    assert result.converged
    assert np.linalg.norm(b - A.tocsr() @ result.x) <= 1.001e-8 * np.linalg.norm(b)


def test_several_columns(name):
    A, B = diffusion(), right_hand_side(N, 3)
    B[:, 1] = 0.0
    B[:, 2] *= 1e6
    result = SOLVERS[name](A, B, rtol=1e-8)
    assert result.converged
    assert result.x.shape == (N, 3)
    assert len(result.columns) == 3
    for j, column in enumerate(result.columns):
        alone = SOLVERS[name](A, B[:, j], rtol=1e-8)
        assert column.converged
        np.testing.assert_array_equal(result.x[:, j], column.x)
        if name in COUPLED + RECYCLING:
            assert name in RECYCLING or column.iterations <= alone.iterations
            np.testing.assert_allclose(column.x, alone.x, rtol=1e-5, atol=1e-7 * np.abs(alone.x).max())
            continue
        assert column.iterations == alone.iterations
        np.testing.assert_array_equal(column.x, alone.x)
    assert result.iterations == max(column.iterations for column in result.columns)
    assert result.matvecs == sum(column.matvecs for column in result.columns)
    assert result.residual == pytest.approx(np.linalg.norm(B - A.tocsr() @ result.x), rel=1e-3)
    assert result.residuals.shape == (result.iterations + 1,)
    assert result.residuals[0] == pytest.approx(np.linalg.norm(B))
    assert result.relative_residual == max(column.relative_residual for column in result.columns)
    assert json.dumps(result.to_dict(), allow_nan=False)


def test_the_worst_column_gives_the_status(name):
    A = diffusion()
    B = np.stack([np.zeros(N), right_hand_side()], axis=1)
    result = SOLVERS[name](A, B, rtol=1e-10, **iterations(name, 2))
    assert [column.status for column in result.columns] == [Status.CONVERGED, Status.MAXITER]
    assert result.status is Status.MAXITER
    assert "column 1" in result.message


def test_one_column_keeps_its_shape(name):
    b = right_hand_side()
    result = SOLVERS[name](diffusion(), b[:, None], rtol=1e-8)
    assert result.x.shape == (N, 1)
    assert len(result.columns) == 1


def test_one_unknown(name):
    result = SOLVERS[name]([[4.0]], [2.0], rtol=1e-12)
    assert result.converged
    assert result.x == pytest.approx([0.5])


def test_leaves_its_arguments_alone(name):
    A = diffusion().tocsr()
    b, x0 = right_hand_side(), right_hand_side(seed=7)
    copies = A.copy(), b.copy(), x0.copy()
    result = SOLVERS[name](A, b, x0, rtol=1e-8, **iterations(name, 5000))
    np.testing.assert_array_equal(A.toarray(), copies[0].toarray())
    np.testing.assert_array_equal(b, copies[1])
    np.testing.assert_array_equal(x0, copies[2])
    assert not np.shares_memory(result.x, x0)
    assert not np.shares_memory(result.x, b)


def test_a_matrix_with_duplicate_unsorted_entries_is_read_right_and_left_as_it_is(name):
    A = sp.csr_array(spd_by_dominance(9, 12))
    rows = list(pairwise(A.indptr))
    doubled = sp.csr_array((12, 12))
    doubled.indices = np.concatenate([np.tile(A.indices[s:e], 2)[::-1] for s, e in rows])
    doubled.data = np.concatenate([np.tile(A.data[s:e] / 2.0, 2)[::-1] for s, e in rows])
    doubled.indptr = 2 * A.indptr
    before = doubled.indices.copy(), doubled.data.copy()
    b = np.arange(12.0)
    np.testing.assert_allclose(SOLVERS[name](doubled, b, rtol=1e-12).x, SOLVERS[name](A, b, rtol=1e-12).x, atol=1e-10)
    np.testing.assert_array_equal(doubled.indices, before[0])
    np.testing.assert_array_equal(doubled.data, before[1])


def test_starts_from_the_guess(name):
    A, b = diffusion(), right_hand_side()
    x = np.linalg.solve(A.tocsr().toarray(), b)
    exact = SOLVERS[name](A, b, x, rtol=1e-8)
    assert exact.converged
    assert exact.iterations == 0
    near = SOLVERS[name](A, b, x + 1e-6 * right_hand_side(seed=8), rtol=1e-8)
    assert 0 < near.iterations < SOLVERS[name](A, b, rtol=1e-8).iterations


def test_a_zero_right_hand_side_has_the_zero_solution(name):
    result = SOLVERS[name](diffusion(), np.zeros(N), right_hand_side())
    assert result.converged
    assert result.iterations == 0
    assert not result.x.any()
    assert result.relative_residual == 0.0


@pytest.mark.parametrize("maxiter", [0, 1, 3])
def test_stops_at_maxiter(name, maxiter):
    A, b = diffusion(), right_hand_side()
    result = SOLVERS[name](A, b, rtol=1e-12, **iterations(name, maxiter))
    assert result.status is Status.MAXITER
    assert result.iterations == maxiter
    assert result.info == max(1, maxiter)
    assert result.residual == pytest.approx(np.linalg.norm(b - A.tocsr() @ result.x))
    assert Status.MAXITER.advice in result.message


def test_atol(name):
    A, b = diffusion(), right_hand_side()
    result = SOLVERS[name](A, b, rtol=0.0, atol=1e-3)
    assert result.converged
    assert 0 < result.residual <= 1e-3
    assert SOLVERS[name](A, b, rtol=0.0, atol=2 * np.linalg.norm(b)).iterations == 0


@pytest.mark.parametrize("rtol", [0.0, 1e-19])
def test_a_tolerance_below_the_floor_stagnates_at_the_floor(name, rtol):
    A, b = diffusion(), right_hand_side()
    result = SOLVERS[name](A, b, rtol=rtol, **iterations(name, 20_000))
    assert result.status is Status.STAGNATED
    assert "floor" in result.message
    assert "above the tolerance" in result.message
    floor = np.finfo(float).eps * np.linalg.norm(A.tocsr().toarray(), 2) * np.linalg.norm(result.x)
    assert result.residual <= 10 * floor
    assert result.residual == pytest.approx(np.linalg.norm(b - A @ result.x), rel=1.0, abs=floor)


@pytest.mark.parametrize("scale", [1e-290, 1e-180, 1e180, 1e290])
def test_the_size_of_the_right_hand_side_does_not_matter(name, scale):
    A, b = diffusion(), right_hand_side()
    reference = SOLVERS[name](A, b, rtol=1e-8)
    result = SOLVERS[name](A, scale * b, scale * right_hand_side(seed=4) * 1e-3, rtol=1e-8)
    assert result.converged
    np.testing.assert_allclose(result.x / scale, reference.x, rtol=1e-5, atol=1e-8)
    assert result.relative_residual <= 1e-8


def test_callback_is_called_once_an_iteration_or_cycle(name):
    seen = []
    options = {"callback_type": "pr_norm"} if name == "gmres" else {}
    result = SOLVERS[name](diffusion(), right_hand_side(), rtol=1e-6, callback=seen.append, **options)
    each_cycle = METHODS[name].callback == "cycle"
    assert 1 <= len(seen) <= result.iterations if each_cycle else len(seen) == result.iterations
    assert all(np.shape(value) in ((), (N,)) for value in seen)
    last = seen[-1]
    if last.shape:
        np.testing.assert_array_equal(last, result.x)
    else:
        assert last == pytest.approx(result.relative_residual, rel=1e-3)


def test_is_deterministic(name):
    first, second = (SOLVERS[name](diffusion(), right_hand_side(), rtol=1e-8) for _ in range(2))
    np.testing.assert_array_equal(first.x, second.x)
    np.testing.assert_array_equal(first.residuals, second.residuals)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 25), exponent=st.integers(2, 11))
@settings(max_examples=25, deadline=None)
def test_any_dominant_system_is_solved_to_any_tolerance(name, seed, n, exponent):
    A = spd_by_dominance(seed, n)
    b = np.random.default_rng(seed).standard_normal(n)
    result = SOLVERS[name](sp.csr_array(A), b, rtol=10.0**-exponent, **iterations(name, 5000))
    assert result.converged
    assert np.linalg.norm(b - A @ result.x) <= (1 + 1e-6) * 10.0**-exponent * np.linalg.norm(b) + 1e-15


def strided(array):
    """The same values, in memory not next to each other."""
    wide = np.zeros(tuple(2 * m for m in array.shape), dtype=array.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {"C": np.ascontiguousarray, "Fortran": np.asfortranarray, "strided": strided, "read-only": read_only}
DTYPES = ("int8", "int64", "uint16", "float32", "float64", "complex64", "complex128", ">f8")


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 12),
    layout=st.sampled_from(sorted(LAYOUTS)),
    dtype=st.sampled_from(DTYPES),
    sparse=st.booleans(),
    columns=st.integers(0, 2),
)
@settings(max_examples=25, deadline=None)
def test_memory_layout_and_dtype_of_the_input_do_not_matter(name, seed, n, layout, dtype, sparse, columns):
    """Entries that every dtype holds exactly: the results are equal to the last bits."""
    rng = np.random.default_rng(seed)
    A = np.triu(rng.integers(0, 2, (n, n)), 1)
    A = A + A.T + np.diag(np.full(n, n + 3))
    shape = (n, columns) if columns else (n,)
    b, x0 = rng.integers(0, 9, shape), rng.integers(0, 3, shape)
    change = LAYOUTS[layout]
    given_A = change(A.astype(dtype))
    if sparse:
        given_A = sp.csr_array(given_A.astype(given_A.dtype.newbyteorder("=")))
        given_A.data.flags.writeable = given_A.indices.flags.writeable = given_A.indptr.flags.writeable = False
    given_b, given_x0 = change(b.astype(dtype)), change(x0.astype(dtype))
    expected = SOLVERS[name](A.astype(float), b.astype(float), x0.astype(float), rtol=1e-9, **iterations(name, 5000))
    found = SOLVERS[name](given_A, given_b, given_x0, rtol=1e-9, **iterations(name, 5000))
    assert found.converged
    assert found.x.dtype == (np.complex128 if dtype.startswith("complex") else np.float64)
    size = max(1.0, float(np.abs(expected.x).max()))
    np.testing.assert_allclose(found.x, expected.x, rtol=1e-6, atol=1e-7 * size)
    residual = np.linalg.norm(b - A @ found.x, axis=0)
    assert np.all(residual <= 1.001e-9 * np.linalg.norm(b, axis=0) + 1e-15)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 20), guess=st.booleans())
@settings(max_examples=20, deadline=None)
def test_any_complex_hermitian_dominant_system(name, seed, n, guess):
    A = spd_by_dominance(seed, n).astype(complex)
    phases = np.exp(2j * np.pi * np.random.default_rng(seed).random(n))
    A = phases[:, None] * A * phases.conj()  # a unitary similarity: Hermitian, the same spectrum
    A = 0.5 * (A + A.conj().T)
    rng = np.random.default_rng(seed + 1)
    b = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    x0 = rng.standard_normal(n) + 1j * rng.standard_normal(n) if guess else None
    result = SOLVERS[name](A, b, x0, rtol=1e-8, **iterations(name, 5000))
    assert result.converged
    assert np.linalg.norm(b - A @ result.x) <= 1.001e-8 * np.linalg.norm(b)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 20), complex_=st.booleans())
@settings(max_examples=20, deadline=None)
def test_any_nonsymmetric_dominant_system(name, seed, n, complex_):
    """By those that take one; the others never call a false residual converged."""
    rng = np.random.default_rng(seed)
    A = rng.uniform(-1.0, 1.0, (n, n)) * np.exp(2j * np.pi * rng.random((n, n)) * complex_)
    A = A if complex_ else A.real
    np.fill_diagonal(A, np.abs(A).sum(axis=1) + 1.0)
    b = rng.standard_normal(n)
    step = {"omega": 1.0 / float(np.abs(A).sum(axis=1).max())} if name == "richardson" else {}
    result = SOLVERS[name](A, b, rtol=1e-8, **iterations(name, 3000), **step)
    true = np.linalg.norm(b - A @ result.x)
    assert np.isfinite(true)
    assert result.converged == (true <= 1.0001e-8 * np.linalg.norm(b))
    if not METHODS[name].hermitian:
        assert result.converged


class _Of:
    """A preconditioner of some kind: the identity."""

    def __init__(self, kind):
        self.kind = kind
        self.shape = (N, N)
        self.dtype = np.dtype(float)

    def matvec(self, r):
        return r.copy()


@pytest.mark.parametrize("kind", ["spd", "linear", "nonlinear"])
def test_takes_only_preconditioners_of_its_kinds(name, kind):
    A, b = diffusion(), right_hand_side()
    if kind in ACCEPTED_KINDS[name]:
        result = SOLVERS[name](A, b, rtol=1e-8, M=_Of(kind))
        assert result.converged
        assert result.applies >= result.iterations
        plain = SOLVERS[name](A, b, rtol=1e-8)
        assert abs(result.iterations - plain.iterations) <= 1
        return
    with pytest.raises(InputError) as caught:
        SOLVERS[name](A, b, M=_Of(kind))
    others = [solver for solver, kinds in ACCEPTED_KINDS.items() if kind in kinds]
    assert all(solver in str(caught.value) for solver in others)
    assert name in str(caught.value)


def with_entry(array, value):
    array = np.array(array, dtype=float)
    array.flat[3] = value
    return array


IDENTITY = sp.eye_array(N, format="csr")
MISTAKES = {
    "rectangular A": (lambda: (sp.csr_array((N, N + 1)), np.ones(N), {}), "square"),
    "one-dimensional A": (lambda: (np.ones(N), np.ones(N), {}), "square"),
    "ragged A": (lambda: ([[1.0, 2.0], [3.0]], np.ones(2), {}), "rows of equal length"),
    "empty A": (lambda: (np.zeros((0, 0)), np.zeros(0), {}), "empty"),
    "NaN in A": (lambda: (with_entry(np.eye(N), np.nan), np.ones(N), {}), "NaN"),
    "infinity in sparse A": (lambda: (sp.csr_array(with_entry(np.eye(N), np.inf)), np.ones(N), {}), "infinite"),
    "A a string": (lambda: ("matrix.mtx", np.ones(N), {}), "str"),
    "A None": (lambda: (None, np.ones(N), {}), "NoneType"),
    "A of strings": (lambda: (np.full((N, N), "1"), np.ones(N), {}), "dtype"),
    "A boolean": (lambda: (np.eye(N, dtype=bool), np.ones(N), {}), "dtype"),
    "A quadruple": (lambda: (np.eye(N, dtype=np.longdouble), np.ones(N), {}), "dtype"),
    "long b": (lambda: (IDENTITY, np.ones(N + 1), {}), "expected"),
    "b a row": (lambda: (IDENTITY, np.ones((1, N)), {}), "b.T"),
    "b without columns": (lambda: (IDENTITY, np.ones((N, 0)), {}), "columns"),
    "b of three axes": (lambda: (IDENTITY, np.ones((N, 1, 1)), {}), "shape"),
    "b of strings": (lambda: (IDENTITY, ["a"] * N, {}), "dtype"),
    "b None": (lambda: (IDENTITY, None, {}), "b "),
    "b sparse": (lambda: (IDENTITY, sp.csr_array(np.ones((N, 1))), {}), "toarray"),
    "NaN in b": (lambda: (IDENTITY, with_entry(np.ones(N), np.nan), {}), "NaN"),
    "x0 of another shape": (lambda: (IDENTITY, np.ones((N, 2)), {"x0": np.ones(N)}), "x0"),
    "infinity in x0": (lambda: (IDENTITY, np.ones(N), {"x0": with_entry(np.ones(N), np.inf)}), "x0"),
    "negative rtol": (lambda: (IDENTITY, np.ones(N), {"rtol": -1e-8}), "rtol"),
    "NaN rtol": (lambda: (IDENTITY, np.ones(N), {"rtol": np.nan}), "rtol"),
    "rtol a string": (lambda: (IDENTITY, np.ones(N), {"rtol": "1e-8"}), "rtol"),
    "negative atol": (lambda: (IDENTITY, np.ones(N), {"atol": -1.0}), "atol"),
    "negative maxiter": (lambda: (IDENTITY, np.ones(N), {"maxiter": -1}), "maxiter"),
    "fractional maxiter": (lambda: (IDENTITY, np.ones(N), {"maxiter": 2.5}), "maxiter"),
    "callback a number": (lambda: (IDENTITY, np.ones(N), {"callback": 3}), "callback"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named_in_one_line(name, mistake):
    build, word = MISTAKES[mistake]
    A, b, arguments = build()
    if word == "square" and not METHODS[name].square:
        if mistake == "rectangular A":
            assert SOLVERS[name](A, b).status is Status.INCONSISTENT  # A is zero
            return
        word = "(m, n)"
    with pytest.raises(InputError) as caught:
        SOLVERS[name](A, b, **arguments)
    message = str(caught.value)
    assert word in message
    assert "\n" not in message
    assert message.endswith(".")


def test_a_matrix_given_by_its_products_alone(name):
    """Solved to tolerance by those that need no entries; the others say what they need."""
    stencil, b = diffusion(), right_hand_side()
    A = LinearOperator(stencil.shape, matvec=lambda v: stencil @ v, dtype=float)
    if name in NEED_ENTRIES + NEED_ADJOINT:
        with pytest.raises(InputError, match="needs the"):
            SOLVERS[name](A, b, rtol=1e-8)
        return
    result = SOLVERS[name](A, b, rtol=1e-8)
    assert result.converged
    assert np.linalg.norm(b - stencil @ result.x) <= 1.001e-8 * np.linalg.norm(b)
