# SPDX-License-Identifier: GPL-2.0-or-later
"""What the parts of a topology must be to each other: a network that carries what policies want.

A lab that is built from a topology that passes can only fail for reasons of its own: each address
is somebody's, each next hop is there and forwards, and each policy's ends reach each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network

from lab.topology.model import ROOT, Address, End, Interface, Network, Node, Policy, lies_in
from lab.topology.route import Unreachable, link_to, networks_near, owner_of, seen_address
from lab.topology.table import Table

Tables = Mapping[str, Table]
"""Of the nodes, by name."""


def check_network(nodes: Mapping[str, Node], tables: Tables) -> None:
    """Addresses, routes and NAT. Raises TopologyError."""
    _check_addresses(nodes, tables)
    for node in nodes.values():
        if node.nat:
            _check_nat(node, tables[node.name])
    for node in nodes.values():
        for destination, via in node.routes.items():
            _check_route(nodes, node, destination, via, tables[node.name])


def check_authorities(
    nodes: Mapping[str, Node], tables: Tables, authorities: Mapping[str, str]
) -> None:
    """Who has issued the nodes' certificates. Raises TopologyError."""
    for node in nodes.values():
        if node.ca not in (ROOT, *authorities):
            reason = f"there is no authority '{node.ca}'; write [authorities.{node.ca}]"
            raise tables[node.name].fault(reason, "ca")


def _check_addresses(nodes: Mapping[str, Node], tables: Tables) -> None:
    """Each address is one node's, each link's network its own."""
    owners: dict[Address, str] = {}
    networks: dict[Network, tuple[str, str]] = {}
    for node, link, interface in _interfaces(nodes):
        table = tables[node.name]
        owner = owners.setdefault(interface.ip, node.name)
        if owner != node.name:
            reason = f"{interface.ip} is {owner}'s already; write another"
            raise table.fault(reason, "addresses", link)
        other = _rival(interface, link, networks)
        if other:
            raise table.fault(other, "addresses", link)
        networks.setdefault(interface.network, (link, node.name))


def _rival(
    interface: Interface, link: str, networks: Mapping[Network, tuple[str, str]]
) -> str | None:
    """What is wrong with an address, given the networks of links so far; None: nothing."""
    for network, (other, owner) in networks.items():
        if network.version != interface.version:
            continue
        if other != link and network.overlaps(interface.network):
            return (
                f"{interface} overlaps with {network} of {owner} on {other}; "
                "write a network of its own for each link"
            )
        if other == link and network != interface.network:
            return f"{interface} is not in {network}, {owner}'s network on {link}; write one of it"
    return None


def _interfaces(nodes: Mapping[str, Node]) -> Iterator[tuple[Node, str, Interface]]:
    for node in nodes.values():
        for link, interfaces in node.addresses.items():
            for interface in interfaces:
                yield node, link, interface


def _check_route(
    nodes: Mapping[str, Node], node: Node, destination: Network, via: Address, table: Table
) -> None:
    written = str(destination) if str(destination) in table.values["routes"] else "default"
    place = ("routes", written)
    link = link_to(node, via)
    if link is None:
        there = ", ".join(str(interface.network) for interface in node.interfaces)
        raise table.fault(
            f"next hop {via} is in no network of {node.name}; write one in {there}", *place
        )
    owner = owner_of(nodes, link, via)
    if owner is None:
        others = [
            str(address)
            for other in nodes.values()
            if other is not node and (address := other.address_on(link, via.version))
        ]
        known = f"; write {' or '.join(others)}" if others else f"; give it to a node on {link}"
        raise table.fault(f"nobody on {link} has the next hop {via}{known}", *place)
    if owner is node:
        raise table.fault(f"next hop {via} is {node.name}'s own; write another's", *place)
    if not owner.forward:
        raise table.fault(
            f"next hop {via} is {owner.name}, which does not forward; "
            f"write forward = true in [nodes.{owner.name}]",
            *place,
        )


def _check_nat(node: Node, table: Table) -> None:
    if not node.forward:
        raise table.fault("nat is for what it passes on; write forward = true", "nat")
    if node.address_on(node.nat, 4) is None:
        links = [link for link in node.addresses if node.address_on(link, 4)]
        choice = " or ".join(f'"{link}"' for link in links) or "a link with an IPv4 address"
        raise table.fault(f"it has no IPv4 address on '{node.nat}'; write {choice}", "nat")


def ends_of(
    pair: tuple[Node, Node],
    addresses: Mapping[str, Address],
    networks: Mapping[str, Network],
    nodes: Mapping[str, Node],
    table: Table,
) -> tuple[End, End]:
    """The ends of a policy, with the addresses from which they speak to each other.

    Raises TopologyError: they have none, or do not reach each other.
    """
    first, second = pair
    for node in pair:
        own = addresses.get(node.name)
        if own and not node.owns(own):
            known = ", ".join(str(interface.ip) for interface in node.interfaces)
            raise table.fault(f"{own} is not {node.name}'s; write {known}", "addresses", node.name)
    choice = _choose(first, second, addresses)
    if choice is None:
        reason = f"{first.name} and {second.name} have no addresses of the same IP version"
        raise table.fault(f"{reason}; write one more in [nodes.{second.name}]", "between")
    try:
        seen = _seen(nodes, (first, choice[0]), (second, choice[1]))
    except Unreachable as trouble:
        raise table.fault(str(trouble), "between") from trouble
    return (
        _end(first, choice[0], seen[0], networks),
        _end(second, choice[1], seen[1], networks),
    )


