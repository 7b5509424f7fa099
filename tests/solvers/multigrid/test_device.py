"""The batched multigrid for CUDA devices: the hierarchy, cycle, decisions and solutions of the CPU's.

The tests run the CUDA program itself: on the host, by the launcher of conftest.py, and on a GPU where there is one.
"""

import contextlib
import importlib.util
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
import scipy.fft
import scipy.sparse.linalg as spla

from resolvent.solvers import InputError, Status, solve_batch
from resolvent.solvers.matrices.box import read_box
from resolvent.solvers.matrices.faces import faces
from resolvent.solvers.multigrid import outcomes as on_the_cpu
from resolvent.solvers.multigrid.device import batch as device_batch
from resolvent.solvers.multigrid.device import launcher
from resolvent.solvers.multigrid.device.conjugate_gradients import DeviceSolver, samples_at_once
from resolvent.solvers.multigrid.device.hierarchy import DeviceHierarchy
from resolvent.solvers.multigrid.device.launcher import Tiling, enumerators, program
from resolvent.solvers.multigrid.fallback import assemble
from resolvent.solvers.multigrid.plane.layout import INVERSE_DIAGONAL, WEIGHTS, cells, links_of
from resolvent.solvers.multigrid.plane.workspace import Workspace
from resolvent.solvers.multigrid.sample import STEPS
from resolvent.solvers.operands import on_host

NONE, WALL, AROUND = "neumann", "dirichlet", "periodic"


def rough(shape, seed=0, spread=1.0):
    return np.exp(spread * np.random.default_rng(seed).standard_normal(shape))


def thresholded(n, contrast, alpha=2.0, tau=3.0, seed=0):
    """Two-phase field: the sign of a Gaussian field of covariance (−Δ + τ²)^−α."""
    k = np.arange(n)
    amplitude = (np.pi**2 * (k[:, None] ** 2 + k**2) + tau**2) ** (-alpha / 2)
    amplitude[0, 0] = 0.0
    modes = amplitude * np.random.default_rng(seed).standard_normal((n, n))
    return np.where(scipy.fft.idctn(modes, norm="ortho") >= 0.0, contrast, 1.0)


def matrix_of(a, boundary=WALL, lengths=None):
    box = read_box(a.shape, lengths, boundary)
    return assemble(faces(a, box), box.periodic)


def solve(device, a, f=1.0, boundary=WALL, lengths=None, rtol=1e-10, maxiter=500, fallback=True):
    """What `solve_batch` does with CuPy arrays, on any device."""
    xp, box = device.xp, read_box(a.shape[1:], lengths, boundary)
    f = np.asarray(f, dtype=float)
    f = f if f.ndim == a.ndim else np.ascontiguousarray(np.broadcast_to(f, (1, *a.shape[1:])))
    result = device_batch.solve_on_device(device, xp.asarray(a), xp.asarray(f), box, rtol, maxiter, fallback)
    assert isinstance(result.x, xp.ndarray)
    return result


def set_up(device, a, box, steps=STEPS):
    """The hierarchies of a batch on the device, and those of the CPU, one a sample."""
    solver = DeviceSolver(device, box, steps, len(a))
    scale = solver.set_up(device.xp.asarray(a))
    workspaces = []
    for k in range(len(a)):
        workspaces.append(Workspace(box, steps))
        assert workspaces[k].set_up(a[k])
        assert workspaces[k].scale == scale[k]
    return solver, workspaces


# Shapes, sides and lengths that take every branch of the coarsening: odd and even, one axis at a time, thin, periodic
# with an even and an odd number of cells.
GRIDS = [
    ((16, 24), WALL, None),
    ((17, 13), (AROUND, NONE), None),
    ((14, 15), AROUND, None),
    ((13, 22), AROUND, None),
    ((30, 9), ((WALL, NONE), AROUND), None),
    ((12, 26), ((NONE, WALL), (WALL, NONE)), None),
    ((1, 70), WALL, None),
    ((70, 1), (WALL, AROUND), None),
    ((2, 50), (AROUND, WALL), None),
    ((24, 24), WALL, (1.0, 9.0)),
    ((20, 23), (NONE, (NONE, WALL)), (11.0, 1.0)),
    ((15, 16), AROUND, (9.0, 1.0)),
    ((5, 6), WALL, None),
    ((1, 1), WALL, None),
    ((11, 10), NONE, None),
]


def of(array, *shape):
    return on_host(array).reshape(-1, *shape)


