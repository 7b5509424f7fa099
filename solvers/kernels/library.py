"""Load the compiled kernels: one shared library an instruction level, chosen once by the processor's features.

Nothing is loaded before the first kernel is called. The environment variable RESOLVENT_KERNELS names a level to use
(results then have the bits of that level), or `debug`: a build that checks every index, made on first use.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InputError
from .building import compiling

__all__ = ["level", "libraries", "symbol", "use_level"]

ROOT = Path(__file__).resolve().parents[2]
_FOLDER = ROOT / compiling.LIBRARIES
_REINSTALL = "install Resolvent again (pip install --force-reinstall --no-deps resolvent)"
_lock = threading.Lock()
_pinned: list[str] = []


def use_level(name: str) -> None:
    """Pin the instruction level, such as 'x86-64-v2', before the first kernel is called.

    Results have the same bits on all processors that have the level, and other bits (by rounding) than on another.
    """
    with _lock:
        _check_level(name)
        if libraries.cache_info().currsize and level() != name:
            raise InputError(
                f"the kernels are loaded at level {level()}: choose {name} before the first solve, by "
                f"RESOLVENT_KERNELS={name} in the environment"
            )
        _pinned[:] = [name]
        level.cache_clear()


@cache
def level() -> str:
    """Return the instruction level of the kernels: the pinned one, or the highest that the processor has."""
    wanted = _pinned[0] if _pinned else os.environ.get("RESOLVENT_KERNELS", "")
    if wanted:
        _check_level(wanted)
    return wanted or _best_level()


def _check_level(name: str) -> None:
    known = compiling.levels()
    if name == "debug":
        return
    if name not in known:
        raise InputError(f"level is {name!r}: expected one of {', '.join((*known, 'debug'))}")
    if known.index(name) > known.index(_best_level()):
        raise InputError(f"level is {name}, but this processor has {_best_level()} at most: leave level out")


@cache
def libraries() -> tuple[ctypes.CDLL, ...]:
    """Return the library of the level, loaded, after the one with kernels for wider registers where there is one."""
    name = level()
    if name == "debug":
        return (_load(_debug_library()),)
    wider = [compiling.WIDE] if name == "x86-64-v3" and _processor_level() >= 4 else []
    return tuple(_load(_FOLDER / compiling.library_name(each)) for each in (*wider, name))


def symbol(name: str) -> Any:
    """Return a function of the libraries."""
    for each in libraries():
        if hasattr(each, name):
            return getattr(each, name)
    raise InputError(f"the compiled kernels have no {name}, so they are of another version: {_REINSTALL}")


@cache
def _best_level() -> str:
    known = compiling.levels()
    if len(known) == 1:
        return known[0]
    number = _processor_level()
    if number < 2:
        raise InputError(
            f"this processor ({platform.processor() or platform.machine()}) has no SSE4.2, which Resolvent's kernels "
            f"need: use a processor of level x86-64-v2 (made after 2009)"
        )
    return known[min(number - 2, len(known) - 1)]


@cache
def _processor_level() -> int:
    return int(_load(_FOLDER / compiling.library_name(compiling.levels()[0])).processor_level())


def _load(path: Path) -> ctypes.CDLL:
    _rebuild_in_place()
    record = path.with_name(compiling.RECORD)
    if not (path.is_file() and record.is_file()):
        raise InputError(
            f"the compiled kernels are missing, expected {path.name} and {record.name} in {path.parent}: {_REINSTALL}"
        )
    if compiling.sha256(path) not in json.loads(record.read_text(encoding="utf-8"))["libraries"].values():
        raise InputError(f"the compiled kernels {path} are damaged, or not those of {record.name}: {_REINSTALL}")
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise InputError(f"the compiled kernels {path} cannot be loaded ({error}): {_REINSTALL}") from None


@cache
def _rebuild_in_place() -> None:
    """Build what changed, where the kernels were built in place (an editable install keeps its objects)."""
    objects = _FOLDER / "objects"
    if not objects.is_dir():
        return
    made = min((path.stat().st_mtime for path in _FOLDER.glob("kernels-*")), default=0.0)
    headers = (path for folder in compiling.FOLDERS for path in (ROOT / folder).rglob("*.hpp"))
    if any(path.stat().st_mtime > made for path in (*compiling.sources(ROOT), *headers)):
        print("building the kernels, whose sources changed", file=sys.stderr, flush=True)
        _built(compiling.build_in_place, ROOT)


def _debug_library() -> Path:
    """Return the library that checks every index, built on first use from the sources beside this file."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")  # nobody else writes there
    folder = caches / "resolvent" / f"kernels-{compiling.digest(ROOT, compiling.sources(ROOT))}"
    path = folder / compiling.library_name("debug")
    if not path.is_file():
        print("building the kernels with checks", file=sys.stderr, flush=True)
        _built(compiling.build, ROOT, folder, folder / "objects", True)
    return path


def _built(build: object, *arguments: object) -> None:
    try:
        build(*arguments)  # type: ignore[operator]
    except compiling.BuildError as error:
        raise InputError(str(error)) from None
