"""Write small tables that notebooks show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(title: str, rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a title; the first cell of each row is its heading. Text is escaped."""
    lines = [f"<table><caption style='text-align:left'><b>{escape(title)}</b></caption>"]
    for first, *rest in rows:
        cells = "".join(f"<td style='text-align:left'>{escape(str(cell))}</td>" for cell in rest)
        lines.append(f"<tr><th style='text-align:left'>{escape(str(first))}</th>{cells}</tr>")
    return "\n".join([*lines, "</table>"])
