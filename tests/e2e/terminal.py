# SPDX-License-Identifier: GPL-2.0-or-later
"""`tkm-lab` in a terminal of 80 columns."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from typing import NamedTuple

from rich.text import Text

from tests.e2e.command import COMMAND, environment

COLUMNS = 80


class Shown(NamedTuple):
    """What a command did, and the lines that stood on the terminal, one after the other."""

    code: int
    lines: list[str]

    @property
    def too_long(self) -> list[str]:
        """The lines that the terminal has broken."""
        return [line for line in self.lines if len(line) > COLUMNS]


def in_terminal(*arguments: str, **more: str) -> Shown:
    """Run a command to its end.

    Args:
        arguments: of tkm-lab.
        more: environment variables.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    env = environment({"TERM": "xterm", **more})
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
    code = process.wait(timeout=60)
    text = Text.from_ansi(octets.decode().replace("\r\n", "\n")).plain
    return Shown(code, text.split("\n"))
