"""Measure the tables ``results/NAME.md`` of ``resolvent bench NAME``, each by a module with ``measure``."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from resolvent.solvers import InputError
from resolvent.solvers.arguments import did_you_mean

from ..compose import compose_verb
from ..run_folder import RunFolder

#: The tables by name, with the module of this folder that measures each.
TABLES = {
    "generation": "generation",
    "darcy_fno": "darcy_fno",
    "neural_spectral": "neural_spectral",
    "neural_spectral_flow": "neural_spectral.flow",
    "solvers": "solvers",
    "multigrid_gpu": "multigrid_gpu",
    "skr": "skr",
    "skr_large": "skr.large",
    "timestepping": "timestepping",
    "operators": "operators",
    "startup": "startup",
    "kernels": "kernels",
    "strangers": "strangers",
    "hostile": "hostile",
}


def run(overrides: Sequence[str]) -> int:
    """Measure the table that the overrides name; return 0."""
    config = compose_verb("bench", overrides)
    name = str(config.name)
    if config.name is None or name not in TABLES:
        what = "no table is named" if config.name is None else f"unknown table '{name}'"
        raise InputError(f"{what}: the tables are {', '.join(TABLES)}{did_you_mean(name, TABLES)}")
    if int(config.rounds) < 1:
        raise InputError(f"rounds={config.rounds}: expected at least 1")
    module = importlib.import_module(f"{__name__}.{TABLES[name]}")
    return int(module.measure(config, RunFolder("bench", config)))
