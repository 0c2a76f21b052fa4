# SPDX-License-Identifier: GPL-2.0-or-later
"""The pcapng file format, written: captures in which Wireshark names who sent each frame.

Every port of the lab is an interface of the file, called as in the lab, so a frame's interface is
its sender. A file is written block by block, as frames come. (draft-ietf-opsawg-pcapng: a block
has its length at both ends, everything is aligned to 4 octets, the byte order is the writer's.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from lab.client.status import Port

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
"""Types of blocks."""
_SYSTEM, _APPLICATION = 3, 4
"""Options of a section."""
_NAME, _DESCRIPTION = 2, 3
"""Options of an interface."""
_DROPPED = 5
"""Option isb_ifdrop of an Interface Statistics Block: frames dropped for lack of resources."""
LOSS = Port("any", "", "port")
"""The interface of the frames that were lost: of what port each was is not known."""
_BYTE_ORDER = 0x1A2B3C4D
_ETHERNET = 1
_END = bytes(4)
"""The option that ends the others."""
_NO_LIMIT = 0


class Writer:
    """Makes a file's octets: `begin`, then `packet` for each frame, and `loss` of some."""

    def __init__(self) -> None:
        self._ports: dict[Port, int] = {}
        self._lost = 0

    def begin(self, lab: str, kernel: str) -> bytes:
        """The head of the file; it says which lab this was."""
        options = [(_SYSTEM, f"lab {lab}, kernel {kernel}"), (_APPLICATION, "tkm-lab capture")]
        fixed = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1)
        return _block(_SECTION, fixed + _options(options))

    def packet(self, time: float, port: Port, octets: bytes) -> bytes:
        """A frame (time in seconds since 1970), and before its port's first one, the port."""
        before = b"" if port in self._ports else self._interface(port)
        micros = round(time * 1_000_000)
        length = len(octets)
        fixed = struct.pack(
            "<IIIII", self._ports[port], micros >> 32, micros & 0xFFFFFFFF, length, length
        )
        return before + _block(_PACKET, fixed + _padded(octets))

    def loss(self, time: float, count: int) -> bytes:
        """That `count` more frames are missing (time in seconds since 1970); b"" for none.

        The statistics of an interface of its own, any-port, hold the number of all so far.
        """
        if not count:
            return b""
        before = b"" if LOSS in self._ports else self._interface(LOSS)
        self._lost += count
        micros = round(time * 1_000_000)
        fixed = struct.pack("<III", self._ports[LOSS], micros >> 32, micros & 0xFFFFFFFF)
        dropped = struct.pack("<HHQ", _DROPPED, 8, self._lost)
        return before + _block(_STATISTICS, fixed + dropped + _END)

    def _interface(self, port: Port) -> bytes:
        self._ports[port] = len(self._ports)
        fixed = struct.pack("<HHI", _ETHERNET, 0, _NO_LIMIT)
        name = f"{port.node}-{port.interface}"
        about = f"{port.interface} of {port.node}, on the link {port.link}"
        if port == LOSS:
            about = "frames that the capture has lost, of any port"
        return _block(_INTERFACE, fixed + _options([(_NAME, name), (_DESCRIPTION, about)]))


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _options(options: Iterable[tuple[int, str]]) -> bytes:
    """Options, and what ends them."""
    parts = []
    for code, text in options:
        octets = text.encode()
        parts.append(struct.pack("<HH", code, len(octets)) + _padded(octets))
    return b"".join([*parts, _END])


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)
