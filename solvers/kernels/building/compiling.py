"""Compile the kernels, all `*.cpp` below a root folder, into one shared library an instruction level.

Nothing but Python's standard library is needed, and a C++ compiler: $CXX, c++, g++ or clang++, or zig's from PyPI.
`python solvers/kernels/building/compiling.py` builds them in place; with `--warnings` it only fails where the compiler
has one.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Contraction is off and nothing is reordered: the same bits from every compiler. Without errno and trapping operations
# loops with square roots and conditions are vectorised; neither changes a result.
_BITS = ["-std=c++17", "-ffp-contract=off", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden", "-Wall", "-Wextra"]
FLAGS = [*_BITS, "-O3", "-fno-math-errno", "-fno-trapping-math", "-fno-asynchronous-unwind-tables"]
_SANITIZERS = "-fsanitize=address,undefined"
CHECKED = [*_BITS, "-O0", "-g1", "-fno-omit-frame-pointer", "-DRESOLVENT_CHECKED", _SANITIZERS, "-fno-sanitize-recover"]
WIDE = "x86-64-v4"
WIDE_FILES = (Path("solvers") / "timestepping" / "compiled" / "terms.cpp",)
"""What runs a sixth faster with 512-bit registers (multigrid loses by them): compiled once more, to the same bits, into
a library of its own that level x86-64-v3 takes these kernels from where the processor has the registers."""

NO_COMPILER = (
    "building Resolvent's kernels needs a C++ compiler: none of $CXX, c++, g++, clang++ was found; install one "
    "(Debian: apt install g++) or run `pip install ziglang`"
)
FOLDERS = ("solvers", "data", "operators", "workflows")
LIBRARIES = Path("solvers") / "kernels" / "libraries"
RECORD = "built.json"
"""The file beside the libraries that says of what sources they are, and how they were made."""


class BuildError(Exception):
    """Raised when the kernels cannot be built; the message is one line that says what is missing."""


def levels() -> tuple[str, ...]:
    """Return the instruction levels that are built for this machine's kind of processor, lowest first."""
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        return ("x86-64-v2", "x86-64-v3")
    return ("aarch64",) if machine in ("aarch64", "arm64") else (machine,)


def _planned(root: Path, files: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the sources of each library."""
    wide = [root / path for path in WIDE_FILES if (root / path) in files]
    plan = {level: list(files) for level in levels()}
    return plan | {WIDE: wide} if wide and "x86-64-v3" in plan else plan


def library_name(level: str) -> str:
    """Return the file name of a level's library."""
    return f"kernels-{level}" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


def compiler() -> list[str] | None:
    """Return the command of a C++ compiler, or None where there is none."""
    named = os.environ.get("CXX")
    if named:
        return named.split()
    for name in ("c++", "g++", "clang++"):
        if found := shutil.which(name):
            return [found]
    try:
        import ziglang  # noqa: F401
    except ImportError:
        return None
    return [sys.executable, "-m", "ziglang", "c++"]


def requirements() -> list[str]:
    """Return the packages that a build needs: zig's compiler where the machine has no other."""
    return [] if compiler() else ["ziglang>=0.13"]


def sources(root: Path) -> list[Path]:
    """Return all kernels' sources below a root, sorted."""
    return sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.cpp"))


def _read_with_headers(root: Path, path: Path, seen: dict[Path, bytes]) -> None:
    """Add a file and the headers that it includes, of those beneath root, to `seen`."""
    if path not in seen:
        seen[path] = content = path.read_bytes()
        for name in re.findall(rb'^#include "([^"]+)"', content, re.MULTILINE):
            if (header := root / name.decode()).is_file():
                _read_with_headers(root, header, seen)


def digest(root: Path, paths: Sequence[Path], flags: Sequence[str] = ()) -> str:
    """Return the digest of sources, the headers that they include, and flags."""
    seen: dict[Path, bytes] = {}
    for path in paths:
        _read_with_headers(root, path, seen)
    total = hashlib.sha256(" ".join(flags).encode())
    for path in sorted(seen):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + seen[path])
    return total.hexdigest()[:16]


