"""From configs to solves: the systems that a config names, and its solver."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from resolvent.solvers import InputError, LinearSystem, SolveResult, SolverSpec
from resolvent.solvers.registry import METHODS

from .matrix_files import read_matrix, read_rhs


@dataclass
class NamedSystem:
    """Hold a linear system and its name."""

    name: str
    system: LinearSystem


def settings_of(config: Any) -> tuple[str, dict[str, Any]]:
    """Split a group's config into its name and its settings."""
    settings = OmegaConf.to_container(config, resolve=True)
    assert isinstance(settings, dict)
    return str(settings.pop("name")), {str(k): v for k, v in settings.items()}


def solver_of(config: DictConfig) -> SolverSpec:
    """Return the solver and preconditioner that a verb's config names, with its tolerances.

    Raises
    ------
    InputError
        For settings that the solver does not have, and for a preconditioner where it takes none.
    """
    solver, settings = settings_of(config.solver)
    if solver in ("all", "auto"):
        raise InputError(f"solver={solver} is for `resolvent solve`, one system at a time: name a solver, such as cg")
    preconditioner, preconditioner_settings = (
        ("none", {}) if config.get("preconditioner") is None else settings_of(config.preconditioner)
    )
    if preconditioner != "none" and solver in METHODS and not METHODS[solver].accepts:
        raise InputError(
            f"solver={solver} takes no preconditioner: use preconditioner=none, or"
            f" solver=cg preconditioner={preconditioner}"
        )
    for name in ("rtol", "atol", "maxiter"):
        if config.get(name) is not None:
            settings[name] = config[name]
    return SolverSpec(solver, settings, None if preconditioner == "none" else preconditioner, preconditioner_settings)


def problem_of(config: DictConfig) -> Any:
    """Return the problem that a verb's config names."""
    from resolvent.data import make_problem

    name, settings = settings_of(config.problem)
    return make_problem(name, **settings)


def systems_of(config: DictConfig, count: int = 1, first: int = 0) -> list[NamedSystem]:
    """Return the system of a matrix file, or ``count`` sampled systems of a problem.

    For a time-dependent problem they are the systems of the first ``count`` steps of sample ``first``; fewer if its
    trajectory is shorter.

    Raises
    ------
    InputError
        Where neither ``matrix=`` nor ``problem=`` is given, and for whatever is wrong with them.
    """
    if config.matrix is not None:
        return [_file_system(str(config.matrix), config.rhs, int(config.seed))]
    if config.get("problem") is None:
        raise InputError("nothing to solve: give matrix=FILE or problem=NAME")
    if config.rhs is not None:
        raise InputError(
            f"rhs={config.rhs}: a sampled problem brings its own right-hand side; rhs= goes with matrix=FILE"
        )
    if first < 0 or int(config.seed) < 0:
        raise InputError(f"seed={config.seed}, index={first}: expected integers of at least 0")
    from resolvent.data import EvolutionProblem, sample_generator  # here, as a matrix from a file needs no problems

    problem = problem_of(config)
    if isinstance(problem, EvolutionProblem):
        parameters = problem.sample(sample_generator(int(config.seed), problem.name, first))
        steps = enumerate(islice(problem.systems(parameters), count))
        return [NamedSystem(f"{problem.name} sample {first}, step {k}", system) for k, system in steps]
    systems = []
    for index in range(first, first + count):
        parameters = problem.sample(sample_generator(int(config.seed), problem.name, index))
        systems.append(NamedSystem(f"{problem.name} sample {index}", problem.system(parameters)))
    return systems


def _file_system(path: str, rhs: Any, seed: int) -> NamedSystem:
    file = read_matrix(path)
    n = file.matrix.shape[0]
    if rhs is None:
        b = file.rhs if file.rhs is not None else np.ones(n)
    elif str(rhs) == "ones":
        b = np.ones(n)
    elif str(rhs) == "random":
        b = np.random.default_rng(seed).standard_normal(n)
    else:
        b = read_rhs(str(rhs), n)
    return NamedSystem(file.name, LinearSystem(file.matrix, b, (n,), near_nullspace=file.near_nullspace))


def solve_system(named: NamedSystem, spec: SolverSpec) -> SolveResult:
    """Set the preconditioner up and solve; a near-nullspace that is known goes to smoothed aggregation."""
    system = named.system
    return spec.solve(system.operator, system.rhs, nullspace=system.nullspace, near_nullspace=system.near_nullspace)
