#!/usr/bin/env python3
"""Check the English of docstrings: `python .ci/docstrings.py [FILE ...]` prints what breaks the rules.

Two rules, for everything public (modules, classes, functions, methods, properties):

- The first line is a sentence with a verb: it begins with an imperative ("Return the residual.") or has one in the
  third person ("The grid holds …").
- No sentence begins with "Of" ("Of a dataset: …"); this one holds for comments, help texts and Markdown too.

The verbs stand in `verbs.txt`: who uses another one adds it there.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("solvers", "data", "operators", "workflows", "conf", "package")


def _words() -> dict[str, set[str]]:
    """Return the lists of `verbs.txt` by their names."""
    text = (Path(__file__).parent / "verbs.txt").read_text(encoding="utf-8")
    sections = re.findall(r"^\[(\w+)\].*\n([^\[]*)", text, re.MULTILINE)
    return {name: set(words.split()) for name, words in sections}


WORDS = _words()


HEADLESS = re.compile(r"(?:^|[.;:!?]\s+|\n\n\s*)Of\s")


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Yield the line, the text and whether it is public, of each docstring of a module."""

    def visit(node: ast.AST, public: bool) -> Iterator[tuple[int, str, bool]]:
        text = ast.get_docstring(node) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) else None
        if text:
            yield getattr(node, "lineno", 1), text, public
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                # A function within a function is its own business; methods are as public as their class.
                inside = not isinstance(node, ast.FunctionDef) and not child.name.startswith("_")
                yield from visit(child, public and inside)

    yield from visit(tree, True)


def has_verb(line: str) -> bool:
    """Return whether a first line has a verb: an imperative at its head, or one in the third person anywhere."""
    words = re.findall(r"[A-Za-z]+", re.sub(r"`[^`]*`", "", line))
    head = re.match(r"[A-Za-z]+", line)
    if head and head.group() in WORDS["imperatives"]:
        return True
    following = [*words[1:], ""]
    return any(
        w in WORDS["finite"] or (w in WORDS["nouns_too"] and f in WORDS["objects"])
        for w, f in zip(words, following, strict=True)
    )


def _first_sentence(text: str) -> str:
    paragraph = text.split("\n\n", 1)[0]
    return " ".join(paragraph.split())


def violations(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the rule and the text of each violation in a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        for number, line in enumerate(text.splitlines(), 1):
            if re.match(r"\s*(?:#\s*)?Of\s", line) or re.search(r"(?:[.;:]|#)\s+Of\s", line):
                yield number, "a sentence begins with Of", line.strip()
        return
    for number, docstring, public in _docstrings(ast.parse(text)):
        if HEADLESS.search(docstring):
            yield number, "a sentence begins with Of", docstring.splitlines()[0]
        if public and not has_verb(_first_sentence(docstring)):
            yield number, "the first line has no verb", docstring.splitlines()[0]
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"#:?\s(?:.*[.;:]\s)?Of\s", line):
            yield number, "a sentence begins with Of", line.strip()


def main(arguments: list[str]) -> int:
    """Print the violations in the files given, or in the whole project; return 1 if there are any."""
    places = [Path(a) for a in arguments] or [Path(f) for f in (*FOLDERS, "README.md", "CONTRIBUTING.md", "docs")]
    files = [f for p in places for f in ([p] if p.is_file() else sorted(p.rglob("*")))]
    found = 0
    for path in files:
        if path.suffix in (".py", ".yaml", ".md") and "results" not in path.parts:
            for number, rule, text in violations(path):
                print(f"{path}:{number}: {rule}: {text}")
                found += 1
    print(f"docstrings: {found} headless first lines or sentences that begin with Of")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
