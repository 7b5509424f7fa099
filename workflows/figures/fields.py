"""Draw convergence histories, sweeps, sampled fields, predictions and errors, training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from resolvent.solvers.arguments import is_real

DPI = 110

_AXIS = (1e-250, 1e250)
"""What Matplotlib's logarithmic axes show without overflow in their margins."""


def subplots(rows: int = 1, columns: int = 1, layout: Any = None, **settings: Any) -> tuple[Any, Any]:
    """Return a figure to be written to a file, and its axes: ``pyplot.subplots`` without windows and their imports."""
    from matplotlib.figure import Figure

    shared = {key: settings.pop(key) for key in ("squeeze", "sharex", "sharey", "gridspec_kw") if key in settings}
    figure = Figure(layout=layout, **settings)
    return figure, figure.subplots(rows, columns, **shared)


def save(figure: Any, path: Path, cropped: bool = True) -> Path:
    """Write a figure to a file; to crop its margins it is drawn twice."""
    figure.savefig(path, dpi=DPI, bbox_inches="tight" if cropped else None)
    return path


def plot_convergence(histories: Mapping[str, np.ndarray], rhs_norm: float, target: float, path: Path) -> Path:
    """Draw ‖r_k‖ / ‖b‖ over iterations, one line per solver, with the tolerance."""
    figure, axes = subplots(figsize=(6.4, 4.0))
    tolerance = float(_on_log_axis(np.array(target), rhs_norm))
    lines = {name: _on_log_axis(np.asarray(residuals), rhs_norm) for name, residuals in histories.items()}
    visible = np.concatenate([np.atleast_1d(tolerance), *lines.values()])
    if np.isfinite(visible).any():
        axes.set_yscale("log")
    else:  # b = 0 and x = 0: nothing that a logarithm could show
        axes.set_ylim(0.0, 1.0)
    for name, values in lines.items():
        axes.plot(np.arange(len(values)), values, label=name, linewidth=1.4)
    if np.isfinite(tolerance):
        axes.axhline(tolerance, color="0.5", linestyle=":", label="tolerance")
    axes.set(xlabel="iteration", ylabel="‖r‖ / ‖b‖")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.subplots_adjust(left=0.12, right=0.98, bottom=0.12, top=0.97)
    return save(figure, path, cropped=False)


def _on_log_axis(residuals: np.ndarray, rhs_norm: float) -> np.ndarray:
    """Return ‖r‖/‖b‖ (‖r‖ for b = 0), with NaN, which is not drawn, for what a logarithmic axis cannot show."""
    with np.errstate(all="ignore"):
        values = residuals / (rhs_norm or 1.0)
    return np.where((values > _AXIS[0]) & (values < _AXIS[1]), values, np.nan)


def plot_sweep(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[str], objective: str, path: Path, marks: Mapping[str, float]
) -> Path:
    """Draw the objective over the swept keys: a line for each value of the other keys, or bars if none is a number."""
    figure, axes = subplots(figsize=(6.4, 4.0))
    numeric = [k for k in keys if all(_is_number(row[k]) for row in rows)]
    numeric.sort(key=lambda k: -len({row[k] for row in rows}))
    if not numeric:
        names = [" ".join(f"{k}={row[k]}" for k in keys) for row in rows]
        axes.bar(range(len(rows)), [row[objective] if _is_number(row[objective]) else 0.0 for row in rows])
        axes.set_xticks(range(len(rows)), names, rotation=30, ha="right", fontsize=7)
    else:
        first, others = numeric[0], [k for k in keys if k != numeric[0]]
        lines: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for row in rows:
            lines.setdefault(tuple(row[k] for k in others), []).append(row)
        for values, members in list(lines.items())[:12]:
            members = sorted(members, key=lambda row: float(row[first]))
            good = [row for row in members if row["status"] == "converged"]
            label = ", ".join(f"{k}={v}" for k, v in zip(others, values, strict=True)) or None
            axes.plot([r[first] for r in good], [r[objective] for r in good], marker="o", markersize=4, label=label)
            bad = [row for row in members if row["status"] != "converged" and _is_number(row[objective])]
            axes.plot([r[first] for r in bad], [r[objective] for r in bad], "x", color="0.4")
        for name, value in marks.items():
            axes.axvline(value, color="0.3", linestyle="--", label=f"{name} = {value:.4g}")
        if any(others) or marks:
            axes.legend(fontsize=8)
        axes.set_xlabel(first)
    finite = [row[objective] for row in rows if _is_number(row[objective]) and row[objective] > 0]
    if finite and max(finite) > 20 * min(finite):
        axes.set_yscale("log")
    axes.set_ylabel(objective)
    axes.grid(alpha=0.3)
    return save(figure, path)


def _is_number(value: Any) -> bool:
    return is_real(value) and bool(np.isfinite(value))


