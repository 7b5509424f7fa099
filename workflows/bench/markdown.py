"""Write the results file of a bench: tables with the machine, the versions and the command that made them."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resolvent.data.format.versions import versions

from ..console import say, show, table
from ..run_folder import PACKAGES, RunFolder, write_whole

RESULTS = Path("workflows/bench/results")


def machine() -> str:
    """Return the processor's name and the number of cores this process may use."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return f"{name}, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"


@dataclass(frozen=True)
class Section:
    """Describe a further table of a results file."""

    title: str
    intro: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: Sequence[str] = ()


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]], notes: Sequence[str]) -> list[str]:
    """Print a table with its notes; return it as lines of Markdown."""
    table(columns, rows)
    for note in notes:
        say(note)
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(show(cell) for cell in row) + " |" for row in rows]
    return [*lines, *([""] if notes else []), *[f"- {note}" for note in notes]]


def write_results(
    folder: RunFolder,
    name: str,
    intro: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    notes: Sequence[str] = (),
    sections: Sequence[Section] = (),
) -> Path:
    """Print tables; write them as Markdown to the run's folder, and beside the bench in a checkout of the project."""
    lines = [f"# {name}", "", intro, "", *_table(columns, rows, notes)]
    for section in sections:
        say()
        say(section.title)
        lines += ["", f"## {section.title}", "", section.intro, ""]
        lines += _table(section.columns, section.rows, section.notes)
    used = ", ".join(f"{k} {v}" for k, v in versions(*PACKAGES).items())
    lines += ["", f"Command: `resolvent bench {name}`. Machine: {machine()}. {time.strftime('%Y-%m-%d')}. {used}.", ""]
    text = "\n".join(lines)
    path = folder.file(f"{name}.md")
    write_whole(path, text)
    if RESULTS.is_dir():
        path = RESULTS / f"{name}.md"
        write_whole(path, text)
    say(f"wrote {path}")
    return path
