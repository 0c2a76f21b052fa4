# SPDX-License-Identifier: GPL-2.0-or-later
"""Hints can be pasted: they name their lab, and are quoted."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import hint
from lab.cli.main import cli

TREE = Path(__file__).parents[3]
OF_A_LAB = sorted(
    name
    for name, command in cli.commands.items()
    if any("--lab" in p.opts for p in command.params) and name != "graph"  # it draws topologies
)
BARE = re.compile(rf"tkm-lab ({'|'.join(OF_A_LAB)})\b(?! --(all|lab))")
"""A command that would mean whichever lab is the only one up, or none."""
PROGRAM = "tkm-lab capture"
"""Not a hint: what a capture names as its author."""


def test_a_command_names_its_lab_and_is_quoted() -> None:
    line = hint.command("mine", "exec", "alice", "a b", "$(x)")
    assert shlex.split(line) == ["tkm-lab", "exec", "--lab", "mine", "alice", "a b", "$(x)"]


def _texts(file: Path) -> Iterator[str]:
    """The texts of a module that are not documentation."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def _is_hint(text: str) -> bool:
    """Whether a message has such a command; a message is one line."""
    return bool(BARE.search(text)) and text != PROGRAM and "\n" not in text


@pytest.mark.parametrize(
    "file",
    [TREE / "tkm_lab_pytest.py", *sorted((TREE / "lab").rglob("*.py"))],
    ids=lambda file: str(file.relative_to(TREE)),
)
def test_no_text_has_a_command_that_could_mean_another_lab(file: Path) -> None:
    assert [text for text in _texts(file) if _is_hint(text)] == []


@pytest.mark.parametrize("text", ["tkm-lab down, then up", "x: tkm-lab check"])
def test_such_a_command_would_be_found(text: str) -> None:
    assert _is_hint(text)
    assert not _is_hint("tkm-lab down --all")
