"""Build the families of systems of the SKR table: the published four, and correct ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import scipy.sparse as sp

from resolvent.data import EvolutionProblem, Problem, make_problem, sample_generator

SEED = 0
_ILUT = (1e-2, 10.0)  # what the problem itself takes in three dimensions


@dataclass(frozen=True)
class Systems:
    """Hold the systems of a family, and the features to sort them by (none if their order is fixed)."""

    pairs: list[tuple[sp.csr_array, np.ndarray]]
    features: np.ndarray | None


@dataclass(frozen=True)
class Family:
    """Describe a family by name; `build` draws and assembles it.

    Nonsymmetric methods are preconditioned by ILU(0) of each system, or, with `ilut` (drop tolerance, fill), by ILUT of
    the first system for all, since its set-up takes seconds. With ``factored=False`` the direct solver is left out: its
    factors would take more memory than there is, by extrapolation (see the notes).
    """

    name: str
    published: bool
    build: Callable[[], Systems]
    ilut: tuple[float, float] | None = None
    factored: bool = True


def matrix_of(operator: Any) -> sp.csr_array:
    """Return the operator in CSR form."""
    return sp.csr_array(operator.tocsr() if hasattr(operator, "tocsr") else operator)


def sampled(name: str, count: int, **settings: Any) -> Systems:
    """Draw `count` samples of a problem; features are their parameters, each array scaled to mean square one."""
    problem: Problem = make_problem(name, **settings)
    pairs, rows = [], []
    for index in range(count):
        parameters = problem.sample(sample_generator(SEED, problem.name, index))
        system = problem.system(parameters)
        pairs.append((matrix_of(system.operator), system.rhs))
        rows.append([np.ravel(np.asarray(value, dtype=float)) for value in parameters.values()])
    columns = [np.stack(values) for values in zip(*rows, strict=True)]
    scaled = [values / (np.sqrt(np.mean(values**2)) or 1.0) for values in columns]
    return Systems(pairs, np.concatenate(scaled, axis=1))


def frequency_sweep(count: int, step: float, **settings: Any) -> Systems:
    """Draw one Helmholtz medium and source; the wavenumber is that drawn times 1, 1 + step, 1 + 2 step, …"""
    problem = make_problem("helmholtz", **settings)
    drawn = problem.sample(sample_generator(SEED, problem.name, 0))
    factors = 1.0 + step * np.arange(count)
    systems = [problem.system({**drawn, "wavenumber": factor * drawn["wavenumber"]}) for factor in factors]
    return Systems([(matrix_of(s.operator), s.rhs) for s in systems], None)


def time_steps(count: int, **settings: Any) -> Systems:
    """Return the first `count` implicit steps of one heat trajectory, in their order in time."""
    problem = make_problem("heat", **settings)
    assert isinstance(problem, EvolutionProblem)
    steps = problem.systems(problem.sample(sample_generator(SEED, problem.name, 0)))
    return Systems([(matrix_of(s.operator), s.rhs) for s in islice(steps, count)], None)


def listed_families(published: int = 100, correct: int = 20, large: int = 4, cube: int = 32) -> Sequence[Family]:
    """Return the families: published ones with `published` samples, correct ones with `correct`, in 3-D `large`."""
    old, new = partial(_family, True), partial(_family, False)
    open_box: dict[str, Any] = {"resolution": cube, "dimension": 3, "k0": 10.0, "boundary": "absorbing"}
    return (
        old("darcy skr 48²", sampled, "darcy", published, resolution=50, legacy="skr"),
        old("darcy skr_aligned 48²", sampled, "darcy", published, resolution=50, legacy="skr_aligned"),
        old("helmholtz skr 48²", sampled, "helmholtz", published, resolution=50, legacy="skr"),
        old("helmholtz skr_aligned 48²", sampled, "helmholtz", published, resolution=50, legacy="skr_aligned"),
        old("thermal skr, p2", sampled, "thermal", published, resolution=20, legacy="skr"),
        old("poisson skr 50²", sampled, "poisson", published, resolution=50, legacy="skr"),
        new("poisson 50²", sampled, "poisson", correct, resolution=50),
        new("darcy lognormal 50²", sampled, "darcy", correct, resolution=50, medium="lognormal", log_std=1.0),
        new("darcy binary 50²", sampled, "darcy", correct, resolution=50),
        new("thermal, varying slot", sampled, "thermal", correct, resolution=40, geometry="varying"),
        new("convection_diffusion 50²", sampled, "convection_diffusion", correct, resolution=50),
        new("helmholtz 50², absorbing", sampled, "helmholtz", correct, resolution=50, k0=20.0),
        new("helmholtz 50², cavity", sampled, "helmholtz", correct, resolution=50, k0=20.0, boundary="dirichlet"),
        new("heat steps 50²", time_steps, correct, resolution=50, coefficient="oscillating", kappa=1.0),
        new(
            f"convection_diffusion {cube}³", sampled, "convection_diffusion", large, resolution=cube, dimension=3,
            scheme="upwind", peclet_low=50.0, peclet_high=500.0,
        ),
        new(
            f"helmholtz {cube}³, cavity", sampled, "helmholtz", large, resolution=cube, dimension=3, k0=10.0,
            boundary="dirichlet",
        ),
        new(
            f"helmholtz {cube}³, cavity, frequency sweep", frequency_sweep, large, 0.003, resolution=cube, dimension=3,
            k0=10.0, boundary="dirichlet",
        ),
        new(f"helmholtz {cube}³, absorbing, ILUT", sampled, "helmholtz", large + 2, ilut=_ILUT, **open_box),
        new(
            f"helmholtz {cube}³, absorbing, frequency sweep, ILUT", frequency_sweep, large + 2, 0.003, ilut=_ILUT,
            **open_box,
        ),
    )  # fmt: skip


def large_family(count: int = 4, cube: int = 64) -> Family:
    """Return a frequency sweep in the open box whose factors take more memory than there is."""
    settings: dict[str, Any] = {"resolution": cube, "dimension": 3, "k0": 10.0, "boundary": "absorbing"}
    name = f"helmholtz {cube}³, absorbing, frequency sweep, ILUT"
    return Family(name, False, partial(frequency_sweep, count, 0.003, **settings), _ILUT, factored=False)


def _family(
    published: bool,
    name: str,
    build: Callable[..., Systems],
    *arguments: Any,
    ilut: tuple[float, float] | None = None,
    **settings: Any,
) -> Family:
    return Family(name, published, partial(build, *arguments, **settings), ilut)
