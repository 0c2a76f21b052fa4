# SPDX-License-Identifier: GPL-2.0-or-later
"""From octets to IP datagrams: the headers of RFC 791 (3.1) and RFC 8200 (3 and 4), read lean.

One is read for every packet of a capture, so no library dissects them; scapy's reading of a sample
is compared with this one (`lab.check.proof.opinion`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address

from lab.check.proof.errors import PacketFault
from lab.check.proof.model import Flaw
from lab.check.proof.packet import Datagram

HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
_EXTENSIONS = frozenset({HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION})
"""IPv6 extension headers that may stand before ESP or ICMPv6 (RFC 8200, section 4.1)."""
_IPV4 = struct.Struct("!BxHHHBBxx4s4s")
"""Version and header length, total length, identification, flags and offset, TTL, protocol."""
_IPV6 = struct.Struct("!4xHBB16s16s")
"""Payload length, next header, hop limit."""
_MORE, _OFFSET = 0x2000, 0x1FFF


def read_ip(octets: bytes, start: int = 0) -> Datagram:
    """The IPv4 or IPv6 packet at `start` of `octets`; what follows its length is padding.

    Raises:
        PacketFault: MALFORMED, if it isn't one or is cut short.
    """
    version = octets[start] >> 4 if start < len(octets) else 0
    reader = _READERS.get(version)
    if reader is None:
        raise _malformed(f"IP version {version}")
    return reader(octets, start)


@lru_cache(maxsize=4096)
def _address(octets: bytes) -> str:
    """An address in its canonical form."""
    return str(ip_address(octets))


def _read_ipv4(octets: bytes, start: int) -> Datagram:
    header_length = (octets[start] & 15) * 4
    here = len(octets) - start
    if header_length < 20 or here < header_length:
        raise _malformed(f"an IPv4 header of {header_length} in {here} octets")
    _, length, identification, position, ttl, protocol, src, dst = _IPV4.unpack_from(octets, start)
    if not header_length <= length <= here:
        raise _malformed(f"an IPv4 packet of {length} in {here} octets")
    return Datagram(
        4,
        _address(src),
        _address(dst),
        protocol,
        ttl,
        octets[start + header_length : start + length],
        identification,
        (position & _OFFSET) * 8,
        position & _MORE > 0,
    )


def _read_ipv6(octets: bytes, start: int) -> Datagram:
    here = len(octets) - start
    if here < _IPV6.size:
        raise _malformed(f"an IPv6 packet of which {here} octets are here")
    length, next_header, hop_limit, src, dst = _IPV6.unpack_from(octets, start)
    if _IPV6.size + length > here:
        raise _malformed(f"an IPv6 packet of which {here} octets are here")
    start += _IPV6.size
    payload = octets[start : start + length]
    return past_extensions(
        Datagram(6, _address(src), _address(dst), next_header, hop_limit, payload)
    )


def past_extensions(datagram: Datagram) -> Datagram:
    """The datagram behind its IPv6 extension headers, or its fragment behind a Fragment header.

    Raises:
        PacketFault: MALFORMED, for a header that is cut short.
    """
    while datagram.protocol in _EXTENSIONS and datagram.version == 6 and not datagram.is_fragment:
        header = datagram.payload
        if len(header) < 8:
            raise _malformed("an IPv6 extension header that is cut short")
        if datagram.protocol == FRAGMENT:
            position = int.from_bytes(header[2:4])
            datagram = datagram._replace(
                identification=int.from_bytes(header[4:8]),
                offset=position & ~7,
                more=bool(position & 1),
            )
        length = 8 if datagram.protocol == FRAGMENT else (header[1] + 1) * 8
        datagram = datagram._replace(protocol=header[0], payload=header[length:])
    return datagram


_READERS: dict[int, Callable[[bytes, int], Datagram]] = {4: _read_ipv4, 6: _read_ipv6}


def _malformed(what: str) -> PacketFault:
    return PacketFault(Flaw.MALFORMED, f"{what} can't be")
