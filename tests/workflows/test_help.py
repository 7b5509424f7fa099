"""``resolvent VERB --help`` and the comments in ``conf/`` that it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from resolvent.workflows.config_files import GROUPS, group_options, groups_of, text_of
from resolvent.workflows.help import help_of
from resolvent.workflows.verbs import VERBS

# An experiment sets keys that `train` explains.
EXPLAINED = [*((verb,) for verb in VERBS), *((g, o) for g in GROUPS if g != "experiment" for o in group_options(g))]


@pytest.mark.parametrize("names", EXPLAINED, ids="/".join)
def test_every_setting_has_a_comment_of_its_own(names: tuple[str, ...]) -> None:
    block = ""
    for line in text_of(*names).splitlines():
        if line and not line.startswith((" ", "#")):
            block = line.split(":")[0]
            if block not in ("defaults", "hydra") and (block != "name" or len(names) == 1):
                comment = line.partition(" # ")[2]
                assert comment, f"{'/'.join(names)}: {line} has no comment"
                assert not re.match(r"of\b|…|or\b|\.\.\.", comment), f"{line}: cannot be read alone"
                assert not comment.endswith("…") or ", …" in comment, f"{line}: cannot be read alone"


def test_the_help_shows_settings_with_whole_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = help_of("generate").splitlines()
    assert "  problem         advection, allen_cahn, burgers" in help_of("generate")
    start = next(k for k, line in enumerate(lines) if line.startswith("  strategy: independent"))
    column = len(lines[start]) - len(lines[start].split("independent", 1)[1].lstrip())
    end = next(k for k, line in enumerate(lines) if line.startswith("  chain: 64"))
    assert end > start + 1
    assert all(line[:column].isspace() for line in lines[start + 1 : end])
    shown = " ".join(line[column:] for line in lines[start:end])
    assert shown.endswith("superposition, reduced_basis, warm_start, recycling")
    assert not any(line.lstrip().startswith(("defaults", "hydra")) for line in help_of("sweep").splitlines())


def test_the_help_of_an_option() -> None:
    shown = help_of("solve", ["problem=heat"])
    assert shown.startswith("problem=heat: ∂u/∂t = ∇·(κ∇u) + f")
    assert re.search(r"^  problem\.kappa: 0\.1 +κ", shown, re.MULTILINE)
    assert "name:" not in shown


def test_groups_are_those_of_the_defaults_list() -> None:
    assert groups_of("solve") == ["problem", "solver", "preconditioner"]
    assert groups_of("train") == ["operator", "draw", "experiment"]
    assert groups_of("verify") == []


def test_the_folder_of_configs_holds_the_groups_alone() -> None:
    conf = Path(__file__).parents[2] / "conf"
    assert {path.name for path in conf.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(GROUPS)
