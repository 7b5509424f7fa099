"""Mild contrast in two dimensions: float32 directions with recomputed residuals, and float64 ones that take over."""

import itertools

import numpy as np
import pytest
import scipy.fft
import scipy.sparse.linalg as spla

from resolvent.solvers import BoxSolver, Status, solve_batch
from resolvent.solvers.kernels import Kernel
from resolvent.solvers.matrices.box import read_box
from resolvent.solvers.matrices.faces import faces
from resolvent.solvers.multigrid.fallback import assemble
from resolvent.solvers.multigrid.plane import workspace
from resolvent.solvers.multigrid.plane.workspace import ENOUGH, REDUCTION

NONE, WALL, RING = "neumann", "dirichlet", "periodic"
AXES = [WALL, NONE, RING, (WALL, NONE), (NONE, WALL)]


def matrix_of(a, boundary=WALL, lengths=None):
    box = read_box(a.shape, lengths, boundary)
    return assemble(faces(a, box), box.periodic)


def thresholded(n, contrast, alpha=2.0, tau=3.0, seed=0):
    """Two-phase field: the sign of a Gaussian field of covariance (−Δ + τ²)^−α."""
    k = np.arange(n)
    amplitude = (np.pi**2 * (k[:, None] ** 2 + k**2) + tau**2) ** (-alpha / 2)
    amplitude[0, 0] = 0.0
    modes = amplitude * np.random.default_rng(seed).standard_normal((n, n))
    return np.where(scipy.fft.idctn(modes, norm="ortho") >= 0.0, contrast, 1.0)


def phases(shape, contrast=4.0):
    """Two phases with the interfaces of a wave."""
    y, x = np.meshgrid(*(np.linspace(0.0, 1.0, n) for n in shape), indexing="ij")
    return np.where(np.sin(7.0 * x + 3.0 * y) + np.cos(5.0 * y - 4.0 * x) > 0.0, 3.0 * contrast, 3.0)


def with_doubles(monkeypatch, *args, **kwargs):
    """`solve_batch` with float64 directions at every contrast."""
    with monkeypatch.context() as patch:
        patch.setattr(workspace, "MILD", 0.5)
        return solve_batch(*args, threads=1, **kwargs)


@pytest.mark.parametrize(("in_y", "in_x"), itertools.product(AXES, AXES))
@pytest.mark.parametrize("shape", [(16, 24), (17, 13), (31, 8)])
def test_equals_a_direct_solve_in_as_many_iterations(shape, in_y, in_x, monkeypatch):
    a, boundary = phases(shape), (in_y, in_x)
    A, b = matrix_of(a, boundary), np.random.default_rng(1).standard_normal(shape)
    singular = read_box(shape, None, boundary).singular
    if singular:
        b -= b.mean()
    result = solve_batch(a[None], b, boundary=boundary, rtol=1e-11, threads=1)
    assert result.converged
    assert result.methods == ("multigrid",)
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
    doubles = with_doubles(monkeypatch, a[None], b, boundary=boundary, rtol=1e-11)
    assert doubles.x.tobytes() != result.x.tobytes()
    assert abs(result.iterations[0] - doubles.iterations[0]) <= 1


FIELDS = {
    "smooth": lambda n: 3.0 * thresholded(n, 4.0),
    "sharper": lambda n: thresholded(n, 16.0, seed=1),
    "rough": lambda n: thresholded(n, 12.0, alpha=1.2, tau=15.0),
    "cells": lambda n: np.where(np.random.default_rng(0).random((n, n)) < 0.5, 16.0, 1.0),
    "lognormal": lambda n: np.exp(np.log(16.0) * np.random.default_rng(0).random((n, n))),
}


@pytest.mark.parametrize("n", [64, 127, 256, 500])
@pytest.mark.parametrize("field", FIELDS)
def test_rounding_costs_no_iterations(field, n, monkeypatch):
    a = FIELDS[field](n)[None]
    result, doubles = solve_batch(a, 1.0, threads=1), with_doubles(monkeypatch, a, 1.0)
    assert result.converged
    assert result.iterations[0] <= doubles.iterations[0] + 1
    common = result.iterations[0]
    np.testing.assert_allclose(result[0].residuals[:common], doubles[0].residuals[:common], rtol=0.1, atol=1e-11 * n)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (3, 50), (1, 200), (200, 1)])
