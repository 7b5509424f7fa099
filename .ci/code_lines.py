#!/usr/bin/env python3
"""Count lines of code (no blanks, comments, docstrings) by top folder: `python .ci/code_lines.py [ROOT]`."""

from __future__ import annotations

import ast
import sys
import tokenize
from pathlib import Path

FOLDERS = ("solvers", "data", "operators", "workflows", "conf", "package", "tests")


def code_lines(path: Path) -> int:
    """Return how many lines of a file hold code."""
    with tokenize.open(path) as file:
        text = file.read()
    lines: set[int] = set()
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        # docstrings, and the strings that explain a constant above them
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def main(root: Path) -> None:
    """Print the count of each folder, faces (`__init__`) apart."""
    total = faces = 0
    for folder in FOLDERS:
        files = sorted((root / folder).rglob("*.py*")) if (root / folder).is_dir() else []
        files = [f for f in files if f.suffix in (".py", ".pyi") and "__pycache__" not in f.parts]
        inits = sum(code_lines(f) for f in files if f.stem == "__init__")
        rest = sum(code_lines(f) for f in files if f.stem != "__init__")
        print(f"{folder:10} {rest:6}   __init__ {inits:5}")
        if folder != "tests":
            total, faces = total + rest, faces + inits
    print(f"{'source':10} {total:6}   __init__ {faces:5}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("."))
