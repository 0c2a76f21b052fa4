# SPDX-License-Identifier: GPL-2.0-or-later
"""``logs``: what the daemons print, of all hosts by time, or of one."""

from __future__ import annotations

import dataclasses
import json

import click

from lab.cli import complete
from lab.cli.common import ending_quietly, json_option, lab_option, print_json, the_lab
from lab.cli.streams import reader_gone


@click.command(short_help="What the daemons log, merged by time.")
@lab_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.argument("node", required=False, shell_complete=complete.nodes)
@click.argument("daemon", required=False, shell_complete=complete.daemons)
@json_option
def logs(
    name: str | None, follow: bool, node: str | None, daemon: str | None, as_json: bool
) -> None:
    """Show what DAEMON, or all daemons, of NODE, or of all nodes, have logged, by time.

    With --json and -f each line is an object of its own.
    """
    from lab.cli import show
    from lab.observe import follow as following

    lab = the_lab(name)
    painter = show.LogPainter([one.name for one in lab.status().nodes], alone=daemon is not None)
    if not follow:
        lines = lab.logs(node, daemon)
        if lines.forgotten:
            show.warn(f"{lines.forgotten} older lines are not kept: a daemon has room for 2 MiB")
        if as_json:
            print_json([dataclasses.asdict(line) for line in lines])
            return
        for line in lines:
            painter.line(line)
        return
    with ending_quietly():
        for line in following.lines(lab, node, daemon, end=reader_gone()):
            if as_json:
                click.echo(json.dumps(dataclasses.asdict(line)))
            else:
                painter.line(line)
