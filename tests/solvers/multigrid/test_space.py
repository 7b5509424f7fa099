"""Multigrid in three dimensions: right against direct solves, Galerkin, of second order, robust in contrast."""

import itertools

import numpy as np
import pytest
import scipy.fft
import scipy.sparse.linalg as spla

from resolvent.solvers import InputError, Multigrid, Status, cg, solve_batch
from resolvent.solvers.matrices.box import read_box
from resolvent.solvers.matrices.faces import faces
from resolvent.solvers.multigrid.fallback import assemble
from resolvent.solvers.multigrid.space import grids as grids3d
from resolvent.solvers.multigrid.space.workspace import Workspace3D

NONE, WALL, RING = "neumann", "dirichlet", "periodic"


def rough(shape, seed=0, spread=1.0):
    return np.exp(spread * np.random.default_rng(seed).standard_normal(shape))


def thresholded(n, contrast, alpha=3.0, tau=3.0, seed=0):
    """Two-phase field: the sign of a Gaussian field of covariance (−Δ + τ²)^−α."""
    k2 = np.arange(n) ** 2
    amplitude = (np.pi**2 * (k2[:, None, None] + k2[:, None] + k2) + tau**2) ** (-alpha / 2)
    amplitude[0, 0, 0] = 0.0
    modes = amplitude * np.random.default_rng(seed).standard_normal((n, n, n))
    return np.where(scipy.fft.idctn(modes, norm="ortho") >= 0.0, contrast, 1.0)


def matrix_of(a, boundary=WALL, lengths=None):
    box = read_box(a.shape, lengths, boundary)
    return assemble(faces(a, box), box.periodic)


def direct(A, b, singular):
    if not singular:
        return spla.spsolve(A.tocsc(), b.ravel())
    pinned = A.tolil()
    pinned[0, 0] += A.diagonal().max()
    x = spla.spsolve(pinned.tocsc(), b.ravel())
    return x - x.mean()


SIDES = [
    WALL,
    NONE,
    RING,
    (WALL, NONE, RING),
    (RING, (WALL, NONE), (NONE, WALL)),
    ((NONE, WALL), RING, NONE),
    ((WALL, NONE), (NONE, WALL), (WALL, NONE)),
]
SHAPES = [(8, 8, 8), (7, 9, 10), (9, 5, 6), (12, 4, 5)]


@pytest.mark.parametrize("boundary", SIDES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_a_direct_solve(shape, boundary):
    a = rough(shape)
    A = matrix_of(a, boundary)
    b = np.random.default_rng(1).standard_normal(shape)
    singular = boundary in (NONE, RING)
    if singular:
        b -= b.mean()
    result = solve_batch(a[None], b, boundary=boundary, rtol=1e-11, threads=1)
    assert result.converged
    assert result.methods == ("multigrid",)
    assert result.iterations[0] <= 16
    expected = direct(A, b, singular)
    np.testing.assert_allclose(result.x[0].ravel(), expected, atol=1e-8 * np.abs(expected).max())
    true = np.linalg.norm(b.ravel() - A @ result.x[0].ravel())
    assert true <= 1.01e-11 * np.linalg.norm(b)
    assert result.residuals[0] == pytest.approx(true, rel=0.2)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (2, 1, 1), (1, 8, 9), (6, 1, 7), (9, 7, 1), (2, 3, 40), (3, 3, 3), (1, 1, 90)]
)
@pytest.mark.parametrize("boundary", [WALL, ((WALL, NONE), RING, (NONE, WALL)), (RING, WALL, RING)], ids=str)
def test_small_and_thin_grids(shape, boundary):
    a = rough(shape)
    result = solve_batch(a[None], 1.0, boundary=boundary, threads=1)
    assert result.converged
    assert result.methods == ("multigrid",)
    expected = spla.spsolve(matrix_of(a, boundary).tocsc(), np.ones(a.size))
    np.testing.assert_allclose(result.x[0].ravel(), expected, rtol=1e-7)


def test_one_layer_is_the_two_dimensional_problem():
    a = rough((20, 17))
    flat = solve_batch(a[None], 1.0, rtol=1e-12, threads=1)
    layer = solve_batch(a[None, None], 1.0, rtol=1e-12, boundary=(NONE, WALL, WALL), threads=1)
    np.testing.assert_allclose(layer.x[0, 0], flat.x[0], rtol=1e-9)


