"""Run ``resolvent generate``: generate a certified dataset; run again, resume or repair it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from resolvent.data import (
    Chains,
    Compression,
    Dataset,
    GenerationReport,
    Problem,
    TimeDependentProblem,
    generate,
    open_engine,
)
from resolvent.data.format.splits import read_splits
from resolvent.data.generation.run import shown_by
from resolvent.solvers import InputError, SolverSpec

from ..compose import compose_verb
from ..console import ProgressLine, duration, say
from ..run_folder import RunFolder
from ..systems import problem_of, settings_of, solver_of


def run(overrides: Sequence[str]) -> int:
    """Generate what the overrides name; return 0."""
    config = compose_verb("generate", overrides)
    folder = RunFolder("generate", config)
    generate_dataset(config, folder)
    return 0


def generate_dataset(config: DictConfig, folder: RunFolder) -> GenerationReport:
    """Generate the dataset of a composed ``generate`` config into the folder."""
    problem = problem_of(config)
    spec = generation_solver(config, problem)
    together = "" if config.strategy == "independent" else f", strategy {config.strategy}, chains of {config.chain}"
    say(f"{problem!r} -> {folder.path}/ ({spec.label}, rtol {spec.rtol:g}{together})")
    engine_name, engine_settings = settings_of(config.engine)
    with (
        ProgressLine("generate") as line,
        open_engine(engine_name, config.workers, engine_settings) as engine,
    ):
        report = generate(
            problem,
            folder.path,
            samples=config.samples,
            splits=splits_of(config),
            seed=config.seed,
            shard_size=config.shard_size,
            engine=engine,
            solver=spec,
            dtype=None if config.dtype is None else str(config.dtype),
            level=None if config.level is None else str(config.level),
            compression=Compression(str(config.compression), config.error_bound, str(config.error_bound_mode)),
            strategy=Chains(str(config.strategy), config.chain, str(config.sort)),
            progress=shown_by(line, lambda found: folder.log(found=found)),
        )
    certified = {}
    if isinstance(problem, TimeDependentProblem) and (estimate := _largest(folder.path, "error_estimate")) is not None:
        certified["error_estimate_max"] = estimate
    _print(report, folder, certified.get("error_estimate_max"))
    folder.finish(**summary(report), **certified)
    return report


def generation_solver(config: DictConfig, problem: Problem) -> SolverSpec:
    """Return the solver that a config names, or else the problem's own choice, with the config's tolerances."""
    if config.get("solver") is not None:
        return solver_of(config)
    if config.get("preconditioner") is not None:
        raise InputError(f"preconditioner={config.preconditioner.name}: name its solver too, such as solver=cg")
    tolerances = {name: config[name] for name in ("rtol", "maxiter") if config[name] is not None}
    return replace(problem.default_solver, settings={**problem.default_solver.settings, **tolerances})


def splits_of(config: DictConfig) -> Any:
    """Return the splits of a config as sizes by name or as fractions."""
    splits: Any = (
        OmegaConf.to_container(config.splits, resolve=True) if OmegaConf.is_config(config.splits) else config.splits
    )
    return read_splits(splits)


def summary(report: GenerationReport) -> dict[str, Any]:
    """Return a report as flat values for ``result.json``."""
    return {**report.to_dict(), "fractions": phase_fractions(report)}


def phase_fractions(report: GenerationReport) -> dict[str, float]:
    """Return the shares of sampling, solving and writing in the processor time of this run (empty if it did nothing).

    Datasets that are solved in chains also have shares of analysis and ordering.
    """
    phases = {phase: seconds for phase, seconds in report.seconds.items() if phase != "total"}
    work = sum(phases.values())
    return {phase: seconds / work for phase, seconds in phases.items()} if work > 0 else {}


def _largest(folder: Path, name: str) -> float | None:
    """Return the largest value in a column of a dataset's provenance; None if it has no such column."""
    dataset = Dataset(folder)
    columns = [column for shard in dataset.shards if (column := dataset.column(shard, name)) is not None]
    return float(max(column.max() for column in columns)) if columns else None


def _print(report: GenerationReport, folder: RunFolder, error_estimate: float | None = None) -> None:
    if report.computed == 0:
        say(f"complete already: {report.samples} samples in {folder.path}/, every checksum agrees")
        return
    old = f", {report.skipped} were there" if report.skipped else ""
    say(
        f"{report.computed} samples in {duration(report.seconds['total'])} ({report.samples_per_second:.4g}/s){old};"
        f" largest relative residual {report.residual_max:.2e}"
        + ("" if error_estimate is None else f", error in time at most {error_estimate:.1e} by its estimate")
    )
    shares = phase_fractions(report)
    if shares:
        say("of the work: " + ", ".join(f"{phase} {share:.0%}" for phase, share in shares.items()))
    if report.family:
        say(_family_line(report.family))
    counts = ", ".join(f"{name} {count}" for name, count in report.splits.items())
    say(
        f"wrote {folder.path}/ ({counts}, {report.bytes / 1e6:.3g} MB);"
        f" check it with: resolvent verify data={folder.path}"
    )


def _family_line(family: dict[str, Any]) -> str:
    """Describe how the samples of a dataset were solved in chains."""
    plan = ", ".join(f"{name} {count}" for name, count in family["plan"].items())
    outside = ""
    if family["outside"]:
        outside = (
            f"; {family['outside']} samples outside the shards that solved them (splits cut chains: sizes that are"
            " multiples of chain= avoid it)"
        )
    return (
        f"{family['chains']} chains: {plan}; {family['full_solves']} full solves, {family['corrections']} corrections,"
        f" {family['reconstructed']} reconstructed, {family['set_ups']} set-ups{outside}"
    )
