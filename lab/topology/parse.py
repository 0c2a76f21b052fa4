# SPDX-License-Identifier: GPL-2.0-or-later
"""From the text of a topology to its model. What parts must be to each other: `lab.topology.rules`.

The reference of the format is docs/topologies.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from lab.topology import own, repeat, rules
from lab.topology.impairment import Impairment
from lab.topology.keys import AUTHORITY, LIFETIME, LINK, NODE, POLICY, TOP
from lab.topology.model import (
    IKE,
    MODES,
    ROOT,
    Address,
    Interface,
    Link,
    Network,
    Node,
    Policy,
    Topology,
)
from lab.topology.table import Source, Table
from tkm.identity import parse as parse_identity

DOMAIN = "tkm-lab.test"
LEAST_MTU, MOST_MTU = 1280, 9000
"""Octets: IPv6 needs the one (RFC 8200, 5); the other is a jumbo frame."""
MOST_POLICIES = 100
"""A policy's number is its reqid, and the TKM's protocol goes no further."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,14}")
_PROPOSALS = re.compile(r"[a-z0-9]+([-_,][a-z0-9]+)*")


def parse(
    name: str, text: str, settings: Mapping[str, int] | None = None, source: str = ""
) -> Topology:
    """The topology in a text.

    `settings` are values for its parameters; `source` is what errors call it, else NAME.toml.
    Raises TopologyError: it is not valid; says where, and the remedy.
    """
    file = Source(source or f"{name}.toml", text)
    top = Table(file, "", (), file.document).check(TOP)
    numbers = repeat.parameters(top, settings or {})
    links = _links(top, numbers)
    tables = dict(repeat.named(top, "nodes", numbers))
    nodes = {name: _node(name, table, links) for name, table in tables.items()}
    if not nodes:
        raise top.fault("it has no node; write [nodes.NAME]", "nodes")
    authorities = _authorities(top, numbers)
    rules.check_network(nodes, tables)
    rules.check_authorities(nodes, tables, authorities)
    rows = list(repeat.listed(top, "policies", numbers))
    if len(rows) > MOST_POLICIES:
        raise rows[MOST_POLICIES].fault(f"there can be {MOST_POLICIES} policies")
    policies = [_policy(number, row, nodes) for number, row in enumerate(rows, 1)]
    nodes = _with_ike(nodes, policies)
    rules.check_policies(nodes, policies, rows)
    title = repeat.fill(top.values["title"], numbers)
    return Topology(name, title, links, nodes, tuple(policies), authorities)


def _links(top: Table, numbers: Mapping[str, int]) -> dict[str, Link]:
    links = {}
    for name, table in repeat.named(top, "links", numbers):
        _check_name("link", name, table)
        values = dict(table.check(LINK).values)
        mtu = values.pop("mtu")
        if not LEAST_MTU <= mtu <= MOST_MTU:
            raise table.fault(f"mtu must be {LEAST_MTU} to {MOST_MTU}", "mtu")
        impairment = Impairment(**values)
        if fault := impairment.fault():
            raise table.fault(fault)
        links[name] = Link(mtu, impairment)
    return links


def _authorities(top: Table, numbers: Mapping[str, int]) -> dict[str, str]:
    """Each authority's issuer, which stands before it in the answer."""
    tables = dict(repeat.named(top, "authorities", numbers))
    waiting = {name: table.check(AUTHORITY).values["issuer"] for name, table in tables.items()}
    ordered: dict[str, str] = {}
    for name, table in tables.items():
        _check_name("authority", name, table)
        if name == ROOT:
            raise table.fault("it is there by itself; give yours another name")
        if waiting[name] not in (ROOT, *tables):
            issuer = waiting[name]
            raise table.fault(f"there is no '{issuer}'; write [authorities.{issuer}]", "issuer")
    while waiting:
        ready = [n for n, issuer in waiting.items() if issuer in (ROOT, n, *ordered)]
        if not ready:
            name = next(iter(waiting))
            raise tables[name].fault(f'it certifies itself in a circle; write issuer = "{ROOT}"')
        ordered |= {name: waiting.pop(name) for name in ready}
    return ordered


def _node(name: str, table: Table, links: Collection[str]) -> Node:
    _check_name("node", name, table)
    values = table.check(NODE).values
    if not values["addresses"]:
        raise table.fault("it has no address; write addresses = { LINK = … }", "addresses")
    identity = values["identity"] or f"{name}@{DOMAIN}"
    try:
        parse_identity(identity)
    except ValueError as error:
        raise table.fault(f"{error}; write one such as {name}@{DOMAIN}", "identity") from error
    if values["ike"] not in ("", *IKE):
        raise table.fault(f"ike '{values['ike']}' is unknown; write {' or '.join(IKE)}", "ike")
    return Node(
        name,
        {link: _addresses(table, link, text, links) for link, text in values["addresses"].items()},
        identity,
        values["ike"],
        dict(_route(table, *route) for route in values["routes"].items()),
        values["forward"],
        values["nat"],
        values["ca"],
        own.programs(table),
        own.files(table),
    )


