"""The compiled two-dimensional multigrid against plain NumPy: each level's fields, the cycle and the solve.

Shapes, sides, lengths, contrasts and steps are drawn at random: odd and even axes, axes of one cell, periodic ones, all
kinds of walls, grids that coarsen along one axis only.
"""

import math

import numpy as np
import pytest

from resolvent.solvers.matrices.box import read_box
from resolvent.solvers.multigrid import outcomes
from resolvent.solvers.multigrid.plane import layout, workspace
from resolvent.solvers.multigrid.plane.workspace import Workspace

AXES = ["dirichlet", "neumann", "periodic", ("dirichlet", "neumann"), ("neumann", "dirichlet")]


def draw(seed, most):
    """A workspace that is set up for a random coefficient, and that coefficient."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, most, 2))
    boundary = tuple(AXES[k] for k in rng.integers(0, len(AXES), 2))
    lengths = None if seed % 2 else tuple(rng.choice([0.3, 1.0, 4.0], 2))
    box = read_box(shape, lengths, boundary)
    a = np.exp(rng.choice([0.3, 1.5]) * rng.standard_normal(shape))
    made = Workspace(box, int(rng.integers(1, 5)))
    assert made.set_up(a)
    return made, a, rng


def shifted(links, ny, nx):
    """The links of all cells to their neighbours, as (dj, di, link)."""
    east, north = (link.astype(float) for link in links[:2])
    found = [
        (0, -1, east[:ny, :nx]),
        (0, 1, east[:ny, 1 : nx + 1]),
        (-1, 0, north[:ny, :nx]),
        (1, 0, north[1 : ny + 1, :nx]),
    ]
    if len(links) == 4:
        rising, falling = (link.astype(float) for link in links[2:])
        found += [
            (-1, -1, rising[:ny, :nx]),
            (1, 1, rising[1 : ny + 1, 1 : nx + 1]),
            (-1, 1, falling[:ny, 1 : nx + 1]),
            (1, -1, falling[1 : ny + 1, :nx]),
        ]
    return found


def matrix(links, ny, nx, periodic):
    """The operator as a dense matrix."""
    number = np.arange(ny * nx).reshape(ny, nx)
    A = np.zeros((ny * nx, ny * nx))
    for dj, di, link in shifted(links, ny, nx):
        j, i = np.arange(ny)[:, None] + dj, np.arange(nx)[None, :] + di
        inside = ((j >= 0) & (j < ny) | periodic[0]) & ((i >= 0) & (i < nx) | periodic[1])
        np.add.at(A, (number, number), link)
        np.subtract.at(A, (number[inside], number[j % ny, i % nx][inside]), link[inside])
    return A


def shares(low, high):
    low, high = np.maximum(low, 0.0), np.maximum(high, 0.0)
    total = low + high
    safe = np.where(total > 0.0, total, 1.0)
    return np.where(total > 0.0, low / safe, 0.5), np.where(total > 0.0, high / safe, 0.5)


def expected_weights(links, ny, nx, cy, cx, periodic):
    """Dendy's weights from a level's links."""
    to = {(dj, di): link for dj, di, link in shifted(links, ny, nx)}

    def toward(*directions):
        return sum((to.get(each, 0.0) for each in directions), np.zeros((ny, nx)))

    sy, sx = 2 if cy < ny else 1, 2 if cx < nx else 1
    none_y, none_x = np.zeros((0, cx)), np.zeros((cy, 0))
    west = east = none_x
    if sx == 2:
        low = toward((0, -1), (-1, -1), (1, -1))[::sy, 1::2]
        high = toward((0, 1), (-1, 1), (1, 1))[::sy, 1::2]
        west, east = shares(low, high)
        if nx % 2 == 0 and not periodic[1]:
            alone = (low[:, -1] <= 0.0) & (high[:, -1] <= 0.0)
            west[alone, -1], east[:, -1] = 1.0, 0.0
    south = north = none_y
    if sy == 2:
        low = toward((-1, 0), (-1, -1), (-1, 1))[1::2, ::sx]
        high = toward((1, 0), (1, -1), (1, 1))[1::2, ::sx]
        south, north = shares(low, high)
        if ny % 2 == 0 and not periodic[0]:
            alone = (low[-1] <= 0.0) & (high[-1] <= 0.0)
            south[-1, alone], north[-1] = 1.0, 0.0
    if sx == 1 or sy == 1:
        return west, east, south, north

    def at_centres(*directions):
        return toward(*directions)[1::2, 1::2]

    def ahead(values, axis):
        """The weights of the next coarse row or column; beyond a wall zero."""
        moved = np.roll(values, -1, axis)
        if not periodic[axis]:
            moved[(slice(None),) * axis + (-1,)] = 0.0
        return moved

    rows, columns = slice(0, ny // 2), slice(0, nx // 2)
    total = at_centres(*to)
    scale = np.where(total > 0.0, 1.0 / np.where(total > 0.0, total, 1.0), 0.0)
    w, e, s, n = (at_centres(each) for each in ((0, -1), (0, 1), (-1, 0), (1, 0)))
    return (
        west,
        east,
        south,
        north,
        scale * (s * west[rows] + w * south[:, columns] + at_centres((-1, -1))),
        scale * (s * east[rows] + e * ahead(south, 1)[:, columns] + at_centres((-1, 1))),
        scale * (n * ahead(west, 0)[rows] + w * north[:, columns] + at_centres((1, -1))),
        scale * (n * ahead(east, 0)[rows] + e * ahead(north, 1)[:, columns] + at_centres((1, 1))),
    )


def interpolation(weights, ny, nx, cy, cx):
    """P as a dense matrix."""
    west, east, south, north, sw, se, nw, ne = (each.astype(float) for each in weights)
    sy, sx = 2 if cy < ny else 1, 2 if cx < nx else 1
    P = np.zeros((ny, nx, cy, cx))
    for offset_y, offset_x, dj, di, values in [
        (0, 0, 0, 0, np.ones((cy, cx))),
        (0, 1, 0, 0, west),
        (0, 1, 0, 1, east),
        (1, 0, 0, 0, south),
        (1, 0, 1, 0, north),
        (1, 1, 0, 0, sw),
        (1, 1, 0, 1, se),
        (1, 1, 1, 0, nw),
        (1, 1, 1, 1, ne),
    ]:
        jc, ic = np.indices(values.shape)
        np.add.at(P, (sy * jc + offset_y, sx * ic + offset_x, (jc + dj) % cy, (ic + di) % cx), values)
    return P.reshape(ny * nx, cy * cx)


def expected_faces(a, box, scale):
    hy, hx = box.spacings
    faces = []
    for axis, h in ((1, hx), (0, hy)):
        low, high = (np.moveaxis(a, axis, 0)[k] for k in (slice(None, -1), slice(1, None)))
        inner = 2.0 * low * high / (low + high)
        first, last = np.moveaxis(a, axis, 0)[0], np.moveaxis(a, axis, 0)[-1]
        ends = [2.0 * cell * wall for cell, wall in zip((first, last), box.walls[2 * axis : 2 * axis + 2], strict=True)]
        if box.periodic[axis] and a.shape[axis] > 1:
            ends = [2.0 * first * last / (first + last)] * 2
        faces.append(np.moveaxis(np.concatenate([ends[:1], inner, ends[1:]]), 0, axis) * scale / h**2)
    return faces


@pytest.mark.parametrize("seed", range(150))
def test_set_up_and_cycle(seed):
    made, a, rng = draw(seed, 14)
    periodic, arena, levels = made.box.periodic, made.arena, made.levels
    assert 0.25 <= max(made.east.max(), made.north.max(), 0.25) <= 1.0
    for mine, face in zip((made.east, made.north), expected_faces(a, made.box, made.scale), strict=True):
        np.testing.assert_allclose(mine, face, rtol=1e-13)
    operators, interpolations = [], []
    for level, (ny, nx) in enumerate(made.sizes):
        links = layout.links_of(arena, levels, level)
        A = matrix(links, ny, nx, periodic)
        if level == 0:
            for single, double in zip(links, (made.east, made.north), strict=True):
                np.testing.assert_array_equal(single, double.astype(np.float32))
        else:
            P = interpolations[-1]
            np.testing.assert_allclose(A, P.T @ operators[-1][0] @ P, atol=3e-6 * np.abs(operators[-1][0]).max())
        inverse = layout.cells(arena, levels, level, layout.INVERSE_DIAGONAL)[:, :nx]
        positive = sum(np.maximum(link, 0.0) for _, _, link in shifted(links, ny, nx))
        np.testing.assert_allclose(inverse, np.divide(1.0, positive, where=positive > 0.0, out=positive * 0.0), 1e-6)
        operators.append((A, inverse.ravel().astype(float)))
        if level + 1 == len(made.sizes):
            break
        cy, cx = made.sizes[level + 1]
        weights = layout.weights_of(arena, levels, level)
        for mine, given in zip(weights, expected_weights(links, ny, nx, cy, cx, periodic), strict=False):
            np.testing.assert_allclose(mine, given, atol=2e-6)
        interpolations.append(interpolation(weights, ny, nx, cy, cx))
    n = len(A)
    dense = layout.grid(arena, levels[-1, layout.WEIGHTS], n, n).astype(float)
    if made.box.singular:
        A = A + (np.trace(A) if np.trace(A) > 0.0 else 1.0) / n**2
    np.testing.assert_array_equal(dense, dense.T)
    np.testing.assert_allclose(dense @ A, np.eye(n), atol=1e-3)

    omegas = made._plane.omegas.astype(float)

    def relaxed(level, x, r):
        A, inverse = operators[level]
        for omega in omegas:
            x = x + omega * inverse * (r - A @ x)
        return x

    def cycle(level, r):
        if level == len(interpolations):
            return dense @ r
        P = interpolations[level]
        x = relaxed(level, 0.0 * r, r)
        return relaxed(level, x + P @ cycle(level + 1, P.T @ (r - operators[level][0] @ x)), r)

    for _ in range(2):
        r = rng.standard_normal(made.box.shape).astype(np.float32)
        z, expected = made.apply(r), cycle(0, r.ravel().astype(float))
        np.testing.assert_allclose(z.ravel(), expected, atol=1e-5 * np.abs(dense).max() * np.abs(r).sum())
        assert made._plane.energy == pytest.approx(np.vdot(r.astype(float), z.astype(float)), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("seed", range(75))
@pytest.mark.parametrize("mild", [False, True])
def test_solves(seed, mild, monkeypatch):
    monkeypatch.setattr(workspace, "MILD", 1e9 if mild else 0.5)
    made, _, rng = draw(seed, 18)
    ny, nx = made.box.shape
    A = matrix((made.east, made.north), ny, nx, made.box.periodic)
    b = rng.standard_normal((ny, nx))
    if made.box.singular:
        b -= b.mean()
    norm = np.linalg.norm(b)
    assert made.mild == mild
    for maxiter, tolerance in ((0, 1e-10), (1, 1e-10), (3, 1e-10), (200, 1e-10), (200, math.inf)):
        code, iterations, residual = made.solve(b, 0.5, tolerance * 0.5 * norm, maxiter, 500)
        if maxiter == 0 or tolerance == math.inf:
            assert iterations == 0
            assert not made.x.any()
        true = np.linalg.norm(0.5 * b.ravel() - A @ made.x.ravel())
        assert residual == pytest.approx(true, rel=1e-2, abs=1e-13 * norm)
        assert made.history[iterations] == residual
        assert code == (outcomes.CONVERGED if residual <= tolerance * 0.5 * norm else outcomes.MAXITER)
        assert code == outcomes.CONVERGED or iterations == maxiter < 200


@pytest.mark.parametrize("seed", range(0, 40, 2))
def test_faces_and_coefficients_make_the_same_hierarchy(seed):
    made, _, _ = draw(seed, 20)
    if any(made.box.periodic):
        return
    other = Workspace(made.box, 2)
    assert other.set_up_from_faces(made.east / made.scale, made.north / made.scale, made.box.walls)
    assert not other.mild
    ratio = other.scale / made.scale
    np.testing.assert_allclose(other.east, made.east * ratio, rtol=1e-15)
    for level in range(len(made.sizes)):
        links = (layout.links_of(each.arena, each.levels, level) for each in (made, other))
        for mine, theirs in zip(*links, strict=True):
            np.testing.assert_array_equal(mine * np.float32(ratio), theirs)


def test_sums_of_any_length():
    values = np.random.default_rng(0).standard_normal(400)
    for n in range(200):
        v = values[n : 2 * n]
        assert outcomes.largest_magnitude(v) == np.abs(v).max(initial=0.0)
        assert outcomes.sum_of_squares(v, 3.0) == pytest.approx(9.0 * np.vdot(v, v), rel=1e-14)


def test_codes_are_those_of_the_header():
    header = (workspace.__file__[: -len("plane/workspace.py")] + "outcomes.hpp").replace("\\", "/")
    with open(header, encoding="utf-8") as file:
        names = file.read().partition("enum Outcome : i64 {")[2].partition("}")[0].split(",")
    assert [getattr(outcomes, name.strip()) for name in names] == list(range(6))
