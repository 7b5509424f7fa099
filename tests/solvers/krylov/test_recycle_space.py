"""Recycling: GCRO-DR against GMRES-DR and SciPy's GCROT, and what a space promises from one system to the next."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from hypothesis import given, settings
from hypothesis import strategies as st
from pyamg.gallery import load_example

from resolvent.solvers import (
    IC0,
    ILU0,
    SOLVERS,
    InputError,
    RecycleSpace,
    Status,
    cg,
    deflated_cg,
    fgcrodr,
    gcrodr,
    gmres,
    minres,
    recycled_minres,
)
from resolvent.solvers.registry import METHODS

RECYCLING = {
    "gcrodr": gcrodr,
    "fgcrodr": fgcrodr,
    "deflated_cg": deflated_cg,
    "recycled_minres": recycled_minres,
}
GCRO = {name: RECYCLING[name] for name in ("gcrodr", "fgcrodr")}


def convection(n=16, speed=30.0, wobble=0.0):
    """Upwind convection-diffusion on an n × n grid, nonsymmetric; `wobble` varies the speed smoothly."""
    h = 1.0 / (n + 1)
    speeds = speed * (1.0 + wobble * np.sin(np.pi * h * np.arange(1, n + 1)))
    one = sp.diags_array([2.0 + speeds * h, -np.ones(n - 1), -1.0 - speeds[:-1] * h], offsets=[0, 1, -1])
    return sp.csr_array(sp.kron(one, sp.eye_array(n)) + sp.kron(sp.eye_array(n), one))


def laplacian(n=24, shift=0.0):
    return convection(n, 0.0) - shift * sp.eye_array(n * n, format="csr")


def helmholtz():
    return sp.csr_array(load_example("helmholtz_2D")["A"])


def system_of(name, n=24):
    """A matrix that the solver is made for, and one near it."""
    if name in GCRO:
        return convection(n, 2.0), convection(n, 2.0, wobble=0.05)
    shift = 0.0 if name == "deflated_cg" else 0.06
    near = sp.diags_array(1e-3 * np.random.default_rng(8).random(n * n))
    return laplacian(n, shift), sp.csr_array(laplacian(n, shift) + near)


def vector(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n)


def images_are_sound(A, space):
    assert np.abs(A @ space.U - space.C).max() <= 1e-10
    assert np.abs(space.C.conj().T @ space.C - np.eye(space.k)).max() <= 1e-12


# --- one system -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preconditioned", [False, True])
@pytest.mark.parametrize("matrix", [lambda: convection(40), helmholtz], ids=["real", "complex"])
def test_images_after_each_cycle(matrix, preconditioned):
    A = matrix()
    b = A @ vector(A.shape[0])
    M = sp.diags_array(1.0 / A.diagonal()) if preconditioned else None
    for cycles in range(1, 6):
        result = gcrodr(A, b, rtol=1e-12, iterations=20 + 12 * (cycles - 1), restart=20, k=8, M=M)
        assert result.status is Status.MAXITER
        assert 7 <= result.space.k <= 8
        assert np.isrealobj(result.space.U) == np.isrealobj(A.data)
        images_are_sound(A, result.space)
        if preconditioned:
            assert np.abs(M @ result.space.preimages.T - result.space.U).max() <= 1e-10


def gmres_dr_history(A, b, m, k, iterations):
    """Residual norms of GMRES-DR(m, k), dense, from the formulas of Morgan (2002); the reference.

    Harmonic Ritz vectors of H_m + h²_{m+1,m} H_m⁻ᴴ e_m e_mᴴ, then the residual's coordinates, orthonormalised, start
    the next cycle's basis.
    """
    n = len(b)
    V = np.zeros((n, m + 1), dtype=np.result_type(A.dtype, b.dtype))
    H = np.zeros((m + 1, m), dtype=V.dtype)
    r, history = b.copy(), [np.linalg.norm(b)]
    V[:, 0], start = r / np.linalg.norm(r), 0
    while True:
        c = V.conj().T @ r
        for j in range(start, m):
            w = A @ V[:, j]
            for _ in range(2):
                h = V[:, : j + 1].conj().T @ w
                w -= V[:, : j + 1] @ h
                H[: j + 1, j] += h
            H[j + 1, j] = np.linalg.norm(w)
            V[:, j + 1] = w / H[j + 1, j]
            y, *_ = np.linalg.lstsq(H[: j + 2, : j + 1], c[: j + 2], rcond=None)
            history.append(np.linalg.norm(c[: j + 2] - H[: j + 2, : j + 1] @ y))
            if len(history) > iterations:
                return np.array(history)
        residual = c - H @ y
        r = V @ residual
        shifted = H[:m].copy()
        shifted[:, -1] += abs(H[m, m - 1]) ** 2 * np.linalg.solve(H[:m].conj().T, np.eye(m)[:, -1])
        theta, Y = np.linalg.eig(shifted)
        order = np.argsort(np.abs(theta), kind="stable")
        if np.isrealobj(H):
            pair = abs(theta[order[k - 1]].imag) > 0 and np.isclose(theta[order[k - 1]], theta[order[k]].conj())
            order = order[: k - 1 if pair else k]
            Y = np.concatenate([Y[:, order].real, Y[:, order].imag], axis=1)
            Y = scipy.linalg.qr(Y, mode="economic", pivoting=True)[0][:, : len(order)]
        else:
            Y = Y[:, order[:k]]
        kept = Y.shape[1]
        P = np.zeros((m + 1, kept + 1), dtype=V.dtype)
        P[:m, :kept], P[:, kept] = np.linalg.qr(Y)[0], residual
        P = np.linalg.qr(P)[0]
        H_kept = P.conj().T @ H @ P[:m, :kept]
        V[:, : kept + 1] = V @ P
        H[:] = 0.0
        H[: kept + 1, :kept] = H_kept
        V[:, kept + 1 :], start = 0.0, kept


@pytest.mark.parametrize(
    "matrix", [lambda: convection(30), lambda: laplacian(20), helmholtz], ids=["real", "symmetric", "complex"]
)
@pytest.mark.parametrize(("m", "k"), [(20, 8), (12, 3)])
def test_one_system_is_gmres_with_deflated_restarts(matrix, m, k):
    A = matrix()
    b = A @ vector(A.shape[0], 1)
    steps = 4 * m
    expected = gmres_dr_history(A, b, m, k, steps)
    found = gcrodr(A, b, rtol=1e-14, restart=m, k=k, iterations=steps).residuals
    # The residual falls by up to 4e11: near its end, rounding alone decides the sixth digit.
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-13 * expected[0])
    assert not np.allclose(found, gmres(A, b, rtol=1e-14, restart=m, iterations=steps).residuals, rtol=1e-3)


def test_preconditioned_it_is_gmres_with_deflated_restarts_of_the_preconditioned_matrix():
    A = convection()
    b = vector(A.shape[0], 1)
    M = ILU0.setup(A)
    dense = A @ np.stack([M.matvec(e) for e in np.eye(A.shape[0])], axis=1)
    expected = gmres_dr_history(dense, b, 6, 3, 18)
    for solver in GCRO.values():
        found = solver(A, b, rtol=1e-14, restart=6, k=3, iterations=18, M=M).residuals
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-13 * expected[0])


def test_flexible_takes_a_preconditioner_that_changes():
    A = convection()
    calls = []

    def inner(r):
        calls.append(1)
        return gmres(A, r, rtol=1e-1, iterations=4 + len(calls) % 5).x

    result = fgcrodr(A, vector(A.shape[0]), rtol=1e-10, M=inner, restart=10, k=4)
    assert result.converged
    assert result.applies == len(calls) == result.iterations
    images_are_sound(A, result.space)


@pytest.mark.parametrize("matrix", ["convection", "strong convection", "laplacian", "recirc_flow", "helmholtz"])
def test_products_beside_scipys_gcrot(matrix):
    """Same vectors kept (20 + 20): GCRO-DR takes 0.64 to 1.04 times the products of SciPy's GCROT(m, k) here."""
    A = {
        "convection": lambda: convection(40),
        "strong convection": lambda: convection(40, 300.0),
        "laplacian": lambda: laplacian(60),
        "recirc_flow": lambda: sp.csr_array(load_example("recirc_flow")["A"]),
        "helmholtz": helmholtz,
    }[matrix]()
    b = A @ vector(A.shape[0])
    products = []
    counted = spla.LinearOperator(A.shape, matvec=lambda v: products.append(1) or A @ v, dtype=A.dtype)
    _, info = spla.gcrotmk(counted, b, rtol=1e-8, atol=0.0, m=20, k=20)
    result = gcrodr(A, b, rtol=1e-8)
    assert info == result.info == 0
    assert 0.5 * len(products) <= result.matvecs <= 1.1 * len(products)


