# SPDX-License-Identifier: GPL-2.0-or-later
"""Octets into a connection and out of it, as its socket does it."""

from tkm.rpc.server import Connection


def feed(connection: Connection, octets: bytes) -> None:
    """Let octets arrive, as long as they are read."""
    while octets and not connection.waiting and not connection.to_send:
        room = connection.room
        count = min(len(room), len(octets))
        room[:count] = octets[:count]
        octets = octets[count:]
        connection.arrived(count)


def take(connection: Connection) -> bytes:
    """All that it sends, as long as requests wait."""
    sent = bytearray()
    while connection.to_send:
        sent += connection.to_send
        connection.sent(len(connection.to_send))
        connection.answer()
    return bytes(sent)