@pytest.mark.parametrize("lengths", [(1.0, 1.0, 1.0), (5.0, 1.0, 1.0), (1.0, 4.0, 0.2), (0.02, 1.0, 1.0), 3.0])
def test_stretched_cells_take_few_iterations(lengths):
    a = thresholded(16, 12.0)[:, :13]
    result = solve_batch(a[None], 1.0, lengths=lengths, threads=1)
    assert result.converged
    assert result.iterations[0] <= 13
    expected = spla.spsolve(matrix_of(a, lengths=lengths).tocsc(), np.ones(a.size))
    np.testing.assert_allclose(result.x[0].ravel(), expected, rtol=1e-7)


def test_second_order():
    """−∇·(a∇u) = f with a = 1 + x y z and u = sin(πx) sin(πy) sin(πz) on (0, 1)² × (0, 2) in z."""
    errors = []
    for n in (8, 16, 32):
        z, y, x = np.meshgrid((np.arange(2 * n) + 0.5) / n, *[(np.arange(n) + 0.5) / n] * 2, indexing="ij")
        sines, cosines = [np.sin(np.pi * s) for s in (x, y, z)], [np.pi * np.cos(np.pi * s) for s in (x, y, z)]
        a = 1.0 + x * y * z
        u = sines[0] * sines[1] * sines[2]
        gradient = (
            cosines[0] * sines[1] * sines[2],
            sines[0] * cosines[1] * sines[2],
            sines[0] * sines[1] * cosines[2],
        )
        f = 3 * np.pi**2 * a * u - (y * z * gradient[0] + x * z * gradient[1] + x * y * gradient[2])
        result = solve_batch(a[None], f, lengths=(2.0, 1.0, 1.0), threads=1)
        errors.append(np.abs(result.x[0] - u).max())
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    assert rates.min() > 1.85


@pytest.mark.parametrize("contrast", [10.0, 1e2, 1e4, 1e6])
def test_iterations_on_smooth_interfaces(contrast):
    fields = np.stack([thresholded(32, contrast, seed=seed) for seed in range(2)])
    result = solve_batch(fields, 1.0, rtol=1e-9, threads=1)
    assert result.converged
    assert set(result.methods) == {"multigrid"}
    assert result.iterations.max() <= 14


def test_iterations_do_not_grow_with_the_grid():
    counts = [solve_batch(thresholded(n, 4.0)[None], 1.0, threads=1).iterations[0] for n in (12, 24, 48)]
    assert max(counts) <= 10
    assert max(counts) - min(counts) <= 2


def test_rough_fields_of_high_contrast_converge_or_switch():
    a = thresholded(24, 1e4, alpha=1.7, tau=15.0)
    easy = thresholded(24, 4.0)
    result = solve_batch(np.stack([a, easy]), 1.0, rtol=1e-9, maxiter=15, threads=1)
    assert result.converged
    assert result.methods == ("amg", "multigrid")
    assert "multigrid stalled" in result[0].message
    np.testing.assert_array_equal(result.x[1], solve_batch(easy[None], 1.0, rtol=1e-9, threads=1).x[0])
    stopped = solve_batch(a[None], 1.0, maxiter=3, fallback=False, threads=1)
    assert stopped.statuses == (Status.MAXITER,)
    true = np.linalg.norm(1.0 - matrix_of(a) @ stopped.x[0].ravel())
    assert stopped.residuals[0] == pytest.approx(true, rel=1e-6)


def test_the_floor_is_named():
    result = solve_batch(thresholded(24, 1e6)[None], 1.0, rtol=1e-15, threads=1)
    assert result.statuses == (Status.STAGNATED,)
    assert "floor" in result[0].message
    assert result.relative_residuals[0] < 1e-9


