"""The instruction level of the kernels is one for all workers, and stands in each file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from resolvent.data import make_problem
from resolvent.data.generation import generate
from resolvent.solvers import InputError
from resolvent.solvers.kernels import level
from resolvent.solvers.kernels.building.compiling import levels

GENERATE = """
import sys
from resolvent.data import generate, make_problem
if __name__ == "__main__":
    report = generate(make_problem("poisson", resolution=12), sys.argv[1], samples=8, shard_size=2, progress=False,
                      workers=int(sys.argv[3]), level=sys.argv[2])
    print(report.content_digest)
"""


def levels_in(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*.hdf5"):
        with h5py.File(path) as file:
            file.visititems(
                lambda _, item: (
                    found.add(json.loads(item.attrs["versions"])["kernels"]) if "versions" in item.attrs else None
                )
            )
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_a_level_holds_in_all_workers(tmp_path: Path, workers: int) -> None:
    lowest = levels()[0]
    (tmp_path / "run.py").write_text(GENERATE, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "set"), lowest, str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert levels_in(tmp_path / "set") == {lowest}


def test_without_a_level_files_name_the_processors_highest(tmp_path: Path) -> None:
    generate(make_problem("poisson", resolution=8), tmp_path / "set", samples=2, splits={"train": 2}, progress=False)
    assert levels_in(tmp_path / "set") == {level()}


def test_an_unknown_level_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="level is 'x86-64-v9': expected one of"):
        generate(make_problem("poisson", resolution=8), tmp_path / "set", samples=2, level="x86-64-v9", progress=False)
    assert not (tmp_path / "set").exists()
