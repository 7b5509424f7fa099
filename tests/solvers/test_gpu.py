"""The same solvers on CuPy arrays."""

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import DiffusionStencil, InputError, Jacobi, Status, cg, gmres, jacobi, sor

pytestmark = pytest.mark.gpu
cupy = pytest.importorskip("cupy")
if not cupy.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)
cupyx_sparse = pytest.importorskip("cupyx.scipy.sparse")


def system(complex_=False):
    A = DiffusionStencil(np.exp(np.random.default_rng(0).standard_normal((12, 10)))).tocsr()
    if complex_:
        phases = sp.diags_array(np.exp(1j * np.random.default_rng(1).random(120)))
        A = sp.csr_array(phases @ A @ phases.conj())
    return A, np.random.default_rng(2).standard_normal(120)


@pytest.mark.parametrize("solver", [cg, gmres, jacobi])
@pytest.mark.parametrize("complex_", [False, True])
def test_agrees_with_the_cpu(solver, complex_):
    A, b = system(complex_)
    expected = solver(A, b, rtol=1e-9)
    result = solver(cupyx_sparse.csr_matrix(sp.csr_matrix(A)), cupy.asarray(b), rtol=1e-9)
    assert isinstance(result.x, cupy.ndarray)
    assert result.status is Status.CONVERGED
    assert abs(result.iterations - expected.iterations) <= 2
    np.testing.assert_allclose(result.x.get(), expected.x, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("solver", [cg, gmres])
def test_preconditioned_several_columns(solver):
    A, b = system()
    device = cupyx_sparse.csr_matrix(sp.csr_matrix(A))
    M = Jacobi.setup(device)
    assert M.kind == "spd"
    result = solver(device, cupy.asarray(np.stack([b, 2 * b], axis=1)), rtol=1e-9, M=M)
    assert result.converged
    assert result.x.shape == (120, 2)


def test_devices_are_not_mixed():
    A, b = system()
    with pytest.raises(InputError, match=r"cupy\.asarray"):
        cg(cupyx_sparse.csr_matrix(sp.csr_matrix(A)), b)
    with pytest.raises(InputError, match="get"):
        cg(A, cupy.asarray(b))
    with pytest.raises(InputError, match="get"):
        sor(cupyx_sparse.csr_matrix(sp.csr_matrix(A)), cupy.asarray(b))


def test_a_tolerance_below_the_floor_stagnates():
    A, b = system()
    result = cg(cupyx_sparse.csr_matrix(sp.csr_matrix(A)), cupy.asarray(b), rtol=1e-20)
    assert result.status is Status.STAGNATED
