# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lab is asked to build, and what it tells about itself: records, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.ipxfrm import Policy, State


@dataclass(frozen=True, slots=True)
class Interface:
    """A node's interface on a link. Addresses with their prefix, such as `192.168.0.1/24`."""

    link: str
    addresses: tuple[str, ...] = ()
    name: str = ""
    """`eth` and its number in the node, if not given."""
    mtu: int = 1500


@dataclass(frozen=True, slots=True)
class Node:
    """A host to build."""

    name: str
    interfaces: tuple[Interface, ...] = ()
    routes: Mapping[str, str] = field(default_factory=dict)
    """Destination (or `default`) -> next hop."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """Path below /proc/sys -> value, such as `net/ipv4/ip_forward`: `1`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a lab's start that has been done.

    In order: `keeper` (its name is taken), `kernel` (a kernel's PID 1 exists), `running` (the
    agent runs in it), `ready` (the agent is warm and takes requests).
    """

    step: str
    seconds: float
    """Since the start of the lab."""
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """A lab that is up."""

    name: str
    kernel: str
    keeper: int
    """PID on this host."""
    guest: int
    """PID on this host of the agent, or of the guest that it runs in."""
    started: float
    ready: bool
    kept: bool
    """False while the front end that builds it still holds it."""


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    name: str
    pid: int
    """In the node."""
    started: float
    code: int | None
    """None while it lives."""
    memory: int
    """Proportional set size, octets; 0 if it has ended."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    name: str
    interfaces: tuple[Interface, ...]
    daemons: tuple[DaemonStatus, ...]
    memory: int
    """Of the node's init: proportional set size, octets."""


@dataclass(frozen=True, slots=True)
class Status:
    summary: Summary
    links: tuple[str, ...]
    frames: int
    """How many the links have seen; as `since` it gives what a capture gets from now on."""
    forgotten: Mapping[str, int]
    """How many `frames` and `SAs` memory had no room for."""
    nodes: tuple[NodeStatus, ...]
    agent_memory: int
    keeper_memory: int


@dataclass(frozen=True, slots=True)
class LogLine:
    time: float
    """Seconds since the epoch, when the agent read it."""
    daemon: str
    text: str


@dataclass(frozen=True, slots=True)
class CaptureFile:
    """A link's frames: `senders[i]` is the node that sent frame i of the pcap file."""

    pcap: bytes
    senders: tuple[str, ...]
    next: int
    """Give it as `since` to get what comes after."""
    lost: int
    """Frames of any link, from `since` on, that memory had no room for; 0, or it proves nothing."""


@dataclass(frozen=True, slots=True)
class Completed:
    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Xfrm:
    """A node's SAD, keys included, and SPD."""

    states: tuple[State, ...]
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class Associations:
    """Every SA that a node's kernel ever had, keys included, oldest first."""

    states: tuple[State, ...]
    lost: int
    """SAs, at least, that memory had no room for; 0, or the record is not whole."""
