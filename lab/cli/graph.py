# SPDX-License-Identifier: GPL-2.0-or-later
"""``graph``: a topology as a picture, with the state of its tunnels when it is up."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lab.cli import complete
from lab.cli.common import lab_option, the_lab
from lab.errors import UsageError


@click.command(short_help="Draw a lab, or a topology: SVG, Mermaid, dot.")
@lab_option
@click.option(
    "--format",
    "language",
    type=click.Choice(["svg", "mermaid", "dot"]),
    help="Else by the ending of -o, or svg.",
)
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Where to.")
@click.argument("topology", required=False, shell_complete=complete.topologies)
def graph(
    name: str | None, language: str | None, output: Path | None, topology: str | None
) -> None:
    """Draw the lab that is up, with the state of its tunnels, or TOPOLOGY, a name or a path.

    \b
      tkm-lab graph -o lab.svg
      tkm-lab graph net-to-net --format mermaid
    """
    from lab.observe.graph import FORMATS, graph_of
    from lab.topology import load

    draw = FORMATS[language or _by_ending(output)]
    if topology is not None:
        contents = graph_of(load(topology))
    else:
        from lab.client.metadata import topology_of
        from lab.observe import state

        lab = the_lab(name)
        plan = topology_of(lab)
        states = state.of_hosts(lab, lab.status().nodes, plan)
        contents = graph_of(plan, state.policies_up(states, plan))
    drawn = draw(contents)
    if output is None:
        sys.stdout.buffer.write(drawn.encode())  # a file: always UTF-8
        return
    try:
        output.write_text(drawn, encoding="utf-8")
    except OSError as trouble:
        raise UsageError(f"{output}: {trouble.strerror}") from trouble


_ENDINGS = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot"}


def _by_ending(output: Path | None) -> str:
    if output is None:
        return "svg"
    if output.suffix not in _ENDINGS:
        raise UsageError(f"{output}: say --format, or end the name with {', '.join(_ENDINGS)}")
    return _ENDINGS[output.suffix]
