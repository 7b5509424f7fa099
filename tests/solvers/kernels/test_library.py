"""One library an instruction level: chosen by the processor, pinned by name, and refused in one line when it is bad."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resolvent.solvers.kernels import level, library
from resolvent.solvers.kernels.building import compiling

FOLDER = Path(library.__file__).with_name("libraries")

SOLVE = """
import sys, pathlib
import numpy as np
import resolvent.solvers.kernels.library as library
if len(sys.argv) > 1:
    library._FOLDER = pathlib.Path(sys.argv[1])
from resolvent.solvers import Diffusion, InputError
from resolvent.solvers.kernels import level
try:
    x = Diffusion(np.arange(1.0, 13.0).reshape(3, 4)) @ np.arange(12.0)
except InputError as error:
    sys.exit(f"refused: {error}")
print(level(), float(x.sum()).hex())
"""


def run(folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SOLVE, *([str(folder)] if folder else [])]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for path in FOLDER.glob("*"):
        if path.is_file():
            shutil.copy2(path, tmp_path)
    return tmp_path


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("refused: ")
    return line


def test_the_record_names_what_was_built() -> None:
    record = json.loads((FOLDER / compiling.RECORD).read_text(encoding="utf-8"))
    assert set(record["libraries"]) - {compiling.WIDE} == set(compiling.levels())
    assert record["compiler"]
    assert "-ffp-contract=off" in record["flags"]
    assert not {"-ffast-math", "-Ofast", "-fassociative-math"} & set(record["flags"])


@pytest.mark.parametrize("name", compiling.levels())
def test_a_level_can_be_pinned(name: str) -> None:
    if level() not in compiling.levels():
        pytest.skip("the debug build has no level")
    if compiling.levels().index(name) > compiling.levels().index(level()):
        pytest.skip("this processor is below the level")
    done = run(RESOLVENT_KERNELS=name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == name


def test_an_unknown_level_is_refused() -> None:
    assert "expected one of" in refusal(run(RESOLVENT_KERNELS="x86-64-v9"))


def test_pinning_after_loading_is_refused() -> None:
    library.libraries()
    other = next((name for name in compiling.levels() if name != level()), None)
    if other is None:
        pytest.skip("there is one level only")
    with pytest.raises(library.InputError, match=f"loaded at level {level()}: choose {other} before the first solve"):
        library.use_level(other)


def test_a_missing_library_is_refused(copy: Path) -> None:
    for path in copy.glob("kernels-*"):
        path.unlink()
    assert "kernels are missing, expected" in refusal(run(copy))


def test_a_damaged_library_is_refused(copy: Path) -> None:
    for path in copy.glob("kernels-*"):
        path.write_bytes(path.read_bytes()[:2000])
    assert "are damaged, or not those of built.json" in refusal(run(copy))


def test_a_library_of_another_record_is_refused(copy: Path) -> None:
    record = json.loads((copy / compiling.RECORD).read_text(encoding="utf-8"))
    others = dict.fromkeys(record["libraries"], "0" * 64)
    (copy / compiling.RECORD).write_text(json.dumps({**record, "libraries": others}), encoding="utf-8")
    assert "are damaged, or not those of built.json" in refusal(run(copy))


def test_a_file_that_is_no_library_is_refused(copy: Path) -> None:
    record = json.loads((copy / compiling.RECORD).read_text(encoding="utf-8"))
    for path in copy.glob("kernels-*"):
        path.write_bytes(b"no library")
        record["libraries"]["other"] = compiling.sha256(path)
    (copy / compiling.RECORD).write_text(json.dumps(record), encoding="utf-8")
    assert "cannot be loaded" in refusal(run(copy))


def test_wider_registers_give_the_same_bits() -> None:
    if len(library.libraries()) < 2:
        pytest.skip("this processor, or the level, has no wider registers")
    code = """
import hashlib, sys
import numpy as np
import resolvent.solvers.kernels.library as library
from resolvent.solvers import FourierGrid, PolynomialTerm, TimeStepper, VorticityTerm
if sys.argv[1] == "narrow":
    narrow = library.libraries()[-1:]
    library.libraries = lambda: narrow
assert len(library.libraries()) == {"narrow": 1, "wide": 2}[sys.argv[1]]
for shape, make in (((48, 64), VorticityTerm), ((160,), lambda g: PolynomialTerm(g, square=-0.5, derivative=0))):
    grid = FourierGrid(shape)
    modes = grid.to_modes(np.random.default_rng(0).normal(size=(3, *shape)))
    for dtype in ("complex64", "complex128"):
        out = TimeStepper(1e-3 * grid.laplacian(), make(grid)).advance(modes.astype(dtype), 1e-4, 5).modes
        print(hashlib.sha256(out.tobytes()).hexdigest())
"""
    printed = [
        subprocess.run(
            [sys.executable, "-c", code, which], capture_output=True, text=True, check=True, timeout=600
        ).stdout
        for which in ("wide", "narrow")
    ]
    assert printed[0] == printed[1]
    assert len(printed[0].split()) == 4


def test_no_library_is_loaded_before_a_kernel_is_called() -> None:
    code = """
import resolvent.solvers, resolvent.data, resolvent.workflows.cli
from resolvent.solvers import SOLVERS, PRECONDITIONERS, Diffusion
from resolvent.data import PROBLEMS
from resolvent.solvers.kernels.library import libraries
assert libraries.cache_info().currsize == 0
maps = open('/proc/self/maps').read() if __import__('sys').platform == 'linux' else ''
assert 'kernels-' not in maps
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
