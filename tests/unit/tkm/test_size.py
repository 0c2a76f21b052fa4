# SPDX-License-Identifier: GPL-2.0-or-later
"""The trusted computing base does not grow."""

import ast
import io
import tokenize
from pathlib import Path

import tkm

TARGET = 4000
"""What issue 11 asks for. It is not met."""
MOST = 4767
"""What there is: lower it with each line that goes, down to the target, and never raise it."""
_NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENCODING, tokenize.ENDMARKER,
}  # fmt: skip


def lines_of_code(source: str) -> int:
    """Lines with any token that is neither a comment nor part of a docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - docstring_lines(ast.parse(source)))


def docstring_lines(tree: ast.AST) -> set[int]:
    """Lines of strings that stand alone: docstrings, also those of attributes."""
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def test_what_counts() -> None:
    source = '"""A module.\n\nIts text."""\n\nX = 1\n"""Of X."""\n# why\nY = """a\nb"""  # how\n'
    assert lines_of_code(source) == 3


def test_the_tkm_does_not_grow() -> None:
    folder = Path(tkm.__file__).parent
    sizes = {
        str(file.relative_to(folder)): lines_of_code(file.read_text(encoding="utf-8"))
        for file in folder.rglob("*.py")
    }
    total = sum(sizes.values())
    assert 0 < total <= MOST, (
        f"tkm/ has {total} lines of code, not at most {MOST} (target {TARGET}): {sizes}"
    )
