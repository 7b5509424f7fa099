"""Histories of any size are drawn without a warning: zero right-hand sides, norms at the ends of float64."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.workflows.cli import main
from resolvent.workflows.figures.fields import plot_convergence


@pytest.mark.parametrize(
    ("residuals", "norm", "target"),
    [
        ([0.0], 0.0, 0.0),
        ([1.0, 1e-3, 0.0], 1.0, 1e-5),
        ([1e300, 1e-300], 1e-300, 1e-320),
        ([np.inf, np.nan, 1e308], np.inf, np.inf),
        ([5e-324], 5e-324, 0.0),
        ([1.7e308, 1e200], 1.7e308, 1.7e300),
    ],
)
def test_histories_of_any_size(residuals: list[float], norm: float, target: float, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = plot_convergence({"cg": np.array(residuals)}, norm, target, tmp_path / "f.png")
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("a", "b", "code"), [(1.0, 0.0, 0), (1e200, 1e200, 0), (1e-20, 1e300, 2), (1e-310, 1e-310, 0), (1e307, 1.7e308, 0)]
)
@pytest.mark.parametrize("solver", ["cg", "auto"])
def test_the_command_line_is_silent(
    a: float, b: float, code: int, solver: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """But for the one line of a solve that fails."""
    sp.save_npz(tmp_path / "A.npz", sp.csr_matrix(a * (np.eye(12) + 0.1 * np.eye(12, k=1) + 0.1 * np.eye(12, k=-1))))
    np.save(tmp_path / "b.npy", np.full(12, b))
    command = ["solve", f"matrix={tmp_path / 'A.npz'}", f"rhs={tmp_path / 'b.npy'}", f"out={tmp_path / 'run'}"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main([*command, f"solver={solver}"]) == code
    said = capsys.readouterr().err.splitlines()
    assert len(said) == (0 if code == 0 else 1)
    assert np.isfinite(np.load(tmp_path / "run" / "solution.npy")).all()
