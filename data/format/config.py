"""Check the configuration of a dataset before anything in it is believed (FORMAT 2)."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resolvent.solvers import ORDERINGS, STRATEGIES, InputError
from resolvent.solvers.arguments import is_integer, is_real

from .atomic_files import one_line
from .compression import COMPRESSIONS, ERROR_BOUNDED, MODES
from .digests import config_hash
from .identifiers import is_identifier
from .splits import SPLITS


def check_config(config: Mapping[str, Any], path: Path) -> None:
    """Refuse a configuration that no dataset has.

    Raises
    ------
    InputError
        Naming the line of FORMAT.md.
    """
    found = config_violation(config)
    if found is not None:
        line, what = found
        raise InputError(f"{path} breaks FORMAT {line}: {what}; restore it, or generate the data again")


def config_violation(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first line of FORMAT.md that a configuration breaks, and how; None if it breaks none."""
    kind = config.get("kind")
    if kind not in ("problem", "arrays"):
        return "2.2", f"kind is {_shown(kind)}, expected problem or arrays"
    splits = config.get("splits")
    if (
        not isinstance(splits, Mapping)
        or not set(splits) <= set(SPLITS)
        or not all(_integer(n, 0) for n in splits.values())
        or not sum(splits.values()) > 0
    ):
        return "2.3", f"splits is {_shown(splits)}, expected sizes of {', '.join(SPLITS)}"
    for key, least in (("start", 0), ("shard_size", 1)):
        if not _integer(config.get(key), least):
            return "2.3", f"{key} is {_shown(config.get(key))}, expected an integer of at least {least}"
    shards = sum(-(-n // config["shard_size"]) for n in splits.values())
    if shards > 10_000_000:
        return "2.3", f"splits and shard_size make {shards} shards, expected at most 10000000"
    if config.get("dtype") not in ("float64", "float32"):
        return "2.4", f"dtype is {_shown(config.get('dtype'))}, expected float64 or float32"
    compression, bound = config.get("compression"), config.get("error_bound")
    if compression not in COMPRESSIONS:
        return "2.5", f"compression is {_shown(compression)}, expected one of {', '.join(COMPRESSIONS)}"
    if compression in ERROR_BOUNDED:
        number = is_real(bound)
        if not number or not math.isfinite(float(bound or 0)) or not float(bound or 0) > 0:
            return "2.5", f"error_bound is {_shown(bound)}, expected a number above 0"
        if config.get("error_bound_mode") not in MODES:
            return "2.5", f"error_bound_mode is {_shown(config.get('error_bound_mode'))}, expected {' or '.join(MODES)}"
    if kind == "problem":
        problem, solver = config.get("problem"), config.get("solver")
        if not isinstance(problem, Mapping) or not isinstance(problem.get("settings"), Mapping):
            return "2.6", f"problem is {_shown(problem)}, expected name and settings"
        if not is_identifier(problem.get("name")):
            return "2.8", f"the problem's name is {_shown(problem.get('name'))}"
        settings = solver.get("settings") if isinstance(solver, Mapping) else None
        if not isinstance(settings, Mapping) or not is_real(settings.get("rtol")):
            return "2.6", f"solver is {_shown(solver)}, expected settings with rtol"
        if not 0.0 < settings["rtol"] <= sys.float_info.max:
            return "2.6", f"rtol is {_shown(settings['rtol'])}, expected a number above 0"
        if not _integer(config.get("seed"), 0):
            return "2.6", f"seed is {_shown(config.get('seed'))}, expected an integer of at least 0"
        return _family_violation(config) or _no_json(config)
    if not is_identifier(config.get("name")):
        return "2.8", f"name is {_shown(config.get('name'))}, expected letters, digits, '_' and '-'"
    fields = config.get("fields")
    lists = [fields.get(key) for key in ("inputs", "outputs")] if isinstance(fields, Mapping) else [None]
    if not all(isinstance(names, list) for names in lists):
        return "2.7", f"fields is {_shown(fields)}, expected lists inputs and outputs"
    for name in (name for names in lists for name in names or ()):
        if not is_identifier(name):
            return "2.8", f"a field's name is {_shown(name)}, expected letters, digits, '_' and '-'"
    for key in ("units", "boundary", "digest"):
        if key not in config:
            return "2.7", f"{key} is missing"
    return _no_json(config)


def _no_json(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Check that a configuration can be hashed: YAML has dates, and numbers that are not finite, which JSON has not."""
    try:
        config_hash(config)
    except (TypeError, ValueError) as error:
        return "3.3", f"it cannot be written as JSON ({one_line(error)})"
    return None


def _family_violation(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Check what a configuration says about samples solved together, if anything."""
    if "family" not in config:
        return None
    family = config["family"]
    if not isinstance(family, Mapping):
        return "2.9", f"family is {_shown(family)}, expected strategy, chain and sort"
    together = [name for name in STRATEGIES if name != "independent"]
    for key, names in (("strategy", together), ("sort", list(ORDERINGS))):
        if family.get(key) not in names:
            return "2.9", f"family.{key} is {_shown(family.get(key))}, expected one of {', '.join(names)}"
    if not _integer(family.get("chain"), 1) or config["shard_size"] % family["chain"]:
        return "2.9", f"family.chain is {_shown(family.get('chain'))}, expected a divisor of shard_size"
    return None


def _integer(value: Any, least: int) -> bool:
    return is_integer(value) and value >= least


def _shown(value: Any) -> str:
    return repr(value)[:80]


def differences(old: Any, new: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """Return (dotted key, old, new) of every leaf that differs between two nested dictionaries."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if old == new else [(key, old, new)]
    found = []
    for name in dict.fromkeys([*old, *new]):
        found += differences(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    return found
