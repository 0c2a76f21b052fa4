#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write the reference of commands from what the commands say of themselves.

.venv/bin/python docs/commands.py        # writes docs/commands.md
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from lab.cli.main import SECTIONS, cli

FILE = Path(__file__).with_suffix(".md")
_HEAD = """\
# Commands

What `tkm-lab COMMAND --help` says, on one page (made by `docs/commands.py`).

**Which lab.** `--lab NAME`; else `TKM_LAB=NAME` in the environment; else the only one that is up.

**Exit codes.** 0 success, 1 failure, 2 wrong use; what went wrong is one line on standard
error. `exec`, `shell` and `ping` end as the command that they run does (128 and its number, if a
signal ended it; 127 if the node has no such command, 126 if it cannot be executed). `run` knows 3,
too: it could not run.

**Output.** Text never decides an exit code. If the reader goes (`| head`), a command is silent and
goes on to its end; `logs -f`, `capture -f` end with 0, `exec`, `shell` and `ping` with 141. If
standard output cannot be written, that is one line on standard error in the end, and exit code 1.
What the encoding of the terminal does not have is written in ASCII.

**Programs.** `--json` gives what people see, and more, as JSON. It has no keys in it.

**Completion.** Commands, options, and the lab's own nodes, daemons and links behind Tab:

```
eval "$(_TKM_LAB_COMPLETE=bash_source tkm-lab)"        # in ~/.bashrc; zsh_source, fish_source
```
"""


def main() -> None:
    """Write the file."""
    FILE.write_text(reference(), encoding="utf-8")


def reference() -> str:
    """The page."""
    parts = [_HEAD]
    for heading, commands in SECTIONS.items():
        parts.append(f"## {heading}\n")
        parts += [_command(command) for command in commands]
    return "\n".join(parts)


def _command(command: click.Command) -> str:
    context = click.Context(command, click.Context(cli, info_name="tkm-lab"), command.name)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    rows = list(_options(context, command))
    table = ["| option | |", "|---|---|", *rows, ""] if rows else []
    return "\n".join([f"### `{usage}`", "", *_help(command), *table])


def _help(command: click.Command) -> Iterator[str]:
    """Its help; what click must not wrap is code."""
    for paragraph in cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            lines = paragraph.removeprefix("\b\n").splitlines()
            yield from ("```", *(line.removeprefix("  ") for line in lines), "```", "")
        else:
            yield paragraph
            yield ""


def _options(context: click.Context, command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            names, about = (text.replace("|", "\\|") for text in record)
            yield f"| `{names}` | {about} |"


if __name__ == "__main__":
    main()
