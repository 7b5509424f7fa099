"""Toeplitz operators, and the preconditioners of the sine and the Fourier transform."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.linalg
import scipy.sparse as sp

from resolvent.solvers import Circulant, InputError, Tau, ToeplitzOperator, cg, fgmres


def _column(n: int, seed: int = 0) -> np.ndarray:
    """Of a positive definite Toeplitz matrix: the Fourier coefficients of |θ|^1.5."""
    theta = np.pi * (np.arange(4096) + 0.5) / 4096
    return np.array([np.mean(theta**1.5 * np.cos(j * theta)) for j in range(n)]) * (1 + seed)


@pytest.mark.parametrize("sizes", [(1,), (2,), (17,), (5, 6), (3, 4, 2)])
def test_operator_equals_its_entries(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    n = int(np.prod(sizes))
    columns = [rng.normal(size=m) for m in sizes]
    shift, scale = rng.normal(size=n), rng.uniform(1, 2, n)
    A = ToeplitzOperator(columns, shift, scale)
    expected = np.zeros((n, n))
    for axis, column in enumerate(columns):
        before, after = int(np.prod(sizes[:axis])), int(np.prod(sizes[axis + 1 :]))
        expected += np.kron(np.kron(np.eye(before), scipy.linalg.toeplitz(column)), np.eye(after))
    expected = np.diag(shift) + scale[:, None] * expected
    x = rng.normal(size=n) + 1j * rng.normal(size=n)
    np.testing.assert_allclose(A.toarray(), expected, atol=1e-12)
    np.testing.assert_allclose(A.tocsr().toarray(), expected, atol=1e-12)
    np.testing.assert_allclose(A @ x, expected @ x, atol=1e-11)
    np.testing.assert_allclose(A @ x.real, expected @ x.real, atol=1e-11)
    np.testing.assert_allclose(A.H @ x.real, expected.T @ x.real, atol=1e-11)
    np.testing.assert_allclose(A.diagonal(), np.diag(expected), atol=1e-12)
    symmetric = ToeplitzOperator(columns, shift)
    np.testing.assert_allclose(symmetric.H @ x.real, symmetric @ x.real)


def test_operator_shows_itself_in_one_line() -> None:
    assert repr(ToeplitzOperator([np.ones(4), np.ones(3)])) == "ToeplitzOperator(grid 4x3)"


def test_operator_refuses_nonsense() -> None:
    with pytest.raises(InputError, match="first column"):
        ToeplitzOperator([])
    with pytest.raises(InputError, match="not finite"):
        ToeplitzOperator([np.array([1.0, np.nan])])
    with pytest.raises(InputError, match="entries are only formed"):
        ToeplitzOperator([np.ones(5000)]).tocsr()


def test_tau_inverts_what_the_sines_diagonalise() -> None:
    n = 12
    laplacian = ToeplitzOperator([np.array([2.0, -1.0, *np.zeros(n - 2)])], shift=0.3)
    r = np.random.default_rng(0).normal(size=n)
    for A in (laplacian, laplacian.tocsr()):
        np.testing.assert_allclose(A @ (Tau.setup(A) @ r), r, atol=1e-12)
    plane = ToeplitzOperator([laplacian.toeplitz_columns[0], 3 * laplacian.toeplitz_columns[0][:5]], shift=0.3)
    r = np.random.default_rng(0).normal(size=5 * n)
    for A, shape in ((plane, None), (plane.tocsr(), (n, 5))):
        np.testing.assert_allclose(A @ (Tau.setup(A, shape=shape) @ r), r, atol=1e-12)


def test_circulant_inverts_what_the_waves_diagonalise() -> None:
    n = 10
    column = np.array([2.5, -1.0, 0.2, *np.zeros(n - 5), 0.2, -1.0])
    periodic = scipy.linalg.circulant(column)
    r = np.random.default_rng(0).normal(size=n)
    np.testing.assert_allclose(periodic @ (Circulant.setup(periodic) @ r), r, atol=1e-12)
    upwind = scipy.linalg.circulant([2.0, -1.0, *np.zeros(n - 2)])
    M = Circulant.setup(upwind)
    assert M.kind == "linear"
    np.testing.assert_allclose(upwind @ (M @ r), r, atol=1e-12)


@pytest.mark.parametrize("method", [Tau, Circulant])
def test_nearest_matrix_of_its_kind(method: type[Tau] | type[Circulant]) -> None:
    """A − C is orthogonal, in the Frobenius product, to every matrix with the eigenvectors of C."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(9, 9))
    A = A @ A.T + np.eye(9)
    M = method.setup(A)
    nearest = np.linalg.inv(np.stack([M @ e for e in np.eye(9)], axis=1))
    basis = scipy.fft.dst(np.eye(9), type=1, norm="ortho") if method is Tau else scipy.fft.fft(np.eye(9), norm="ortho")
    np.testing.assert_allclose(np.diag(basis.conj().T @ (A - nearest) @ basis), 0.0, atol=1e-10)
    inside = basis.conj().T @ nearest @ basis
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=1e-10)
    assert np.linalg.eigvalsh(A)[0] <= np.diag(inside).real.min()  # and no eigenvalue leaves the range of A's


@pytest.mark.parametrize("method", [Tau, Circulant])
def test_toeplitz_operators_are_never_formed(method: type[Tau] | type[Circulant]) -> None:
    n = 6000  # more rows than tocsr gives
    A = ToeplitzOperator([_column(8).tolist() + [0.0] * (n - 8)], shift=0.1)
    M = method.setup(A)
    assert M.kind == "spd"
    assert cg(A, np.ones(n), rtol=1e-9, M=M).converged
    scaled = ToeplitzOperator(A.toeplitz_columns, 0.1, np.linspace(1, 2, n))
    M = method.setup(scaled)
    assert M.kind == "linear"
    assert fgmres(scaled, np.ones(n), rtol=1e-9, M=M).converged


def test_tau_clusters_the_spectrum_of_fractional_diffusion() -> None:
    for n in (32, 128):
        A = ToeplitzOperator([_column(n)])
        M = Tau.setup(A)
        eigenvalues = np.linalg.eigvals(np.stack([M @ row for row in A.toarray()], axis=1)).real
        assert 0.5 < eigenvalues.min() < eigenvalues.max() < 1.5


@pytest.mark.parametrize("method", [Tau, Circulant])
def test_wrong_settings(method: type[Tau] | type[Circulant]) -> None:
    A = sp.eye_array(12, format="csr")
    for shape in ((3, 5), (0, 12), "twelve"):
        with pytest.raises(InputError, match="shape"):
            method.setup(A, shape=shape)
    with pytest.raises(InputError, match="expected it positive"):
        method.setup(ToeplitzOperator([np.array([2.0, -1.0])], scale=[1.0, -1.0]))
