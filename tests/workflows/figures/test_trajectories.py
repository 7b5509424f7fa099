"""Test what figures show: one scale for truth and prediction, the points of the data, the last time of a trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resolvent.workflows.figures import fields as figures
from resolvent.workflows.verbs.trajectories import shown_frames


def test_truth_and_prediction_to_one_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(figures, "save", lambda figure, path: drawn.append(figure) or path)
    points = np.linspace(0.0, 64.0, 16, endpoint=False)
    truth = np.sin(2.0 * np.pi * points / 64.0)[None, None]
    figures.plot_predictions(truth, truth, 0.01 * truth, [0.99], tmp_path / "f.png", points=[points])
    _, solution, prediction, error = drawn[0].axes[:4]
    assert solution.get_ylim() == prediction.get_ylim()
    for axes in (solution, prediction, error):
        assert axes.get_lines()[0].get_xdata() == pytest.approx(points)
        assert axes.get_xlabel() == "x"


class Trajectories:
    """Hold u(t, x) = (1 + t) a(x) at t = 0, 1, 2."""

    splits, times, axes = {"test": 4}, np.arange(3.0), (np.arange(5.0),)
    input_fields, output_fields = ["initial"], ["u"]

    def arrays(self, split: str, start: int | None = None, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        a = np.random.default_rng(0).standard_normal((4, 1, 5))[start:stop]
        return a, a * (1.0 + self.times)[:, None]


def test_the_last_time_is_shown() -> None:
    """Not the first, which is the input itself."""
    data = Trajectories()
    half = lambda a: 0.5 * a * (1.0 + data.times)[:, None]  # noqa: E731
    seen, truth, made, errors, names = shown_frames(half, data, "test", 2)
    assert truth == pytest.approx(3.0 * seen)
    assert made == pytest.approx(0.5 * truth)
    assert errors == pytest.approx([0.5, 0.5])
    assert names == ("initial", "u, t = 2")
