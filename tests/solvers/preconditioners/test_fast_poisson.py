"""The sine-transform preconditioner: exact for the Laplacian, bounded by the contrast otherwise."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from resolvent.solvers import Diffusion, FastPoisson, InputError, cg


def laplacian(shape, lengths):
    """The cell-centred Dirichlet Laplacian by Kronecker products."""
    total = sp.csr_array((1, 1))
    for n, length in zip(shape, lengths, strict=True):
        diagonal = np.full(n, 2.0)
        diagonal[0] += 1.0
        diagonal[-1] += 1.0
        one = sp.diags_array([diagonal, -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1]) * (n / length) ** 2
        total = sp.kron(total, sp.eye_array(n)) + sp.kron(sp.eye_array(total.shape[0]), one)
    return sp.csr_array(total)


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [
        ((17,), (1.0,)),
        ((8, 13), (1.0, 1.0)),
        ((8, 100), (0.5, 3.0)),
        ((97, 5), (1.0, 1.0)),
        ((4, 5, 6), (1.0, 2.0, 0.3)),
        ((1, 1), (1.0, 1.0)),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_is_the_inverse_of_the_laplacian(shape, lengths, dtype):
    A = laplacian(shape, lengths)
    M = FastPoisson.setup(A, shape=shape, lengths=lengths, dtype=dtype)
    u = np.random.default_rng(0).standard_normal(A.shape[0])
    accuracy = 1e-11 if dtype == "float64" else 2e-4
    np.testing.assert_allclose(M @ (A @ u), u, atol=accuracy)
    assert cg(A, u, rtol=1e-4, M=M).iterations == 1


def test_reads_the_grid_of_the_stencil():
    M = FastPoisson.setup(Diffusion(np.ones((6, 9))), dtype="float64")
    assert M.grid == (6, 9)
    np.testing.assert_allclose(Diffusion(np.ones((6, 9))) @ (M @ np.arange(54.0)), np.arange(54.0), atol=1e-10)
    M.update(Diffusion(np.ones((9, 6))))
    assert M.grid == (9, 6)


@pytest.mark.parametrize("contrast", [4.0, 100.0])
def test_the_condition_number_is_bounded_by_the_contrast(contrast):
    a = np.where(np.random.default_rng(0).random((12, 12)) < 0.5, contrast, 1.0)
    A = Diffusion(a)
    M = FastPoisson.setup(A, dtype="float64")
    eigenvalues = np.linalg.eigvals((M @ np.eye(144)) @ A.tocsr().toarray()).real
    assert 1.0 <= eigenvalues.max() / eigenvalues.min() <= contrast * (1 + 1e-10)


def test_iterations_do_not_grow_with_the_grid():
    """Binary Darcy: about two dozen iterations to 1e-10 at any resolution, in float32 as in float64."""
    for n in (32, 64, 128):
        y, x = np.meshgrid(*(2 * [(np.arange(n) + 0.5) / n]), indexing="ij")
        A = Diffusion(np.where(np.sin(7 * x + 2 * y) * np.cos(5 * y - 3 * x) > 0, 12.0, 3.0))
        single, double = (
            cg(A, np.ones(n * n), rtol=1e-10, M=FastPoisson.setup(A, dtype=dtype)) for dtype in ("float32", "float64")
        )
        assert single.converged
        assert double.converged
        assert single.iterations <= 26
        assert single.iterations <= double.iterations + 1


def test_diagonal_scaling_helps_a_smooth_strong_coefficient():
    n = 48
    y, x = np.meshgrid(*(2 * [(np.arange(n) + 0.5) / n]), indexing="ij")
    A = Diffusion(np.exp(3.0 * np.sin(3 * x) * np.cos(4 * y)))
    counts = {
        scaling: cg(A, np.ones(n * n), rtol=1e-8, M=FastPoisson.setup(A, scaling=scaling)).iterations
        for scaling in ("none", "sqrt_diagonal")
    }
    assert counts["sqrt_diagonal"] < 0.7 * counts["none"]


def test_needs_no_entries_and_no_diagonal():
    A = Diffusion(np.full((10, 10), 5.0))
    products = spla.LinearOperator(A.shape, matvec=lambda v: A @ v, dtype=float)
    M = FastPoisson.setup(products, shape=(10, 10), dtype="float64")
    np.testing.assert_allclose(M @ (A @ np.arange(100.0)), 5.0 * np.arange(100.0), rtol=1e-9, atol=1e-8)


def test_single_precision_reaches_a_certified_double_precision_residual():
    A = Diffusion(np.where(np.indices((64, 64)).sum(0) % 20 < 10, 12.0, 3.0))
    result = cg(A, np.ones(64**2), rtol=1e-12, M=FastPoisson.setup(A))
    assert result.converged
    assert np.linalg.norm(np.ones(64**2) - A.tocsr() @ result.x) <= 1.01e-12 * 64


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({}, "shape"),
        ({"shape": (3, 3)}, "16"),
        ({"shape": (-4, -4)}, "one to three axes"),
        ({"shape": (2, 2, 2, 2)}, "one to three axes"),
        ({"shape": 16}, "integers"),
        ({"shape": (4.0, 4.0)}, "integers"),
        ({"shape": (4, 4), "lengths": (1.0,)}, "lengths"),
        ({"shape": (4, 4), "lengths": (1.0, 0.0)}, "lengths"),
        ({"shape": (4, 4), "dtype": "float16"}, "float32"),
        ({"shape": (4, 4), "dtype": "quadruple"}, "float32"),
        ({"shape": (4, 4), "scaling": "sqrt"}, "sqrt_diagonal"),
    ],
)
def test_mistakes(arguments, word):
    with pytest.raises(InputError, match=word):
        FastPoisson.setup(sp.eye_array(16, format="csr"), **arguments)


@pytest.mark.parametrize(
    ("A", "arguments", "word"),
    [
        (sp.eye_array(4, format="csr") * 1j, {}, "complex"),
        (-sp.eye_array(4, format="csr"), {}, "positive"),
        (spla.LinearOperator((4, 4), matvec=lambda v: v, dtype=float), {"scaling": "sqrt_diagonal"}, "diagonal"),
    ],
)
def test_matrices_that_are_not_diffusion(A, arguments, word):
    with pytest.raises(InputError, match=word):
        FastPoisson.setup(A, shape=(2, 2), **arguments)


def laplacian_of(sides, shape, lengths):
    """The cell-centred Laplacian with a kind of boundary an axis, by Kronecker sums."""
    total = sp.csr_array((1, 1))
    for side, n, length in zip(sides, shape, lengths, strict=True):
        one = sp.diags_array([-np.ones(n - 1), np.full(n, 2.0), -np.ones(n - 1)], offsets=[-1, 0, 1]).tolil()
        at_wall = {"dirichlet": 3.0, "neumann": 1.0, "periodic": 2.0}[side]
        one[0, 0] = one[n - 1, n - 1] = at_wall
        if side == "periodic":
            one[0, n - 1] -= 1.0
            one[n - 1, 0] -= 1.0
        one = sp.csr_array(one) * (n / length) ** 2
        total = sp.kron(total, sp.eye_array(n)) + sp.kron(sp.eye_array(total.shape[0]), one)
    return sp.csr_array(total)


@pytest.mark.parametrize(
    ("sides", "shape"),
    [
        (("neumann",), (9,)),
        (("periodic",), (8,)),
        (("neumann", "neumann"), (6, 9)),
        (("periodic", "periodic"), (7, 6)),
        (("periodic", "dirichlet"), (7, 6)),
        (("dirichlet", "periodic"), (5, 8)),
        (("neumann", "periodic", "dirichlet"), (4, 5, 6)),
        (("periodic", "dirichlet", "periodic"), (5, 4, 7)),
    ],
)
def test_other_boundaries_are_inverted_exactly(sides, shape):
    lengths = (1.0, 2.0, 0.5)[: len(shape)]
    A = laplacian_of(sides, shape, lengths)
    n = A.shape[0]
    M = FastPoisson.setup(A, shape=shape, lengths=lengths, boundary=sides, dtype="float64")
    v = np.random.default_rng(0).standard_normal(n)
    if "dirichlet" not in sides:
        v -= v.mean()
    np.testing.assert_allclose(M @ (A @ v), v, atol=1e-10)
    dense = M @ np.eye(n)
    np.testing.assert_allclose(dense, dense.T, atol=1e-12 * np.abs(dense).max())
    assert np.linalg.eigvalsh(0.5 * (dense + dense.T)).min() > 0.0


def test_a_neumann_problem_takes_one_iteration_with_its_null_space():
    A = laplacian_of(("neumann", "neumann"), (12, 10), (1.0, 1.0))
    b = A @ np.random.default_rng(0).standard_normal(120)
    M = FastPoisson.setup(A, shape=(12, 10), boundary="neumann", dtype="float64")
    assert cg(A, b, rtol=1e-9, M=M, nullspace=np.ones(120)).iterations <= 2


@pytest.mark.parametrize("boundary", ["robin", 3, (), ("dirichlet", "robin"), ("neumann",) * 3])
def test_the_boundary_is_checked(boundary):
    with pytest.raises(InputError, match="boundary"):
        FastPoisson.setup(Diffusion(np.ones((4, 4))), boundary=boundary)
