"""Algebraic multigrid: iterations independent of the grid, the cycle, near null spaces."""

import re

import numpy as np
import pyamg
import pytest
import scipy.sparse as sp
from pyamg.gallery import linear_elasticity

from resolvent.solvers import AMG, Diffusion, InputError, cg, gmres

METHODS = ("ruge_stuben", "smoothed_aggregation")


def binary(n, contrast, seed=0):
    y, x = np.meshgrid(*(2 * [(np.arange(n) + 0.5) / n]), indexing="ij")
    return np.where(np.sin(7 * x + 2 * y) * np.cos(5 * y - 3 * x) > 0, contrast, 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_iterations_do_not_grow_with_the_grid_or_the_contrast(method):
    counts = []
    for n, contrast in ((32, 4.0), (96, 4.0), (96, 1e4)):
        A = Diffusion(binary(n, contrast))
        result = cg(A, np.ones(n * n), rtol=1e-8, M=AMG.setup(A, method=method))
        assert result.converged
        counts.append(result.iterations)
    assert max(counts) <= 25
    assert counts[1] <= counts[0] + 5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cycle", ["V", "W"])
def test_the_cycle_is_pyamgs(method, cycle):
    """Our cycle from a zero guess against one iteration of pyamg's own on the same hierarchy."""
    A = Diffusion(binary(24, 10.0))
    M = AMG.setup(A, method=method, cycle=cycle)
    assert len(M.hierarchy.levels) >= 3
    r = np.random.default_rng(0).standard_normal(24 * 24)
    expected = M.hierarchy.solve(r, x0=np.zeros_like(r), maxiter=1, cycle=cycle, tol=1e-30)
    np.testing.assert_allclose(M @ r, expected, rtol=1e-8, atol=1e-12 * np.abs(expected).max())


def test_rigid_body_modes_help_elasticity():
    A, B = linear_elasticity((24, 24))
    A = sp.csr_array(A)
    b = np.random.default_rng(0).standard_normal(A.shape[0])
    plain = cg(A, b, rtol=1e-8, M=AMG.setup(A, method="smoothed_aggregation"))
    informed = cg(A, b, rtol=1e-8, M=AMG.setup(A, method="smoothed_aggregation", B=B))
    assert informed.converged
    assert informed.iterations < plain.iterations


def test_jacobi_smoothing_is_symmetric_too():
    A = Diffusion(binary(12, 4.0))
    M = AMG.setup(A, smoother="jacobi")
    matrix = M @ np.eye(144)
    assert M.kind == "spd"
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-13 * np.abs(matrix).max())
    assert np.linalg.eigvalsh(matrix).min() > 0.0


def test_a_nonsymmetric_matrix_gives_a_linear_preconditioner():
    A = sp.csr_array(Diffusion(np.ones((20, 20))).tocsr() + sp.diags_array(np.full(399, -100.0), offsets=-1))
    M = AMG.setup(A)
    assert M.kind == "linear"
    with pytest.raises(InputError, match="gmres"):
        cg(A, np.ones(400), M=M)
    preconditioned = gmres(A, np.ones(400), rtol=1e-8, M=M)
    assert preconditioned.converged
    assert preconditioned.iterations < gmres(A, np.ones(400), rtol=1e-8).iterations / 2


def test_a_singular_neumann_problem():
    """The coarsest system is solved by its pseudo-inverse, so a consistent singular system converges."""
    n = 24
    one = sp.diags_array([np.r_[1.0, np.full(n - 2, 2.0), 1.0], -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1])
    A = sp.csr_array(sp.kron(one, sp.eye_array(n)) + sp.kron(sp.eye_array(n), one))
    b = A @ np.random.default_rng(0).standard_normal(n * n)
    result = cg(A, b, rtol=1e-8, M=AMG.setup(A))
    assert result.converged
    assert result.iterations < 30


