# SPDX-License-Identifier: GPL-2.0-or-later
"""`tkm-lab` as a person uses it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

TREE = Path(__file__).parents[2]
PROGRAM = ("-c", "from lab.cli.main import main; main()")
COMMAND = (sys.executable, *PROGRAM)
FRESH_NETWORK = ("unshare", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")))
"""The beginning of an `unshare` command, as root or as an ordinary user."""


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """Its only line on standard error."""
        (line,) = self.err.splitlines()
        return line


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours, without what would choose a lab or a width for us."""
    ours = {name: value for name, value in os.environ.items() if name != "TKM_LAB"}
    return ours | {"PYTHONPATH": str(TREE), "COLUMNS": "80"} | dict(more)


def tkm_lab(*arguments: str, given: str = "", within: Sequence[str] = (), **more: str) -> Outcome:
    """Run a command to its end.

    Args:
        arguments: of tkm-lab.
        given: its standard input.
        within: what stands before it, such as `nsenter …`.
        more: environment variables.
    """
    result = subprocess.run(
        [*within, *COMMAND, *arguments],
        input=given,
        env=environment(more),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Outcome(result.returncode, result.stdout, result.stderr)
