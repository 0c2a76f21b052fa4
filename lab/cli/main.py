# SPDX-License-Identifier: GPL-2.0-or-later
"""``tkm-lab``: the commands, put together.

Exit codes: 0 success, 1 failure, 2 wrong use; ``exec``, ``shell`` and ``ping`` give those of
the command that they run. Output for programs: ``--json``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from lab.cli import (
    capture,
    check,
    copy,
    graph,
    inside,
    life,
    link,
    logs,
    report,
    run,
    schema,
    status,
    topologies,
)
from lab.cli.streams import Streams
from lab.errors import LabError

_EPILOG = "Exit codes: 0 success, 1 failure, 2 wrong use."

SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "A lab": (life.up, life.down, life.save, life.doctor),
    "Its hosts": (inside.exec_, inside.shell, inside.ping, copy.cp),
    "Its links": (link.link,),
    "Seeing": (status.status, logs.logs, capture.capture, graph.graph, report.report),
    "Proof": (check.check, run.run),
    "Topologies": (topologies.topologies, topologies.new, schema.schema),
}
"""Every command, by the heading in the help under which it stands."""


class _Cli(click.Group):
    """Commands whose errors are one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LabError as trouble:
            _fail(str(trouble), trouble.exit_code)
        except KeyboardInterrupt:
            _fail("interrupted", 130)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, in our order."""
        for heading, commands in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(c.name or "", c.get_short_help_str()) for c in commands])


def _fail(text: str, code: int) -> NoReturn:
    from lab.cli import show

    show.trouble(text)
    sys.exit(code)


@click.group(cls=_Cli, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tkm-lab", message="%(prog)s %(version)s")
def cli() -> None:
    """IPsec in a box: hosts with real kernels, IKEv2 with a Trusted Key Manager, and proof."""


for _command in (command for commands in SECTIONS.values() for command in commands):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """The program; it ends with SystemExit."""
    streams = Streams()
    with streams.used():
        try:
            cli(arguments, prog_name="tkm-lab")
        except KeyboardInterrupt:  # it came while another error was being reported
            _fail("interrupted", 130)
        except SystemExit as end:
            sys.stdout.flush()
            if trouble := streams.trouble():
                _fail(trouble, end.code if isinstance(end.code, int) and end.code else 1)
            raise
