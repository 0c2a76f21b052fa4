# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pages tell to type is what the commands take."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lab.cli.main import cli
from lab.scenario.model import shipped as scenarios
from lab.topology import shipped as topologies

ROOT = Path(__file__).parents[4]
PAGES = ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]


def blocks(page: str) -> Iterator[str]:
    """The lines of a page's blocks of shell commands."""
    language = None
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            language = line[3:] if language is None else None
        elif language in ("", "sh"):
            yield line


def typed(page: str) -> Iterator[tuple[str, ...]]:
    """The words behind each `tkm-lab` that begins a command."""
    for line in blocks(page):
        if "tkm-lab " not in line:
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        command: list[str] = []
        for word in (*lexer, ";"):
            if word.strip("|&;"):
                command.append(word)
            else:
                if command and command[0].rpartition("/")[2] == "tkm-lab":
                    yield tuple(command[1:])
                command = []


COMMANDS = sorted({(page, words) for page in PAGES for words in typed(page)})


def test_there_are_commands() -> None:
    assert {"README.md", "docs/tutorial.md", "docs/lecture.md"} <= {page for page, _ in COMMANDS}


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda part: " ".join([*part][:6]))
def test_the_command_is_taken(page: str, words: tuple[str, ...]) -> None:
    context = click.Context(cli, info_name="tkm-lab")
    name, command, rest = cli.resolve_command(context, list(words))
    assert command is not None
    given = command.make_context(name, rest, parent=context).params
    if name == "up":
        assert given["topology"] in topologies() or "/" in given["topology"]
    if name == "run":
        assert {one for one in given["names"] if "/" not in one} <= set(scenarios())
