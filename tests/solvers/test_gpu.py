"""The same solvers on CuPy arrays."""

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import (
    DIRICHLET,
    NEUMANN,
    SOLVERS,
    Chebyshev,
    ChebyshevPolynomial,
    CoefficientNorm,
    Diffusion,
    Fourier,
    InputError,
    Jacobi,
    Legendre,
    SeparablePoisson,
    Status,
    TensorBasis,
    cg,
    fcg,
    gmres,
    minres,
    solve_batch,
    sor,
)

pytestmark = pytest.mark.gpu
cupy = pytest.importorskip("cupy")
if not cupy.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)
cupyx_sparse = pytest.importorskip("cupyx.scipy.sparse")


def system(complex_=False):
    A = Diffusion(np.exp(np.random.default_rng(0).standard_normal((12, 10)))).tocsr()
    if complex_:
        phases = sp.diags_array(np.exp(1j * np.random.default_rng(1).random(120)))
        A = sp.csr_array(phases @ A @ phases.conj())
    return A, np.random.default_rng(2).standard_normal(120)


@pytest.mark.parametrize("name", [name for name in SOLVERS if name not in ("gauss_seidel", "sor", "ssor")])
@pytest.mark.parametrize("complex_", [False, True])
def test_agrees_with_the_cpu(name, complex_):
    solver = SOLVERS[name]
    A, b = system(complex_)
    expected = solver(A, b, rtol=1e-9)
    result = solver(cupyx_sparse.csr_matrix(sp.csr_matrix(A)), cupy.asarray(b), rtol=1e-9)
    assert isinstance(result.x, cupy.ndarray)
    assert result.status is Status.CONVERGED
    assert abs(result.iterations - expected.iterations) <= max(2, 0.1 * expected.iterations)
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


@pytest.mark.parametrize("solver", [cg, fcg, minres])
def test_a_null_space_on_the_device(solver):
    ring = sp.diags_array([np.full(40, 2.0), -np.ones(39), -np.ones(39)], offsets=[0, 1, -1]).tolil()
    ring[0, 39] = ring[39, 0] = -1.0
    b = ring @ np.random.default_rng(0).standard_normal(40)
    device = cupyx_sparse.csr_matrix(sp.csr_matrix(ring))
    result = solver(device, cupy.asarray(b), rtol=1e-9, nullspace=cupy.ones(40))
    assert result.converged
    assert abs(float(result.x.mean())) <= 1e-9


def test_a_polynomial_preconditioner_on_the_device():
    A, b = system()
    M = ChebyshevPolynomial.setup(cupyx_sparse.csr_matrix(sp.csr_matrix(A)), bounds=(0.01, 2.0))
    result = cg(cupyx_sparse.csr_matrix(sp.csr_matrix(A)), cupy.asarray(b), rtol=1e-9, M=M)
    assert result.converged


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


@pytest.mark.parametrize("boundary", ["dirichlet", ("periodic", ("neumann", "dirichlet")), "neumann"])
def test_a_batch_by_multigrid(boundary):
    a = np.exp(np.random.default_rng(0).standard_normal((40, 65, 48)))
    f = np.random.default_rng(1).standard_normal(a.shape)
    f -= f.mean(axis=(1, 2), keepdims=True)
    expected = solve_batch(a, f, boundary=boundary)
    result = solve_batch(cupy.asarray(a), cupy.asarray(f), boundary=boundary)
    assert isinstance(result.x, cupy.ndarray)
    assert isinstance(result.residuals, np.ndarray)
    assert result.converged
    assert np.abs(result.iterations - expected.iterations).max() <= 1
    np.testing.assert_allclose(result.x.get(), expected.x, atol=1e-8 * np.abs(expected.x).max())
    # The same bits again: no sum depends on the order in which blocks run.
    np.testing.assert_array_equal(
        result.x.get(), solve_batch(cupy.asarray(a), cupy.asarray(f), boundary=boundary).x.get()
    )


def test_the_solutions_of_a_batch_reach_torch_without_a_copy():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch without CUDA")
    result = solve_batch(cupy.ones((4, 32, 32)), 1.0)
    tensor = torch.from_dlpack(result.x)
    assert tensor.is_cuda
    assert tensor.data_ptr() == result.x.data.ptr


def test_a_batch_of_one_device():
    with pytest.raises(InputError, match=r"cupy\.asarray"):
        solve_batch(cupy.ones((2, 8, 8)), np.ones((8, 8)))
    with pytest.raises(InputError, match="get"):
        solve_batch(np.ones((2, 8, 8)), cupy.ones((8, 8)))
    with pytest.raises(InputError, match="get"):
        solve_batch(cupy.ones((1, 4, 4, 4)))


def test_spectral_bases_agree_with_the_cpu():
    space = TensorBasis(Chebyshev(6), Fourier(8), Legendre(5))
    u, v = np.random.default_rng(0).standard_normal((2, 3, *space.shape))
    solver = SeparablePoisson(space, [DIRICHLET, (), NEUMANN])
    norm = CoefficientNorm(space, "H-1", [DIRICHLET, (), NEUMANN])
    for function in (
        lambda u, v: space.to_coefficients(space.to_values(u, (9, 300, 7))),
        lambda u, v: space.multiply(u, v),
        lambda u, v: space.laplacian(u),
        lambda u, v: space.resize(u, (4, 11, 6)),
        lambda u, v: space.inner(u, v),
        lambda u, v: solver.solve(u),
        lambda u, v: norm.squared(u),
    ):
        found = function(cupy.asarray(u), cupy.asarray(v))
        assert isinstance(found, cupy.ndarray)
        assert np.allclose(found.get(), function(u, v), atol=1e-10)
