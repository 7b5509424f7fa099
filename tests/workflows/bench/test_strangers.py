"""The bench on other people's matrices: what it reads, how it judges, and what it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from resolvent.workflows.bench import strangers
from resolvent.workflows.cli import main


def _folder(root: Path) -> Path:
    folder = root / "matrices"
    folder.mkdir()
    regular = sp.diags_array([-1.0, 3.0, -1.0], offsets=[-1, 0, 1], shape=(12, 12)).tocsr()
    scipy.io.mmwrite(folder / "regular.mtx", regular)
    (folder / "copy.mm").write_bytes((folder / "regular.mtx").read_bytes())
    scipy.io.mmwrite(folder / "singular.mtx", sp.csr_array(np.outer(np.arange(1.0, 5.0), np.ones(4))))
    scipy.io.mmwrite(folder / "tall.mtx", sp.csr_array(np.ones((3, 2))))
    scipy.io.savemat(folder / "held.mat", {"A": regular, "n": 12})
    (folder / "damaged.mtx").write_text("%%MatrixMarket matrix coordinate real general\n3 3 1\n")
    return folder


def test_the_table_and_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = _folder(tmp_path)
    assert main(["bench", "name=strangers", f"matrices={folder}", "out=o"]) == 0
    text = (tmp_path / "o" / "strangers.md").read_text(encoding="utf-8")
    assert "3 of 3 solvable matrices solved (100.0 %), 3 square ones in all; 0 false, 0 tracebacks." in text
    rows = (tmp_path / "o" / "strangers.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == {"copy.mm", "held.mat", "singular.mtx"}
    assert all(len(row.split(",")[1]) == 64 for row in rows)


def test_a_false_word_is_seen() -> None:
    A = sp.csr_array(np.diag([1.0, 2.0]))
    right = strangers.Outcome("converged", strangers.relative_residual(A, np.ones(2), np.array([1.0, 0.5])), 0.0, "")
    wrong = strangers.Outcome("converged", strangers.relative_residual(A, np.ones(2), np.ones(2)), 0.0, "")
    assert right.solved
    assert not right.false
    assert wrong.false
    assert not wrong.solved


def test_a_folder_without_matrices_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "name=strangers", f"matrices={tmp_path / 'nowhere'}"]) == 2
    assert main(["bench", "name=strangers", f"matrices={tmp_path}"]) == 2
    assert "expected" in capsys.readouterr().err