@pytest.mark.parametrize(("shape", "boundary", "lengths"), GRIDS)
def test_the_hierarchy_is_that_of_the_cpu(device, shape, boundary, lengths):
    box = read_box(shape, lengths, boundary)
    a = np.stack([rough(shape, seed) for seed in range(3)])
    solver, workspaces = set_up(device, a, box)
    assert solver.hierarchy.sizes == workspaces[0].sizes
    for k, workspace in enumerate(workspaces):
        ny, nx = shape
        np.testing.assert_allclose(on_host(solver.east)[k, :ny], workspace.east, rtol=1e-14)
        np.testing.assert_allclose(on_host(solver.north)[k, :, :nx], workspace.north, rtol=1e-14)
        for number, level in enumerate(solver.hierarchy.levels):
            ny, nx = level.ny, level.nx
            expected = links_of(workspace.arena, workspace.levels, number)
            sizes = [(ny, nx + 1), (ny + 1, nx), (ny + 1, nx + 1), (ny + 1, nx + 1)]
            largest = max(np.abs(link).max() for link in expected)
            for link, given, (rows, columns) in zip(expected, level.links, sizes, strict=False):  # two on the finest
                mine = of(given, ny + 1, nx + 1)[k, :rows, :columns]
                np.testing.assert_allclose(mine, link[:rows, :columns], rtol=2e-5, atol=2e-6 * largest)
            inverse = cells(workspace.arena, workspace.levels, number, INVERSE_DIAGONAL)[:, :nx]
            np.testing.assert_allclose(of(level.inverse, ny, nx)[k], inverse, rtol=1e-5)
            weights = on_host(level.weights)[k]
            start = workspace.levels[number, WEIGHTS]
            there = workspace.arena[start : start + weights.size]
            # The last level's weights are the dense inverse, as good as the links that it is made of.
            size = np.abs(there).max()
            np.testing.assert_allclose(weights, there, atol=1e-5 if number + 1 < len(workspace.sizes) else 1e-4 * size)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize(("shape", "boundary", "lengths"), GRIDS[:10:2])
def test_a_cycle_is_that_of_the_cpu(device, shape, boundary, lengths, steps):
    box = read_box(shape, lengths, boundary)
    a = np.stack([rough(shape, seed) for seed in range(3)])
    solver, workspaces = set_up(device, a, box, steps)
    hierarchy = solver.hierarchy
    r = np.random.default_rng(5).standard_normal((3, *shape)).astype(np.float32)
    hierarchy.levels[0].r[...] = device.xp.asarray(r.reshape(3, -1))
    running = device.xp.asarray(np.full(3, enumerators("Status")["RUNNING"], dtype=np.int32))
    hierarchy.cycle(device.xp.asarray(np.array([3, 2, 0, 1], dtype=np.int32)), 3, running)
    z = of(hierarchy.z, *shape)
    for k, workspace in enumerate(workspaces):
        expected = workspace.apply(r[k])
        np.testing.assert_allclose(z[k], expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("shape", "boundary", "lengths"), [*GRIDS, ((64, 64), WALL, None), ((75, 41), NONE, None)])
def test_solutions_and_iterations_are_those_of_the_cpu(device, shape, boundary, lengths):
    a = np.stack([rough(shape, seed) for seed in range(4)])
    f = np.random.default_rng(1).standard_normal(a.shape)
    f -= f.mean(axis=(1, 2), keepdims=True) if read_box(shape, None, boundary).singular else 0.0
    expected = solve_batch(a, f, boundary=boundary, lengths=lengths, rtol=1e-11, threads=1)
    result = solve(device, a, f, boundary, lengths, rtol=1e-11)
    assert result.converged
    assert result.methods == ("multigrid",) * 4
    assert np.abs(result.iterations - expected.iterations).max() <= 1
    x = on_host(result.x)
    np.testing.assert_allclose(x, expected.x, atol=1e-9 * np.abs(expected.x).max())
    for k in range(4):
        b, A = f[k].ravel(), matrix_of(a[k], boundary, lengths)
        true = np.linalg.norm(b - A @ x[k].ravel())
        assert true <= 1.2e-11 * np.linalg.norm(b)
        assert result.residuals[k] == pytest.approx(true, rel=0.2, abs=1e-12 * np.linalg.norm(b))
        assert len(result[k].residuals) == result[k].iterations + 1
        assert result[k].residuals[-1] == result[k].residual
        assert result[k].rhs_norm == pytest.approx(np.linalg.norm(b), rel=1e-12)
        common = min(result[k].iterations, expected[k].iterations)
        history = expected[k].residuals[:common]
        np.testing.assert_allclose(result[k].residuals[:common], history, rtol=0.02, atol=1e-5 * history[0])


