"""List the operators by name, and build them."""

from __future__ import annotations

from typing import Any

import torch

from resolvent.solvers.arguments import build

from .grid.ffno import FFNO
from .grid.fno import FNO
from .grid.unet import UNet
from .operator import Operator
from .spectral.neural_spectral import NeuralSpectral
from .spectral.sno import SpectralNeuralOperator

#: Every operator; the contract tests run over this dictionary.
OPERATORS: dict[str, type[Operator]] = {
    kind.name: kind for kind in (FNO, FFNO, UNet, NeuralSpectral, SpectralNeuralOperator)
}


def build_operator(name: str, *, seed: int | None = None, **arguments: Any) -> Operator:
    """Build an operator by name from plain constructor arguments.

    Parameters
    ----------
    name : str
        A key of ``OPERATORS``.
    seed : int, optional
        Seed of the initial weights; the global generator is left as it was. Without it the weights come from the
        global generator.
    **arguments
        The constructor's arguments.

    Raises
    ------
    InputError
        For an unknown name or argument (with the nearest one), a missing argument, or values out of range.
    """
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        return build(OPERATORS, "operator", name, arguments)
