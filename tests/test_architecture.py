"""The promises of the layout: floors and walls between folders, configs and tables that match the registries."""

from __future__ import annotations

import ast
import inspect
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
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

# Each floor imports from those before it only: nothing of its own floor but of its own entry. An entry is a file or a
# folder; within a folder, an entry of its own takes a file out. `package` is the source of `resolvent/__init__.py`.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("conf", "solvers/errors.py", "solvers/linear_system.py", "solvers/result.py"),
    ("solvers/kernels",),
    ("solvers/moved_names.py",),
    ("solvers/arguments.py", "solvers/containers.py", "solvers/foreign_functions.py", "solvers/magnitudes.py"),
    ("solvers/preconditioner.py", "solvers/scaled_system.py", "solvers/spectral"),
    ("solvers/operands.py", "solvers/timestepping"),
    ("solvers/stopping.py", "solvers/wide_residual.py", "solvers/nullspace.py", "solvers/matrices"),
    ("solvers/diagnosis.py", "solvers/initial_guess.py", "solvers/limits.py"),
    ("solvers/iteration.py",),
    ("solvers/krylov",),
    ("solvers/stationary",),
    ("solvers/preconditioners",),
    ("solvers/multigrid",),
    ("solvers/registry.py",),
    ("solvers/sequences", "solvers/choice"),
    ("solvers/__init__.py",),
    ("data/html.py", "data/old_keywords.py", "data/progress.py", "data/settings.py"),
    ("data/free_memory.py", "data/grids.py", "data/moments.py", "data/seeding.py", "data/random_fields"),
    ("data/boundaries.py", "data/spectral"),
    ("data/certificates",),
    ("data/format", "data/discretisations"),
    ("data/published",),
    ("data/dataset.py", "data/problems"),
    ("data/description.py", "data/statistics.py", "data/verification.py"),
    ("data/generation", "data/exchange"),
    ("data/__init__.py",),
    ("operators/activations.py", "operators/operator.py", "operators/samples"),
    ("operators/normalization.py", "operators/grid", "operators/spectral"),
    ("operators/registry.py", "operators/evaluation"),
    ("operators/networks_for_problems.py", "operators/saving.py", "operators/baselines"),
    ("operators/gaussian", "operators/training"),
    ("operators/beside_baselines.py",),
    ("operators/__init__.py",),
    ("workflows/config_files.py", "workflows/console.py", "workflows/matrix_files.py", "workflows/run_folder.py"),
    ("workflows/compose.py",),
    ("workflows/figures",),
    ("workflows/systems.py",),
    ("workflows/verbs",),
    ("workflows/bench", "workflows/help.py"),
    ("workflows/cli.py",),
    ("workflows/demo.py",),
    ("workflows/__init__.py",),
    ("package",),
)
LAYERS = ("solvers", "data", "operators", "workflows")
FOLDERS = ("conf", *LAYERS, "package")

# Folders of one family that know nothing of each other.
STRANGERS = (
    ("data/certificates", "data/discretisations"),
    ("solvers/multigrid/plane", "solvers/multigrid/space"),
)

# The imports that still break a wall, each with its date, and what is left out of account for it. What is mended must
# go from here.
EXCEPTIONS: frozenset[str] = frozenset()  # what a wall lets through, each with its date and reason: nothing
SHADOWED: set[str] = set()


@dataclass(frozen=True)
class Import:
    """One imported name: where, from which module (a name of it, if one is named), and the file that defines it."""

    path: str
    line: int
    module: str
    name: str | None
    target: str | None  # None: nothing of this project

    @property
    def what(self) -> str:
        """Return the import without its line."""
        return f"{self.path} imports {self.module}" + (f".{self.name}" if self.name else "")

    def __str__(self) -> str:
        return f"line {self.line} of {self.what}"


