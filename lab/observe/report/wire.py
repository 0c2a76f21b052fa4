# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE messages in the captures of a run, each once, however many links it crossed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from lab.check.proof import CaptureError, Datagram, iter_pcap
from lab.check.proof.datagram import read_ip
from lab.check.proof.errors import PacketFault
from lab.check.proof.fragments import Reassembly
from lab.check.proof.traffic import NAT_T_PORT, Kind, classify
from lab.client.status import CaptureFile

_ETHERNET_HEADER = 14
_IP = (b"\x08\x00", b"\x86\xdd")
_UDP_HEADER = 8
_MARKER = 4
"""Octets of the non-ESP marker on port 4500 (RFC 3948, section 2.2)."""
_CROSSING = 1.0
"""Seconds within which the same octets on another link are the same message, passed on."""


class IkePacket(NamedTuple):
    """A datagram that holds an IKE message or a fragment of one."""

    time: float
    links: tuple[str, ...]
    """Those that it crossed, in order."""
    sender: str
    """The node that sent it on the first of them."""
    src: str
    dst: str
    """Addresses on the last link: behind a NAT, those that the receiver sees."""
    ports: tuple[int, int]
    octets: bytes
    """From the IKE header on."""


def ike_packets(captures: Mapping[str, CaptureFile]) -> tuple[list[IkePacket], list[str]]:
    """The IKE packets of all links by time, and what is wrong with captures, in words."""
    found: list[IkePacket] = []
    faults = []
    for link, capture in captures.items():
        try:
            found += _of_link(link, capture)
        except CaptureError as fault:
            faults.append(f"{link}: {fault}; what comes after it is not shown")
    return _merged(sorted(found, key=lambda packet: packet.time)), faults


def _of_link(link: str, capture: CaptureFile) -> list[IkePacket]:
    return [
        IkePacket(time, (link,), sender, whole.src, whole.dst, _ports(whole), _ike(whole))
        for time, sender, whole in _datagrams(capture)
        if _is_ike(whole)
    ]


def _datagrams(capture: CaptureFile) -> Iterator[tuple[float, str, Datagram]]:
    """Whole IP datagrams. What is malformed is left to the verdict on the link."""
    fragments = Reassembly()
    for frame in iter_pcap(capture.pcap, capture.senders):
        if frame.octets[12:_ETHERNET_HEADER] not in _IP:
            continue
        try:
            datagram = read_ip(frame.octets, _ETHERNET_HEADER)
            whole = fragments.add(datagram, frame.number, frame.time, frame.sender)
        except PacketFault:
            continue
        if whole:
            yield frame.time, frame.sender, whole[0]


def _is_ike(datagram: Datagram) -> bool:
    try:
        return classify(datagram).kind is Kind.IKE
    except PacketFault:
        return False


def _ports(datagram: Datagram) -> tuple[int, int]:
    return int.from_bytes(datagram.payload[:2]), int.from_bytes(datagram.payload[2:4])


def _ike(datagram: Datagram) -> bytes:
    marker = _MARKER if NAT_T_PORT in _ports(datagram) else 0
    return datagram.payload[_UDP_HEADER + marker :]


def _merged(packets: Iterable[IkePacket]) -> list[IkePacket]:
    """The same packets; one that was passed on is one. On one link equal octets are sent again."""
    merged: list[IkePacket] = []
    latest: dict[bytes, int] = {}
    for packet in packets:
        place = latest.get(packet.octets)
        before = merged[place] if place is not None else None
        if (
            place is not None
            and before
            and packet.links[0] not in before.links
            and packet.time - before.time < _CROSSING
        ):
            merged[place] = before._replace(
                links=before.links + packet.links, src=packet.src, dst=packet.dst
            )
            continue
        latest[packet.octets] = len(merged)
        merged.append(packet)
    return merged
