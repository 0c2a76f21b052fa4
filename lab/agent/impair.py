# SPDX-License-Identifier: GPL-2.0-or-later
"""Trouble on the wire, made outside of all nodes: they notice what they would in a real network.

Who is cut off is moved to another bridge, with nothing but others who are; the carrier stays. Who
is unplugged has no carrier. netem spoils what a port gives to its node. What is injected comes out
of a port, as if somebody on the link had sent it; the capture shows what nodes send, so that is not
in it.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lab.agent.links import Wire, bridge_commands, ip_batch
from lab.errors import KernelError, LabError, UsageError


class Disturbance(NamedTuple):
    """What is wrong with a port."""

    cut: bool = False
    down: bool = False
    netem: Sequence[str] = ()


class Disturbances:
    """What is wrong with the ports of the wire; a port that is not named is whole."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._found: dict[str, Disturbance] = {}

    def change(self, request: Mapping[str, Any]) -> None:
        """Do what a request has; what is None stays as it is.

        `cut` and `down` (unplugged) are true or false; `netem`: words of tc-netem(8), none ends it.

        Raises LabError: the kernel refuses it.
        """
        for node in request["nodes"]:
            for port in _ports(self._wire, request["link"], node):
                before = self._found.get(port, Disturbance())
                wanted = {name: request[name] for name in Disturbance._fields}
                after = before._replace(**{n: v for n, v in wanted.items() if v is not None})
                self._apply(port, self._wire.links[request["link"]], before, after)

    def _apply(self, port: str, bridge: str, before: Disturbance, after: Disturbance) -> None:
        if after.cut != before.cut:
            ip_batch([f"link set {port} master {_island(bridge) if after.cut else bridge}"])
        if after.down != before.down:
            ip_batch([f"link set {port} {'down' if after.down else 'up'}"])
        if after.netem != before.netem:
            _impair(port, after.netem)
        self._found[port] = after

    def rows(self) -> list[tuple[Any, ...]]:
        """Node, link and what is wrong, of each port that is not whole."""
        ports = self._wire.ports
        return [
            (ports[name].node, ports[name].link, *found)
            for name, found in self._found.items()
            if any(found)
        ]


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