def test_complex_hermitian_by_smoothed_aggregation():
    A = Diffusion(binary(16, 4.0)).tocsr()
    phases = sp.diags_array(np.exp(1j * np.random.default_rng(0).random(256)))
    A = sp.csr_array(phases @ A @ phases.conj())
    M = AMG.setup(A, method="smoothed_aggregation", B=phases.diagonal())
    assert M.kind == "spd"
    result = cg(A, np.ones(256), rtol=1e-8, M=M)
    assert result.converged
    assert result.iterations < 30


def test_update_keeps_the_transfers_and_recomputes_the_operators():
    M = AMG.setup(Diffusion(binary(32, 4.0)))
    transfers = [level.P for level in M.hierarchy.levels[:-1]]
    A = Diffusion(1.0 + binary(32, 8.0))
    M.update(A)
    assert all(before is level.P for before, level in zip(transfers, M.hierarchy.levels, strict=False))
    for fine, coarse in zip(M.hierarchy.levels[:-1], M.hierarchy.levels[1:], strict=True):
        np.testing.assert_allclose(coarse.A.toarray(), (fine.R @ fine.A @ fine.P).toarray(), rtol=1e-12, atol=1e-9)
    assert cg(A, np.ones(1024), rtol=1e-8, M=M).iterations <= 15


def test_a_hierarchy_of_one_level_is_the_inverse():
    A = Diffusion(np.ones((4, 4)))
    M = AMG.setup(A, max_coarse=100)
    assert len(M.hierarchy.levels) == 1
    np.testing.assert_allclose(A @ (M @ np.arange(16.0)), np.arange(16.0), atol=1e-9)
    assert isinstance(M.hierarchy, pyamg.MultilevelSolver)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"method": "ruge"}, "ruge_stuben"),
        ({"smoother": "sor"}, "smoother"),
        ({"cycle": "F"}, "cycle"),
        ({"strength": 2.0}, "strength"),
        ({"max_levels": 0}, "max_levels"),
        ({"B": np.ones(16)}, "smoothed_aggregation"),
        ({"method": "smoothed_aggregation", "B": np.ones(7)}, "B has shape"),
        ({"method": "smoothed_aggregation", "B": np.full(16, np.nan)}, "finite"),
    ],
)
def test_mistakes(arguments, word):
    with pytest.raises(InputError, match=word):
        AMG.setup(Diffusion(np.ones((4, 4))), **arguments)


def test_ruge_stuben_refuses_complex_matrices():
    with pytest.raises(InputError, match="smoothed_aggregation"):
        AMG.setup(np.array([[2.0, 1j], [-1j, 2.0]]))


def test_prints_its_hierarchy():
    M = AMG.setup(Diffusion(np.ones((24, 24))))
    levels = M.hierarchy.levels
    text = str(M)
    assert f"Number of Levels:     {len(levels)}" in text
    assert f"Operator Complexity:  {M.hierarchy.operator_complexity():.3f}" in text
    assert all(re.search(rf"{k} +{level.A.shape[0]} +{level.A.nnz} ", text) for k, level in enumerate(levels))
    assert M._repr_html_().count("<tr>") == len(levels) + 1
    assert f"<td>{levels[1].A.nnz}</td>" in M._repr_html_()
    assert f"levels={len(levels)}" in repr(M)
    assert str(AMG()) == AMG()._repr_html_() == "AMG(not set up)"


@pytest.mark.parametrize(
    "error", [ValueError("array must not contain infs\nor NaNs"), IndexError(), np.linalg.LinAlgError("x.")]
)
def test_whatever_pyamg_raises_is_one_line(monkeypatch, error):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("pyamg.ruge_stuben_solver", fails)
    with pytest.raises(
        InputError, match=rf"^amg: A could not be coarsened \({type(error).__name__}: [^\n]*\.$"
    ) as caught:
        AMG.setup(Diffusion(np.ones((12, 12))))
    assert "\n" not in str(caught.value)


def test_an_update_that_cannot_be_coarsened_is_one_line(monkeypatch):
    A = Diffusion(np.ones((12, 12)))
    M = AMG.setup(A)
    monkeypatch.setattr("pyamg.relaxation.smoothing.change_smoothers", lambda *_: 1 / 0)
    with pytest.raises(InputError, match="ZeroDivisionError"):
        M.update(A)
