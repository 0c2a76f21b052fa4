# SPDX-License-Identifier: GPL-2.0-or-later
"""ESP packets as an attacker on the wire would make them, out of a genuine one, with scapy."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

_LATER = 1000
"""How far the forged sequence numbers are past the genuine ones; replay windows are smaller."""


def replayed(frame: bytes, _: int) -> bytes:
    """The same octets again."""
    return frame


def flipped(frame: bytes, number: int) -> bytes:
    """A sequence number that is still to come, and one bit of the protected octets turned over."""
    packet, esp = _open(frame)
    esp.seq += _LATER + number
    octets = bytearray(esp.data)
    octets[len(octets) // 2] ^= 1
    esp.data = bytes(octets)
    return bytes(packet)


def forged(frame: bytes, _: int) -> bytes:
    """An SPI that nobody has agreed upon, and octets that nobody has enciphered."""
    packet, esp = _open(frame)
    esp.spi = 0x80000000 | secrets.randbits(31)
    esp.data = secrets.token_bytes(len(esp.data))
    return bytes(packet)


FORGERIES: Final[Mapping[str, Callable[[bytes, int], bytes]]] = {
    "replayed": replayed,
    "flipped": flipped,
    "forged": forged,
}
"""What can be wrong with a packet, and what makes it so of a genuine frame, for the n-th time."""


def _open(frame: bytes) -> tuple[Any, Any]:
    from scapy.layers.ipsec import ESP
    from scapy.layers.l2 import Ether

    packet = Ether(frame)
    return packet, packet[ESP]
