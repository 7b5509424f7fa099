"""List the tasks of ``bench operators``: data, trainings and the settings of the classical solvers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...compose import compose_verb
from ..equal_error import Setting, coarse_flows, coarse_media


@dataclass(frozen=True)
class Task:
    """Describe a task: the data, the settings of the training, and those of each operator (overrides of the verbs).

    Attributes
    ----------
    title : str
    data : tuple of str
        Overrides of ``resolvent generate``.
    training : tuple of str
        Overrides of ``resolvent train``, for all operators. With ``history=h`` they learn the map from h stored times
        to the next, and the error is that of its rollout from the first h times over all later ones.
    operators : mapping of str to tuple of str
        Further overrides, by operator.
    budget : float, optional
        Processor seconds of training of each operator. None: what the first operator takes for the epochs of its own
        settings (an experiment's), which all the others then get.
    baseline_samples : int
        The most samples of a split that baselines are fitted to, evenly spaced; their cost grows with its square.
    classical : callable
        Returns the settings of the classical solver to try, from the settings of the problem.
    """

    title: str
    data: tuple[str, ...]
    training: tuple[str, ...]
    operators: Mapping[str, tuple[str, ...]]
    classical: Callable[[dict[str, Any]], Iterator[Setting]]
    budget: float | None = None
    baseline_samples: int = 1000

    @property
    def history(self) -> int | None:
        """Return the number of frames that the map sees; None if it does not step in time."""
        named = [each for each in self.training if each.startswith("history=")]
        return int(named[0].partition("=")[2]) if named else None


def experiment_data(name: str) -> tuple[str, ...]:
    """Return the data of ``experiment=NAME``, as overrides of ``resolvent generate``."""
    return tuple(map(str, compose_verb("train", [f"experiment={name}"]).generate))


_WINDOWS = ("history=1", "batch_size=20")
_PLANE = ("operator.modes=12", "operator.width=16")

TASKS: dict[str, Task] = {
    "darcy": Task(
        "Darcy flow, a ∈ {3, 12}, 64² cells: a ↦ u",
        ("problem=darcy", "problem.resolution=64", "samples=500", "splits=[400,40,60]", "seed=0"),
        ("batch_size=8",),
        {
            "fno": ("operator=fno", *_PLANE, "operator.projection=64", "lr=5e-3"),
            "ffno": ("operator=ffno", *_PLANE, "operator.layers=4", "operator.projection=64", "lr=4e-3"),
            "unet": ("operator=unet", "operator.width=16", "operator.levels=3", "lr=2e-3"),
        },
        lambda problem: coarse_media((8, 16, 32), (0.3, 0.1, 0.03, 0.01, 1e-3), problem["resolution"]),
        budget=150.0,
    ),
    "burgers": Task(
        "Burgers' equation, ν = 0.1, 256 points: u(0) ↦ u(1)",
        experiment_data("burgers_fno"),
        _WINDOWS,
        {
            "fno": ("experiment=burgers_fno", "evaluate=[]"),
            "ffno": (
                "operator=ffno",
                "operator.modes=16",
                "operator.layers=4",
                "operator.padding=0",
                "lr=4e-3",
            ),
            "unet": (
                "operator=unet",
                "operator.width=16",
                "operator.levels=5",  # to 8 points, where three see the whole period
                "operator.boundary=circular",
                "lr=3e-3",
            ),
        },
        lambda problem: coarse_flows("burgers", problem, (8, 12, 16, 24, 32, 64), (2, 4, 8, 16)),
    ),
    "navier_stokes_50": Task(
        "Navier–Stokes, ν = 1e-3, 64² points: ω at t − 9, …, t ↦ ω(t + 1), rolled out from t = 0 … 9 to 50"
        " (`experiment=navier_stokes_fno`)",
        experiment_data("navier_stokes_fno"),
        ("history=10",),
        {"fno": ("experiment=navier_stokes_fno", "evaluate=[]")},
        lambda problem: coarse_flows("navier_stokes", problem, (8, 12, 16, 24, 32), (2, 4, 8), history=10),
        baseline_samples=300,
    ),
    "navier_stokes": Task(
        "Navier–Stokes, ν = 1e-3, 64² points: ω(t) ↦ ω(t + 1), rolled out from t = 0 to 10",
        (
            "problem=navier_stokes",
            "problem.resolution=64",
            "problem.final_time=10",
            "problem.snapshots=10",
            "samples=90",
            "splits=[60,10,20]",
            "seed=0",
        ),
        ("history=1", "increment=true", "input_noise=0.003", "batch_size=10"),
        {
            "fno": (
                "operator=fno",
                *_PLANE,
                "operator.projection=64",
                "operator.padding=0",
                "lr=5e-3",
            ),
            "ffno": (
                "operator=ffno",
                *_PLANE,
                "operator.layers=4",
                "operator.projection=64",
                "operator.padding=0",
                "lr=4e-3",
            ),
            "unet": (
                "operator=unet",
                "operator.width=16",
                "operator.levels=3",
                "operator.boundary=circular",
                "lr=2e-3",
            ),
        },
        lambda problem: coarse_flows("navier_stokes", problem, (8, 12, 16, 24, 32, 48), (2, 4, 8, 16)),
        budget=150.0,
    ),
}
