# SPDX-License-Identifier: GPL-2.0-or-later
"""Who must talk ESP with whom, and what each SA may carry, as the hosts' own SPDs say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lab.client.status import Status
    from lab.xfrm.ip_output import Policy, State

Policies = Mapping[str, tuple["Policy", ...]]
"""The policies in the kernel of each node."""


class Place(NamedTuple):
    """Where an address is."""

    node: str
    link: str


Places = Mapping[str, Place]
"""By address."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two nodes whose talk goes through ESP, with their addresses; `source` begins."""

    source: str
    destination: str
    src: str
    dst: str
    gateways: tuple[str, str]
    """The nodes that do the ESP: themselves, or what protects their networks."""
    links: frozenset[str]
    """Those of the gateways: here ESP must be seen to carry what they say."""


def places_in(status: Status) -> Places:
    """Where each address of a lab is."""
    return {
        address.partition("/")[0]: Place(node.name, interface.link)
        for node in status.nodes
        for interface in node.interfaces
        for address in interface.addresses
    }


def pairs_of(policies: Policies, places: Places) -> list[Pair]:
    """All pairs, each once."""
    found: dict[frozenset[str], Pair] = {}
    for node, its in policies.items():
        for policy in its:
            src, dst = ends_of(policy)
            asks_for_esp = policy.direction == "out" and policy.proto
            if not asks_for_esp or places.get(src, _NOWHERE).node != node:
                continue
            # Behind a NAT gateway, which has the address and no policy, nobody can be called.
            if policies.get(places.get(dst, _NOWHERE).node):
                for pair in _pairs(policy, places):
                    found.setdefault(frozenset((pair.src, pair.dst)), pair)
    return list(found.values())


_NOWHERE = Place("", "")


def ends_of(policy: Policy) -> tuple[str, str]:
    """The addresses between which a policy wants ESP."""
    return policy.tunnel or (policy.src.partition("/")[0], policy.dst.partition("/")[0])


def _pairs(policy: Policy, places: Places) -> Iterator[Pair]:
    near, far = (places[end] for end in ends_of(policy))
    for src in _hosts(policy.src, near.node, places):
        for dst in _hosts(policy.dst, far.node, places):
            yield Pair(
                places[src].node,
                places[dst].node,
                src,
                dst,
                (near.node, far.node),
                frozenset((near.link, far.link)),
            )


def _hosts(selector: str, gateway: str, places: Places) -> list[str]:
    """The addresses that a selector means; the gateway's own, if there is nobody behind it."""
    network = ip_network(selector)
    inside = [address for address in places if ip_address(address) in network]
    return [address for address in inside if places[address].node != gateway] or inside[:1]


def selectors_of(state: State, policies: tuple[Policy, ...]) -> tuple[tuple[str, str], ...]:
    """What the policies of a node let one of its SAs carry."""
    return tuple(
        (policy.src, policy.dst)
        for policy in policies
        if policy.reqid == state.reqid
        and policy.direction in ("in", "out")
        and ends_of(policy) == (state.src, state.dst)
    )
