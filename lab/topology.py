# SPDX-License-Identifier: GPL-2.0-or-later
"""Topologies: the hosts of a lab, the links between them, and who must talk ESP with whom.

A topology is a TOML file, one of ours by its name or anybody's by its path:

    title = "two hosts, ESP in transport mode"

    [links.wire]                                   # a link: an Ethernet segment

    [nodes.alice]                                  # a host; the name is its host name
    addresses = { wire = "192.168.0.1/24" }        # link = address/prefix
    identity = "alice@tkm-lab.test"                # this is the default

    [[policies]]                                   # numbered from 1 in their order
    between = ["alice", "bob"]
    mode = "transport"
    lifetime = { soft = 6900, hard = 7200 }        # seconds
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_interface
from pathlib import Path
from typing import Any, NamedTuple

from lab.errors import UsageError

Interface = IPv4Interface | IPv6Interface
Address = IPv4Address | IPv6Address

_NAME = re.compile(r"[a-z][a-z0-9-]{0,14}")
_DOMAIN = "tkm-lab.test"


class TopologyError(UsageError):
    """A topology is not usable."""


@dataclass(frozen=True, slots=True)
class Node:
    """A host: its address on each link, and the identity in its certificate."""

    name: str
    addresses: Mapping[str, Interface]
    identity: str

    @property
    def address(self) -> Address:
        """The address by which others know it: the one on its first link."""
        return next(iter(self.addresses.values())).ip


@dataclass(frozen=True, slots=True)
class Policy:
    """Traffic between two nodes goes through ESP. Lifetimes are in seconds; 0: no end."""

    id: int
    between: tuple[str, str]
    mode: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Topology:
    """What a lab is built from."""

    name: str
    title: str
    links: tuple[str, ...]
    nodes: Mapping[str, Node]
    policies: tuple[Policy, ...]

    def node(self, name: str) -> Node:
        """The node of that name.

        Raises UsageError: there is none.
        """
        if name not in self.nodes:
            raise UsageError(f"there is no node '{name}' here, only {', '.join(self.nodes)}")
        return self.nodes[name]

    def policies_of(self, node: str) -> Iterator[tuple[Policy, Node]]:
        """The policies of a node, each with the node at its other end."""
        for policy in self.policies:
            if node in policy.between:
                (peer,) = (end for end in policy.between if end != node)
                yield policy, self.nodes[peer]


def shipped() -> dict[str, Path]:
    """The topologies that come with the lab, by name."""
    folder = Path(str(resources.files("lab") / "topologies"))
    return {file.stem: file for file in sorted(folder.glob("*.toml"))}


def load(name: str) -> Topology:
    """A topology: one of ours by its name, or the file at a path.

    Raises TopologyError: there is none, or it is not valid.
    """
    ours = shipped()
    file = ours.get(name)
    if file is None:
        file = Path(name)
        if not file.suffix and "/" not in name:
            known = ", ".join(ours)
            raise TopologyError(f"there is no topology '{name}': try {known}, or a path.toml")
    try:
        return parse(file.stem, file.read_text())
    except OSError as trouble:
        raise TopologyError(f"{file}: {trouble.strerror}") from trouble
    except UnicodeDecodeError as trouble:
        raise TopologyError(f"{file}: it is not UTF-8") from trouble
    except TopologyError as trouble:
        raise TopologyError(f"{file}: {trouble}") from trouble


class _Key(NamedTuple):
    """A key of a table: the TOML type that it must have, and its default (None: required)."""

    kind: type
    default: Any = None


_TOP = {"title": _Key(str), "links": _Key(dict), "nodes": _Key(dict), "policies": _Key(list, [])}
_NODE = {"addresses": _Key(dict), "identity": _Key(str, "")}
_POLICY = {"between": _Key(list), "mode": _Key(str, "transport"), "lifetime": _Key(dict)}
_LIFETIME = {"soft": _Key(int), "hard": _Key(int)}


def parse(name: str, text: str) -> Topology:
    """The topology in a text.

    Raises TopologyError: it is not valid.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as trouble:
        raise TopologyError(str(trouble)) from trouble
    top = _table("the file", document, _TOP)
    for link in top["links"]:
        _check_name("link", link)
        _table(f"links.{link}", top["links"][link], {})
    nodes = {node: _node(node, table, top["links"]) for node, table in top["nodes"].items()}
    _check_addresses(nodes)
    policies = (_policy(number, row, nodes) for number, row in enumerate(top["policies"], 1))
    return Topology(name, top["title"], tuple(top["links"]), nodes, tuple(policies))


