# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lab is built from: hosts, the links between them, and who must talk ESP with whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from lab.errors import UsageError
from lab.topology.impairment import Impairment

Interface = IPv4Interface | IPv6Interface
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

IKE = ("builtin", "charon-tkm", "strongswan", "none")
"""Who may do IKE on a node."""
MODES = ("transport", "tunnel")
ROOT = "root"
"""The authority that every host trusts."""


class TopologyError(UsageError):
    """A topology is not usable."""


@dataclass(frozen=True, slots=True)
class Link:
    """An Ethernet segment."""

    mtu: int = 1500
    impairment: Impairment = field(default_factory=Impairment)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that a topology runs on a node; its output goes to the logs."""

    name: str
    """What `logs` and `status` call it: that of its file; a second one has `-2` behind it."""
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A host: its addresses on each link, and the identity in its certificate."""

    name: str
    addresses: Mapping[str, tuple[Interface, ...]]
    """By link; on each at least one."""
    identity: str
    ike: str = "none"
    """The IKE back end (`IKE`). If the file says nothing: builtin where a policy names the node."""
    routes: Mapping[Network, Address] = field(default_factory=dict)
    """Destination → next hop."""
    forward: bool = False
    """It passes on what is not for itself."""
    nat: str = ""
    """The link on which what it passes on leaves with its own address, or ""."""
    ca: str = ROOT
    """The authority that has issued its certificate."""
    run: tuple[Program, ...] = ()
    """What runs on it besides, once the daemons of its IKE back end are ready."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Path -> content; below /etc, /run or /tmp, which each node has for itself."""

    @property
    def address(self) -> Address:
        """The address by which others know it: the first on its first link."""
        return next(self.interfaces).ip

    @property
    def interfaces(self) -> Iterator[Interface]:
        """All its addresses, with their networks."""
        return (interface for each in self.addresses.values() for interface in each)

    def owns(self, address: Address) -> bool:
        """Whether an address is one of its own."""
        return any(address == interface.ip for interface in self.interfaces)

    def address_on(self, link: str, version: int) -> Address | None:
        """Its first address of an IP version on a link."""
        found = (each.ip for each in self.addresses.get(link, ()) if each.version == version)
        return next(found, None)


@dataclass(frozen=True, slots=True)
class End:
    """One of the two nodes of a policy."""

    node: str
    address: Address
    """Its own, from which it speaks IKE and ESP."""
    seen: Address
    """The one by which the other end knows it: another, if there is a NAT gateway between."""
    network: Network | None = None
    """What lies behind it; None: itself."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Traffic between two nodes, or two networks, goes through ESP.

    Lifetimes are in seconds; 0: no end. Proposals are in strongSwan's words; "": the default.
    """

    id: int
    ends: tuple[End, End]
    mode: str
    soft: int
    hard: int
    ike: str = ""
    esp: str = ""

    @property
    def between(self) -> tuple[str, str]:
        """The names of its nodes."""
        first, second = self.ends
        return first.node, second.node

    @property
    def is_through_nat(self) -> bool:
        """Whether a NAT gateway lies between its nodes."""
        return any(end.seen != end.address for end in self.ends)

    def seen_from(self, node: str) -> tuple[End, End]:
        """Both ends, that of `node` first."""
        first, second = self.ends
        return (first, second) if first.node == node else (second, first)


@dataclass(frozen=True, slots=True)
class Topology:
    """What a lab is built from."""

    name: str
    title: str
    links: Mapping[str, Link]
    nodes: Mapping[str, Node]
    policies: tuple[Policy, ...]
    authorities: Mapping[str, str] = field(default_factory=dict)
    """Each authority beside the root, and who has certified it: an issuer stands before those
    that it certifies. Who is its own issuer is a root that nobody trusts."""

    def node(self, name: str) -> Node:
        """The node of that name.

        Raises UsageError: there is none.
        """
        if name not in self.nodes:
            raise UsageError(f"there is no node '{name}' here, only {', '.join(self.nodes)}")
        return self.nodes[name]

    def nodes_on(self, link: str) -> list[str]:
        """The names of the nodes on a link."""
        return [node.name for node in self.nodes.values() if link in node.addresses]

    def policies_of(self, node: str) -> Iterator[tuple[Policy, Node]]:
        """The policies of a node, each with the node at its other end."""
        for policy in self.policies:
            if node in policy.between:
                _, peer = policy.seen_from(node)
                yield policy, self.nodes[peer.node]

    def talkers(self) -> tuple[str, ...]:
        """Two nodes that talk through ESP, by the first policy; who can begin is first. Or none."""
        if not self.policies:
            return ()
        first, second = self.policies[0].ends
        if second.seen != second.address:
            first, second = second, first
        return self._behind(first), self._behind(second)

    def _behind(self, end: End) -> str:
        """Somebody in an end's network, or itself."""
        inside = [
            node.name
            for node in self.nodes.values()
            if end.network and any(interface.ip in end.network for interface in node.interfaces)
        ]
        return next((name for name in inside if name != end.node), end.node)

    def networks_of(self, link: str) -> frozenset[Network]:
        """The networks of a link: of each IP version one, if it is spoken there."""
        found = (node.addresses.get(link, ()) for node in self.nodes.values())
        return frozenset(interface.network for each in found for interface in each)

    @property
    def red_links(self) -> frozenset[str]:
        """The links on which plain text is normal: they lie inside what a gateway protects."""
        protected = [end.network for policy in self.policies for end in policy.ends if end.network]
        return frozenset(
            link
            for link in self.links
            if any(lies_in(inner, net) for inner in self.networks_of(link) for net in protected)
        )


def lies_in(inner: Network, outer: Network) -> bool:
    """Whether a network is a part of another, or the same. Those of two versions never are."""
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False
