"""Build the network for a spectral problem, with the problem's basis, constraints and gauge."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from resolvent.data import SpectralProblem
from resolvent.solvers import DIRICHLET, NEUMANN, Condition, InputError
from resolvent.solvers.arguments import one_of

from .operator import Operator
from .registry import OPERATORS, build_operator


def problem_network(name: str, problem: SpectralProblem, arguments: Mapping[str, Any], seed: int) -> Operator:
    """Build an operator between the coefficients of a problem's inputs and solutions.

    ``bases``, ``modes``, ``constraints``, ``gauge`` and ``arrays`` follow from the problem: they represent its
    functions, satisfy its conditions and subtract the mean where solutions have a free constant.

    Parameters
    ----------
    name : str
        A key of ``OPERATORS`` whose arguments contain ``arrays``.
    problem : SpectralProblem
    arguments : mapping
        Arguments of the constructor; None means not given.
    seed : int
        Seed of the initial weights.

    Raises
    ------
    InputError
        If the operator maps values on grids only, or arguments contradict the problem.
    """
    accepted = inspect.signature(OPERATORS[one_of(name, OPERATORS, "operator")]).parameters
    if "arrays" not in accepted:
        able = [key for key, kind in OPERATORS.items() if "arrays" in inspect.signature(kind).parameters]
        raise InputError(
            f"operator={name} maps values on grids and draw={problem.name} trains in coefficients: choose "
            f"operator={' or '.join(able)}, or generate a dataset and give data=FOLDER"
        )
    requested = {key: value for key, value in arguments.items() if value is not None}
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
        if key not in requested or (key == "gauge" and problem.gauge_free and requested[key] == "origin"):
            continue
        asked = requested[key]
        spread = [asked] * ndim if isinstance(value, list) and _one_for_all(key, asked) else asked
        if spread != value:
            raise InputError(
                f"operator.{key}={asked} contradicts draw={problem.name}, which wants {key}={value}: leave it out"
                + (", or set draw.modes" if key == "modes" else "")
            )
    usable = {key: value for key, value in inferred.items() if key in accepted}
    return build_operator(name, seed=seed, **{**usable, **requested})


def _one_for_all(key: str, value: Any) -> bool:
    """Return whether a value stands for every axis: a word, a number, or the two numbers of a Robin condition."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return True
    return key == "constraints" and not any(isinstance(v, str) for v in value)


def _constraint(conditions: tuple[Condition, ...]) -> Any:
    """Return the constraint of `NeuralSpectral` that means the conditions of one axis."""
    words = {(): "none", DIRICHLET: "dirichlet", NEUMANN: "neumann", (Condition("low"),): "initial"}
    return words[conditions] if conditions in words else [conditions[0].value, conditions[0].slope]
