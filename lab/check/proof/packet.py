# SPDX-License-Identifier: GPL-2.0-or-later
"""An IP packet without its headers, and words for it: data, read by `lab.check.proof.datagram`."""

from __future__ import annotations

from typing import NamedTuple

ICMP, TCP, UDP, ESP, ICMPV6 = 1, 6, 17, 50, 58
"""Protocol numbers of IANA."""
ECHO = {ICMP: (8, 0), ICMPV6: (128, 129)}
"""Protocol → the types of echo request and echo reply."""
_NAMES = {ICMP: "ICMP", 2: "IGMP", TCP: "TCP", UDP: "UDP", ESP: "ESP", 51: "AH", ICMPV6: "ICMPv6"}


class Datagram(NamedTuple):
    """An IP packet, or a fragment of one, without its headers.

    A tuple, since one is made of every packet of a capture, and of every packet inside ESP.
    """

    version: int
    src: str
    dst: str
    protocol: int
    """IANA's protocol number; of IPv6, that which follows the last extension header."""
    hop_limit: int
    payload: bytes
    identification: int = 0
    offset: int = 0
    """The position of the payload in the whole, in octets."""
    more: bool = False
    """More fragments follow."""

    @property
    def is_fragment(self) -> bool:
        """Whether this is a fragment, not a whole datagram."""
        return self.more or self.offset > 0

    @property
    def text(self) -> str:
        """The datagram in words, e.g. "ICMP echo request 10.0.0.1 → 10.0.0.2 id 7 seq 1"."""
        return describe(self)


def describe(datagram: Datagram) -> str:
    """A datagram in words, see `Datagram.text`."""
    payload, route = datagram.payload, f"{datagram.src} → {datagram.dst}"
    name = _NAMES.get(datagram.protocol, f"protocol {datagram.protocol}")
    if datagram.is_fragment:
        return f"{name} {route}, fragment at octet {datagram.offset}"
    if datagram.protocol in ECHO and len(payload) >= 8 and payload[0] in ECHO[datagram.protocol]:
        kind = "request" if payload[0] == ECHO[datagram.protocol][0] else "reply"
        identifier, sequence = int.from_bytes(payload[4:6]), int.from_bytes(payload[6:8])
        return f"{name} echo {kind} {route} id {identifier} seq {sequence}"
    if datagram.protocol in ECHO and payload:
        return f"{name} type {payload[0]} {route}"
    if datagram.protocol in (TCP, UDP) and len(payload) >= 4:
        ports = int.from_bytes(payload[:2]), int.from_bytes(payload[2:4])
        return f"{name} {datagram.src} port {ports[0]} → {datagram.dst} port {ports[1]}"
    return f"{name} {route}, {len(payload)} octets"
