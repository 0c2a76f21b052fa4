# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lab is asked to build, and what it reports about itself: records, no behaviour."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lab.xfrm.ip_output import Policy, State

_STAMP = re.compile(r"^[A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d ")


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
    nat: str = ""
    """The interface on which what it passes on leaves with its own address."""


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

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> NodeStatus:
        """From what the agent reports."""
        spec = answer["spec"]
        return cls(
            name=spec["name"],
            interfaces=tuple(
                Interface(**{**each, "addresses": tuple(each["addresses"])})
                for each in spec["interfaces"]
            ),
            daemons=tuple(DaemonStatus(**daemon) for daemon in answer["daemons"]),
            memory=answer["memory"],
        )


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What is wrong with a link for one of its nodes."""

    node: str
    link: str
    cut: bool
    """It is cut off, together with nobody but others who are; its carrier stays."""
    down: bool
    """It is unplugged."""
    netem: tuple[str, ...]
    """What happens to the frames that it receives, in the words of tc-netem(8)."""

    def __str__(self) -> str:
        words = ["unplugged"] * self.down + ["cut off"] * self.cut + [" ".join(self.netem)]
        return ", ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Status:
    summary: Summary
    about: Mapping[str, Any]
    """What the front end that built the lab has given for it, see `Lab.create`."""
    links: tuple[str, ...]
    disturbances: tuple[Disturbance, ...]
    """Of nodes for which a link is not whole."""
    frames: int
    """How many the links have seen; as `since` it gives what a capture gets from now on."""
    forgotten: Mapping[str, int]
    """How many `frames` and `SAs` memory had no room for."""
    nodes: tuple[NodeStatus, ...]
    agent_memory: int
    keeper_memory: int

    @classmethod
    def of(cls, summary: Summary, answer: Mapping[str, Any], keeper_memory: int) -> Status:
        """From what the agent reports."""
        return cls(
            summary=summary,
            about=answer["about"],
            links=tuple(answer["links"]),
            disturbances=tuple(
                Disturbance(node, link, cut, down, tuple(netem))
                for node, link, cut, down, netem in answer["disturbances"]
            ),
            frames=answer["frames"],
            forgotten=answer["forgotten"],
            nodes=tuple(map(NodeStatus.of, answer["nodes"])),
            agent_memory=answer["agent"]["memory"],
            keeper_memory=keeper_memory,
        )


@dataclass(frozen=True, slots=True)
class LogLine:
    number: int
    """Among all lines of the lab; give what follows it as `since` to get what comes after."""
    time: float
    """Seconds since the epoch, when the agent read it."""
    node: str
    daemon: str
    text: str

    @property
    def message(self) -> str:
        """The text without the time that the daemon itself, to the second, puts before it."""
        return _STAMP.sub("", self.text)


class Log(list[LogLine]):
    """Log lines in order, and how many older ones of these daemons are no longer kept."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(LogLine(*line) for line in answer["lines"])
        self.forgotten: int = answer["forgotten"]


class Port(NamedTuple):
    """Where frames enter the wire: a node's interface on a link."""

    node: str
    link: str
    interface: str


@dataclass(frozen=True, slots=True)
class CaptureFile:
    """Frames of a link, or of all: frame i of the pcap file came out of `ports[i]`."""

    pcap: bytes
    ports: tuple[Port, ...]
    next: int
    """Give it as `since` to get what comes after."""
    lost: int
    """Frames of any link, from `since` on, that memory had no room for; 0, or it proves nothing."""

    @property
    def senders(self) -> tuple[str, ...]:
        """The node that sent each frame."""
        return tuple(port.node for port in self.ports)

    @classmethod
    def of(cls, about: Mapping[str, Any], pcap: bytes) -> CaptureFile:
        """From what the agent reports."""
        ports = [Port(*port) for port in about["ports"]]
        return cls(pcap, tuple(ports[i] for i in about["frames"]), about["next"], about["lost"])


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
