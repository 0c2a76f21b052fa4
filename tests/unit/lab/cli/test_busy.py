# SPDX-License-Identifier: GPL-2.0-or-later
"""The spinner: only where there is a terminal, never in a line that a program reads."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys

import pytest

_PROGRAM = """
from lab.cli import show
with show.busy("looking") as report:
    report("looking on")
    show.out.print("a line")
"""


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1"}])
def test_nothing_of_it_in_a_pipe(variables: dict[str, str]) -> None:
    """rich takes a pipe for a terminal where FORCE_COLOR is set."""
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, **variables},
        capture_output=True,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == (b"a line\n", b"")


def test_it_is_shown_on_a_terminal_and_is_gone_before_a_line() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        variables = {**os.environ, "TERM": "xterm"}
        subprocess.run([sys.executable, "-c", _PROGRAM], stdout=theirs, env=variables, check=True)
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # EIO is the end of a terminal
            while octets := terminal.read(4096):
                shown += octets
    assert b"looking on" in shown
    assert re.search(rb"(^|\x1b\[\?25l)a line\r\n", shown), "the line is whole"
    assert shown.endswith(b"\x1b[2K"), "the spinner is erased at the end"
