#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the README's picture: run the commands, keep what they print.

.venv/bin/python docs/picture.py        # writes docs/two-hosts.svg
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
COMMANDS = ("up two-hosts", "ping -c 2 alice bob", "check", "down")
WIDTH = 96
FONTS = "ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace"


def main() -> None:
    """Run, draw, write."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH)}
    for command in COMMANDS:
        console.print(Text.assemble(("$ ", "bold"), ("scripts/tkm-lab " + command, "bold cyan")))
        done = subprocess.run(
            [ROOT / "scripts/tkm-lab", *command.split()],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"tkm-lab {command} failed with {done.returncode}")
        console.print(Text.from_ansi(done.stdout))
    picture = console.export_svg(title="tkm-lab", clear=False, code_format=svg_format())
    (ROOT / "docs/two-hosts.svg").write_text(picture)


def svg_format() -> str:
    """rich's format of a picture, with fonts that the reader has: none comes from the network."""
    without = re.sub(r"\s*@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return without.replace("Fira Code, monospace", FONTS)


if __name__ == "__main__":
    main()
