"""Draw trajectories: errors over time, spectra, and an animation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from resolvent.operators import TrajectoryErrors

from .fields import DPI, save, subplots

FRAMES = 60  # the most frames of an animation; longer trajectories are thinned out


def plot_errors_over_time(models: Mapping[str, TrajectoryErrors], path: Path, title: str = "") -> Path:
    """Draw relative L² error and correlation over time, means over samples and fields, one line per model."""
    figure, (left, right) = subplots(1, 2, figsize=(9.6, 3.6), layout="constrained")
    for name, errors in models.items():
        left.semilogy(errors.times, errors.measures["relative_l2"].mean(axis=1), marker="o", markersize=3, label=name)
        right.plot(errors.times, errors.measures["correlation"].mean(axis=1), marker="o", markersize=3, label=name)
    for threshold in next(iter(models.values())).correlation_times:
        right.axhline(threshold, color="0.6", linestyle=":")
    left.set(xlabel="t", ylabel="relative L2 error")
    right.set(xlabel="t", ylabel="correlation with the truth")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    left.legend(fontsize=8)
    figure.suptitle(title, fontsize=10)
    return save(figure, path)


def plot_spectra(errors: TrajectoryErrors, path: Path, title: str = "") -> Path:
    """Draw the spectra of truth and prediction at the first, middle and last time, one panel per field."""
    count = len(errors.fields)
    figure, grid = subplots(1, count, figsize=(5.0 * count, 3.6), squeeze=False, layout="constrained")
    last = len(errors.times) - 1
    for f, (axes, field) in enumerate(zip(grid[0], errors.fields, strict=True)):
        top = 0.0
        for colour, k in enumerate(sorted({0, last // 2, last})):
            truth, predicted = errors.true_spectra[k, f, 1:], errors.spectra[k, f, 1:]
            shells = np.arange(1, len(truth) + 1)
            axes.loglog(shells, _positive(truth), color=f"C{colour}", label=f"t = {errors.times[k]:.3g}")
            axes.loglog(shells, _positive(predicted), color=f"C{colour}", linestyle="--")
            top = max(top, float(truth.max()))
        if top > 0.0:
            axes.set_ylim(bottom=1e-14 * top)
        axes.set(xlabel="wave number", ylabel="energy", title=f"{field} (dashed: predicted)")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.suptitle(title, fontsize=10)
    return save(figure, path)


def animate(
    errors: TrajectoryErrors, path: Path, sample: int = 0, field: int = 0, points: Sequence[np.ndarray] | None = None
) -> Path:
    """Write a GIF of truth, prediction and error of one sample and field over time; `points` are the coordinates."""
    from matplotlib.animation import FuncAnimation, PillowWriter

    truth, predicted = errors.truth[sample, :, field], errors.prediction[sample, :, field]
    if truth.ndim == 4:
        truth, predicted = (
            truth[:, truth.shape[1] // 2],
            predicted[:, predicted.shape[1] // 2],
        )  # the middle slice of a box
    shown = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), FRAMES)).astype(int))
    low, high = float(truth.min()), float(truth.max())
    bound = float(np.abs(predicted - truth).max()) or 1.0
    line = truth.ndim == 2
    figure, panels = subplots(1, 2 if line else 3, figsize=(8.0 if line else 9.6, 3.2), layout="constrained")
    drawn: list[Any] = []
    if line:
        x = (np.arange(truth.shape[1]) + 0.5) / truth.shape[1] if points is None else points[0]
        margin = 0.05 * (high - low or 1.0)
        drawn += panels[0].plot(x, truth[0], label="truth")
        drawn += panels[0].plot(x, predicted[0], "--", label="prediction")
        drawn += panels[1].plot(x, predicted[0] - truth[0], color="C3")
        panels[0].set_ylim(low - margin, high + margin)
        panels[1].set_ylim(-1.05 * bound, 1.05 * bound)
        panels[0].legend(fontsize=8, loc="upper right")
        for axes in panels:
            axes.set_xlabel("x")
    else:
        limits = [(low, high, "viridis"), (low, high, "viridis"), (-bound, bound, "coolwarm")]
        for axes, (bottom, top, colours) in zip(panels, limits, strict=True):
            image = axes.imshow(truth[0].T, origin="lower", extent=(0, 1, 0, 1), cmap=colours, vmin=bottom, vmax=top)
            figure.colorbar(image, ax=axes, shrink=0.8).ax.tick_params(labelsize=6)
            axes.set(xticks=[], yticks=[])
            drawn.append(image)
    names = ("truth and prediction", "error") if line else ("truth", "prediction", "error")
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(name, fontsize=9)

    def update(k: int) -> list[Any]:
        for artist, values in zip(drawn, (truth[k], predicted[k], predicted[k] - truth[k]), strict=True):
            if line:
                artist.set_ydata(values)
            else:
                artist.set_data(values.T)
        figure.suptitle(f"{errors.fields[field]}, t = {errors.times[k]:.3g}", fontsize=10)
        return drawn

    update(int(shown[0]))
    figure.draw_without_rendering()  # the layout of the first frame is that of all
    figure.set_layout_engine("none")
    FuncAnimation(figure, update, frames=list(shown)).save(path, writer=PillowWriter(fps=8), dpi=DPI * 0.8)
    return path


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0.0, values, np.nan)
