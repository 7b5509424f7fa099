"""Flexible conjugate gradients: CG's iterates for a fixed M, sound for one that changes."""

import math

import numpy as np
import pytest
import scipy.sparse.linalg as spla

from resolvent.solvers import IC0, Diffusion, InputError, Status, cg, fcg


def diffusion(n=24, seed=0):
    return Diffusion(np.exp(np.random.default_rng(seed).standard_normal((n, n))))


class Changing:
    """A preconditioner that is another one at each application, and nonlinear."""

    kind = "nonlinear"

    def __init__(self, A):
        self.A, self.shape, self.dtype = A, A.shape, np.dtype(float)
        self.calls = 0

    def matvec(self, r):
        self.calls += 1
        return cg(self.A, r, rtol=0.3 if self.calls % 2 else 0.05).x


@pytest.mark.parametrize("preconditioned", [False, True])
@pytest.mark.parametrize("memory", [1, 5])
def test_is_cg_for_a_fixed_preconditioner(preconditioned, memory):
    A, b = diffusion(), np.random.default_rng(1).standard_normal(576)
    M = IC0.setup(A) if preconditioned else None
    expected = cg(A, b, rtol=1e-9, M=M)
    result = fcg(A, b, rtol=1e-9, M=M, memory=memory)
    count = []
    _, info = spla.cg(A, b, rtol=1e-9, M=M, callback=count.append)
    assert result.converged
    assert info == 0
    assert abs(result.iterations - len(count)) <= 3
    k = min(20, expected.iterations)
    np.testing.assert_allclose(result.residuals[:k], expected.residuals[:k], rtol=1e-5)


def test_takes_a_preconditioner_that_changes_and_the_energy_error_falls():
    A, b = diffusion(), np.ones(576)
    exact = spla.spsolve(A.tocsr().tocsc(), b)
    errors = [math.sqrt(exact @ (A @ exact))]

    def record(x):
        errors.append(math.sqrt((x - exact) @ (A @ (x - exact))))

    result = fcg(A, b, rtol=1e-10, M=Changing(A), callback=record)
    assert result.converged
    assert result.iterations < 20
    assert np.all(np.diff(errors) <= 1e-12 * errors[0])
    with pytest.raises(InputError, match="use fcg, fgmres or fgcrodr"):
        cg(A, b, M=Changing(A))


def test_a_random_or_silent_preconditioner_only_slows_it():
    A, b = diffusion(4), np.ones(16)
    rng = np.random.default_rng(3)
    assert fcg(A, b, rtol=1e-8, M=lambda r: rng.standard_normal(16), maxiter=20_000).converged
    assert fcg(A, b, rtol=1e-8, M=lambda r: 0.0 * r).converged


def test_an_indefinite_matrix_is_found_out():
    result = fcg(np.diag([1.0, 2.0, -1.0]), np.ones(3), rtol=1e-10)
    assert result.status is Status.INDEFINITE
    assert "minres" in result.message


@pytest.mark.parametrize("memory", [0, -1, 1.5, None, True])
def test_memory_is_checked(memory):
    with pytest.raises(InputError, match="memory"):
        fcg(np.eye(3), np.ones(3), memory=memory)
