"""The compiled kernels of time steps against plain NumPy: transforms, transpositions, and stages of random terms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from resolvent.solvers.kernels import Kernel
from resolvent.solvers.kernels.alignment import aligned, lane_count
from resolvent.solvers.spectral.fourier_grid import FourierGrid
from resolvent.solvers.timestepping.compiled.fourier import fft_lanes, lane_plan
from resolvent.solvers.timestepping.compiled.terms import compiled_term
from resolvent.solvers.timestepping.schemes import Scheme, Stage
from resolvent.solvers.timestepping.stage_programs import stage_program
from resolvent.solvers.timestepping.terms import PolynomialTerm, VorticityTerm

PRECISIONS = ("float32", "float64")
LENGTHS = [n for n in range(2, 513) if lane_plan(n, "float64") is not None]
EVEN = [n for n in range(8, 100, 2) if lane_plan(n, "float64") is not None]
HALVED = [n for n in range(12, 90, 2) if len((lane_plan(n // 2, "float64") or [[]] * 2)[1]) > 1]


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_transforms_of_all_lengths(dtype: str) -> None:
    rng, lanes = np.random.default_rng(0), lane_count(dtype)
    assert len(LENGTHS) > 60
    for n in LENGTHS:
        plan = lane_plan(n, dtype)
        assert plan is not None
        x, y = aligned(2, n * lanes, dtype), aligned(2, n * lanes, dtype)
        for each in x:
            each[:] = rng.normal(size=each.size)
        z = (x[0].astype(np.float64) + 1j * x[1]).reshape(n, lanes)
        for inverse in (False, True):
            x[0][:], x[1][:] = (z.imag if inverse else z.real).ravel(), (z.real if inverse else z.imag).ravel()
            re, im = fft_lanes(plan, x, y)[:: -1 if inverse else 1]
            expected = np.fft.ifft(z, axis=0) * n if inverse else np.fft.fft(z, axis=0)
            found = (re + 1j * im).reshape(n, lanes)
            assert np.abs(found - expected).max() < 6 * np.finfo(dtype).eps * np.abs(expected).max(), n


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_lanes_do_not_depend_on_each_other(dtype: str) -> None:
    rng, lanes = np.random.default_rng(1), lane_count(dtype)
    for n in (6, 15, 32, 40, 128):
        plan = lane_plan(n, dtype)
        assert plan is not None
        values = rng.normal(size=(2, n, lanes)).astype(dtype)
        found = []
        for order in (np.arange(lanes), rng.permutation(lanes)):
            given = [np.ascontiguousarray(part[:, order]).ravel() for part in values]
            result = fft_lanes(plan, given, tuple(np.empty_like(each) for each in given))
            found.append([each.reshape(n, lanes)[:, np.argsort(order)] for each in result])
        np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_transposed_tiles(dtype: str) -> None:
    rng, L = np.random.default_rng(2), lane_count(dtype)
    transpose = Kernel("transpose_tiles", "int T* int T* int")
    for _ in range(100):
        count, more, far = (int(k) for k in rng.integers(1, 5, 3))
        leap, jump = (L * L * more, L * L * far) if rng.random() < 0.5 else (L * (L + more), L * (L + far))
        source = rng.normal(size=(count - 1) * leap + L * L).astype(dtype)
        target = np.zeros((count - 1) * jump + L * L, dtype)
        transpose(count, source, leap, target, jump)
        expected = np.zeros_like(target)
        for k in range(count):
            tile = source[k * leap : k * leap + L * L].reshape(L, L)
            expected[k * jump : k * jump + L * L] = tile.T.ravel()
        np.testing.assert_array_equal(target, expected)


def _cases(seed: int, dtype: str) -> list[Any]:
    """Return terms on grids of random lengths and boxes, of all kinds that are compiled."""
    rng = np.random.default_rng(seed)
    first = [n for n in EVEN if n % lane_count(dtype) == 0]
    terms: list[Any] = []
    for _ in range(12):
        box = tuple(rng.uniform(0.5, 3.0, 2))
        shape = int(rng.choice(first)), int(rng.choice([n for n in LENGTHS if 8 < n < 90]))
        forcing = rng.normal(size=shape) if rng.random() < 0.5 else None
        terms.append(VorticityTerm(FourierGrid(shape, box), forcing))
        square, cube = rng.normal(size=2) * rng.integers(0, 2, 2)
        shape = int(rng.choice(first)), int(rng.choice(HALVED))
        along = [None, 0, 1][rng.integers(3)]
        terms.append(PolynomialTerm(FourierGrid(shape, box, factors=3), square, cube, derivative=along))
        grid = FourierGrid((int(rng.choice(HALVED)),), float(box[0]), factors=3)
        terms.append(PolynomialTerm(grid, square, cube, derivative=along if along != 1 else None))
    return terms


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("seed", range(4))
def test_stages_of_random_terms(dtype: str, seed: int) -> None:
    """One step of random coefficients, equal at ±k_x or not, with all kinds of operations, against the formulas."""
    rng = np.random.default_rng(seed)
    done = 0
    for term in _cases(seed, dtype):
        compiled = compiled_term(term, dtype)
        if compiled is None:
            continue
        done += 1
        grid = term.grid
        batch = int(rng.integers(1, 2 * lane_count(dtype) if grid.ndim == 1 else 4))
        modes = grid.to_modes(rng.normal(size=(batch, *grid.shape)))
        c = rng.normal(size=(5, *grid.modes_shape))
        if grid.ndim == 2:  # the modes that a real field has twice, or all as in most equations
            K, columns = grid.cutoff[0], 1 if rng.random() < 0.5 else None
            c[:, :K:-1, :columns] = c[:, 1 : K + 1, :columns]
        stages = (Stage(0, 1, 2, ((0, c[0]), (1, c[1]))), Stage(2, 3, 0, ((0, c[2]), (3, c[3]), (1, c[4]))))
        program = compiled.prepare(stage_program(Scheme(4, stages)))
        cast = modes.astype(np.complex64 if dtype == "float32" else np.complex128)
        N = term(modes)
        second = c[0] * modes + c[1] * N
        expected = c[2] * modes + c[3] * term(second) + c[4] * N
        states = compiled.pack(cast)
        reached = np.zeros((len(states), compiled.together), np.int64)
        compiled.advance(states, 0, len(states), 1, program, reached)
        found = np.empty_like(cast)
        compiled.unpack(states, found)
        scale = np.abs(expected).max()
        assert np.abs(found - expected).max() < 100 * np.finfo(dtype).eps * scale, (repr(grid), repr(term))
        assert (reached.ravel()[:batch] == 1).all()
        again = compiled.pack(cast)  # in memory that was used before
        compiled.advance(again, 0, len(again), 1, program, reached)
        np.testing.assert_array_equal(again, states)
    assert done > 20


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_only_the_blocks_asked_for_are_advanced(dtype: str) -> None:
    grid = FourierGrid((32, 24))
    compiled = compiled_term(VorticityTerm(grid), dtype)
    assert compiled is not None
    c = np.ones(grid.modes_shape)
    program = compiled.prepare(stage_program(Scheme(2, (Stage(0, 1, 0, ((0, 0.5 * c), (1, c))),))))
    modes = grid.to_modes(np.random.default_rng(3).normal(size=(5, *grid.shape)))
    states = compiled.pack(modes)
    before, reached = states.copy(), np.full((5, 1), -1)
    compiled.advance(states, 1, 3, 2, program, reached)
    assert reached.ravel().tolist() == [-1, 2, 2, -1, -1]
    for i in range(5):
        assert np.array_equal(states[i], before[i]) == (i not in (1, 2))


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_found_anywhere(dtype: str, value: float) -> None:
    """Without a step nothing is checked, with one a sample counts only if all its numbers are finite."""
    rng = np.random.default_rng(4)
    for shape in ((60,), (16, 18)):
        grid = FourierGrid(shape, factors=3)
        compiled = compiled_term(PolynomialTerm(grid, 1.0), dtype)
        assert compiled is not None
        c = np.ones(grid.modes_shape)
        program = compiled.prepare(stage_program(Scheme(2, (Stage(0, 1, 0, ((0, c), (1, 0.0 * c))),))))
        batch = compiled.L if grid.ndim == 1 else 4
        for _ in range(20):
            modes = grid.to_modes(rng.normal(size=(batch, *grid.shape)))
            bad = int(rng.integers(batch))
            place = tuple(int(rng.integers(n)) for n in grid.modes_shape)
            modes[(bad, *place)] = value if rng.random() < 0.5 else complex(0.0, value)
            states = compiled.pack(modes)
            reached = np.zeros((len(states), compiled.together), np.int64)
            compiled.advance(states, 0, len(states), 1, program, reached)
            assert reached.ravel().tolist() == [int(i != bad) for i in range(batch)]
