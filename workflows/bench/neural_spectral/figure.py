"""Draw the figure of ``resolvent bench neural_spectral``: test error against the processor seconds of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...figures.fields import save, subplots
from .variants import GRIDS, MENDED, OURS, SNO, fno, two_losses

_SHADES = ("tab:blue", "tab:orange", "tab:green")


def plot_courses(courses: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> Path:
    """Draw two panels, without and with the linear path: equal networks under two losses, and the baselines.

    Parameters
    ----------
    courses : mapping
        By variant, rows of seconds and error (see `TrainingCourse`). Missing variants are left out.
    """
    figure, panels = subplots(1, 2, figsize=(10.0, 4.8), sharex=True, sharey=True, layout="constrained")
    for axes, spectral, linear_path in ((panels[0], MENDED, False), (panels[1], OURS, True)):
        short = courses.get(two_losses(0, linear_path), ())
        _draw(axes, short, "spectral loss, H-1", color="k", marker="o", linewidth=2.0)
        _draw(axes, courses.get(spectral, ()), "spectral loss, H-1, longer", color="0.6", marker="o", linewidth=2.0)
        for cells, color in zip(GRIDS, _SHADES, strict=True):
            rows = courses.get(two_losses(cells, linear_path), ())
            _draw(axes, rows, f"same network, differences on {cells}²", color=color, marker="s")
        for cells, color in zip(GRIDS, _SHADES, strict=True):
            _draw(
                axes,
                courses.get(fno(cells), ()),
                f"FNO, differences on {cells}²",
                color=color,
                linestyle="--",
                marker="^",
            )
        if not linear_path:
            _draw(axes, courses.get(SNO, ()), "SNO, spectral loss", color="tab:red", linestyle=":", marker="v")
        axes.set(
            title=f"{'with' if linear_path else 'without'} the linear path",
            xlabel="processor seconds of training",
            xscale="log",
            yscale="log",
        )
        axes.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("relative L2, 128 test functions")
    named = {line.get_label(): line for axes in panels for line in axes.lines}
    figure.legend(named.values(), named.keys(), fontsize=7, loc="outside lower center", ncols=3)
    return save(figure, path)


def _draw(axes: Any, rows: Sequence[Mapping[str, Any]], label: str, **style: Any) -> None:
    points = [(row["seconds"], row["error"]) for row in rows if row["error"] is not None]
    if points:
        axes.plot(*zip(*points, strict=True), label=label, markersize=3.5, **style)
