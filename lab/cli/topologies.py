# SPDX-License-Identifier: GPL-2.0-or-later
"""Topologies before they are a lab: ``topologies``, ``new``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from lab.cli.common import json_option, print_json
from lab.client.rendezvous import check_name
from lab.errors import UsageError


@click.command(short_help="The topologies that come with the lab.")
@json_option
def topologies(as_json: bool) -> None:
    """List the topologies that come with the lab."""
    from lab.cli import show
    from lab.topology import load, shipped

    files = shipped()
    found = [load(name) for name in files]
    if as_json:
        print_json(
            [
                {
                    "name": topology.name,
                    "title": topology.title,
                    "nodes": list(topology.nodes),
                    "links": list(topology.links),
                    "file": files[topology.name],
                }
                for topology in found
            ]
        )
    else:
        show.topologies(found)


@click.command(short_help="Write the start of a topology of your own.")
@click.argument("name")
def new(name: str) -> None:
    """Write NAME.toml, the commented start of a topology: tkm-lab new mine"""
    from lab.topology.template import START

    file = Path(name) if name.endswith(".toml") else Path(f"{name}.toml")
    check_name(file.name.removesuffix(".toml"))  # a lab of this topology will have that name
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(START)
    except FileExistsError as there:
        raise UsageError(f"{file} exists: choose another name, or remove it") from there
    except OSError as trouble:
        raise UsageError(f"{file}: {trouble.strerror}") from trouble
    own = shlex.quote(str(file))
    click.echo(f"{file} is written: edit it, then")
    click.echo(f"tkm-lab graph {own} -o {file.stem}.svg")
    click.echo(f"tkm-lab up {own}")
