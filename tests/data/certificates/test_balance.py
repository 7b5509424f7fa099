"""The evaluation behind certificates agrees with every operator, and shares no code with them."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from resolvent.data import make_problem
from resolvent.data.boundaries import plain_sides, read_sides
from resolvent.data.certificates import balance, face_fluxes
from resolvent.solvers import Diffusion


def test_knows_nothing_of_solvers() -> None:
    tree = ast.parse(Path(balance.__file__).read_text(encoding="utf-8"))
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    imported |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert imported == {"__future__", "collections.abc", "typing", "numpy", "boundaries", "face_fluxes"}
    tree = ast.parse(Path(face_fluxes.__file__).read_text(encoding="utf-8"))
    assert {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names} == {"numpy"}
    assert {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)} == {
        "__future__",
        "resolvent.solvers.kernels",
    }


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2), (7, 9), (64, 33)], ids=str)
@pytest.mark.parametrize(
    "boundary",
    [
        "dirichlet",
        "neumann",
        "periodic",
        ["periodic", ["neumann", "dirichlet"]],
        [["dirichlet", "neumann"], "periodic"],
    ],
    ids=str,
)
def test_the_compiled_sweep_equals_the_sum_over_arrays(shape: tuple[int, int], boundary: object) -> None:
    rng = np.random.default_rng(2)
    a, u, sides = np.exp(rng.normal(size=shape)), rng.normal(size=shape), read_sides(boundary, 2)
    scale = np.abs(balance._diffusion(a, np.abs(u), sides, {}, 1.0)).max()
    for transposed in (False, True):
        a, u = (np.asfortranarray(v) if transposed else v for v in (a, u))
        a.setflags(write=not transposed)
        expected = balance._diffusion(a, u, sides, {}, -1.0)
        np.testing.assert_allclose(balance.diffusion(a, u, sides), expected, rtol=0, atol=1e-14 * max(scale, 1.0))


@pytest.mark.parametrize(
    ("shape", "boundary"),
    [
        ((7, 9), "dirichlet"),
        ((6, 5), ["periodic", ["neumann", "dirichlet"]]),
        ((2, 3), "periodic"),
        ((1, 4), ["periodic", "neumann"]),
        ((4, 5, 3), [["dirichlet", "neumann"], "periodic", "neumann"]),
    ],
    ids=str,
)
def test_diffusion_equals_the_operator(shape: tuple[int, ...], boundary: object) -> None:
    rng = np.random.default_rng(0)
    a, u, sides = np.exp(rng.normal(size=shape)), rng.normal(size=shape), read_sides(boundary, len(shape))
    for coefficient in (a, None):
        operator = Diffusion(np.ones(shape) if coefficient is None else a, boundary=sides)
        expected = (operator @ u.ravel()).reshape(shape)
        np.testing.assert_allclose(balance.diffusion(coefficient, u, sides), expected, rtol=1e-11, atol=1e-10)
        magnitude = (abs(operator.tocsr()) @ np.abs(u).ravel()).reshape(shape)
        if min(shape) > 2:  # two links between the same two cells add up to one entry
            np.testing.assert_allclose(balance.diffusion_magnitude(coefficient, u, sides), magnitude, rtol=1e-11)


def test_diffusion_equals_the_matrix_free_stencil() -> None:
    rng = np.random.default_rng(1)
    a, u = np.exp(rng.normal(size=(12, 8))), rng.normal(size=(12, 8)) + 1j * rng.normal(size=(12, 8))
    expected = (Diffusion(a) @ u.ravel()).reshape(u.shape)
    found = balance.diffusion(a, u, read_sides("dirichlet", 2))
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("scheme", ["central", "upwind"])
def test_convection_magnitude_is_the_absolute_matrix(scheme: str) -> None:
    problem = make_problem("convection_diffusion", resolution=(5, 7), scheme=scheme, modes=8)
    parameters = problem.sample(np.random.default_rng(0))
    w, epsilon = [parameters["velocity_x"], parameters["velocity_y"]], parameters["diffusivity"][0, 0]
    parts = []
    for unit in np.eye(35).reshape(35, 5, 7):
        parts.append(balance.convection(w, unit, scheme).ravel())
    convection = np.array(parts).T
    expected = problem.system(parameters).operator.tocsr().toarray()
    expected = expected - epsilon * Diffusion(np.ones((5, 7))).tocsr().toarray()
    np.testing.assert_allclose(convection, expected, atol=1e-10)
    u = np.random.default_rng(0).normal(size=(5, 7))
    reach = balance.convection_magnitude(w, u, scheme).ravel()
    assert np.all(reach >= np.abs(convection) @ np.abs(u).ravel() - 1e-12)


def test_sides_round_trip() -> None:
    for boundary in ("neumann", ["periodic", "neumann"], [["dirichlet", "neumann"], "periodic"]):
        assert plain_sides(read_sides(boundary, 2)) == boundary
    assert plain_sides(read_sides(["neumann", ["neumann", "neumann"]], 2)) == "neumann"
