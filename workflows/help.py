"""Write ``resolvent VERB --help``: the verb's groups, its settings with what they mean, an example."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

from resolvent.solvers.errors import InputError

from .config_files import group_options, groups_of, text_of
from .verbs import VERBS


def _option(group: str, option: str) -> str:
    """Return the help of a group's option: what it is, and its settings with their comments."""
    text = text_of(group, option)
    about = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#") and "@package" not in line]
    prefix = "" if "# @package _global_" in text else f"{group}."
    return "\n".join([f"{group}={option}: {' '.join(about)}", "", *_settings(text, prefix, ("name",))]) + "\n\n"


def _settings(text: str, prefix: str = "", hidden: Sequence[str] = ()) -> list[str]:
    """Return the settings of a config file as lines for the help, with their comments in a column."""
    shown: list[list[str]] = []
    block = ""  # the key at the margin that indented lines belong to
    for line in filter(str.strip, text.splitlines()):
        setting, _, comment = line.partition(" # ")
        if not setting.strip():  # the comment of the line before goes on
            shown[-1][1] += f" {comment}"
        elif not line.startswith("#"):
            if not line.startswith(" "):
                block, setting = line.split(":")[0], prefix + setting
            if block not in hidden:
                shown.append([setting.rstrip(), comment])
    column = max((len(setting) for setting, comment in shown if comment), default=0)
    width = max(shutil.get_terminal_size((120, 24)).columns - column - 4, 40)
    lines = []
    for setting, comment in shown:
        first, *rest = textwrap.wrap(comment, width) or [""]
        lines.append(f"  {setting:{column}}  {first}".rstrip())
        lines += [" " * (column + 4) + part for part in rest]
    return lines


def help_of(verb: str, overrides: Sequence[str] = ()) -> str:
    """Return a verb's help, read from its config file; or that of the options which `overrides` choose (problem=heat).

    Raises
    ------
    InputError
        For an option that its group does not have.
    """
    options = ""
    lines = [f"resolvent {verb}: {VERBS[verb].summary}", ""]
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
    lines += ["Settings", *_settings(text_of(verb), hidden=("defaults", "hydra"))]
    lines += [
        "",
        "Example",
        f"  {VERBS[verb].example}",
        "",
        f"  resolvent {verb} --cfg prints all settings, groups included.",
        *([f"  resolvent {verb} {groups[0]}=OPTION --help explains those of an option."] if groups else []),
    ]
    return "\n".join(lines)
