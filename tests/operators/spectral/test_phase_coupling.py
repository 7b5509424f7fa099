"""Weights that mix a frequency's sine and cosine: what they commute with and contain, and networks built of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from resolvent.data import SpectralNavierStokes, SpectralPoisson
from resolvent.operators import NeuralSpectral, SpectralLoss, build_operator, load_operator, save_operator
from resolvent.operators.spectral.phase_coupling import PhaseCoupling
from resolvent.solvers import Chebyshev, Fourier, InputError, TensorBasis

SPACE_TIME: dict[str, Any] = {
    "in_channels": 1, "out_channels": 1, "ndim": 3, "bases": ["chebyshev", "fourier", "fourier"], "modes": [4, 5, 6],
    "constraints": ["initial", "none", "none"], "width": 4, "layers": 2, "arrays": "coefficients",
    "position": "bounded", "coupling": ["none", "phase", "phase"], "linear_path": False, "oversampling": 2.0,
}  # fmt: skip


def build(**arguments: Any) -> NeuralSpectral:
    model = build_operator("neural_spectral", seed=0, **{**SPACE_TIME, **arguments}).double()
    assert isinstance(model, NeuralSpectral)
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or name.startswith("spectral"):
            torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(2))
    return model


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def shifted(basis: TensorBasis, u: torch.Tensor, by: tuple[float, ...]) -> torch.Tensor:
    """Shift to u(x + by), through values at enough points."""
    points = [x + s for x, s in zip(basis.points(), by, strict=True)]
    return torch.as_tensor(basis.to_coefficients(basis.evaluate(u, *points)))


def apply(coupling: PhaseCoupling, basis: TensorBasis, weight: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Apply the weights alone to coefficients (*modes, batch, h), through values."""
    values = u
    for kind, axes in (("synthesis_matrix", basis.axes), ("analysis_matrix", coupling.axes)):
        for d, axis in enumerate(axes):
            values = torch.tensordot(torch.as_tensor(getattr(axis, kind)(9)), values, dims=([1], [d])).movedim(0, d)
    gathered = coupling.gather(values)
    values = coupling.scatter(coupling.mixed(gathered, weight, torch.zeros_like(gathered)))
    for kind, axes in (("synthesis_matrix", coupling.axes), ("analysis_matrix", basis.axes)):
        for d, axis in enumerate(axes):
            values = torch.tensordot(torch.as_tensor(getattr(axis, kind)(9)), values, dims=([1], [d])).movedim(0, d)
    return values


def test_weights_commute_with_shifts_and_mix_only_a_group() -> None:
    basis = TensorBasis(Chebyshev(2), Fourier(5), Fourier(7))
    coupling = PhaseCoupling(basis, (False, True, True))
    assert (coupling.groups, coupling.members) == (2 * 3 * 4, 4)
    u = random(*basis.shape, 3, 2)
    weight = random(coupling.groups, 4, 2, 2)

    def moved(v: torch.Tensor) -> torch.Tensor:
        return shifted(basis, v.movedim((3, 4), (0, 1)), (0.0, 0.3, 0.11)).movedim((0, 1), (3, 4))

    assert torch.allclose(
        apply(coupling, basis, weight, moved(u)), moved(apply(coupling, basis, weight, u)), atol=1e-11
    )
    one = torch.zeros(*basis.shape, 1, 2, dtype=torch.float64)
    one[1, 2, 1, 0, 0] = 1.0  # T₁ cos 4πx cos 2πy: its group has the sines 4 along x and along y
    reached = apply(coupling, basis, weight, one).abs().amax(dim=(-2, -1)) > 1e-12
    assert {tuple(int(i) for i in place) for place in reached.nonzero()} == {(1, i, j) for i in (2, 4) for j in (1, 4)}


def test_weights_contain_derivatives() -> None:
    """∂/∂x ∂/∂y is one choice of them; with a matrix for each mode it is none."""
    basis = TensorBasis(Fourier(5), Fourier(7))
    coupling = PhaseCoupling(basis, (True, True))
    weight = torch.zeros(3, 4, 4, 1, 1, dtype=torch.float64)
    kx, ky = 2.0 * np.pi * torch.arange(3.0)[:, None], 2.0 * np.pi * torch.arange(4.0)
    weight[:, :, 3, 0, 0] = kx * ky  # J ⊗ J takes a quarter wave off along both axes, as ∂² but for its sign
    u = random(*basis.shape, 1, 1)
    wanted = basis.derivative(basis.derivative(u[..., 0, 0], 0), 1)
    found = apply(coupling, basis, weight.flatten(0, 1), u)[..., 0, 0]
    assert torch.allclose(found, wanted, atol=1e-10)


