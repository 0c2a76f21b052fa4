# SPDX-License-Identifier: GPL-2.0-or-later
"""The pcapng that we write, as scapy reads it."""

from __future__ import annotations

import io

from scapy.utils import RawPcapNgReader

from lab.report import Port
from lab.seeing.pcapng import Writer

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
