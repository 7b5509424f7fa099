"""Mild contrast in three dimensions: coarse operators of seven points, linear transfers, and the way back."""

import numpy as np
import pytest
import scipy.fft
import scipy.sparse.linalg as spla

from resolvent.solvers import BoxSolver, Multigrid, Status, cg, solve_batch
from resolvent.solvers.matrices.box import read_box
from resolvent.solvers.matrices.faces import faces
from resolvent.solvers.multigrid.fallback import assemble
from resolvent.solvers.multigrid.space import grids as grids3d
from resolvent.solvers.multigrid.space import workspace as workspace3d
from resolvent.solvers.multigrid.space.linear_transfers import end_weights
from resolvent.solvers.multigrid.space.workspace import Workspace3D

NONE, WALL, RING = "neumann", "dirichlet", "periodic"
SIDES = [
    WALL,
    NONE,
    RING,
    (WALL, NONE, RING),
    (RING, (WALL, NONE), (NONE, WALL)),
    ((NONE, WALL), RING, NONE),
    ((WALL, NONE), (NONE, WALL), (WALL, NONE)),
]
SHAPES = [(12, 12, 12), (13, 11, 9), (10, 5, 17), (7, 14, 6)]


def matrix_of(a, boundary=WALL):
    box = read_box(a.shape, None, boundary)
    return assemble(faces(a, box), box.periodic)


def thresholded(n, contrast, alpha=3.0, tau=3.0, seed=0):
    """Two-phase field: the sign of a Gaussian field of covariance (−Δ + τ²)^−α."""
    k2 = np.arange(n) ** 2
    amplitude = (np.pi**2 * (k2[:, None, None] + k2[:, None] + k2) + tau**2) ** (-alpha / 2)
    amplitude[0, 0, 0] = 0.0
    modes = amplitude * np.random.default_rng(seed).standard_normal((n, n, n))
    return np.where(scipy.fft.idctn(modes, norm="ortho") >= 0.0, contrast, 1.0)


def phases(shape, contrast=4.0, seed=0):
    """Two phases with the interfaces of a wave."""
    z, y, x = np.meshgrid(*(np.linspace(0.0, 1.0, n) for n in shape), indexing="ij")
    wave = np.sin(7.0 * x + 3.0 * y + seed) + np.cos(5.0 * y - 4.0 * z)
    return np.where(wave > 0.0, 3.0 * contrast, 3.0)