@pytest.mark.parametrize("name", ["deflated_cg", "recycled_minres"])
@pytest.mark.parametrize("preconditioned", [False, True])
def test_without_a_space_the_iterates_are_those_of_the_plain_method(name, preconditioned):
    A, _ = system_of("deflated_cg" if preconditioned else name)
    b = vector(A.shape[0])
    M = IC0.setup(A) if preconditioned else None
    plain = (cg if name == "deflated_cg" else minres)(A, b, rtol=1e-8, M=M)
    result = RECYCLING[name](A, b, rtol=1e-8, M=M)
    assert result.iterations == plain.iterations
    np.testing.assert_allclose(result.residuals, plain.residuals, rtol=1e-6)
    np.testing.assert_allclose(result.x, plain.x, rtol=1e-10, atol=1e-12)
    assert (result.matvecs, result.applies) == (plain.matvecs, plain.applies)


@pytest.mark.parametrize("name", ["deflated_cg", "recycled_minres"])
def test_the_harvest_is_of_the_smallest_eigenvectors(name):
    """After a few solves with one matrix the space holds the eigenvectors of least |λ| to a small angle."""
    A, _ = system_of(name, 14)
    space = None
    for seed in range(6):
        space = RECYCLING[name](A, vector(196, seed), rtol=1e-10, k=12, space=space).space
        images_are_sound(A, space)
    values, vectors = np.linalg.eigh(A.toarray())
    leading = vectors[:, np.argsort(np.abs(values))[:6]]
    basis = np.linalg.qr(space.U)[0]
    assert np.linalg.norm(leading - basis @ (basis.T @ leading), axis=0).max() < 1e-3


