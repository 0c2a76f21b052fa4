# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab's memory of what it was built from: its topology goes in at `create`, and comes out again.

There is no file: the agent keeps it, unread, and every front end that comes later asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.protocol import document
from lab.topology import Topology

if TYPE_CHECKING:
    from lab.client.lab import Lab
    from lab.client.status import Status


def about(topology: Topology, *, ike_keys_exposed: bool = False) -> dict[str, Any]:
    """What `Lab.create` is given: of which topology it is, and whether IKE keys are to be had."""
    return {"topology": document.encode(topology), "ike_keys_exposed": ike_keys_exposed}


def ike_keys_exposed(status: Status) -> bool:
    """Whether the lab was started with --expose-ike-keys."""
    return bool(status.about.get("ike_keys_exposed"))


def topology_of(lab: Lab) -> Topology:
    """The topology of a lab that is up.

    Raises LabError: it was not built from one.
    """
    topology = topology_in(lab.status())
    if topology is None:
        raise LabError(f"{lab.name} was not built from a topology")
    return topology


def topology_in(status: Status) -> Topology | None:
    """The topology that a status names; None: the lab was built without one."""
    row = status.about.get("topology")
    return None if row is None else document.decode(Topology, row)
