# SPDX-License-Identifier: GPL-2.0-or-later
"""pcap octets in, frames out, and the other way round."""

from __future__ import annotations

import io
import struct

import pytest
from scapy.utils import RawPcapReader

from lab.check.proof import CaptureError, read_pcap, write_pcap

FRAMES = [(1795282243.640078, b"first frame"), (1795282244.0, b""), (1795282244.999999, bytes(99))]


def test_what_is_written_is_read() -> None:
    frames = read_pcap(write_pcap(FRAMES), ["alice", "bob", "alice"])
    assert [frame.number for frame in frames] == [1, 2, 3]
    assert [frame.octets for frame in frames] == [octets for _, octets in FRAMES]
    assert [frame.sender for frame in frames] == ["alice", "bob", "alice"]
    assert [round(frame.time, 6) for frame in frames] == [time for time, _ in FRAMES]


def test_scapy_reads_what_is_written() -> None:
    with RawPcapReader(io.BytesIO(write_pcap(FRAMES))) as reader:
        packets = list(reader)
    assert [octets for octets, _ in packets] == [octets for _, octets in FRAMES]
    assert [(m.sec, m.usec) for _, m in packets] == [
        (1795282243, 640078),
        (1795282244, 0),
        (1795282244, 999999),
    ]


@pytest.mark.parametrize(
    ("order", "magic", "fraction"),
    [("<", 0xA1B2C3D4, 250000), (">", 0xA1B2C3D4, 250000), (">", 0xA1B23C4D, 250000000)],
)
def test_byte_orders_and_units(order: str, magic: int, fraction: int) -> None:
    header = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    packet = struct.pack(f"{order}IIII", 10, fraction, 4, 4) + b"octs"
    (frame,) = read_pcap(header + packet)
    assert (frame.time, frame.octets, frame.sender) == (10.25, b"octs", "")


def test_an_empty_capture_has_no_frames() -> None:
    assert read_pcap(write_pcap([]), []) == []


def test_what_is_no_capture_is_refused() -> None:
    good = write_pcap(FRAMES)
    for octets, reason in (
        (b"", "not a pcap file"),
        (b"\x0a\x0d\x0d\x0a" + bytes(60), "not a pcap file"),
        (good[:20] + (101).to_bytes(4, "little") + good[24:], "link type is 101"),
        (good[:30], "ends in the header of frame 1"),
        (good[:45], "ends in the middle of frame 1"),
        (good[:-1], "ends in the middle of frame 3"),
    ):
        with pytest.raises(CaptureError, match=reason):
            read_pcap(octets)


def test_frames_that_the_capture_cut_are_refused() -> None:
    packet = struct.pack("<IIII", 0, 0, 4, 1500) + b"octs"
    with pytest.raises(CaptureError, match="frame 1 was cut to 4 of its 1500 octets"):
        read_pcap(write_pcap([]) + packet)


def test_as_many_senders_as_frames() -> None:
    with pytest.raises(CaptureError, match="3 frames and 1 senders"):
        read_pcap(write_pcap(FRAMES), ["alice"])
