# SPDX-License-Identifier: GPL-2.0-or-later
"""What is printed fits 80 columns, and no value is cut or broken; a pipe gets a row on a line."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import termios

import pytest
from rich.console import Console
from rich.text import Text

from lab.cli.layout import Listing
from lab.cli.main import cli
from tests.e2e.command import COMMAND, environment

COLUMNS = 80


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


def _in_terminal(*arguments: str) -> list[str]:
    """The lines that a command prints in a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    env = environment({"TERM": "xterm"})
    del env["COLUMNS"]
    command = [*COMMAND, *arguments]
    process = subprocess.Popen(command, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    octets = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        while True:
            try:
                piece = terminal.read(65536)
            except OSError:  # EIO: the other side is closed
                break
            if not piece:
                break
            octets += piece
    process.wait(timeout=60)
    return Text.from_ansi(octets.decode().replace("\r\n", "\n")).plain.split("\n")


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
    lines = _in_terminal(*arguments)
    assert any(lines)
    assert [line for line in lines if len(line) > COLUMNS] == []