def build(root: Path, folder: Path, objects: Path, checked: bool = False) -> None:
    """Build one library a level into `folder`; objects that are still of their sources are used again.

    Errors
    ------
    BuildError
        There is no compiler, or it failed.
    """
    command = compiler()
    if command is None:
        raise BuildError(NO_COMPILER)
    zig = "ziglang" in command
    flags = CHECKED if checked else FLAGS
    files = sources(root)
    version = _version(command)
    plan = {"debug": files} if checked else _planned(root, files)
    folder.mkdir(parents=True, exist_ok=True)
    objects.mkdir(parents=True, exist_ok=True)

    def machine(level: str) -> list[str]:
        if not level.startswith("x86-64"):
            return []
        return [f"-march={level.replace('-', '_') if zig else level}"]

    def compile_one(job: tuple[str, Path]) -> Path:
        level, path = job
        everywhere = path.name == "processor.cpp"
        options = [*flags, *([] if everywhere else machine(level)), *([] if sys.platform == "win32" else ["-fPIC"])]
        own = digest(root, [path], [version, *options, level])
        name = "-".join(path.relative_to(root).with_suffix("").parts)
        made = objects / f"{name}-{level}-{own}.o"
        if not made.exists():
            partial = made.with_suffix(f".{os.getpid()}.partial")
            _run([*command, *options, "-I", str(root), "-c", str(path), "-o", str(partial)], path)
            for old in objects.glob(f"{name}-{level}-{'[0-9a-f]' * 16}.o"):
                old.unlink(missing_ok=True)
            partial.replace(made)
        return made

    jobs = [(level, path) for level, needed in plan.items() for path in needed]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = list(pool.map(compile_one, jobs))
    for level in plan:
        mine = [str(path) for path, (of, _) in zip(made, jobs, strict=True) if of == level]
        target = folder / library_name(level)
        partial = target.with_suffix(f".{os.getpid()}.partial")
        static = [] if zig or sys.platform == "darwin" else ["-static-libgcc", "-static-libstdc++"]
        linker = [*command[:-1], "cc"] if zig else command
        extra = [_SANITIZERS] if checked else [*static, *([] if sys.platform == "darwin" else ["-s"])]
        _run([*linker, "-shared", *mine, *extra, "-o", str(partial)], target)
        partial.replace(target)
    record = {
        "sources": digest(root, files),
        "compiler": version,
        "flags": flags,
        "libraries": {level: sha256(folder / library_name(level)) for level in plan},
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _version(command: list[str]) -> str:
    try:
        return subprocess.run([*command, "--version"], capture_output=True, text=True).stdout.partition("\n")[0]
    except OSError as error:
        raise BuildError(
            f"the C++ compiler {command[0]} cannot be run: {error.strerror}; set CXX to another"
        ) from error


def _run(command: list[str], subject: Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise BuildError(
            f"the C++ compiler {command[0]} cannot be run: {error.strerror}; set CXX to another"
        ) from error
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise BuildError(f"{command[0]} failed on {subject}: see its messages above; set CXX to try another compiler")
    if done.stderr and "warning" in done.stderr:
        sys.stderr.write(done.stderr)


def build_in_place(root: Path) -> None:
    """Build the libraries beside their loader, for work on the code."""
    build(root, root / LIBRARIES, root / LIBRARIES / "objects")


def fail_on_warnings(root: Path) -> None:
    """Read all sources, and fail at the first warning."""
    command = compiler()
    if command is None:
        raise BuildError(NO_COMPILER)
    machine = ["-march=x86-64-v3"] if "x86-64-v3" in levels() and "ziglang" not in command else []
    checks = [*command, *FLAGS, *machine, "-Werror", "-fsyntax-only", "-I", str(root)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda path: _run([*checks, str(path)], path), sources(root)))


if __name__ == "__main__":
    ROOT = Path(__file__).resolve().parents[3]
    try:
        fail_on_warnings(ROOT) if "--warnings" in sys.argv else build_in_place(ROOT)
    except BuildError as failure:
        sys.exit(str(failure))
