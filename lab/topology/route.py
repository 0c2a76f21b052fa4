# SPDX-License-Identifier: GPL-2.0-or-later
"""The way of a packet through a topology, as the nodes' routes lead it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lab.topology.model import Address, Network, Node


class Unreachable(Exception):
    """A packet gets stuck; the message says where and why, and what would help."""


class Step(NamedTuple):
    """A node, and the link on which a packet leaves it."""

    node: Node
    link: str


def walk(nodes: Mapping[str, Node], source: Node, destination: Address) -> list[Step]:
    """The nodes that a packet passes, its source first, without the one that it is for.

    Raises Unreachable.
    """
    steps: list[Step] = []
    here = source
    while not here.owns(destination):
        if here.name in (step.node.name for step in steps):
            raise Unreachable(f"the routes to {destination} lead in a circle through {here.name}")
        if steps and not here.forward:
            raise Unreachable(
                f"{here.name} does not pass on what is for {destination}; "
                f"write forward = true in [nodes.{here.name}]"
            )
        link, following = _next(nodes, here, destination)
        steps.append(Step(here, link))
        here = following
    return steps


def _next(nodes: Mapping[str, Node], here: Node, destination: Address) -> tuple[str, Node]:
    """Where a packet leaves a node, and who gets it: the longest prefix decides."""
    choices: list[tuple[int, Address]] = [
        (interface.network.prefixlen, destination)
        for interface in here.interfaces
        if destination in interface.network
    ]
    choices += [(net.prefixlen, via) for net, via in here.routes.items() if destination in net]
    if not choices:
        raise Unreachable(
            f"{here.name} has no route to {destination}; "
            f'write routes = {{ default = "…" }} in [nodes.{here.name}]'
        )
    _, via = max(choices, key=lambda choice: choice[0])
    link = link_to(here, via)
    owner = link and owner_of(nodes, link, via)
    if not link or not owner:
        raise Unreachable(f"nobody has {via} on a link of {here.name}")
    return link, owner


def link_to(node: Node, address: Address) -> str | None:
    """The link of a node in whose network an address is."""
    for link, interfaces in node.addresses.items():
        if any(address in interface.network for interface in interfaces):
            return link
    return None


def owner_of(nodes: Mapping[str, Node], link: str, address: Address) -> Node | None:
    """Who has an address on a link."""
    for node in nodes.values():
        if any(address == interface.ip for interface in node.addresses.get(link, ())):
            return node
    return None


def seen_address(nodes: Mapping[str, Node], source: Node, own: Address, peer: Address) -> Address:
    """By which address a peer knows a node that sends from its own; NAT gateways change it.

    Raises Unreachable: no packet comes to the peer.
    """
    for step in walk(nodes, source, peer)[1:]:
        if step.node.nat == step.link:
            own = step.node.address_on(step.link, own.version) or own
    return own


def networks_near(node: Node) -> Iterator[Network]:
    """The networks that a node is in, or has a route of its own to."""
    yield from (interface.network for interface in node.interfaces)
    yield from (network for network in node.routes if network.prefixlen)
