# SPDX-License-Identifier: GPL-2.0-or-later
"""What was on the wire: every frame once, as its sender sent it.

One packet socket in the wire's namespace sees frames as they come out of a node's port; frames on
their way into a port are "outgoing" there, and ignored, as are the copies that a bridge gets for
itself. Memory is bounded: past the bound the oldest are forgotten. What is not here is counted.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Mapping
from itertools import takewhile
from typing import Any, NamedTuple

from lab.agent.condition import News
from lab.agent.links import Port
from lab.agent.sockets import make_room

_BUFFER = 16 << 20
_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_PACKET_IGNORE_OUTGOING = 23
_SO_TIMESTAMPNS = 35
_LONGEST = 65600


class _Captured(NamedTuple):
    number: int
    seconds: int
    nanoseconds: int
    port: Port
    octets: bytes


class Capture:
    """Starts with its making, and keeps so many octets of frames. `ports` may grow later."""

    def __init__(self, ports: Mapping[str, Port], bound: int) -> None:
        self.news = News()
        """Of each frame that is captured."""
        self._bound = bound
        self._missed: list[tuple[int, int]] = []
        self._ports = ports
        self._frames: deque[_Captured] = deque()
        self._size = 0
        self._next = 0
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
                self._keep(_Captured(self._next, seconds, nanoseconds, port, octets))

    def _keep(self, frame: _Captured) -> None:
        self._next += 1
        self._frames.append(frame)
        self.news.tell()
        self._size += len(frame.octets)
        while self._size > self._bound:
            self._size -= len(self._frames.popleft().octets)

    def count(self) -> int:
        """How many frames were captured by now: the number of the next one."""
        self.read()
        counters = self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        if missed := struct.unpack("II", counters)[1]:
            self._missed.append((self._next, missed))
        return self._next

    def lost(self, since: int) -> int:
        """How many frames from number `since` on are not here: forgotten, or never captured."""
        oldest = self._frames[0].number if self._frames else self._next
        missed = sum(count for before, count in self._missed if before > since)
        return max(0, oldest - since) + missed

    def fetch(self, link: str, since: int) -> tuple[dict[str, Any], bytes]:
        """The frames of a link, or ("") of all links, from number `since` on.

        Returns:
            `ports`: node, link, interface of each port that sent; `frames`: the port of each frame,
            by its place in `ports`; `next`: the number to go on from next time; `lost`, see there.
            And a pcap file: nanosecond time stamps, Ethernet.
        """
        self.count()
        recent = takewhile(lambda frame: frame.number >= since, reversed(self._frames))
        chosen = [frame for frame in recent if link in ("", frame.port.link)][::-1]
        parts = [struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, _LONGEST, 1)]
        ports: dict[Port, int] = {}
        for frame in chosen:
            ports.setdefault(frame.port, len(ports))
            length = len(frame.octets)
            parts += [struct.pack("=IIII", frame.seconds, frame.nanoseconds, length, length)]
            parts += [frame.octets]
        about = {
            "ports": list(ports),
            "frames": [ports[frame.port] for frame in chosen],
            "next": self._next,
            "lost": self.lost(since),
        }
        return about, b"".join(parts)
