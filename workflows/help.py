"""``resolvent VERB --help``: the verb's groups with their options, its settings with what they mean, an example."""

from __future__ import annotations

from importlib import resources

from .compose import configs, group_options, groups_of
from .verbs import VERBS


def help_of(verb: str) -> str:
    """Return a verb's help; the settings and their comments are read from its config file."""
    lines = [f"resolvent {verb}: {VERBS[verb].summary}", ""]
    with configs():
        groups = groups_of(verb)
        if groups:
            lines.append("Groups (choose with GROUP=OPTION, set with GROUP.KEY=VALUE)")
            lines += [f"  {group:15} {', '.join(group_options(group))}" for group in groups]
            lines.append("")
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
    ]
    return "\n".join(lines)
