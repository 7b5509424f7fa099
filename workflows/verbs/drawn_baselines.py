"""Fit baselines to random inputs with classical solutions, on cells, for models that map coefficients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from resolvent.data import SpectralProblem
from resolvent.operators.evaluation.draws import DrawnErrors, TestFunctions, drawn_errors

#: Seeds of the draws for fitting and for choosing settings; the test set has seed 0, validation 2³² and more.
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
        The problem whose reference solutions are fitted; its solver may be coarser than that of the tests.
    baselines : mapping
        Classes such as those of :mod:`resolvent.operators.baselines`, by title.
    count : int
        Number of inputs; count/8 more choose the settings.
    """
    training = TestFunctions.draw(problem, count, tests.cells, FIT_SEED)
    choosing = TestFunctions.draw(problem, max(count // 8, 2), tests.cells, CHOICE_SEED)
    arrays = (training.inputs, training.targets, choosing.inputs, choosing.targets)
    fitted = {title: kind().fit(*arrays) for title, kind in baselines.items()}
    return {title: drawn_errors(partial(_values, model, tests), tests, batch_size) for title, model in fitted.items()}


def _values(model: Any, tests: TestFunctions, part: slice) -> np.ndarray:
    return np.asarray(model(tests.inputs[part]))
