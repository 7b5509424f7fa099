"""Print the hierarchy of a multigrid method, in the manner of pyamg."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape


@dataclass(frozen=True)
class HierarchySummary:
    """Describe the levels of a multigrid method, finest first.

    Attributes
    ----------
    title : str
    unknowns, entries : sequence of int
        The size of the operator of each level, and its entries that are not zero.
    facts : mapping
        What else to say: smoother, coarse solver.
    grids : sequence of str, optional
        The grid of each level, as in '64x64'.
    """

    title: str
    unknowns: Sequence[int]
    entries: Sequence[int]
    facts: Mapping[str, str] = field(default_factory=dict)
    grids: Sequence[str] = ()

    def _header(self) -> dict[str, str]:
        return {
            "Number of Levels": str(len(self.unknowns)),
            "Operator Complexity": f"{sum(self.entries) / self.entries[0]:.3f}",
            "Grid Complexity": f"{sum(self.unknowns) / self.unknowns[0]:.3f}",
            **self.facts,
        }

    def _rows(self) -> list[tuple[str, ...]]:
        total = sum(self.entries)
        grids = self.grids or ("",) * len(self.unknowns)
        return [
            (str(level), str(n), str(entries), f"{100 * entries / total:5.2f}%", grid)
            for level, (n, entries, grid) in enumerate(zip(self.unknowns, self.entries, grids, strict=True))
        ]

    def text(self) -> str:
        """Return the summary as lines of text."""
        lines = [self.title, *(f"{name + ':':<21} {value}" for name, value in self._header().items())]
        lines.append("  level   unknowns   nonzeros" + ("     cells" if self.grids else ""))
        lines += [f"{row[0]:>7} {row[1]:>10} {row[2]:>10} [{row[3]}] {row[4]}".rstrip() for row in self._rows()]
        return "\n".join(lines)

    def html(self) -> str:
        """Return the summary as a small table, for notebooks."""
        names = ("level", "unknowns", "nonzeros", "share", *(("cells",) if self.grids else ()))
        facts = "<br>".join(f"{escape(name)}: {escape(value)}" for name, value in self._header().items())
        head = "".join(f"<th>{name}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell.strip())}</td>" for cell in row[: len(names)]) + "</tr>"
            for row in self._rows()
        )
        return f"<p><b>{escape(self.title)}</b><br>{facts}</p><table><tr>{head}</tr>{body}</table>"