@pytest.mark.parametrize("boundary", SIDES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_a_direct_solve_in_few_iterations(shape, boundary):
    a = phases(shape)
    workspace = Workspace3D(read_box(shape, None, boundary), 2)
    assert workspace.set_up(a)
    assert workspace.rediscretised
    A = matrix_of(a, boundary)
    b = np.random.default_rng(1).standard_normal(shape)
    singular = boundary in (NONE, RING)
    if singular:
        b -= b.mean()
    result = solve_batch(a[None], b, boundary=boundary, rtol=1e-11, threads=1)
    assert result.converged
    assert result.methods == ("multigrid",)
    assert result.iterations[0] <= 13
    if singular:
        pinned = A.tolil()
        pinned[0, 0] += A.diagonal().max()
        expected = spla.spsolve(pinned.tocsc(), b.ravel())
        expected -= expected.mean()
    else:
        expected = spla.spsolve(A.tocsc(), b.ravel())
    np.testing.assert_allclose(result.x[0].ravel(), expected, atol=1e-8 * np.abs(expected).max())
    true = np.linalg.norm(b.ravel() - A @ result.x[0].ravel())
    assert true <= 1.01e-11 * np.linalg.norm(b)
    assert result.residuals[0] == pytest.approx(true, rel=0.2)


@pytest.mark.parametrize("n", [31, 32, 33, 48])
def test_iterations_do_not_depend_on_the_grid(n):
    fields = np.stack([3.0 * thresholded(n, 4.0), 3.0 * thresholded(n, 4.0, alpha=1.7, tau=15.0)])
    result = solve_batch(fields, 1.0, threads=1)
    assert result.converged
    assert result.iterations.max() <= 10


FIELDS = {
    "cells": lambda n, rng: np.where(rng.random((n, n, n)) < 0.5, 12.0, 1.0),
    "blocks": lambda n, rng: np.kron(np.where(rng.random((n // 3,) * 3) < 0.5, 12.0, 1.0), np.ones((3, 3, 3))),
    "layers": lambda n, rng: np.broadcast_to(np.where(np.arange(n) % 3 == 0, 12.0, 1.0)[:, None, None], (n, n, n)),
    "lognormal": lambda n, rng: np.exp(np.log(12.0) * rng.random((n, n, n))),
}


@pytest.mark.parametrize("field", FIELDS)
def test_rough_fields_need_no_exchange(field):
    a = np.array(FIELDS[field](24, np.random.default_rng(0)))
    solver = BoxSolver(a.shape)
    result = solver.solve(a)
    assert result.converged
    assert result.iterations <= 17
    assert solver._workspace.rediscretised


def test_slow_convergence_exchanges_the_hierarchy(monkeypatch):
    a = np.kron(np.where(np.random.default_rng(0).random((8, 8, 8)) < 0.5, 1000.0, 1.0), np.ones((3, 3, 3)))
    solver = BoxSolver(a.shape)
    plain = solver.solve(a)
    assert not solver._workspace.rediscretised
    monkeypatch.setattr(workspace3d, "MILD", 1e4)
    exchanged = solver.solve(a)
    assert exchanged.converged
    assert not solver._workspace.rediscretised
    assert exchanged.iterations <= plain.iterations + 8
    np.testing.assert_allclose(exchanged.x, plain.x, rtol=1e-6)
    monkeypatch.setattr(workspace3d.Workspace3D, "_exchange", lambda self: False)
    refused = solver.solve(a)
    assert "took over" in refused.message
    assert refused.status is Status.CONVERGED


def test_contrast_decides_and_what_was_solved_before_leaves_no_trace():
    fields = [thresholded(18, c, seed=s)[:, :17, 1:] for s, c in enumerate((4.0, 100.0, 2.0, 1e4, 15.0))]
    kept = BoxSolver(fields[0].shape)
    for a in (*fields, *fields[::-1]):
        result = kept.solve(a)
        assert kept._workspace.rediscretised == (a.max() <= workspace3d.MILD * a.min())
        fresh = BoxSolver(a.shape).solve(a)
        assert result.x.tobytes() == fresh.x.tobytes()


def share(n, coarse, wraps, end):
    """(coarse, n): the part of each fine line of links that a coarse line of links across an axis gets."""
    weights = np.zeros((coarse, n))
    for c in range(coarse):
        if coarse == n:
            weights[c, c] = 1.0
            continue
        weights[c, 2 * c] = 1.0
        if 2 * c + 1 < n:
            weights[c, 2 * c + 1] = 0.5 if c + 1 < coarse or wraps else end**2
        if c > 0:
            weights[c, 2 * c - 1] = 0.5
        elif wraps and n % 2 == 0:
            weights[c, n - 1] = 0.5
    return weights


def in_series(links, coarse, wraps):
    """(n + 1, ...) links along an axis to (coarse + 1, ...) links."""
    n = len(links) - 1
    if coarse == n:
        return links
    out = np.empty((coarse + 1, *links.shape[1:]))
    for c in range(coarse + 1):
        pair = None
        if c == 0:
            pair = (n - 1, n) if wraps and n % 2 == 0 else None
        elif 2 * c <= n:
            pair = (2 * c - 1, 2 * c)
        out[c] = links[pair[0]] * links[pair[1]] / (links[pair[0]] + links[pair[1]]) if pair else links[min(2 * c, n)]
    return out


def links_of(workspace, level):
    row, size = workspace.levels[level], workspace.sizes[level]
    begin = row[grids3d.LINKS]
    vectors = workspace.arena[begin : begin + 3 * row[grids3d.N]].reshape(3, *(n + 2 for n in size))
    return vectors[2, 1:, 1:-1, 1:-1], vectors[1, 1:-1, 1:, 1:-1], vectors[0, 1:-1, 1:-1, 1:]


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
def test_coarse_links_stand_for_fine_ones_in_series_and_in_parallel(shape, boundary, lengths):
    workspace = Workspace3D(read_box(shape, lengths, boundary), 2)
    assert workspace.set_up(np.random.default_rng(0).uniform(0.4, 2.5, shape))
    assert workspace.rediscretised
    ends = end_weights(workspace.sizes, workspace.wraps, workspace.walls)
    for level in range(len(workspace.sizes) - 1):
        size, coarse = workspace.sizes[level : level + 2]
        fine = [np.array(links, dtype=np.float64) for links in links_of(workspace, level)]
        for axis, links in enumerate(fine):
            expected = np.moveaxis(in_series(np.moveaxis(links, axis, 0), coarse[axis], workspace.wraps[axis]), 0, axis)
            for other in {0, 1, 2} - {axis}:
                weights = share(size[other], coarse[other], workspace.wraps[other], ends[level, other])
                expected = np.moveaxis(np.tensordot(weights, expected, axes=(1, other)), 0, other)
            np.testing.assert_allclose(links_of(workspace, level + 1)[axis], expected, rtol=2e-6)


def test_a_uniform_medium_has_the_scheme_of_coarser_cells():
    workspace = Workspace3D(read_box((24, 25, 26), (24.0, 25.0, 26.0), WALL), 2)
    assert workspace.set_up(np.ones((24, 25, 26)))
    for level in range(2):
        for axis, links in enumerate(links_of(workspace, level)):
            inner = links[tuple(slice(1, -1) for _ in range(3))]
            np.testing.assert_allclose(inner, inner.flat[0], rtol=1e-6)
            across = np.moveaxis(links, axis, 0)
            assert across[0, 1, 1] == pytest.approx(inner.flat[0] * 2.0 ** (1 + level), rel=1e-6)
    np.testing.assert_allclose(
        end_weights([(8, 9, 10), (4, 5, 5)], (False,) * 3, (True,) * 6)[0], [1 / 3] * 3, rtol=1e-6
    )


@pytest.mark.parametrize("boundary", SIDES, ids=str)
@pytest.mark.parametrize("shape", [(6, 7, 6), (5, 8, 4)], ids=str)
def test_the_cycle_is_symmetric_and_definite(shape, boundary):
    workspace = Workspace3D(read_box(shape, None, boundary), 2)
    a = phases(shape)
    assert workspace.set_up(a)
    n = a.size
    A = matrix_of(a, boundary).toarray() * workspace.scale
    dense = np.stack([workspace.apply(unit.reshape(shape)).copy().ravel() for unit in np.eye(n)], axis=1)
    np.testing.assert_allclose(dense, dense.T, atol=2e-6 * np.abs(dense).max())
    if workspace.box.singular:  # what counts is the action between vectors of mean zero
        mean_free = np.eye(n) - 1.0 / n
        dense = mean_free @ dense @ mean_free + 1.0 / n
        A += 1.0 / n
    spectrum = np.linalg.eigvals(dense.astype(np.float64) @ A).real
    assert spectrum.min() > 0.3
    assert spectrum.max() < 1.5


def test_preconditions_cg_on_a_matrix_and_prints_what_it_is():
    a = 3.0 * thresholded(16, 4.0)
    A = matrix_of(a, ((WALL, NONE), NONE, (NONE, WALL)))
    M = Multigrid.setup(A, shape=a.shape)
    result = cg(A, np.ones(a.size), rtol=1e-10, M=M)
    assert result.converged
    assert result.iterations <= 12
    expected = spla.spsolve(A.tocsc(), np.ones(a.size))
    np.testing.assert_allclose(result.x, expected, rtol=1e-7)
    assert "rediscretised coarse stencils of 7 points" in str(M)
    assert "3 on coarse levels" in str(M)
    assert "Operator Complexity:  1.14" in str(M)
    sharp = str(Multigrid.setup(matrix_of(thresholded(16, 100.0)), shape=(16, 16, 16)))
    assert "Galerkin coarse stencils" in sharp
