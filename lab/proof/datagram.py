# SPDX-License-Identifier: GPL-2.0-or-later
"""From octets to IP datagrams: headers read by scapy, fragments put together.

IP fragments ESP and IKE packets that are larger than the link takes (RFC 791 section 3.2, RFC
8200 section 4.5), so a datagram may come out of several frames. The same code serves for what is
inside a tunnel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6

from lab.proof.errors import PacketFault
from lab.proof.model import Flaw

HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
_EXTENSIONS = frozenset({HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION})
"""IPv6 extension headers that may stand before ESP or ICMPv6 (RFC 8200, section 4.1)."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """An IP packet, or a fragment of one, without its headers."""

    version: int
    src: str
    dst: str
    protocol: int
    hop_limit: int
    payload: bytes
    identification: int = 0
    offset: int = 0
    """Where the payload stands in the whole, in octets."""
    more: bool = False
    """More fragments follow."""

    @property
    def is_fragment(self) -> bool:
        return self.more or self.offset > 0


def read_ip(octets: bytes) -> Datagram:
    """The IPv4 or IPv6 packet at the start of `octets`; what follows its length is padding.

    Raises PacketFault (MALFORMED) if it isn't one or is cut short.
    """
    version = octets[0] >> 4 if octets else 0
    reader = _READERS.get(version)
    if reader is None:
        raise _malformed(f"IP version {version}")
    return reader(octets)


def _read_ipv4(octets: bytes) -> Datagram:
    header_length = (octets[0] & 15) * 4
    if header_length < 20 or len(octets) < header_length:
        raise _malformed(f"an IPv4 header of {header_length} in {len(octets)} octets")
    header = IP(octets[:header_length])
    if not header_length <= header.len <= len(octets):
        raise _malformed(f"an IPv4 packet of {header.len} in {len(octets)} octets")
    return Datagram(
        version=4,
        src=header.src,
        dst=header.dst,
        protocol=header.proto,
        hop_limit=header.ttl,
        payload=octets[header_length : header.len],
        identification=header.id,
        offset=header.frag * 8,
        more=bool(header.flags.MF),
    )


def _read_ipv6(octets: bytes) -> Datagram:
    header = IPv6(octets[:40]) if len(octets) >= 40 else None
    if header is None or 40 + header.plen > len(octets):
        raise _malformed(f"an IPv6 packet of which {len(octets)} octets are here")
    payload = octets[40 : 40 + header.plen]
    return _past_extensions(Datagram(6, header.src, header.dst, header.nh, header.hlim, payload))


def _past_extensions(datagram: Datagram) -> Datagram:
    while datagram.protocol in _EXTENSIONS and not datagram.is_fragment:
        header = datagram.payload
        if len(header) < 8:
            raise _malformed("an IPv6 extension header that is cut short")
        if datagram.protocol == FRAGMENT:
            position = int.from_bytes(header[2:4])
            datagram = replace(
                datagram,
                identification=int.from_bytes(header[4:8]),
                offset=position & ~7,
                more=bool(position & 1),
            )
        length = 8 if datagram.protocol == FRAGMENT else (header[1] + 1) * 8
        datagram = replace(datagram, protocol=header[0], payload=header[length:])
    return datagram


_READERS: dict[int, Callable[[bytes], Datagram]] = {4: _read_ipv4, 6: _read_ipv6}


class Reassembly:
    """Fragments on their way to a datagram, each with the number that its source goes by."""

    def __init__(self) -> None:
        self._pending: dict[tuple[str, str, int, int], list[tuple[Datagram, int]]] = {}

    def add(self, datagram: Datagram, source: int) -> tuple[Datagram, tuple[int, ...]] | None:
        """The whole datagram with its sources once all fragments are here, else None.

        Raises PacketFault (FRAGMENT) for fragments that overlap (RFC 5722).
        """
        if not datagram.is_fragment:
            return datagram, (source,)
        key = (datagram.src, datagram.dst, datagram.protocol, datagram.identification)
        pieces = self._pending.setdefault(key, [])
        pieces.append((datagram, source))
        pieces.sort(key=lambda piece: piece[0].offset)
        if not _is_whole([piece for piece, _ in pieces]):
            return None
        del self._pending[key]
        payload = b"".join(piece.payload for piece, _ in pieces)
        whole = replace(pieces[0][0], payload=payload, more=False)
        return _past_extensions(whole), tuple(sorted(number for _, number in pieces))

    def leftovers(self) -> list[tuple[Datagram, int]]:
        """The fragments whose datagram never became whole."""
        return [piece for pieces in self._pending.values() for piece in pieces]


def _is_whole(pieces: list[Datagram]) -> bool:
    end = 0
    for piece in pieces:
        if piece.offset < end:
            raise PacketFault(
                Flaw.FRAGMENT,
                f"fragments {piece.src} → {piece.dst} overlap at octet {piece.offset}",
            )
        if piece.offset > end:
            return False
        end += len(piece.payload)
    return not pieces[-1].more


def _malformed(what: str) -> PacketFault:
    return PacketFault(Flaw.MALFORMED, f"{what} can't be")
