"""The kernels of three-dimensional multigrid against plain NumPy, on random boxes of a few cells."""

import itertools

import numpy as np
import pytest

from resolvent.solvers.matrices.box import read_box
from resolvent.solvers.multigrid.outcomes import CONVERGED, MAXITER
from resolvent.solvers.multigrid.smoothing import fourth_kind_steps
from resolvent.solvers.multigrid.space import grids
from resolvent.solvers.multigrid.space.workspace import COARSE_STEPS, Workspace3D

SIDES = ["periodic", *itertools.product(("dirichlet", "neumann"), repeat=2)]


def random_workspace(seed, mild, largest=9, cells=200):
    """A box of random shape, sides and lengths, a coefficient, and its workspace."""
    rng = np.random.default_rng(seed)
    shape = (cells,) * 3
    while np.prod(shape) > cells:
        shape = tuple(int(n) for n in rng.integers(1, largest + 1, 3))
    boundary = tuple(SIDES[k] for k in rng.integers(0, len(SIDES), 3))
    box = read_box(shape, tuple(shape * rng.choice([1.0, 1.0, 0.9, 2.5], 3)), boundary)
    a = np.exp(rng.standard_normal(shape) * (0.3 if mild else 1.5))
    a[(0,) * 3] *= 1.0 if mild else 100.0
    return rng, a, Workspace3D(box, int(rng.integers(1, 4)))


def face_links(a, box):
    """Transmissibilities across each axis, with those to walls or around in the outermost entries."""
    links = []
    for axis, h in enumerate(box.spacings):
        v = np.moveaxis(a, axis, 0)
        face = np.zeros((len(v) + 1, *v.shape[1:]))
        face[1:-1] = 2.0 * v[1:] * v[:-1] / (v[1:] + v[:-1])
        if box.periodic[axis] and len(v) > 1:
            face[0] = face[-1] = 2.0 * v[0] * v[-1] / (v[0] + v[-1])
        face[0] += 2.0 * v[0] * box.walls[2 * axis]
        face[-1] += 2.0 * v[-1] * box.walls[2 * axis + 1]
        links.append(np.moveaxis(face, 0, axis) / h**2)
    return links


def dense(links, wraps):
    """The seven-point operator of links as a matrix."""
    shape = tuple(n - (axis == 0) for axis, n in enumerate(links[0].shape))
    number = np.arange(np.prod(shape)).reshape(shape)
    A = np.zeros((number.size, number.size))
    for axis, face in enumerate(links):
        me, t = np.moveaxis(number, axis, 0), np.moveaxis(face, axis, 0)
        np.add.at(A, (me, me), t[:-1] + t[1:])
        np.add.at(A, (me[1:], me[:-1]), -t[1:-1])
        np.add.at(A, (me[:-1], me[1:]), -t[1:-1])
        if wraps[axis]:
            np.add.at(A, (me[0], me[-1]), -t[0])
            np.add.at(A, (me[-1], me[0]), -t[0])
    return A


@pytest.mark.parametrize("seed", range(150))
def test_faces_and_finest_operator(seed):
    _, a, workspace = random_workspace(seed, mild=seed % 2 == 0)
    assert workspace.set_up(a)
    expected = face_links(a, workspace.box)
    for face, links in zip(workspace.unscaled_faces(), expected, strict=True):
        np.testing.assert_allclose(face, links, rtol=2e-15)
    A = dense(expected, workspace.wraps) * workspace.scale
    if len(workspace.sizes) > 1:
        np.testing.assert_allclose(workspace.operator(0), A, atol=2e-7 * np.abs(A).max())


