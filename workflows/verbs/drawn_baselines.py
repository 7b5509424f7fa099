"""Baselines of what is learned in coefficients: fitted on drawn inputs with classical solutions, on cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from resolvent.data import SpectralProblem
from resolvent.operators.evaluation.draws import DrawnErrors, TestFunctions, drawn_errors

__all__ = ["baseline_errors"]

#: Seeds of the draws that baselines are fitted and chosen on; the test set has 0, validation 2³² and more.
FIT_SEED, CHOICE_SEED = 2**33, 2**33 + 1


def baseline_errors(
    problem: SpectralProblem,
    tests: TestFunctions,
    baselines: Mapping[str, Callable[[], Any]],
    count: int,
    batch_size: int = 16,
) -> dict[str, DrawnErrors]:
    """Fit each baseline on `count` drawn inputs and measure it on the test functions.

    Parameters
    ----------
    problem : SpectralProblem
        Whose reference solutions are fitted; it may be a coarser solver of the same problem than that of the tests.
    baselines : mapping
        By title, the classes of :mod:`resolvent.operators.baselines`.
    count : int
        An eighth as many more choose the settings.
    """
    training = TestFunctions.draw(problem, count, tests.cells, FIT_SEED)
    choosing = TestFunctions.draw(problem, max(count // 8, 2), tests.cells, CHOICE_SEED)
    arrays = (training.inputs, training.targets, choosing.inputs, choosing.targets)
    fitted = {title: kind().fit(*arrays) for title, kind in baselines.items()}
    return {title: drawn_errors(partial(_values, model, tests), tests, batch_size) for title, model in fitted.items()}


def _values(model: Any, tests: TestFunctions, part: slice) -> np.ndarray:
    return np.asarray(model(tests.inputs[part]))