def test_samples_stop_each_on_its_own(device):
    """Batches of easy and hard samples: each is solved as it is alone, bit for bit, whatever the others still do."""
    a = np.stack([thresholded(48, contrast, seed=seed) for seed, contrast in enumerate([1.0, 1e4, 4.0, 1e2, 1e3])])
    f = np.random.default_rng(0).standard_normal(a.shape)
    f[2] = 0.0
    result = solve(device, a, f, rtol=1e-9)
    assert result.converged
    assert result.iterations[2] == 0
    assert len(set(result.iterations.tolist())) >= 3
    for k in range(len(a)):
        alone = solve(device, a[k : k + 1], f[k : k + 1], rtol=1e-9)
        np.testing.assert_array_equal(on_host(result.x[k]), on_host(alone.x[0]))
        np.testing.assert_array_equal(result[k].residuals, alone[0].residuals)
    assert not on_host(result.x[2]).any()


def test_threads_do_not_read_what_others_write(emulator, backwards):
    for shape, boundary, lengths in GRIDS[:6]:
        a = np.stack([rough(shape, seed) for seed in range(3)])
        f = np.random.default_rng(1).standard_normal(a.shape)
        f -= f.mean(axis=(1, 2), keepdims=True)
        forth, back = (solve(which, a, f, boundary, lengths) for which in (emulator, backwards))
        assert forth.converged
        # The sums over a block are the one thing whose rounding depends on the order.
        np.testing.assert_array_equal(forth.iterations, back.iterations)
        np.testing.assert_allclose(forth.x, back.x, atol=1e-12 * np.abs(forth.x).max())
        box = read_box(shape, lengths, boundary)
        first, second = (set_up(which, a, box)[0] for which in (emulator, backwards))
        for mine, other in zip(first.hierarchy.levels, second.hierarchy.levels, strict=True):
            for name in ("east", "north", "rising", "falling", "inverse", "weights"):
                np.testing.assert_array_equal(getattr(mine, name), getattr(other, name))


def test_sums_over_blocks_as_they_are(threaded, emulator):
    a = np.stack([rough((7, 6), seed) for seed in range(3)])
    expected, result = (solve(which, a, 1.0, maxiter=2, fallback=False) for which in (emulator, threaded))
    assert result.statuses == expected.statuses
    np.testing.assert_allclose(result.x, expected.x, rtol=1e-10)
    for mine, other in zip(result, expected, strict=True):
        np.testing.assert_allclose(mine.residuals, other.residuals, rtol=1e-6)


def test_one_source_for_all_samples(device):
    a = rough((3, 20, 22))
    f = rough((20, 22), 7)
    np.testing.assert_array_equal(on_host(solve(device, a, f).x), on_host(solve(device, a, np.stack([f] * 3)).x))


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_any_scale_of_coefficient_and_source(device, scale):
    a = rough((1, 20, 20))
    expected = on_host(solve(device, a).x)
    np.testing.assert_allclose(on_host(solve(device, a * scale).x) * scale, expected, rtol=1e-8)
    np.testing.assert_allclose(on_host(solve(device, a, scale).x) / scale, expected, rtol=1e-8)


def test_a_batch_larger_than_the_memory_is_solved_in_portions(emulator):
    a = np.stack([rough((20, 18), seed) for seed in range(5)])
    box = read_box(a.shape[1:], None, WALL)
    expected = solve(emulator, a)
    emulator.memory = int(2.5 * DeviceSolver.bytes_per_sample(box))
    assert samples_at_once(emulator, box, 5) == 2
    emulator.launches.clear()
    result = solve(emulator, a)
    assert emulator.launches.count("begin") == 3
    np.testing.assert_array_equal(result.x, expected.x)


def test_the_memory_that_a_sample_takes_is_what_is_said(emulator):
    for shape in ((20, 18), (64, 64)):
        box = read_box(shape, None, WALL)
        taken = 0

        class Counting(type(emulator)):
            def __init__(self, other):
                self.__dict__.update(other.__dict__)

            def empty(self, shape, dtype):
                nonlocal taken
                taken += int(np.prod(shape)) * np.dtype(dtype).itemsize
                return super().empty(shape, dtype)

        solver = DeviceSolver(Counting(emulator), box, STEPS, 8)
        solver.set_up(rough((8, *shape)))
        assert taken / 8 == pytest.approx(DeviceSolver.bytes_per_sample(box), rel=0.02)