def _node(name: str, row: Any, links: Mapping[str, Any]) -> Node:
    _check_name("node", name)
    where = f"nodes.{name}"
    table = _table(where, row, _NODE)
    if not table["addresses"]:
        raise TopologyError(f"{where}: it has no address; write addresses = {{ LINK = … }}")
    addresses = {}
    for link, text in table["addresses"].items():
        if link not in links:
            raise TopologyError(f"{where}: there is no link '{link}'; write [links.{link}]")
        try:
            addresses[link] = ip_interface(text)
        except ValueError as trouble:
            raise TopologyError(f"{where}: {trouble}") from trouble
        if "/" not in text:
            raise TopologyError(f"{where}: '{text}' has no prefix length, as in {text}/24")
    return Node(name, addresses, table["identity"] or f"{name}@{_DOMAIN}")


def _policy(number: int, row: Any, nodes: Mapping[str, Node]) -> Policy:
    where = f"policies, number {number}"
    table = _table(where, row, _POLICY)
    lifetime = _table(f"{where}, lifetime", table["lifetime"], _LIFETIME)
    ends = table["between"]
    if len(ends) != 2 or not all(isinstance(end, str) for end in ends) or ends[0] == ends[1]:
        raise TopologyError(f"{where}: between needs the names of two nodes")
    for end in ends:
        if end not in nodes:
            raise TopologyError(f"{where}: there is no node '{end}'; write [nodes.{end}]")
    if table["mode"] != "transport":
        raise TopologyError(f"{where}: mode '{table['mode']}' is unknown; write transport")
    soft, hard = lifetime["soft"], lifetime["hard"]
    if min(soft, hard) < 0 or (hard and soft >= hard):
        raise TopologyError(f"{where}: soft lifetime {soft} s must be below hard {hard} s")
    return Policy(number, (ends[0], ends[1]), table["mode"], soft, hard)


def _check_name(kind: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise TopologyError(
            f"{kind} '{name}': a name has 1 to 15 of a-z, 0-9 and -, and begins with a letter"
        )


def _check_addresses(nodes: Mapping[str, Node]) -> None:
    owners: dict[tuple[str, Address], str] = {}
    for node in nodes.values():
        for link, interface in node.addresses.items():
            owner = owners.setdefault((link, interface.ip), node.name)
            if owner != node.name:
                raise TopologyError(
                    f"nodes.{node.name}: {interface.ip} on {link} is {owner}'s already"
                )


def _table(where: str, row: Any, keys: Mapping[str, _Key]) -> dict[str, Any]:
    """The values of one table, all keys known and of the right type."""
    if not isinstance(row, dict):
        raise TopologyError(f"{where}: it must be a table")
    if unknown := row.keys() - keys.keys():
        known = f"known are {', '.join(keys)}" if keys else "it takes none"
        raise TopologyError(f"{where}: unknown key '{min(unknown)}'; {known}")
    values = {}
    for name, key in keys.items():
        value = row.get(name, key.default)
        if value is None:
            raise TopologyError(f"{where}: {name} is missing")
        if type(value) is not key.kind:
            raise TopologyError(f"{where}: {name} must be {_KINDS[key.kind]}")
        values[name] = value
    return values


_KINDS = {str: "a text", int: "a whole number", dict: "a table", list: "a list"}