@pytest.mark.parametrize("boundary", [WALL, (RING, WALL, NONE)], ids=str)
def test_threads_and_batches_do_not_change_a_bit(boundary):
    fields = np.stack([rough((11, 9, 14), seed) for seed in range(5)])
    sources = np.random.default_rng(3).standard_normal(fields.shape)
    one = solve_batch(fields, sources, boundary=boundary, threads=1)
    two = solve_batch(fields, sources, boundary=boundary, threads=2)
    np.testing.assert_array_equal(one.x, two.x)
    np.testing.assert_array_equal(one.residuals, two.residuals)
    for k in range(len(fields)):
        alone = solve_batch(fields[k : k + 1], sources[k], boundary=boundary, threads=1)
        np.testing.assert_array_equal(one.x[k], alone.x[0])


def test_the_layout_and_the_type_of_the_input_do_not_matter():
    a = np.asfortranarray(np.round(4.0 * rough((2, 8, 10, 9))) + 1.0)
    expected = solve_batch(a, 2.0).x
    for given in (np.ascontiguousarray(a), a.astype(np.int64), a.astype(np.float32), a.tolist()):
        np.testing.assert_array_equal(solve_batch(given, 2.0).x, expected)
    locked = np.ascontiguousarray(a)
    locked.flags.writeable = False
    np.testing.assert_array_equal(solve_batch(locked, np.full(a.shape, 2)).x, expected)
    np.testing.assert_array_equal(solve_batch(a, np.full(a.shape[1:], 2.0)).x, expected)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_any_scale_of_coefficient_and_source(scale):
    a = rough((9, 10, 8))[None]
    expected = solve_batch(a, 1.0, threads=1).x
    large_coefficient, large_source = solve_batch(a * scale, 1.0, threads=1), solve_batch(a, scale, threads=1)
    assert large_coefficient.methods == large_source.methods == ("multigrid",)  # not mended by another method
    np.testing.assert_allclose(large_coefficient.x * scale, expected, rtol=1e-8)
    np.testing.assert_allclose(large_source.x / scale, expected, rtol=1e-8)
    assert not solve_batch(a, 0.0, threads=1).x.any()


@pytest.mark.parametrize(
    ("shape", "boundary", "lengths"),
    [
        ((8, 8, 8), WALL, None),
        ((7, 9, 10), (WALL, NONE, RING), None),
        ((9, 5, 6), RING, None),
        ((9, 8, 10), (WALL, RING, RING), (1.0, 5.0, 4.0)),
        ((10, 9, 8), ((NONE, WALL), RING, WALL), (5.0, 1.0, 1.0)),
    ],
    ids=str,
)
def test_coarse_operators_are_galerkin_products(shape, boundary, lengths):
    """Pᵀ A P with P read off the weights, against the links, on every level."""
    box = read_box(shape, lengths, boundary)
    workspace = Workspace3D(box, 2)
    a = rough(shape)
    assert workspace.set_up(a)
    assert len(workspace.sizes) >= 3
    A = matrix_of(a, boundary, lengths).toarray() * workspace.scale
    np.testing.assert_allclose(workspace.operator(0), A, atol=1e-6 * np.abs(A).max())
    for level in range(len(workspace.sizes) - 1):
        P = _interpolation(workspace, level)
        expected = P.T @ workspace.operator(level) @ P
        np.testing.assert_allclose(workspace.operator(level + 1), expected, atol=2e-6 * np.abs(expected).max())
        if box.singular:
            np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-6)


