# SPDX-License-Identifier: GPL-2.0-or-later
"""``schema``: the JSON schema of a kind of file."""

from __future__ import annotations

import click

from lab.cli.common import print_json


@click.command(short_help="The JSON schema of topologies or scenarios.")
@click.argument("kind", type=click.Choice(["topology", "scenario"]))
def schema(kind: str) -> None:
    """Print the JSON schema of a kind of file, with which editors complete and check TOML.

    For those that use Taplo, the first line of a file names it: #:schema ./topology.json

    \b
      tkm-lab schema topology | tee topology.json
    """
    from lab.scenario.schema import schema as scenario
    from lab.topology.schema import schema as topology

    print_json(topology() if kind == "topology" else scenario())
