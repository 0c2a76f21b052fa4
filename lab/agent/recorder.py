# SPDX-License-Identifier: GPL-2.0-or-later
"""Every SA that a node's kernel ever had: what it reports when one is added (XFRMNLGRP_SA).

An SA that was rekeyed is gone from the kernel, and the packets that it protected could never be
verified again. A node subscribes in its network namespace before anything runs there, and gives the
socket away; the agent keeps the messages as they are, keys and all, in its memory and nowhere else.
"""

from __future__ import annotations

import socket
import struct
import sys

from lab.agent.ring import SLOT, Ring
from lab.agent.sockets import make_room

BOUND = 8 << 20
"""Octets of memory for messages; an SA takes some 550."""
_BUFFER = 4 << 20
_NETLINK_XFRM = 6
_XFRMNLGRP_SA = 3
_NEWSA, _UPDSA = 0x10, 0x1A
_KIND = struct.Struct("=4xH")
"""The type in struct nlmsghdr."""
_LONGEST = 65536


def subscribe() -> socket.socket | None:
    """A socket that receives every SA in this network namespace; None: its kernel has no SAs."""
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_XFRM)
    except OSError:
        return None
    make_room(sock, _BUFFER)
    sock.bind((0, 1 << (_XFRMNLGRP_SA - 1)))
    return sock


class Recorder:
    """What one node's kernel has reported. `lost` counts messages that were forgotten or missed."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.lost = 0
        self._messages = Ring[bytes](BOUND, lambda octets: sys.getsizeof(octets) + SLOT)
        sock.setblocking(False)

    def read(self) -> None:
        """Take every message that waits."""
        while self.socket.fileno() >= 0:
            try:
                octets, (port, _) = self.socket.recvfrom(_LONGEST)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: the kernel had no room for some
                self.lost += 1
                continue
            if port == 0:  # else it is a process of the node that pretends to be the kernel
                self._keep(octets)

    def _keep(self, octets: bytes) -> None:
        (kind,) = _KIND.unpack_from(octets)
        if kind in (_NEWSA, _UPDSA):
            self.lost += self._messages.keep(octets)

    def fetch(self) -> bytes:
        """All messages, oldest first, each with its netlink header."""
        self.read()
        return b"".join(self._messages)

    def close(self) -> None:
        """Let go of the node's network namespace; what was reported is kept."""
        self.read()
        self.socket.close()