def test_fallback_after_a_stall(device):
    a = np.stack([thresholded(32, 1e3, alpha=1.2, tau=15.0), np.ones((32, 32))])
    stopped = solve(device, a, maxiter=3, fallback=False)
    assert stopped.statuses == (Status.MAXITER, Status.MAXITER)
    b = np.ones(32 * 32)
    for k in range(2):
        true = np.linalg.norm(b - matrix_of(a[k]) @ on_host(stopped.x[k]).ravel())
        assert stopped.residuals[k] == pytest.approx(true, rel=1e-6)
    result = solve(device, a, maxiter=9)
    assert result.converged
    assert result.methods == ("amg", "multigrid")
    assert "multigrid stalled" in result[0].message
    assert "amg took over" in result[0].message
    for k in range(2):
        np.testing.assert_allclose(on_host(result.x[k]).ravel(), spla.spsolve(matrix_of(a[k]).tocsc(), b), rtol=1e-6)
        assert isinstance(result[k].x, device.xp.ndarray)


def test_no_iterations_allowed(device):
    result = solve(device, rough((2, 12, 12)), maxiter=0, fallback=False)
    assert result.statuses == (Status.MAXITER, Status.MAXITER)
    assert not on_host(result.x).any()
    assert result.residuals[0] == pytest.approx(12.0)


def test_the_floor_is_named(device):
    a = np.stack([thresholded(64, 1e6), thresholded(64, 4.0)])
    result = solve(device, a, rtol=1e-13, fallback=False)
    expected = solve_batch(a, 1.0, rtol=1e-13, threads=1, fallback=False)
    assert result.statuses == expected.statuses
    assert result.statuses[0] is Status.STAGNATED
    assert "floor" in result[0].message
    assert result.relative_residuals[0] < 1e-8


def test_slow_samples_give_up(device):
    """Where the cycle hardly reduces the residual, the solve ends at the hundredth iteration."""
    a = np.stack([thresholded(64, 1e9, alpha=1.0, tau=40.0, seed=3)])
    expected = solve_batch(a, 1.0, rtol=1e-15, threads=1, fallback=False)
    result = solve(device, a, rtol=1e-15, fallback=False)
    assert result.statuses == expected.statuses
    assert result.iterations[0] == expected.iterations[0] == 100
    assert "more than 500 iterations" in result[0].message


@pytest.mark.parametrize(
    ("value", "status"), [(-1.0, Status.INDEFINITE), (np.nan, Status.NONFINITE)], ids=["indefinite", "nonfinite"]
)
def test_a_broken_cycle_is_named_and_leaves_the_others_alone(device, monkeypatch, value, status):
    original = DeviceHierarchy.set_up

    def broken(self, *arguments):
        original(self, *arguments)
        self.levels[0].inverse[1] *= np.float32(value)

    a = np.stack([rough((24, 20), seed) for seed in range(3)])
    expected = solve(device, a)
    monkeypatch.setattr(DeviceHierarchy, "set_up", broken)
    result = solve(device, a, fallback=False)
    assert result.statuses == (Status.CONVERGED, status, Status.CONVERGED)
    for k in (0, 2):
        np.testing.assert_array_equal(on_host(result.x[k]), on_host(expected.x[k]))
    monkeypatch.undo()
    monkeypatch.setattr(DeviceHierarchy, "set_up", broken)
    saved = solve(device, a)
    assert saved.methods == ("multigrid", "amg", "multigrid")
    assert saved.converged


