# SPDX-License-Identifier: GPL-2.0-or-later
"""The run of a lab that is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.build.backends.builtin import EXPOSED
from lab.check.checker import sas_of
from lab.client import metadata
from lab.observe.report.run import Run

if TYPE_CHECKING:
    from lab.client.lab import Lab


def record(lab: Lab) -> Run:
    """All that the lab knows of its run so far.

    Raises:
        LabError: the lab has ended, or cannot be reached.
    """
    status = lab.status()
    topology = metadata.topology_in(status)
    logs = lab.logs()
    captures = {link: lab.capture(link) for link in status.links}
    # After the captures: by now the SA of every packet in them is known.
    sas = tuple(sa for node in status.nodes for sa in sas_of(lab, node.name))
    exposed = status.nodes if metadata.ike_keys_exposed(status) else ()
    forgotten = {**status.forgotten, "log lines": logs.forgotten}
    return Run(
        name=lab.name,
        kernel=status.summary.kernel,
        hosts=tuple(node.name for node in status.nodes),
        addresses={
            address.partition("/")[0]: node.name
            for node in status.nodes
            for interface in node.interfaces
            for address in interface.addresses
        },
        captures=captures,
        logs=tuple(logs),
        sas=sas,
        ike_keys=tuple(dict.fromkeys(row for node in exposed for row in _rows(lab, node.name))),
        red_links=topology.red_links if topology else frozenset(),
        impairments=tuple(f"{one.link}, {one.node}: {one}" for one in status.disturbances),
        lost=" and ".join(f"{count} {what}" for what, count in forgotten.items() if count),
    )


def _rows(lab: Lab, node: str) -> list[str]:
    """The keys of IKE that a Key Manager has written; none if the node has none."""
    return lab.call(node, ["cat", EXPOSED]).stdout.decode().splitlines()
