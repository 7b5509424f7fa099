"""Prepare ``resolvent train draw=NAME``: training on the residual of a spectral problem, with random inputs."""

from __future__ import annotations

from omegaconf import DictConfig

from resolvent.data import make_spectral_problem
from resolvent.operators import DrawnSamples, NormalizedOperator, Operator, SpectralLoss, TrainSettings, problem_network
from resolvent.operators.training.distributed import first_process
from resolvent.solvers import InputError

from ..compose import compose_verb
from ..console import say
from ..run_folder import RunFolder
from ..systems import settings_of

#: Settings of `train` for random inputs.
OF_DRAWS = ("physics", "residual_norm", "supervised", "epoch_size", "valid_size")

#: Settings of `train` for stored samples, which random inputs do not have.
WINDOWS = ("history", "horizon", "frame_step", "stride", "unroll", "feed", "increment")
OF_DATA = ("generate", "loss", *WINDOWS, "input_noise", "in_memory", "workers")


def draws_to_train_on(
    config: DictConfig, settings: TrainSettings
) -> tuple[RunFolder, Operator, DrawnSamples, SpectralLoss]:
    """Return the folder of a run on random inputs, an operator that fits their problem, the inputs and the loss."""
    _refuse(config, OF_DATA, "is for stored samples: leave it out with draw=, or give data=FOLDER")
    if float(config.physics) == 0.0 and float(config.supervised) == 0.0:
        raise InputError("physics=0 and supervised=0 leave nothing to minimise: give one of them a positive weight")
    name, arguments = settings_of(config.operator)
    problem_name, problem_settings = settings_of(config.draw)
    problem = make_spectral_problem(problem_name, **problem_settings)
    model = problem_network(name, problem, arguments, settings.seed)
    norm = problem.residual_norm if config.residual_norm is None else str(config.residual_norm)
    supervised = float(config.supervised)
    loss = SpectralLoss(problem, norm, physics=config.physics, data=supervised)
    samples = DrawnSamples(
        problem,
        config.epoch_size,
        config.valid_size,
        settings.seed,
        solutions=supervised > 0.0,
        gauge="origin" if getattr(model, "gauge", "mean") == "origin" else "mean",
    )
    folder = RunFolder("train", config)
    shape = " x ".join(str(n) for n in problem.basis.shape)
    parts = [f"its residual in {norm}"] if float(config.physics) else []
    parts += ["classical solutions"] if supervised else []
    told = say if first_process() else (lambda line: None)
    told(
        f"{name}, {model.parameter_count()} parameters, on {problem.name} {shape} modes: {' and '.join(parts)},"
        f" {samples.splits['train']} inputs drawn an epoch, {samples.splits['valid']} valid samples"
    )
    return folder, NormalizedOperator(model), samples, loss


def refuse_settings_of_draws(config: DictConfig) -> None:
    """Raise InputError if a setting of random inputs came with data=."""
    _refuse(config, OF_DRAWS, "is for training on a residual: leave it out with data=, or give draw=NAME instead")


def _refuse(config: DictConfig, keys: tuple[str, ...], why: str) -> None:
    usual = compose_verb("train", [])
    for key in keys:
        if config[key] != usual[key]:
            raise InputError(f"{key}={config[key]} {why}")
