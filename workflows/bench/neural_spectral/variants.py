"""List what ``resolvent bench neural_spectral`` trains: networks, losses, schedules and problems by name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from resolvent.data import SPECTRAL_PROBLEMS, SpectralProblem
from resolvent.operators import (
    ChannelStatistics,
    DrawnSamples,
    NormalizedOperator,
    Operator,
    SpectralLoss,
    TrainSettings,
    build_operator,
)

from .difference_losses import DifferenceLoss, SampledDifferenceLoss

BATCH = 16
#: Factor on the last layer of every network for Poisson's equation, as published; the FNO gets it as its statistics.
SCALE = 1e-3

PUBLISHED: dict[str, Any] = {
    "activation": "relu",
    "position": "coordinates",
    "oversampling": 1.0,
    "bias_every_mode": True,
    "linear_path": False,
    "gauge": "origin",
    "output_scale": SCALE,
}
EXPONENTIAL: dict[str, Any] = {"scheduler": "step", "step_epochs": 1, "lr": 1e-3}
ONECYCLE: dict[str, Any] = {"scheduler": "onecycle", "warmup": 0.1, "lr": 3e-3}


GRIDS = (64, 128, 256)
#: Steps of the networks under two losses, without and with the linear path.
SHORT = {False: 600, True: 240}


@dataclass(frozen=True)
class Variant:
    """Describe a network, its loss and its training on a problem.

    Attributes
    ----------
    network : dict
        Arguments of the operator.
    loss : str
        A norm of the residual's coefficients, or 'differences': second differences on `cells` an axis.
    steps, epoch_steps : int
        Steps of the optimiser in all and in an epoch; a resumed run repeats at most one epoch.
    training : dict
        Optimiser and schedule.
    problem, settings
        A key of `SPECTRAL_PROBLEMS`, and the arguments of its class.
    operator : str
    cells : int
        Cells per axis of the grid of the difference loss.
    evaluations : int
        How often the test error is measured during training.
    seeds : tuple of int
    """

    network: dict[str, Any]
    loss: str = "coefficient"
    steps: int = 3000
    training: dict[str, Any] = field(default_factory=lambda: dict(EXPONENTIAL))
    problem: str = "spectral_poisson"
    settings: dict[str, Any] = field(default_factory=dict)
    operator: str = "neural_spectral"
    cells: int = 0
    epoch_steps: int = 100
    evaluations: int = 12
    seeds: tuple[int, ...] = (0,)

    @property
    def on_cells(self) -> bool:
        """Return whether the operator maps values on a grid instead of coefficients."""
        return self.operator not in ("neural_spectral", "sno")

    def make_problem(self) -> SpectralProblem:
        return SPECTRAL_PROBLEMS[self.problem](**self.settings)


_PARITY = Variant(PUBLISHED)
_OURS = {"gauge": "mean", "activation": "gelu", "position": "none", "output_scale": SCALE}
_NETWORK_ALONE = {**_OURS, "linear_path": False}
_MENDED = Variant(_NETWORK_ALONE, "H-1", training=dict(ONECYCLE))
_DIRICHLET = {"bases": "chebyshev", "constraints": "dirichlet", "gauge": "none", "position": "coordinates"}


def _parity(loss: str = "coefficient", **network: Any) -> Variant:
    return replace(_PARITY, network={**PUBLISHED, **network}, loss=loss)


def _mended(loss: str = "H-1", training: dict[str, Any] | None = None, **network: Any) -> Variant:
    return replace(_MENDED, network={**_NETWORK_ALONE, **network}, loss=loss, training=dict(training or ONECYCLE))


def _lean(linear_path: bool) -> Variant:
    """Return a variant without GELU and de-aliasing, which gain nothing here, and more steps in the same time."""
    return replace(_mended(activation="relu", oversampling=1.0, linear_path=linear_path), steps=4500)


def _dirichlet(loss: str, cells: int = 0, **network: Any) -> Variant:
    settings = {"boundary": "dirichlet"}
    return Variant({**_OURS, **_DIRICHLET, **network}, loss, 1500, dict(ONECYCLE), settings=settings, cells=cells)


def _short(variant: Variant, linear_path: bool = False) -> Variant:
    """Return the variant on the schedule of the networks under two losses."""
    return replace(variant, steps=SHORT[linear_path], epoch_steps=SHORT[linear_path] // 12)


def _reaction_diffusion(nu: float) -> Variant:
    network = {
        "bases": ["chebyshev", "fourier"],
        "modes": [16, 33],
        "constraints": ["initial", "none"],
        "position": "coordinates",
    }
    problem = "spectral_reaction_diffusion"
    return Variant(network, "L2", 2000, dict(ONECYCLE), problem, {"nu": nu})


def _fno(cells: int, steps: int, epoch_steps: int, evaluations: int) -> Variant:
    """Return a Fourier neural operator on a grid, of the same modes, width and depth."""
    return Variant(
        {"modes": 9, "width": 32, "layers": 4, "position": False},
        "differences",
        steps,
        dict(ONECYCLE),
        operator="fno",
        cells=cells,
        epoch_steps=epoch_steps,
        evaluations=evaluations,
    )


PUBLISHED_LONG = "published, 6000 steps"
MENDED, OURS = "all mended, H-1", "ours: with the linear path, H-1"
LEAN_NETWORK, LEAN = "lean: ReLU, points as modes, H-1", "lean, with the linear path, H-1"
SNO = "SNO, H-1"
DIRICHLET = "Dirichlet: ours, H-1"
REACTION_DIFFUSION, SHARPER = "reaction-diffusion: ours, L2", "reaction-diffusion nu=0.005: ours, L2"
REACTION_DIFFUSIONS = (REACTION_DIFFUSION, SHARPER)


def two_losses(cells: int, linear_path: bool) -> str:
    """Return the name of our network trained with differences on `cells`² points (0: the loss of coefficients)."""
    loss = f"differences on {cells}²" if cells else "H-1"
    return f"{'ours' if linear_path else 'all mended'}, {loss}, {SHORT[linear_path]} steps"


def fno(cells: int) -> str:
    """Return the name of the FNO trained with differences on `cells`² points."""
    return f"FNO, differences on {cells}²"


MAIN: dict[str, Variant] = {
    PUBLISHED_LONG: replace(_PARITY, steps=6000),
    MENDED: replace(_MENDED, seeds=(0, 1)),
    OURS: replace(_mended(linear_path=True), seeds=(0, 1)),
    LEAN_NETWORK: replace(_lean(False), seeds=(0, 1)),
    LEAN: replace(_lean(True), seeds=(0, 1)),
    "linear path alone, H-1": _mended(linear_path=True, layers=0, width=1),
    SNO: Variant({**_NETWORK_ALONE}, "H-1", 3000, dict(ONECYCLE), operator="sno"),
}
ABLATION: dict[str, Variant] = {
    "published": _PARITY,
    "bias on the constant": _parity(bias_every_mode=False),
    "de-aliased": _parity(oversampling=1.5),
    "L2 weights": _parity("L2"),
    "H-1 norm": _parity("H-1"),
}
TAKEN_BACK: dict[str, Variant] = {
    f"all mended but the {what}": _short(back)
    for what, back in {
        "schedule": _mended(training=EXPONENTIAL),
        "norm": _mended("coefficient"),
        "GELU": _mended(activation="relu"),
        "coordinates": _mended(position="coordinates"),
        "aliases": _mended(oversampling=1.0),
        "bias": _mended(bias_every_mode=True),
    }.items()
}
# As many steps as the processor time of OURS pays for, about 130 s here; fixed numbers, as a run has to be repeatable.
EQUAL_TIME: dict[str, Variant] = {
    fno(64): _fno(64, 600, 20, 12),
    fno(128): _fno(128, 130, 5, 6),
    fno(256): _fno(256, 28, 2, 3),
}
TWO_LOSSES: dict[str, Variant] = {
    two_losses(cells, linear_path): _short(
        replace(_mended("differences" if cells else "H-1", linear_path=linear_path), cells=cells), linear_path
    )
    for linear_path in (False, True)
    for cells in (0, *GRIDS)
}
OTHER_PROBLEMS: dict[str, Variant] = {
    DIRICHLET: replace(_dirichlet("H-1"), seeds=(0, 1)),
    "Dirichlet: no linear path, H-1, 600 steps": _short(_dirichlet("H-1", linear_path=False)),
    "Dirichlet: no linear path, differences on 64², 600 steps": _short(
        _dirichlet("differences", 64, linear_path=False)
    ),
    REACTION_DIFFUSION: _reaction_diffusion(0.01),
    SHARPER: _reaction_diffusion(0.005),
}
VARIANTS: dict[str, Variant] = MAIN | ABLATION | TAKEN_BACK | EQUAL_TIME | TWO_LOSSES | OTHER_PROBLEMS


class CellSamples(DrawnSamples):
    """Give the same draws as values on a grid's cells, for an operator on that grid."""

    def __init__(self, problem: SpectralProblem, cells: int, **keywords: Any) -> None:
        self.cells = cells
        super().__init__(problem, **keywords)
        self.resolution = (cells,) * problem.basis.ndim

    def _batch(self, drawn: np.ndarray, solutions: bool) -> tuple[np.ndarray, np.ndarray]:
        inputs, outputs = super()._batch(drawn, solutions)
        basis, shape = self.problem.basis, (self.cells,) * self.problem.basis.ndim
        return np.asarray(basis.to_cells(inputs, shape)), np.asarray(basis.to_cells(outputs, shape))