def test_a_network_commutes_with_shifts() -> None:
    model = build(diffusion=0.01, modes=[4, 5, 7])
    u = torch.zeros(2, 1, 4, 5, 7, dtype=torch.float64)
    u[:, :, 0] = random(2, 1, 5, 7)
    by = (0.0, 2.0 / 10, 5.0 / 14)  # collocation points
    apart = build(coupling="none", diffusion=0.01, modes=[4, 5, 7])
    for network, commutes in ((model, True), (apart, False)):
        difference = network(shifted(model.basis, u, by)) - shifted(model.basis, network(u).detach(), by)
        error = float(difference.detach().abs().max() / network(u).detach().abs().max())
        assert error < 1e-11 if commutes else error > 1e-3


def test_biases_are_those_of_the_constant_or_of_every_mode() -> None:
    basis = TensorBasis(Fourier(5), Fourier(6))
    coupling = PhaseCoupling(basis, (True, True))
    like = torch.zeros(1, dtype=torch.float64)
    for every, count in ((False, 1), (True, 30)):
        values = coupling.scatter(coupling.constant(every, like))
        for d, axis in enumerate(coupling.axes):  # empty places are not seen
            values = torch.tensordot(torch.as_tensor(axis.synthesis_matrix(8)), values, dims=([1], [d])).movedim(0, d)
        found = torch.as_tensor(basis.to_coefficients(values[..., 0, 0]))
        assert int((found.abs() > 1e-12).sum()) == count
        assert torch.allclose(found[found.abs() > 1e-12], torch.ones(count, dtype=torch.float64))


def test_outputs_solve_the_heat_equation_of_their_source() -> None:
    """With no source the decay; the initial value always; and a saved network is the same one."""
    problem = SpectralNavierStokes("nsm_re2", modes=(4, 5, 6))
    inputs = torch.as_tensor(problem.as_inputs(problem.test_functions(2)))[:, None]
    model = build(diffusion=problem.nu * problem.final_time)
    x = np.linspace(0.0, 1.0, 4)
    first, wanted = (model.basis.evaluate(c.detach(), np.zeros(1), x, x) for c in (model(inputs), inputs))
    assert torch.allclose(first, wanted, atol=1e-12)
    model.output_scale = 0.0
    with torch.no_grad():
        assert torch.allclose(model(inputs)[:, 0], problem.linear_solution(inputs[:, 0]), atol=1e-13)
        model.output_scale = 1.0
        assert not torch.allclose(model(inputs)[:, 0], problem.linear_solution(inputs[:, 0]), atol=1e-3)


def test_saved_and_loaded(tmp_path: Any) -> None:
    model = build(diffusion=0.02)
    save_operator(model.float(), tmp_path, {})
    u = random(1, 1, 4, 5, 6).float()
    with torch.no_grad():
        assert torch.equal(load_operator(tmp_path)(u), model(u))


def test_a_linear_path_starts_as_the_heat_equation() -> None:
    problem = SpectralNavierStokes("nsm_re2", modes=(4, 5, 6))
    model = build(linear_path=True)
    model.start_linear_path(problem.linear_solution)
    model.output_scale = 0.0
    inputs = torch.as_tensor(problem.as_inputs(problem.test_functions(2)))
    with torch.no_grad():
        assert torch.allclose(model(inputs[:, None])[:, 0], problem.linear_solution(inputs), atol=1e-13)
    with pytest.raises(InputError, match="one axis with the constraint 'initial'"):
        build(linear_path=False).start_linear_path(problem.linear_solution)


def test_the_response_norm_is_of_the_equation_in_time() -> None:
    """It is the L² norm of what the residual does: for a guess that is off by little, nearly that of the error."""
    problem = SpectralNavierStokes("nsm_re2", modes=(10, 9, 9))
    inputs = torch.as_tensor(problem.as_inputs(problem.test_functions(2)))[:, None]
    inputs[..., 2:, :] = 0.0
    inputs[..., 2:] = 0.0
    inputs *= 1e-3  # so slow that it is the heat equation
    exact = problem.linear_solution(inputs)
    tau = torch.as_tensor(problem.basis.axes[0].points())
    off = problem.basis.to_coefficients(0.1 * torch.sin(tau)[:, None, None] * problem.basis.to_values(exact))
    loss = SpectralLoss(problem, "response")
    size = float(problem.basis.inner(off, off).mean())
    assert float(loss(inputs, exact + off, inputs)) == pytest.approx(size, rel=1e-2, abs=0.0)
    assert loss.config["norm"] == "response"
    with pytest.raises(InputError, match="unknown norm"):
        SpectralLoss(SpectralPoisson(), "response")


def test_wrong_use_is_named() -> None:
    for arguments, message in (
        ({"coupling": "phase"}, "'phase' on a chebyshev axis"),
        ({"coupling": "full"}, "unknown coupling"),
        ({"diffusion": 0.0}, "diffusion is 0"),
        ({"diffusion": 0.1, "constraints": "none"}, "expected 'initial' on the first axis"),
        (
            {"diffusion": 0.1, "bases": ["chebyshev", "fourier", "legendre"], "coupling": "none"},
            "Fourier axes after it",
        ),
    ):
        with pytest.raises(InputError, match=message):
            build(**arguments)
