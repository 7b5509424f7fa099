"""Measure the error of maps on the test functions of a spectral problem."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from resolvent.solvers import InputError
from resolvent.solvers.arguments import positive_integer

from ..normalization import NormalizedOperator
from ..operator import Operator
from .metrics import max_error, relative_l2

if TYPE_CHECKING:
    from resolvent.data import SpectralProblem

_CHUNK = 64  # reference solutions computed at a time


@dataclass(frozen=True)
class TestFunctions:
    """Hold inputs of a problem with their classical solutions at the centres of cells.

    Attributes
    ----------
    problem : SpectralProblem
    drawn : ndarray
        As `SpectralProblem.draw` returns them.
    coefficients : ndarray, shape (count, *modes)
        The inputs in the problem's basis.
    inputs, targets : ndarray, shape (count, 1, *cells)
        Values of inputs and solutions; solutions with a free constant have mean zero.
    """

    __test__ = False  # a name that pytest would collect

    problem: SpectralProblem
    drawn: np.ndarray
    coefficients: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray

    @classmethod
    def draw(cls, problem: SpectralProblem, count: int, cells: tuple[int, ...], seed: int = 0) -> TestFunctions:
        """Draw `count` inputs and solve; the seed of the test set is 0.

        Raises
        ------
        InputError
            If the grid has another dimension than the problem, or a number is below one.
        """
        basis = problem.basis
        if len(cells) != basis.ndim:
            raise InputError(f"resolution={list(cells)} for functions of {basis.ndim} variables; expected one for each")
        shape = tuple(positive_integer(n, "resolution") for n in cells)
        drawn = problem.test_functions(positive_integer(count, "test_functions"), seed)
        coefficients = problem.as_inputs(drawn)
        centres = basis.cell_centres(shape)
        parts = [problem.reference(drawn[k : k + _CHUNK], *centres) for k in range(0, count, _CHUNK)]
        inputs = np.asarray(basis.to_cells(coefficients, shape))[:, None]
        return cls(problem, drawn, coefficients, inputs, gauged(problem, np.concatenate(parts)[:, None]))

    @property
    def cells(self) -> tuple[int, ...]:
        """Return the shape of the grid."""
        return tuple(self.inputs.shape[2:])

    def __len__(self) -> int:
        return len(self.drawn)


@dataclass(frozen=True)
class DrawnErrors:
    """Hold what `drawn_errors` measures.

    Attributes
    ----------
    per_sample_l2 : ndarray, shape (count,)
        Relative L² errors.
    max_error : float
        The largest error at a cell.
    ms_per_sample : float
        Median over batches; the first batch is run once before.
    predictions : ndarray, shape (keep, 1, *cells)
    """

    per_sample_l2: np.ndarray
    max_error: float
    ms_per_sample: float
    predictions: np.ndarray

    @property
    def relative_l2(self) -> float:
        """Return the mean error."""
        return float(self.per_sample_l2.mean())


def drawn_errors(
    run: Callable[[slice], np.ndarray], tests: TestFunctions, batch_size: int = 16, keep: int = 0
) -> DrawnErrors:
    """Measure a map on test functions, `batch_size` at a time.

    Parameters
    ----------
    run : callable
        Maps a range of test functions to the values of their solutions at the cells, (count, 1, *cells).
    keep : int, default 0
        How many predictions to return.
    """
    size = positive_integer(batch_size, "batch_size")
    errors, largest, seconds, predictions = [], [], [], []
    for start in range(0, len(tests), size):
        part = slice(start, min(start + size, len(tests)))
        if start == 0:
            run(part)
        begin = time.perf_counter()
        values = run(part)
        seconds.append((time.perf_counter() - begin) / (part.stop - start))
        values = gauged(tests.problem, np.asarray(values, dtype=np.float64))
        errors.append(relative_l2(values, tests.targets[part])[:, 0])
        largest.append(float(max_error(values, tests.targets[part]).max()))
        predictions.append(values[: max(keep - start, 0)])
    milliseconds = 1e3 * float(np.median(seconds))
    return DrawnErrors(np.concatenate(errors), max(largest), milliseconds, np.concatenate(predictions))


def gauged(problem: SpectralProblem, values: np.ndarray) -> np.ndarray:
    """Return values on cells (count, channel, *cells), without their mean if the problem leaves it free."""
    if not problem.gauge_free:
        return values
    return np.asarray(values - values.mean(axis=tuple(range(2, values.ndim)), keepdims=True))


def solution_coefficients(model: Operator, coefficients: np.ndarray) -> np.ndarray:
    """Apply a network of coefficients to inputs (count, *modes), in its own precision; float64 on the CPU.

    Raises
    ------
    InputError
        If the model maps values on grids.
    """
    network = model.operator if isinstance(model, NormalizedOperator) else model
    if getattr(network, "arrays", "cells") != "coefficients":
        raise InputError(
            f"the {network.name} model maps values on grids, not coefficients: evaluate it on a dataset, data=FOLDER"
        )
    weight = next(model.parameters())
    with torch.inference_mode():
        outputs = model(torch.as_tensor(coefficients[:, None], dtype=weight.dtype, device=weight.device))
    return np.asarray(outputs[:, 0].double().cpu().numpy())
