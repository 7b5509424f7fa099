"""Operands that are not what they seem: each works right, or is refused in one line with the fix."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from resolvent.solvers import PRECONDITIONERS, SOLVERS, InputError, Status, cg, fcg, gmres, lgmres, minres, solve_batch
from resolvent.solvers.registry import ACCEPTED_KINDS

N = 8
LINE = 2.0 * np.eye(N) - np.eye(N, k=1) - np.eye(N, k=-1)
B = np.linspace(1.0, 2.0, N)
X = np.linalg.solve(LINE, B)


def later(wrong, calls=3):
    """Return r ↦ r that returns `wrong(r)` from some call on."""
    count = [0]

    def function(r):
        count[0] += 1
        return r.copy() if count[0] <= calls else wrong(r)

    return function


WRONG = {
    "too short": (lambda r: r[:-1], r"shape \(7,\)"),
    "a column": (lambda r: r[:, None], r"shape \(8, 1\)"),
    "a list": (lambda r: r.tolist(), "a list"),
    "nothing": (lambda r: None, "a NoneType"),
    "objects": (lambda r: r.astype(object), "dtype object"),
    "text": (lambda r: r.astype(str), "dtype <U"),
    "complex": (lambda r: r * 1j, "dtype=complex"),
    "masked": (lambda r: np.ma.masked_array(r), r"\.filled"),
}


@pytest.mark.parametrize("calls", [0, 3])
@pytest.mark.parametrize("solver", [cg, fcg, minres, gmres, lgmres])
@pytest.mark.parametrize("wrong", WRONG)
def test_every_result_of_a_preconditioner_is_checked(wrong: str, solver, calls: int) -> None:
    function, message = WRONG[wrong]
    with pytest.raises(InputError, match=message):
        solver(LINE, B, M=later(function, calls), rtol=1e-12)


@pytest.mark.parametrize("wrong", ["too short", "objects", "complex", "masked", "nothing"])
def test_every_result_of_an_operator_is_checked(wrong: str) -> None:
    function, message = WRONG[wrong]
    counts = [0]

    def matvec(x):
        counts[0] += 1
        return LINE @ x if counts[0] < 4 else function(LINE @ x)

    class Own:
        shape, dtype = (N, N), np.dtype(float)

        def matvec(self, x):
            return matvec(x)

    for A in (Own(), LinearOperator((N, N), matvec=matvec, dtype=float)):
        counts[0] = 0
        with pytest.raises(InputError, match=message):
            cg(A, B, rtol=1e-12)


def test_results_in_lower_precision_and_integers_are_converted() -> None:
    single = later(lambda r: r.astype(np.float32), 0)
    assert cg(LINE, B, M=single).converged
    assert cg(LINE, B, M=lambda r: r.astype(np.longdouble)).converged
    assert cg(LinearOperator((N, N), matvec=lambda x: (LINE @ x).tolist(), dtype=float), B).converged
    assert cg(LinearOperator((N, N), matvec=lambda x: (LINE @ x)[:, None], dtype=float), B).converged


@pytest.mark.parametrize(
    "solver", ["cg", "fcg", "minres", "gmres", "fgmres", "deflated_cg", "recycled_minres", "block_cg"]
)
def test_results_in_one_buffer_and_arguments_overwritten(solver: str) -> None:
    """The iterates are those of a function that hands out new arrays and leaves its argument alone."""
    diagonal = 1.0 / np.arange(1.0, N + 1.0)
    buffer = np.empty(N)

    def in_one_buffer(r):
        np.multiply(diagonal, r, out=buffer)
        return buffer

    def in_a_view_of_it(r):
        np.multiply(diagonal, r, out=buffer)
        return buffer[:]

    def in_place(r):
        r *= diagonal
        return r

    def spoiling(r):
        z = diagonal * r
        r[:] = np.nan
        return z

    def spoiling_product(x):
        y = LINE @ x
        x[:] = 0.0
        return y

    plain = SOLVERS[solver](LINE, B, M=lambda r: diagonal * r, rtol=1e-10)
    assert plain.converged
    for M in (in_one_buffer, in_a_view_of_it, in_place, spoiling):
        result = SOLVERS[solver](LINE, B, M=M, rtol=1e-10)
        np.testing.assert_array_equal(result.x, plain.x)
    A = LinearOperator((N, N), matvec=spoiling_product, dtype=float)
    np.testing.assert_allclose(SOLVERS[solver](A, B, rtol=1e-10).x, X, rtol=1e-8)


def test_identities_may_return_their_argument() -> None:
    for solver in SOLVERS.values():
        if solver.__name__ not in ("jacobi", "gauss_seidel", "sor", "ssor"):
            A = LinearOperator((N, N), matvec=lambda x: x, rmatvec=lambda x: x, dtype=float)
            np.testing.assert_allclose(solver(A, B).x, B)


def test_nan_from_a_preconditioner_is_a_status() -> None:
    for name, solver in SOLVERS.items():
        if ACCEPTED_KINDS[name]:
            result = solver(LINE, B, M=later(lambda r: r * np.nan, 1), rtol=1e-12)
            assert result.converged or result.status in (Status.NONFINITE, Status.BREAKDOWN, Status.STAGNATED)
            assert np.isfinite(result.x).all()


def test_exceptions_of_users_pass_through() -> None:
    class MineError(Exception):
        pass

    def broken(r):
        raise MineError("out of licences")

    for solver in (cg, gmres, SOLVERS["block_cg"], SOLVERS["gcrodr"]):
        with pytest.raises(MineError, match="out of licences"):
            solver(LINE, B, M=broken)


def test_masked_arrays_are_refused() -> None:
    masked = np.ma.masked_array(LINE, mask=np.eye(N, dtype=bool))
    side = np.ma.masked_array(B, mask=np.arange(N) == 2)
    for solver in SOLVERS.values():
        for arguments in ((masked, B), (LINE, side), (LINE, B, side)):
            with pytest.raises(InputError, match=r"masked array; .*\.filled\(value\)"):
                solver(*arguments)
    for name in ("M", "nullspace"):
        with pytest.raises(InputError, match=f"{name} is a masked array"):
            cg(LINE, B, **{name: side if name == "nullspace" else masked})
    with pytest.raises(InputError, match="masked array"):
        cg([side, *LINE[1:]], B)
    with pytest.raises(InputError, match="masked array"):
        solve_batch(np.ma.ones((1, 4, 4)))
    for cls in PRECONDITIONERS.values():
        with pytest.raises(InputError, match="masked array"):
            cls.setup(masked)


class Table:
    """Stand for a table of data: entries with names."""

    shape = (N, N)

    def to_numpy(self):
        return LINE


@pytest.mark.parametrize(
    ("A", "message"),
    [
        (LINE.astype(object), "dtype object"),
        (LINE.astype(str), "dtype <U"),
        (LINE.astype("datetime64[s]"), "dtype datetime64"),
        (LINE.astype(np.longdouble), "up to double precision"),
        (LINE != 0.0, "dtype bool"),
        (np.zeros((N, N), dtype=[("a", float)]), "expected real or complex numbers"),
        (np.float64(3.0), "expected a"),
        (sp.csr_array(LINE != 0.0), "dtype bool"),
        (Table(), r"pass A\.to_numpy\(\)"),
        ("A", "is a str"),
        (None, "is a NoneType"),
    ],
)
def test_other_containers_are_refused(A, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cg(A, B)


@pytest.mark.parametrize(
    "A",
    [
        np.asfortranarray(LINE),
        LINE[::-1, ::-1],
        LINE.astype(np.float16),
        LINE.astype(np.int8),
        LINE.astype(">f8"),
        np.asmatrix(LINE),
        np.array(LINE).view(np.recarray),
        sp.csr_array(LINE.astype(np.int8)),
        sp.csc_matrix(LINE),
        sp.lil_array(LINE),
        sp.dok_array(LINE),
        sp.bsr_array(LINE, blocksize=(2, 2)),
        sp.dia_array(LINE),
        LINE.tolist(),
    ],
)
@pytest.mark.parametrize("solver", ["cg", "gauss_seidel", "jacobi", "gcrodr", "block_cg"])
def test_containers_that_work(A, solver: str) -> None:
    result = SOLVERS[solver](A, B, rtol=1e-8, maxiter=2000)
    np.testing.assert_allclose(result.x, X, rtol=1e-6)


def test_read_only_and_strided_vectors() -> None:
    read_only = LINE.copy()
    side, guess = B.copy(), np.ones(N)
    for array in (read_only, side, guess):
        array.flags.writeable = False
    for solver in SOLVERS.values():
        settings = {"rtol": 1e-8, "maxiter": 2000}
        np.testing.assert_allclose(solver(read_only, side, guess, **settings).x, X, rtol=1e-6)
        np.testing.assert_allclose(solver(LINE[::-1, ::-1], B[::-1], **settings).x, X[::-1], rtol=1e-6)
        wide = np.repeat(B, 2)[::2]
        np.testing.assert_allclose(solver(LINE, wide, **settings).x, X, rtol=1e-6)


def damaged(**changes):
    A = sp.csr_array(LINE)
    for name, (place, value) in changes.items():
        getattr(A, name)[place] = value
    return A


@pytest.mark.parametrize("make", [sp.csr_array, sp.csc_array, lambda A: sp.bsr_array(A, blocksize=(2, 2))])
@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("indices", 3, 10**8),
        ("indices", 3, -5),
        ("indptr", 1, -7),
        ("indptr", 1, 10**6),
        ("indptr", -1, 10**6),
        ("indptr", 0, 1),
    ],
)
def test_damaged_indices_are_refused(make, name: str, place: int, value: int) -> None:
    A = make(LINE)
    getattr(A, name)[place] = value
    for solver in ("cg", "gauss_seidel", "jacobi", "gcrodr"):
        with pytest.raises(InputError, match="damaged sparse matrix"):
            SOLVERS[solver](A, B)
    for cls in PRECONDITIONERS.values():
        with pytest.raises(InputError, match="damaged sparse matrix"):
            cls.setup(A)


def test_damaged_coordinates_and_short_data_are_refused() -> None:
    A = sp.coo_array(LINE)
    A.coords[0][2] = 10**7
    with pytest.raises(InputError, match="damaged sparse matrix"):
        cg(A, B)
    A = sp.csr_array(LINE)
    A.data = A.data[:-1]
    with pytest.raises(InputError, match="damaged sparse matrix"):
        cg(A, B)
