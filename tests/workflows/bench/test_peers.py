"""The peers of ``bench solvers`` solve what they are timed on; the bench does without those that are not installed."""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import Any

import numpy as np
import pytest

from resolvent.solvers import Diffusion
from resolvent.solvers.matrices.box import read_box
from resolvent.solvers.matrices.faces import faces
from resolvent.solvers.multigrid.fallback import assemble
from resolvent.workflows.bench import solvers as bench
from resolvent.workflows.bench.peers.petsc import petsc_peers, settings


def _system(dimensions: int, seed: int, n: int = 20) -> tuple[Any, np.ndarray]:
    if dimensions == 2:
        return Diffusion(bench.thresholded(n, 3.0, 12.0, seed)).tocsr(), np.ones(n**2)
    field = bench.thresholded_cube(n, 3.0, 12.0, seed)
    box = read_box(field.shape, None, "dirichlet")
    return assemble(faces(field, box), box.periodic), np.ones(n**3)


def _residual(matrix: Any, x: np.ndarray, rhs: np.ndarray) -> float:
    return float(np.linalg.norm(rhs - matrix @ x) / np.linalg.norm(rhs))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_every_installed_peer_reaches_the_tolerance(dimensions: int) -> None:
    for name, solve in bench.peers(dimensions).items():
        for seed in (0, 1, 2):  # what a peer keeps from one matrix must not leak into the next
            matrix, rhs = _system(dimensions, seed)
            before = matrix.data.copy()
            assert _residual(matrix, solve(matrix, rhs), rhs) <= bench.RTOL, (name, seed)
            np.testing.assert_array_equal(matrix.data, before, err_msg=name)
        small, ones = _system(dimensions, 3, n=12)  # another pattern
        assert _residual(small, solve(small, ones), ones) <= bench.RTOL, name


def test_the_bench_does_without_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("petsc4py", "pypardiso", "sksparse", "sksparse.cholmod"):
        monkeypatch.setitem(sys.modules, package, None)
    assert petsc_peers(1e-10) == {}
    assert set(bench.peers()) == {"pyamg", "superlu"}
    assert set(bench.peers(dimensions=3)) == {"pyamg"}
    assert "petsc4py" in bench.installed_peers()


def test_petsc_has_a_peer_a_setting_and_leaves_python_s_process_as_it_was() -> None:
    pytest.importorskip("petsc4py")
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    cores = os.sched_getaffinity(0)
    for dimensions in (2, 3):
        assert list(petsc_peers(1e-10, dimensions)) == list(settings(dimensions))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert os.sched_getaffinity(0) == cores


def test_petsc_s_objects_are_freed() -> None:
    pytest.importorskip("petsc4py")
    matrix, rhs = _system(2, 0, n=64)
    for solve in petsc_peers(1e-10).values():
        solve(matrix, rhs)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(60):  # one level's matrices alone are a megabyte
            solve(matrix, rhs)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes


def test_tolerances_are_met_by_the_true_residual() -> None:
    """SSOR's own residual is not the true one: what it reports must not end a solve early."""
    pytest.importorskip("petsc4py")
    matrix, rhs = _system(3, 5, n=24)
    for name, solve in petsc_peers(1e-12, dimensions=3).items():
        assert _residual(matrix, solve(matrix, rhs), rhs) <= 1e-12, name
