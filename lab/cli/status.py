# SPDX-License-Identifier: GPL-2.0-or-later
"""``status``: a lab's hosts, their daemons, and their SAs."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import click

from lab.cli.common import json_option, lab_option, print_json, the_lab

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.client.status import Status
    from lab.observe.state import HostState


@click.command(short_help="Hosts, daemons, IKE SAs, Child SAs.")
@lab_option
@json_option
def status(name: str | None, as_json: bool) -> None:
    """Show a lab's hosts, daemons, IKE SAs and Child SAs; all labs, if several are up."""
    from lab.cli import tables
    from lab.client import metadata, which
    from lab.client.lab import Lab
    from lab.observe import state as seeing

    summaries = Lab.all()
    if name is None and not os.environ.get(which.VARIABLE) and len(summaries) != 1:
        if as_json:
            print_json({"labs": [dataclasses.asdict(summary) for summary in summaries]})
        elif summaries:
            tables.labs(summaries)
        else:
            click.echo("no lab is up: tkm-lab up two-hosts")
        return
    lab = the_lab(name)
    state = lab.status()
    topology = metadata.topology_in(state)
    states = seeing.of_hosts(lab, state.nodes, topology)
    if as_json:
        print_json(_as_json(state, states))
    else:
        tables.status(state, states, topology)


def _as_json(state: Status, states: Mapping[str, HostState]) -> dict[str, Any]:
    """All but what the lab was built from; there is no key in it."""
    summary = dataclasses.asdict(state)
    del summary["about"]
    for node in summary["nodes"]:
        found = states.get(node["name"])
        node["ike_sas"] = [dataclasses.asdict(sa) for sa in found.ike_sas] if found else []
        node["child_sas"] = [dataclasses.asdict(sa) for sa in found.child_sas] if found else []
        node["trouble"] = found.trouble if found else ""
    return summary
