"""The network for a spectral problem: its basis, constraints and gauge are the problem's."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from resolvent.data import SpectralProblem
from resolvent.solvers import DIRICHLET, NEUMANN, Condition, InputError
from resolvent.solvers.arguments import one_of

from .operator import Operator
from .registry import OPERATORS, build_operator

__all__ = ["problem_network"]


def problem_network(name: str, problem: SpectralProblem, arguments: Mapping[str, Any], seed: int) -> Operator:
    """Build an operator between the coefficients of a problem's inputs and solutions.

    ``bases``, ``modes``, ``constraints``, ``gauge`` and ``arrays`` are inferred: those that hold the problem's
    functions, satisfy its conditions and take the mean off where solutions have a free constant.

    Parameters
    ----------
    name : str
        A key of ``OPERATORS`` whose arguments contain ``arrays``.
    problem : SpectralProblem
    arguments : mapping
        Of the constructor; None stands for one that is not given.
    seed : int
        Of the initial weights.

    Raises
    ------
    InputError
        For an operator of grid values, and for arguments that contradict the problem.
    """
    accepted = inspect.signature(OPERATORS[one_of(name, OPERATORS, "operator")]).parameters
    if "arrays" not in accepted:
        able = [key for key, kind in OPERATORS.items() if "arrays" in inspect.signature(kind).parameters]
        raise InputError(
            f"operator={name} maps values on grids and draw={problem.name} trains in coefficients: choose "
            f"operator={' or '.join(able)}, or generate a dataset and give data=FOLDER"
        )
    given = {key: value for key, value in arguments.items() if value is not None}
    ndim = problem.basis.ndim
    inferred = {
        "in_channels": 1,
        "out_channels": 1,
        "ndim": ndim,
        "bases": [axis.name for axis in problem.basis.axes],
        "modes": list(problem.basis.shape),
        "constraints": [_constraint(conditions) for conditions in problem.conditions],
        "gauge": "mean" if problem.gauge_free else "none",
        "arrays": "coefficients",
    }
    for key, value in inferred.items():
        if key not in given or (key == "gauge" and problem.gauge_free and given[key] == "origin"):
            continue
        spread = [given[key]] * ndim if isinstance(value, list) and _one_for_all(key, given[key]) else given[key]
        if spread != value:
            raise InputError(
                f"operator.{key}={given[key]} contradicts draw={problem.name}, which wants {key}={value}: leave it out"
                + (", or set draw.modes" if key == "modes" else "")
            )
    wanted = {key: value for key, value in inferred.items() if key in accepted}
    return build_operator(name, seed=seed, **{**wanted, **given})


def _one_for_all(key: str, value: Any) -> bool:
    """Whether a value stands for every axis: a word, a number, or the two numbers of a Robin condition."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return True
    return key == "constraints" and not any(isinstance(v, str) for v in value)


def _constraint(conditions: tuple[Condition, ...]) -> Any:
    """Return the constraint of `NeuralSpectral` that stands for the conditions of one axis."""
    words = {(): "none", DIRICHLET: "dirichlet", NEUMANN: "neumann", (Condition("low"),): "initial"}
    return words[conditions] if conditions in words else [conditions[0].value, conditions[0].slope]
