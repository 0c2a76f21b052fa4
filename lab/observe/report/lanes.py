# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened on each host: a lane for the wire, one for each daemon, one for the kernel."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from lab.check.proof import EspPacket
from lab.client.status import LogLine
from lab.observe.report.ladder import MessageView


class Lane(StrEnum):
    """Where something happens, from the wire up to the kernel."""

    WIRE = "wire"
    IKE = "IKE daemon"
    TKM = "TKM"
    PROXY = "xfrm_proxy"
    OTHER = "programs"
    KERNEL = "kernel"


class Event(NamedTuple):
    """Something that happened on a host."""

    time: float
    host: str
    lane: Lane
    kind: str
    """A class for the drawing: "ike", "esp", "log", "refused", "kernel"."""
    text: str
    target: str
    """The id of what it leads to on the page."""


_DAEMONS = {"tkm_keymanager": Lane.TKM, "xfrm_proxy": Lane.PROXY, "tkm_iked": Lane.IKE}
_FOREIGN_IKE = "charon"
"""How the names of strongSwan's IKE daemons begin."""
_KERNEL_EVENT = re.compile(r"type (XFRM_MSG_\w+)")
_KERNEL_CHANGES = re.compile(r"(Adding|Removing) policy|(Adding|Deleting) ESA|Flushing S[AP]D")
_REFUSED = re.compile(r"\b(refused|failed|error)\b|\bABORTED\b", re.IGNORECASE)


def lane_of(daemon: str) -> Lane:
    """The lane in which a daemon's log lines stand."""
    default = Lane.IKE if daemon.startswith(_FOREIGN_IKE) else Lane.OTHER
    return _DAEMONS.get(daemon, default)


def log_events(lines: Iterable[LogLine]) -> Iterator[Event]:
    """The events that logs report; what changes the kernel's databases is in its lane, too."""
    for line in lines:
        kind = "refused" if _REFUSED.search(line.message) else "log"
        lane = lane_of(line.daemon)
        yield Event(line.time, line.node, lane, kind, line.message, f"log-{line.number}")
        if said := _in_kernel(lane, line.message):
            yield Event(line.time, line.node, Lane.KERNEL, "kernel", said, f"log-{line.number}")


def _in_kernel(lane: Lane, message: str) -> str:
    if lane is Lane.PROXY and (event := _KERNEL_EVENT.search(message)):
        return event[1]
    return message if lane is Lane.TKM and _KERNEL_CHANGES.match(message) else ""


def wire_events(
    messages: Sequence[MessageView],
    packets: Iterable[EspPacket],
    hosts: frozenset[str],
    target: Callable[[EspPacket], str],
) -> Iterator[Event]:
    """What each host put on the wire; `target` is the id of an ESP packet's SA on the page."""
    for number, view in enumerate(messages):
        if view.source in hosts:
            text = f"{view.title} to {view.destination}"
            yield Event(view.time, view.source, Lane.WIRE, "ike", text, f"ike-{number}")
    for packet in packets:
        if packet.sender in hosts:
            kind = "refused" if packet.failure else "esp"
            text = f"ESP to {packet.dst}, SPI {packet.spi:08x}, number {packet.sequence}"
            yield Event(packet.time, packet.sender, Lane.WIRE, kind, text, target(packet))