def _choose(
    first: Node, second: Node, wanted: Mapping[str, Address]
) -> tuple[Address, Address] | None:
    """An address of each, both of one IP version: on a link that they share, else the first."""
    pairs = [
        (one.ip, other.ip)
        for one in first.interfaces
        for other in second.interfaces
        if one.version == other.version
        and one.ip == wanted.get(first.name, one.ip)
        and other.ip == wanted.get(second.name, other.ip)
    ]
    shared = [(here, there) for here, there in pairs if link_to(first, there)]
    return next(iter(shared + pairs), None)


Place = tuple[Node, Address]


def _seen(nodes: Mapping[str, Node], first: Place, second: Place) -> tuple[Address, Address]:
    """By which addresses two nodes know each other. Only who is inside a NAT gateway can begin.

    Raises Unreachable.
    """
    try:
        return _seen_if_first_begins(nodes, first, second)
    except Unreachable as trouble:
        try:
            there, here = _seen_if_first_begins(nodes, second, first)
        except Unreachable:
            raise trouble from None
        return here, there


def _seen_if_first_begins(
    nodes: Mapping[str, Node], first: Place, second: Place
) -> tuple[Address, Address]:
    seen = seen_address(nodes, *first, second[1])
    return seen, seen_address(nodes, *second, seen)


def _end(node: Node, own: Address, seen: Address, networks: Mapping[str, Network]) -> End:
    """An end. Behind a NAT gateway it is only itself, which its peer must know."""
    network = networks.get(node.name)
    if network is None and seen != own:
        network = ip_network(own)
    return End(node.name, own, seen, network)


def check_policies(
    nodes: Mapping[str, Node], policies: Sequence[Policy], tables: Sequence[Table]
) -> None:
    """What policies protect. Raises TopologyError."""
    seen: dict[frozenset[Network], int] = {}
    for policy, table in zip(policies, tables, strict=True):
        for end in policy.ends:
            if nodes[end.node].ike == "none":
                reason = f'{end.node} does no IKE; take ike = "none" out of [nodes.{end.node}]'
                raise table.fault(reason, "between")
        if policy.mode == "transport":
            _check_transport(policy, table)
        _check_networks(nodes, policy, table)
        selectors = [end.network or ip_network(end.address) for end in policy.ends]
        other = seen.setdefault(frozenset(selectors), policy.id)
        if other != policy.id:
            what = " and ".join(map(str, selectors))
            raise table.fault(f"policy {other} protects traffic between {what} already", "between")


def _check_transport(policy: Policy, table: Table) -> None:
    if table.values["networks"]:
        raise table.fault('networks need tunnel mode; write mode = "tunnel"', "networks")
    for end in policy.ends:
        if end.seen != end.address:
            reason = f"{end.node} is behind a NAT gateway, where transport mode can't be"
            raise table.fault(f'{reason}; write mode = "tunnel"', "mode")


def _check_networks(nodes: Mapping[str, Node], policy: Policy, table: Table) -> None:
    """Each network is at its gateway, apart from the other, and not where the ESP goes."""
    networks = [end.network for end in policy.ends if end.network]
    if len({network.version for network in networks}) > 1:
        raise table.fault("one network is IPv4, the other IPv6", "networks")
    if len(networks) == 2 and networks[0].overlaps(networks[1]):
        raise table.fault(f"{networks[0]} and {networks[1]} overlap", "networks")
    for end in policy.ends:
        node = nodes[end.node]
        near = list(networks_near(node))
        if end.network and not any(_meet(end.network, network) for network in near):
            there = " or ".join(map(str, near))
            reason = f"{end.network} is not at {node.name}, which is in {there}; write one of these"
            raise table.fault(reason, "networks", node.name)
        outer = next(each.network for each in node.interfaces if each.ip == end.address)
        if any(lies_in(outer, network) for network in networks):
            reason = f"{node.name} sends ESP from {end.address}, in the protected networks"
            raise table.fault(f"{reason}; write smaller ones", "networks")
    _check_routes_between(nodes, policy, table)


def _check_routes_between(nodes: Mapping[str, Node], policy: Policy, table: Table) -> None:
    """Who is at one end has a route to the other; the kernel asks for it before its policies."""
    for here, there in (policy.ends, policy.ends[::-1]):
        wanted = there.network or ip_network(there.seen)
        for node in nodes.values():
            inside = here.network and any(each.ip in here.network for each in node.interfaces)
            if (node.name == here.node or inside) and not _has_route(node, wanted):
                remedy = f'write routes = {{ "{wanted}" = "…" }} in [nodes.{node.name}]'
                raise table.fault(f"{node.name} has no route to {wanted}; {remedy}", "networks")


def _has_route(node: Node, network: Network) -> bool:
    known = [interface.network for interface in node.interfaces]
    return any(lies_in(network, each) for each in [*known, *node.routes])


def _meet(first: Network, second: Network) -> bool:
    return lies_in(first, second) or lies_in(second, first)
