"""Progress: shown unless told otherwise; plain lines where there is no terminal, a bar without threads on one."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path

import pytest

from resolvent.data import Chains, GenerationProgress, generate, make_problem
from resolvent.data.progress import ProgressLine


def test_a_generation_shows_it_unless_told_not_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = make_problem("poisson", resolution=8, modes=8)
    seen: list[GenerationProgress] = []
    for name, progress in (("no", False), ("none", None), ("own", seen.append)):
        generate(problem, tmp_path / name, splits={"train": 8}, progress=progress)
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == ("", "")
    assert seen[-1].done == 8
    generate(problem, tmp_path / "yes", splits={"train": 8}, progress=True)
    assert re.search(r"^generate: 8/8 samples, .* samples/s$", capsys.readouterr().out, re.MULTILINE)
    generate(problem, tmp_path / "default", splits={"train": 8}, strategy=Chains("auto", 4))
    printed = capsys.readouterr().out
    assert "generate: 8/8 samples" in printed
    assert printed.count("one factorisation") == 1


def test_a_bar_has_no_thread(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    before = threading.active_count()
    with ProgressLine("work") as line:
        line(1, 3)
        assert threading.active_count() == before  # another thread would keep workers from being forked
        line.say("news")
        line(3, 3)
    printed = capsys.readouterr().out
    assert "news" in printed
    assert "3/3" in printed