def _addresses(
    table: Table, link: str, value: Any, links: Collection[str]
) -> tuple[Interface, ...]:
    """The addresses on a link: a text, or a list of them."""
    place = ("addresses", link)
    if link not in links:
        raise table.fault(f"there is no link '{link}'; write [links.{link}]", *place)
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) for text in texts):
        example = f'{link} = "192.168.0.1/24"'
        raise table.fault(f"an address is a text, several are a list; write {example}", *place)
    return tuple(_interface(table, link, text) for text in texts)


def _interface(table: Table, link: str, text: str) -> Interface:
    place = ("addresses", link)
    try:
        interface = ip_interface(text)
    except ValueError as trouble:
        raise table.fault(f"{trouble}; write one such as 192.168.0.1/24", *place) from trouble
    ip, network = interface.ip, interface.network
    if "/" not in text:
        raise table.fault(f"'{text}' has no prefix length; write {text}/24", *place)
    if ip.is_multicast or ip.is_loopback or ip.is_unspecified or ip.is_link_local:
        raise table.fault(f"{ip} can't be a host's; write one such as 192.168.0.1/24", *place)
    is_alone = network.prefixlen >= ip.max_prefixlen - 1
    is_last = ip.version == 4 and ip == network.broadcast_address
    if not is_alone and (ip == network.network_address or is_last):
        first = f"{network.network_address + 1}/{network.prefixlen}"
        raise table.fault(f"{ip} means all of {network}; write a host's, as {first}", *place)
    return interface


def _route(table: Table, destination: str, via: Any) -> tuple[Network, Address]:
    place = ("routes", destination)
    try:
        hop = ip_address(via if isinstance(via, str) else "")
    except ValueError as trouble:
        raise table.fault(
            f"'{via}' is not a next hop; write an address, as 192.168.0.2", *place
        ) from trouble
    if destination == "default":
        return ip_network("0.0.0.0/0" if hop.version == 4 else "::/0"), hop
    try:
        network = ip_network(destination)
    except ValueError as trouble:
        raise table.fault(
            f"{trouble}; write a network, as 10.2.0.0/16, or default", *place
        ) from trouble
    if network.version != hop.version:
        raise table.fault(f"{network} and {hop} are of different IP versions", *place)
    return network, hop


def _with_ike(nodes: Mapping[str, Node], policies: list[Policy]) -> dict[str, Node]:
    """The nodes, each with a back end; builtin is that of policies' ends."""
    ends = {end for policy in policies for end in policy.between}
    return {
        name: replace(node, ike=node.ike or ("builtin" if name in ends else "none"))
        for name, node in nodes.items()
    }


def _policy(number: int, table: Table, nodes: Mapping[str, Node]) -> Policy:
    values = table.check(POLICY).values
    between = _between(table, nodes)
    if values["mode"] not in MODES:
        known = " or ".join(MODES)
        raise table.fault(f"mode '{values['mode']}' is unknown; write {known}", "mode")
    for what in ("ike", "esp"):
        if values[what] and not _PROPOSALS.fullmatch(values[what]):
            example = "aes256-sha512-modp4096"
            raise table.fault(f"'{values[what]}' is not a proposal; write one, as {example}", what)
    ends = rules.ends_of(
        (nodes[between[0]], nodes[between[1]]),
        _by_end(table, "addresses", between, ip_address),
        _by_end(table, "networks", between, ip_network),
        nodes,
        table,
    )
    soft, hard = _lifetime(table)
    return Policy(number, ends, values["mode"], soft, hard, values["ike"], values["esp"])


def _between(table: Table, nodes: Mapping[str, Node]) -> list[str]:
    ends: list[Any] = table.values["between"]
    if len(ends) != 2 or not all(isinstance(end, str) for end in ends) or ends[0] == ends[1]:
        raise table.fault("between needs the names of two nodes", "between")
    for index, end in enumerate(ends):
        if end not in nodes:
            raise table.fault(f"there is no node '{end}'; write [nodes.{end}]", "between", index)
    return ends


def _lifetime(table: Table) -> tuple[int, int]:
    values = table.inside("lifetime").check(LIFETIME).values
    soft, hard = values["soft"], values["hard"]
    if min(soft, hard) < 0 or (hard and soft >= hard):
        reason = f"soft lifetime {soft} s must be below hard {hard} s"
        raise table.fault(reason, "lifetime", "soft")
    return soft, hard


def _by_end(table: Table, key: str, between: list[str], read: Any) -> dict[str, Any]:
    """A table `{ NODE = … }` with a value for ends of the policy."""
    found = {}
    for name, text in table.values[key].items():
        if name not in between:
            known = " and ".join(between)
            raise table.fault(f"{key} of '{name}': this policy is between {known}", key, name)
        try:
            found[name] = read(text if isinstance(text, str) else "")
        except ValueError as trouble:
            raise table.fault(f"{key} of {name}: {trouble}", key, name) from trouble
    return found


def _check_name(kind: str, name: str, table: Table) -> None:
    if not _NAME.fullmatch(name):
        raise table.fault(
            f"{kind} '{name}': a name has 1 to 15 of a-z, 0-9 and -, and begins with a letter"
        )
