"""What the probe of a matrix says, against matrices whose properties are known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import is_hermitian, matrix_properties
from resolvent.solvers.matrices.properties import lanczos_ritz_values

N = 60
LAPLACIAN = sp.csr_array(sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(N, N)))


def _with_eigenvalues(values: np.ndarray) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((len(values), len(values))))
    return (q * values) @ q.T


@pytest.mark.parametrize(
    ("matrix", "definiteness"),
    [
        (sp.diags_array(np.arange(1.0, N)), "positive definite"),
        (LAPLACIAN, "positive definite"),
        (LAPLACIAN - 0.5 * sp.eye_array(N), "indefinite"),
        (-LAPLACIAN, "negative definite"),
        (_with_eigenvalues(np.r_[np.zeros(3), np.linspace(1, 5, 20)]), "positive semidefinite"),
        (sp.diags_array(np.r_[-1.0, np.ones(5)]), "indefinite"),
    ],
)
def test_definiteness(matrix: object, definiteness: str) -> None:
    properties = matrix_properties(matrix)
    assert properties.definiteness == definiteness, properties.evidence
    assert properties.self_adjoint
    assert properties.may_use_cg == definiteness.startswith("positive")


@pytest.mark.parametrize("smallest", [1e-7, 1e-10])
def test_a_small_eigenvalue_keeps_its_sign(smallest: float) -> None:
    """Only what rounding may have made counts as zero."""
    others = np.linspace(0.5, 1.0, 11)
    assert matrix_properties(_with_eigenvalues(np.r_[smallest, others])).definiteness == "positive definite"
    assert matrix_properties(_with_eigenvalues(np.r_[-smallest, others])).definiteness == "indefinite"
    assert matrix_properties(_with_eigenvalues(np.r_[1e-17, others])).definiteness == "positive semidefinite"


def test_symmetry_and_its_kinds() -> None:
    skew = LAPLACIAN.tolil()
    skew[0, 1] = 5.0
    assert matrix_properties(skew).symmetry == "nonsymmetric"
    assert matrix_properties(skew).asymmetry == pytest.approx(6.0 / 5.0)
    assert not is_hermitian(skew)
    hermitian = LAPLACIAN.astype(complex).tolil()
    hermitian[0, 1], hermitian[1, 0] = 1j, -1j
    assert matrix_properties(hermitian).symmetry == "hermitian"
    assert matrix_properties(LAPLACIAN * (1 + 1j)).symmetry == "complex symmetric"
    assert is_hermitian(hermitian)
    assert is_hermitian(sp.csr_array((3, 3)))


def test_ritz_values_are_inside_the_spectrum_and_exact_at_the_end() -> None:
    eigenvalues = np.linalg.eigvalsh(LAPLACIAN.toarray())
    ritz = lanczos_ritz_values(LAPLACIAN, steps=12)
    assert eigenvalues[0] - 1e-12 <= ritz[0]
    assert ritz[-1] <= eigenvalues[-1] + 1e-12
    np.testing.assert_allclose(lanczos_ritz_values(LAPLACIAN, steps=N), eigenvalues, atol=1e-10)
    twofold = np.diag(np.r_[np.ones(5), 2 * np.ones(5)])  # an invariant subspace after two steps
    np.testing.assert_allclose(lanczos_ritz_values(twofold), [1.0, 2.0], atol=1e-12)
