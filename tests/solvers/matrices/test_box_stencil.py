"""Operators of direct neighbours on boxes: entries, symmetry, adjoint, agreement with the matrix-free stencil."""

from __future__ import annotations

import numpy as np
import pytest

import resolvent.solvers.matrices
from resolvent.solvers import BoxStencil, Diffusion, InputError, cg, gmres
from resolvent.solvers.matrices.box import read_box
from resolvent.solvers.matrices.diffusion import diffusion_matrix
from resolvent.solvers.matrices.faces import faces


def test_is_the_same_operator_without_a_matrix() -> None:
    a = np.exp(np.random.default_rng(0).normal(size=(6, 9)))
    free, box = Diffusion(a), read_box(a.shape, None, "dirichlet")
    assembled = diffusion_matrix(faces(a, box), box.periodic)
    assert free.matrix_free
    np.testing.assert_allclose(free.tocsr().toarray(), assembled.toarray(), rtol=1e-14)
    np.testing.assert_allclose(free.diagonal(), assembled.diagonal(), rtol=1e-14)
    u = np.random.default_rng(1).normal(size=(54, 2))
    np.testing.assert_allclose(free @ u, assembled @ u, rtol=1e-12, atol=1e-9)


def test_old_names_work_and_warn() -> None:
    a = np.exp(np.random.default_rng(0).normal(size=(3, 4)))
    box = read_box(a.shape, (1.0, 2.0), "neumann")
    for module in (resolvent.solvers, resolvent.solvers.matrices):
        for name, arguments in (("DiffusionStencil", (a,)), ("box_diffusion", (a, 2.0)), ("BoxDiffusion", (a, box))):
            with pytest.warns(DeprecationWarning, match="import Diffusion"):
                old = getattr(module, name)
            assert isinstance(old(*arguments), Diffusion)
    assert Diffusion(a, box).box == box
    with pytest.raises(InputError, match="the box has"):
        Diffusion(a.T, box)


@pytest.mark.parametrize(
    "boundary", ["dirichlet", "neumann", "periodic", (("neumann", "dirichlet"), "periodic", "neumann")]
)
def test_symmetric_with_row_sums_at_the_walls_only(boundary: object) -> None:
    operator = Diffusion(np.exp(np.random.default_rng(1).normal(size=(3, 4, 5))), boundary=boundary)
    dense = operator.tocsr().toarray()
    np.testing.assert_array_equal(dense, dense.T)
    sums = dense.sum(axis=1).reshape(3, 4, 5)
    if boundary in ("neumann", "periodic"):
        assert np.abs(sums).max() < 1e-9
    elif boundary == "dirichlet":
        assert np.abs(sums[1:-1, 1:-1, 1:-1]).max() < 1e-9
        assert sums[0].min() > 1.0
    else:
        assert np.abs(sums[:-1]).max() < 1e-9
        assert sums[-1].min() > 1.0


def test_entries_go_to_the_right_neighbours() -> None:
    """A nonsymmetric complex stencil against its definition, cell by cell, with one periodic axis."""
    rng = np.random.default_rng(2)
    shape, periodic = (4, 3), (True, False)
    diagonal, *links = rng.normal(size=(5, *shape)) + 1j * rng.normal(size=(5, *shape))
    operator = BoxStencil(diagonal, links[:2], links[2:], periodic)
    u = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    expected = diagonal * u
    for index in np.ndindex(shape):
        for axis in range(2):
            for step, link in ((-1, links[axis]), (1, links[2 + axis])):
                other = list(index)
                other[axis] += step
                if periodic[axis]:
                    other[axis] %= shape[axis]
                if 0 <= other[axis] < shape[axis]:
                    expected[index] += link[index] * u[tuple(other)]
    np.testing.assert_allclose((operator @ u.ravel()).reshape(shape), expected, rtol=1e-13)
    v = rng.normal(size=12) + 1j * rng.normal(size=12)
    assert np.vdot(v, operator @ u.ravel()) == pytest.approx(np.vdot(operator.H @ v, u.ravel()))
    np.testing.assert_allclose(operator @ np.stack([v, u.ravel()], 1), operator.tocsr() @ np.stack([v, u.ravel()], 1))


def test_scalar_links_and_one_cell_axes() -> None:
    operator = BoxStencil(np.full((1, 5), 2.0), [0.0, -1.0], [0.0, -1.0], (True, False))
    expected = 2 * np.eye(5) - np.eye(5, k=1) - np.eye(5, k=-1)
    np.testing.assert_array_equal(operator.tocsr().toarray(), expected)
    around = BoxStencil(np.full(2, 2.0), [-1.0], [-1.0], (True,))
    np.testing.assert_array_equal(around.tocsr().toarray(), [[2.0, -2.0], [-2.0, 2.0]])


def test_solvers_take_it() -> None:
    a = np.exp(np.random.default_rng(3).normal(size=(5, 6, 4)))
    x = np.random.default_rng(4).normal(size=a.size)
    operator = Diffusion(a, lengths=(1.0, 2.0, 0.5))
    for result in (cg(operator, operator @ x, rtol=1e-12), gmres(operator, operator @ x, rtol=1e-12, restart=120)):
        np.testing.assert_allclose(result.x, x, atol=1e-8)


@pytest.mark.parametrize(
    ("coefficient", "settings", "message"),
    [
        (np.ones((2, 2, 2, 2)), {}, "one to three axes"),
        (np.array([[1.0, -1.0]]), {}, "1 values that are not positive"),
        (np.ones((2, 2)) * 1j, {}, "complex"),
        (np.ones((2, 2)), {"boundary": "robin"}, "boundary in y is 'robin'"),
    ],
)
def test_wrong_arguments(coefficient: np.ndarray, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        Diffusion(coefficient, **settings)
    assert "\n" not in str(raised.value)


def test_wrong_number_of_axes() -> None:
    with pytest.raises(InputError, match="give 2 of each"):
        BoxStencil(np.ones((2, 2)), [0.0], [0.0], (True,))
