"""Test the neural spectral operator: its constraints, transforms and options, and training on residuals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resolvent.data import SpectralPoisson, SpectralReactionDiffusion
from resolvent.operators import (
    DrawnSamples,
    NeuralSpectral,
    NormalizedOperator,
    SpectralLoss,
    TrainSettings,
    build_operator,
    load_operator,
    train,
)
from resolvent.operators.operator import ChannelStatistics
from resolvent.solvers import (
    DIRICHLET,
    NORMS,
    Fourier,
    InputError,
    Legendre,
    RecombinedBasis,
    SeparablePoisson,
    TensorBasis,
)

SMALL: dict[str, Any] = {"in_channels": 1, "out_channels": 1, "modes": 7, "width": 4, "layers": 2}


def build(**arguments: Any) -> NeuralSpectral:
    model = build_operator("neural_spectral", seed=0, **{**SMALL, **arguments}).double()
    assert isinstance(model, NeuralSpectral)
    if model.symbol is not None:
        torch.nn.init.normal_(model.symbol, generator=torch.Generator().manual_seed(1))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(2))
    return model


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("basis", ["chebyshev", "legendre"])
@pytest.mark.parametrize(("constraint", "v", "s"), [("dirichlet", 1, 0), ("neumann", 0, 1), ([2.0, 0.5], 2.0, 0.5)])
def test_boundary_conditions_hold_exactly(basis: str, constraint: Any, v: float, s: float) -> None:
    model = build(bases=["fourier", basis], constraints=["none", constraint], arrays="coefficients")
    u = model(random(3, 1, 7, 7)).detach()
    x = np.linspace(0, 1, 5)
    for end, outward in ((0.0, -1.0), (1.0, 1.0)):
        values = model.basis.evaluate(u, x, np.array([end]))
        slopes = outward * model.basis.evaluate(u, x, np.array([end]), derivatives=(0, 1))
        assert float((v * values + s * slopes).abs().max()) < 1e-11 * float(slopes.abs().max() + values.abs().max())
    assert float(model.basis.evaluate(u, x, np.array([0.4])).abs().max()) > 1e-2


def test_initial_values_hold_exactly() -> None:
    for ndim, bases in ((2, ["chebyshev", "fourier"]), (3, ["legendre", "fourier", "fourier"])):
        modes = [4, *[5] * (ndim - 1)]
        constraints = ["initial", *["none"] * (ndim - 1)]
        model = build(ndim=ndim, bases=bases, constraints=constraints, modes=modes, arrays="coefficients")
        inputs = torch.zeros(2, 1, *modes, dtype=torch.float64)
        inputs[:, :, 0] = random(2, 1, *modes[1:])  # constant in time
        u = model(inputs).detach()
        space = [np.linspace(0, 1, 4)] * (ndim - 1)
        start, later = (model.basis.evaluate(u, np.array([t]), *space) for t in (0.0, 0.5))
        wanted = model.basis.evaluate(inputs, np.zeros(1), *space)
        assert torch.allclose(start, wanted, atol=1e-12)
        assert float((later - wanted).abs().max()) > 1e-2


@pytest.mark.parametrize("bases", ["fourier", "chebyshev"])
def test_gauges(bases: str) -> None:
    u = {
        g: build(bases=bases, gauge=g, arrays="coefficients")(random(2, 1, 7, 7)).detach()
        for g in ("none", "mean", "origin")
    }
    basis = build(bases=bases).basis
    assert float(basis.integrate(u["mean"]).abs().max()) < 1e-13
    assert float(basis.evaluate(u["origin"], np.zeros(1), np.zeros(1)).abs().max()) < 1e-12
    for gauge in ("mean", "origin"):
        constant = u["none"] - u[gauge]
        constant[..., 0, 0] = 0.0
        assert float(constant.abs().max()) < 1e-13


def test_cells_and_coefficients_are_the_same_map() -> None:
    by_cells, by_coefficients = build(), build(arrays="coefficients")
    coefficients = random(2, 1, 7, 7)
    coefficients = by_cells.basis.resize(
        by_cells.basis.resized((5, 5)).resize(coefficients[..., :5, :5], (7, 7)), (7, 7)
    )
    for shape in ((8, 9), (16, 32)):
        values = by_cells.basis.to_cells(coefficients, shape)
        wanted = by_cells.basis.to_cells(by_coefficients(coefficients), shape)
        assert torch.allclose(by_cells(values), wanted, atol=1e-11)
    with pytest.raises(InputError, match=r"expected \(batch, 1, 7, 7"):
        by_coefficients(random(1, 1, 8, 8))


def test_the_published_layer_written_out() -> None:
    """Options at their published values: every bias at every coefficient, σ on as many points as modes."""
    model = build(
        ndim=1, modes=6, layers=1, oversampling=1.0, bias_every_mode=True, linear_path=False, activation="relu",
        position="coordinates", gauge="origin", output_scale=1e-3, arrays="coefficients",
    )  # fmt: skip
    a = random(1, 1, 6)
    T, back = model.basis.to_coefficients, model.basis.to_values
    state = {key: value.detach() for key, value in model.state_dict().items()}

    def dense(name: str, u: torch.Tensor) -> torch.Tensor:  # u: (channel, modes)
        return state[f"{name}.weight"] @ u + state[f"{name}.bias"][:, None]

    def act(u: torch.Tensor) -> torch.Tensor:
        return T(torch.relu(back(u)))

    x = T(torch.as_tensor(model.basis.points()[0]))
    u = torch.stack([a[0, 0], x])
    u = act(dense("lifting.1", act(dense("lifting.0", u))))
    per_mode = torch.einsum("kio,ik->ok", state["spectral.0"], u)
    u = act(per_mode + dense("skips.0", u))
    u = 1e-3 * dense("projection.2", act(dense("projection.1", act(dense("projection.0", u)))))
    u[:, 0] -= back(u)[:, 0]
    assert torch.allclose(model(a)[0], u, atol=1e-15)


def test_without_position_it_commutes_with_shifts() -> None:
    for position, commutes in (("none", True), ("waves", False), ("coordinates", False)):
        model = build(position=position, oversampling=2.0, gauge="mean")
        values = model.basis.to_cells(random(1, 1, 7, 7), (14, 14))
        values = model.basis.to_cells(model.basis.from_cells(values), (14, 14))
        # A linear path of random symbols differs between sine and cosine; a real solution operator's does not.
        with torch.no_grad():
            assert model.symbol is not None
            model.symbol.zero_()
            for weight in model.spectral:
                weight.zero_()
        shifted = model(torch.roll(values, 3, dims=-1))
        error = float((shifted - torch.roll(model(values), 3, dims=-1)).detach().abs().max())
        assert (error < 1e-11) == commutes


@pytest.mark.parametrize("norm", NORMS)
def test_the_exact_solution_has_no_loss(norm: str) -> None:
    """And twice it has the norm of the source: the loss is what it says."""
    for problem in (SpectralPoisson(), SpectralPoisson("dirichlet", modes=20, basis="legendre")):
        drawn = problem.test_functions(2)
        inputs = torch.as_tensor(problem.as_inputs(drawn))[:, None]
        points = problem.basis.points([2 * n for n in problem.basis.shape])
        solution = torch.as_tensor(problem.basis.to_coefficients(problem.reference(drawn, *points)))[:, None]

        loss = SpectralLoss(problem, norm)
        exact, double, zero = (float(loss(inputs, f * solution, solution)) for f in (1.0, 2.0, 0.0))
        if problem.boundary == "periodic":
            assert exact < 1e-20
            assert double == pytest.approx(zero, rel=1e-9)
        elif norm in ("H-1", "H-2"):  # strong residuals see the corners; dual norms do not
            assert exact < 1e-4 * zero
        if norm == "H-2" and problem.boundary == "periodic":
            size = problem.basis.inner(solution[:, 0], solution[:, 0])
            assert zero == pytest.approx(float(size.mean()), rel=1e-9)
        supervised = SpectralLoss(problem, norm, physics=0.0, data=2.0)
        size = problem.basis.inner(solution[:, 0], solution[:, 0])
        assert float(supervised(inputs, 2.0 * solution, solution)) == pytest.approx(2.0 * float(size.mean()), rel=1e-9)
        mixed = SpectralLoss(problem, norm, physics=1.0, data=2.0)
        both = float(loss(inputs, 0.0 * solution, solution) + supervised(inputs, 0.0 * solution, solution))
        assert float(mixed(inputs, 0.0 * solution, solution)) == pytest.approx(both)


def test_error_estimates() -> None:
    """The estimate equals the error for periodic Poisson, and nearly so for reaction and diffusion."""
    rng = np.random.default_rng(0)
    problem = SpectralPoisson()
    drawn = problem.test_functions(3)
    inputs = problem.as_inputs(drawn)
    points = problem.basis.points((32, 32))
    u = problem.basis.to_coefficients(problem.reference(drawn, *points))
    v = u + 1e-3 * rng.standard_normal(u.shape)
    v[:, 0, 0] = 0.0
    error = np.sqrt(problem.basis.inner(u - v, u - v) / problem.basis.inner(v, v))
    assert np.allclose(problem.error_estimate(inputs, v), error, rtol=1e-9)
    time_dependent = SpectralReactionDiffusion(nu=0.01, modes=(24, 65))
    drawn = time_dependent.test_functions(2)
    u = time_dependent.basis.to_coefficients(time_dependent.reference(drawn, *time_dependent.basis.points()))
    noise = np.zeros_like(u)
    noise[:, :4, :5] = 1e-3 * rng.standard_normal((2, 4, 5))
    noise[:, 0] -= (noise * (-1.0) ** np.arange(24)[:, None]).sum(axis=1)  # the initial value stays
    v = u + noise
    basis = time_dependent.basis
    error = np.sqrt(basis.inner(noise, noise) / basis.inner(v, v))
    estimate = time_dependent.error_estimate(time_dependent.as_inputs(drawn), v)
    assert np.allclose(estimate, error, rtol=0.1)


SETTINGS = TrainSettings(
    epochs=4, batch_size=8, lr=1e-2, scheduler="onecycle", optimizer="adam", weight_decay=0.0, seed=3
)


def trained(
    tmp_path: Path, loss: dict[str, Any], settings: TrainSettings = SETTINGS, **network: Any
) -> tuple[Any, Any]:
    problem = SpectralPoisson(modes=9, points=8)
    samples = DrawnSamples(problem, epoch_size=160, valid=4, solutions=loss.get("data", 0.0) > 0.0)
    arguments = {**SMALL, "modes": 9, "arrays": "coefficients", "output_scale": 1e-3, "gauge": "mean", **network}
    model = NormalizedOperator(build_operator("neural_spectral", seed=0, **arguments))
    return train(model, samples, tmp_path, settings, loss=SpectralLoss(problem, **loss)), problem


@pytest.mark.parametrize("loss", [{"norm": "H-1"}, {"physics": 0.0, "data": 1.0}, {"norm": "H-1", "data": 1.0}])
def test_training_on_residuals_on_solutions_and_on_both(loss: dict[str, Any], tmp_path: Path) -> None:
    report, problem = trained(tmp_path, loss)
    model = load_operator(tmp_path)
    drawn = problem.test_functions(8)
    inputs = problem.as_inputs(drawn)
    with torch.no_grad():
        outputs = model(torch.as_tensor(inputs, dtype=torch.float32)[:, None])[:, 0].double().numpy()
    exact = problem.basis.to_coefficients(problem.reference(drawn, *problem.basis.points((18, 18))))
    errors = np.sqrt(problem.basis.inner(outputs - exact, outputs - exact) / problem.basis.inner(exact, exact))
    assert report.steps == 80
    assert errors.mean() < 0.1


def test_supervised_training_on_cells(make_dataset: Any, tmp_path: Path) -> None:
    """The loop's own loss, channel statistics and stored values on cells: −u'' = f, which the linear path holds."""
    basis = TensorBasis(Fourier(9))
    f = np.random.default_rng(0).standard_normal((60, 1, 9))
    f[..., 0] = 0.0
    values = basis.to_cells(f, (24,)), basis.to_cells(SeparablePoisson(basis).solve(f), (24,))
    data = make_dataset({"train": [v[:50] for v in values], "valid": [v[50:] for v in values]})
    settings = TrainSettings(epochs=20, batch_size=5, lr=5e-2, optimizer="adam", weight_decay=0.0)
    small = {**SMALL, "ndim": 1, "modes": 9, "layers": 1, "output_scale": 1e-2}
    report = train(build_operator("neural_spectral", seed=0, **small), data, tmp_path, settings)
    assert report.best_valid < 0.03


