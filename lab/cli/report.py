# SPDX-License-Identifier: GPL-2.0-or-later
"""``report``: what happened in a lab, as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from lab.cli.common import lab_option, the_lab


@click.command(short_help="What happened, as one HTML page.")
@lab_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("run.html"),
    show_default=True,
    help="The file to write.",
)
def report(name: str | None, output: Path) -> None:
    """Write the run of the lab so far as a page that opens from disk and asks for nothing else.

    It has lanes by time for each host, every IKE message with its payloads and octets, every ESP
    packet with its verdict, SAs over time, and all logs. Encrypted parts of IKE messages are open
    if the lab was started with --expose-ike-keys. No key is on the page.

    \b
      tkm-lab report -o run.html && xdg-open run.html
    """
    from lab.cli import show
    from lab.observe.report.record import record
    from lab.observe.report.write import write_page

    write_page(record(the_lab(name)), output)
    show.hint(f"open {output} in a browser")