def prepared(name: str, seed: int = 0) -> tuple[Operator, DrawnSamples, Any, TrainSettings]:
    """Return a variant's untrained network, data, loss and settings."""
    variant = VARIANTS[name]
    problem = variant.make_problem()
    epochs = variant.steps // variant.epoch_steps
    sizes: dict[str, Any] = {"epoch_size": variant.epoch_steps * BATCH, "valid": 16, "seed": seed}
    if variant.network.get("gauge") == "origin":
        sizes["gauge"] = "origin"
    arguments = variant.network if variant.on_cells else {"arrays": "coefficients"} | variant.network
    model = build_operator(variant.operator, seed=seed, in_channels=1, out_channels=1, ndim=2, **arguments)
    settings = train_settings(variant.training, epochs, BATCH, seed)
    if variant.on_cells:
        statistics = ChannelStatistics(np.zeros(1), np.ones(1), np.zeros(1), np.full(1, SCALE))
        samples: DrawnSamples = CellSamples(problem, variant.cells, **sizes)
        return NormalizedOperator(model, statistics), samples, DifferenceLoss(), settings
    samples = DrawnSamples(problem, **sizes)
    if variant.loss == "differences":
        return NormalizedOperator(model), samples, SampledDifferenceLoss(problem, variant.cells), settings
    return NormalizedOperator(model), samples, SpectralLoss(problem, variant.loss), settings


def train_settings(training: dict[str, Any], epochs: int, batch_size: int, seed: int) -> TrainSettings:
    """Return settings for one thread; a rate that falls by steps ends at a thousandth."""
    keywords = {"optimizer": "adam", "weight_decay": 0.0, **training}
    if keywords["scheduler"] == "step":
        keywords["step_factor"] = 1e-3 ** (1.0 / epochs)
    return TrainSettings(epochs=epochs, batch_size=batch_size, seed=seed, threads=1, accelerator="cpu", **keywords)


def predicted(model: Operator, inputs: np.ndarray, batch_size: int = BATCH) -> np.ndarray:
    """Return the outputs of a model of one channel, (samples, *modes or *cells), in batches and without gradients."""
    with torch.no_grad():
        parts = torch.as_tensor(inputs, dtype=model.parameter_dtype())[:, None].split(batch_size)
        return torch.cat([model(part) for part in parts])[:, 0].double().numpy()


def slug(name: str) -> str:
    """Return a folder's name for a variant's."""
    plain = name.replace("ν", "nu")
    return "_".join("".join(c if c.isalnum() else " " for c in plain).split())
