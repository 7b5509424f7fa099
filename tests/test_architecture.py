"""The promises of the layout: one-way imports, no drawers, configs and tables that match the registries."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
import yaml

from resolvent.data import ENGINES, FORMATS, PROBLEMS, SPECTRAL_PROBLEMS, make_spectral_problem
from resolvent.operators import OPERATORS
from resolvent.solvers import PRECONDITIONERS, SOLVERS
from resolvent.workflows.cli import main
from resolvent.workflows.compose import compose_verb
from resolvent.workflows.verbs import VERBS

ROOT = Path(__file__).parents[1]
LAYERS = ("solvers", "data", "operators", "workflows")  # each may import from itself and from those before it


def _sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", LAYERS)
def test_imports_run_one_way(folder: str) -> None:
    allowed = {f"resolvent.{name}" for name in LAYERS[: LAYERS.index(folder) + 1]} | {"resolvent.conf"}
    for path in _sources(folder):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                if name.startswith("resolvent"):
                    assert ".".join(name.split(".")[:2]) in allowed, f"{path} imports {name}"


def test_no_drawers_and_no_giants() -> None:
    for folder in (*LAYERS, "conf"):
        for path in _sources(folder):
            assert path.stem not in ("utils", "helpers", "common", "base", "misc"), path
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 600, path


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("problem", set(PROBLEMS)),
        ("solver", {*SOLVERS, "all", "auto"}),
        ("preconditioner", {*PRECONDITIONERS, "none"}),
        ("operator", set(OPERATORS)),
        ("engine", set(ENGINES)),
        ("draw", set(SPECTRAL_PROBLEMS)),
    ],
)
def test_one_config_for_each_member(group: str, names: set[str]) -> None:
    files = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "conf" / group).glob("*.yaml")
    }
    assert set(files) == names
    assert all(config["name"] == name for name, config in files.items())


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("### Problems", set(PROBLEMS)),
        ("### Solvers", set(SOLVERS)),
        ("### Preconditioners", set(PRECONDITIONERS)),
        ("### Operators", set(OPERATORS)),
        ("### Training without data", set(SPECTRAL_PROBLEMS)),
        ("### Engines", set(ENGINES)),
        ("### Formats", set(FORMATS)),
    ],
)
def test_readme_table_lists_each_member(heading: str, names: set[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert heading in text
    section = text.split(heading, 1)[1].split("\n#", 1)[0]
    listed = {line.split("|")[1].strip().strip("`") for line in section.splitlines() if line.startswith("| `")}
    assert listed == names


@pytest.mark.parametrize("name", sorted(SPECTRAL_PROBLEMS))
def test_draw_config_has_every_setting_of_its_problem(name: str) -> None:
    settings = yaml.safe_load((ROOT / "conf" / "draw" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert list(settings) == ["name", *inspect.signature(SPECTRAL_PROBLEMS[name]).parameters]
    assert make_spectral_problem(**settings).settings() == SPECTRAL_PROBLEMS[name]().settings()


@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_problem_has_a_file_of_its_own(problem: str) -> None:
    assert any((ROOT / "data" / "problems" / kind / f"{problem}.py").is_file() for kind in ("steady", "evolving"))


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_composes_and_helps(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert compose_verb(verb, []) is not None
    assert main([verb, "--help"]) == 0
    printed = capsys.readouterr().out
    assert "Example" in printed
    assert VERBS[verb].example.split()[1] == verb
    assert main([verb, "--cfg"]) == 0


def test_every_experiment_composes() -> None:
    for path in (ROOT / "conf" / "experiment").glob("*.yaml"):
        config = compose_verb("train", [f"experiment={path.stem}"])
        assert (config.data is None) != (config.get("draw") is None)
        if config.generate:
            compose_verb("generate", list(config.generate))