class Tree:
    """Read the imports of a source tree, those within functions and those for type checkers too."""

    def __init__(self, root: Path, exceptions: Set[str] = frozenset()) -> None:
        self.root, self.exceptions = root, exceptions
        self.files: dict[str, str] = {}  # module: path
        for folder in FOLDERS:
            for path in sorted((root / folder).rglob("*.py")):
                relative = path.relative_to(root)
                parts = [*(relative.parts[:-1]), relative.stem]
                parts = parts[1:] if folder == "package" else parts
                parts = parts[:-1] if parts[-1] == "__init__" else parts
                self.files[".".join(["resolvent", *parts])] = relative.as_posix()
        self.modules = {path: module for module, path in self.files.items()}
        self.syntax = {path: list(self._nodes(path)) for path in self.modules}

    def _nodes(self, path: str) -> Iterator[ast.Import | ast.ImportFrom | ast.Attribute]:
        """Yield what the walls read of a file, and of the stub beside a lazy face."""
        for file in (self.root / path, (self.root / path).with_suffix(".pyi")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if file.is_file() else ():
                if isinstance(node, ast.Import | ast.ImportFrom | ast.Attribute):
                    yield node

    def source(self, path: str, node: ast.ImportFrom) -> str:
        """Return the absolute name of the module that a `from` names."""
        if not node.level:
            return node.module or ""
        parts = self.modules[path].split(".")
        package = parts if path.endswith("__init__.py") else parts[:-1]
        return ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])

    @cached_property
    def exports(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Return what each face takes from elsewhere: by its module, the name, and what it is where."""
        exports: dict[str, dict[str, tuple[str, str]]] = {}
        for module, path in self.files.items():
            if path.endswith("__init__.py"):
                nodes = [node for node in self.syntax[path] if isinstance(node, ast.ImportFrom)]
                exports[module] = {
                    (a.asname or a.name): (self.source(path, node), a.name) for node in nodes for a in node.names
                }
        return exports

    def definition(self, module: str, name: str) -> str | None:
        """Return the file that defines a name of a module, through all faces that hand it on."""
        source = self.exports.get(module, {}).get(name)
        if source is not None and source != (module, name):
            return self.definition(*source)
        return self.files.get(f"{module}.{name}", self.files.get(module))

    @cached_property
    def imports(self) -> list[Import]:
        """Return the imports of all files, without the exceptions."""
        imports: list[Import] = []
        for path in self.modules:
            for node in self.syntax[path]:
                if isinstance(node, ast.Import):
                    imports += [Import(path, node.lineno, a.name, None, self.files.get(a.name)) for a in node.names]
                elif isinstance(node, ast.ImportFrom):
                    module = self.source(path, node)
                    for a in node.names:
                        imports.append(Import(path, node.lineno, module, a.name, self.definition(module, a.name)))
        assert self.exceptions <= {item.what for item in imports}, "an exception is mended: take it out"
        return [item for item in imports if item.what not in self.exceptions]

    def run_by(self, item: Import) -> Iterator[str]:
        """Yield the files that Python runs for an import: its module, and the faces of the folders on the way.

        A lazy face runs the file that defines the name; the faces above the importing file run already.
        """
        ran = {self.files.get(f"{item.module}.{item.name}", self.files.get(item.module))}
        if (self.root / self.files.get(item.module, "-")).with_suffix(".pyi").is_file():
            ran.add(item.target)
        for path in ran - {None}:
            parts = self.modules[path].split(".")
            above = [".".join(parts[:n]) for n in range(1, len(parts))]
            own = self.modules[item.path]
            yield path
            yield from (self.files[m] for m in above if m in self.files and not f"{own}.".startswith(f"{m}."))


def reachable(edges: Mapping[str, set[str]], start: str) -> set[str]:
    """Return all that can be reached from a node."""
    seen: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(edges.get(node, ()))
    return seen


def circles(edges: Mapping[str, set[str]]) -> set[tuple[str, ...]]:
    """Return the strongly connected components of more than one node."""
    reach = {node: reachable(edges, node) for node in edges}
    groups = {tuple(sorted(b for b in reach[a] if a in reach.get(b, ()))) for a in reach}
    return {group for group in groups if len(group) > 1}


def beneath(path: str, entry: str) -> bool:
    """Return whether a file is an entry or lies in it."""
    return path == entry or path.startswith(f"{entry}/")


# The walls: each returns what breaks it.


def climbing(tree: Tree, floors: tuple[tuple[str, ...], ...] = FLOORS) -> list[str]:
    """Return the imports that do not go down, the files on no floor, and the entries without a file."""
    heights = {entry: height for height, entries in enumerate(floors) for entry in entries}
    faults = [f"{entry} stands on two floors" for f in floors for entry in f if heights[entry] != floors.index(f)]
    homes: dict[str, str] = {}
    for path in tree.modules:
        home = max((entry for entry in heights if beneath(path, entry)), key=len, default=None)
        if home is None:
            faults.append(f"{path} stands on no floor")
        else:
            homes[path] = home
    faults += [
        f"no file belongs to the floors' entry {entry}" for entry in heights.keys() - {*homes.values(), "package"}
    ]
    for item in tree.imports:
        above, below = homes.get(item.path), homes.get(item.target or "")
        if above and below and above != below and heights[below] >= heights[above]:
            faults.append(f"{item}, which stands no lower ({below})")
    return faults


def through_the_own_top_face(tree: Tree) -> list[str]:
    """Return the imports of a layer from its own top face: within, the file or the folder that defines is named."""
    return [
        str(item)
        for item in tree.imports
        if item.module == f"resolvent.{item.path.split('/')[0]}" and not item.path.endswith("__init__.py")
    ]


def crowded(tree: Tree) -> list[str]:
    """Return the folders of more than 20 Python files."""
    counts: dict[str, int] = defaultdict(int)
    for top in (*FOLDERS, "tests"):
        for file in (tree.root / top).rglob("*.py"):
            counts[file.parent.relative_to(tree.root).as_posix()] += 1
    return [f"{folder} holds {count} Python files" for folder, count in counts.items() if count > 20]


def uncertified(tree: Tree) -> list[str]:
    """Return what the certificates take from the solvers, directly or through others, besides errors and checks."""
    faults = []
    edges: dict[str, set[str]] = defaultdict(set)
    for item in tree.imports:
        if item.target:
            edges[item.path].add(item.target)
            if (
                beneath(item.path, "data/certificates")
                and beneath(item.target, "solvers")
                and item.name != "InputError"
                and not beneath(item.target, "solvers/kernels")
            ):
                faults.append(str(item))
    for path in [p for p in tree.modules if beneath(p, "data/certificates")]:
        for other in sorted(reachable(edges, path) - {"solvers/errors.py", "solvers/arguments.py"}):
            if (beneath(other, "solvers") and not beneath(other, "solvers/kernels")) or beneath(
                other, "data/discretisations"
            ):
                faults.append(f"{path} stands on {other}")
    return faults


def acquainted(tree: Tree) -> list[str]:
    """Return the imports between strangers."""
    pairs = {*STRANGERS, *((b, a) for a, b in STRANGERS)}
    return [
        str(item)
        for item in tree.imports
        for a, b in pairs
        if item.target and beneath(item.path, a) and beneath(item.target, b)
    ]


def compilers(tree: Tree) -> set[str]:
    """Return the files that compile at run time: kernels are C++, compiled when the package is built."""
    internals = ("cffi", "llvmlite", "numba")
    return {
        item.path
        for item in tree.imports
        for name in (item.module, f"{item.module}.{item.name}")
        if f"{name}.".startswith(tuple(f"{i}." for i in internals))
    }


def private(tree: Tree) -> list[str]:
    """Return the uses of a name that begins with `_` of another file: imported, or as an attribute of its module."""
    faults = [str(item) for item in tree.imports if item.target and (item.name or "").startswith("_")]
    faults += [str(i) for i in tree.imports if i.target and any(p.startswith("_") for p in i.module.split("."))]
    for path in tree.modules:
        nodes = tree.syntax[path]
        modules = set()
        for node in nodes:
            if isinstance(node, ast.Import):
                modules |= {a.asname or a.name for a in node.names if a.name in tree.files}
            elif isinstance(node, ast.ImportFrom):
                source = tree.source(path, node)
                modules |= {a.asname or a.name for a in node.names if f"{source}.{a.name}" in tree.files}
        faults += [
            f"{path}:{node.lineno} uses {ast.unparse(node)}"
            for node in nodes
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
            if ast.unparse(node.value) in modules
        ]
    return faults


def circles_of_files(tree: Tree) -> set[tuple[str, ...]]:
    """Return the files that run each other, imports for type checkers included."""
    edges: dict[str, set[str]] = {path: set() for path in tree.modules}
    for item in tree.imports:
        edges[item.path].update(set(tree.run_by(item)) - {item.path})
    return circles(edges)


def circles_of_folders(tree: Tree) -> set[tuple[str, ...]]:
    """Return the folders that need each other, parent and child apart."""
    edges: dict[str, set[str]] = defaultdict(set)
    for item in tree.imports:
        if item.target:
            here, there = (path.rsplit("/", 1)[0] for path in (item.path, item.target))
            if not beneath(here, there) and not beneath(there, here):
                edges[here].add(there)
    return circles(edges)


def shadowed(tree: Tree) -> set[str]:
    """Return the modules whose name is taken, in their package, by something else that its face exports."""
    return {
        tree.files[f"{module}.{name}"]
        for module, names in tree.exports.items()
        for name, (source, original) in names.items()
        if f"{module}.{name}" in tree.files and f"{source}.{original}" != f"{module}.{name}"
    }


WALLS: dict[str, Callable[[Tree], Collection[object]]] = {
    "climbing": climbing,
    "through the own top face": through_the_own_top_face,
    "crowded": crowded,
    "uncertified": uncertified,
    "acquainted": acquainted,
    "compilers": compilers,
    "private": private,
    "circles of files": circles_of_files,
    "circles of folders": circles_of_folders,
    "shadowed": shadowed,
}


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(ROOT, EXCEPTIONS)


@pytest.mark.parametrize("wall", WALLS)
def test_wall_stands(wall: str, tree: Tree) -> None:
    assert len(tree.files) > 200
    assert set(WALLS[wall](tree)) == (SHADOWED if wall == "shadowed" else set())


# A made-up tree for each wall, and what the wall says of it.
BREACHES: list[tuple[str, dict[str, str], str]] = [
    (
        "climbing",
        {"solvers/errors.py": "def f():\n    from .registry import SOLVERS", "solvers/registry.py": ""},
        "no lower",
    ),
    ("climbing", {"solvers/errors.py": "from resolvent.data import x", "data/__init__.py": ""}, "no lower"),
    ("climbing", {"solvers/sequences/run.py": "from ..choice import y", "solvers/choice/__init__.py": ""}, "no lower"),
    (
        "climbing",  # through the stub of a lazy face
        {
            "data/grids.py": "from resolvent.operators import FNO",
            "operators/__init__.py": "",
            "operators/__init__.pyi": "from .grid import FNO",
            "operators/grid/__init__.py": "from .fno import FNO",
            "operators/grid/fno.py": "",
        },
        "which stands no lower (operators/grid)",
    ),
    ("climbing", {"workflows/cli.py": "import resolvent", "package/__init__.py": ""}, "no lower (package)"),
    ("climbing", {"solvers/utils.py": ""}, "solvers/utils.py stands on no floor"),
    ("climbing", {"solvers/errors.py": ""}, "no file belongs to the floors' entry solvers/krylov"),
    ("through the own top face", {"data/grids.py": "from resolvent.data import x"}, "imports resolvent.data.x"),
    ("through the own top face", {"data/format/a.py": "from .. import x", "data/format/__init__.py": ""}, "data.x"),
    ("crowded", {f"data/problems/p{k}.py": "" for k in range(21)}, "data/problems holds 21"),
    (
        "uncertified",
        {"data/certificates/balance.py": "from resolvent.solvers.result import Status", "solvers/result.py": ""},
        "imports resolvent.solvers.result.Status",
    ),
    (
        "uncertified",
        {
            "data/certificates/balance.py": "from ..grids import n",
            "data/grids.py": "from resolvent.solvers.matrices import n",
            "solvers/matrices/__init__.py": "",
        },
        "stands on solvers/matrices",
    ),
    (
        "uncertified",
        {
            "data/certificates/balance.py": "from ..boundaries import n",
            "data/boundaries.py": "from .discretisations.meshes import n",
            "data/discretisations/meshes.py": "",
        },
        "stands on data/discretisations/meshes.py",
    ),
    (
        "acquainted",
        {"solvers/multigrid/space/a.py": "from ..plane.b import c", "solvers/multigrid/plane/b.py": ""},
        "solvers/multigrid/space/a.py imports",
    ),
    ("compilers", {"solvers/krylov/cg.py": "from numba import njit"}, "solvers/krylov/cg.py"),
    ("compilers", {"solvers/kernels/lanes.py": "import llvmlite.ir"}, "solvers/kernels/lanes.py"),
    ("compilers", {"data/grids.py": "def f():\n    import numba.core"}, "data/grids.py"),
    ("private", {"data/grids.py": "from .moments import _m", "data/moments.py": ""}, "data/grids.py imports"),
    (
        "private",
        {"data/grids.py": "from . import moments as m\nm._n()", "data/moments.py": ""},
        "data/grids.py:2 uses m._n",
    ),
    ("private", {"data/grids.py": "from ._made import m", "data/_made.py": ""}, "data/grids.py imports"),
    ("circles of files", {"data/a.py": "from .b import x", "data/b.py": "def f():\n    from .a import y"}, "data/b.py"),
    (
        "circles of files",  # through the face of a folder on the way
        {
            "data/f/__init__.py": "from .b import x",
            "data/f/b.py": "from ..a import y",
            "data/a.py": "from .f.c import z",
        }
        | {"data/f/c.py": ""},
        "data/f/__init__.py",
    ),
    (
        "circles of folders",
        {
            "data/a/p.py": "from ..b.q import x",
            "data/b/q.py": "",
            "data/b/r.py": "from ..a.s import x",
            "data/a/s.py": "",
        },
        "data/a",
    ),
    ("shadowed", {"data/f/__init__.py": "from .cg import cg", "data/f/cg.py": ""}, "data/f/cg.py"),
    ("shadowed", {"data/__init__.py": "", "data/__init__.pyi": "from .f import g", "data/g.py": ""}, "data/g.py"),
]


@pytest.mark.parametrize(("wall", "files", "says"), BREACHES, ids=[f"{w}-{k}" for k, (w, _, _) in enumerate(BREACHES)])
def test_wall_can_fall(wall: str, files: dict[str, str], says: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert says in str(WALLS[wall](Tree(tmp_path)))


def test_each_wall_can_fall() -> None:
    assert {wall for wall, _, _ in BREACHES} == set(WALLS)


def test_an_exception_that_is_mended_goes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "grids.py").write_text("import numpy", encoding="utf-8")
    assert Tree(tmp_path, {"data/grids.py imports numpy"}).imports == []
    with pytest.raises(AssertionError, match="take it out"):
        assert Tree(tmp_path, {"data/grids.py imports numba"}).imports


def test_what_the_walls_allow(tmp_path: Path) -> None:
    files = {
        "conf/__init__.py": "",
        "solvers/errors.py": "class InputError(Exception): ...",
        "solvers/__init__.py": "",
        "solvers/__init__.pyi": "from .errors import InputError\nfrom .krylov.cg import cg",
        "solvers/kernels/__init__.py": "from ctypes import CDLL as intrinsic",
        "solvers/krylov/__init__.py": "from .space import Space",
        "solvers/krylov/space.py": "from ..errors import InputError",
        "solvers/krylov/cg.py": "from .space import Space\nfrom ..kernels import intrinsic\n_n = 1",
        "data/certificates/balance.py": "from resolvent.solvers import InputError\nfrom ..grids import n",
        "data/grids.py": "from resolvent.solvers.kernels import k",
        "data/boundaries.py": "import numpy\nimport resolvent.solvers as s\nfrom resolvent.solvers import cg\ns.cg",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    tree = Tree(tmp_path)
    floors = tuple(tuple(e for e in floor if any(beneath(p, e) for p in tree.modules)) for floor in FLOORS)
    assert climbing(tree, floors) == []
    assert not any(find(tree) for wall, find in WALLS.items() if wall != "climbing")


def test_no_drawers_and_no_giants() -> None:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
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
