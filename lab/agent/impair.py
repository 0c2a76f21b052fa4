# SPDX-License-Identifier: GPL-2.0-or-later
"""Trouble on the wire, made outside of all nodes: they notice what they would in a real network.

Who is cut off is moved to another bridge, with nothing but others who are; the carrier stays. netem
spoils what a port gives to its node. What is injected comes out of a port, as if somebody on
the link had sent it; the capture shows what nodes send, so that is not in it.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from typing import Any

from lab.agent.links import Wire, bridge_commands, ip_batch
from lab.errors import KernelError, LabError, UsageError


def disturb(wire: Wire, request: dict[str, Any]) -> None:
    """Do what a request has: `cut` (true or false), `netem` (words of tc-netem(8); none ends it).

    Raises LabError: the kernel refuses it.
    """
    for node in request["nodes"]:
        for port in _ports(wire, request["link"], node):
            if request["cut"] is not None:
                bridge = wire.links[request["link"]]
                ip_batch(
                    [f"link set {port} master {_island(bridge) if request['cut'] else bridge}"]
                )
            if request["netem"] is not None:
                _impair(port, request["netem"])


def inject(wire: Wire, request: dict[str, Any], octets: bytes) -> None:
    """Give a node frames that nobody has sent."""
    (port, *_) = _ports(wire, request["link"], request["node"])
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((port, 0))
        for length in request["lengths"]:
            frame, octets = octets[:length], octets[length:]
            sock.send(frame)


def _island(bridge: str) -> str:
    """The bridge of those who are cut off another one; made when it is needed first."""
    name = f"{bridge}-island"
    if name not in (there for _, there in socket.if_nameindex()):
        ip_batch(bridge_commands(name))
    return name


def _ports(wire: Wire, link: str, node: str) -> list[str]:
    found = [name for name, port in wire.ports.items() if (port.link, port.node) == (link, node)]
    if not found:
        raise UsageError(f"{node} is not on a link {link} of this lab")
    return found


def _impair(port: str, netem: Sequence[str]) -> None:
    # Deleting what is not there fails, replacing never does.
    command = ["replace", "dev", port, "root", *(["netem", *netem] if netem else ["pfifo"])]
    done = subprocess.run(["tc", "qdisc", *command], text=True, capture_output=True, check=False)
    if "kind is unknown" in done.stderr:
        raise KernelError("this kernel has no netem: load sch_netem, or take --kernel uml")
    if done.returncode:
        raise LabError(f"tc qdisc {' '.join(command)}: {done.stderr.strip()}")
