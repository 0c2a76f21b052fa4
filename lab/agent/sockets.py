# SPDX-License-Identifier: GPL-2.0-or-later
"""Sockets on which the kernel reports what happens, and waits for nobody."""

from __future__ import annotations

import socket

_SO_RCVBUFFORCE = 33


def make_room(sock: socket.socket, octets: int) -> None:
    """Give a socket a receive buffer of that size, or as much as is allowed."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, octets)
    except PermissionError:  # in a user namespace the host's limit holds
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
