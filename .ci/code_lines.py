#!/usr/bin/env python3
"""Count lines of code (no blanks, comments, docstrings) by top folder: `python .ci/code_lines.py [ROOT]`."""

from __future__ import annotations

import ast
import sys
import tokenize
from pathlib import Path

FOLDERS = ("solvers", "data", "operators", "workflows", "conf", "package", "tests")


def code_lines(path: Path) -> tuple[int, int]:
    """Return how many lines of a file hold code, and how many of an `__init__` import and export."""
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
    face = set()
    if path.stem == "__init__":
        for node in ast.parse(text).body:
            exports = isinstance(node, ast.Assign) and "__" in ast.unparse(node.targets[0])
            if exports or isinstance(node, ast.Import | ast.ImportFrom):
                face.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines - face), len(lines & face)


def main(root: Path) -> None:
    """Print the count of each folder, faces apart."""
    total = faces = 0
    for folder in FOLDERS:
        files = sorted((root / folder).rglob("*.py*")) if (root / folder).is_dir() else []
        files = [f for f in files if f.suffix in (".py", ".pyi") and "__pycache__" not in f.parts]
        counts = [code_lines(f) for f in files]
        rest, inits = sum(c for c, _ in counts), sum(f for _, f in counts)
        print(f"{folder:10} {rest:6}   faces {inits:5}")
        if folder != "tests":
            total, faces = total + rest, faces + inits
    print(f"source     {total:6}   faces {faces:5}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("."))