# --- from one system to the next ------------------------------------------------------------------------------------


@pytest.mark.parametrize("preconditioned", [False, True])
@pytest.mark.parametrize("name", RECYCLING)
def test_an_unchanged_matrix_takes_strictly_fewer_iterations_and_one_product_of_set_up(name, preconditioned):
    A, _ = system_of("deflated_cg" if preconditioned else name)
    b, c = vector(A.shape[0]), vector(A.shape[0], 1)
    M = IC0.setup(A) if preconditioned else None
    first = RECYCLING[name](A, b, rtol=1e-8, M=M, k=12)
    again = RECYCLING[name](A, b, rtol=1e-8, M=M, k=12, space=first.space)
    other = RECYCLING[name](A, c, rtol=1e-8, M=M, k=12, space=first.space)
    alone = RECYCLING[name](A, c, rtol=1e-8, M=M, k=12)
    assert first.converged
    assert again.converged
    assert other.converged
    assert again.iterations < first.iterations
    assert other.iterations < alone.iterations
    recomputed = 8  # products of recomputed residuals, one a cycle
    assert other.matvecs <= other.iterations + recomputed


@pytest.mark.parametrize("name", RECYCLING)
def test_the_products_of_the_set_up_are_counted(name):
    A, near = system_of(name)
    b = vector(A.shape[0])
    products, applications = [], []
    counted = spla.LinearOperator(A.shape, matvec=lambda v: products.append(1) or near @ v, dtype=float)
    M = spla.LinearOperator(A.shape, matvec=lambda v: applications.append(1) or v / 4.0, dtype=float)
    space = RECYCLING[name](A, b, rtol=1e-8, k=10).space
    result = RECYCLING[name](counted, b, rtol=1e-8, k=10, M=M, space=space)
    assert result.converged
    assert result.matvecs == len(products)
    assert result.applies == len(applications)
    steps = result.iterations - 1  # the first is the projection on the space, which takes no product
    assert result.matvecs >= steps + space.k
    if name not in GCRO:
        assert result.applies >= steps + space.k


@pytest.mark.parametrize("name", RECYCLING)
def test_a_slowly_varying_sequence_gains(name):
    rng = np.random.default_rng(3)
    space, recycled, alone = None, 0, 0
    for i in range(8):
        if name in GCRO:
            A = convection(24, 2.0, wobble=0.05 * i)
        else:
            A = sp.csr_array(system_of(name)[0] + sp.diags_array(1e-3 * i * np.linspace(0.0, 1.0, 576)))
        b = rng.standard_normal(576)
        result = RECYCLING[name](A, b, rtol=1e-8, space=space)
        assert result.converged
        assert np.linalg.norm(b - A @ result.x) <= 1.001e-8 * np.linalg.norm(b)
        images_are_sound(A, result.space)
        space = result.space
        recycled += result.iterations
        alone += RECYCLING[name](A, b, rtol=1e-8).iterations
    assert recycled < (0.75 if name in GCRO else 0.92) * alone


