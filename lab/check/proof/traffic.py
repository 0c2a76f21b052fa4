# SPDX-License-Identifier: GPL-2.0-or-later
"""What may be on the link, as a table, and words for what is there.

Permitted beside ESP: IKE on UDP 500 and 4500 with its NAT keepalives, ARP, and IPv6's neighbour
discovery, to which the multicast reports belong that it makes a host send (RFC 4862, section
5.4.2). "IKE" is checked to look like IKE, so that nobody hides plaintext behind a port number.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from lab.check.proof.errors import PacketFault
from lab.check.proof.model import Flaw
from lab.check.proof.packet import ESP, ICMPV6, UDP, Datagram, describe

IKE_PORT, NAT_T_PORT = 500, 4500
_NON_ESP_MARKER = bytes(4)
_NAT_KEEPALIVE = b"\xff"

_NEIGHBOUR_DISCOVERY = range(133, 138)
"""ICMPv6 types (RFC 4861, section 4); only hop limit 255 is from this link."""
_MULTICAST_LISTENER = frozenset({130, 131, 132, 143})
"""ICMPv6 types (RFC 2710, RFC 3810); sent with hop limit 1."""


class Kind(StrEnum):
    """What a permitted packet is."""

    ESP = "ESP"
    ESP_IN_UDP = "ESP in UDP"
    IKE = "IKE"
    NAT_KEEPALIVE = "NAT keepalive"
    NEIGHBOUR_DISCOVERY = "neighbour discovery"
    MULTICAST_LISTENER = "multicast listener report"
    ARP = "ARP"
    INCOMPLETE = "ESP with a piece lost"
    """A datagram that IP had fragmented and of which a piece is lost: `lab.check.proof.lost`."""
    INCOMPLETE_IKE = "IKE with a piece lost"
    INCOMPLETE_INSIDE = "fragments inside ESP without the others"
    """An inner packet that good ESP carried in part; the rest was lost with its own ESP packet."""
    PLAINTEXT = "plain text"
    """On red links only."""


class Classified(NamedTuple):
    """A permitted packet: its kind, and for ESP the octets from the SPI to the ICV."""

    kind: Kind
    esp: bytes = b""


def classify(datagram: Datagram) -> Classified:
    """What a whole datagram is. Raises PacketFault (PLAINTEXT, MALFORMED) if not permitted."""
    classifier = _CLASSIFIERS.get(datagram.protocol)
    found = classifier(datagram) if classifier else None
    if found is None:
        raise PacketFault(Flaw.PLAINTEXT, f"plaintext on the link: {describe(datagram)}")
    return found


def _esp(datagram: Datagram) -> Classified:
    return Classified(Kind.ESP, datagram.payload)


def _icmpv6(datagram: Datagram) -> Classified | None:
    kind = datagram.payload[0] if datagram.payload else 0
    if kind in _NEIGHBOUR_DISCOVERY and datagram.hop_limit == 255:
        return Classified(Kind.NEIGHBOUR_DISCOVERY)
    if kind in _MULTICAST_LISTENER and datagram.hop_limit == 1:
        return Classified(Kind.MULTICAST_LISTENER)
    return None


def _udp(datagram: Datagram) -> Classified | None:
    """UDP as its header has it, of a whole datagram or of a first piece.

    A first piece is shorter than the header says; what it is of is decided by the header.
    """
    octets = datagram.payload
    length = int.from_bytes(octets[4:6])
    is_cut = datagram.more and length > len(octets) >= 8
    if not 8 <= length <= len(octets) and not is_cut:
        raise PacketFault(Flaw.MALFORMED, f"a UDP header that can't be: {describe(datagram)}")
    ports = {int.from_bytes(octets[0:2]), int.from_bytes(octets[2:4])}
    data = octets[8:length]
    if NAT_T_PORT in ports:
        return _nat_traversal(data, length - 8)
    return Classified(Kind.IKE) if IKE_PORT in ports and _is_ike(data, length - 8) else None


def _nat_traversal(data: bytes, length: int) -> Classified | None:
    """What shares port 4500 (RFC 3948, section 2)."""
    if data == _NAT_KEEPALIVE and length == 1:
        return Classified(Kind.NAT_KEEPALIVE)
    if not data.startswith(_NON_ESP_MARKER):
        return Classified(Kind.ESP_IN_UDP, data)
    return Classified(Kind.IKE) if _is_ike(data[4:], length - 4) else None


def _is_ike(data: bytes, length: int) -> bool:
    """An IKE header of version 2 that states the message's own length (RFC 7296, section 3.1)."""
    return len(data) >= 28 and data[17] >> 4 == 2 and int.from_bytes(data[24:28]) == length


_CLASSIFIERS: dict[int, Callable[[Datagram], Classified | None]] = {
    ESP: _esp,
    UDP: _udp,
    ICMPV6: _icmpv6,
}
