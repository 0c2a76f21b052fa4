# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses, IPv4 and IPv6. (The ipaddress module would take longer to import than all of this.)"""

import socket
from typing import NamedTuple


class Endpoint(NamedTuple):
    """One end of a UDP exchange."""

    host: str
    port: int

    def packed(self) -> bytes:
        """Address and port as NAT detection and cookies hash them (RFC 7296, 2.23)."""
        return pack(self.host) + self.port.to_bytes(2, "big")

    def __str__(self) -> str:
        return f"{self.host}[{self.port}]"


class Path(NamedTuple):
    """Both ends of what one datagram crosses, seen from here: it comes from ``remote``, or goes
    there."""

    local: Endpoint
    remote: Endpoint


class Network(NamedTuple):
    """The addresses from ``first`` to ``last``, 4 or 16 octets each."""

    first: bytes
    last: bytes

    @classmethod
    def parse(cls, text: str) -> "Network":
        """Parse an address, or one with a prefix length after a slash.

        Raises:
            ValueError: It is neither.
        """
        host, slash, prefix = text.partition("/")
        address = pack(host)
        bits = 8 * len(address)
        length = int(prefix) if slash else bits
        if not 0 <= length <= bits:
            raise ValueError(f"{text}: no prefix is {length} bits long")
        number, span = int.from_bytes(address, "big"), (1 << bits - length) - 1
        if number & span:
            raise ValueError(f"{text}: bits after the prefix are set")
        return cls(address, (number | span).to_bytes(len(address), "big"))


def pack(host: str) -> bytes:
    """The octets of an address; a zone (``%eth0``, RFC 4007) is not part of them.

    Raises:
        ValueError: ``host`` is not an address.
    """
    try:
        return socket.inet_pton(family(host), host.partition("%")[0])
    except (OSError, ValueError):
        raise ValueError(f"{host}: not an address") from None


def unpack(octets: bytes) -> str:
    """The text of 4 or 16 octets."""
    return socket.inet_ntop(socket.AF_INET if len(octets) == 4 else socket.AF_INET6, octets)


def family(host: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET
