"""Print what a run has to say: lines, tables, and progress (which stands in `resolvent.data.progress`)."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from resolvent.data.progress import ProgressLine, console, duration, say

__all__ = ["ProgressLine", "console", "duration", "say", "show", "table"]


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None) -> None:
    """Print a table; numbers are set to the right."""
    drawn = Table(title=title, title_justify="left", header_style="bold")
    for k, name in enumerate(columns):
        number = bool(rows) and all(isinstance(row[k], int | float) for row in rows)
        drawn.add_column(Text(name), justify="right" if number else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(show(cell)) for cell in row))
    console().print(drawn)


def show(value: object) -> str:
    """Return a cell's text: floats with four significant digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
