# SPDX-License-Identifier: GPL-2.0-or-later
"""What was on the wire: every frame once, as its sender sent it.

One packet socket in the wire's namespace sees frames as they come out of a node's port; frames on
their way into a port are "outgoing" there, and ignored, as are the copies that a bridge gets for
itself. Memory is bounded: past the bound the oldest are forgotten. What is not here is counted.

A frame is kept as its record of the pcap file, one object: as a tuple of its parts it would take
two and a half times as much.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from lab.agent.condition import Condition
from lab.agent.links import Port
from lab.agent.ring import SLOT, Ring
from lab.agent.sockets import make_room

_BUFFER = 16 << 20
_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_PACKET_IGNORE_OUTGOING = 23
_SO_TIMESTAMPNS = 35
_LONGEST = 65600
_GAPS = 1000
"""How many places are known at which frames were missed; beyond it the two oldest become one."""
_FILE = struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, _LONGEST, 1)
"""The header of a pcap file with nanosecond time stamps and Ethernet frames."""
_RECORD = struct.Struct("=IIII")
"""Before each frame: seconds, nanoseconds, length here, length on the wire."""


def _memory(record: bytes) -> int:
    """The octets that a frame takes: its record, and a slot for it and for its port."""
    return sys.getsizeof(record) + 2 * SLOT


class Frames:
    """The newest frames, in at most `bound` octets of memory, numbered from 0."""

    def __init__(self, bound: int) -> None:
        self.next = 0
        """The number of the next one."""
        self._records = Ring[bytes](bound, _memory)
        self._ports: deque[Port] = deque()
        """Where each of them came from."""
        self._missed: deque[tuple[int, int]] = deque()
        """Before which number how many were missed."""

    def keep(self, seconds: int, nanoseconds: int, port: Port, octets: bytes) -> None:
        """Add a frame."""
        length = len(octets)
        header = _RECORD.pack(seconds, nanoseconds, length, length)
        self.next += 1
        self._ports.append(port)
        for _ in range(self._records.keep(header + octets)):
            self._ports.popleft()

    def miss(self, count: int) -> None:
        """Note that so many frames were never captured, some time before the next one."""
        self._missed.append((self.next, count))
        if len(self._missed) > _GAPS:
            (_, first), (before, second) = self._missed.popleft(), self._missed.popleft()
            self._missed.appendleft((before, first + second))

    def lost(self, since: int) -> int:
        """How many frames from number `since` on are not here: forgotten, or never captured."""
        missed = sum(count for before, count in self._missed if before > since)
        return max(0, self._oldest - since) + missed

    def fetch(self, link: str, since: int) -> tuple[dict[str, Any], bytes]:
        """The frames of a link, or ("") of all links, from number `since` on.

        Returns:
            `ports`: node, link, interface of each port that sent; `frames`: the port of each frame,
            by its place in `ports`; `next`: the number to go on from next time; `lost`, see there.
            And a pcap file: nanosecond time stamps, Ethernet.
        """
        chosen = [(record, port) for record, port in self._recent(since) if link in ("", port.link)]
        chosen.reverse()
        ports: dict[Port, int] = {}
        about = {
            "frames": [ports.setdefault(port, len(ports)) for _, port in chosen],
            "ports": list(ports),
            "next": self.next,
            "lost": self.lost(since),
        }
        return about, b"".join((_FILE, *(record for record, _ in chosen)))

    @property
    def _oldest(self) -> int:
        """The number of the oldest frame that is here."""
        return self.next - len(self._records)

    def _recent(self, since: int) -> Iterator[tuple[bytes, Port]]:
        """The frames from number `since` on, the newest first."""
        count = self.next - max(since, self._oldest)
        newest_first = zip(reversed(self._records), reversed(self._ports), strict=True)
        return islice(newest_first, max(0, count))


class Capture:
    """Starts with its making. `ports` may grow later; memory for the frames is bounded."""

    def __init__(self, ports: Mapping[str, Port], bound: int) -> None:
        self.more = Condition()
        """Of each frame that is captured."""
        self._ports = ports
        self._frames = Frames(bound)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self.socket.setblocking(False)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        make_room(self.socket, _BUFFER)

    def read(self) -> None:
        """Take every frame that waits."""
        while True:
            try:
                octets, extra, _, sender = self.socket.recvmsg(_LONGEST, 64)
            except BlockingIOError:
                return
            port = self._ports.get(sender[0])
            if port is not None:
                seconds, nanoseconds = struct.unpack("qq", extra[0][2])
                self._frames.keep(seconds, nanoseconds, port, octets)
                self.more.notify()

    def count(self) -> int:
        """How many frames were captured by now: the number of the next one."""
        self.read()
        counters = self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        if missed := struct.unpack("II", counters)[1]:
            self._frames.miss(missed)
        return self._frames.next

    def lost(self, since: int) -> int:
        """How many frames from number `since` on are not here: forgotten, or never captured."""
        return self._frames.lost(since)

    def fetch(self, link: str, since: int) -> tuple[dict[str, Any], bytes]:
        """What was captured by now, see `Frames.fetch`."""
        self.count()
        return self._frames.fetch(link, since)
