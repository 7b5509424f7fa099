"""``resolvent VERB --help``: the verb's groups with their options, its settings with what they mean, an example."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from resolvent.solvers.errors import InputError

from .compose import configs, group_options, groups_of
from .verbs import VERBS


def _option(group: str, option: str) -> str:
    """An option of a group: what it is, and its settings with their comments."""
    text = resources.files("resolvent.conf").joinpath(group, f"{option}.yaml").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith(("# @package", "name:"))]
    about = [line.lstrip("# ") for line in kept if line.startswith("#")]
    inside = "" if "# @package _global_" in text else f"{group}."
    lines = [line for line in kept if line.strip() and not line.startswith("#")]
    settings = [f"  {inside}{line}" if line[0] != " " else f"  {line}" for line in lines]
    return "\n".join([f"{group}={option}: {' '.join(about)}", "", *settings]) + "\n\n"


def help_of(verb: str, overrides: Sequence[str] = ()) -> str:
    """Return a verb's help: its settings with their comments, read from its config file; or, where `overrides` choose
    options (``problem=heat``), those of the options.

    Raises
    ------
    InputError
        For an option that its group does not have.
    """
    options = ""
    lines = [f"resolvent {verb}: {VERBS[verb].summary}", ""]
    with configs():
        groups = groups_of(verb)
        if groups:
            lines.append("Groups (choose with GROUP=OPTION, set with GROUP.KEY=VALUE)")
            lines += [f"  {group:15} {', '.join(group_options(group))}" for group in groups]
            lines.append("")
        for group, _, option in (override.partition("=") for override in overrides):
            if group in groups:
                known = group_options(group)
                if option not in known:
                    raise InputError(f"{group}={option} is unknown: the options are {', '.join(known)}")
                options += _option(group, option)
    if options:
        return options.rstrip("\n")
    lines.append("Settings")
    text = resources.files("resolvent.conf").joinpath(f"{verb}.yaml").read_text(encoding="utf-8")
    inside = ""  # the top-level block that indented lines belong to
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            inside = line.split(":")[0]
        if inside not in ("defaults", "hydra"):
            lines.append("  " + line)
    lines += [
        "",
        "Example",
        f"  {VERBS[verb].example}",
        "",
        f"  resolvent {verb} --cfg prints all settings, groups included.",
        *([f"  resolvent {verb} {groups[0]}=OPTION --help explains those of an option."] if groups else []),
    ]
    return "\n".join(lines)