@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_a_cycle_that_breaks_down_later_keeps_what_was_reached(device, monkeypatch, value):
    original, calls = DeviceHierarchy.cycle, []

    def breaking(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            self.levels[0].inverse[1] *= np.float32(value)
        original(self, *arguments)

    a = np.stack([rough((24, 20), seed) for seed in range(3)])
    expected = solve(device, a, maxiter=2, fallback=False)
    monkeypatch.setattr(DeviceHierarchy, "cycle", breaking)
    result = solve(device, a, fallback=False)
    assert result.statuses == (
        Status.CONVERGED,
        Status.INDEFINITE if value < 0.0 else Status.NONFINITE,
        Status.CONVERGED,
    )
    assert result.iterations[1] == 2
    np.testing.assert_array_equal(on_host(result.x[1]), on_host(expected.x[1]))
    assert result.residuals[1] == expected.residuals[1]


def test_a_coarsest_matrix_that_is_not_definite(device, monkeypatch):
    original = DeviceHierarchy._invert_coarsest

    def negative(self, samples, count, bottom, *rest):
        for link in bottom.links:
            link[1] *= np.float32(-1.0)
        original(self, samples, count, bottom, *rest)

    monkeypatch.setattr(DeviceHierarchy, "_invert_coarsest", negative)
    result = solve(device, np.stack([rough((20, 20), seed) for seed in range(2)]), fallback=False)
    assert result.statuses == (Status.CONVERGED, Status.INDEFINITE)
    assert result.iterations[1] == 0
    assert not on_host(result.x[1]).any()


def test_codes_are_those_of_the_cpu():
    codes = dict(enumerators("Status"))
    assert codes.pop("RUNNING") == 6
    assert codes == {name: getattr(on_the_cpu, name) for name in codes}
    assert len(codes) == 6


@pytest.mark.parametrize("shape", [(1, 1), (5, 700), (256, 256), (3, 2), (100000, 1)])
def test_tilings_cover_the_grid(shape):
    tiling = Tiling.over(*shape, 300)
    x, y, z = tiling.block
    assert tiling.blocks[0] * x >= shape[1]
    assert tiling.blocks[1] * y >= shape[0]
    assert tiling.grid(300)[2] * z >= 300
    assert x * y * z <= 256
    assert (x * y) & (x * y - 1) == 0  # what block_sum asks for
    assert 1 <= tiling.grid_of_suspended(300)[2] <= tiling.grid(300)[2]


class Disguised(np.ndarray):
    """A NumPy array that passes for CuPy's."""

    device = contextlib.nullcontext()

    def get(self):
        return np.asarray(self)


Disguised.__module__ = "cupy"


def test_cupy_arrays_are_solved_on_their_device(emulator, monkeypatch):
    a = rough((3, 12, 13))
    f = rough((12, 13), 5)
    emulator_of_cupy = types.SimpleNamespace(broadcast_to=np.broadcast_to, asarray=np.asarray)
    monkeypatch.setitem(sys.modules, "cupy", emulator_of_cupy)
    monkeypatch.setattr(launcher, "CupyLauncher", lambda: emulator)
    for rhs, given in [(2.0, 2.0), (f, f.view(Disguised)), (np.stack([f] * 3), np.stack([f] * 3).view(Disguised))]:
        emulator.launches.clear()
        result = solve_batch(a.view(Disguised), given)
        assert "settle" in emulator.launches
        np.testing.assert_allclose(result.x, solve_batch(a, rhs, threads=1).x, rtol=1e-8)
    assert solve_batch(a.astype(np.float32).view(Disguised), 1.0).converged
    for wrong, message in [
        ((a.view(Disguised), f), r"cupy\.asarray\(rhs\)"),
        ((rough((2, 3, 4, 5)).view(Disguised),), r"coefficients\.get\(\)"),
        ((-a.view(Disguised),), "468 values that are not positive"),
        ((a.view(Disguised), f[1:].view(Disguised)), "rhs has shape"),
    ]:
        with pytest.raises(InputError, match=message):
            solve_batch(*wrong)
    with pytest.raises(InputError, match="subtract its mean"):
        solve_batch(a.view(Disguised), f.view(Disguised), boundary=NONE)
    f -= f.mean()
    assert abs(solve_batch(a.view(Disguised), f.view(Disguised), boundary=NONE).x.mean()) < 1e-12


def test_without_cupy_the_extra_is_named():
    if importlib.util.find_spec("cupy") is not None:
        pytest.skip("CuPy is installed")
    with pytest.raises(InputError, match=r"resolvent\[gpu\]"):
        launcher.CupyLauncher()


def test_devices_are_not_mixed():
    stranger = type("ndarray", (), {"__module__": "cupy"})()
    with pytest.raises(InputError, match=r"rhs\.get\(\)"):
        solve_batch(np.ones((1, 4, 4)), stranger)


def test_the_program_compiles_for_gpus(tmp_path):
    compiler = shutil.which("nvcc")
    if compiler is None:
        pytest.skip("no nvcc to compile the CUDA program with")
    source = tmp_path / "program.cu"
    source.write_text(program(), encoding="utf-8")
    target = tmp_path / "program.ptx"
    subprocess.run(
        [compiler, "-ptx", "-std=c++17", "-arch=sm_80", "-o", str(target), str(source)], check=True, timeout=600
    )
    assert target.read_text(encoding="utf-8").count(".visible .entry") == program().count("\nKERNEL ")