def test_an_interrupted_run_draws_what_the_whole_one_would_have(tmp_path: Path) -> None:
    constant = {"scheduler": "constant", "optimizer": "adam", "batch_size": 8, "lr": 1e-3, "seed": 3}
    whole, _ = trained(tmp_path / "whole", {"norm": "H-1"}, TrainSettings(epochs=3, **constant))
    trained(tmp_path / "parts", {"norm": "H-1"}, TrainSettings(epochs=1, **constant))
    resumed, _ = trained(tmp_path / "parts", {"norm": "H-1"}, TrainSettings(epochs=3, **constant))
    assert resumed.resumed_from == 1
    assert resumed.train_loss == whole.train_loss
    for a, b in zip(
        load_operator(tmp_path / "whole").parameters(), load_operator(tmp_path / "parts").parameters(), strict=True
    ):
        assert torch.equal(a, b)
    with pytest.raises(InputError):  # another loss is another run
        trained(tmp_path / "parts", {"norm": "L2"}, TrainSettings(epochs=3, **constant))


def test_epochs_draw_different_samples() -> None:
    samples = DrawnSamples(SpectralPoisson(modes=5, points=4), epoch_size=6, valid=2, seed=1)
    assert repr(samples) == f"DrawnSamples({samples.problem.name}: {samples.splits['train']} drawn an epoch, " + (
        f"{samples.splits['valid']} valid, seed {samples.seed})"
    )
    with pytest.warns(DeprecationWarning, match="call make_batches"):
        samples.own_batches("train", torch.device("cpu"), torch.float64)
    batches = samples.make_batches("train", torch.device("cpu"), torch.float64)
    first, second = ([x for x, _ in batches.batches(order, 4)] for order in (np.arange(6), np.arange(6)[::-1]))
    assert [len(x) for x in first] == [4, 2]
    assert not torch.equal(first[0], second[0])
    assert torch.equal(first[0], next(batches.batches(np.arange(6), 4))[0])


