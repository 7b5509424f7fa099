"""Test ``resolvent sweep``: grids, searches, resume, failures as rows, the optimum of SOR."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.workflows.cli import main
from resolvent.workflows.compose import compose_verb
from resolvent.workflows.systems import solve_system
from resolvent.workflows.verbs import sweep

PROBLEM = ["problem=poisson", "problem.resolution=16", "problem.modes=16", "workers=1"]


def _rows(out: Path) -> list[dict[str, str]]:
    with (out / "sweep.csv").open() as stream:
        return list(csv.DictReader(stream))


def _result(out: Path) -> dict[str, object]:
    return dict(json.loads((out / "result.json").read_text()))


def test_sor_sweep_finds_young_s_omega_and_resumes(tmp_path: Path) -> None:
    out = tmp_path / "omega"
    command = ["sweep", *PROBLEM, "workers=2", "solver=sor", "solver.omega=range(1.0,2.0,0.05)", f"out={out}"]
    assert main(command) == 0
    rows, result = _rows(out), _result(out)
    assert len(rows) == 20
    np.testing.assert_allclose(sorted(float(r["solver.omega"]) for r in rows), np.arange(1.0, 1.999, 0.05))
    assert abs(float(result["best.solver.omega"]) - float(result["theory.omega"])) <= 0.05  # type: ignore[arg-type]
    assert (out / "sweep.png").stat().st_size > 1000
    assert result["launched"] == 20

    points = sorted((out / "points").iterdir())
    before = {p: p.read_bytes() for p in points}
    for gone in points[::4]:
        gone.unlink()
    points[1].write_text('{"half": ')  # a point cut short is not a finished one
    assert main(command) == 0
    assert _result(out)["launched"] == 6
    kept = [p for k, p in enumerate(points) if k % 4 and k != 1]
    assert all(p.read_bytes() == before[p] for p in kept)
    assert [r["iterations"] for r in _rows(out)] == [r["iterations"] for r in rows]
    assert main(command) == 0
    assert _result(out)["launched"] == 0


def test_several_keys_groups_and_failures_are_rows(tmp_path: Path) -> None:
    out = tmp_path / "grid"
    assert main(["sweep", *PROBLEM, "solver=choice(cg,sor)", "maxiter=3,1000", f"out={out}"]) == 0
    rows = {(r["solver"], r["maxiter"]): r for r in _rows(out)}
    assert set(rows) == {("cg", "3"), ("cg", "1000"), ("sor", "3"), ("sor", "1000")}
    assert rows["cg", "3"]["status"] == rows["sor", "3"]["status"] == "maxiter"
    assert rows["cg", "1000"]["status"] == "converged"
    assert _result(out)["failed"] == 2
    assert _result(out)["best.solver"] == "cg"


def test_a_point_that_raises_is_a_row(tmp_path: Path) -> None:
    out = tmp_path / "raises"
    assert main(["sweep", *PROBLEM, "solver=sor", "solver.omega=1.5,2.5", f"out={out}"]) == 0
    rows = {r["solver.omega"]: r for r in _rows(out)}
    assert rows["2.5"]["status"] == "error: InputError"
    assert "omega" in rows["2.5"]["message"]
    assert rows["1.5"]["status"] == "converged"


def test_interval_is_searched_by_optuna(tmp_path: Path) -> None:
    out = tmp_path / "search"
    command = ["sweep", *PROBLEM, "solver=sor", "solver.omega=interval(1.0,1.95)", "trials=6", f"out={out}"]
    assert main(command) == 0
    rows = _rows(out)
    assert len(rows) == 6
    assert all(1.0 <= float(r["solver.omega"]) <= 1.95 for r in rows)
    best = next(r for r in rows if float(r["solver.omega"]) == _result(out)["best.solver.omega"])
    assert float(best["iterations"]) == min(float(r["iterations"]) for r in rows if r["status"] == "converged")


def test_submitit_runs_the_same_sweep(tmp_path: Path) -> None:
    out = tmp_path / "submitit"
    overrides = ["hydra/launcher=submitit_local"]
    assert main(["sweep", *PROBLEM, "solver=sor", "solver.omega=1.2,1.6", *overrides, f"out={out}"]) == 0
    assert [r["status"] for r in _rows(out)] == ["converged"] * 2


def test_another_sweep_in_the_same_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "taken"
    assert main(["sweep", *PROBLEM, "solver=sor", "solver.omega=1.2,1.6", f"out={out}"]) == 0
    before = (out / "sweep.csv").read_bytes()
    assert main(["sweep", *PROBLEM, "solver=sor", "solver.omega=1.2,1.6", "rtol=1e-4", f"out={out}"]) == 2
    assert "rtol" in capsys.readouterr().err
    assert (out / "sweep.csv").read_bytes() == before


def test_sweep_over_the_steps_of_a_trajectory(tmp_path: Path) -> None:
    """The published sequence is one sample: its systems are its time steps, and their iterations differ."""
    problem = ["problem=heat", "problem.legacy=learning_to_relax", "problem.resolution=12"]
    means = []
    for steps in (1, 6):
        out = tmp_path / str(steps)
        command = ["sweep", *problem, "solver=ssor", "solver.omega=1.0,1.5", f"samples={steps}", "workers=1"]
        assert main([*command, f"out={out}"]) == 0
        rows = _rows(out)
        assert [row["status"] for row in rows] == ["converged"] * 2
        means.append([float(row["iterations"]) for row in rows])
    assert means[0] != means[1]


def test_seconds_do_not_hold_what_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the first point of a process: else objective=solve_seconds would prefer the second one."""
    ran: list[int | None] = []

    def slow_at_first(named: Any, spec: Any) -> Any:
        time.sleep(0.0 if ran else 0.3)
        ran.append(spec.settings.get("maxiter"))
        return solve_system(named, spec)

    monkeypatch.setattr(sweep, "_WARM", set())
    monkeypatch.setattr(sweep, "solve_system", slow_at_first)
    config = compose_verb("sweep", ["problem=poisson", "problem.resolution=8", "solver=cg", f"out='{tmp_path}'"])
    for rtol in (1e-4, 1e-5):
        config.rtol = rtol
        sweep.solve_point(config)
    rows = [json.loads(path.read_text()) for path in (tmp_path / "points").iterdir()]
    assert ran == [1, None, None]
    assert len(rows) == 2
    assert max(row["total_seconds"] for row in rows) < 0.3


def test_the_warm_up_keeps_the_settings(tmp_path: Path) -> None:
    """A preconditioner that cannot be set up without its settings gets them before the first point too."""
    n = 16
    line = sp.diags_array([-np.ones(n - 1), 2.0 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1])
    matrix = sp.csr_array(sp.kron(line, sp.eye_array(n)) + sp.kron(sp.eye_array(n), line))
    sp.save_npz(tmp_path / "A.npz", matrix)
    sweep._WARM.clear()
    command = ["sweep", f"matrix={tmp_path / 'A.npz'}", "solver=cg", "preconditioner=multigrid", "workers=1"]
    assert main([*command, f"+preconditioner.shape=[{n},{n}]", "rtol=1e-6,1e-8", f"out={tmp_path / 'out'}"]) == 0
    assert {row["status"] for row in _rows(tmp_path / "out")} == {"converged"}