def plot_fields(
    samples: Sequence[Mapping[str, np.ndarray]],
    path: Path,
    title: str = "",
    mesh: Sequence[np.ndarray] | None = None,
    points: Sequence[np.ndarray] | None = None,
) -> Path:
    """Draw fields on a grid of panels: one row per sample, one column per field.

    With `mesh`, which holds x and y of the nodes (samples, n) and the triangles (samples, m, 3 or 6), fields are values
    at nodes (midpoints of sides are not drawn). `points` are the coordinates along each axis.
    """
    names = list(samples[0])
    figure, grid = subplots(
        len(samples), len(names), figsize=(2.7 * len(names), 2.3 * len(samples)), squeeze=False, layout="constrained"
    )
    for k, (row, sample) in enumerate(zip(grid, samples, strict=True)):
        for axes, name in zip(row, names, strict=True):
            if mesh is None:
                _panel(figure, axes, sample[name], name, "viridis", points=points)
                continue
            x, y, triangles = (part[k] for part in mesh)
            drawn = axes.tripcolor(x, y, triangles[:, :3], np.asarray(sample[name], dtype=float), shading="gouraud")
            axes.set(aspect="equal", xticks=[], yticks=[])
            axes.set_title(name, fontsize=8)
            figure.colorbar(drawn, ax=axes, shrink=0.85).ax.tick_params(labelsize=6)
    if title:
        figure.suptitle(title, fontsize=10)
    return save(figure, path)


def plot_predictions(
    inputs: np.ndarray,
    targets: np.ndarray,
    predictions: np.ndarray,
    errors: Sequence[float],
    path: Path,
    title: str = "",
    names: tuple[str, str] = ("input", "solution"),
    points: Sequence[np.ndarray] | None = None,
) -> Path:
    """Draw input, truth, prediction and pointwise error of samples; truth and prediction have the same scale.

    Arrays are (samples, channels, *space), of which the first channel is drawn. `names` are the titles of input and
    truth, `points` the coordinates along each axis.
    """
    count = len(inputs)
    if targets.ndim == 5:
        title += "; slices through the middle of the first axis"
    figure, grid = subplots(count, 4, figsize=(10.4, 2.3 * count), squeeze=False, layout="constrained")
    for k in range(count):
        truth, guess = targets[k, 0], predictions[k, 0]
        _panel(figure, grid[k, 0], inputs[k, 0], names[0], "viridis", points=points)
        shown = (truth, guess) if truth.ndim == 1 else (truth,)  # a curve beyond the scale would be cut off
        limits = (min(float(each.min()) for each in shown), max(float(each.max()) for each in shown))
        _panel(figure, grid[k, 1], truth, names[1], "viridis", limits, points=points)
        _panel(figure, grid[k, 2], guess, f"prediction, rel. L2 {errors[k]:.2%}", "viridis", limits, points=points)
        _panel(figure, grid[k, 3], guess - truth, "error", "coolwarm", symmetric=True, points=points)
    if title:
        figure.suptitle(title, fontsize=10)
    return save(figure, path)


def _panel(
    figure: Any,
    axes: Any,
    values: np.ndarray,
    title: str,
    colours: str,
    limits: tuple[float, float] | None = None,
    symmetric: bool = False,
    points: Sequence[np.ndarray] | None = None,
) -> None:
    values = np.asarray(values)
    if values.ndim == 1:
        axes.plot((np.arange(len(values)) + 0.5) / len(values) if points is None else points[0], values)
        if limits is not None and limits[0] < limits[1]:
            margin = 0.05 * (limits[1] - limits[0])
            axes.set_ylim(limits[0] - margin, limits[1] + margin)
        axes.set_title(title, fontsize=8)
        axes.set_xlabel("x", fontsize=8)
        return
    if values.ndim == 3:
        values = values[len(values) // 2]  # the middle slice of a box
    if symmetric:
        bound = float(np.abs(values).max()) or 1.0
        limits = (-bound, bound)
    low, high = limits or (float(values.min()), float(values.max()))
    image = axes.imshow(values.T, origin="lower", extent=(0, 1, 0, 1), cmap=colours, vmin=low, vmax=high)
    axes.set_title(title, fontsize=8)
    axes.set_xticks([])
    axes.set_yticks([])
    figure.colorbar(image, ax=axes, shrink=0.85).ax.tick_params(labelsize=6)


def plot_estimates(errors: np.ndarray, estimates: np.ndarray, path: Path, title: str = "") -> Path:
    """Draw the error estimate of each sample over its error, with the line of equality."""
    figure, axes = subplots(figsize=(4.4, 4.0))
    axes.loglog(errors, estimates, "o", markersize=3, alpha=0.7)
    ends = [float(min(errors.min(), estimates.min())), float(max(errors.max(), estimates.max()))]
    axes.loglog(ends, ends, color="0.5", linestyle=":", label="equal")
    axes.set(xlabel="relative L2 error", ylabel="estimate from the residual", title=title)
    axes.title.set_fontsize(9)
    axes.tick_params(which="both", labelsize=6)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return save(figure, path)


def plot_training(rows: Sequence[Mapping[str, float]], path: Path) -> Path:
    """Draw the training and validation loss over epochs."""
    figure, axes = subplots(figsize=(6.4, 3.6))
    for key in ("train_loss", "valid_l2"):
        points = [(row["epoch"], row[key]) for row in rows if key in row and row[key] is not None]
        if points:
            axes.semilogy(*zip(*points, strict=True), marker="o", markersize=3, label=key.replace("_", " "))
    axes.set(xlabel="epoch", ylabel="relative error")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return save(figure, path)