@pytest.mark.parametrize("boundary", [WALL, ((WALL, NONE), RING), (RING, (NONE, WALL))], ids=str)
def test_small_and_thin_grids(shape, boundary):
    a, b = phases(shape), np.random.default_rng(1).standard_normal(shape)
    result = solve_batch(a[None], b, boundary=boundary, rtol=1e-11, threads=1)
    assert result.converged
    A = matrix_of(a, boundary)
    np.testing.assert_allclose(result.x[0].ravel(), spla.spsolve(A.tocsc(), b.ravel()), rtol=1e-7)


@pytest.mark.parametrize("lengths", [(2.0, 0.7), (1.0, 10.0), (0.02, 1.0)])
def test_stretched_cells(lengths, monkeypatch):
    a = phases((40, 40))[None]
    result = solve_batch(a, 1.0, lengths=lengths, threads=1)
    assert result.converged
    assert result.iterations[0] <= with_doubles(monkeypatch, a, 1.0, lengths=lengths).iterations[0] + 1
    true = np.linalg.norm(1.0 - matrix_of(a[0], WALL, lengths) @ result.x[0].ravel())
    assert true <= 1.01e-10 * 40.0


def test_doubles_take_over_where_convergence_is_slow(monkeypatch):
    a = np.kron(np.where(np.random.default_rng(0).random((40, 40)) < 0.5, 1000.0, 1.0), np.ones((3, 3)))
    plain = BoxSolver(a.shape, fallback=False).solve(a)
    monkeypatch.setattr(workspace, "MILD", 1e9)
    taken = BoxSolver(a.shape, fallback=False).solve(a)
    assert plain.converged
    assert taken.converged
    assert taken.iterations > ENOUGH  # so that this is about the exchange
    assert taken.iterations <= plain.iterations + 12
    np.testing.assert_allclose(taken.x, plain.x, rtol=1e-6)


def test_doubles_take_over_at_the_floor_and_name_it(monkeypatch):
    a = phases((96, 96))
    result = BoxSolver(a.shape).solve(a, rtol=1e-17)
    assert result.status is Status.STAGNATED
    assert "floor" in result.message
    assert result.iterations <= 60
    doubles = with_doubles(monkeypatch, a[None], 1.0, rtol=1e-17)
    assert result.residual <= 3.0 * doubles.residuals[0]


@pytest.mark.parametrize("maxiter", [1, 2, 5])
def test_the_residual_is_true_when_iterations_are_used_up(maxiter):
    a, b = phases((30, 20)), np.random.default_rng(1).standard_normal((30, 20))
    result = BoxSolver(a.shape, maxiter=maxiter, fallback=False).solve(a, b)
    assert result.status is Status.MAXITER
    assert result.iterations == maxiter
    true = np.linalg.norm(b.ravel() - matrix_of(a) @ result.x.ravel())
    assert result.residual == pytest.approx(true, rel=1e-9)
    assert len(result.residuals) == maxiter + 1


def test_contrast_decides_and_what_was_solved_before_leaves_no_trace():
    fields = [thresholded(33, c, seed=s)[1:, 2:] for s, c in enumerate((4.0, 100.0, 2.0, 1e4, 16.0))]
    kept = BoxSolver(fields[0].shape)
    for a in (*fields, *fields[::-1]):
        result = kept.solve(a)
        assert kept._workspace.mild == (a.max() <= workspace.MILD * a.min())
        assert result.x.tobytes() == BoxSolver(a.shape).solve(a).x.tobytes()


@pytest.mark.parametrize("scale", [1e-150, 1e30])
def test_any_scale_changes_no_bit(scale):
    scale = 2.0 ** np.round(np.log2(scale))
    a = phases((24, 31))
    plain, scaled = BoxSolver(a.shape).solve(a), BoxSolver(a.shape).solve(a * scale, scale)
    assert plain.x.tobytes() == scaled.x.tobytes()


def test_goals_are_equal_steps_to_the_tolerance():
    compiled = Kernel("plane_next_goal", "float float float", "float")

    def next_goal(norm, tolerance):
        return compiled(norm, tolerance, REDUCTION)

    norm, goals = 1.0, []
    while norm > 1e-10:
        norm = next_goal(norm, 1e-10)
        goals.append(norm)
    np.testing.assert_allclose(goals, [10.0 ** (-10 / 3), 10.0 ** (-20 / 3), 1e-10])
    assert next_goal(1.0, 0.5) == 0.5
    assert next_goal(1e-12, 1e-10) == 1e-10
    assert next_goal(2.0, 0.0) == 2.0 * REDUCTION
