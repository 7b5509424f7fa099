"""Run ``resolvent sweep``: vary solver settings over grids or by search, in parallel by Hydra's launchers, resumable.

Any override may sweep: ``choice(a,b)``, ``a,b``, ``range(start,stop,step)``, and ``interval(low,high)``, which Optuna
searches. Each point is a JSON file under ``OUT/points``, named by the hash of its settings and written atomically; a
sweep that is run again launches only the points without a file. A point that fails is a row with its status.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from resolvent.solvers import InputError, SolverSpec, optimal_omega

from ..compose import compose_verb, configs, is_continuous, one_line, parse
from ..console import ProgressLine, say, show, table
from ..figures.fields import plot_sweep
from ..run_folder import RunFolder, csv_text, flatten, write_whole
from ..systems import NamedSystem, solve_system, solver_of, systems_of

# the settings that determine a point's row; the others say where and how the sweep runs
POINT_SETTINGS = ("problem", "solver", "preconditioner", "matrix", "rhs", "seed", "samples", "rtol", "atol", "maxiter")
COSTS = ("iterations", "matvecs", "applies", "setup_seconds", "solve_seconds")  # means over the samples of a point
MEASURES = ("status", "objective", *COSTS, "total_seconds", "relative_residual", "message")
_WARM: set[tuple[str, str | None]] = set()  # pairs of solver and preconditioner that have run in this process
WORST = 1e30  # the objective of a failed point: worse than any, and finite for the searcher


def run(overrides: Sequence[str]) -> int:
    """Run a sweep, or the rest of it; return 0 if a point converged, else raise InputError."""
    config = compose_verb("sweep", overrides, sweeps=True)
    parsed = parse(overrides)
    swept = [o for o in parsed if o.is_sweep_override()]
    if not swept:
        raise InputError("nothing is swept: give a setting several values, as in 'solver.omega=range(1.0,2.0,0.05)'")
    for override in swept:
        if override.key_or_group not in POINT_SETTINGS and override.key_or_group.split(".")[0] not in POINT_SETTINGS:
            raise InputError(
                f"'{override.input_line}': {override.key_or_group} cannot be swept: it is no setting of a solve"
            )
    if str(config.objective) not in MEASURES or config.objective in ("status", "message", "objective"):
        known = [m for m in MEASURES if m not in ("status", "message", "objective")]
        raise InputError(f"objective={config.objective} is unknown: the measures are {', '.join(known)}")
    for name, least in (("samples", 1), ("trials", 1)):
        if int(config[name]) < least:
            raise InputError(f"{name}={config[name]}: expected at least {least}")
    if int(config.workers) == 0:
        raise InputError("workers=0: expected at least 1, or -1 for every core")
    folder = RunFolder("sweep", config)
    systems_of(config)  # a missing matrix or a wrong problem stops here, before anything is written
    if str(config.solver.name) == "all":
        raise InputError("solver=all is a table of its own ('resolvent solve'): sweep named solvers, solver=cg,gmres")
    _claim_folder(folder.path, config, swept)
    launched = _launch(overrides, parsed, swept, folder)
    return _report(folder, config, swept, launched)


def point_id(config: DictConfig) -> str:
    """Return the hash of the settings that determine a point's row."""
    return hashlib.sha256(json.dumps(_shaping(config), sort_keys=True).encode()).hexdigest()[:16]


def solve_point(config: DictConfig) -> float:
    """Solve the systems of one point, write its row, and return its objective (Hydra's task function)."""
    path = _point_file(Path(str(config.out)), point_id(config))
    row = _read_point(path)
    if row is None:
        row = _measure(config)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(flatten(row)) + "\n")
    return _objective(row, str(config.objective))


def _measure(config: DictConfig) -> dict[str, Any]:
    row: dict[str, Any] = {"settings": OmegaConf.to_container(config, resolve=True)}
    results, start = [], time.perf_counter()
    try:
        spec = solver_of(config)
        systems = systems_of(config, count=int(config.samples))
        start += _warm_up(spec, systems[0])
        for named in systems:
            results.append(solve_system(named, spec))
    except (InputError, ArithmeticError, np.linalg.LinAlgError, MemoryError) as error:
        return {**row, "status": f"error: {type(error).__name__}", "message": one_line(error)}
    bad = [r for r in results if not r.converged]
    worst = bad[0] if bad else results[0]
    return {
        **row,
        "status": worst.status.value,
        **{cost: float(np.mean([getattr(result, cost) for result in results])) for cost in COSTS},
        "total_seconds": (time.perf_counter() - start) / len(results),
        "relative_residual": max(r.relative_residual for r in results),
        "message": worst.message,
    }


