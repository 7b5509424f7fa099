"""Evaluate a model trained with draw=NAME: test functions, error estimates, classical solvers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from omegaconf import DictConfig, ListConfig

from resolvent.data import ClassicalSolver, SpectralProblem, make_spectral_problem
from resolvent.operators import load_operator
from resolvent.operators.beside_baselines import BASELINES
from resolvent.operators.evaluation.draws import DrawnErrors, TestFunctions, drawn_errors, solution_coefficients
from resolvent.solvers import InputError

from ..console import say, show, table
from ..figures.fields import plot_estimates, plot_predictions
from ..run_folder import RunFolder, write_whole
from .drawn_baselines import baseline_errors

COLUMNS = ("model", "relative L2", "estimate", "max error", "ms/sample")

#: Cells per axis that outputs are evaluated on, by dimension.
RESOLUTIONS = {1: 256, 2: 64, 3: 32}


def evaluate_on_draws(config: DictConfig, description: Mapping[str, Any]) -> int:
    """Evaluate a model on the test functions of the problem that it was trained on; return 0.

    Parameters
    ----------
    config : the config of ``resolvent evaluate``.
    description : what the model's ``model.json`` holds.
    """
    drawn = description["fields"]["drawn"]
    problem = make_spectral_problem(str(drawn["problem"]), **drawn["settings"])
    model = load_operator(str(config.model))
    folder = RunFolder("evaluate", config)
    batch, name = int(config.batch_size), str(description["operator"])
    tests = TestFunctions.draw(problem, int(config.test_functions), _cells(config.resolution, problem))
    shown = min(int(config.samples), len(tests))

    def network(part: slice) -> np.ndarray:
        outputs = solution_coefficients(model, tests.coefficients[part])
        return np.asarray(problem.basis.to_cells(outputs, tests.cells))[:, None]

    errors = drawn_errors(network, tests, batch, keep=shown)
    estimates = np.concatenate(
        [
            problem.error_estimate(c, solution_coefficients(model, c))
            for c in np.split(tests.coefficients, range(batch, len(tests), batch))
        ]
    )
    rows = [_row(name, errors, float(estimates.mean()))]
    if config.baselines:
        count = _baseline_samples(config)
        say(f"baselines are fitted on {count} drawn inputs with classical solutions (baseline_samples)")
        baselines = baseline_errors(problem, tests, BASELINES, count, batch)
        rows += [_row(title, measured) for title, measured in baselines.items()]
    classical = [
        _row(f"spectral solver, {solver.name}", drawn_errors(partial(_solved, solver, tests), tests, batch))
        for solver in problem.classical()
    ]
    rows += classical
    shape = " x ".join(map(str, tests.cells))
    table(
        COLUMNS,
        [[row[c] for c in COLUMNS] for row in rows],
        title=f"{len(tests)} test functions of {problem.name} on {shape} cells; relative errors are means over them"
        + (", solutions of mean zero" if problem.gauge_free else ""),
    )
    ratios = estimates / errors.per_sample_l2
    low, middle, high = (float(q) for q in np.quantile(ratios, (0.05, 0.5, 0.95)))
    say(f"estimate / error: median {middle:.3f}, 5 to 95 %: {low:.3f} to {high:.3f}; no solution is used for it")
    say(_at_equal_error(rows[0], classical))
    write_whole(folder.file("evaluation.json"), json.dumps(rows, indent=2) + "\n")
    plot_estimates(errors.per_sample_l2, estimates, folder.file("estimates.png"), f"{name} on {problem.name}")
    if shown:
        title = f"{name} on {problem.name} {shape}: mean relative L2 {show(100 * errors.relative_l2)} %"
        figure = folder.file(f"predictions_{problem.name}.png")
        plot_predictions(
            tests.inputs[:shown],
            tests.targets[:shown],
            errors.predictions,
            errors.per_sample_l2.tolist(),
            figure,
            title,
        )
    keyed = {
        str(row["model"]): {key.replace(" ", "_").lower(): row[key] for key in COLUMNS[1:] if row[key] is not None}
        for row in rows
    }
    ratio = {"median": middle, "low": low, "high": high}
    folder.finish(
        relative_l2=errors.relative_l2, estimate=float(estimates.mean()), estimate_over_error=ratio, rows=keyed
    )
    say(f"wrote {folder.path}/ (evaluation.json, result.json, estimates.png{', predictions_*.png' if shown else ''})")
    return 0


def _solved(solver: ClassicalSolver, tests: TestFunctions, part: slice) -> np.ndarray:
    return solver.solve(tests.drawn[part], tests.cells)[:, None]


def _row(name: str, errors: DrawnErrors, estimate: float | None = None) -> dict[str, Any]:
    values = (name, errors.relative_l2, estimate, errors.max_error, errors.ms_per_sample)
    return dict(zip(COLUMNS, values, strict=True))


def _cells(resolution: Any, problem: SpectralProblem) -> tuple[int, ...]:
    ndim = problem.basis.ndim
    if resolution is None:
        resolution = RESOLUTIONS[ndim]
    listed = isinstance(resolution, ListConfig | Sequence) and not isinstance(resolution, str)
    cells = list(resolution) if listed else [resolution] * ndim
    if len(cells) != ndim:
        raise InputError(
            f"resolution={cells} for functions of {ndim} variables: expected one number, or {ndim} of them"
        )
    return tuple(cells)


def _baseline_samples(config: DictConfig) -> int:
    count = 512 if config.baseline_samples is None else int(config.baseline_samples)
    if count < 2:
        raise InputError(f"baseline_samples={count}: expected at least 2")
    return count


def _at_equal_error(model: Mapping[str, Any], classical: Sequence[Mapping[str, Any]]) -> str:
    """Compare the model in a line with the coarsest classical solver that has at most its error."""
    best = next((row for row in classical if row["relative L2"] <= model["relative L2"]), None)
    if best is None:
        return "no classical solver of the table reaches the model's error"
    ratio = model["ms/sample"] / best["ms/sample"]
    word = f"{ratio:.3g} x faster" if ratio >= 1.0 else f"{1.0 / ratio:.3g} x slower"
    return f"at the model's error: {best['model']}, {show(best['ms/sample'])} ms/sample, {word} than the model"
