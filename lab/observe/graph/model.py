# SPDX-License-Identifier: GPL-2.0-or-later
"""What is drawn: hosts, links, tunnels; texts, with the topology's terms behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.topology import Node, Policy, Topology


@dataclass(frozen=True, slots=True)
class Host:
    """A node: its name, its addresses by link, and what is special about it."""

    name: str
    addresses: Mapping[str, tuple[str, ...]]
    role: str
    """`host`, `gateway`, `router` or `NAT gateway`."""
    ike: str


@dataclass(frozen=True, slots=True)
class Wire:
    """A link; on a red one plain text is normal."""

    name: str
    networks: str
    red: bool


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A policy: who protects what. `up` is None where no lab is looked at."""

    ends: tuple[str, str]
    number: int
    what: str
    up: bool | None


@dataclass(frozen=True, slots=True)
class Graph:
    """A picture's contents."""

    title: str
    hosts: tuple[Host, ...]
    wires: tuple[Wire, ...]
    tunnels: tuple[Tunnel, ...]


def graph_of(topology: Topology, up: Mapping[int, bool] | None = None) -> Graph:
    """What to draw of a topology; `up` says by number which policies have their SAs."""
    return Graph(
        title=topology.title,
        hosts=tuple(_host(topology, node) for node in topology.nodes.values()),
        wires=tuple(_wire(topology, link) for link in topology.links),
        tunnels=tuple(_tunnel(policy, up) for policy in topology.policies),
    )


def _host(topology: Topology, node: Node) -> Host:
    addresses = {link: tuple(map(str, found)) for link, found in node.addresses.items()}
    return Host(node.name, addresses, _role(topology, node), node.ike)


def _role(topology: Topology, node: Node) -> str:
    if node.nat:
        return "NAT gateway"
    if not node.forward:
        return "host"
    ends = (end for policy in topology.policies for end in policy.ends)
    return "gateway" if any(end.node == node.name for end in ends) else "router"


def _wire(topology: Topology, link: str) -> Wire:
    networks = ", ".join(sorted(map(str, topology.networks_of(link))))
    return Wire(link, networks, link in topology.red_links)


def _tunnel(policy: Policy, up: Mapping[int, bool] | None) -> Tunnel:
    networks = [str(end.network) for end in policy.ends if end.network]
    what = " ⇄ ".join(networks) if networks else ""
    state = None if up is None else up.get(policy.id, False)
    return Tunnel(policy.between, policy.id, f"{policy.mode} {what}".strip(), state)
