# SPDX-License-Identifier: GPL-2.0-or-later
"""The inside of ESP as a scapy packet, with the keys of the lab's own kernels."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP

from lab.check.checker import association_of
from lab.check.proof import Mode, Sa
from lab.check.proof.errors import PacketFault
from lab.check.proof.esp import DUMMY, Opened, Opener

if TYPE_CHECKING:
    from lab.client.lab import Lab

_NAT_TRAVERSAL = 4500


class Inside:
    """Opens what one lab's hosts have sealed; asks for keys when it meets an SPI that is new."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._sas: dict[int, tuple[Sa, Opener]] = {}
        self._unknown: set[int] = set()

    def open(self, frame: Any) -> Any:
        """The IP packet inside a frame's ESP; None if there is no ESP, or it cannot be opened.

        None, too, if the ICV is wrong. Fragments are not put together.
        """
        ip = frame.getlayer(IP) or frame.getlayer(IPv6)
        octets = _esp(ip) if ip is not None else b""
        found = self._find(int.from_bytes(octets[:4])) if octets else None
        if found is None:
            return None
        sa, opener = found
        try:
            opened = opener.open(octets)
        except PacketFault:
            return None
        return _packet(ip, sa.mode, opened)

    def _find(self, spi: int) -> tuple[Sa, Opener] | None:
        if spi not in self._sas and spi not in self._unknown:
            self._learn()
            self._unknown |= {spi} - self._sas.keys()
        return self._sas.get(spi)

    def _learn(self) -> None:
        for node in self._lab.status().nodes:
            for state in self._lab.associations(node.name).states:
                if state.proto == "esp" and state.spi not in self._sas:
                    with contextlib.suppress(PacketFault):  # algorithms that scapy does not know
                        sa = association_of(node.name, state, ())
                        self._sas[state.spi] = sa, Opener(sa)


def _esp(ip: Any) -> bytes:
    """The octets of ESP in an IP packet, SPI to ICV, or none."""
    if ip.haslayer(UDP) and _NAT_TRAVERSAL in (ip[UDP].sport, ip[UDP].dport):
        octets = bytes(ip[UDP].payload)
        return octets if len(octets) > 8 and any(octets[:4]) else b""
    return bytes(ip[ESP]) if ip.haslayer(ESP) else b""


def _packet(outer: Any, mode: Mode, opened: Opened) -> Any:
    """As it was before it was sealed (RFC 4303, 3.1)."""
    if opened.next_header == DUMMY:
        return None
    if mode is Mode.TUNNEL:
        return (IPv6 if opened.data[0] >> 4 == 6 else IP)(opened.data)
    if outer.version == 6:
        head = IPv6(src=outer.src, dst=outer.dst, hlim=outer.hlim, nh=opened.next_header)
        return IPv6(bytes(head / opened.data))
    head = IP(src=outer.src, dst=outer.dst, ttl=outer.ttl, id=outer.id, proto=opened.next_header)
    return IP(bytes(head / opened.data))
