"""``resolvent solve``: one linear system, by the solver named, by the one that its matrix asks for, or by all."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from omegaconf import DictConfig
from threadpoolctl import threadpool_limits

from resolvent.data.format.atomic_files import write_atomically
from resolvent.solvers import (
    Diffusion,
    InputError,
    MatrixProperties,
    SolveResult,
    SolverSpec,
    matrix_properties,
)
from resolvent.solvers.choice import Choice, choose, sensible_solvers
from resolvent.solvers.choice.attempts import best_of, solve_in_turn
from resolvent.solvers.choice.automatic import columns_of, entries
from resolvent.solvers.choice.reformulation import warning_of_scales
from resolvent.solvers.magnitudes import norm_of
from resolvent.solvers.registry import METHODS

from ..compose import compose_verb
from ..console import duration, say, table
from ..figures.fields import plot_convergence
from ..run_folder import RunFolder, write_whole
from ..systems import NamedSystem, solve_system, solver_of, systems_of

LEDGER = ("status", "iterations", "matvecs", "applies", "set-up", "solve", "true ‖r‖/‖b‖")


def run(overrides: Sequence[str]) -> int:
    """Solve what the overrides name; return 0 when the (best) solve converged, else 2."""
    config = compose_verb("solve", overrides)
    folder = RunFolder("solve", config)
    name = str(config.solver.name)
    chosen = name in ("all", "auto")
    if chosen and str(config.preconditioner.name) != "none":
        raise InputError(f"solver={name} chooses the preconditioners itself: leave preconditioner= out")
    specs = [] if chosen else [solver_of(config)]
    named = systems_of(config, first=int(config.index))[0]
    operator = named.system.operator
    properties = matrix_properties(entries(operator))
    _print_matrix(named, properties)
    tolerances = {k: config[k] for k in ("rtol", "atol", "maxiter") if config[k] is not None}
    if name == "all":
        columns = columns_of(named.system.rhs)
        specs = sensible_solvers(properties, _on_unit_square(named), tolerances, columns)
    symmetric = next((spec.name for spec in specs if METHODS[spec.name].hermitian), None)
    if symmetric and not properties.self_adjoint:
        raise InputError(
            f"solver={symmetric} needs a symmetric (Hermitian) matrix and {named.name} is {properties.symmetry}:"
            " use solver=gmres"
        )
    with threadpool_limits(int(config.threads)):
        if name == "auto":
            choices = choose(named.system, properties, tolerances)
            results = _solve_automatically(named, choices, config.seconds)
        else:
            results = _solve_each(named, specs)
    best_spec, best = results[0]
    if name == "all":
        best_spec, best = min(results, key=lambda pair: (not pair[1].converged, _seconds(pair[1])))
    _print_ledger(results)
    _write(folder, config, named, properties, results, best_spec, best)
    say(f"fastest: {best_spec.label}" if name == "all" else f"{best_spec.label}: {best.message}")
    say(f"wrote {folder.path}/ (solution.npy, result.json, convergence.png)")
    if not best.converged:
        raise InputError(f"{best_spec.label} did not converge ({best.status.value}): {best.message}")
    return 0


def _print_matrix(named: NamedSystem, properties: MatrixProperties) -> None:
    p = properties
    kind = "complex " if p.complex else ""
    symmetry = (
        p.symmetry
        if p.asymmetry <= 1e-12 or p.symmetry == "complex symmetric"
        else f"nonsymmetric, |a_ij - a_ji| up to {p.asymmetry:.2g} of the largest entries of its rows"
    )
    say(f"{named.name}: {kind}{p.n} x {p.n}, {p.nnz} entries ({p.nnz / p.n:.1f} a row), {symmetry}")
    say(f"definiteness: {p.definiteness} ({p.evidence})")


def _solve_each(named: NamedSystem, specs: Sequence[SolverSpec]) -> list[tuple[SolverSpec, SolveResult]]:
    results = []
    for spec in specs:
        try:
            result = solve_system(named, spec)
        except InputError as error:
            if len(specs) == 1:
                raise
            say(f"{spec.label}: left out, {error}")
            continue
        except Exception as error:  # a table of methods is not lost to a defect of one of them
            if len(specs) == 1:
                raise
            say(f"{spec.label}: left out, an internal error ({type(error).__name__}: {str(error).splitlines()[:1]})")
            continue
        result.message += warning_of_scales(named.system, result)
        results.append((spec, result))
    if not results:
        raise InputError("no solver suits this matrix: see the lines above")
    return results


def _solve_automatically(
    named: NamedSystem, choices: Sequence[Choice], seconds: float | None
) -> list[tuple[SolverSpec, SolveResult]]:
    """Solve by the first choice; by the next one where a set-up fails or a solve does not converge."""
    results: list[tuple[Choice, SolveResult]] = []

    def begin(choice: Choice) -> None:
        say(f"auto: {choice.spec.label}, for the matrix is {choice.reason}")

    for choice, outcome in solve_in_turn(named.system, choices, begin=begin, seconds=seconds):
        if isinstance(outcome, InputError):
            say(f"auto: {choice.spec.label} left out, {outcome}")
            continue
        results.append((choice, outcome))
        if not outcome.converged:
            say(f"auto: {choice.spec.label} did not converge ({outcome.status.value})")
    best = best_of(results)
    return [(choice.spec, outcome) for choice, outcome in sorted(results, key=lambda pair: pair is not best)]


def _on_unit_square(named: NamedSystem) -> bool:
    """Return whether the operator is diffusion on the unit square, which fast Poisson inverts approximately."""
    operator = named.system.operator
    return isinstance(operator, Diffusion) and operator.matrix_free


def _print_ledger(results: Sequence[tuple[SolverSpec, SolveResult]]) -> None:
    rows = []
    for spec, r in results:
        rows.append(
            (
                spec.label,
                r.status.value,
                r.iterations,
                r.matvecs,
                r.applies,
                duration(r.setup_seconds),
                duration(r.solve_seconds),
                f"{r.relative_residual:.2e}",
            )
        )
    table(("solver", *LEDGER), rows)


def _seconds(result: SolveResult) -> float:
    return result.setup_seconds + result.solve_seconds


def _write(
    folder: RunFolder,
    config: DictConfig,
    named: NamedSystem,
    properties: MatrixProperties,
    results: Sequence[tuple[SolverSpec, SolveResult]],
    best_spec: SolverSpec,
    best: SolveResult,
) -> None:
    shape = named.system.shape
    x = best.x.reshape(shape) if best.x.ndim == 1 else best.x
    solution = io.BytesIO()
    np.save(solution, x)
    write_atomically(solution.getbuffer(), folder.file("solution.npy"), flush=False)
    norm = max(norm_of(np, side) for side in np.atleast_2d(named.system.rhs.T))
    histories = {spec.label: r.residuals for spec, r in results if not r.columns}
    if histories:
        target = max(float(config.rtol) * norm, float(config.atol))
        plot_convergence(histories, norm, target, folder.file("convergence.png"))
    for spec, r in results:
        folder.log(solver=spec.name, preconditioner=spec.preconditioner or "none", **r.to_dict())
    if len(results) > 1:
        header = (
            "solver,preconditioner,status,iterations,matvecs,applies,setup_seconds,solve_seconds,relative_residual\n"
        )
        lines = [
            f"{c.name},{c.preconditioner or 'none'},{r.status.value},{r.iterations},{r.matvecs},{r.applies},"
            f"{r.setup_seconds:.6g},{r.solve_seconds:.6g},{r.relative_residual:.6g}\n"
            for c, r in results
        ]
        write_whole(folder.file("solvers.csv"), header + "".join(lines))
    matrix = {name: getattr(properties, name) for name in ("n", "nnz", "symmetry", "definiteness")}
    folder.finish(
        system=named.name,
        matrix=matrix,
        solver=best_spec.name,
        preconditioner=best_spec.preconditioner or "none",
        **best.to_dict(),
    )
