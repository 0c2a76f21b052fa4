# SPDX-License-Identifier: GPL-2.0-or-later
"""The pcap file format, in memory: read and written without scapy, so cheap anywhere.

A file header of 24 octets, then per frame a header of 16 octets (seconds, fraction, captured
length, length on the wire; in the byte order that the magic number shows) and the octets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

from lab.check.proof.errors import CaptureError
from lab.check.proof.model import Frame

LINKTYPE_ETHERNET = 1
SNAPLEN = 262144

_MAGIC = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}
"""Magic number → byte order, unit of the fraction in seconds."""


def read_pcap(octets: bytes, senders: Sequence[str] | None = None) -> list[Frame]:
    """The frames of a capture, numbered from 1.

    `senders` names the sending node of each frame, in order. Raises CaptureError for what is not a
    pcap of Ethernet, for a file that ends in the middle of a frame, for a frame of which the
    capture kept only a part, and for senders that are not as many as the frames.
    """
    return list(iter_pcap(octets, senders))


def iter_pcap(octets: bytes, senders: Sequence[str] | None = None) -> Iterator[Frame]:
    """The same, one after the other; what is wrong is raised where it is reached."""
    number = 0
    for number, (time, frame) in enumerate(_packets(octets), 1):
        if senders is None:
            yield Frame(number, time, frame)
        elif number <= len(senders):
            yield Frame(number, time, frame, senders[number - 1])
    if senders is not None and len(senders) != number:
        raise CaptureError(f"the capture has {number} frames and {len(senders)} senders")


def write_pcap(frames: Iterable[tuple[float, bytes]]) -> bytes:
    """A capture of Ethernet frames, each given with its time in seconds since 1970."""
    pieces = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, LINKTYPE_ETHERNET)]
    for time, frame in frames:
        seconds, micros = divmod(round(time * 1_000_000), 1_000_000)
        pieces += struct.pack("<IIII", seconds, micros, len(frame), len(frame)), frame
    return b"".join(pieces)


def _packets(octets: bytes) -> Iterator[tuple[float, bytes]]:
    if len(octets) < 24 or octets[:4] not in _MAGIC:
        raise CaptureError("this is not a pcap file (pcapng is not read: convert it)")
    order, unit = _MAGIC[octets[:4]]
    (link_type,) = struct.unpack_from(f"{order}I", octets, 20)
    if link_type != LINKTYPE_ETHERNET:
        raise CaptureError(f"the capture's link type is {link_type}, not Ethernet (1)")
    header = struct.Struct(f"{order}IIII")
    position, number = 24, 0
    while position < len(octets):
        number += 1
        start = position + header.size
        if start > len(octets):
            raise CaptureError(f"the capture ends in the header of frame {number}")
        seconds, fraction, captured, length = header.unpack_from(octets, position)
        position = start + captured
        if position > len(octets):
            raise CaptureError(f"the capture ends in the middle of frame {number}")
        if captured < length:
            raise CaptureError(f"frame {number} was cut to {captured} of its {length} octets")
        yield seconds + fraction * unit, octets[start:position]