def test_a_complex_sequence():
    space, iterations = None, []
    for i in range(3):
        A = sp.csr_array(helmholtz() + 1e-3j * i * sp.eye_array(2880))
        result = gcrodr(A, A @ (vector(2880, i) + 1j * vector(2880, 9 + i)), rtol=1e-8, space=space)
        assert result.converged
        images_are_sound(A, result.space)
        space = result.space
        iterations.append(result.iterations)
    assert max(iterations[1:]) < 0.9 * iterations[0]


@pytest.mark.parametrize("name", RECYCLING)
def test_columns_share_the_space(name):
    A, _ = system_of(name)
    B = np.random.default_rng(0).standard_normal((576, 4))
    together = RECYCLING[name](A, B, rtol=1e-8)
    assert together.converged
    alone = [RECYCLING[name](A, B[:, j], rtol=1e-8) for j in range(4)]
    assert together.columns[0].iterations == alone[0].iterations
    assert sum(column.iterations for column in together.columns) < sum(one.iterations for one in alone)
    images_are_sound(A, together.space)


def test_a_complex_space_of_a_real_system_is_split_and_a_real_one_of_a_complex_system_taken():
    A = convection()
    b = vector(256)
    imaginary = gcrodr(A, b + 1j * vector(256, 1), rtol=1e-8)
    assert np.iscomplexobj(imaginary.space.U)
    real = gcrodr(A, b, rtol=1e-8, space=imaginary.space)
    assert real.converged
    assert real.x.dtype == real.space.U.dtype == np.float64
    images_are_sound(A, real.space)
    again = gcrodr(A, b * 1j, rtol=1e-8, space=real.space)
    assert again.converged
    images_are_sound(A, again.space)


@pytest.mark.parametrize("name", RECYCLING)
def test_known_directions_make_a_space(name):
    """The exact eigenvectors of least |λ|, some of them twice: dependent ones are left out."""
    A, _ = system_of(name, 12)
    values, vectors = np.linalg.eig(A.toarray())
    slow = np.real(vectors[:, np.argsort(np.abs(values))[:6]])
    space = RecycleSpace.from_vectors(np.concatenate([slow, slow[:, :2]], axis=1))
    assert space.k == 8
    assert space.C is None
    b = vector(144)
    result = RECYCLING[name](A, b, rtol=1e-8, space=space)
    assert result.converged
    images_are_sound(A, result.space)


@pytest.mark.parametrize("name", RECYCLING)
def test_a_space_that_does_not_help_is_dropped(name):
    """Random directions on a well-conditioned matrix cost more than they save: struck twice, then dropped."""
    n = 300
    A = sp.csr_array(sp.diags_array(np.linspace(1.0, 1.5, n)))
    useless = RecycleSpace.from_vectors(np.random.default_rng(0).standard_normal((n, 20)))
    rate = RECYCLING[name](A, vector(n), rtol=1e-8).space.products_per_decade
    space = dataclasses.replace(useless, products_per_decade=rate)
    struck = []
    for seed in range(2):
        perturbed = sp.csr_array(A + sp.diags_array(0.1 * np.random.default_rng(seed).random(n)))
        result = RECYCLING[name](perturbed, vector(n, seed), rtol=1e-8, space=space)
        assert result.converged
        space = result.space
        struck.append(None if space is None else space.strikes)
    assert struck == [1, None]


# --- edges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECYCLING)
def test_edges(name):
    solver = RECYCLING[name]
    A, near = system_of(name, 12)
    b = vector(144)
    first = solver(A, b, rtol=1e-8)
    zero = solver(A, np.zeros(144), space=first.space)
    assert zero.converged
    assert not zero.x.any()
    assert zero.space.k == first.space.k
    assert solver(A, b, first.x, rtol=1e-8, space=first.space).iterations == 0
    warm = solver(near, b, first.x, rtol=1e-10, space=first.space)
    assert warm.converged
    one = solver([[4.0]], [2.0], rtol=1e-12, space=solver([[3.0]], [1.0]).space)
    assert one.x == pytest.approx([0.5])
    exact = solver(A, b, rtol=1e-8, space=RecycleSpace.from_vectors(np.eye(144)[:, :130]))
    assert exact.converged
    limit = "maxiter" if METHODS[name].maxiter == "iterations" else "iterations"
    stopped = solver(near, b, rtol=1e-10, space=first.space, **{limit: 1})
    assert stopped.status is Status.MAXITER
    assert stopped.iterations == 1
    assert stopped.residual == pytest.approx(np.linalg.norm(b - near @ stopped.x))


