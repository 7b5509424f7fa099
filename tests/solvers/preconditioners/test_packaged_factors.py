"""CHOLMOD and Pardiso behind `direct`; each is skipped where its package is not installed."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import Diffusion, Direct, InputError, cg, gmres


def _installed(backend):
    try:
        if backend == "cholmod":
            import sksparse.cholmod  # noqa: F401
        else:
            import pypardiso

            pypardiso.PyPardisoSolver()
    except (ImportError, OSError):
        return False
    return True


PACKAGES = [
    pytest.param(name, marks=pytest.mark.skipif(not _installed(name), reason=f"{name} is not installed"))
    for name in ("cholmod", "pardiso")
]


def diffusion(seed=0):
    return Diffusion(np.exp(np.random.default_rng(seed).standard_normal((20, 18))))


@pytest.mark.parametrize("backend", PACKAGES)
def test_is_the_inverse_and_keeps_the_analysis(backend):
    M = Direct.setup(diffusion(), backend=backend)
    assert M.kind == "spd"
    b = np.random.default_rng(1).standard_normal(360)
    assert cg(diffusion(), b, rtol=1e-11, M=M).iterations <= 2
    np.testing.assert_allclose(M @ b, Direct.setup(diffusion()) @ b, rtol=1e-9)
    packaged = M._factors
    M.update(diffusion(1))
    assert M._factors is packaged
    np.testing.assert_allclose(M @ b, Direct.setup(diffusion(1)) @ b, rtol=1e-9)
    assert (M @ np.stack([b, 2 * b], axis=1)).shape == (360, 2)


@pytest.mark.parametrize("backend", PACKAGES)
def test_an_indefinite_matrix(backend):
    A = sp.csr_array(diffusion().tocsr() - 5000.0 * sp.eye_array(360))
    if backend == "cholmod":
        with pytest.raises(InputError, match="positive definite"):
            Direct.setup(A, backend=backend)
        return
    M = Direct.setup(A, backend=backend)
    assert M.kind == "linear"
    assert gmres(A, np.ones(360), rtol=1e-10, M=M).iterations <= 3


def test_a_missing_package_is_named(monkeypatch):
    for module, backend, package in (
        ("sksparse.cholmod", "cholmod", "scikit-sparse"),
        ("pypardiso", "pardiso", "pypardiso"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(InputError, match=package):
            Direct.setup(diffusion(), backend=backend)
    with pytest.raises(InputError, match="backend"):
        Direct.setup(diffusion(), backend="umfpack")