def _interpolation(workspace, level):
    row, coarse = workspace.levels[level : level + 2]
    fine_size, size = workspace.sizes[level : level + 2]
    begin = row[grids3d.WEIGHTS]
    weights = workspace.arena[begin : begin + 27 * coarse[grids3d.N]].reshape(3, 3, 3, *(n + 2 for n in size))
    weights = weights[:, :, :, 1:-1, 1:-1, 1:-1]
    strides = row[grids3d.STRIDE_Z : grids3d.STRIDE_X + 1]
    P = np.zeros((*fine_size, *size))
    for cell in np.ndindex(*fine_size):
        point = tuple(i // s for i, s in zip(cell, strides, strict=True))
        for side in itertools.product(*((1, 2) if i % s else (0,) for i, s in zip(cell, strides, strict=True))):
            target = [c + (s == 2) for c, s in zip(point, side, strict=True)]
            target = [c % n if wrap else c for c, n, wrap in zip(target, size, workspace.wraps, strict=True)]
            if all(c < n for c, n in zip(target, size, strict=True)):
                P[cell + tuple(target)] += weights[side + point]
    return P.reshape(np.prod(fine_size), np.prod(size))


@pytest.mark.parametrize("shape", [(6, 6, 6), (5, 8, 7)], ids=str)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_cycle_is_linear_symmetric_and_definite(shape, steps):
    A = matrix_of(rough(shape, spread=2.0))
    M = Multigrid.setup(A, shape=shape, steps=steps)
    dense = M @ np.eye(A.shape[0])
    largest = np.abs(dense).max()
    np.testing.assert_allclose(dense, dense.T, atol=1e-6 * largest)
    v = np.random.default_rng(0).standard_normal(A.shape[0])
    np.testing.assert_allclose(M @ v, dense @ v, atol=2e-5 * largest)
    assert np.linalg.eigvalsh(0.5 * (dense + dense.T)).min() > 0.0
    spectrum = np.linalg.eigvals(dense @ A.toarray()).real
    assert spectrum.min() > 0.05
    assert spectrum.max() < 1.01


@pytest.mark.parametrize("contrast", [1.0, 100.0])
def test_residuals_are_those_of_conjugate_gradients_with_the_cycle(contrast):
    a, rhs = thresholded(12, contrast), rough((12, 12, 12), 5)
    workspace = Workspace3D(read_box(a.shape, None, WALL), 2)
    assert workspace.set_up(a)
    A = matrix_of(a) * workspace.scale
    expected = cg(A, rhs.ravel(), rtol=1e-12, maxiter=5, M=lambda r: workspace.apply(r.reshape(a.shape)).ravel() * 1.0)
    workspace.solve(rhs, 1.0, 0.0, 5, 1000)
    np.testing.assert_allclose(workspace.history[:6], expected.residuals, rtol=5e-3, atol=1e-7 * expected.rhs_norm)


@pytest.mark.parametrize("boundary", [(WALL, WALL, WALL), ((WALL, NONE), NONE, (NONE, WALL))], ids=str)
def test_preconditions_cg_on_a_matrix(boundary):
    a = thresholded(16, 100.0)
    A = matrix_of(a, boundary)
    result = cg(A, np.ones(a.size), rtol=1e-10, M=Multigrid.setup(A, shape=a.shape))
    assert result.converged
    assert result.iterations <= 14


def test_prints_its_hierarchy():
    text = str(Multigrid.setup(matrix_of(np.ones((12, 12, 12))), shape=(12, 12, 12)))
    assert "Number of Levels:     3" in text
    assert "12x12x12" in text
    assert "3x3x3" in text


MISTAKES = {
    "NaN": ((np.full((1, 4, 4, 4), np.nan),), {}, "not positive"),
    "rhs shape": ((np.ones((1, 4, 4, 4)), np.ones((4, 4))), {}, "rhs has shape"),
    "lengths": ((np.ones((1, 4, 4, 4)),), {"lengths": (1.0, 2.0)}, "lengths"),
    "boundary": ((np.ones((1, 4, 4, 4)),), {"boundary": (WALL, WALL)}, "boundary"),
    "half periodic": ((np.ones((1, 4, 4, 4)),), {"boundary": (NONE, WALL, (RING, NONE))}, "periodic"),
    "singular": ((np.ones((1, 4, 4, 4)),), {"boundary": NONE}, "subtract its mean"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named_in_one_line(mistake):
    arguments, settings, match = MISTAKES[mistake]
    with pytest.raises(InputError, match=match) as caught:
        solve_batch(*arguments, **settings)
    assert "\n" not in str(caught.value)


def test_refuses_what_is_no_diffusion_matrix():
    A = matrix_of(rough((3, 4, 5)))
    B = A.tolil()
    B[0, 26] = B[26, 0] = -1.0
    for matrix in (B.tocsr(), A + 3.0 * np.eye(60), -A, A @ A):
        with pytest.raises(InputError, match="amg"):
            Multigrid.setup(matrix, shape=(3, 4, 5))
    with pytest.raises(InputError, match="60"):
        Multigrid.setup(A, shape=(3, 4, 6))
