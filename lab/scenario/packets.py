# SPDX-License-Identifier: GPL-2.0-or-later
"""The frames of a capture as packets that a scenario can speak of: kind, from whom, to whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.check.proof import Flaw, Frame, read_pcap

if TYPE_CHECKING:
    from lab.check.proof.fragments import Reassembly
    from lab.client.status import CaptureFile
    from lab.scenario.values import Traffic

_ARP = 0x0806
_IP = (0x0800, 0x86DD)
_ETHERNET_HEADER = 14
OTHER = "other"
PLAIN = "plain text"


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet on a link."""

    kind: str
    """As in `lab.scenario.values.KINDS`, or something that is always fine, by its name."""
    source: str
    """Whose address it came from, "" if nobody's."""
    destination: str
    text: str
    """What it is, in words; of plain text."""
    frame: bytes = field(repr=False)
    """The last frame of it."""

    def is_of(self, traffic: Traffic) -> bool:
        """Whether it is one of those."""
        return (
            traffic.kind in (self.kind, "packets")
            and traffic.source in (None, self.source)
            and traffic.destination in (None, self.destination)
        )


def read_packets(capture: CaptureFile, owner: Callable[[str], str]) -> list[Packet]:
    """The packets of a capture; fragments of one are put together.

    `owner` says whose an address is.
    """
    from lab.check.proof.fragments import Reassembly

    fragments = Reassembly()
    found = (_read(frame, fragments, owner) for frame in read_pcap(capture.pcap, capture.senders))
    return [packet for packet in found if packet is not None]


def _read(frame: Frame, fragments: Reassembly, owner: Callable[[str], str]) -> Packet | None:
    from lab.check.proof.datagram import read_ip
    from lab.check.proof.errors import PacketFault
    from lab.check.proof.packet import describe
    from lab.check.proof.traffic import classify

    ethertype = int.from_bytes(frame.octets[12:_ETHERNET_HEADER])
    if ethertype == _ARP:
        return Packet("ARP", frame.sender, "", "", frame.octets)
    if ethertype not in _IP:
        return Packet(OTHER, frame.sender, "", f"EtherType {ethertype:#06x}", frame.octets)
    try:
        whole = fragments.add(read_ip(frame.octets, _ETHERNET_HEADER), frame.number, frame.time)
    except PacketFault as fault:
        return Packet(OTHER, frame.sender, "", str(fault), frame.octets)
    if whole is None:
        return None
    datagram, _ = whole
    ends = owner(datagram.src), owner(datagram.dst)
    try:
        return Packet(str(classify(datagram).kind), *ends, "", frame.octets)
    except PacketFault as fault:
        kind = PLAIN if fault.flaw is Flaw.PLAINTEXT else OTHER
        return Packet(kind, *ends, describe(datagram), frame.octets)


def tally(packets: Iterable[Packet]) -> str:
    """How many of each kind, in words."""
    counted = Counter(packet.kind for packet in packets)
    return ", ".join(f"{count} {kind}" for kind, count in counted.items()) or "nothing"