def test_wrong_use_is_named() -> None:
    for arguments, message in (
        ({"bases": "wavelet"}, "unknown basis"),
        ({"modes": [3, 4, 5]}, "names 3 axes"),
        ({"constraints": "clamped"}, "unknown constraint"),
        ({"constraints": "dirichlet"}, "periodic basis takes no boundary conditions"),
        ({"constraints": ["none", [1.0]]}, "two numbers"),
        ({"oversampling": 0.5}, "fewer points than modes"),
        (
            {"bases": "chebyshev", "constraints": ["initial", "none"], "out_channels": 2},
            "the first inputs are the initial",
        ),
        ({"gauge": "zero"}, "unknown gauge"),
        ({"arrays": "points"}, "unknown arrays"),
    ):
        with pytest.raises(InputError, match=message):
            build(**arguments)
    with pytest.raises(InputError, match="leave no loss"):
        SpectralLoss(SpectralPoisson(), physics=0.0)
    with pytest.raises(InputError, match="unknown norm"):
        SpectralLoss(SpectralPoisson(), "H1")


@pytest.mark.parametrize("constraints", ["dirichlet", "initial", ["neumann", [1.0, 2.0]]])
def test_a_gauge_that_would_break_a_constraint_is_refused(constraints: Any) -> None:
    with pytest.raises(InputError, match="would break it"):
        NeuralSpectral(1, 1, bases="chebyshev", modes=5, width=4, constraints=constraints, gauge="mean")
    NeuralSpectral(1, 1, bases="chebyshev", modes=5, width=4, constraints="neumann", gauge="mean")


