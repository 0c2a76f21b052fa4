# SPDX-License-Identifier: GPL-2.0-or-later
"""What has no place beside ESP on a link: other traffic, broken packets, frames of strangers."""

from __future__ import annotations

import pytest

from lab.check.proof import Flaw, Frame

from . import builder
from .conftest import Pair
from .test_refuses import flaws, plain


@pytest.mark.parametrize(
    ("protocol", "payload", "text"),
    [
        (6, builder.udp(22, 4000, b"")[:4] + bytes(16), "TCP 192.168.0.1 port 22 → "),
        (17, builder.udp(53, 53, b"?"), "UDP 192.168.0.1 port 53 → 192.168.0.2 port 53"),
        (17, builder.udp(500, 500, b"not IKE, but on its port"), "UDP 192.168.0.1 port 500"),
        (17, builder.udp(500, 500, builder.ike() + b"tail"), "UDP 192.168.0.1 port 500"),
        (17, builder.udp(500, 500, bytes(27) + b"\x1c"), "UDP 192.168.0.1 port 500"),
        (17, builder.udp(4500, 4500, bytes(4) + b"not IKE"), "UDP 192.168.0.1 port 4500"),
        (1, bytes([3, 1]) + bytes(30), "ICMP type 3 192.168.0.1"),
        (2, bytes(8), "IGMP 192.168.0.1 → 192.168.0.2, 8 octets"),
        (51, bytes(24), "AH 192.168.0.1"),
        (58, bytes([135]) + bytes(23), "ICMPv6 type 135"),
        (1, b"", "ICMP 192.168.0.1 → 192.168.0.2, 0 octets"),
    ],
)
def test_anything_else_in_the_clear(v4: Pair, protocol: int, payload: bytes, text: str) -> None:
    found = flaws(builder.capture([*v4.packets, plain(v4, protocol, payload)]), v4)
    assert list(found) == [Flaw.PLAINTEXT]
    assert found[Flaw.PLAINTEXT].startswith(f"frame 3: plaintext on the link: {text}")


@pytest.mark.parametrize(("kind", "hops"), [(135, 64), (143, 64)])
def test_neighbour_discovery_from_afar(v6: Pair, kind: int, hops: int) -> None:
    far = plain(v6, 58, bytes([kind]) + bytes(23), hops=hops)
    assert list(flaws(builder.capture([*v6.packets, far]), v6)) == [Flaw.PLAINTEXT]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        bytes(13),
        bytes(12) + b"\x00\x26\x42\x42\x03" + bytes(40),
        bytes(12) + b"\x81\x00\x00\x01\x08\x00" + bytes(40),
    ],
)
def test_a_foreign_frame(v4: Pair, octets: bytes) -> None:
    assert list(flaws([*v4.frames, Frame(3, 0, octets)], v4)) == [Flaw.FOREIGN]


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x45",
        b"\x41" + bytes(30),
        b"\x45\x00\xff\xff" + bytes(16),
        b"\x45\x00\x00\x05" + bytes(16),
        b"\x55" + bytes(30),
        b"\x60\x00\x00\x00" + bytes(30),
        b"\x60\x00\x00\x00\x00\x40\x3b\x40" + bytes(32),
        b"\x60\x00\x00\x00\x00\x04\x00\x40" + bytes(36),
    ],
)
@pytest.mark.parametrize("ethertype", [b"\x08\x00", b"\x86\xdd"])
def test_a_malformed_packet(v4: Pair, packet: bytes, ethertype: bytes) -> None:
    frame = Frame(3, 0, bytes(12) + ethertype + packet)
    assert list(flaws([*v4.frames, frame], v4)) == [Flaw.MALFORMED]


def test_ipv6_under_the_ethertype_of_ipv4(v4: Pair, v6: Pair) -> None:
    frame = Frame(3, 0, bytes(12) + b"\x08\x00" + v6.packets[0])
    assert list(flaws([*v4.frames, frame], v4)) == [Flaw.MALFORMED]


@pytest.mark.parametrize("length", [0, 7, 9999])
def test_a_udp_length_that_cannot_be(v4: Pair, length: int) -> None:
    datagram = builder.udp(500, 500, builder.ike())
    odd = datagram[:4] + length.to_bytes(2) + datagram[6:]
    assert list(flaws(builder.capture([*v4.packets, plain(v4, 17, odd)]), v4)) == [Flaw.MALFORMED]


def test_a_fragment_whose_rest_never_came(v4: Pair) -> None:
    pieces = builder.ip_fragments("192.168.0.1", "192.168.0.2", 1, bytes(2000), 1400)
    found = flaws(builder.capture([*v4.packets, pieces[1]]), v4)
    assert list(found) == [Flaw.FRAGMENT]
    assert "ICMP 192.168.0.1 → 192.168.0.2, fragment at octet 1400" in found[Flaw.FRAGMENT]
