# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host of a topology needs of the network: interfaces, routes, forwarding, NAT. No I/O."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from lab.agent.links import NAT
from lab.client import status
from lab.errors import UsageError
from lab.topology import Link, Node, Topology

_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
"""An ordinary user's may lack what the nodes' has."""

_IPV6_OFF = {f"net/ipv6/conf/{which}/disable_ipv6": "1" for which in ("all", "default")}
_ROUTER = {
    "net/ipv4/ip_forward": "1",
    # What ESP has carried comes in where its answer does not go out, and is no reason to say so.
    **{f"net/ipv4/conf/{which}/rp_filter": "0" for which in ("all", "default")},
    **{f"net/ipv4/conf/{which}/send_redirects": "0" for which in ("all", "default")},
}
_IPV6_ROUTER = {f"net/ipv6/conf/{which}/forwarding": "1" for which in ("all", "default")}


def check_installed(topology: Topology) -> None:
    """Raises UsageError: the topology needs a program that is not here; says what to do."""
    for node in topology.nodes.values():
        for program in node.run:
            _check_program(node, program.argv[0])
    nats = [node.name for node in topology.nodes.values() if node.nat]
    if nats and not shutil.which(NAT, path=_PATH):
        raise UsageError(f"{nats[0]} cannot do NAT: sudo apt-get install iptables")


def _check_program(node: Node, program: str) -> None:
    if program not in node.files and not shutil.which(program, path=_PATH):
        raise UsageError(
            f"{node.name}: run: there is no program '{program}' on this machine: install it"
        )


def host(node: Node, links: Mapping[str, Link]) -> status.Node:
    """The node as the agent is asked to build it; interfaces are eth0, eth1 … in their order."""
    interfaces = tuple(
        status.Interface(link, tuple(map(str, addresses)), f"eth{number}", links[link].mtu)
        for number, (link, addresses) in enumerate(node.addresses.items())
    )
    names = {interface.link: interface.name for interface in interfaces}
    return status.Node(
        node.name,
        interfaces,
        {str(destination): str(via) for destination, via in node.routes.items()},
        _sysctls(node),
        names.get(node.nat, ""),
    )


def names(topology: Topology) -> bytes:
    """/etc/hosts of every host: it knows all by their names."""
    rows = ["127.0.0.1 localhost", "::1 localhost"]
    for node in topology.nodes.values():
        rows += [f"{each.ip} {node.name}" for each in node.interfaces]
    return "\n".join([*rows, ""]).encode()


def _sysctls(node: Node) -> dict[str, str]:
    speaks_ipv6 = any(interface.version == 6 for interface in node.interfaces)
    if not node.forward:
        return {} if speaks_ipv6 else _IPV6_OFF
    return _ROUTER | (_IPV6_ROUTER if speaks_ipv6 else _IPV6_OFF)
