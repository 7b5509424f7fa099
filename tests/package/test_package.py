"""``import resolvent``: what it exports, when that is loaded, and the loop of the commands in Python."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import resolvent
from resolvent.operators import NormalizedOperator, TrainSettings, build_operator
from resolvent.solvers import InputError


def run_python(code: str) -> str:
    """Run code in a fresh interpreter; return what it prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300).stdout


def test_every_export_is_there() -> None:
    for name in resolvent.__all__:
        assert getattr(resolvent, name) is not None, name
    assert resolvent.__version__ == metadata.version("resolvent")
    assert resolvent.make_problem is resolvent.data.make_problem
    with pytest.raises(AttributeError, match="sovle"):
        resolvent.sovle  # noqa: B018


@pytest.mark.parametrize(
    "code",
    [
        "import resolvent",
        "import resolvent; resolvent.solvers, resolvent.data, resolvent.operators, resolvent.workflows",
        "from resolvent.workflows.cli import main; main(['--help'])",
        "from resolvent.workflows.cli import main; main(['--version'])",
        "from resolvent.workflows.cli import main; main(['solve', '--help'])",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_used(code: str) -> None:
    heavy = ("torch", "numba", "scipy", "numpy", "matplotlib", "h5py")
    printed = run_python(f"{code}; import sys; print('loaded', [m for m in {heavy} if m in sys.modules])")
    assert printed.splitlines()[-1] == "loaded []"


def test_solving_a_matrix_file_loads_no_problems_and_no_networks(tmp_path: Path) -> None:
    scipy.sparse.save_npz(tmp_path / "A.npz", scipy.sparse.csr_array(np.diag([2.0, 3.0, 4.0])))
    command = ["solve", f"matrix={tmp_path / 'A.npz'}", f"out={tmp_path / 'out'}"]
    unused = ("torch", "h5py", "resolvent.data.problems")
    code = f"from resolvent.workflows.cli import main; assert main({command}) == 0; import sys"
    printed = run_python(f"{code}; print('loaded', [m for m in {unused} if m in sys.modules])")
    assert printed.splitlines()[-1] == "loaded []"


def test_a_system_in_one_call() -> None:
    n = 40
    A = scipy.sparse.diags_array([-np.ones(n - 1), 2.0 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1], format="csr")
    result = resolvent.solve(A, A @ np.ones(n))
    assert result.converged
    assert result.x == pytest.approx(np.ones(n), abs=1e-6)


def test_the_module_runs_the_command() -> None:
    command = [sys.executable, "-m", "resolvent", "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    assert re.fullmatch(r"resolvent \d+\.\d+\.\d+\S*\n", printed)


def test_the_loop_in_python(tmp_path: Path) -> None:
    problem = resolvent.make_problem("poisson", resolution=12)
    resolvent.generate(problem, tmp_path / "data", splits={"train": 12, "valid": 4, "test": 4})
    dataset = resolvent.load(tmp_path / "data")
    assert dataset.splits == {"train": 12, "valid": 4, "test": 4}

    model = build_operator("fno", in_channels=1, out_channels=1, ndim=2, modes=3, width=4, layers=1)
    settings = TrainSettings(epochs=1, batch_size=4)
    assert resolvent.train(model, dataset, tmp_path / "run", settings).epochs_done == 1
    trained = resolvent.load(tmp_path / "run")
    assert isinstance(trained, NormalizedOperator)

    result = resolvent.evaluate(tmp_path / "run", tmp_path / "data", batch_size=4, keep=2)
    assert list(result.errors) == ["fno", "mean field", "PCA + linear regression", "PCA + kernel ridge"]
    assert result.errors["fno"]["predictions"].shape == (2, 1, 12, 12)
    lines = str(result).splitlines()
    assert lines[0].split() == ["model", "relative_l2", "relative_h1", "max_error", "ms_per_sample"]
    assert len(lines) == 5

    same = resolvent.evaluate(trained, dataset, baselines=False, batch_size=4)
    assert list(same.errors) == ["fno"]
    assert same.errors["fno"]["relative_l2"] == result.errors["fno"]["relative_l2"]
    exact = resolvent.evaluate(lambda inputs: dataset.arrays("test")[1], dataset, baselines=False)
    assert exact.errors["model"]["relative_l2"] == 0.0


def test_a_saved_operator_that_steps_in_time_is_rolled_out(tmp_path: Path) -> None:
    problem = resolvent.make_problem("advection", resolution=16)
    resolvent.generate(problem, tmp_path / "data", splits={"train": 4, "valid": 2, "test": 2})
    dataset = resolvent.load(tmp_path / "data")
    model = build_operator("fno", in_channels=1, out_channels=1, ndim=1, modes=3, width=4, layers=1)
    resolvent.train(model, dataset, tmp_path / "run", TrainSettings(epochs=1, history=1))
    said: list[str] = []
    result = resolvent.evaluate(
        tmp_path / "run", tmp_path / "data", baselines=True, baseline_samples=3, announce=said.append
    )
    assert {"fno", "persistence", "mean field"} <= set(result.trajectories) | set(result.blown)
    assert "persistence" in result.trajectories
    assert "persistence" not in result.errors
    assert np.all(np.diff(result.trajectories["persistence"].times) > 0.0)
    assert "fitted on 3 of" in said[0]


@pytest.mark.parametrize("arguments", [{"split": "trial"}, {"batch_size": 0}, {"baseline_samples": 1}])
def test_what_cannot_be_evaluated_is_refused(tmp_path: Path, arguments: dict[str, object]) -> None:
    problem = resolvent.make_problem("poisson", resolution=8)
    resolvent.generate(problem, tmp_path / "data", splits={"test": 2})
    with pytest.raises(InputError, match=str(next(iter(arguments.values())))):
        resolvent.evaluate(lambda inputs: inputs, tmp_path / "data", **arguments)  # type: ignore[arg-type]


def test_load_says_what_it_found_and_what_it_knows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        resolvent.load(tmp_path / "gone")
    with pytest.raises(InputError, match="it is empty"):
        resolvent.load(tmp_path)
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(InputError, match="it is a file"):
        resolvent.load(tmp_path / "result.json")
    with pytest.raises(InputError, match=r"holds result\.json.*a dataset \(manifest\.jsonl\).*resolvent train writes"):
        resolvent.load(tmp_path)
