# SPDX-License-Identifier: GPL-2.0-or-later
"""What is printed fits 80 columns, and no value is cut or broken; a pipe gets a row on a line."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from lab.cli.layout import Listing, wrapped
from lab.cli.main import cli
from tests.e2e.terminal import in_terminal


def _drawn(listing: Listing, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        console.print(listing, soft_wrap=True)
    return captured.get().splitlines()


def _wide() -> Listing:
    listing = Listing("NODE", "A", "B", "C", "D", "WHAT", prose=("WHAT",))
    listing.add_row("alice", "a" * 30, "b" * 30, "c" * 39, "d" * 16, "some words of prose " * 3)
    return listing


@pytest.mark.parametrize("width", [72, 80, 100, 120])
def test_a_table_that_is_too_wide_is_stacked(width: int) -> None:
    lines = _drawn(_wide(), width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert all(value in text for value in ("a" * 30, "b" * 30, "c" * 39, "d" * 16))
    assert text.split().count("prose") == 3


def test_without_a_terminal_a_row_is_a_line() -> None:
    assert len(_drawn(_wide(), 100_000)) == 2


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("one two three", ["one two", "three"]),
        ("    one two", ["    one", "two"]),
        ("one twotwotwotwo three", ["one", "twotwotwotwo", "three"]),
        ("    twotwotwotwo", ["    twotwotwotwo"]),
        ("one 二二二二", ["one", "二二二二"]),
        ("one  two\n\nthree", ["one  two", "", "three"]),
    ],
)
def test_prose_breaks_at_spaces_only(text: str, lines: list[str]) -> None:
    assert [piece.plain for piece in wrapped(Text(text), 9)] == lines


@pytest.mark.parametrize(
    "arguments",
    [
        ("topologies",),
        ("run", "--list"),
        ("doctor",),
        ("--help",),
        *((name, "--help") for name in sorted(cli.commands)),
    ],
)
def test_commands_fit_a_terminal(arguments: tuple[str, ...]) -> None:
    shown = in_terminal(*arguments)
    assert any(shown.lines)
    assert shown.too_long == []