def _warm_up(spec: SolverSpec, named: NamedSystem) -> float:
    """Compile a solver and preconditioner once in each process, so that no point's time includes it.

    Returns the seconds that this took.
    """
    start = time.perf_counter()
    if (spec.name, spec.preconditioner) not in _WARM:
        _WARM.add((spec.name, spec.preconditioner))
        solve_system(named, replace(spec, settings={**spec.settings, "maxiter": 1}))
    return time.perf_counter() - start


def _objective(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    if row["status"] != "converged" or not isinstance(value, int | float) or not math.isfinite(value):
        return WORST
    return float(value)


def _point_file(out: Path, name: str) -> Path:
    return out / "points" / f"{name}.json"


def _read_point(path: Path) -> dict[str, Any] | None:
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return row if isinstance(row, dict) and "status" in row else None


class ResumingLauncher:
    """Wrap a launcher of Hydra's: pass on only the jobs whose point is not finished."""

    def __init__(self, launcher: Any, hydra_context: HydraContext, config: DictConfig, out: Path) -> None:
        self.launcher, self.context, self.config, self.out = launcher, hydra_context, config, out
        self.ids: list[str] = []  # every point of the sweep, in order
        self.skipped = 0
        self.count = 0

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Launch the unfinished jobs; return all jobs' values in order."""
        objective, ids = str(self.config.objective), []
        for job in job_overrides:
            ids.append(point_id(self.context.config_loader.load_sweep_config(self.config, list(job))))
        self.ids += ids
        waiting = [k for k, name in enumerate(ids) if self._row(name) is None]
        self.skipped += len(ids) - len(waiting)
        self.count += len(waiting)
        if waiting:
            with _watched(self.out / "points", [ids[k] for k in waiting]):
                self.launcher.launch([job_overrides[k] for k in waiting], initial_job_idx=initial_job_idx)
        returns = []
        for name, job in zip(ids, job_overrides, strict=True):
            done = JobReturn(overrides=list(job), status=JobStatus.COMPLETED)
            done.return_value = _objective(self._row(name) or {"status": "error: the worker left no result"}, objective)
            returns.append(done)
        return returns

    def _row(self, name: str) -> dict[str, Any] | None:
        return _read_point(_point_file(self.out, name))


@contextmanager
def _watched(points: Path, names: Sequence[str]) -> Iterator[None]:
    """Show the progress of points that other processes solve, by counting their files."""
    ended = threading.Event()

    def watch() -> None:
        with ProgressLine("sweep", unit="points") as progress:
            while not ended.wait(0.5):
                finished = {path.stem for path in points.glob("*.json")} if points.is_dir() else set()
                progress(sum(name in finished for name in names), len(names))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _launch(
    overrides: Sequence[str], parsed: Sequence[Override], swept: Sequence[Override], folder: RunFolder
) -> ResumingLauncher:
    extra = [f"out='{folder.path}'"]
    if any(is_continuous(o) for o in swept) and not any(o.key_or_group == "hydra/sweeper" for o in parsed):
        extra.append("hydra/sweeper=optuna")
    launchers = [str(o.value()) for o in parsed if o.key_or_group == "hydra/launcher"]
    if launchers in ([], ["joblib"]):
        extra.append("hydra.launcher.n_jobs=${workers}")
    settings = [o for o in overrides if not o.startswith("out=")]
    try:
        with configs():
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
            try:
                searches = any("hydra/sweeper=optuna" in o for o in [*settings, *extra])
                if searches:
                    _quieten_optuna()
                tuned = ["hydra.sweeper.n_trials=${trials}", "hydra.sweeper.n_jobs=${workers}"] if searches else []
                config = hydra.compose_config(
                    config_name="sweep",
                    overrides=[*settings, *extra, *tuned],
                    run_mode=RunMode.MULTIRUN,
                    with_log_configuration=False,
                )
                context = HydraContext(config_loader=hydra.config_loader, callbacks=_callbacks(config))
                sweeper: Any = Plugins.instance().instantiate_sweeper(
                    config=config, hydra_context=context, task_function=solve_point
                )
            except (HydraException, OmegaConfBaseException) as error:
                raise InputError(f"cannot set the sweep up: {one_line(error)}") from None
            target = getattr(sweeper, "sweeper", sweeper)  # Optuna's plugin wraps its sweeper
            launcher = ResumingLauncher(target.launcher, context, config, folder.path)
            target.launcher = launcher
            sweeper.validate_batch_is_legal = lambda batch: None  # the launcher composes every job, once
            arguments = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
            assert isinstance(arguments, list)
            sweeper.sweep(arguments=[str(a) for a in arguments])
    finally:
        multirun = folder.path / "multirun.yaml"
        multirun.unlink(missing_ok=True)  # config.yaml holds the settings
        jobs = folder.path / ".jobs"
        if jobs.is_dir() and not any(jobs.iterdir()):
            jobs.rmdir()
    return launcher


def _quieten_optuna() -> None:
    try:
        import optuna
    except ImportError:
        raise InputError("hydra/sweeper=optuna needs Optuna: pip install hydra-optuna-sweeper") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _callbacks(config: DictConfig) -> Any:
    from hydra._internal.callbacks import Callbacks

    return Callbacks(config)


def _claim_folder(out: Path, config: DictConfig, swept: Sequence[Override]) -> None:
    """Record the settings that all points share; refuse a folder that holds points of another sweep."""
    marker = out / "sweep.json"
    now: dict[str, Any] = {
        "swept": sorted(str(o.input_line) for o in swept),
        "fixed": {k: v for k, v in flatten(_shaping(config)).items() if k not in {o.key_or_group for o in swept}},
    }
    if not marker.is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_whole(marker, json.dumps(now, indent=2) + "\n")
        return
    before = json.loads(marker.read_text(encoding="utf-8"))
    differing = [k for k in {*before["fixed"], *now["fixed"]} if before["fixed"].get(k) != now["fixed"].get(k)]
    if differing:
        raise InputError(
            f"'{out}' holds a sweep with other settings ({', '.join(sorted(differing))} differ):"
            " choose another out=FOLDER"
        )
    write_whole(marker, json.dumps(now, indent=2) + "\n")  # the same settings over other values: its points are shared


def _shaping(config: DictConfig) -> dict[str, Any]:
    container = OmegaConf.to_container(OmegaConf.masked_copy(config, list(POINT_SETTINGS)), resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def _report(folder: RunFolder, config: DictConfig, swept: Sequence[Override], launched: ResumingLauncher) -> int:
    keys = [o.key_or_group for o in swept]
    objective = str(config.objective)
    rows = []
    for name in dict.fromkeys(launched.ids):
        point = _read_point(_point_file(folder.path, name))
        if point is None:
            continue
        values = {key: _swept_value(point, key) for key in keys}
        rows.append({**values, **{m: point.get(m) for m in MEASURES if m != "objective"}, "point": name})
    write_whole(folder.file("sweep.csv"), csv_text(list(rows[0]) if rows else ["status"], rows))
    good = [row for row in rows if row["status"] == "converged"]
    best = min(good, key=lambda row: (row[objective], row["total_seconds"])) if good else None
    theory = _theory(config, keys)
    marks = {"theory": theory} if theory is not None else {}
    plot_sweep(rows, keys, objective, folder.file("sweep.png"), marks)
    shown = sorted(
        rows, key=lambda row: (row["status"] != "converged", row[objective] if row["status"] == "converged" else 0.0)
    )
    columns = (*keys, "status", "iterations", "solve_seconds", "relative_residual")
    title = f"{len(rows)} points ({launched.skipped} were finished before); the best by {objective}"
    table(columns, [[row[c] for c in columns] for row in shown[:10]], title=title)
    failed = len(rows) - len(good)
    if failed:
        say(f"{failed} of {len(rows)} points did not converge: their rows in sweep.csv say why")
    result: dict[str, Any] = {"points": len(rows), "failed": failed, "launched": launched.count, "objective": objective}
    if best is not None:
        result["best"] = best
        say("best: " + ", ".join(f"{k}={show(best[k])}" for k in keys) + f" ({objective} {show(best[objective])})")
    if theory is not None:
        result["theory"] = {"omega": theory}
        say(f"theory: omega = {theory:.4f} (Young's formula with the Jacobi spectral radius of this matrix)")
    folder.finish(**result)
    say(f"wrote {folder.path}/ (sweep.csv, sweep.png, result.json)")
    if best is None:
        raise InputError(
            f"no point of the sweep converged: see {folder.path / 'sweep.csv'}; raise maxiter or choose another solver"
        )
    return 0


def _swept_value(row: Mapping[str, Any], key: str) -> Any:
    """Return a swept setting of a point; a swept group's value is the name of its option."""
    value = row.get(f"settings.{key}")
    return row.get(f"settings.{key}.name") if value is None else value


def _theory(config: DictConfig, keys: Sequence[str]) -> float | None:
    """Return Young's optimal omega if SOR's omega is the only swept setting."""
    if list(keys) != ["solver.omega"] or str(config.solver.name) != "sor":
        return None
    return optimal_omega(systems_of(config)[0].system.operator)