@pytest.mark.parametrize("name", RECYCLING)
def test_a_space_is_immutable(name):
    A, near = system_of(name, 12)
    b = vector(144)
    space = SOLVERS[name](A, b, rtol=1e-8).space
    before = space.U.copy(), space.C.copy()
    for array in (space.U, space.C, space.directions, space.images):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        space.strikes = 3
    first, second = (SOLVERS[name](near, b, rtol=1e-8, space=space) for _ in range(2))
    np.testing.assert_array_equal(first.x, second.x)
    np.testing.assert_array_equal(space.U, before[0])
    np.testing.assert_array_equal(space.C, before[1])


SPACE = RecycleSpace.from_vectors(np.ones((9, 2)))
MISTAKES = {
    "another size": ({"space": SPACE}, "vectors of length 9"),
    "an array": ({"space": np.ones((4, 2))}, "ndarray"),
    "unequal arrays": ({"space": dataclasses.replace(SPACE, images=np.ones((3, 9)))}, "equal ones"),
    "one axis": ({"space": RecycleSpace(np.ones(4))}, "(k, n)"),
    "NaN": ({"space": RecycleSpace(np.full((1, 4), np.nan))}, "NaN"),
    "k zero": ({"k": 0}, "k is 0"),
    "k a float": ({"k": 2.0}, "k is 2.0"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", RECYCLING)
def test_mistakes_are_named_in_one_line(name, mistake):
    arguments, word = MISTAKES[mistake]
    with pytest.raises(InputError) as caught:
        RECYCLING[name](np.eye(4), np.ones(4), **arguments)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_k_must_leave_room_in_a_cycle():
    for arguments in ({"k": 40}, {"k": 5, "restart": 5}, {"restart": 1}):
        with pytest.raises(InputError, match="restart"):
            gcrodr(np.eye(4), np.ones(4), **arguments)
    with pytest.raises(InputError, match="vectors"):
        RecycleSpace.from_vectors(np.ones((2, 2, 2)))


@given(
    seed=st.integers(0, 10**6), n=st.integers(1, 25), k=st.integers(1, 6), extra=st.integers(1, 6), cplx=st.booleans()
)
@settings(max_examples=40, deadline=None)
def test_any_matrix_with_a_positive_definite_part(seed, n, k, extra, cplx):
    """Deflated restarts converge where restarted GMRES does, with any space to start from."""
    rng = np.random.default_rng(seed)
    square = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if cplx else 0.0)
    A = square - square.conj().T + np.diag(rng.uniform(2.0, 4.0, n)) * np.sqrt(n)
    space = RecycleSpace.from_vectors(rng.standard_normal((n, int(rng.integers(1, n + 2)))))
    for _ in range(3):
        b = rng.standard_normal(n)
        result = gcrodr(A, b, rtol=1e-8, restart=k + extra, k=k, maxiter=20_000, space=space)
        assert result.converged
        assert np.linalg.norm(b - A @ result.x) <= 1.001e-8 * np.linalg.norm(b)
        space = result.space
        if space is not None:
            images_are_sound(A, space)
        A = A + 0.05 * np.diag(rng.random(n))


@given(seed=st.integers(0, 10**6), n=st.integers(1, 25), k=st.integers(1, 8), window=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_any_hermitian_matrix(seed, n, k, window):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n)))[0]
    values = rng.uniform(0.1, 2.0, n)
    for solver, signed in ((deflated_cg, values), (recycled_minres, values * rng.choice([-1.0, 1.0], n))):
        A = (Q * signed) @ Q.conj().T
        A = 0.5 * (A + A.conj().T)
        space = None
        for _ in range(3):
            b = rng.standard_normal(n)
            result = solver(A, b, rtol=1e-8, k=k, window=window, maxiter=5000, space=space)
            assert result.converged
            assert np.linalg.norm(b - A @ result.x) <= 1.001e-8 * np.linalg.norm(b)
            space = result.space


def test_an_indefinite_matrix_shows_in_a_recycled_direction():
    A = laplacian(12)
    space = deflated_cg(A, vector(144), rtol=1e-8).space
    result = deflated_cg(A - 0.5 * sp.eye_array(144), vector(144), rtol=1e-8, space=space)
    assert result.status is Status.INDEFINITE
    assert "minres" in result.message