def test_nodes_and_cells_on_two_grids() -> None:
    """The same function on 24 and on 48 points of either kind: taken for what they are, the output is one function."""
    coefficients = random(2, 1, 7, 7)
    basis = TensorBasis(Fourier(7), Fourier(7))
    for arrays, offset in (("nodes", 0.0), ("cells", 0.5)):
        model = build(arrays=arrays).double()
        inputs, outputs = {}, {}
        for n in (24, 72):
            points = torch.arange(n, dtype=torch.float64).add(offset).div(n).numpy()
            inputs[n] = basis.evaluate(coefficients, points, points)
            outputs[n] = model(inputs[n]).detach()
        start = 0 if arrays == "nodes" else 1  # cell 0 of 24 has its centre in cell 1 of 72
        shared = slice(start, None, 3)
        assert torch.allclose(outputs[24], outputs[72][..., shared, shared], rtol=0.0, atol=1e-12)
    wrong = build(arrays="cells").double()
    points = torch.arange(24, dtype=torch.float64).div(24).numpy()
    shifted = wrong(basis.evaluate(coefficients, points, points)).detach()
    right = build(arrays="nodes").double()(basis.evaluate(coefficients, points, points)).detach()
    assert (shifted - right).norm() > 1e-6 * right.norm()


@pytest.mark.parametrize("arrays", ["cells", "coefficients"])
@pytest.mark.parametrize("constraints", ["dirichlet", ["initial", "none"], ["initial", "dirichlet"]])
def test_constraints_hold_after_training(constraints: Any, arrays: str, make_dataset: Any, tmp_path: Path) -> None:
    """Statistics of the data shift the outputs; a boundary value of 0.58 where it is to be 0 was the mean of u."""
    basis = TensorBasis(Legendre(7), Legendre(7))
    rng, x = np.random.default_rng(0), np.linspace(0.0, 1.0, 9)
    profile = RecombinedBasis(Legendre(7), DIRICHLET).matrix() @ rng.uniform(0.5, 1.5, (5, 40))
    a = np.zeros((40, 1, 7, 7))
    a[:, 0, 0] = -5.0 * profile.T
    u = np.ones((40, 1, 7, 1)) * a[:, :, :1] * 2.0
    if arrays == "cells":
        a, u = basis.to_cells(a, (48, 48)), basis.to_cells(u, (48, 48))
    data = make_dataset({"train": [a[:32], u[:32]], "valid": [a[32:], u[32:]]})
    model = build_operator(
        "neural_spectral", seed=0, **{**SMALL, "bases": "legendre", "constraints": constraints, "arrays": arrays}
    )
    settings = TrainSettings(epochs=2, batch_size=8, lr=1e-2, accelerator="cpu", precision="64-true")
    train(model, data, tmp_path, settings)
    trained = load_operator(tmp_path)
    with torch.no_grad():
        given = torch.as_tensor(a[:4])
        found = trained(given).numpy()
    size = 1e-9 * np.abs(np.asarray(found)).max()
    if arrays == "cells":
        size *= 1e5  # exact is the network's own series; 48 cells give it to their interpolation
        found, given = basis.from_cells(found), basis.from_cells(given.numpy())
    if "dirichlet" in constraints:
        assert np.abs(basis.evaluate(np.asarray(found), x, np.array([0.0, 1.0]))).max() < size
    if constraints == "dirichlet":
        assert np.abs(basis.evaluate(np.asarray(found), np.array([0.0, 1.0]), x)).max() < size
    else:
        start = np.asarray(found) - np.asarray(given)
        assert np.abs(basis.evaluate(start, np.zeros(1), x)).max() < size


@pytest.mark.parametrize("gauge", ["mean", "origin"])
def test_the_gauge_holds_after_statistics(gauge: str) -> None:
    statistics = ChannelStatistics(np.array([3.0]), np.array([2.0]), np.array([5.0]), np.array([4.0]))
    model = NormalizedOperator(build(gauge=gauge, arrays="cells"), statistics)
    assert model.output_mean.tolist() == [0.0]
    assert model.output_std.tolist() == [np.hypot(4.0, 5.0)]
    assert (model.input_mean.tolist(), model.input_std.tolist()) == ([3.0], [2.0])
    assert NormalizedOperator(build(arrays="cells"), statistics).output_mean.tolist() == [5.0]
