"""Transforms on lanes, nonlinear terms, and the measured orders of the time steppers on every path."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from resolvent.solvers import InputError
from resolvent.solvers.kernels.alignment import aligned, lane_count
from resolvent.solvers.spectral.fourier_grid import FourierGrid
from resolvent.solvers.timestepping.compiled.fourier import fft_lanes, lane_plan
from resolvent.solvers.timestepping.schemes import SCHEMES
from resolvent.solvers.timestepping.stage_programs import EVALUATED, stage_program
from resolvent.solvers.timestepping.stepper import TimeStepper
from resolvent.solvers.timestepping.terms import NoTerm, PolynomialTerm, VorticityTerm

TERMS = ("vorticity", "line", "plane")


def _case(kind: str, batch: int, scheme: str = "etdrk4", **settings: Any) -> tuple[TimeStepper, np.ndarray]:
    rng = np.random.default_rng(5)
    if kind == "vorticity":
        grid = FourierGrid((32, 24), (1.0, 2.0))
        x, y = np.meshgrid(*grid.points(), indexing="ij")
        term: Any = VorticityTerm(grid, np.sin(2 * np.pi * (x + y)))
        linear = 5e-3 * grid.laplacian()
    elif kind == "line":
        grid = FourierGrid((60,), 2.0)
        term, linear = PolynomialTerm(grid, -0.5, derivative=0), 0.02 * grid.laplacian()
    else:
        grid = FourierGrid((16, 20), factors=3)
        term, linear = PolynomialTerm(grid, 0.5, -1.0), 0.01 * grid.laplacian() + 1.0
    modes = grid.to_modes(rng.normal(size=(batch, *grid.shape))) / (1.0 - 0.05 * grid.laplacian())
    return TimeStepper(linear, term, scheme, **settings), modes * 3.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [2, 8, 16, 24, 30, 45, 64, 128])
def test_transform_on_lanes(n: int, dtype: str) -> None:
    lanes, plan = lane_count(dtype), lane_plan(n, dtype)
    assert plan is not None
    z = np.random.default_rng(n).normal(size=(2, n, lanes)).astype(dtype)
    x = aligned(4, n * lanes, dtype)
    assert all(each.ctypes.data % 64 == 0 for each in x)
    x[0][:], x[1][:] = z[0].ravel(), z[1].ravel()
    re, im = fft_lanes(plan, x[:2], x[2:])
    expected = np.fft.fft(z[0].astype(np.float64) + 1j * z[1], axis=0)
    found = re.reshape(n, lanes) + 1j * im.reshape(n, lanes)
    assert np.abs(found - expected).max() < 4 * np.finfo(dtype).eps * np.abs(expected).max()


def test_other_lengths_have_no_plan() -> None:
    assert lane_plan(14, "float64") is None
    assert lane_plan(1, "float64") is None


@pytest.mark.parametrize("shape", [(15,), (16,), (9, 12), (8, 7, 6)])
def test_modes_and_fields(shape: tuple[int, ...]) -> None:
    grid = FourierGrid(shape, tuple(1.0 + d for d in range(len(shape))), factors=1)
    rng = np.random.default_rng(0)
    modes = grid.to_modes(rng.normal(size=(2, *shape)))
    fields = grid.to_fields(modes)
    np.testing.assert_allclose(grid.to_modes(fields), modes, atol=1e-15)
    finer = tuple(2 * n + 1 for n in shape)
    np.testing.assert_allclose(grid.to_modes(fields).ravel()[0], fields[0].mean(), atol=1e-15)
    np.testing.assert_allclose(
        (grid.to_fields(modes, finer) ** 2).mean(axis=tuple(range(1, 1 + len(shape)))),
        (fields**2).mean(axis=tuple(range(1, 1 + len(shape)))),
        rtol=1e-12,
    )  # Parseval: no mode is lost or gained on another grid
    along = torch.from_numpy(fields)
    np.testing.assert_allclose(grid.to_modes(along).numpy(), modes, atol=1e-14)
    np.testing.assert_allclose(grid.to_fields(grid.to_modes(along)).numpy(), fields, atol=1e-14)


def test_vorticity_term_is_advection() -> None:
    """Against u·∇ω with derivatives taken one by one: equal to round-off, as neither form aliases."""
    stepper, modes = _case("vorticity", 3)
    grid = stepper.grid
    kx, ky = grid.wave_numbers()
    inverse = -grid.laplacian()
    inverse[0, 0] = np.inf
    psi, F = modes / inverse, grid.to_fields
    advection = F(1j * ky * psi) * F(1j * kx * modes) - F(1j * kx * psi) * F(1j * ky * modes)
    expected = stepper.term.forcing - grid.to_modes(advection)
    np.testing.assert_allclose(stepper.term(modes), expected, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize("kind", TERMS)
def test_compiled_path_equals_the_arrays(kind: str) -> None:
    stepper, modes = _case(kind, 11)
    slow, _ = _case(kind, 11, compiled=False)
    expected = slow.advance(modes, 5e-3, 7)
    found = stepper.advance(modes, 5e-3, 7)
    assert np.abs(expected.modes - modes).max() > 1e-3
    np.testing.assert_allclose(found.modes, expected.modes, atol=1e-14)
    np.testing.assert_array_equal(found.reached, np.full(11, 7))
    np.testing.assert_array_equal(expected.reached, np.full(11, 7))
    by_torch = slow.advance(torch.from_numpy(modes), 5e-3, 7).modes.numpy()
    np.testing.assert_allclose(by_torch, expected.modes, atol=1e-14)
    kept = modes.copy()
    assert stepper.advance(kept, 5e-3, 7, out=kept).modes is kept
    np.testing.assert_array_equal(kept, found.modes)


@pytest.mark.parametrize("shape", [(64, 15), (24, 128), (40, 16), (16, 9), (80, 25), (8, 64), (45,), (18,), (128,)])
def test_every_pass_on_other_lengths(shape: tuple[int, ...]) -> None:
    """All radices as the first and as the last pass, against the arrays."""
    rng = np.random.default_rng(1)
    shapes = [shape] if len(shape) == 2 else []
    terms: list[Any] = [VorticityTerm(FourierGrid(each)) for each in shapes]
    doubled = FourierGrid((*shape[:-1], 2 * shape[-1]), 3.0, factors=3)
    terms.append(PolynomialTerm(doubled, 0.5, -1.0, derivative=len(shape) - 1))
    for term in terms:
        linear = 1e-3 * term.grid.laplacian()
        modes = term.grid.to_modes(rng.normal(size=(3, *term.grid.shape)))
        compiled = TimeStepper(linear, term, "cn_euler")
        found = compiled.advance(modes, 1e-2, 2).modes
        assert compiled._terms["float64"] is not None
        expected = TimeStepper(linear, term, "cn_euler", compiled=False).advance(modes, 1e-2, 2).modes
        np.testing.assert_allclose(found, expected, atol=1e-14 * np.abs(expected).max())


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_programs_do_what_the_stages_say(scheme: str) -> None:
    rng = np.random.default_rng(2)
    stages = SCHEMES[scheme].make(-3.0 * rng.random(5), 0.3)
    program = stage_program(stages)
    u = rng.random(5)
    V: list[Any] = [u] + [None] * (stages.slots - 1)
    for stage in stages.stages:
        V[stage.target] = np.sin(V[stage.source])
        V[stage.out] = sum(c * V[slot] for slot, c in stage.terms)
    W = [u] + [np.full(5, np.nan)] * (program.slots - 1)
    for i, source in enumerate(program.sources):
        N = np.sin(W[source])
        for kind, o, a, c, b, d in program.operations[program.first[i] : program.first[i + 1]]:
            first, second = (N if slot == EVALUATED else W[slot] for slot in (a, b))
            W[o] = program.coefficients[c] * first
            W[o] = W[o] + (0.0 if kind == 1 else program.coefficients[d] * second if kind == 2 else second)
    np.testing.assert_allclose(W[0], V[0], rtol=1e-14)
    assert program.slots <= 4


def test_single_precision() -> None:
    stepper, modes = _case("vorticity", 2)
    single = stepper.advance(modes.astype(np.complex64), 5e-3, 7).modes
    assert single.dtype == np.complex64
    assert 1e-9 < np.abs(single - stepper.advance(modes, 5e-3, 7).modes).max() < 1e-6


@pytest.mark.parametrize("kind", TERMS)
@pytest.mark.parametrize("workers", [1, 2])
def test_bits_do_not_depend_on_the_batch(kind: str, workers: int) -> None:
    stepper, modes = _case(kind, 11, workers=workers)
    together = stepper.advance(modes, 5e-3, 3).modes
    for i in (0, 4, 10):
        np.testing.assert_array_equal(stepper.advance(modes[i : i + 1], 5e-3, 3).modes[0], together[i])
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(stepper)).advance(modes[::-1], 5e-3, 3).modes[::-1], together
    )


@pytest.mark.parametrize("kind", TERMS)
@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_order(kind: str, scheme: str) -> None:
    stepper, modes = _case(kind, 1, scheme)
    order = SCHEMES[scheme].order
    counts = {4: (8, 16, 32), 3: (16, 32, 64), 2: (32, 64, 128), 1: (64, 128, 256)}[order]
    u = [stepper.advance(modes, 0.2 / n, n).modes for n in counts]
    rate = np.log2(np.linalg.norm(u[0] - u[1]) / np.linalg.norm(u[1] - u[2]))
    assert abs(rate - order) < 0.25, rate


def test_linear_equations_are_exact() -> None:
    grid = FourierGrid((17,), factors=1)
    kappa = grid.wave_numbers()[0]
    linear = -1j * 0.7 * kappa - 0.01 * kappa**2
    modes = grid.to_modes(np.random.default_rng(0).normal(size=(2, 17)))
    found = TimeStepper(linear, NoTerm(grid)).advance(modes, 0.25, 4).modes
    np.testing.assert_allclose(found, np.exp(linear) * modes, atol=1e-14)


def test_coefficients_do_not_cancel() -> None:
    """φ functions from 60 terms of their series against the contour means, from dt·L = −4 to 0."""
    z = -np.array([0.0, 1e-8, 1e-3, 0.1, 1.0, 4.0])
    stages = SCHEMES["etdrk4"].make(z, 1.0).stages

    def phi(k: int) -> np.ndarray:
        total, term = np.zeros(z.size), np.full(z.size, 1.0 / np.prod(np.arange(1, k + 1)))
        for j in range(60):
            total, term = total + term, term * z / (j + 1 + k)
        return total

    f1, f2, f3 = phi(1) - 3 * phi(2) + 4 * phi(3), 2 * phi(2) - 4 * phi(3), 4 * phi(3) - phi(2)
    for (_, found), expected in zip(stages[3].terms[1:], (f1, f2, f2, f3), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-14)


@pytest.mark.parametrize("compiled", [True, False])
def test_blow_up_names_its_step(compiled: bool) -> None:
    stepper, modes = _case("line", 3, "cn_euler", compiled=compiled)
    modes = modes.copy()
    modes[1] *= 1e4
    with np.errstate(all="ignore"):
        reached = stepper.advance(modes, 2e-3, 200).reached
        assert reached[0] == reached[2] == 200
        assert 0 < reached[1] < 200
        for steps, finite in ((reached[1], True), (reached[1] + 1, False)):
            assert np.isfinite(stepper.advance(modes, 2e-3, int(steps)).modes[1]).all() == finite


def test_errors_a_user_can_cause() -> None:
    stepper, modes = _case("line", 2)
    grid = stepper.grid
    for make in (
        lambda: TimeStepper(stepper.linear, stepper.term, "rk4"),
        lambda: TimeStepper(stepper.linear[1:], stepper.term),
        lambda: stepper.advance(modes[:, 1:], 0.1),
        lambda: stepper.advance(modes.real, 0.1),
        lambda: stepper.advance(modes, -0.1),
        lambda: PolynomialTerm(grid, cube=1.0),
        lambda: VorticityTerm(grid),
        lambda: FourierGrid((2,)),
        lambda: FourierGrid((8, 8), (1.0,)),
        lambda: FourierGrid((8,), factors=4),
        lambda: grid.to_fields(modes, (8,)),
    ):
        with pytest.raises(InputError, match="expected"):
            make()


@pytest.mark.parametrize("compiled", [True, False])
def test_growing_modes_stay_those_of_a_real_field(compiled: bool) -> None:
    # Rounding breaks û(−k) = conj û(k) on the plane that is stored twice. No field shows it, so N does not hold it
    # back, and e^{Lt} made 1e-17 of it the whole state (t = 60) and then an overflow (t = 90), whatever the step.
    grid = FourierGrid((16, 16), 1.0, factors=3)
    stepper = TimeStepper(4e-4 * grid.laplacian() + 1.0, PolynomialTerm(grid, cube=-1.0), compiled=compiled)
    modes = grid.to_modes(0.1 * np.random.default_rng(0).standard_normal((2, 16, 16)))
    once, reached = stepper.advance(modes, 0.25, 480)
    assert reached.tolist() == [480, 480]
    plane = once[:, :, 0]
    assert np.abs(plane[:, 1:] - plane[:, :0:-1].conj()).max() < 1e-12
    for _ in range(48):  # through the fields, which forget what is not theirs
        modes = grid.to_modes(grid.to_fields(stepper.advance(modes, 0.25, 10).modes))
    np.testing.assert_allclose(grid.to_fields(once), grid.to_fields(modes), rtol=0.0, atol=1e-11)


def test_modes_of_real_fields() -> None:
    for shape in ((9,), (8, 9), (8, 9, 10)):
        grid = FourierGrid(shape, 1.0)
        rng = np.random.default_rng(0)
        modes = rng.standard_normal((2, *grid.modes_shape)) + 1j * rng.standard_normal((2, *grid.modes_shape))
        found = grid.hermitian(modes)
        np.testing.assert_allclose(grid.to_fields(found), grid.to_fields(modes), rtol=0.0, atol=1e-13)
        np.testing.assert_allclose(grid.to_modes(grid.to_fields(modes)), found, rtol=0.0, atol=1e-13)
        np.testing.assert_array_equal(grid.hermitian(torch.from_numpy(modes)).numpy(), found)


@pytest.mark.parametrize("library", ["compiled", "arrays", "torch"])
def test_every_path_fills_out_and_takes_no_samples(library: str) -> None:
    stepper, modes = _case("plane", 2, compiled=library == "compiled")
    given: Any = torch.from_numpy(modes) if library == "torch" else modes
    expected = np.asarray(stepper.advance(given, 0.01, 3).modes)
    out: Any = torch.zeros_like(given) if library == "torch" else np.zeros_like(modes)
    found = stepper.advance(given, 0.01, 3, out=out)
    assert found.modes is out
    np.testing.assert_array_equal(np.asarray(out), expected)
    none = stepper.advance(given[:0], 0.01, 3)
    assert none.modes.shape == given[:0].shape
    assert len(none.reached) == 0
    for steps in (-1, 2.5, True):
        with pytest.raises(InputError, match="steps is"):
            stepper.advance(given, 0.01, steps)  # type: ignore[arg-type]


def test_fields_and_modes_of_another_grid_are_refused() -> None:
    # A transform of 17 points divided by 16 was a wrong field without a word.
    grid = FourierGrid((16, 16))
    for shape in ((17, 17), (16, 15), (16,)):
        with pytest.raises(InputError, match="fields have the shape"):
            grid.to_modes(np.ones(shape))
    fine = FourierGrid((32, 24))
    modes = grid.to_modes(np.random.default_rng(0).standard_normal((2, 16, 16)))
    np.testing.assert_allclose(grid.to_modes(grid.to_fields(modes, fine.shape), fine.shape), modes, atol=1e-15)
    with pytest.raises(InputError, match="cannot hold"):
        grid.to_modes(np.ones((8, 8)), (8, 8))
    with pytest.raises(InputError, match="modes have the shape"):
        grid.to_fields(np.ones((2, 11, 5), complex))
    with pytest.raises(InputError, match="fields have the shape"):
        VorticityTerm(grid, np.ones((8, 8)))


def test_shows_itself_in_one_line() -> None:
    grid = FourierGrid((8, 8))
    stepper = TimeStepper(grid.laplacian(), VorticityTerm(grid), "ars443")
    assert repr(stepper) == f"TimeStepper(ars443, order 3, VorticityTerm, {grid!r})"


def test_steps_are_differentiable_in_torch() -> None:
    grid = FourierGrid((8, 8))
    for shift in (0.0, 1.0):
        stepper = TimeStepper(1e-2 * grid.laplacian() + shift, VorticityTerm(grid))
        fields = torch.randn(1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        fields.requires_grad_()
        assert torch.autograd.gradcheck(
            lambda f, s=stepper: grid.to_fields(s.advance(grid.to_modes(f), 1e-2, 2).modes), fields
        )


def test_the_first_step_of_a_process_compiles_nothing() -> None:
    code = (
        "import time, numpy as np; from resolvent.solvers import FourierGrid, TimeStepper, VorticityTerm;"
        "grid = FourierGrid((32, 32)); modes = grid.to_modes(np.ones((1, 32, 32)));"
        "stepper = TimeStepper(grid.laplacian(), VorticityTerm(grid)); began = time.process_time();"
        "stepper.advance(modes, 1e-3); print(time.process_time() - began)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert float(done.stdout) < 0.2
