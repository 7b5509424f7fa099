"""Run ``resolvent bench NAME``: measure one of the project's tables, ``workflows/bench/results/NAME.md``."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from resolvent.solvers import InputError
from resolvent.solvers.arguments import did_you_mean

from ..bench import TABLES
from ..compose import compose_verb
from ..run_folder import RunFolder


def run(overrides: Sequence[str]) -> int:
    """Measure the table that the overrides name; return 0."""
    config = compose_verb("bench", overrides)
    name = str(config.name)
    if config.name is None or name not in TABLES:
        what = "no table is named" if config.name is None else f"unknown table '{name}'"
        raise InputError(f"{what}: the tables are {', '.join(TABLES)}{did_you_mean(name, list(TABLES))}")
    if int(config.rounds) < 1:
        raise InputError(f"rounds={config.rounds}: expected at least 1")
    module = importlib.import_module(f"resolvent.workflows.bench.{name}")
    return int(module.measure(config, RunFolder("bench", config)))
