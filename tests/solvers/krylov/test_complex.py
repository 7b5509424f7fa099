"""What each Krylov method promises, for complex A and b and at each iteration, against dense projections.

The references build the subspaces explicitly and solve the projected problem by least squares or elimination; nothing
of the recurrences is in them, so a conjugate that is missing there shows here.
"""

import inspect

import numpy as np
import pytest
from scipy.linalg import eig

from resolvent.solvers import (
    RecycleSpace,
    bicgstab,
    cg,
    fcg,
    fgcrodr,
    fgmres,
    gcrodr,
    gmres,
    idrs,
    lgmres,
    minres,
    recycled_minres,
)

N = 24
STEPS = range(1, 9)


def complex_normal(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def general():
    """Far from Hermitian and from normal, the spectrum away from zero."""
    rng = np.random.default_rng(1)
    return complex_normal(rng, N, N) / np.sqrt(N) + (2.0 + 1.5j) * np.eye(N), complex_normal(rng, N)


def hermitian(spectrum):
    rng = np.random.default_rng(2)
    Q, _ = np.linalg.qr(complex_normal(rng, N, N))
    A = (Q * spectrum) @ Q.conj().T
    return 0.5 * (A + A.conj().T), complex_normal(rng, N)


def definite():
    return hermitian(np.geomspace(1.0, 30.0, N))


def indefinite():
    return hermitian(np.concatenate([-np.geomspace(1.0, 10.0, N // 2), np.geomspace(1.0, 10.0, N // 2)]))


def definite_preconditioner():
    M, _ = hermitian(np.linspace(1.0, 4.0, N))
    return M


def krylov(A, start, k):
    """Return an orthonormal basis of span{s, A s, …, A^(k−1) s}, for a vector or several of them."""
    block = start.reshape(N, -1)
    basis = np.linalg.qr(block)[0]
    last = basis
    for _ in range(k - 1):
        new = A @ last
        for _ in range(2):
            new = new - basis @ (basis.conj().T @ new)
        last = np.linalg.qr(new)[0]
        basis = np.column_stack([basis, last])
    return basis


def least_residual(A, b, space, x=0.0):
    """Return x + S y of least ‖b − A (x + S y)‖."""
    r = b - A @ x if np.ndim(x) else b
    return x + space @ np.linalg.lstsq(A @ space, r, rcond=None)[0]


def galerkin(A, b, space, tests):
    """Return S y with Tᴴ (b − A S y) = 0."""
    return space @ np.linalg.solve(tests.conj().T @ A @ space, tests.conj().T @ b)


def after(step, solver):
    """Return the arguments that end a solve after so many iterations; for some, `maxiter` counts cycles."""
    limit = "iterations" if "iterations" in inspect.signature(solver).parameters else "maxiter"
    return {"rtol": 1e-15, limit: step}


def check(solver, A, b, step, expected, /, **settings):
    """The iterate of a step, its residual, and what the history of a longer solve said of it."""
    found = solver(A, b, **after(step, solver), **settings)
    assert found.iterations == step
    assert found.x.dtype == np.complex128
    np.testing.assert_allclose(found.x, expected, rtol=1e-7, atol=1e-8 * np.abs(expected).max())
    residual = np.linalg.norm(b - A @ expected)
    assert found.residual == pytest.approx(residual, rel=1e-7)
    longer = solver(A, b, **after(step + 1, solver), **settings)
    assert longer.residuals[step] == pytest.approx(residual, rel=1e-6)


FULL = [
    (gmres, {"restart": N}),
    (fgmres, {"restart": N}),
    (lgmres, {"inner_m": N}),
    (gcrodr, {"restart": N, "k": 2}),
    (fgcrodr, {"restart": N, "k": 2}),
]


@pytest.mark.parametrize(("solver", "settings"), FULL)
@pytest.mark.parametrize("k", STEPS)
def test_residuals_are_minimal_over_the_krylov_space(solver, settings, k):
    A, b = general()
    check(solver, A, b, k, least_residual(A, b, krylov(A, b, k)), **settings)


@pytest.mark.parametrize(("solver", "settings"), FULL)
@pytest.mark.parametrize("k", STEPS)
def test_preconditioned_residuals_are_minimal(solver, settings, k):
    A, b = general()
    M = np.linalg.inv(np.diag(np.diag(A))) + 0.05j * np.triu(np.ones((N, N)))
    check(solver, A, b, k, least_residual(A, b, M @ krylov(A @ M, b, k)), M=M, **settings)


@pytest.mark.parametrize(("solver", "settings"), FULL)
def test_residuals_are_minimal_from_a_complex_guess(solver, settings):
    A, b = general()
    x0 = complex_normal(np.random.default_rng(3), N)
    expected = least_residual(A, b, krylov(A, b - A @ x0, 5), x0)
    np.testing.assert_allclose(solver(A, b, x0, **after(5, solver), **settings).x, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("solver", "settings"), [FULL[1], FULL[4]])
@pytest.mark.parametrize("k", STEPS)
def test_flexible_residuals_are_minimal_over_what_the_preconditioner_gave(solver, settings, k):
    A, b = general()
    directions = []

    def changing(r):
        factor = np.exp(1j * np.arange(N) * (len(directions) + 1))
        directions.append(factor * r + 0.3 * np.roll(r, len(directions)))
        return directions[-1]

    found = solver(A, b, M=changing, **after(k, solver), **settings)
    expected = least_residual(A, b, np.stack(directions[:k], axis=1))
    np.testing.assert_allclose(found.x, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("j", [1, 2, 3, 4, 5])
def test_lgmres_is_minimal_over_krylov_space_and_earlier_corrections(j):
    A, b = general()
    first = least_residual(A, b, krylov(A, b, 4))
    space = krylov(A, b - A @ first, min(j, 4))
    space = space if j < 5 else np.column_stack([space, first])
    check(lgmres, A, b, 4 + j, least_residual(A, b, space, first), inner_m=4, outer_k=2)


def test_lgmres_keeps_the_last_correction():
    A, b = general()
    first = least_residual(A, b, krylov(A, b, 4))
    second = least_residual(A, b, np.column_stack([krylov(A, b - A @ first, 4), first]), first)
    space = np.column_stack([krylov(A, b - A @ second, 4), second - first])
    check(lgmres, A, b, 14, least_residual(A, b, space, second), inner_m=4, outer_k=1)


@pytest.mark.parametrize(("solver", "settings"), FULL[3:])
@pytest.mark.parametrize("j", [0, 1, 2, 3, 4])
def test_recycled_residuals_are_minimal_over_the_space_and_what_is_new(solver, settings, j):
    A, b = general()
    U = complex_normal(np.random.default_rng(4), N, 3)
    C, _ = np.linalg.qr(A @ U)
    project = np.eye(N) - C @ C.conj().T
    space = U if j == 0 else np.column_stack([U, krylov(project @ A, project @ b, j)])
    carried = {**settings, "k": 3, "space": RecycleSpace.from_vectors(U)}
    check(solver, A, b, 1 + j, least_residual(A, b, space), **carried)


@pytest.mark.parametrize(("solver", "settings"), FULL[3:])
@pytest.mark.parametrize("j", [1, 2, 3])
def test_a_second_cycle_starts_from_the_smallest_harmonic_ritz_vectors(solver, settings, j):
    A, b = general()
    V = krylov(A, b, 8)
    first = least_residual(A, b, V)
    W = A @ V
    values, vectors = eig(W.conj().T @ W, W.conj().T @ V)
    smallest = V @ vectors[:, np.argsort(np.abs(values))[:3]]
    space = np.column_stack([smallest, krylov(A, b - A @ first, j)])
    check(solver, A, b, 8 + j, least_residual(A, b, space, first), restart=8, k=3)


@pytest.mark.parametrize(("solver", "settings"), FULL[3:])
@pytest.mark.parametrize("j", [1, 2])
@pytest.mark.parametrize("preconditioned", [False, True])
def test_later_cycles_take_them_from_the_old_space_and_what_is_new(solver, settings, j, preconditioned):
    A, b = general()
    M = np.diag(np.exp(1j * np.arange(N)) / np.diag(A)) if preconditioned else None
    B = A if M is None else A @ M  # the solution is M y with B y = b
    space, at = krylov(B, b, 8), np.zeros(N)
    for steps in (5, j):
        at = least_residual(B, b, space, at)
        W = B @ space
        values, vectors = eig(W.conj().T @ W, W.conj().T @ space)
        U = space @ vectors[:, np.argsort(np.abs(values))[:3]]
        C, _ = np.linalg.qr(B @ U)
        project = np.eye(N) - C @ C.conj().T
        space = np.column_stack([U, krylov(project @ B, project @ (b - B @ at), steps)])
    expected = least_residual(B, b, space, at)
    check(solver, A, b, 13 + j, expected if M is None else M @ expected, restart=8, k=3, M=M)


@pytest.mark.parametrize("solver", [minres, recycled_minres])
@pytest.mark.parametrize("k", STEPS)
def test_minres_is_minimal_over_the_krylov_space(solver, k):
    A, b = indefinite()
    check(solver, A, b, k, least_residual(A, b, krylov(A, b, k)))


@pytest.mark.parametrize("solver", [minres, recycled_minres])
@pytest.mark.parametrize("k", STEPS)
def test_preconditioned_minres_is_minimal_in_the_norm_of_the_preconditioner(solver, k):
    A, b = indefinite()
    M = definite_preconditioner()
    root = np.linalg.cholesky(M).conj().T  # ‖root r‖² = rᴴ M r
    space = krylov(M @ A, M @ b, k)
    check(solver, A, b, k, least_residual(root @ A, root @ b, space), M=M)


@pytest.mark.parametrize("solver", [cg, fcg])
@pytest.mark.parametrize("k", STEPS)
@pytest.mark.parametrize("preconditioned", [False, True])
def test_conjugate_gradients_minimise_the_energy_of_the_error(solver, k, preconditioned):
    A, b = definite()
    M = definite_preconditioner() if preconditioned else None
    space = krylov(A, b, k) if M is None else krylov(M @ A, M @ b, k)
    check(solver, A, b, k, galerkin(A, b, space, space), M=M)


@pytest.mark.parametrize("k", STEPS)
def test_fcg_minimises_the_energy_over_what_a_changing_preconditioner_gave(k):
    A, b = definite()
    directions = []

    def changing(r):
        directions.append(np.exp(0.2j * np.arange(N) * (len(directions) + 1)) * r + 0.3 * np.roll(r, len(directions)))
        return directions[-1]

    found = fcg(A, b, M=changing, memory=10, **after(k, fcg))
    space = np.stack(directions[:k], axis=1)
    np.testing.assert_allclose(found.x, galerkin(A, b, space, space), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("k", STEPS)
def test_bicgstab_stabilises_the_residual_of_biconjugate_gradients(k):
    """r_k = (1 − ω_k A) … (1 − ω_1 A) r, where r ⟂ K_k(Aᴴ, b) is that of biconjugate gradients and ω_k is optimal."""
    A, b = general()
    smoothed = np.eye(N)
    for j in range(1, k + 1):
        x = galerkin(A, b, krylov(A, b, j), krylov(A.conj().T, b, j))
        s = smoothed @ (b - A @ x)
        omega = np.vdot(A @ s, s) / np.vdot(A @ s, A @ s)
        smoothed = (np.eye(N) - omega * A) @ smoothed
    expected = np.linalg.solve(A, b - smoothed @ (b - A @ x))
    check(bicgstab, A, b, k, expected)


@pytest.mark.parametrize("cycles", [1, 2, 3])
@pytest.mark.parametrize("s", [1, 2, 4])
@pytest.mark.parametrize("turning", [False, True])
def test_idrs_stabilises_the_residual_that_is_orthogonal_to_the_shadow_space(cycles, s, turning):
    """After j cycles r = (1 − ω_j A) … (1 − ω_1 A) r̂ with r̂ ⟂ K_j(Aᴴ, P), r̂ = b − A x̂ and x̂ in K_js(A, b).

    Where A turns vectors, so that A r is nearly orthogonal to r, ω is longer than that of the least residual.
    """
    A, b = general()
    if turning:
        A = np.linalg.qr(A - (2.0 + 1.5j) * np.eye(N))[0] + 0.3 * np.eye(N)
    P = np.random.default_rng(0).standard_normal((N, s))  # the shadow space of a solve's first start
    smoothed = np.eye(N)
    for j in range(1, cycles + 1):
        x = galerkin(A, b, krylov(A, b, j * s), krylov(A.conj().T, P, j))
        r = smoothed @ (b - A @ x)
        t = A @ r
        cosine = abs(np.vdot(t, r)) / (np.linalg.norm(t) * np.linalg.norm(r))
        omega = np.vdot(t, r) / np.vdot(t, t) * max(1.0, 0.7 / cosine)
        smoothed = (np.eye(N) - omega * A) @ smoothed
    expected = np.linalg.solve(A, b - smoothed @ (b - A @ x))
    check(idrs, A, b, cycles * (s + 1), expected, s=s)


@pytest.mark.parametrize("solver", [bicgstab, idrs])
def test_every_residual_of_the_short_recurrences_is_a_true_one(solver):
    A, b = general()
    M = np.diag(1.0 / np.diag(A))
    history = solver(A, b, rtol=1e-10, M=M).residuals
    for k in range(1, len(history)):
        x = solver(A, b, **after(k, solver), M=M).x
        assert np.linalg.norm(b - A @ x) == pytest.approx(history[k], rel=1e-5, abs=1e-12)
