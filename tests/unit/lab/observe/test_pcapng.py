# SPDX-License-Identifier: GPL-2.0-or-later
"""The pcapng that we write, as scapy reads it."""

from __future__ import annotations

import io
import struct

from scapy.utils import RawPcapNgReader

from lab.client.status import Port
from lab.observe.pcapng import LOSS, Writer

ALICE, BOB = Port("alice", "wire", "eth0"), Port("bob", "wire", "eth1")


def test_frames_have_their_time_and_their_sender() -> None:
    writer = Writer()
    frames = [(1e9 + 0.25, ALICE, b"a" * 60), (1.7e9, BOB, b"b" * 61), (1.7e9, ALICE, b"c" * 1514)]
    octets = writer.begin("demo", "uml") + b"".join(writer.packet(*frame) for frame in frames)

    with RawPcapNgReader(io.BytesIO(octets)) as reader:
        found = list(reader)
    assert [data for data, _ in found] == [octets for _, _, octets in frames]
    times = [((about.tshigh << 32) + about.tslow) / 1e6 for _, about in found]
    assert times == [time for time, _, _ in frames]
    assert [about.ifname for _, about in found] == [b"alice-eth0", b"bob-eth1", b"alice-eth0"]


def blocks(octets: bytes, kind: int) -> list[bytes]:
    """The bodies of all blocks of a type."""
    found, start = [], 0
    while start < len(octets):
        its, length = struct.unpack_from("<II", octets, start)
        assert octets[start + length - 4 : start + length] == struct.pack("<I", length)
        found += [octets[start + 8 : start + length - 4]] if its == kind else []
        start += length
    return found


def test_lost_frames_stand_in_the_statistics() -> None:
    writer = Writer()
    octets = writer.begin("demo", "uml") + writer.packet(1e9, ALICE, b"a" * 60)
    octets += writer.loss(1e9 + 1, 0)
    assert blocks(octets, 5) == []
    octets += writer.loss(1e9 + 1, 46_499) + writer.packet(1e9 + 2, BOB, b"b" * 60)
    octets += writer.loss(1e9 + 3, 1)

    names = [body.split(b"\2\0", 1)[1][2:] for body in blocks(octets, 1)]
    number = [name.startswith(f"{LOSS.node}-{LOSS.interface}".encode()) for name in names].index(
        True
    )
    counts = [struct.unpack("<IIIHHQI", body) for body in blocks(octets, 5)]
    assert [(one[0], *one[3:]) for one in counts] == [
        (number, 5, 8, 46_499, 0),
        (number, 5, 8, 46_500, 0),
    ]
    assert (counts[0][1] << 32) + counts[0][2] == (10**9 + 1) * 10**6
    with RawPcapNgReader(io.BytesIO(octets)) as reader:
        assert [data for data, _ in reader] == [b"a" * 60, b"b" * 60]
