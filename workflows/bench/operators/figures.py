"""Draw the figures of ``bench operators``: error against computing time, and error by time of the equation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...figures.fields import save, subplots
from ..equal_error import Measured, front

#: Marker and colour of a model, the same in every panel.
STYLES = {
    "fno": ("o", "C0"),
    "ffno": ("s", "C1"),
    "unet": ("D", "C2"),
    "mean field": ("x", "C3"),
    "PCA + linear regression": ("+", "C4"),
    "PCA + kernel ridge": ("*", "C5"),
    "persistence": ("v", "C6"),
}


def _style(name: str) -> tuple[str, str]:
    return STYLES.get(name, (".", "0.2"))


def plot_pareto(panels: Mapping[str, tuple[Sequence[Measured], Sequence[Measured]]], path: Path) -> Path:
    """Draw error over milliseconds a sample, one panel per task; models without an error are left out.

    Parameters
    ----------
    panels : mapping of title to (models, settings of the classical solver)
        Only settings that no other beats in both are drawn.
    """
    columns = min(len(panels), 2)
    rows = math.ceil(len(panels) / columns)
    figure, grid = subplots(rows, columns, figsize=(5.2 * columns, 3.6 * rows + 0.8), squeeze=False)
    drawn: dict[str, Any] = {}
    for axes, (title, (models, classical)) in zip(grid.flat, panels.items(), strict=False):
        best = front(classical)
        (drawn["classical solver"],) = axes.loglog(
            [p.milliseconds for p in best], [p.error for p in best], "-", color="0.2", marker=".", linewidth=1.2
        )
        for point in models:
            if math.isfinite(point.error):
                marker, colour = _style(point.name)
                (drawn[point.name],) = axes.loglog(
                    [point.milliseconds], [point.error], marker, color=colour, markersize=8, linestyle="none"
                )
        axes.set_title(title, fontsize=10)
        axes.set(xlabel="processor ms a sample", ylabel="relative L2 error")
        axes.margins(0.08)
        axes.grid(alpha=0.3)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    figure.tight_layout(rect=(0, 0.4 / (3.6 * rows + 0.8), 1, 1))
    figure.legend(drawn.values(), drawn.keys(), loc="lower center", ncols=min(len(drawn), 4), fontsize=9, frameon=False)
    return save(figure, path)


def plot_over_time(panels: Mapping[str, tuple[np.ndarray, Mapping[str, np.ndarray]]], path: Path) -> Path:
    """Draw relative L² error over the time of the equation, a panel a task.

    Parameters
    ----------
    panels : mapping of title to (times, errors by model)
        Names that are no model's are drawn in black: settings of the classical solver.
    """
    figure, grid = subplots(1, len(panels), figsize=(5.6 * len(panels), 4.2), squeeze=False, layout="constrained")
    for axes, (title, (times, curves)) in zip(grid[0], panels.items(), strict=True):
        for number, (name, errors) in enumerate(curves.items()):
            marker, colour = _style(name)
            dashes = ("-", "--", ":")[number % 3] if name not in STYLES else "-"
            axes.semilogy(
                times,
                errors,
                dashes,
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=1.2,
                label=name,
                markevery=0.1,
            )
        axes.set_title(title, fontsize=10)
        axes.set(xlabel="t", ylabel="relative L2 error")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return save(figure, path)
