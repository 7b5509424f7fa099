"""Add a PDE, a Krylov solver, a preconditioner and an operator to a copy of the tree, in as few places as promised.

Each new member is the twin of one that is there, under a new name; what a contributor writes by hand beside its file
stands in `RECIPES`. Registries, configurations, the tables of the README, the walls of the layout and the contracts
must then take it as they take the others.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Recipe:
    """What makes a member: the file and the name of its model, the lines to add, and the table that lists it."""

    source: str
    name: str
    renamed: tuple[tuple[str, str], ...]  # in the copy of the file
    lines: tuple[tuple[str, str, str], ...]  # of a file: after this, add this
    table: str
    places: int
    written: int  # lines, the member's own file and its configuration apart


RECIPES = {
    "problem": Recipe(
        "data/problems/evolving/advection.py",
        "advection",
        (
            ('name = "advection"', 'name = "twin_advection"'),
            ("class Advection(", "class TwinAdvection("),
        ),
        (
            (
                "data/problems/__init__.py",
                "from .evolving.advection import Advection\n",
                "from .evolving.twin_advection import TwinAdvection\n",
            ),
            ("data/problems/__init__.py", '    "Advection",\n', '    "TwinAdvection",\n'),
            ("data/problems/__init__.py", "        Advection,\n", "        TwinAdvection,\n"),
            (
                "tests/contracts/test_problems.py",
                "= [\n",
                '    ("twin_advection", {"snapshots": 3, "speed": 0.7, "audit": 1.0}),\n',
            ),
        ),
        "### Problems",
        5,
        5,
    ),
    "solver": Recipe(
        "solvers/krylov/cg.py",
        "cg",
        (("def cg(", "def twin_cg("), ('Method("cg"', 'Method("twin_cg"')),
        (
            ("solvers/registry.py", "\n    cg,\n", "    twin_cg,\n"),
            ("solvers/registry.py", "    (cg.METHOD, cg.cg),\n", "    (twin_cg.METHOD, twin_cg.twin_cg),\n"),
        ),
        "### Solvers",
        4,
        3,
    ),
    "preconditioner": Recipe(
        "solvers/preconditioners/jacobi.py",
        "jacobi",
        (('name = "jacobi"', 'name = "twin_jacobi"'), ("class Jacobi(", "class TwinJacobi(")),
        (
            (
                "solvers/registry.py",
                "from .preconditioner import Kind, Preconditioner\n",
                "from .preconditioners.twin_jacobi import TwinJacobi\n",
            ),
            ("solvers/registry.py", "\n        Jacobi,\n", "        TwinJacobi,\n"),
        ),
        "### Preconditioners",
        4,
        3,
    ),
    "operator": Recipe(
        "operators/spectral/sno.py",
        "sno",
        (
            ('name = "sno"', 'name = "twin_sno"'),
            ("class SpectralNeuralOperator(", "class TwinOperator("),
        ),
        (
            (
                "operators/registry.py",
                "from .spectral.sno import SpectralNeuralOperator\n",
                "from .spectral.twin_sno import TwinOperator\n",
            ),
            ("operators/registry.py", "SpectralNeuralOperator", ", TwinOperator"),
            (
                "tests/contracts/test_operators.py",
                "SMALL: dict[str, dict[str, Any]] = {\n",
                '    "twin_sno": {"modes": 3, "width": 4, "layers": 2},\n',
            ),
        ),
        "### Operators",
        5,
        4,
    ),
}

CHECKS = (
    "twin_ or wall_stands or one_config or readme_table or file_of_its_own or every_problem_is_listed"
    " or small_arguments"
)


def _copy_of_the_tree(folder: Path) -> Path:
    """Link the installed package and the tests; files are replaced, never written to."""
    package = folder / ".pkg" / "resolvent"
    package.mkdir(parents=True)
    for top in ("conf", "solvers", "data", "operators", "workflows"):
        installed = Path(importlib.util.find_spec(f"resolvent.{top}").origin).parent
        shutil.copytree(installed, folder / top, copy_function=os.symlink)
        (package / top).symlink_to(folder / top)
    origin = importlib.util.find_spec("resolvent").origin
    for file in Path(origin).parent.glob("*.py*") if origin else ():
        (folder / "package").mkdir(exist_ok=True)
        (folder / "package" / file.name).symlink_to(file)
        (package / file.name).symlink_to(file)
    for name in ("README.md", "docs", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "tests" / "contracts", folder / "tests" / "contracts", copy_function=os.symlink)
    for name in ("conftest.py", "test_architecture.py"):
        (folder / "tests" / name).symlink_to(ROOT / "tests" / name)
    return folder


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def _add(folder: Path, kind: str) -> tuple[set[str], int]:
    """Add the twin; return the files that it touches and the number of lines, its own file and configuration apart."""
    recipe = RECIPES[kind]
    source = folder / recipe.source
    twin = f"twin_{recipe.name}"
    text = source.read_text(encoding="utf-8")
    for old, new in recipe.renamed:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    _write(source.with_name(f"{twin}.py"), text)

    config = (folder / "conf" / kind / f"{recipe.name}.yaml").read_text(encoding="utf-8")
    config, named = re.subn(rf"^name: {recipe.name}$", f"name: {twin}", config, flags=re.MULTILINE)
    assert named == 1
    _write(folder / "conf" / kind / f"{twin}.yaml", config)
    places, lines = {recipe.source, f"conf/{kind}"}, 0

    readme = (folder / "README.md").read_text(encoding="utf-8")
    before, after = readme.split(f"{recipe.table}\n", 1)
    row = re.search(rf"^\| `{recipe.name}` .*\n", after, re.MULTILINE)
    assert row is not None
    after = after.replace(row[0], row[0] + row[0].replace(f"`{recipe.name}`", f"`{twin}`"), 1)
    _write(folder / "README.md", f"{before}{recipe.table}\n{after}")
    places, lines = {*places, "README.md"}, lines + 1

    for path, anchor, line in recipe.lines:
        content = (folder / path).read_text(encoding="utf-8")
        position = content.rindex(anchor) + len(anchor) if line.startswith(",") else content.index(anchor) + len(anchor)
        _write(folder / path, content[:position] + line + content[position:])
        places, lines = {*places, path}, lines + 1
    return places, lines


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[set[str], int]]]:
    folder = _copy_of_the_tree(tmp_path_factory.mktemp("tree"))
    return folder, {kind: _add(folder, kind) for kind in RECIPES}


@pytest.mark.parametrize("kind", RECIPES)
def test_places_to_touch(kind: str, added: tuple[Path, dict[str, tuple[set[str], int]]]) -> None:
    places, lines = added[1][kind]
    assert len(places) == RECIPES[kind].places, places
    assert lines == RECIPES[kind].written


def test_all_of_them_are_accepted(added: tuple[Path, dict[str, tuple[set[str], int]]]) -> None:
    folder, _ = added
    contracts = [f"tests/contracts/test_{kind}s.py" for kind in RECIPES]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rA",
            "-n",
            "0",
            "tests/test_architecture.py",
            *contracts,
            "-k",
            CHECKS,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / ".pkg"), "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = set(re.findall(r"^PASSED \S*::(\w+)\[", done.stdout, re.MULTILINE))
    assert {"test_wall_stands", "test_one_config_for_each_member", "test_readme_table_lists_each_member"} <= passed
    for recipe in RECIPES.values():
        assert len(re.findall(rf"^PASSED .*twin_{recipe.name}", done.stdout, re.MULTILINE)) >= 5, recipe.name
