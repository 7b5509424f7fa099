"""Read the config files as they stand, without Hydra: their groups, options and comments, for help and checks."""

from __future__ import annotations

from importlib import resources

import yaml

GROUPS = ("problem", "solver", "preconditioner", "engine", "operator", "draw", "experiment")


def text_of(*names: str) -> str:
    """Return the text of a config file: ``text_of("solve")``, ``text_of("problem", "darcy")``."""
    *folders, name = names
    return resources.files("resolvent.conf").joinpath(*folders, f"{name}.yaml").read_text(encoding="utf-8")


def groups_of(verb: str) -> list[str]:
    """Return the config groups that a verb's defaults list names."""
    defaults = yaml.safe_load(text_of(verb)).get("defaults", [])
    named = {key for entry in defaults if isinstance(entry, dict) for key in entry}
    return [group for group in GROUPS if group in named]


def group_options(group: str) -> list[str]:
    """Return the options of a config group, in alphabetical order."""
    files = resources.files("resolvent.conf").joinpath(group).iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))