def linear_interpolation(n, coarse, wraps, end):
    """The matrix of linear interpolation along one axis."""
    P = np.zeros((n, coarse))
    for i in range(n):
        if coarse == n or i % 2 == 0:
            P[i, i if coarse == n else i // 2] = 1.0
        elif i // 2 + 1 < coarse or wraps:
            P[i, i // 2] += 0.5
            P[i, (i // 2 + 1) % coarse] += 0.5
        else:
            P[i, i // 2] = end
    return P


def interpolation(workspace, level):
    """P from the next level, a matrix."""
    fine, coarse = workspace.sizes[level : level + 2]
    row, below = workspace.levels[level : level + 2]
    if workspace.rediscretised:
        ends = workspace._space.ends[level]
        z, y, x = map(linear_interpolation, fine, coarse, workspace.wraps, ends)
        return np.kron(np.kron(z, y), x)
    begin = row[grids.WEIGHTS]
    weights = workspace.arena[begin : begin + 27 * below[grids.N]].reshape(27, *(n + 2 for n in coarse))
    cells = np.indices(fine).reshape(3, -1)
    strides = row[grids.STRIDE_Z : grids.STRIDE_X + 1][:, None]
    point, odd = cells // strides, cells % strides
    P = np.zeros((cells.shape[1], np.prod(coarse)))
    for side in itertools.product((0, 1, 2), repeat=3):
        target = point + (np.array(side) == 2)[:, None]
        for axis in range(3):
            if workspace.wraps[axis]:
                target[axis] %= coarse[axis]
        there = (odd == (np.array(side) > 0)[:, None]).all(axis=0) & (target < np.array(coarse)[:, None]).all(axis=0)
        where = np.flatnonzero(there)
        kind = weights[9 * side[0] + 3 * side[1] + side[2]]
        P[where, np.ravel_multi_index(target[:, where], coarse)] += kind[tuple(point[:, where] + 1)]
    return P


def v_cycle(workspace, level, r):
    """One V-cycle with dense matrices in float64."""
    A = workspace.operator(level)
    if level == len(workspace.sizes) - 1:
        if workspace.box.singular:
            A = A + np.trace(A) / A.size
        return np.linalg.solve(A, r)
    links = np.diag(np.diag(A)) - A
    walls = A.sum(axis=1)
    diagonal = np.maximum(links, 0.0).sum(axis=1) + np.maximum(walls, 0.0)
    inverse = np.where(diagonal > 1e-7 * np.abs(A).max(), 1.0 / np.where(diagonal > 0.0, diagonal, 1.0), 0.0)
    steps = workspace._space.steps
    below = max(steps, COARSE_STEPS) if workspace.rediscretised else steps
    omegas = fourth_kind_steps(below if level else steps)
    P = interpolation(workspace, level)
    x = np.zeros_like(r)
    for omega in omegas:
        x = x + omega * inverse * (r - A @ x)
    x = x + P @ v_cycle(workspace, level + 1, P.T @ (r - A @ x))
    for omega in omegas:
        x = x + omega * inverse * (r - A @ x)
    return x


@pytest.mark.parametrize("mild", [True, False])
@pytest.mark.parametrize("seed", range(150))
def test_cycle(seed, mild):
    rng, a, workspace = random_workspace(seed, mild)
    if workspace.box.singular and a.size == 1:
        return
    assert workspace.set_up(a)
    assert workspace.rediscretised == (a.max() <= 16.0 * a.min())
    r = rng.standard_normal(a.shape)
    if workspace.box.singular:
        r -= r.mean()
    expected = v_cycle(workspace, 0, r.ravel())
    z = workspace.apply(r).ravel().astype(np.float64)
    if workspace.box.singular:
        expected, z = expected - expected.mean(), z - z.mean()
    np.testing.assert_allclose(z, expected, atol=5e-4 * np.abs(expected).max())


@pytest.mark.parametrize("seed", range(200))
def test_conjugate_gradients(seed):
    rng, a, workspace = random_workspace(seed, mild=seed % 2 == 0)
    assert workspace.set_up(a)
    b = rng.standard_normal(a.shape)
    if workspace.box.singular:
        b -= b.mean()
    factor = 0.5
    maxiter = 500 if seed % 3 else 2
    tolerance = 1e-10 * np.linalg.norm(b)
    outcome, iterations, norm = workspace.solve(b, factor, tolerance, maxiter, 500)
    A = dense(face_links(a, workspace.box), workspace.wraps) * workspace.scale
    x = workspace.x.copy()
    residual = np.linalg.norm(factor * b.ravel() - A @ x.ravel())
    assert norm == pytest.approx(residual, rel=1e-3, abs=1e-14 * np.abs(A).max() * max(np.linalg.norm(x), 1.0))
    assert workspace.history[iterations] == norm
    assert outcome == (CONVERGED if norm <= tolerance else MAXITER)
    assert iterations <= 60
