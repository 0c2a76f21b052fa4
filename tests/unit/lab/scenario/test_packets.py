# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets as scenarios speak of them, and forged ones, made of real octets."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.ipsec import ESP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet as Scapy
from scapy.packet import Raw

from lab.check.proof import write_pcap
from lab.client.status import CaptureFile, Port
from lab.scenario import forge
from lab.scenario.packets import Packet, read_packets, tally
from lab.scenario.values import Traffic, pattern

HOSTS = {"192.168.0.1": "alice", "192.168.0.2": "bob"}
IP_LAYER = IP(src="192.168.0.1", dst="192.168.0.2")


def read(*layers: Scapy) -> list[Packet]:
    frames = [bytes(Ether() / layer) for layer in layers]
    pcap = write_pcap((float(number), frame) for number, frame in enumerate(frames))
    ports = tuple(Port("alice", "wire", "eth0") for _ in frames)
    return read_packets(CaptureFile(pcap, ports, len(frames), 0), lambda it: HOSTS.get(it, ""))


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (IP_LAYER / ESP(spi=5, seq=1, data=bytes(64)), "ESP"),
        (IP_LAYER / UDP(sport=4500, dport=4500) / Raw(b"\0\0\0\5" + bytes(64)), "ESP in UDP"),
        (IP_LAYER / ICMP(), "plain text"),
        (IP_LAYER / UDP(sport=500, dport=500) / Raw(b"hello"), "plain text"),
    ],
)
def test_kinds(layer: Scapy, kind: str) -> None:
    (packet,) = read(layer)
    assert (packet.kind, packet.source, packet.destination) == (kind, "alice", "bob")
    assert packet.is_of(Traffic(kind, "alice", "bob"))
    assert packet.is_of(Traffic("packets", None, "bob"))
    assert not packet.is_of(Traffic(kind, "bob", None))
    assert not packet.is_of(Traffic("ARP", None, None))


def test_fragments_are_one_packet() -> None:
    whole = IP_LAYER / ESP(spi=5, seq=1, data=bytes(200))
    pieces = [IP(bytes(piece)) for piece in whole.fragment(104)]
    assert len(pieces) > 1
    assert [packet.kind for packet in read(*pieces)] == ["ESP"]


def test_tally() -> None:
    assert tally(read(ARP(), IP_LAYER / ICMP(), ARP())) == "2 ARP, 1 plain text"
    assert tally([]) == "nothing"


def test_forgeries() -> None:
    genuine = bytes(Ether() / IP_LAYER / ESP(spi=0xC0000001, seq=7, data=bytes(range(100))))
    assert forge.replayed(genuine, 3) == genuine
    flipped = Ether(forge.flipped(genuine, 3))
    assert flipped[ESP].spi == 0xC0000001
    assert flipped[ESP].seq == 7 + 1000 + 3
    changed = int.from_bytes(flipped[ESP].data) ^ int.from_bytes(bytes(range(100)))
    assert changed.bit_count() == 1
    forged = Ether(forge.forged(genuine, 0))
    assert forged[ESP].spi != 0xC0000001
    assert len(forged) == len(genuine)
    assert forged[IP].chksum == flipped[IP].chksum


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("SPI …, soft 30", "SPI 0x12, soft 30, hard 60", True),
        ("SPI …, soft 30", "SPI 0x12, soft 3", False),
        ("[ 1, a.b ]", "Adding [ 1, a.b ]", True),
        ("[ 1, a.b ]", "Adding [ 1, axb ]", False),
    ],
)
def test_patterns(text: str, line: str, found: bool) -> None:
    assert bool(pattern(text).search(line)) is found
