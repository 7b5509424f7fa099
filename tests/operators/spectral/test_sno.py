"""Test the spectral neural operator: its layer written out, its constraints, and training on residuals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resolvent.data import SpectralPoisson
from resolvent.operators import (
    DrawnSamples,
    NormalizedOperator,
    SpectralLoss,
    SpectralNeuralOperator,
    TrainSettings,
    build_operator,
    load_operator,
    train,
)
from resolvent.solvers import InputError

SMALL: dict[str, Any] = {"in_channels": 1, "out_channels": 1, "modes": 7, "width": 4, "layers": 2}


def build(**arguments: Any) -> SpectralNeuralOperator:
    model = build_operator("sno", seed=0, **{**SMALL, **arguments}).double()
    assert isinstance(model, SpectralNeuralOperator)
    for name, parameter in model.named_parameters():
        if "bias" in name or name == "symbol":
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(2))
    return model


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def test_a_layer_written_out() -> None:
    """The matrix mixes the modes of each channel alike, then the channels mix at each mode; σ is of coefficients."""
    model = build(
        bases=["chebyshev", "fourier"], modes=[4, 5], layers=1, activation="relu", position="coordinates",
        gauge="origin", output_scale=1e-3, arrays="coefficients",
    )  # fmt: skip
    a = random(2, 1, 4, 5)
    state = {key: value.detach() for key, value in model.state_dict().items()}

    def dense(name: str, u: torch.Tensor) -> torch.Tensor:  # u: (batch, channel, *modes)
        weighted = torch.einsum("oi,bixy->boxy", state[f"{name}.weight"], u)
        return weighted + state[f"{name}.bias"][:, None, None]

    t, x = (torch.as_tensor(p) for p in model.basis.points())
    fields = torch.stack([t[:, None].expand(4, 5), x[None, :].expand(4, 5)])
    known = model.basis.to_coefficients(fields).expand(2, 2, 4, 5)
    u = torch.relu(dense("lifting.1", torch.relu(dense("lifting.0", torch.cat((a, known), dim=1)))))
    matrix, bias = state["mixing.0"].reshape(4, 5, 4, 5), state["mixing_bias.0"].reshape(4, 5)
    u = torch.relu(dense("channels.0", torch.einsum("xypq,bcpq->bcxy", matrix, u) + bias))
    u = 1e-3 * dense("projection.2", torch.relu(dense("projection.1", torch.relu(dense("projection.0", u)))))
    u[..., 0, 0] -= model.basis.evaluate(u, np.zeros(1), np.zeros(1))[..., 0, 0]
    assert torch.allclose(model(a), u, atol=1e-15)


def test_boundary_conditions_hold_exactly_with_and_without_a_linear_path() -> None:
    for linear_path in (False, True):
        model = build(bases="legendre", constraints="dirichlet", linear_path=linear_path, arrays="coefficients")
        u = model(random(3, 1, 7, 7)).detach()
        x = np.linspace(0, 1, 5)
        inside = float(model.basis.evaluate(u, x, x).abs().max())
        for end in (0.0, 1.0):
            assert float(model.basis.evaluate(u, x, np.array([end])).abs().max()) < 1e-12 * inside
            assert float(model.basis.evaluate(u, np.array([end]), x).abs().max()) < 1e-12 * inside
        assert (model.symbol is not None) == linear_path


def test_training_on_residuals_alone(tmp_path: Path) -> None:
    problem = SpectralPoisson(modes=7, points=6)
    arguments = {**SMALL, "width": 8, "layers": 1, "arrays": "coefficients", "output_scale": 1e-2, "gauge": "mean"}
    model = NormalizedOperator(build_operator("sno", seed=0, **arguments))
    settings = TrainSettings(epochs=4, batch_size=8, lr=1e-2, scheduler="onecycle", optimizer="adam", weight_decay=0.0)
    samples = DrawnSamples(problem, epoch_size=400, valid=8)
    report = train(model, samples, tmp_path, settings, loss=SpectralLoss(problem, "H-1"))
    inputs, exact = (torch.as_tensor(array, dtype=torch.float32) for array in samples.arrays("valid"))
    with torch.no_grad():
        outputs = load_operator(tmp_path)(inputs)
    errors = (outputs - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)
    assert report.steps == 200
    assert float(errors.mean()) < 0.25


def test_wrong_use_is_named() -> None:
    for arguments, message in (
        ({"activation": "step"}, "unknown activation"),
        ({"layers": -1}, "layers"),
        ({"constraints": "dirichlet"}, "periodic basis takes no boundary conditions"),
    ):
        with pytest.raises(InputError, match=message):
            build(**arguments)
